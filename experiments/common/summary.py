"""Mean and spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


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
