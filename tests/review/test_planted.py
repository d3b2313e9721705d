"""Planted slips are named, random values get no cause: a share of what docs/evidence/audits.md reports."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from archcalc.analyze import analyze
from archcalc.review.audit import Checked, check
from tests.review.planted import Planted, planted

SEED = 240_024


def finds(plant: Planted) -> bool:
    """Whether the planted slips are named, alone or among at most three causes."""
    (checked,) = check(analyze(plant.spec), [plant.claim])
    written = {"written_mismatch"} if checked.written is not None else set()
    causes = [set(c.slips) | written for c in checked.causes.named] or [written]
    assert len(causes) <= 3
    return any(all(cause & slips for slips in plant.slips) for cause in causes)


def random_value(plant: Planted, draw: random.Random) -> Checked | None:
    """A claim with a value between a quarter and four times the truth; None where one slip explains it."""
    if plant.truth is None:
        return None
    factor = math.exp(draw.uniform(-math.log(4), math.log(4)))
    sizes = plant.truth if isinstance(plant.truth, tuple) else (plant.truth,)
    value = tuple(max(1, round(n * factor)) for n in sizes)
    if value == sizes:
        return None
    stated = value if isinstance(plant.truth, tuple) else value[0]
    (checked,) = check(analyze(plant.spec), [replace(plant.claim, value=stated, written=None)])
    return None if any(len(c.slips) == 1 for c in checked.causes.named) else checked


def shares(number: int, randoms: int) -> tuple[float, float]:
    """The share of planted slips that are named, and of random values that get a cause."""
    named = sum(map(finds, planted(SEED, number)))
    draw = random.Random(SEED)
    checked: list[Checked] = []
    for plant in planted(SEED + 1, 20 * randoms):
        found = random_value(plant, draw)
        checked += [] if found is None else [found]
        if len(checked) == randoms:
            break
    return named / number, sum(bool(c.causes.named) for c in checked) / len(checked)


def test_a_share_of_them() -> None:
    named, by_chance = shares(60, 40)
    assert named >= 0.9
    assert by_chance <= 0.1


@pytest.mark.slow
def test_planted_slips_and_random_values() -> None:
    named, by_chance = shares(2000, 1000)
    assert named >= 0.95
    assert by_chance <= 0.05
