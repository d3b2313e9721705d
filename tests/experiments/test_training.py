"""A training that dies at any write, or whose files rot, ends with the bits of one that did not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.common import files, training
from experiments.common.errors import ExperimentError
from tests.experiments.deaths import variables

tf.config.experimental.enable_op_determinism()

EPOCHS = 3
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (48, 6, 6, 1), dtype=np.uint8)
TARGETS = np.eye(3, dtype=np.float32)[RANDOM.integers(0, 3, 48)]
TRAINING, VALIDATION = (IMAGES[:32], TARGETS[:32]), (IMAGES[32:], TARGETS[32:])


def build() -> keras.Model:
    """Everything that draws at random or remembers: augmentation, dropout, moving averages, adam."""
    x = inputs = keras.Input((6, 6, 1))
    x = keras.layers.RandomFlip()(x)
    x = keras.layers.RandomTranslation(0.2, 0.2)(x)
    x = keras.layers.Rescaling(1 / 255)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(8, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.4)(x)
    x = keras.layers.Dense(3, activation="softmax")(x)
    model = keras.Model(inputs, x)
    accuracy = keras.metrics.CategoricalAccuracy(name="accuracy")
    # eager, since tracing takes longer than the training; traced ones are killed in test_kills.py
    model.compile(
        keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=[accuracy], run_eagerly=True
    )
    return model


PLAN = training.Plan("test", build, seed=4, epochs=EPOCHS, batch_size=16)


def train(folder: Path, plan: training.Plan = PLAN) -> training.State:
    return training.train(plan, TRAINING, VALIDATION, folder)


def bits(folder: Path) -> dict[str, bytes]:
    """Every variable of both models, the optimizer's too, and the history."""
    found = {"history": repr(training.load_state(folder).history).encode()}
    for which in ("last", "best"):
        found |= {f"{which} {k}": v for k, v in variables(folder / f"{which}.keras").items()}
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    train(folder)
    return bits(folder)


class KilledError(BaseException):
    """Stands for a `kill -9`; real ones are in test_kills.py."""


def die_at(monkeypatch: pytest.MonkeyPatch, moment: int, after: bool) -> list[str]:
    """Let the process die before or after the given whole write; returns what was being written."""
    real: Callable[..., None] = files.write_whole
    written: list[str] = []

    def write(path: Path, content: Any) -> None:
        written.append(path.name)
        if len(written) == moment and not after:
            raise KilledError
        real(path, content)
        if len(written) == moment:
            raise KilledError

    monkeypatch.setattr(files, "write_whole", write)
    return written


def test_trainings_with_the_same_seed_are_the_same(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    train(tmp_path / "run")
    assert bits(tmp_path / "run") == undisturbed


def test_another_seed_is_another_training(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    train(tmp_path / "run", training.Plan("other", build, seed=5, epochs=1, batch_size=8))
    assert bits(tmp_path / "run") != undisturbed


def test_death_at_every_write_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = dataclasses.replace(PLAN, epochs=2)
    train(tmp_path / "undisturbed", plan)
    wanted, seen = bits(tmp_path / "undisturbed"), set()
    for moment in range(1, 100):
        folder = tmp_path / str(moment)
        with monkeypatch.context() as patch:
            written = die_at(patch, moment, after=moment % 2 == 0)
            try:
                train(folder, plan)
            except KilledError:
                seen.add(written[-1])
            else:
                break
        train(folder, plan)
        assert bits(folder) == wanted, f"died at write {moment}, of {written[-1]}"
    assert {"state.json", "best.keras", "last.keras", "epoch-0001.keras", "epoch-0002.keras"} <= seen


def test_seeds_of_an_epoch_hang_on_its_number_alone() -> None:
    model = training.fresh(PLAN)
    streams = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    assert len(streams) == 3

    def states(epoch: int) -> list[list[int]]:
        training._reset_randomness(model, PLAN.seed, epoch)
        return [np.asarray(stream).tolist() for stream in streams]

    first, second = states(1), states(2)
    assert first == states(1)
    assert not any(a == b for a, b in zip(first, second, strict=True))
    assert len({tuple(state) for state in first}) == 3


def cut_short(folder: Path, epochs: int) -> None:
    """Train until the given epoch has been saved, and die."""

    def stop(state: training.State) -> None:
        if state.epoch == epochs:
            raise KilledError

    with pytest.raises(KilledError):
        training.train(PLAN, TRAINING, VALIDATION, folder, after_epoch=stop)


@pytest.mark.parametrize("damaged", [["epoch-0002.keras"], ["epoch-0001.keras", "epoch-0002.keras"]])
def test_a_damaged_checkpoint_costs_an_epoch_and_no_bit(
    damaged: list[str],
    undisturbed: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cut_short(tmp_path, 2)
    for name in damaged:
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-100])
    train(tmp_path)
    assert "checkpoint damaged" in capsys.readouterr().err or len(damaged) == 2
    assert bits(tmp_path) == undisturbed


def test_a_lost_best_model_is_trained_again(undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    cut_short(tmp_path, 2)
    (tmp_path / "best.keras").unlink()
    train(tmp_path)
    assert bits(tmp_path) == undisturbed


def test_only_two_generations_are_kept(tmp_path: Path) -> None:
    cut_short(tmp_path, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "best.keras",
        "epoch-0002.keras",
        "epoch-0003.keras",
        "state.json",
    ]


def test_a_finished_training_is_left_alone(tmp_path: Path) -> None:
    train(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert train(tmp_path).finished
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_best_is_the_first_of_the_best() -> None:
    history = [
        {"val_accuracy": 0.5},
        {"val_accuracy": 0.7},
        {"val_accuracy": 0.7},
        {"val_accuracy": float("nan")},
    ]
    assert training._best_epoch(history, PLAN) == 2
    assert training._best_epoch([], PLAN) == 0


def test_divergence_ends_the_training_and_is_recorded(tmp_path: Path) -> None:
    def hopeless() -> keras.Model:
        model = build()
        model.compile(keras.optimizers.SGD(1e30), "mse", metrics=["accuracy"], run_eagerly=True)
        return model

    state = train(tmp_path, training.Plan("hopeless", hopeless, seed=0, epochs=9, batch_size=8))
    assert state.diverged
    assert state.epoch < 9
    assert training.load_state(tmp_path).diverged


def test_a_full_disk_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_whole", full)
    with pytest.raises(ExperimentError, match=r"No space left on device.*make room and resume"):
        train(tmp_path)
