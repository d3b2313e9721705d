"""Budgets: limits of figures, `parameters_at_most=5e6`, and how far a configuration is from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from math import ceil, floor
from typing import Any, NamedTuple

from archcalc.design.figures import UNITS, checked
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.quantities import BYTES
from archcalc.report.options import bytes_of

AT_MOST, AT_LEAST = "at_most", "at_least"
MAX_DIGITS = 40


class Budget(NamedTuple):
    """A figure is to be at most, or at least, this integer."""

    figure: str
    kind: str
    limit: int

    def met(self, value: int) -> bool:
        return value <= self.limit if self.kind == AT_MOST else value >= self.limit

    def never(self, low: int | None, high: int | None) -> bool:
        """Whether no value between these ends meets it."""
        end = low if self.kind == AT_MOST else high
        return end is not None and not self.met(end)

    @property
    def text(self) -> str:
        """In words: `parameters at most 5,000,000`."""
        return f"{self.figure} {self.kind.replace('_', ' ')} {self.limit:,}"

    def to_dict(self) -> dict[str, Any]:
        return {"figure": self.figure, "kind": self.kind, "limit": self.limit}


def budgets(at_most: Mapping[str, Any], at_least: Mapping[str, Any], graph: Graph) -> Iterator[Budget]:
    """The budgets that somebody states; limits are numbers, or text (`5e6`, `1.5GiB` of a figure in bytes).

    Raises `ArchcalcError` for a figure that does not exist or a limit that is no number.
    """
    for kind, stated in ((AT_MOST, at_most), (AT_LEAST, at_least)):
        for name, limit in stated.items():
            figure = checked(name, graph)
            try:
                number = amount(limit, in_bytes=UNITS[figure.partition("@")[0]] == BYTES)
            except ArchcalcError as wrong:
                raise ArchcalcError(f"{figure} {kind.replace('_', ' ')}: {wrong}") from None
            yield Budget(figure, kind, floor(number) if kind == AT_MOST else ceil(number))


def amount(value: Any, *, in_bytes: bool = False) -> Decimal:
    """A number, exactly as it is written.

    Raises `ArchcalcError` for anything else.
    """
    text = str(value).strip().replace("_", "")
    if in_bytes and text[-1:].isalpha():
        return Decimal(bytes_of(text))
    try:
        number = Decimal(text)
    except InvalidOperation:
        form = "5e6, or 1.5GiB" if in_bytes else "5e6, or 5000000"
        raise ArchcalcError(f"expected a number, as in {form}; got {text!r}") from None
    if isinstance(value, bool) or not number.is_finite() or number.adjusted() > MAX_DIGITS:
        raise ArchcalcError(f"expected a number below 1e{MAX_DIGITS}, got {text!r}")
    return number
