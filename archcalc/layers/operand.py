"""Constant operands of operations: numbers and constant arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archcalc.layers.fields import FieldError, Kind

MAX_CONSTANT = 1_000_000  # elements


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A constant array: its shape (including the batch axis, if it has one), and its elements."""

    shape: tuple[int, ...]
    value: Any
    dtype: str = "float32"

    @classmethod
    def of(cls, value: Any, dtype: str = "float32") -> Any:
        """A number unchanged, nested lists of numbers as a constant.

        Raises `ValueError` for lists of different lengths and for anything but numbers.
        """
        if isinstance(value, bool | int | float):
            return value
        shape: list[int] = []
        level = [value]
        while isinstance(level[0], list | tuple):
            sizes = {len(v) if isinstance(v, list | tuple) else None for v in level}
            if len(sizes) > 1 or None in sizes:
                raise ValueError("expected an array of numbers, got lists of different lengths")
            shape.append(sizes.pop() or 0)
            level = [x for v in level for x in v]
            if not level:
                break
            if len(level) > MAX_CONSTANT:
                raise ValueError(f"a constant of {len(level)} elements (limit {MAX_CONSTANT})")
        if not shape or not all(isinstance(v, bool | int | float) for v in level):
            raise ValueError(f"expected a number or nested lists of numbers, got {value!r:.60}")
        return cls(tuple(shape), value, dtype)

    def __repr__(self) -> str:
        return f"Constant({self.shape}, {self.dtype})"


class OperandKind(Kind):
    """A constant operand; None if the operand is a tensor."""

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None or isinstance(value, Constant):
            return value
        try:
            return Constant.of(value)
        except ValueError as fault:
            raise FieldError(str(fault)) from None

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": ["number", "boolean", "array", "null"]}
