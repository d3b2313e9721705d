"""How plausible a layer is: what networks usually have costs nothing, and each oddity costs something.

The order says only which answer to read first; every answer has the count exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log2
from typing import TYPE_CHECKING

from archcalc.review.space import TYPES

if TYPE_CHECKING:
    from archcalc.review.explain import Configuration

_TYPES = {"Conv2D": 0.0, "Dense": 0.5, "BatchNormalization": 1.0}
_KERNELS = {3: 0.0, 1: 1.0, 5: 1.0, 7: 1.2, 2: 3.0, 4: 3.0, 9: 3.0, 11: 3.0}


def rank(configurations: Iterable[Configuration]) -> list[Configuration]:
    """The most plausible first; equal ones in order of their arguments."""
    return sorted(configurations, key=lambda c: (oddity(c), str(c)))


def oddity(c: Configuration) -> float:
    cost: float = _TYPES.get(c.type, 1.5) + _number(c.input_channels) + _number(c.width)
    kernel = c.arguments.get("kernel_size", ())
    cost += max((_KERNELS.get(k, 4.0) for k in kernel), default=0.0)
    cost += 2.0 * (len(set(kernel)) > 1)
    cost += 0.5 * (c.arguments.get("use_bias") is False)
    cost += 2.0 * (c.arguments.get("groups", 1) > 1)
    cost += 1.0 * (c.arguments.get("implementation", 1) > 1) + 1.0 * (c.arguments.get("dilation_rate", 1) > 1)
    if TYPES[c.type].width in ("filters", "units"):
        growth = log2(c.width / c.input_channels)
        cost += 0.3 * max(0.0, growth - 5) + (0.5 + 0.2 * -growth) * (growth < 0)
    return cost


def _number(n: int) -> float:
    """Powers of two, one and three channels are usual; multiples of 32, of 8 and of 10 less so."""
    if n in (1, 3) or n & (n - 1) == 0:
        return 0.0
    if n % 32 == 0:
        return 1.0
    return 2.0 if n % 8 == 0 or n % 10 == 0 else 3.0
