"""Verdicts on the expected gradient: vanishing, stable or exploding, where, and which remedies help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from archcalc.analyses.mean_field.expectation import ZERO, Expected, expected_gradients
from archcalc.analyses.mean_field.noise import Draws
from archcalc.analyses.mean_field.remedies import remedies
from archcalc.analyses.mean_field.structure import Structure
from archcalc.graph import Graph

# orders of magnitude between the first and the last weights up to which a gradient is called stable
STABLE = 3.0
LARGEST = 1000  # nodes of a network up to which remedies are tried
# smallest and largest positive number, in log10
NUMBERS = {
    "float16": (-24 * math.log10(2), math.log10(65504)),
    "bfloat16": (-133 * math.log10(2), math.log10(3.3895e38)),
    "float32": (-149 * math.log10(2), math.log10(3.4028e38)),
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of the network, and the verdict on the changed network."""

    name: str
    log10: float | None
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        return {"remedy": self.name, "log10": self.log10, "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a network's expected gradient: vanishing, stable, exploding or unknown.

    `log10`, with its 90 % band, is the norm of the gradient at the first layer with weights, before its
    activation (`layer`), over that at the input of the last one (`reference`). `blame` is the layer at which
    the norm changes most. `limits` has (number type, row, zero or infinite): from this row on towards the
    input a typical element of the gradient is zero or infinite in that type, if the norm at the output is 1.
    """

    verdict: str
    message: str
    layer: str | None = None
    reference: str | None = None
    log10: float | None = None
    low: float | None = None
    high: float | None = None
    blame: str | None = None
    limits: tuple[tuple[str, str, str], ...] = ()
    remedies: tuple[Remedy, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": "gradient",
            "verdict": self.verdict,
            "message": self.message,
            "layer": self.layer,
            "reference": self.reference,
            "log10": self.log10,
            "log10_low": self.low,
            "log10_high": self.high,
            "blame": self.blame,
            "limits": [{"dtype": d, "row": row, "is": what} for d, row, what in self.limits],
            "remedies": [r.to_dict() for r in self.remedies],
        }


def verdict(graph: Graph, shapes: Sequence[Sequence[Any]], rows: Sequence[Expected]) -> Verdict | None:
    """The verdict on a network's expected gradient; None for networks with fewer than two weighted layers."""
    structure = Structure(graph, shapes)
    if len(structure.weighted) < 2:
        return None
    without_remedies = _verdict(structure, rows)
    if without_remedies.verdict not in ("vanishing", "exploding"):
        return without_remedies
    tried, draws = [], Draws()
    if len(graph.nodes) <= LARGEST:
        for name, changed, new_shapes in remedies(structure):
            rows = expected_gradients(changed, new_shapes, draws=draws)
            other = _verdict(Structure(changed, new_shapes), rows, explained=False)
            tried.append(Remedy(name, other.log10, other.verdict))
    message = without_remedies.message + _advice(tried)
    return replace(without_remedies, remedies=tuple(tried), message=message)


def _verdict(structure: Structure, rows: Sequence[Expected], *, explained: bool = True) -> Verdict:
    """The verdict without remedies; without `explained` also without its reasons."""
    graph = structure.graph
    first, last = structure.weighted[0], structure.weighted[-1]
    reference = graph.nodes[last].inputs[0].node
    start = first
    if rows[first].reason == ZERO and rows[graph.nodes[first].inputs[0].node].log10 is not None:
        # its branch starts as zero, so that the gradient passes through the skip
        start = graph.nodes[first].inputs[0].node
    if rows[reference].reason == ZERO:
        reference = graph.outputs[0].node
    names = graph.nodes[start].name, graph.nodes[reference].name
    # at what the weights make, whether their activation is an argument or a layer of its own
    a, b = rows[start].of_weights or rows[start], rows[reference]
    if a.log10 is None or b.log10 is None or a.low is None or a.high is None:
        if a.reason == ZERO:
            return Verdict("vanishing", f"no gradient reaches {names[0]!r}: {ZERO}", *names)
        return Verdict("unknown", f"no prediction: {a.reason or b.reason}", *names)
    change = a.log10 - b.log10
    low, high = a.low - b.log10, a.high - b.log10
    kind = "stable" if abs(change) <= STABLE else "vanishing" if change < 0 else "exploding"
    if not explained:
        return Verdict(kind, "", *names, change, low, high)
    route = f"from {names[1]!r} back to {names[0]!r}"
    if kind == "stable":
        text = f"the gradient's norm changes by a factor of {_factor(change)} {route}"
    else:
        verb = "falls" if change < 0 else "grows"
        ends = sorted((abs(low), abs(high)))
        text = (
            f"the gradient's norm {verb} by {abs(change):.1f} orders of magnitude {route} "
            f"(90 % of starts: {ends[0]:.1f} to {ends[1]:.1f})"
        )
    blame, clause = _blame(structure, rows, kind) if kind != "stable" else (None, "")
    limits = tuple(_limits(structure, rows))
    for dtype, row, what in limits:
        text += f"; in {dtype} its elements are {what} from {row!r} back"
    return Verdict(kind, text + clause, *names, change, low, high, blame, limits)


def _factor(change: float) -> str:
    return f"{10**change:.2g}" if change >= 0 else f"1/{10**-change:.2g}"


def _blame(structure: Structure, rows: Sequence[Expected], kind: str) -> tuple[str | None, str]:
    """The layer at which the gradient's norm changes most, and a clause for the message."""
    sign = -1 if kind == "vanishing" else 1
    steps = [(sign * gain, i) for i, gain in structure.gains([r.log10 for r in rows])]
    if not steps:
        return None, ""
    most, node = max(steps)
    name = structure.graph.nodes[node].name
    weighted = [gain for gain, i in steps if i in structure.weighted]
    mean = sum(weighted) / len(weighted) if weighted else 0.0
    verb = "loses" if sign < 0 else "gains"
    clause = f"; {name!r} {verb} most, {most:.2f} orders"
    if most < 2 * mean:
        clause += f", and the {len(weighted)} steps with weights {mean:.2f} each"
    sums = len(structure.sums)
    if sums and sign > 0:
        clause += (
            f"; each of the {sums} sums adds its branch's gradient to the skip's, and branches that are not "
            "scaled down make it explode, which skips alone do not cure"
        )
    return name, clause


def _limits(structure: Structure, rows: Sequence[Expected]) -> list[tuple[str, str, str]]:
    """`Verdict.limits`: for each number type the row nearest to the output whose elements leave its range."""
    limits = []
    for dtype, (least, most) in NUMBERS.items():
        for i in reversed(range(len(rows))):
            value = rows[i].log10
            if value is None:
                continue
            element = value - math.log10(max(structure.units[i], 1)) / 2
            if element < least or element > most:
                what = "zero" if element < least else "infinite"
                limits.append((dtype, structure.graph.nodes[i].name, what))
                break
    return limits


def _advice(tried: Sequence[Remedy]) -> str:
    better = [r for r in tried if r.verdict == "stable"]
    if better:
        return "; stable with " + "; or with ".join(f"{r.name} ({_signed(r.log10)} orders)" for r in better)
    return "; none of the remedies tried makes it stable" if tried else ""


def _signed(value: float | None) -> str:
    return "?" if value is None else f"{value:+.1f}"
