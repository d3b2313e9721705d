"""Multiply-adds of a training step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcalc.analyses.memory.held import Call
from archcalc.analyses.memory.recompute import reached
from archcalc.analyses.shapes import Shapes
from archcalc.arith import Shape, Size, prod
from archcalc.graph import Graph
from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer


def macs(graph: Graph, shapes: Shapes, calls: Sequence[Call], forward: Sequence[Size]) -> list[Size]:
    """The multiply-adds of each node in a training step of one sample, of which `forward` are the first.

    The gradients of a product's two operands take as many each: of weights where they are trained, of the
    input where something before it is. A layer without trained input saves those of its first product, and
    one that no gradient reaches all but the first.
    """
    backward = reached(graph, calls)
    by_node: list[Size] = []
    firsts: list[Size] = []
    for i, (node, call) in enumerate(zip(graph.nodes, calls, strict=True)):
        if not backward[i]:
            firsts.append(0)
            by_node.append(forward[i])
            continue
        saves = call.trained and not any(call.flows)
        firsts.append(_first(node.layer, *graph.input_shapes(shapes, node)) if saves else 0)
        by_node.append((3 if call.trained else 1 + sum(call.flows)) * forward[i])
    saved = graph.of_all_copies(firsts)
    return [step - first for step, first in zip(by_node, saved, strict=True)]


def _first(layer: Layer, *inputs: Shape) -> Size:
    """The multiply-adds of the products that read the inputs of a layer."""
    weights = {w.name: w.shape for w in layer.weights(*inputs)}
    if layer.call_style == "separate":  # as attention is, which other networks need not import
        from archcalc.layers.attention import Projected

        if isinstance(layer, Projected):
            named = layer.named_inputs(inputs)
            sources = {"query": named.query, "gate": named.query, "key": named.key, "value": named.value}
            kernels = {name: weights.get(f"{name}/kernel") for name in sources}
            known = {name: shape for name, shape in kernels.items() if shape is not None}
            return sum(prod(sources[name][:-1]) * prod(shape) for name, shape in known.items())
    return _of_first(layer.primitives(*inputs), inputs[0], weights) if inputs else 0


def _of_first(chain: prim.Primitives, x: Shape, weights: Mapping[str, Shape]) -> Size:
    for primitive in chain:
        match primitive:
            case prim.Matrix(weight):
                shape = weights[weight]
                return prod(x) * prod(n for axis, n in enumerate(shape) if axis in primitive.output_axes)
            case prim.Convolve(str() as weight, windows):
                return prod(weights[weight]) * prod(w.positions for w in windows)
            case prim.LocallyConnected(_, windows, channel_axis, filters):
                taps = prod(w.kernel * w.positions for w in windows)
                return taps * x[channel_axis] * filters
            case prim.Recur():
                return primitive.steps * _of_first((primitive.kernel,), x[1:], weights)
            case prim.Stacked(cells):
                return _of_first(cells[:1], x, weights)
            case prim.PerStep(prefix, inner):
                return x[0] * _of_first(inner, x[1:], _within(prefix, weights))
            case prim.Nested(prefix, inner):
                return _of_first(inner, x, _within(prefix, weights))
            case prim.Branches(chains):
                return sum(_of_first(each, x, weights) for each in chains)
    return 0


def _within(prefix: str, weights: Mapping[str, Shape]) -> dict[str, Shape]:
    start = f"{prefix}/"
    return {name.removeprefix(start): shape for name, shape in weights.items() if name.startswith(start)}
