"""The conventions by name, and the FLOPs of every node of a graph in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from archcalc.analyses.shapes import Shapes
from archcalc.analyses.work import FLOPS_PER_MAC
from archcalc.arith import Shape, Size, certainly, equal, exact_div, prod, total
from archcalc.arith.unknown import Unknown
from archcalc.conventions import NAMES, fvcore, tf_profiler
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
from archcalc.conventions.tf_activations import ACTIVATION_FLOPS
from archcalc.conventions.thop import THOP
from archcalc.conventions.torch_calls import MOVES, NoCounterpartError
from archcalc.conventions.torch_counterparts import counterpart
from archcalc.conventions.torch_flop_counter import TORCH
from archcalc.conventions.torchinfo import TORCHINFO
from archcalc.graph import Graph
from archcalc.layers.activations import activation_name
from archcalc.layers.base import Layer
from archcalc.layers.wrappers import TimeDistributed


class Part(NamedTuple):
    """What one convention counts for a layer, or for one torch module of its counterpart.

    `kind` names the layer or module; `units` and `out_units` are those of its input and output,
    `macs` its multiply-adds, `bias` its additions of a bias; `idle`: the layer has neither multiply-adds
    nor elementwise operations in archcalc's own convention.
    """

    kind: str
    counts: Counts
    units: Size
    out_units: Size
    macs: Size
    bias: Size
    idle: bool


class Convention(NamedTuple):
    """A convention: `tool` with its version, `unit` as the tool calls its figure, FLOPs per multiply-add."""

    name: str
    tool: str
    unit: str
    per_mac: int
    parts: Callable[..., Iterator[Part]]


class Counted(NamedTuple):
    """A node's figure in a convention, for all copies of the node, and the parts of one copy."""

    flops: Size
    parts: tuple[Part, ...]


def flops(graph: Graph, shapes: Shapes, name: str) -> list[Counted]:
    """The figure of each node in the convention `name`; an `Unknown` with the reason if there is none."""
    convention = CONVENTIONS[name]
    counted = [_counted(convention, node.layer, graph.input_shapes(shapes, node)) for node in graph.nodes]
    figures = graph.of_all_copies(each.flops for each in counted)
    return [each._replace(flops=figure) for each, figure in zip(counted, figures, strict=True)]


def _counted(convention: Convention, layer: Layer, inputs: tuple[Shape, ...]) -> Counted:
    try:
        parts = tuple(convention.parts(layer, *inputs))
    except NoCounterpartError as reason:
        return Counted(Unknown(f"{convention.name}: {reason}"), ())
    return Counted(total(n for part in parts for n in part.counts.values()), parts)


def activations(graph: Graph, shapes: Shapes) -> Size:
    """The units that fvcore counts as activations; an `Unknown` with the reason if there is no figure."""
    counts: list[Size] = []
    for node in graph.nodes:
        try:
            calls = counterpart(node.layer, *graph.input_shapes(shapes, node))
        except NoCounterpartError as reason:
            return Unknown(f"depends on {node.name!r}: fvcore: {reason}")
        counts.append(total(map(fvcore.activations, calls)))
    return total(graph.of_all_copies(counts))


# -- archcalc's own convention, and TensorFlow's profiler -----------------------------------------
def _own(layer: Layer, *inputs: Shape) -> Iterator[Part]:
    yield _part(layer, inputs, {MULTIPLY_ADDS: FLOPS_PER_MAC * layer.macs(*inputs)})


def _profiled(layer: Layer, *inputs: Shape) -> Iterator[Part]:
    figure = tf_profiler.flops(layer, *inputs)
    if figure is None:
        raise NoCounterpartError(str(tf_profiler.exemption(layer)))
    yield _part(layer, inputs, _profiled_terms(layer, inputs, figure))


def _profiled_terms(layer: Layer, inputs: tuple[Shape, ...], figure: Size) -> Counts:
    """The profiler's figure, split into terms."""
    if isinstance(layer, TimeDistributed):
        step = _profiled_terms(layer.layer.layer, (inputs[0][1:],), exact_div(figure, inputs[0][0]))
        return {term: inputs[0][0] * count for term, count in step.items()}
    products = tf_profiler.PRODUCTS.get(type(layer).__name__)
    if products is not None:
        twice = products(layer, *inputs)
        return {MULTIPLY_ADDS: twice, OTHER: figure - twice}
    term = _TERM_OF_FAMILY.get(type(layer).__module__.rsplit(".", 1)[-1], OTHER)
    if term != MULTIPLY_ADDS or not hasattr(layer, "use_bias"):
        return {term: figure}
    units = prod(layer.output_shape(*inputs))
    activation = ACTIVATION_FLOPS[activation_name(getattr(layer, "activation", None))] * units
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
    units = prod(inputs[0]) if inputs else 0
    bias = prod(out) if getattr(layer, "use_bias", False) else 0
    kind = type(layer).__name__
    return Part(kind, counts, units, prod(out), layer.macs(*inputs), bias, _idle(layer, inputs))


def _idle(layer: Layer, inputs: tuple[Shape, ...]) -> bool:
    """Whether a layer computes nothing: it only moves units, masks them or looks them up."""
    return all(certainly(equal(n, 0)) for n in (layer.macs(*inputs), layer.elementwise_ops(*inputs)))


# -- tools for torch ------------------------------------------------------------------------------
def _of(tool: TorchTool) -> Convention:
    def parts(layer: Layer, *inputs: Shape) -> Iterator[Part]:
        for call in counterpart(layer, *inputs):
            units, out_units, macs, bias = (
                call.times * n for n in (call.units, call.out_units, call.macs, call.biased)
            )
            idle = _idle(layer, inputs) or call.kind in MOVES
            yield Part(call.kind, tool.terms(call), units, out_units, macs, bias, idle)

    package = tool.name.removesuffix("-aten")
    return Convention(tool.name, f"{package} {tool.version}", tool.unit, tool.per_mac, parts)


CONVENTIONS: Mapping[str, Convention] = {
    c.name: c
    for c in (
        Convention("archcalc", "archcalc", "FLOPs", FLOPS_PER_MAC, _own),
        *map(_of, (TORCHINFO, FVCORE, PTFLOPS, PTFLOPS_ATEN, THOP, CALFLOPS, TORCH)),
        Convention("tf-profiler", "TensorFlow 2.21", "float_ops", 2, _profiled),
    )
}
assert tuple(CONVENTIONS) == NAMES
