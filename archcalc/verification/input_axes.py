"""Compares the axes that fields are reported along with those along which the real model's layers slide.

No notion of channels enters: single units of a layer's output are measured, next to each other along one
axis of it (the last is left out, where parts of a concatenation may read different channels). If they
depend on parts of an axis of the input that overlap, one moved on from the other, some layer slides along it.
"""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.analyses.fields.windows import Windows
from archcalc.keras.measure import Gradients, Supports, Wanted
from archcalc.report.verification import AGREES, DIFFERS, Check
from archcalc.verification.case import Case

AXES = "input axes"
LAYERS = 12  # of those measured, the first
UNITS = 4  # of one layer


def checks(case: Case, gradients: Gradients, reads: Windows) -> Iterator[Check]:
    """A check for each input; none where gradients do not run."""
    sliding: dict[int, dict[int, str]] = {root: {} for root in case.graph.inputs}
    measured = [node for node in case.chosen[:LAYERS] if node not in gradients.failures]
    for node, supports in gradients.supports({node: _units(gradients, node) for node in measured}).items():
        if isinstance(supports, Exception):  # the checks of fields say why
            return
        for root, axes in zip(case.graph.inputs, _sliding(*supports), strict=True):
            sliding[root] |= dict.fromkeys(axes, case.graph.nodes[node].name)
    for root, reported in reads.axes.items():
        missing = sorted(sliding[root].keys() - set(reported))
        why = f"layers up to {sliding[root][missing[0]]!r} slide along axis {missing[0]}" if missing else ""
        verdict = DIFFERS if missing else AGREES
        name = case.graph.nodes[root].name
        yield Check(AXES, name, list(reported), sorted({*reported, *missing}), verdict, why)


def _sliding(middle: Supports, *beside: Supports) -> Iterator[set[int]]:
    """For each model input the axes of which neighbouring units depend on different parts that overlap."""
    for root, support in enumerate(middle):
        others = [other for s in beside if (other := s[root])]
        yield (
            set()
            if support is None
            else {
                a
                for other in others
                for a, (one, moved) in enumerate(zip(support.box, other.box, strict=True))
                if _slides(one, moved)
            }
        )


def _slides(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two parts of an axis overlap and one is the other moved on.

    A part inside another is no sign: one channel and all of them, side by side after a concatenation, or
    one and two in a product of all pairs. What a recurrence has read so far is not noticed, therefore.
    """
    (start, stop), (low, high) = sorted((one, other))
    return start < low <= stop < high


def _units(gradients: Gradients, node: int) -> Wanted:
    """The middle unit, and its neighbour along each axis but the last."""
    sides = gradients.shape(node)
    middle = tuple(n // 2 for n in sides)
    steps = [(a, 1 if n > 2 else -1) for a, n in enumerate(sides[:-1]) if n > 1]
    beside = [tuple(m + by if a == b else m for b, m in enumerate(middle)) for a, by in steps]
    return [middle, *beside][:UNITS], range(len(sides))
