"""Integer arrays that never overflow silently: a step that could leave int64 continues in
exact Python integers instead. This is what layer rules run on in a sweep.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_LIMIT = 2**63 - 1
_GROWING = {np.add, np.subtract, np.multiply, np.power, np.negative}


class ExactArray(np.ndarray):
    """An int64 array (or, beyond its range, an object array of ints); make one with `array`."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [np.asarray(x) if isinstance(x, ExactArray) else x for x in inputs]
        if ufunc in _GROWING and _may_overflow(ufunc, plain):
            plain = [_as_object(x) for x in plain]
        result = getattr(ufunc, method)(*plain, **kwargs)
        return result.view(ExactArray) if isinstance(result, np.ndarray) else result


def array(values: Any) -> ExactArray:
    """An exact array of integers.

    Raises `TypeError` if a value is not an integer.
    """
    found = np.asarray(values)
    if found.dtype != object and not np.issubdtype(found.dtype, np.integer):
        raise TypeError(f"expected integers, got an array of {found.dtype}")
    if found.dtype == np.uint64 or found.dtype == object:
        return np.array([int(v) for v in found.ravel()], dtype=object).reshape(found.shape).view(ExactArray)
    return found.astype(np.int64).view(ExactArray)


def extremum(sizes: Any, *, is_max: bool) -> Any:
    """Element by element maximum or minimum."""
    result = sizes[0]
    for size in sizes[1:]:
        result = (np.maximum if is_max else np.minimum)(result, size)
    return result


def where(condition: Any, if_true: Any, if_false: Any) -> ExactArray:
    """Element by element choice."""
    chosen = np.where(np.asarray(condition), _as_object(if_true), _as_object(if_false))
    return array(chosen)


def _as_object(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return np.asarray(x).astype(object)
    out = np.empty((), dtype=object)
    out[()] = x
    return out


def _reach(x: Any) -> int:
    if isinstance(x, np.ndarray):
        return max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0
    return abs(int(x))


def _may_overflow(ufunc: Any, inputs: list[Any]) -> bool:
    reach = [_reach(x) for x in inputs]
    if ufunc is np.multiply:
        return reach[0] * reach[1] > _LIMIT
    if ufunc is np.power:
        return (reach[1] > 63 and reach[0] > 1) or reach[0] ** min(reach[1], 64) > _LIMIT
    return sum(reach) > _LIMIT
