"""Integer arrays that never overflow: an operation that could leave int64 uses Python integers.

A sweep evaluates the layer rules on these arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from archcalc.arith.integers import integer

_LIMIT = 2**63 - 1
_GROWING = {np.add, np.subtract, np.multiply, np.power, np.negative, np.absolute, np.positive}
_DIVIDING = {np.floor_divide, np.remainder}
# what bounds the absolute values of a result, from those of the operands
_BOUNDED: dict[Any, Callable[[int, int], int]] = {
    np.add: lambda a, b: a + b,
    np.subtract: lambda a, b: a + b,
    np.multiply: lambda a, b: a * b,
    np.floor_divide: lambda a, _: a,
    np.remainder: lambda _, b: b,
    np.maximum: max,
    np.minimum: max,
}
# results stay within the range of the arguments
_STAYING = {np.maximum, np.minimum, np.sign, np.gcd, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert}


class ExactArray(np.ndarray):
    """An int64 array (or, beyond its range, an object array of ints); made by `array`.

    Elements and sums are plain integers. Division by zero gives 0: only configurations that a
    mask excludes divide by zero, and they must not stop the others.

    `reach` bounds the absolute values. It follows from the operands' without a look at the elements,
    which would take longer than the arithmetic; they are looked at where it would leave int64.
    """

    reach: int | None = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(out is not None for out in kwargs.pop("out", ())):
            raise TypeError("an exact array cannot be changed in place: the result may need wider integers")
        plain = [np.asarray(x) if isinstance(x, ExactArray) else x for x in inputs]
        reach = None
        if method == "__call__" and ufunc in _BOUNDED and all(map(_is_whole, inputs)):
            reach = _BOUNDED[ufunc](*map(_known_reach, inputs))
        if (
            (reach is None or reach > _LIMIT)
            and _integral(ufunc)
            and _may_overflow(ufunc, method, plain, [_seen_reach(x) for x in inputs])
        ):
            plain = [_as_object(x) for x in plain]
        if ufunc in _DIVIDING:
            result = _exact(_divided(ufunc, method, plain, kwargs))
        else:
            result = _exact(getattr(ufunc, method)(*plain, **kwargs))
        if isinstance(result, ExactArray):
            result.reach = reach
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("an exact array cannot be changed in place: the result may need wider integers")

    def __getitem__(self, key: Any) -> Any:
        return _exact(super().__getitem__(key))

    # `a += b` makes a new array, as it does for integers
    def __iadd__(self, other: Any) -> Any:
        return self + other

    def __isub__(self, other: Any) -> Any:
        return self - other

    def __imul__(self, other: Any) -> Any:
        return self * other

    def __ifloordiv__(self, other: Any) -> Any:
        return self // other


def array(values: Any) -> ExactArray:
    """An exact array of integers.

    Raises `TypeError` if a value is not an integer.
    """
    numbers = np.asarray(values)
    if numbers.dtype.kind == "f" and not isinstance(values, np.ndarray):
        numbers = np.asarray(values, dtype=object)  # numpy makes [0, 2**63] floating-point
    if numbers.size == 0:
        numbers = numbers.astype(np.int64)
    if numbers.dtype == np.uint64 or numbers.dtype == object:
        exact = np.array(list(map(integer, numbers.ravel())), dtype=object)
        return exact.reshape(numbers.shape).view(ExactArray)
    if not np.issubdtype(numbers.dtype, np.integer):
        raise TypeError(f"expected integers, got an array of {numbers.dtype}")
    return numbers.astype(np.int64).view(ExactArray)


def extremum(sizes: Any, *, is_max: bool) -> Any:
    """Element by element maximum or minimum."""
    result = sizes[0]
    for size in sizes[1:]:
        result = (np.maximum if is_max else np.minimum)(result, size)
    return result


def common_divisor(a: Any, b: Any) -> Any:
    """The greatest common divisor, element by element."""
    return np.gcd(array(a), array(b))


def where(condition: Any, if_true: Any, if_false: Any) -> ExactArray:
    """Element by element choice."""
    chosen = np.where(np.asarray(condition), _as_object(if_true), _as_object(if_false))
    return array(chosen)


def _exact(result: Any) -> Any:
    """Arrays of integers and truth values as exact arrays, scalars as plain Python numbers."""
    if isinstance(result, np.generic):
        return result.item()
    if isinstance(result, np.ndarray) and result.dtype.kind in "iuOb":
        return result.view(ExactArray)
    return np.asarray(result) if isinstance(result, np.ndarray) else result


def _as_object(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return np.asarray(x).astype(object)
    out = np.empty((), dtype=object)
    out[()] = x.item() if isinstance(x, np.generic) else x
    return out


def _integral(ufunc: Any) -> bool:
    """Whether integer arguments give an integer or a truth value."""
    arguments = "l" * ufunc.nin
    return f"{arguments}->l" in ufunc.types or f"{arguments}->?" in ufunc.types


def _is_whole(x: Any) -> bool:
    """Whether it is an integer or an array of integers or truth values."""
    return isinstance(x, int | ExactArray) or (
        isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "iub"
    )


def _known_reach(x: Any) -> int:
    """A bound of the absolute values, if possible without a look at the elements."""
    known = getattr(x, "reach", None)
    return _seen_reach(x) if known is None else int(known)


def _seen_reach(x: Any) -> int:
    """The largest absolute value, which an exact array remembers."""
    if not isinstance(x, np.ndarray):
        return abs(int(x))
    plain = np.asarray(x)
    reach = max(abs(int(plain.min())), abs(int(plain.max()))) if x.size else 0
    if isinstance(x, ExactArray):
        x.reach = reach
    return reach


def _may_overflow(ufunc: Any, method: str, inputs: list[Any], reach: list[int]) -> bool:
    reach = [
        r for r, x in zip(reach, inputs, strict=True) if not (isinstance(x, np.ndarray) and x.dtype == bool)
    ]
    if any(r > _LIMIT for r in reach):
        return True
    if f"{'l' * ufunc.nin}->l" not in ufunc.types or ufunc in _STAYING:
        return False
    if method in ("reduce", "accumulate"):
        (bits,) = (r.bit_length() for r in reach or [1])
        count = np.asarray(inputs[0]).size
        return bits + count.bit_length() > 62 if ufunc is np.add else bits * count > 62
    if method != "__call__" or ufunc not in _GROWING | _DIVIDING:
        return True
    if ufunc is np.multiply:
        return len(reach) == 2 and reach[0] * reach[1] > _LIMIT
    if ufunc is np.power:
        return len(reach) == 2 and (
            (reach[1] > 63 and reach[0] > 1) or reach[0] ** min(reach[1], 64) > _LIMIT
        )
    return sum(reach) > _LIMIT and ufunc not in _DIVIDING


def _divided(ufunc: Any, method: str, inputs: list[Any], kwargs: dict[str, Any]) -> Any:
    if method != "__call__":
        raise TypeError(f"{ufunc.__name__}.{method} is not defined for exact arrays")
    top, bottom = inputs
    zero = np.asarray(bottom) == 0
    if not np.any(zero):
        return ufunc(top, bottom, **kwargs)
    return np.where(zero, 0, ufunc(top, np.where(zero, 1, bottom), **kwargs))
