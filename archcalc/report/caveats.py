"""Where a step is known to hold other bytes than are counted: the mechanism, and what was measured.

Measured on CPUs with `python -m benchmarks.step_memory` (docs/evidence/memory.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analyses.memory.precision import SINGLE
from archcalc.arith import Shape, certainly, equal, prod
from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer
from archcalc.report.rule import Finding

if TYPE_CHECKING:
    from archcalc.report.columns import Figures


class Caveat(NamedTuple):
    """A mechanism: the layers to which it applies, what it does, and what was measured.

    `layers` gives their names ("" stands for the network as a whole); measured `what` held from `least` to
    `most` percent more than is counted.
    """

    layers: Callable[[Figures], Iterator[str]]
    mechanism: str
    what: str
    least: int
    most: int

    def __str__(self) -> str:
        ends = [f"{abs(end)}% {'less' if end < 0 else 'more'}" for end in (self.least, self.most) if end]
        held = f"from {' to '.join(ends)}" if len(ends) > 1 else f"up to {ends[0]}"
        return f"{self.mechanism}; measured {self.what} held {held} than is counted"


def _in_half(of: Figures) -> Iterator[str]:
    if of.options.precision.activation < SINGLE:
        yield ""


def _shared(of: Figures) -> Iterator[str]:
    for node in of.graph.nodes:
        if node.shared_with is not None and any(w.trainable for w in of.weights[node.shared_with]):
            yield node.name


def _with(applies: Callable[[Any], bool]) -> Callable[[Figures], Iterator[str]]:
    """The layers of which a primitive is such a one."""

    def does(layer: Layer, *inputs: Shape) -> bool:
        return bool(inputs) and any(map(applies, _parts(layer.primitives(*inputs))))

    def layers(of: Figures) -> Iterator[str]:
        each = of.graph.each(of.output_shapes, does)
        return (name for name, applying in zip(of.name, each, strict=True) if applying)

    return layers


def _parts(primitives: prim.Primitives) -> Iterator[Any]:
    """All primitives of a chain, those inside others too."""
    for p in primitives:
        yield p
        for inner in (*getattr(p, "chains", ()), getattr(p, "inner", ()), getattr(p, "cells", ())):
            yield from _parts(inner)


LARGE = 25  # taps of a kernel


def _is_wide(p: Any) -> bool:
    """Whether this is a convolution with a kernel for each channel, of many taps, or dilated."""
    if not isinstance(p, prim.Convolve):
        return False
    taps = prod(w.kernel for w in p.windows)
    dilated = not all(certainly(equal(w.dilation, 1)) for w in p.windows)
    return p.depthwise or dilated or (isinstance(taps, int) and taps >= LARGE)


CAVEATS = (
    Caveat(
        _in_half, "in half precision kernels of a CPU hold copies in formats of their own", "steps", 0, 21
    ),
    Caveat(
        _with(lambda p: isinstance(p, prim.Recur)),
        "how many steps ahead a recurrence computes depends on threads",
        "forward passes",
        -26,
        9,
    ),
    Caveat(
        _with(_is_wide),
        "gradients of depthwise, large and dilated kernels are made earlier than counted",
        "steps",
        -27,
        0,
    ),
    Caveat(_shared, "parts of a shared kernel's gradient are added before all are there", "steps", -22, 0),
)


def caveats(of: Figures) -> Iterator[Finding]:
    """A finding for each mechanism that applies, with the first layer, where memory is asked for."""
    if of.asked.memory is None and of.options.batch == 1:
        return
    for caveat in CAVEATS:
        name = next(caveat.layers(of), None)
        if name is not None:
            advice = "docs/evidence/memory.md has the measurements"
            yield Finding("memory-estimate", "info", name or None, str(caveat), advice)
