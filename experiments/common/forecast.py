"""What a run writes before it trains: archcalc's prediction, Keras's summary, the check of both."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import keras

from experiments.common import claims, console, files, folders, prediction
from experiments.common.run import Run

BYTES_BESIDE_WEIGHTS = 40 * 2**20  # figures, report, logs, predictions
SHOWN = 6  # conditions whose memory is told one by one


def write(run: Run) -> None:
    """Write prediction.json (unless it is there), summary.txt and check.json; reserve the disk space.

    Raises CheckFailedError where prediction and Keras differ, ExperimentError where the disk is full.
    """
    models, fits, checks, summaries, weights = {}, {}, {}, [], 0
    for condition in run.conditions.values():
        keras.backend.clear_session(free_memory=False)
        keras.utils.set_random_seed(run.config.seed)
        model = condition.build()
        models[condition.name] = prediction.predict(model, gradients=run.experiment.gradients)
        fits[condition.name] = prediction.memory(model, condition.batch_size)
        checks[condition.name] = prediction.check(model, models[condition.name])
        summaries.append(f"{condition.name}\n{_summary(model)}")
        weights += 4 * model.count_params()
    expectations = [{"text": str(e), **vars(e)} for e in run.experiment.expectations(run.config)]
    predicted = {
        "expectations": expectations,
        "further": run.experiment.foresee(run.config, run.data),
        "memory": fits,
        "models": models,
    }
    usual = claims.usual(run.experiment.claim, expectations, predicted)
    stated = [*run.experiment.claims(run.config, predicted), *usual]
    _write_once(run, {"claims": [claim.to_dict() for claim in stated], **predicted})
    files.write_text(run.folder / "summary.txt", "\n".join(summaries))
    files.write_json(
        run.folder / "check.json", {"agrees": all(c["agrees"] for c in checks.values()), "models": checks}
    )
    prediction.require_agreement(checks)
    tell(fits)
    tell_faults(models)
    # weights and two moments of adam; two generations, the best, one being written
    folders.require_space(run.folder, 4 * 3 * weights * run.config.seeds + BYTES_BESIDE_WEIGHTS)


def _write_once(run: Run, predicted: dict[str, Any]) -> None:
    path = run.folder / "prediction.json"
    if not path.is_file():
        files.write_json(path, predicted)
    elif files.read_json(path) != predicted:
        console.warn("archcalc predicts otherwise than when the run began; what was written then stands")


def tell(fits: dict[str, dict[str, Any]]) -> None:
    """Say before training what memory it takes: every condition's, or of many the largest."""
    known = {name: fit for name, fit in fits.items() if fit["training_bytes"] is not None}
    shown = known if len(known) <= SHOWN else dict([max(known.items(), key=lambda f: f[1]["training_bytes"])])
    if len(known) > SHOWN:
        console.say(f"memory of {len(known)} models; the largest:")
    for name, fit in shown.items():
        console.say(
            f"memory {name}: training takes {fit['training_bytes'] / 2**20:,.0f} MiB at batch "
            f"{fit['batch_size']}, of {fit['available_bytes'] / 2**20:,.0f} MiB on this machine"
        )
    unknown = [name for name, fit in fits.items() if fit["training_bytes"] is None]
    if unknown:
        console.say(f"memory of {', '.join(unknown)}: archcalc has no rule for a layer of it, not predicted")
    for name, fit in known.items():
        if not fit["fits"]:
            console.warn(f"{name} does not fit into this machine's memory; a smaller batch_size needs less")


def tell_faults(models: dict[str, dict[str, Any]]) -> None:
    """Say before training what lint finds wrong with a network: errors and warnings, each once."""
    found: dict[str, list[str]] = {}
    for name, model in models.items():
        for finding in model["lint"]:
            if finding["severity"] != "info":
                found.setdefault(finding["says"], []).append(name)
    for text, names in found.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        console.say(f"lint {names[0]}{more}: {text}")


def _summary(model: keras.Model) -> str:
    text = StringIO()
    with redirect_stdout(StringIO()):
        model.summary(print_fn=lambda line, **_: text.write(line + "\n"), line_length=100)
    return text.getvalue()
