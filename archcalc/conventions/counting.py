"""The conventions by name, and what each makes of every node of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from archcalc.analyses.shapes import Shapes
from archcalc.analyses.work import FLOPS_PER_MAC
from archcalc.arith import Shape, Size, certainly, equal, prod, total
from archcalc.arith.unknown import Unknown
from archcalc.conventions import NAMES, tf_profiler
from archcalc.conventions.calflops import CALFLOPS
from archcalc.conventions.fvcore import FVCORE
from archcalc.conventions.ptflops import PTFLOPS, PTFLOPS_ATEN
from archcalc.conventions.terms import (
    ACTIVATION,
    BIAS,
    MERGING,
    MULTIPLY_ADDS,
    NORMALISATION,
    OTHER,
    POOLING,
    UPSAMPLING,
    Counts,
    TorchTool,
)
from archcalc.conventions.thop import THOP
from archcalc.conventions.torch_calls import MOVES, NoCounterpartError
from archcalc.conventions.torch_counterparts import counterpart
from archcalc.conventions.torch_flop_counter import TORCH
from archcalc.conventions.torchinfo import TORCHINFO
from archcalc.graph import Graph
from archcalc.layers.activations import activation_name
from archcalc.layers.base import Layer


class Part(NamedTuple):
    """What one convention counts of one thing: a layer, or a module in its place.

    `kind` names the thing; `units` are those of its input, `macs` its multiply-adds, `bias`
    the sums with a bias that it makes; `idle` says that the layer computes nothing by our count.
    """

    kind: str
    counts: Counts
    units: Size
    out_units: Size
    macs: Size
    bias: Size
    idle: bool


class Convention(NamedTuple):
    """One way of counting.

    `tool` has its version, `unit` is what the tool calls its figure, `per_mac` what one
    multiply-add adds to it.
    """

    name: str
    tool: str
    unit: str
    per_mac: int
    parts: Callable[..., Iterator[Part]]


class Counted(NamedTuple):
    """What a convention makes of one node, all its copies: the figure and its parts."""

    flops: Size
    parts: tuple[Part, ...]


def flops(graph: Graph, shapes: Shapes, name: str) -> list[Counted]:
    """For each node its figure in a convention, or an `Unknown` that says why there is none."""
    convention = CONVENTIONS[name]
    copies = graph.multiplicities()
    return [
        _counted(convention, node.layer, graph.input_shapes(shapes, node), copies.get(i, 1))
        for i, node in enumerate(graph.nodes)
    ]


def _counted(convention: Convention, layer: Layer, inputs: tuple[Shape, ...], copies: Size) -> Counted:
    try:
        parts = tuple(convention.parts(layer, *inputs))
    except NoCounterpartError as reason:
        return Counted(Unknown(f"{convention.name}: {reason}"), ())
    return Counted(copies * total(n for part in parts for n in part.counts.values()), parts)


# -- our own, and the profiler's ------------------------------------------------------------------
def _ours(layer: Layer, *inputs: Shape) -> Iterator[Part]:
    yield _part(layer, inputs, {MULTIPLY_ADDS: FLOPS_PER_MAC * layer.macs(*inputs)})


def _profilers(layer: Layer, *inputs: Shape) -> Iterator[Part]:
    figure = tf_profiler.flops(layer, *inputs)
    if figure is None:
        raise NoCounterpartError(str(tf_profiler.exemption(layer)))
    yield _part(layer, inputs, _profilers_terms(layer, inputs, figure))


def _profilers_terms(layer: Layer, inputs: tuple[Shape, ...], figure: Size) -> Counts:
    """The profiler's figure by what it is spent on."""
    term = _TERM_OF_FAMILY.get(type(layer).__module__.rsplit(".", 1)[-1], OTHER)
    if term != MULTIPLY_ADDS or not hasattr(layer, "use_bias"):
        return {term: figure}
    units = prod(layer.output_shape(*inputs))
    activation = tf_profiler.ACTIVATION_FLOPS[activation_name(getattr(layer, "activation", None))] * units
    bias = int(layer.use_bias) * units
    return {MULTIPLY_ADDS: figure - bias - activation, BIAS: bias, ACTIVATION: activation}


_TERM_OF_FAMILY = {
    **dict.fromkeys(["convolution", "transposed", "core", "locally_connected", "contraction"], MULTIPLY_ADDS),
    "normalization": NORMALISATION,
    "activation_layers": ACTIVATION,
    "pooling": POOLING,
    "upsampling": UPSAMPLING,
    "merging": MERGING,
}


def _part(layer: Layer, inputs: tuple[Shape, ...], counts: Counts) -> Part:
    out = layer.output_shape(*inputs)
    given = prod(inputs[0]) if inputs else 0
    bias = prod(out) if getattr(layer, "use_bias", False) else 0
    kind = type(layer).__name__
    return Part(kind, counts, given, prod(out), layer.macs(*inputs), bias, _idle(layer, inputs))


def _idle(layer: Layer, inputs: tuple[Shape, ...]) -> bool:
    """Whether units are only moved, masked or looked up."""
    return all(certainly(equal(n, 0)) for n in (layer.macs(*inputs), layer.elementwise_ops(*inputs)))


# -- tools for torch ------------------------------------------------------------------------------
def _of(tool: TorchTool) -> Convention:
    def parts(layer: Layer, *inputs: Shape) -> Iterator[Part]:
        for call in counterpart(layer, *inputs):
            figures = (call.units, call.out_units, call.macs, call.biased)
            yield Part(call.kind, tool.terms(call), *figures, _idle(layer, inputs) or call.kind in MOVES)

    package = tool.name.removesuffix("-aten")
    return Convention(tool.name, f"{package} {tool.version}", tool.unit, tool.per_mac, parts)


CONVENTIONS: Mapping[str, Convention] = {
    c.name: c
    for c in (
        Convention("archcalc", "archcalc", "FLOPs", FLOPS_PER_MAC, _ours),
        *map(_of, (TORCHINFO, FVCORE, PTFLOPS, PTFLOPS_ATEN, THOP, CALFLOPS, TORCH)),
        Convention("tf-profiler", "TensorFlow 2.21", "float_ops", 2, _profilers),
    )
}
assert tuple(CONVENTIONS) == NAMES
