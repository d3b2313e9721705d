"""Mean and spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """Mean, sample standard deviation (None for one value), least, largest, count."""
    return {
        "mean": statistics.fmean(values),
        "standard_deviation": statistics.stdev(values) if len(values) > 1 else None,
        "min": min(values),
        "max": max(values),
        "seeds": len(values),
    }


def written(values: Sequence[float], digits: int = 3) -> str:
    """`0.712 ± 0.004` (standard deviation over seeds), or the one value."""
    found = spread(values)
    deviation = found["standard_deviation"]
    text = f"{found['mean']:.{digits}f}"
    return text if deviation is None else f"{text} ± {deviation:.{digits}f}"


def effect(base: list[float], values: list[float]) -> str:
    """The paired difference over seeds, and whether it stands out of its spread.

    Two standard errors of the mean difference; one seed cannot tell.
    """
    differences = np.subtract(values, base)
    mean = float(differences.mean())
    if len(differences) < 2:
        return f"{100 * mean:+.1f} points (one seed: no spread known)"
    error = float(differences.std(ddof=1)) / len(differences) ** 0.5
    verdict = "more than" if abs(mean) > 2 * error else "within"
    seeds = len(differences)
    return f"{100 * mean:+.1f} points, {verdict} two standard errors ({200 * error:.1f}) over {seeds} seeds"
