"""Verdicts on the expected gradient: vanishing, stable or exploding, where, and which remedies help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from archcalc.analyses.mean_field.expectation import ZERO, Expected, expected_gradients
from archcalc.analyses.mean_field.remedies import remedies
from archcalc.analyses.mean_field.shared import Shared
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

    `diagnosis` and `cause` say in words what becomes of the gradient, and where it changes most. `log10`,
    with its 90 % band, is the norm of the gradient at the first layer with weights, before its activation
    (`layer`), over that at the input of the last one (`reference`). `blame` is the layer at which the norm
    changes most. `limits` has (number type, row, zero or infinite): from this row on towards the input a
    typical element of the gradient is zero or infinite in that type, if the norm at the output is 1.
    """

    verdict: str
    diagnosis: str
    layer: str | None = None
    reference: str | None = None
    log10: float | None = None
    low: float | None = None
    high: float | None = None
    blame: str | None = None
    limits: tuple[tuple[str, str, str], ...] = ()
    remedies: tuple[Remedy, ...] = ()
    cause: str = ""

    @property
    def points(self) -> list[tuple[str, str]]:
        """The verdict as a list: each point with its label."""
        points = [("Verdict", f"{self.verdict}: {self.diagnosis}")]
        if self.cause:
            points.append(("Cause", self.cause))
        for dtype, row, what in self.limits:
            points.append(
                ("Limits", f"in {dtype} its elements are {what} from {row!r} back{_scaling(dtype, what)}")
            )
        better = sorted((r for r in self.remedies if r.verdict == "stable"), key=lambda r: abs(r.log10 or 0))
        points += [("Remedies", f"stable with {r.name} (a factor of {factor(r.log10)})") for r in better]
        if self.remedies and not better:
            points.append(("Remedies", f"none of the {len(self.remedies)} that were tried makes it stable"))
        return points

    @property
    def message(self) -> str:
        """The points as one text."""
        return "; ".join([self.diagnosis, *(text for _, text in self.points[1:])])

    def to_dict(self) -> dict[str, Any]:
        return {
            "subject": "gradient",
            "verdict": self.verdict,
            "message": self.message,
            "diagnosis": self.diagnosis,
            "cause": self.cause,
            "layer": self.layer,
            "reference": self.reference,
            "log10": self.log10,
            "log10_low": self.low,
            "log10_high": self.high,
            "blame": self.blame,
            "limits": [{"dtype": d, "row": row, "is": what} for d, row, what in self.limits],
            "remedies": [r.to_dict() for r in self.remedies],
        }


def _scaling(dtype: str, what: str) -> str:
    """What loss scaling does about this limit."""
    if dtype != "float16" or what != "zero":
        return ""
    return ", unless the loss is scaled (keras.optimizers.LossScaleOptimizer), which mixed_float16 does"


def factor(log10: float | None) -> str:
    """A ratio in two significant digits: `1/130`, `2.4`, `1/10^48.1`."""
    if log10 is None:
        return "?"
    size = abs(log10)
    text = (
        f"10^{size:.1f}" if size >= 6 else f"{10**size:.2g}" if size < 1.9 else f"{_two_digits(10**size):,}"
    )
    return text if log10 >= 0 or text == "1" else f"1/{text}"


def _two_digits(ratio: float) -> int:
    return int(round(ratio, 1 - math.floor(math.log10(ratio))))


def verdict(
    graph: Graph,
    shapes: Sequence[Sequence[Any]],
    rows: Sequence[Expected],
    *,
    with_remedies: bool = True,
    shared: Shared | None = None,
) -> Verdict | None:
    """The verdict on a network's expected gradient; None for networks with fewer than two weighted layers.

    `shared` are the random numbers with which `rows` were worked out, if known.
    """
    shared = shared or Shared()
    structure = Structure(graph, shapes, shared)
    if len(structure.weighted) < 2:
        return None
    without_remedies = _verdict(structure, rows)
    if not with_remedies or without_remedies.verdict not in ("vanishing", "exploding"):
        return without_remedies
    tried = []
    if len(graph.nodes) <= LARGEST:
        for name, changed, new_shapes in remedies(structure):
            of_changed = Structure(changed, new_shapes, shared)
            rows = expected_gradients(changed, new_shapes, shared=shared, rows=_ends(of_changed))
            other = _verdict(of_changed, rows, explained=False)
            tried.append(Remedy(name, other.log10, other.verdict))
    return replace(without_remedies, remedies=tuple(tried))


def _ends(structure: Structure) -> set[int]:
    """The nodes from whose gradients a verdict follows."""
    graph = structure.graph
    first, last = structure.weighted[0], structure.weighted[-1]
    before = (graph.nodes[i].inputs[0].node for i in (first, last))
    return {first, graph.outputs[0].node, *before}


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
    verb = {"stable": "changes", "vanishing": "falls", "exploding": "grows"}[kind]
    band = "" if kind == "stable" else f" (90 % of starts: {factor(low)} to {factor(high)})"
    text = f"the gradient's norm {verb} by a factor of {factor(change)} {route}{band}"
    blame, cause = _blame(structure, rows, kind) if kind != "stable" else (None, "")
    limits = tuple(_limits(structure, rows))
    return Verdict(kind, text, *names, change, low, high, blame, limits, cause=cause)


def _blame(structure: Structure, rows: Sequence[Expected], kind: str) -> tuple[str | None, str]:
    """The layer at which the gradient's norm changes most, and a clause for the message."""
    sign = -1 if kind == "vanishing" else 1
    steps = [(sign * gain, i) for i, gain in structure.gains([r.log10 for r in rows])]
    if not steps:
        return None, ""
    # steps that differ by rounding alone are equal, so that every machine names the same layer
    most, node = max(steps, key=lambda step: (round(step[0], 9), step[1]))
    name = structure.graph.nodes[node].name
    weighted = [gain for gain, i in steps if i in structure.weighted]
    mean = sum(weighted) / len(weighted) if weighted else 0.0
    verb = "loses" if sign < 0 else "gains"
    cause = f"{name!r} {verb} most, a factor of {factor(sign * most)}"
    if most < 2 * mean:
        cause += f"; each of the {len(weighted)} steps with weights {verb} {factor(sign * mean)} on average"
    sums = len(structure.sums)
    if sums and sign > 0:
        cause += (
            f"; each of the {sums} sums adds its branch's gradient to the skip's, and branches that are not "
            "scaled down make it explode, which skips alone do not cure"
        )
    return name, cause


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
