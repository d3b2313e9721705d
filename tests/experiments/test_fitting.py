"""The conditions of the fitting experiment differ in what they say they differ in, and in nothing else."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from experiments.common import training
from experiments.common.data.splits import Data, Split
from experiments.common.experiment import Condition, Expectation
from experiments.registry import EXPERIMENTS


def conditions(experiment: str, profile: str = "full") -> dict[str, Condition]:
    """The conditions on data of the profile's shape (pixels play no part)."""
    config = EXPERIMENTS[experiment].profiles[profile]
    blank = Split(np.zeros((1, 32, 32, 3), np.uint8), np.zeros(1, np.int64))
    train = Split(
        np.zeros((config.train_images, 32, 32, 3), np.uint8), np.zeros(config.train_images, np.int64)
    )
    data = Data("colour32", tuple("abcdefghij"), train, blank, blank, {})
    return {c.name: c for c in EXPERIMENTS[experiment].conditions(config, data)}


def fresh(condition: Condition, seed: int = 0) -> keras.Model:
    return training.fresh(
        training.Plan(condition.name, condition.build, seed, condition.epochs, condition.batch_size)
    )


def same_start(first: Condition, second: Condition) -> bool:
    """Whether both begin with the same weights, bit by bit, for the same seed."""
    mine, theirs = (model.get_weights() for model in (fresh(first), fresh(second)))
    return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_the_classifier_is_that_of_image_classifier() -> None:
    """Same weights to begin with, same data, epochs and batches: so the same training, bit by bit."""
    mine, theirs = conditions("fitting")["classifier"], conditions("image_classifier")["classifier"]
    assert same_start(mine, theirs)
    for name in ("epochs", "batch_size", "train_images", "monitor", "batchnorm_momentum"):
        assert getattr(mine, name) == getattr(theirs, name)
    first, second = (EXPERIMENTS[name].profiles["full"] for name in ("fitting", "image_classifier"))
    shared = [field.name for field in dataclasses.fields(second)]
    assert {name: getattr(first, name) for name in shared} == {name: getattr(second, name) for name in shared}


def test_rivals_differ_in_their_cause_alone() -> None:
    found = conditions("fitting")
    images = EXPERIMENTS["fitting"].profiles["full"].rival_images
    plain, slow, fast = found[f"classifier {images}"], found["momentum 0.99"], found["learning rate 0.01"]
    for rival in (slow, fast):
        assert (rival.epochs, rival.batch_size, rival.train_images) == (
            plain.epochs,
            plain.batch_size,
            images,
        )
        assert same_start(plain, rival)

    def settings(condition: Condition) -> tuple[float, float]:
        model = fresh(condition)
        return model.get_layer("block1_norm").momentum, float(model.optimizer.learning_rate)

    assert settings(plain) == pytest.approx((0.9, 0.001))
    assert settings(slow) == pytest.approx((0.99, 0.001))
    assert settings(fast) == pytest.approx((0.9, 0.01))


def test_the_mlp_has_more_weights_than_the_classifier_and_the_linear_model_fewer() -> None:
    found = conditions("fitting")
    sizes = {name: fresh(found[name]).count_params() for name in ("linear", "mlp", "classifier")}
    assert sizes["linear"] == 10 * (32 * 32 * 3 + 1)
    assert sizes["mlp"] == 512 * 3073 + 256 * 513 + 10 * 257
    assert sizes["linear"] < sizes["classifier"] < sizes["mlp"]


def test_full_profiles_say_what_they_expect_and_small_ones_do_not() -> None:
    for experiment in ("fitting", "image_classifier"):
        profiles = EXPERIMENTS[experiment].profiles
        assert EXPERIMENTS[experiment].expectations(profiles["full"])
        assert not EXPERIMENTS[experiment].expectations(profiles["smoke"])


@pytest.mark.parametrize(
    ("expectation", "value", "met"),
    [
        (Expectation("x", "accuracy", at_least=0.7), 0.7, True),
        (Expectation("x", "accuracy", at_least=0.7), 0.69, False),
        (Expectation("x", "accuracy", below=0.3), 0.3, False),
        (Expectation("x", "accuracy", at_least=0.1, below=0.3), 0.2, True),
    ],
)
def test_expectations_are_judged(expectation: Expectation, value: float, met: bool) -> None:
    assert expectation.met(value) is met
