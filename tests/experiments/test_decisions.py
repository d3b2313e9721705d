"""Thresholds against trying every one; intervals against the binomial distribution."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.common import decisions

RANDOM = np.random.default_rng(5)
TARGETS = RANDOM.integers(0, 2, 200)
SCORES = np.round(np.clip(0.3 * TARGETS + RANDOM.uniform(0, 0.7, 200), 0, 1), 2)


def found(threshold: float) -> tuple[float, float]:
    """Recall and precision by counting."""
    alarms = [t for t, s in zip(TARGETS, SCORES, strict=True) if s >= threshold]
    return sum(alarms) / TARGETS.sum(), sum(alarms) / len(alarms)


@pytest.mark.parametrize("wanted", [0.3, 0.8, 0.95, 1.0])
def test_no_threshold_of_that_recall_is_more_precise(wanted: float) -> None:
    recall, precision = found(decisions.for_recall(TARGETS, SCORES, wanted))
    assert recall >= wanted
    others = [found(threshold) for threshold in np.unique(SCORES)]
    assert precision == max(p for r, p in others if r >= wanted)


@pytest.mark.parametrize(("miss", "alarm"), [(1.0, 1.0), (20.0, 1.0), (1.0, 20.0)])
def test_no_threshold_is_cheaper(miss: float, alarm: float) -> None:
    def cost(threshold: float) -> float:
        each = [
            miss * (t and s < threshold) + alarm * (not t and s >= threshold)
            for t, s in zip(TARGETS, SCORES, strict=True)
        ]
        return sum(each) / len(each)

    chosen = decisions.for_cost(TARGETS, SCORES, miss, alarm)
    assert cost(chosen) == pytest.approx(min(cost(t) for t in np.linspace(0, 1.01, 102)))
    assert cost(chosen) == pytest.approx(decisions.cost(TARGETS, SCORES, chosen, miss, alarm))


def test_the_threshold_of_true_probabilities() -> None:
    """Scores that are the probabilities: the cheapest threshold is the one that the costs alone give."""
    draw = np.random.default_rng(0)
    scores = draw.uniform(0, 1, 20_000)
    targets = (draw.uniform(0, 1, 20_000) < scores).astype(np.int64)
    cheapest = decisions.for_cost(targets, scores[:20_000], 4.0, 1.0)
    assert cheapest == pytest.approx(decisions.bayes(4.0, 1.0), abs=0.04)


@pytest.mark.parametrize("share", [0.8, 0.95])
def test_intervals_of_a_share_are_those_of_the_binomial_distribution(share: float) -> None:
    from scipy.stats import binom

    hits = np.arange(200) < share * 200
    low, high = decisions.share_interval(hits, 4_000)
    assert low == pytest.approx(binom.ppf(0.025, 200, share) / 200, abs=0.006)
    assert high == pytest.approx(binom.ppf(0.975, 200, share) / 200, abs=0.006)


def test_intervals_without_spread_and_of_nothing() -> None:
    assert decisions.share_interval(np.ones(20, bool), 50) == [1.0, 1.0]
    assert decisions.share_interval(np.ones(0, bool), 50) == [0.0, 1.0]
