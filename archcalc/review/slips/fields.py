"""Slips in a receptive field: the recurrence that people use, with one of its rules wrong.

The recurrence r += (k - 1)·d·j, j *= s runs layer by layer over the declared windows, from the input to
the layer (Araujo, Norris & Sim 2019). It is used only where, without a slip, it gives the field of the
analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from archcalc.layers.window import Taps
from archcalc.report.columns import Figures
from archcalc.review.slips.catalogue import Slip, slip

KERNEL = slip("kernel_as_field", "the kernel's size were the field", 0.4)
FEW = slip("layer_too_few", "one layer were left out", 0.8)
MANY = slip("layer_too_many", "there were one more such layer", 0.9)
LAST_STRIDE = slip("stride_once", "only the stride of the layer before counted, not their product", 1.0)
OWN_STRIDE = slip("own_stride", "a layer's own stride widened its own kernel", 1.1)
ADDED = slip("branches_added", "the branches were added, not the largest taken", 0.8)
SHORTEST = slip("shortest_branch", "the branch with the smallest field counted", 1.0)
SUM = slip("kernels_added", "the kernels' sizes were added", 0.9)
PRODUCT = slip("kernels_multiplied", "the kernels' sizes were multiplied", 1.0)
DILATED = slip("dilated_kernel", "a dilated kernel spanned kernel times dilation", 1.0)
STEP = slip("step_as_field", "the step between neighbouring fields were the field", 1.2)
AREA = slip("field_area", "the number of pixels in the field were its size", 1.2)


class Link(NamedTuple):
    """One layer along one axis; `parents` are numbers of links before it (none: the input)."""

    name: str
    parents: tuple[int, ...]
    kernel: int
    stride: int
    dilation: int


class Rules(NamedTuple):
    """The recurrence's rules, of which a slip exchanges one."""

    join: Callable[[Sequence[int], int], int] = lambda sizes, _: max(sizes)
    stride_once: bool = False
    own_stride: bool = False
    dilated: bool = False
    omitted: int = -1
    repeated: int = -1
    given: Mapping[int, int] = {}  # fields that somebody states, by link


class Axis(NamedTuple):
    """The layers that lead to one, along one axis of the input."""

    links: tuple[Link, ...]
    nodes: tuple[int, ...]

    def field(self, rules: Rules = Rules()) -> int:  # noqa: B008 - a constant
        sizes: list[int] = []
        steps: list[int] = []
        for i, link in enumerate(self.links):
            size = sizes[link.parents[0]] if link.parents else 1
            if len(link.parents) > 1:
                size = rules.join([sizes[p] for p in link.parents], sizes[self.parting(i)])
            step = max((steps[p] for p in link.parents), default=1)
            for _ in range(0 if i == rules.omitted else 2 if i == rules.repeated else 1):
                wide = link.kernel * link.dilation - 1 if rules.dilated else (link.kernel - 1) * link.dilation
                size += wide * step * (link.stride if rules.own_stride else 1)
                step = link.stride if rules.stride_once and link.stride > 1 else step * link.stride
            sizes.append(rules.given.get(i, size))
            steps.append(step)
        return sizes[-1]

    def parting(self, i: int) -> int:
        """The last link that all branches into a link pass: where they part."""
        passed: list[set[int]] = []
        for k, link in enumerate(self.links[:i]):
            before = [passed[p] for p in link.parents]
            passed.append({k, *(set.intersection(*before) if before else ())})
        return max(set.intersection(*(passed[p] for p in self.links[i].parents)), default=0)

    def step(self) -> int:
        steps: list[int] = []
        for link in self.links:
            steps.append(max((steps[p] for p in link.parents), default=1) * link.stride)
        return steps[-1]

    def kernels(self) -> list[int]:
        """The kernels of the longest way, without those of 1."""
        longest: list[list[int]] = []
        for link in self.links:
            before = max((longest[p] for p in link.parents), key=len, default=[])
            longest.append([*before, link.kernel] if link.kernel > 1 else before)
        return longest[-1]


def axes(of: Figures, node: int) -> list[Axis] | None:
    """The layers that lead to a node, along each axis of the first input; None where a rule is no window."""
    graph = of.graph
    field = next(iter(of.receptive_fields[node].values()), None)
    if field is None:
        return None
    root = graph.index()[next(iter(of.receptive_fields[node]))]
    found = [_axis(of, node, root, a) for a in field.axes]
    known = [axis for axis in found if axis is not None]
    if len(known) != len(found) or [axis.field() for axis in known] != list(field.size):
        return None
    return known


def _axis(of: Figures, node: int, root: int, axis: int) -> Axis | None:
    graph = of.graph
    needed = {node}
    for i in range(node, -1, -1):
        if i in needed:
            needed |= {t.node for t in graph.nodes[i].inputs}
    numbers: dict[int, int] = {}
    links: list[Link] = []
    for i in sorted(needed):
        taps = graph.nodes[i].inputs
        inputs = graph.input_shapes(of.output_shapes, graph.nodes[i])
        reads = [w[axis] for w in graph.nodes[i].layer.window(*inputs) if len(w) > axis] if inputs else []
        if i != root and (not inputs or len(reads) != len(inputs)):
            return None
        if not all(isinstance(r, Taps) and r.axis == axis for r in reads):
            return None
        taps_of = [(r.count, r.stride, r.dilation) for r in reads if isinstance(r, Taps)] or [(1, 1, 1)]
        if not all(type(n) is int for t in taps_of for n in t):
            return None
        sizes: tuple[Any, ...] = max(taps_of)
        numbers[i] = len(links)
        links.append(Link(of.name[i], tuple(numbers[t.node] for t in taps), *sizes))
    return Axis(tuple(links), tuple(sorted(needed)))


def field_slips(of: Figures, node: int) -> Iterator[tuple[Slip, str, tuple[int, ...]]]:
    """Each slip, the layer that it is made at, and the field that it leads to."""
    known = axes(of, node)
    if not known:
        return
    first = known[0]
    for rule, rules in (
        (LAST_STRIDE, Rules(stride_once=True)),
        (OWN_STRIDE, Rules(own_stride=True)),
        (DILATED, Rules(dilated=True)),
        (SHORTEST, Rules(join=lambda sizes, _: min(sizes))),
        (ADDED, Rules(join=lambda sizes, _: sum(sizes))),
        (ADDED, Rules(join=lambda sizes, before: sum(sizes) - (len(sizes) - 1) * before)),
    ):
        yield rule, "", tuple(axis.field(rules) for axis in known)
    for i, link in enumerate(first.links):
        if link.kernel > 1:
            yield FEW, link.name, tuple(axis.field(Rules(omitted=i)) for axis in known)
            yield MANY, link.name, tuple(axis.field(Rules(repeated=i)) for axis in known)
    kernels = [axis.kernels() for axis in known]
    if all(kernels):
        yield KERNEL, "", tuple(k[-1] for k in kernels)
        yield SUM, "", tuple(map(sum, kernels))
        yield PRODUCT, "", tuple(map(prod, kernels))
    yield STEP, "", tuple(axis.step() for axis in known)
    yield AREA, "", (prod(axis.field() for axis in known),) * len(known)
