"""Settings: frozen, changed only through texts that are read as their field's type."""

from __future__ import annotations

import dataclasses
import json

import pytest

from experiments.common import config
from experiments.common.errors import ExperimentError
from experiments.fitting import FittingConfig
from experiments.registry import EXPERIMENTS

BASE = FittingConfig("smoke")


def test_texts_become_values_of_the_fields_types() -> None:
    new = config.changed(
        BASE, {"epochs": "3", "learning_rate": "1e-2", "curve_images": "10,20", "dataset": "cifar10"}
    )
    assert (new.epochs, new.learning_rate, new.curve_images, new.dataset) == (3, 0.01, (10, 20), "cifar10")
    assert BASE.epochs == 10


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("epoch", "3", "no such setting; did you mean 'epochs'"),
        ("zzz", "3", "no such setting; known: "),
        ("profile", "full", "no such setting"),
        ("epochs", "three", "'three' is not int"),
        ("curve_images", "1,x", "is not a list"),
        ("epochs", "0", "epochs=0 must be at least 1"),
        ("learning_rate", "nan", "learning_rate=nan must be above 0"),
        ("seed", "-1", "must not be negative"),
        ("garments", "some", 'must be "slice" or "all"'),
    ],
)
def test_what_makes_no_sense_is_refused(key: str, value: str, text: str) -> None:
    with pytest.raises(ExperimentError, match=text):
        config.changed(BASE, {key: value})


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_stored_config_comes_back_the_same(name: str) -> None:
    for profile, settings in EXPERIMENTS[name].profiles.items():
        assert settings.profile == profile
        stored = json.loads(json.dumps(settings.to_dict()))
        assert config.from_dict(type(settings), stored) == settings


def test_a_config_of_another_version_is_refused() -> None:
    stored = BASE.to_dict() | {"colour": 1}
    with pytest.raises(ExperimentError, match=r"another version .*colour"):
        config.from_dict(FittingConfig, stored)


def test_seeds_follow_each_other() -> None:
    assert dataclasses.replace(BASE, seed=5, seeds=3).all_seeds == (5, 6, 7)
