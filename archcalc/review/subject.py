"""What a claim is about: the layers that it names, and the true figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archcalc.arith import total
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.graph.claims import Claim
from archcalc.graph.quantities import SUMMED
from archcalc.report.columns import Figures
from archcalc.report.totals import Totals

LISTS = ("output_shape", "receptive_field", "receptive_field_stride")
OF_TOTALS = ("weight_bytes", "peak_activation_bytes")
TRIED = 4096  # values of an open symbol


class NotJudgedError(ArchcalcError):
    """A claim that no figure answers; the text says why."""


@dataclass(frozen=True)
class Subject:
    """A claim's layers (all of the network where it names none) in a network with its figures."""

    of: Figures
    claim: Claim
    nodes: tuple[int, ...]

    @property
    def quantity(self) -> str:
        return self.claim.quantity

    @property
    def node(self) -> int:
        """The layer whose shape or field is meant: the last one; of a whole network its output."""
        return self.nodes[-1] if self.claim.layers else self.of.graph.outputs[0].node

    @property
    def whole(self) -> bool:
        return not self.claim.layers

    @cached_property
    def truth(self) -> Any:
        """The figure: a number, a tuple, an expression with open symbols.

        Raises `NotJudgedError` where there is none, or an unknown one.
        """
        value = self._figure(self.nodes) if self.claim.per is None else self._per()
        sizes = value if isinstance(value, tuple) else (value,)
        for size in sizes:
            if isinstance(size, Unknown):
                raise NotJudgedError(f"the figure is unknown: {size.reason}")
        if any(size is None for size in sizes) or not sizes:
            raise NotJudgedError("the layer has no such figure")
        return value

    @property
    def right(self) -> bool:
        """Whether the claim holds; a field that covers an axis may be stated as that axis' size."""
        return holds(self.claim, self.truth) or (
            self.quantity == "receptive_field" and holds(self.claim, self._covered())
        )

    def _covered(self) -> Any:
        """The field, with the input's size along each axis that it covers whole."""
        name, field = next(iter(self.of.receptive_fields[self.node].items()))
        sides = self.of.output_shapes[self.of.graph.index()[name]][0]
        along = zip(field.axes, field.size, field.is_global, strict=True)
        return tuple(sides[axis] if whole is True else size for axis, size, whole in along)

    def _per(self) -> Any:
        """What is said of each layer, or of each filter: the figure that all of them have."""
        if self.quantity in LISTS and self.claim.per == "filter":
            raise NotJudgedError(f"{self.quantity} is not a figure of a filter")
        layers = [i for i in self.nodes if self.weighs(i)] or list(self.nodes)
        found = {}
        for i in layers:
            value = self._figure((i,))
            if self.claim.per == "filter":
                filters = self.filters(i)
                if type(value) is not int or value % filters:
                    raise NotJudgedError(f"{value} is not a whole figure for each of {filters} filters")
                value //= filters
            found[value] = self.of.name[i]
        if len(found) > 1:
            said = ", ".join(f"{value} in {name}" for value, name in list(found.items())[:3])
            raise NotJudgedError(f"the layers differ: {said}")
        return next(iter(found))

    def weighs(self, node: int) -> bool:
        """Whether a layer has a share in the figure."""
        return self.quantity in LISTS or not _is_zero(self._figure((node,)))

    def filters(self, node: int) -> int:
        layer, shape = self.of.graph.nodes[node].layer, self.of.output_shapes[node][0]
        axis = getattr(layer, "channel_axis", len(shape) - 1)
        filters = getattr(layer, "filters", getattr(layer, "units", shape[axis] if shape else 1))
        if type(filters) is not int:
            raise NotJudgedError("the number of filters is open")
        return filters

    def _figure(self, nodes: Sequence[int]) -> Any:
        of, quantity = self.of, self.quantity
        if quantity in SUMMED:
            return total(getattr(of, quantity)[i] for i in nodes)
        if quantity == "non_trainable_parameters":
            return total(of.parameters[i] - of.trainable_parameters[i] for i in nodes)
        if quantity == "weight_bytes":
            return of.options.precision.weight * total(of.parameters[i] for i in nodes)
        if quantity == "peak_activation_bytes":
            if not self.whole:
                raise NotJudgedError("only the whole network has this figure")
            return Totals(of).peak_activation_bytes
        node = nodes[-1] if self.claim.layers else self.node
        if quantity == "output_shape":
            return tuple(of.output_shapes[node][0])
        field = next(iter(of.receptive_fields[node].values()), None)
        if field is None:
            raise NotJudgedError("it depends on no input")
        return tuple(field.size if quantity == "receptive_field" else field.stride)


def _is_zero(value: Any) -> bool:
    return type(value) is int and value == 0


def subject(of: Figures, claim: Claim) -> Subject:
    """The subject of a claim; raises `NotJudgedError` for a name that no layer and no block has."""
    if not claim.layers:
        return Subject(of, claim, tuple(range(len(of.graph.nodes))))
    nodes: dict[int, None] = {}
    for name in claim.layers:
        nodes |= dict.fromkeys(named(of, name))
    return Subject(of, claim, tuple(nodes))


def named(of: Figures, name: str) -> list[int]:
    """The layer of a name, or the layers of the block of a name."""
    index = of.graph.index()
    if name in index:
        return [index[name]]
    inside = [i for n, i in index.items() if n.startswith((f"{name}/", f"{name}["))]
    if not inside:
        raise NotJudgedError(f"no layer is named {name!r}{did_you_mean(name, index)}")
    return inside


# -- is a claim right? -----------------------------------------------------------------------------------
def holds(claim: Claim, truth: Any) -> bool:
    """Whether the stated value is the figure, or rounds to it as stated."""
    stated = claim.value
    if isinstance(truth, tuple):
        values = stated if isinstance(stated, tuple) else (stated,)
        if len(values) == 1 and claim.quantity != "output_shape":
            values = values * len(truth)  # `3` for 3×3
        return len(values) == len(truth) and all(_equal(a, b) for a, b in zip(values, truth, strict=True))
    value = stated[0] if isinstance(stated, tuple) and len(stated) == 1 else stated
    if isinstance(value, tuple):
        return False
    if claim.rounded_to and not isinstance(truth, Expr):
        return bool(2 * abs(value - truth) <= claim.rounded_to)
    return _equal(value, truth)


def _equal(a: Any, b: Any) -> bool:
    return not isinstance(b, Expr) and bool(a == b)


def is_open(truth: Any) -> bool:
    return any(isinstance(v, Expr) for v in (truth if isinstance(truth, tuple) else (truth,)))


def values_that_hold(claim: Claim, truth: Any) -> tuple[str, list[int], int] | None:
    """For which values of the only open symbol a claim holds, of those tried; None with more symbols."""
    parts = truth if isinstance(truth, tuple) else (truth,)
    symbols = {n: s for v in parts if isinstance(v, Expr) for n, s in v.symbols.items()}
    if len(symbols) != 1:
        return None
    ((name, symbol),) = symbols.items()
    last = min(symbol.maximum or symbol.minimum + TRIED, symbol.minimum + TRIED)
    return name, list(_holding(claim, truth, name, range(symbol.minimum, last + 1))), last


def _holding(claim: Claim, truth: Any, name: str, tried: range) -> Iterator[int]:
    for n in tried:
        at = tuple(_at(v, name, n) for v in truth) if isinstance(truth, tuple) else _at(truth, name, n)
        if holds(claim, at):
            yield n


def _at(value: Any, name: str, n: int) -> Any:
    return value.evaluate(**{name: n}) if isinstance(value, Expr) else value
