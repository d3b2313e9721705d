"""Claims: hit, miss or not measured, and the table at the end of every report."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest

from experiments.common import claims
from experiments.common.claims import HIT, MISS, OPEN, SPLIT, Claim, Measurement
from experiments.registry import EXPERIMENTS

CLAIM = Claim("key", "People say so.", "between 1 and 2", 1.0, 2.0)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((1.0,), HIT),
        ((2.0,), HIT),
        ((1.2, 1.8), HIT),
        ((1.2, 2.2), SPLIT),
        ((0.5, 2.5), MISS),
        ((2.1,), MISS),
        ((0.9,), MISS),
        ((math.nan,), OPEN),
        ((1.5, math.inf), OPEN),
        ((), OPEN),
    ],
)
def test_every_seed_within_the_interval_is_a_hit(values: tuple[float, ...], wanted: str) -> None:
    assert claims.verdict(CLAIM.to_dict(), Measurement(values, "")) == wanted


def test_a_side_without_a_limit_is_open() -> None:
    above = dataclasses.replace(CLAIM, at_most=None).to_dict()
    below = dataclasses.replace(CLAIM, at_least=None).to_dict()
    assert claims.verdict(above, Measurement((1e9,), "")) == HIT
    assert claims.verdict(below, Measurement((-1e9,), "")) == HIT


def test_rows_say_why_only_of_a_miss() -> None:
    rows = claims.verdicts(
        [dataclasses.replace(CLAIM, key=key).to_dict() for key in ("hit", "miss", "open")],
        {"hit": Measurement((1.5,), "1.5", "reason"), "miss": Measurement((3.0,), "3", "reason")},
    )
    assert [(row["verdict"], row["measured"], row["why"]) for row in rows] == [
        (HIT, "1.5", ""),
        (MISS, "3", "reason"),
        (OPEN, OPEN, ""),
    ]


def test_expectations_are_claims_too() -> None:
    stated = {"text": "a: test accuracy below 0.3", "at_least": None, "below": 0.3}
    predicted = {"models": {}, "memory": {}}
    (claim, *_) = claims.usual("They say.", [stated], predicted)
    assert (claim.says, claim.predicted, claim.by) == ("They say.", stated["text"], claims.EXPECTED)
    assert claims.verdict(claim.to_dict(), Measurement((0.3,), "")) == MISS
    assert claims.verdict(claim.to_dict(), Measurement((math.nextafter(0.3, 0),), "")) == HIT


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=lambda e: e.name)
def test_every_experiment_says_what_is_claimed_and_what_was_found(experiment: object) -> None:
    for text in (experiment.claim, experiment.found):  # type: ignore[attr-defined]
        assert re.match(r"\S", text)
        assert "\n" not in text
