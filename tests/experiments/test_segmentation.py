"""Whole segmentation runs on a small encoder: one's own pictures, sample predictions, deaths and resuming."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import segmentation
from experiments.common import config as configs
from experiments.common import files, runner
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Outcome
from experiments.registry import EXPERIMENTS
from tests.experiments import deaths, small_backbone
from tests.experiments.test_pairs import mixed

EXPERIMENT = EXPERIMENTS["segmentation"]
SMOKE = segmentation.PROFILES["smoke"]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    small_backbone.install(monkeypatch)


def settings(tmp_path: Path, **changed: Any) -> segmentation.SegmentationConfig:
    """The smoke profile with pretrained encoders too, whose file is a stand-in."""
    (tmp_path / "w.h5").write_bytes(b"weights")
    return dataclasses.replace(SMOKE, weights=str(tmp_path / "w.h5"), epochs=2, **changed)


def test_ones_own_pictures_train_for_all_their_faults(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(
        tmp_path,
        dataset="pairs",
        size=32,
        train_images=4,
        validation_images=1,
        test_images=1,
        batch_size=2,
        encoders=(segmentation.FROZEN, segmentation.TRAINABLE),
    )
    folder = runner.start(EXPERIMENT, config, mixed(tmp_path / "mine"), out)
    told = capsys.readouterr().err
    for name in ("alone.png", "torn.jpg", "noise.png", "rgba.png", "deep.png"):
        assert name in told
    result = files.read_json(folder / "result.json")
    assert {run["condition"] for run in result["runs"]} == {*("pretrained frozen", "random trainable")}
    assert all(0 <= run["test"]["iou"] <= 1 for run in result["runs"])
    assert "torn.jpg" in result["data"]["left out"]
    assert files.read_json(folder / "check.json")["agrees"] is True
    for run in result["runs"]:
        shown = sorted((folder / "samples" / f"{run['condition']}-seed0").iterdir())
        assert [path.name for path in shown] == ["epoch-0001.png", "epoch-0002.png"]
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in ("not verified", "Does it fit?", "all foreground (no network)", "test iou, last epoch"):
        assert text in page


def test_classes_other_than_two(tmp_path: Path, out: Path) -> None:
    config = settings(tmp_path, dataset="seg96-kinds", encoders=(segmentation.TRAINABLE,))
    folder = runner.start(EXPERIMENT, dataclasses.replace(config, epochs=1), None, out)
    run = files.read_json(folder / "result.json")["runs"][0]
    assert len(run["test"]["class_iou"]) == 5
    assert "IoU / Dice by class: background" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_training_that_dies_ends_with_the_same_bits(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tmp_path, encoders=(segmentation.TUNED, segmentation.TRAINABLE))
    deaths.same_bits(EXPERIMENT, config, out, 0.5, monkeypatch, training_only=True)


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.2, 0.4, 0.6, 0.8])
def test_a_run_that_dies_ends_with_the_same_bits(
    moment: float, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths.same_bits(EXPERIMENT, settings(tmp_path), out, moment, monkeypatch)


def test_without_weights_nothing_is_called_pretrained() -> None:
    data = EXPERIMENT.load(SMOKE, None)
    names = [condition.name for condition in EXPERIMENT.conditions(SMOKE, data)]
    assert names == ["random trainable", "random frozen"]


def test_weights_that_change_stop_a_resume(tmp_path: Path) -> None:
    config = EXPERIMENT.settled(settings(tmp_path))
    (tmp_path / "w.h5").write_bytes(b"others")
    with pytest.raises(ExperimentError, match="has changed since the run began"):
        EXPERIMENT.load(config, None)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"dataset": "colour32"}, "has classes, not masks"),
        ({"size": "64"}, "seg96 is 96 pixels wide, size=64"),
        ({"encoders": "pretrained"}, "encoders=pretrained: choose among pretrained frozen"),
    ],
)
def test_data_that_do_not_fit_are_refused(changed: dict[str, str], text: str) -> None:
    with pytest.raises(ExperimentError, match=text):
        EXPERIMENT.load(configs.changed(SMOKE, changed), None)


def outcome(**changed: Any) -> Outcome:
    """Two conditions, two seeds; pretrained better after every epoch and twice as quick."""
    names, seeds = (segmentation.FROZEN, segmentation.TRAINABLE), (0, 1)
    keys = [(name, seed) for seed in seeds for name in names]
    levels = {(name, seed): (0.8 if name == names[0] else 0.5) + 0.01 * seed for name, seed in keys}
    config = dataclasses.replace(segmentation.PROFILES["full"], weights="/some/where/w.h5", seeds=2)
    field = {"size": [555, 555]}
    memory = {
        "training_bytes": 2**20,
        "peak_activation_bytes": 2**20,
        "peak_activation_layer": "x",
        "available_bytes": 2**30,
        "batch_size": 8,
        "fits": True,
    }
    known: dict[str, Any] = {
        "config": config,
        "data": EXPERIMENT.load(SMOKE, None),
        "histories": {k: [{"val_mean_iou": v - 0.1 / n} for n in range(1, 5)] for k, v in levels.items()},
        "metrics": {key: {"iou": value, "dice": value} for key, value in levels.items()},
        "predictions": {},
        "diagnoses": {},
        "seconds": {key: [9.0] + [1.0 if key[0] == names[0] else 2.0] * 3 for key in keys},
        "processor_seconds": {},
        "baselines": {"all foreground": {"iou": 0.25}},
        "folder": Path(),
        "records": lambda _: Path(),
        "model": lambda _: None,
        "prediction": {
            "models": {name: {"layers": [{"receptive_field": field}]} for name in names},
            "memory": dict.fromkeys(names, memory),
        },
    }
    return Outcome(**(known | changed))


def test_findings_compare_at_equal_epochs_and_at_equal_time() -> None:
    found = "\n".join(EXPERIMENT.findings(outcome()))
    assert "against random trainable, equal epochs: test IoU +30.0 points" in found
    assert "equal time (4 s: 4 and 2 epochs)" in found
    assert "sees 555×555 of 96×96 pixels" in found
    assert "it fits" in found
    assert "w.h5" in found
    assert "not verified" in found


def test_predictions_are_kept_as_class_numbers() -> None:
    outputs = np.random.default_rng(0).random((2, 3, 3, 4), dtype=np.float32)
    kept = EXPERIMENT.compact(outputs)
    assert kept.dtype == np.uint8
    assert (kept == outputs.argmax(-1)).all()
