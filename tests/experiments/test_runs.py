"""Every experiment's smoke profile from the command line, as a user without network runs it."""

from __future__ import annotations

import base64
import csv
import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import cli
from experiments.registry import EXPERIMENTS

ROOT = Path(__file__).parents[2]
# no route out: a proxy that refuses at once
OFFLINE = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


def command(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [sys.executable, "-m", "experiments", *words],
        cwd=ROOT,
        env={**os.environ, **OFFLINE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == status, f"{ran.stdout}\n{ran.stderr}"
    return ran


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Finished smoke runs, made when first asked for."""
    out = tmp_path_factory.mktemp("runs")
    made: dict[str, Path] = {}

    class Runs(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            command("run", name, "--profile", "smoke", "--out", str(out / name))
            (folder,) = (out / name).iterdir()
            made[name] = self[name] = folder
            return folder

    return Runs()


def load(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_run_holds_what_it_promises(name: str, runs: dict[str, Path]) -> None:
    folder = runs[name]
    promised = ["config", "environment", "prediction", "check", "result"]
    assert {f"{p}.json" for p in promised} | {"history.csv", "summary.txt", "report.html"} <= {
        path.name for path in folder.iterdir()
    }
    assert not list(folder.rglob(".partial-*"))
    result, predicted = load(folder / "result.json"), load(folder / "prediction.json")
    stated = hashlib.sha256((folder / "prediction.json").read_bytes()).hexdigest()
    assert result["prediction_sha256"] == stated
    assert load(folder / "check.json")["agrees"] is True
    for fit in predicted["memory"].values():
        needed = fit["training_bytes"]
        assert fit["fits"] is (None if needed is None else needed <= fit["available_bytes"])
    with (folder / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["condition"] for row in rows} == set(predicted["models"])
    for trained in folder.glob("checkpoints/*"):
        assert {p.name for p in trained.iterdir()} == {"best.keras", "last.keras", "state.json"}
        assert list((folder / "tensorboard" / trained.name).glob("events.out.tfevents.*"))
    for run in result["runs"]:
        assert run["epochs"] == sum(row["condition"] == run["condition"] for row in rows)
        if run["diverged"]:
            assert name == "gradient_flow"  # which provokes it
            continue
        assert 0 <= run["test"]["accuracy"] <= 1
        matrix = run["test"]["confusion_matrix"]
        config = load(folder / "config.json")["config"]
        judged = config["test_images"]
        if run["condition"].startswith("masks"):
            judged = config["mask_test"] * 96 * 96
        if name == "modalities":
            judged = result["data"]["test examples"][run["condition"].split()[0]]
        judged *= 96 * 96 if name == "segmentation" else 1  # pixels
        assert sum(map(sum, matrix)) == judged
        hits = sum(matrix[i][i] for i in range(len(matrix)))
        assert hits / sum(map(sum, matrix)) == pytest.approx(run["test"]["accuracy"])


# what an experiment is about: the pairing and strides that lint warns of, stacks that vanish or explode
MEANT = {
    "defect_detection": {"AC101", "AC105"},
    "stride_vs_pooling": {"AC401"},
    "cnn_limits": {"AC401"},
    "conv_vs_local": {"AC204"},  # Keras's Glorot counts the positions of locally connected kernels, too
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_lint_warns_of_what_is_meant_and_of_nothing_else(name: str, runs: dict[str, Path]) -> None:
    models = load(runs[name] / "prediction.json")["models"]
    found = {
        (finding["rule"], model)
        for model, said in models.items()
        for finding in said["lint"]
        if finding["severity"] != "info"
    }
    if name == "gradient_flow":
        assert {rule[:3] for rule, _ in found} <= {"AC2", "AC3"}
        return
    assert {rule for rule, _ in found} == MEANT.get(name, set())
    if name == "defect_detection":
        assert [model for rule, model in found if rule == "AC101"] == ["softmax of one unit"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_report_ends_with_claim_prediction_measurement_verdict(name: str, runs: dict[str, Path]) -> None:
    folder = runs[name]
    stated = load(folder / "prediction.json")["claims"]
    rows = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    assert [row["claim"] for row in rows] == [claim["says"] for claim in stated]
    assert {row["verdict"] for row in rows} <= {"hit", "miss", "not measured"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    table = page[page.rindex("<table") : page.rindex("</table>")]
    assert "<th>claim</th><th>prediction</th><th>measurement</th><th>verdict</th>" in table
    assert table.count("<tr>") == 1 + len(rows)
    assert "<h2" not in page[page.rindex("</table>") :]


def test_the_summary_is_keras_own(runs: dict[str, Path]) -> None:
    text = (runs["image_classifier"] / "summary.txt").read_text(encoding="utf-8")
    total = load(runs["image_classifier"] / "prediction.json")["models"]["classifier"]["totals"]["parameters"]
    assert f"Total params: {total:,}" in text
    assert 'Model: "classifier"' in text


def test_the_prediction_is_older_than_any_checkpoint(runs: dict[str, Path]) -> None:
    folder = runs["image_classifier"]
    written = (folder / "prediction.json").stat().st_mtime_ns
    assert all(written < path.stat().st_mtime_ns for path in folder.glob("checkpoints/*/*"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_report_needs_nothing_else(name: str, runs: dict[str, Path]) -> None:
    page = (runs[name] / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"<script|<link|@import|url\(", page)
    drawn = {path.read_bytes() for path in (runs[name] / "figures").glob("*.png")}
    assert {base64.b64decode(source.split(",", 1)[1]) for source in sources} == drawn


def test_a_finished_run_may_be_resumed_and_reported_again(runs: dict[str, Path]) -> None:
    folder = runs["image_classifier"]
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}
    for path in ((folder / "report.html"), (folder / "figures" / "curves.png")):
        path.unlink()
    command("report", str(folder))
    changed = {path.name for path, content in kept.items() if path.read_bytes() != content}
    assert not changed
    command("resume", str(folder))
    changed = {path.name for path, content in kept.items() if path.read_bytes() != content}
    # the largest memory of another process
    assert changed <= {"result.json", "report.html", "verdicts.json"}


def test_runs_are_compared(runs: dict[str, Path]) -> None:
    told = command("compare", str(runs["image_classifier"]), str(runs["augmentation"])).stdout
    assert "train_images" in told
    assert "classifier: test accuracy" in told
    assert "vertical flip + rotation: test accuracy" in told


def test_the_list_says_what_there_is() -> None:
    told = command("list").stdout
    for experiment in EXPERIMENTS.values():
        assert experiment.name in told
        assert experiment.claim in told
        assert experiment.found in told
    assert len(told.splitlines()) == len(EXPERIMENTS)


def test_a_disk_that_fills_up_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/x/result.json")

    monkeypatch.setattr(cli.cli, "main", fill)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "runs/x/result.json: No space left on device; nothing is lost" in told.replace("\n", " ")


def test_a_defect_is_not_taken_for_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def miss(**_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")

    monkeypatch.setattr(cli.cli, "main", miss)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 3
    assert "a defect in archcalc, not in your input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["run", "image_clasifier"], "did you mean 'image_classifier'?"),
        (["run", "fitting", "--set", "epoch=1"], "did you mean 'epochs'?"),
        (["run", "fitting", "--set", "epochs"], "write KEY=VALUE"),
        (["run", "fitting", "--data", "/no/where"], "--data /no/where: no such file or folder"),
        (["run", "fitting", "--profile", "smoke", "--set", "dataset=seg96"], "has masks, not classes"),
        (["run", "segmentation", "--set", "dataset=colour32"], "has classes, not masks"),
        (["run", "segmentation", "--set", "size=100"], "size=100: must be at least 32 and a multiple"),
        (["run", "segmentation", "--weights", "/no/where.h5"], "no such file; give an HDF5 file"),
        (["run", "transfer", "--backbone", "resnet"], "did you mean 'resnet50'?"),
        (["run", "transfer", "--data", "http://127.0.0.1:9/x.zip"], "cannot be fetched"),
        (["run", "fitting", "--weights", "none"], "no such setting"),
        (["run", "fitting", "--epochs", "3"], "no such option"),
        (["run", "modalities", "--set", "sets=textes"], "sets=textes: choose among grammar"),
        (["run", "defect_detection", "--cost-miss", "0"], "must be above 0"),
        (["resume", "/no/where"], "not a run folder"),
        (["report", "/no/where"], "not a run folder"),
        (["compare", "/no/where"], "two runs or more"),
        (["run", "fitting", "--profile", "smoke", "--out", "/proc/none"], "cannot make a run folder there"),
    ],
)
def test_bad_usage_is_two_lines_at_most(words: list[str], text: str) -> None:
    ran = command(*words, status=2)
    assert text in ran.stderr
    assert ran.stderr.startswith(("archcalc: ", "python -m experiments "))
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) <= 2
