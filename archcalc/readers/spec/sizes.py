"""Sizes in a spec: integers, and expressions in the symbols that are in scope."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from archcalc.arith.expressions import parse
from archcalc.errors import ExpressionError

MAX_SIZE = 2**31
_PRODUCT = re.compile(r"[0-9]+([xX][0-9]+)+")


class Sizes:
    """Evaluates sizes in a spec: integers, and expressions in the symbols in scope."""

    def __init__(self, symbols: Mapping[str, Any]) -> None:
        self.symbols = symbols
        self._parsed: dict[str, Any] = {}

    def __call__(self, value: Any, words: Collection[str] = ()) -> Any:
        """The value with every expression inside replaced by its size; `words` stay unchanged.

        Lists are walked through, also those inside objects (a weight's shape). Anything else that
        is not a size is left to the field's own check. Raises `ExpressionError`.
        """
        if isinstance(value, str):
            return value if value in words else self._expression(value)
        if isinstance(value, int):
            return _bounded(value, str)
        if isinstance(value, list):
            return [self(v, words) for v in value]
        if isinstance(value, dict):
            return {k: self(v, words) if isinstance(v, list) else v for k, v in value.items()}
        return value

    def _expression(self, text: str) -> Any:
        result = self._parsed.get(text)
        if result is None:
            if _PRODUCT.fullmatch(text):
                sizes = ", ".join(text.lower().split("x"))
                raise ExpressionError(f"{text!r}: sizes along several axes are a list, [{sizes}]")
            result = parse(text, self.symbols)
            if isinstance(result, int):
                _bounded(result, lambda size: f"{text!r} = {size}")
            self._parsed[text] = result
        return result


def _bounded(size: int, text: Any) -> int:
    if abs(size) > MAX_SIZE:
        shown = text(size) if size.bit_length() < 200 else f"an integer of {size.bit_length()} bits"
        raise ExpressionError(f"{shown} is larger than any size (limit {MAX_SIZE:,})")
    return size
