"""Tables that layers use where no closed form in symbols exists.

Each function works on plain integers; it returns None for symbols and arrays, and if the table
would be too long.
"""

from __future__ import annotations

from math import gcd

from archcalc.arith import Size, certainly, equal

PhaseTable = tuple[tuple[tuple[int, float], ...], ...]

# limits of a table; no network upsamples by more in one layer
MAX_PHASES = 1024
MAX_TAPS = 1 << 14


def transposed_phases(k: Size, s: Size, d: Size, crop: Size) -> PhaseTable | None:
    """For each phase r < s the inputs of a transposed convolution, as pairs of offset and weight 1.

    Output s*q + r reads input j, of offset j - q, if `s*j + d*t - crop == s*q + r` for a tap t < k.
    """
    if not (type(k) is type(s) is type(d) is type(crop) is int) or s > MAX_PHASES or k > MAX_TAPS:
        return None
    return tuple(
        tuple(sorted(((r + crop - d * t) // s, 1.0) for t in range(k) if (r + crop - d * t) % s == 0))
        for r in range(s)
    )


def adaptive_phases(n: Size, m: Size) -> tuple[int, PhaseTable] | None:
    """For windows floor(i*n/m) to ceil((i+1)*n/m): the step over one period, and the units of each phase.

    The weight of a unit is its share of the mean over the window.
    """
    if not (type(n) is type(m) is int):
        return None
    common = gcd(n, m)
    step, period = n // common, m // common
    if period > MAX_PHASES or step > MAX_TAPS:
        return None
    windows = (range(r * step // period, -(-(r + 1) * step // period)) for r in range(period))
    return step, tuple(tuple((unit, 1 / len(window)) for unit in window) for window in windows)


def fitting_stride(n: Size, m: Size, k: Size) -> Size | None:
    """The stride at which a window of k gives m outputs from n inputs (`same` or `valid`), if unique."""
    if certainly(equal(n, m)):
        return 1
    if not (type(n) is type(m) is type(k) is int) or m > n:
        return None
    if m == 1:
        return n
    same = range(-(-n // m), -(-n // (m - 1)))  # ceil(n/s) == m
    valid = range((n - k) // m + 1, (n - k) // (m - 1) + 1)  # (n-k)//s + 1 == m
    fitting = {s for s in (*same[:2], *valid[:2]) if s > 0}
    return fitting.pop() if len(fitting) == 1 else None
