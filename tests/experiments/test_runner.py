"""A run from its start to its report, with an experiment so small that it takes a second."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from experiments.common import drawing, figures, files, folders, results, runner, training
from experiments.common import run as runs
from experiments.common.config import Config
from experiments.common.data.splits import Data, Split
from experiments.common.errors import CheckFailedError, ExperimentError
from experiments.common.experiment import Condition, Expectation, Experiment, Metrics, Outcome, Picture

CONFIG = Config("smoke", train_images=8, validation_images=4, test_images=4, epochs=2, batch_size=4, seeds=2)


def split(count: int, value: int = 0) -> Split:
    images = np.arange(count * 4, dtype=np.uint8).reshape(count, 2, 2, 1) + np.uint8(value)
    return Split(images, np.arange(count) % 2)


class Tiny(Experiment):
    """Two conditions of four weights each."""

    name = "tiny"
    question = "Does the runner run?"
    hypothesis = "It does."
    claim = "Runners run."
    found = "it does"
    profiles = {"smoke": CONFIG}
    expected_time = {"smoke": "1 s"}
    pixel = 0  # changes the data

    def load(self, config: Config, source: Path | None) -> Data:
        return Data("tiny", ("no", "yes"), split(8, self.pixel), split(4), split(4), {})

    def arrays(self, config: Config, split: Split, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return split.images / np.float32(255), split.targets

    def conditions(self, config: Config, data: Data) -> tuple[Condition, ...]:
        def build() -> keras.Model:
            inputs = keras.Input((2, 2, 1), name="image")
            x = keras.layers.Flatten(name="flatten")(inputs)
            model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, name="unit")(x), name="tiny")
            model.compile("sgd", "mse", metrics=[keras.metrics.MeanSquaredError("error")], run_eagerly=True)
            return model

        return tuple(
            Condition(name, build, config.epochs, config.batch_size, images, "val_error", False)
            for name, images in (("all", None), ("few", 4))
        )

    def expectations(self, config: Config) -> tuple[Expectation, ...]:
        return (Expectation("all", "error", below=0.0), Expectation("few", "error", at_least=0.0))

    def measure(self, split: Split, predicted: NDArray[np.float32], classes: int) -> Metrics:
        return {"error": float(np.mean((predicted[:, 0] - split.targets) ** 2))}

    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        yield Picture("curves", "The losses.", figures.curves(outcome.histories, ["loss"]))

    def findings(self, outcome: Outcome) -> list[str]:
        return [f"{name}: {len(outcome.values(name, 'error'))} seeds" for name in outcome.conditions]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runner.start(Tiny(), CONFIG, None, tmp_path_factory.mktemp("runs"))


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The finished run, to be changed."""
    for path in finished.rglob("*"):
        if path.is_file():
            place = tmp_path / "run" / path.relative_to(finished)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    return tmp_path / "run"


def stored(folder: Path) -> runs.Run:
    return runs.stored(Tiny(), folder)


def test_seeds_are_whole_one_after_the_other(finished: Path) -> None:
    assert stored(finished).keys == [("all", 0), ("few", 0), ("all", 1), ("few", 1)]


def test_a_result_tells_of_every_training(finished: Path) -> None:
    result = files.read_json(finished / "result.json")
    assert [(r["condition"], r["seed"], r["epochs"], r["train_images"]) for r in result["runs"]] == [
        *(("all", 0, 2, 8), ("few", 0, 2, 4)),
        *(("all", 1, 2, 8), ("few", 1, 2, 4)),
    ]
    for name in ("all", "few"):
        errors = [r["test"]["error"] for r in result["runs"] if r["condition"] == name]
        assert result["conditions"][name]["error"]["mean"] == pytest.approx(np.mean(errors))
        assert result["conditions"][name]["error"]["standard_deviation"] == pytest.approx(
            np.std(errors, ddof=1)
        )
    assert [e["met"] for e in result["expectations"]] == [False, True]


def test_kept_predictions_are_the_models_own(finished: Path) -> None:
    run = stored(finished)
    inputs, _ = run.experiment.arrays(run.config, run.data.test, 2)
    for key in run.keys:
        for which in results.WHICH:
            model = training.load_model(run.home(key) / f"{which}.keras", run.plan(key), compiled=False)
            wanted = keras.ops.convert_to_numpy(model(inputs))
            np.testing.assert_allclose(results.predictions(run, key, which), wanted, rtol=1e-6)


def test_findings_see_the_diagnosis_of_every_training(finished: Path) -> None:
    measured = drawing.outcome(stored(finished))
    assert set(measured.diagnoses) == set(measured.histories) == set(stored(finished).keys)
    assert {d["verdict"] for d in measured.diagnoses.values()} == {"too short"}


def test_other_data_are_refused(copy: Path) -> None:
    changed = Tiny()
    changed.pixel = 1  # type: ignore[misc]
    for again in (runner.resume, runner.draw):
        with pytest.raises(ExperimentError, match="its data have changed since it began"):
            again(changed, copy)


def test_an_unfinished_run_has_no_report(copy: Path) -> None:
    (copy / "result.json").unlink()
    with pytest.raises(
        ExperimentError, match=rf"not finished; `python -m experiments resume {copy}` goes on"
    ):
        runner.draw(Tiny(), copy)


def test_what_was_predicted_first_stands(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = files.read_json(copy / "prediction.json")
    written["expectations"][0]["below"] = 0.5
    files.write_json(copy / "prediction.json", written)
    runner.resume(Tiny(), copy)
    assert "archcalc predicts otherwise than when the run began" in capsys.readouterr().err
    assert files.read_json(copy / "prediction.json") == written
    assert files.read_json(copy / "result.json")["prediction_sha256"] == files.sha256(
        copy / "prediction.json"
    )


def test_another_machine_is_said(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = files.read_json(copy / "environment.json")
    files.write_json(copy / "environment.json", {**known, "processor": "abacus"})
    runner.resume(Tiny(), copy)
    assert "bits may differ: processor abacus ->" in capsys.readouterr().err.replace("\n", " ")


def test_a_wrong_prediction_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments.common import prediction

    honest = prediction.predict

    def wrong(model: keras.Model, **options: Any) -> dict[str, Any]:
        said = json.loads(json.dumps(honest(model, **options)))
        said["totals"]["parameters"] += 1
        return said

    monkeypatch.setattr(prediction, "predict", wrong)
    with pytest.raises(CheckFailedError, match="predicted parameters 5, Keras 4"):
        runner.start(Tiny(), CONFIG, None, tmp_path)
    (folder,) = tmp_path.iterdir()
    assert files.read_json(folder / "check.json")["agrees"] is False
    assert not (folder / "checkpoints").exists()


def test_a_full_disk_stops_the_run_before_its_first_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, needed: int) -> None:
        raise ExperimentError(f"{folder}: no room for {needed}")

    monkeypatch.setattr(folders, "require_space", full)
    with pytest.raises(ExperimentError, match="no room"):
        runner.start(Tiny(), dataclasses.replace(CONFIG, seeds=1), None, tmp_path)
    (folder,) = tmp_path.iterdir()
    assert {path.name for path in folder.iterdir()} == {".lock"}
