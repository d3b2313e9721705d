"""report.html: one page that needs nothing else, from what the run folder holds."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.common import files
from experiments.common.experiment import Experiment
from experiments.common.summary import written

TEMPLATES = Path(__file__).parent / "templates"
TRAINING_WORK = 3  # forward once, backward about twice (towards inputs and towards weights)


def environment() -> Any:
    """Jinja with autoescape for every template, and an error for every name that is not there."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"grouped": grouped, "share": lambda value: "" if value is None else f"{value:.4f}"}
    return made


def grouped(value: Any) -> str:
    """Integers with thin thousands; anything else as it is, None as a dash."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def data_uri(path: Path) -> str:
    """A PNG as text inside the page."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def write(
    experiment: Experiment,
    folder: Path,
    captions: Sequence[tuple[str, str]],
    findings: Sequence[str],
    verdicts: Sequence[Mapping[str, Any]],
) -> None:
    """Write `folder/report.html`."""
    result, predicted = files.read_json(folder / "result.json"), files.read_json(folder / "prediction.json")
    stored = files.read_json(folder / "config.json")
    page = (
        environment()
        .get_template("report.html.j2")
        .render(
            experiment=experiment,
            result=result,
            settings=stored["config"],
            environment=files.read_json(folder / "environment.json"),
            check=files.read_json(folder / "check.json"),
            models=predicted["models"],
            measured=[_against(run, predicted["models"][run["condition"]]) for run in result["runs"]],
            overview=_overview(result, experiment.headline),
            memory=predicted["memory"],
            fields={name: _field(model) for name, model in predicted["models"].items()},
            pictures=[
                {"caption": caption, "uri": data_uri(folder / "figures" / f"{name}.png")}
                for name, caption in captions
            ],
            findings=findings,
            verdicts=verdicts,
            summary=(folder / "summary.txt").read_text(encoding="utf-8"),
            command=command(experiment.name, stored),
        )
    )
    files.write_text(folder / "report.html", page)


def command(name: str, stored: dict[str, Any]) -> str:
    """The command line that makes this run again, in full."""
    config = stored["config"]
    words = ["python -m experiments run", name, f"--profile {config['profile']}", f"--seed {config['seed']}"]
    words += [f"--seeds {config['seeds']}"] if config["seeds"] > 1 else []
    words += [f"--data {stored['source']}"] if stored["source"] else []
    words += [f"--set {setting}" for setting in stored.get("settings", [])]
    return " ".join(words)


def _overview(result: dict[str, Any], headline: str) -> list[dict[str, str]]:
    """One line a condition: the headline metric over the seeds, verdicts, time."""
    lines = []
    for name in result["conditions"]:
        runs = [run for run in result["runs"] if run["condition"] == name]
        tested = [run["test"] for run in runs if run["test"]]
        best = [run["test_of_best_epoch"] for run in runs if run["test_of_best_epoch"]]
        lines.append(
            {
                "name": name,
                "seeds": str(len(runs)),
                "headline": written([t[headline] for t in tested])
                if tested and headline in tested[0]
                else "–",
                "best": written([t[headline] for t in best]) if best and headline in best[0] else "–",
                "verdict": ", ".join(dict.fromkeys(run["diagnosis"]["verdict"] for run in runs)),
                "seconds": f"{sum(run['seconds'] for run in runs) / len(runs):,.0f}",
            }
        )
    return lines


def _field(model: dict[str, Any]) -> str:
    """Receptive field of one unit of the output, and whether the whole image is within it."""
    field = model["layers"][-1]["receptive_field"]
    if not field:
        return "–"
    text = " × ".join(str(side) for side in field["size"])
    return f"{text}, the whole input" if all(field["global"]) else text


def _against(run: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """What archcalc said before and what the training showed."""
    totals = model["totals"]
    weights = totals["weight_bytes"]
    with_moments = weights + 2 * 4 * totals["trainable_parameters"]
    work = TRAINING_WORK * totals["flops"] * run["train_images"] * run["epochs"]
    return {
        "condition": run["condition"],
        "seed": run["seed"],
        "parameters": totals["parameters"],
        "checkpoint_predicted": with_moments,
        "checkpoint_measured": run["checkpoint_bytes"],
        "gflop": f"{work / 1e9:,.0f}",
        "rate": f"{work / 1e9 / run['seconds']:,.1f}" if run["seconds"] else "–",
    }
