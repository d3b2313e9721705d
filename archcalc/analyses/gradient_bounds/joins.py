"""Bounds between a fork and the node where all of its paths have met: forward, where squares add up.

A concatenation of f(x) and g(x) changes by at most sqrt(L_f^2 + L_g^2) where x changes by 1, because its
parts are different units; going back, path by path, the two bounds would be added. The same holds for the
maximum, the minimum and the choice of two tensors, whose units come from one or the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from archcalc.analyses.gradient_bounds.primitive_bounds import ChainBound
from archcalc.analyses.gradient_bounds.terms import IDENTITY, Bound, hypot, plus, times
from archcalc.graph import Graph, Tap
from archcalc.layers import primitives as prim

SQUARES = ("concatenate", "stack", "maximum", "minimum", "choose")
# nodes between a fork and its join: further apart, paths are added as they are
LONGEST = 512


def adds_squares(primitives: prim.Primitives) -> bool:
    """Whether the units of a merge's output come from one of its inputs each."""
    return bool(primitives) and isinstance(primitives[0], prim.Merge) and primitives[0].kind in SQUARES


def joins(graph: Graph, taps: Iterable[Tap], first: int, last: int) -> dict[int, int]:
    """For the nodes from `first` to `last` the next node through which all paths from there to `taps` lead.

    It is `last + 1` where paths meet only after all nodes, at the taps as one vector.
    """
    end = last + 1
    readers = graph.consumers()
    ends = {tap.node for tap in taps}
    found: dict[int, int] = {}
    for i in range(last, first - 1, -1):
        after = [j for j in readers[i] if j in found]
        if i in ends:
            after.append(end)
        join = after[0] if after else None
        for other in after[1:]:
            assert join is not None
            while join != other:
                if join < other:
                    join = found[join]
                else:
                    other = found[other]
        if join is not None:
            found[i] = join
    return found


def forward(
    graph: Graph,
    chain_bounds: Sequence[ChainBound],
    squares: Sequence[bool],
    source: int,
    last: int,
) -> Mapping[int, Bound]:
    """Bounds of the Jacobians, with respect to the outputs of `source`, of the nodes after it up to `last`.

    `squares` says whether the bounds of a node's inputs add up in squares.
    """
    reached: dict[int, Bound] = {source: IDENTITY}
    for i in range(source + 1, last + 1):
        parts = [
            times(reached[tap.node], factor)
            for tap, factor in zip(graph.nodes[i].inputs, chain_bounds[i].bounds, strict=False)
            if tap.node in reached
        ]
        if parts:
            reached[i] = hypot(parts) if squares[i] else plus(parts)
    return reached
