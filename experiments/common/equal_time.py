"""Two conditions at equal training time: how far each had come when the quicker one was through."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from experiments.common.history import Key, Row


@dataclass(frozen=True)
class AtEqualTime:
    """For each of two conditions: epochs within the budget, and the metric after them, by seed."""

    seconds: float
    epochs: tuple[int, int]
    values: tuple[list[float], list[float]]


def cost(seconds: Mapping[Key, list[float]], condition: str) -> float:
    """Seconds an epoch: the median over epochs and seeds.

    The first epoch of each training, in which TensorFlow traces the graph, is left out where there are
    others.
    """
    found = [
        value
        for (name, _), values in seconds.items()
        if name == condition
        for value in (values[1:] or values)
    ]
    return statistics.median(found)


def compare(
    histories: Mapping[Key, list[Row]],
    seconds: Mapping[Key, list[float]],
    conditions: tuple[str, str],
    metric: str,
) -> AtEqualTime:
    """The metric of both after the time in which the quicker one has trained all its epochs."""
    costs = [cost(seconds, name) for name in conditions]
    rows = [[r for (name, _), r in histories.items() if name == condition] for condition in conditions]
    budget = min(price * min(map(len, trained)) for price, trained in zip(costs, rows, strict=True))
    # a hair more than the budget, lest rounding take the quicker one's last epoch away
    epochs = [max(1, int(budget / price + 1e-6)) for price in costs]
    values = [
        [row[min(count, len(row)) - 1][metric] for row in trained]
        for count, trained in zip(epochs, rows, strict=True)
    ]
    return AtEqualTime(budget, (epochs[0], epochs[1]), (values[0], values[1]))
