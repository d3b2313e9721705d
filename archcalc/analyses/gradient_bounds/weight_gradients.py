"""Bounds of a loss's gradient with respect to the kernels of every layer, for one sample.

The gradient of a kernel is the sum over positions of the outer products of the error at the kernel's output
and the values that the window reads. For a Dense layer its norm is norm(error) * norm(input), for a
convolution at most sqrt(cover) times that, since windows read a value up to `cover` times
(docs/gradients.md). The norm of the error is at most that of the loss's gradient at the output times the
bound of the Jacobian from the kernel to the output, and the norm of the input at most sqrt(units) times the
largest magnitude in its range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from math import inf
from typing import NamedTuple

from archcalc.analyses import parameters
from archcalc.analyses.copies import last_copies
from archcalc.analyses.gradient_bounds import primitive_bounds
from archcalc.analyses.gradient_bounds.losses import LossGradient, loss_gradient
from archcalc.analyses.gradient_bounds.primitive_bounds import ChainBound, PrefixedNorms
from archcalc.analyses.gradient_bounds.products import Backward, Model
from archcalc.analyses.gradient_bounds.setting import Setting
from archcalc.analyses.gradient_bounds.terms import (
    Bound,
    hypot,
    infinite,
    number,
    plus,
    root_of,
    times,
)
from archcalc.analyses.gradient_bounds.value_ranges import Interval
from archcalc.arith import Shape, prod
from archcalc.graph import Tap
from archcalc.layers import primitives as prim

_KERNELS = (prim.Matrix, prim.Convolve, prim.LocallyConnected, prim.Lookup)
# without a bias, the norm of their output is at most their bound times the norm of their input
_LINEAR = (
    prim.Matrix,
    prim.Convolve,
    prim.LocallyConnected,
    prim.Scale,
    prim.Dropout,
    prim.Permute,
    prim.Reshape,
    prim.Reduce,
)


class WeightGradients(NamedTuple):
    """The bound for each row with kernels (None for other rows), and a description of the loss."""

    rows: list[Bound | None]
    loss: str


def weight_gradients(model: Model, loss: str | None) -> WeightGradients:
    """A bound of norm(dL/dW) for each row, over all kernels of its layer together.

    The losses of several outputs are added. Kernels that are frozen or have an adapter, and those of
    recurrent and attention layers, have no bound. There is none in training with batch statistics,
    where the gradient of a sample depends on the other samples.
    """
    graph = model.graph
    rows: list[Bound | None] = [None] * len(graph.nodes)
    chains = [
        node.layer.primitives(*graph.input_shapes(model.shapes, node)) if node.inputs else ()
        for node in graph.nodes
    ]
    entries = _entries(model, chains, loss)
    if entries is None:
        return WeightGradients(rows, "no loss is given, and the outputs suggest none")
    description = "; ".join(dict.fromkeys(e.description for e in entries.values()))
    if model.training and any(
        isinstance(s, prim.BatchStandardise) and s.batch_statistics for c in chains for s in c
    ):
        return WeightGradients(
            rows, f"{description}; no figure where samples share the statistics of a batch"
        )
    fused = _without_last_function(model, chains, {tap.node for tap, e in entries.items() if e.fused})
    back = Backward(fused, {tap: e.size for tap, e in entries.items()}).run()
    owned = parameters.weights(graph, model.shapes)
    for i, node in enumerate(graph.nodes):
        # the gradients of all calls of a shared layer are added in the row with its weights
        owner = i if node.shared_with is None else node.shared_with
        trained = {w.name for w in owned[owner] if w.trainable}
        if not node.inputs or not trained:
            continue
        chain = chains[i]
        if any(tap.node == i and e.fused for tap, e in entries.items()):
            chain = chain[:-1]
        shapes = graph.input_shapes(model.shapes, node)
        setting = model.setting(i)
        parts = _kernels(chain, shapes[0], model.values[node.inputs[0].node], setting, trained)
        if not parts:
            continue
        bound = times(hypot(parts), back[i]).attributed_to(node.name)
        earlier = rows[owner]
        rows[owner] = bound if earlier is None else plus([earlier, bound])
    return WeightGradients(rows, description)


def _entries(
    model: Model, chains: Sequence[prim.Primitives], loss: str | None
) -> Mapping[Tap, LossGradient] | None:
    graph = model.graph
    consumers = graph.consumers()
    by_output: dict[Tap, LossGradient] = {}
    ends = last_copies(graph, model.shapes)
    for tap in graph.outputs:
        fusible = (
            not consumers[tap.node] and graph.outputs.count(tap) == 1 and len(model.shapes[tap.node]) == 1
        )
        gradient = loss_gradient(
            loss, chains[tap.node], ends[tap.node][tap.output], model.values[tap.node], fusible
        )
        if gradient is None:
            return None
        count = graph.outputs.count(tap)
        size = gradient.size if count == 1 else times(number(float(count)), gradient.size)
        by_output[tap] = replace(gradient, size=size)
    return by_output


def _without_last_function(model: Model, chains: Sequence[prim.Primitives], nodes: set[int]) -> Model:
    """The model without the last primitive of these nodes."""
    if not nodes:
        return model
    shortened = object.__new__(Model)
    vars(shortened).update(vars(model))
    shortened.chain_bounds = list(model.chain_bounds)
    for i in nodes:
        node = model.graph.nodes[i]
        shapes = model.graph.input_shapes(model.shapes, node)
        values = [model.values[t.node] for t in node.inputs]
        setting = model.setting(i)
        chain = primitive_bounds.chain_bound(chains[i][:-1], shapes, values, setting)
        bounds = tuple(b.attributed_to(node.name) for b in chain.bounds)
        shortened.chain_bounds[i] = ChainBound(bounds, chain.values)
    return shortened


def _kernels(
    chain: prim.Primitives, shape: Shape, x: Interval, setting: Setting, trained: Set[str]
) -> list[Bound]:
    """For each trained kernel of a chain, a bound of its gradient relative to that at the chain's output."""
    by_kernel: list[Bound] = []
    input_norm = (
        infinite("the range of its input is unbounded")
        if x.size == inf
        else times(number(x.size), root_of(prod(shape)))
    )
    for position, primitive in enumerate(chain):
        if isinstance(primitive, (*prim.MULTI_INPUT, prim.PerStep)):
            break
        if isinstance(primitive, prim.Nested):
            below = f"{primitive.prefix}/"
            names = {name.removeprefix(below) for name in trained if name.startswith(below)}
            inner = replace(setting, norms=PrefixedNorms(setting.norms, primitive.prefix))
            return by_kernel + _kernels(primitive.inner, shape, x, inner, names)
        bound, output_range = primitive_bounds.primitive_bound(primitive, x, setting)
        weight = getattr(primitive, "weight", None)
        if (
            isinstance(primitive, _KERNELS)
            and weight in trained
            and getattr(primitive, "adapter", None) is None
        ):
            following = _bounds_of(chain[position + 1 :], output_range, setting)
            if isinstance(primitive, prim.Lookup):
                # the gradients of all look-ups of the same row are added
                factor = root_of(prod(shape))
            else:
                windows = primitive.windows if isinstance(primitive, prim.Convolve) else ()
                factor = times(input_norm, *(root_of(primitive_bounds.cover(s)) for s in windows))
            by_kernel.append(times(factor, *following))
        linear = isinstance(primitive, _LINEAR) and getattr(primitive, "bias", None) is None
        input_norm = times(input_norm, bound) if linear else infinite("the norm of its input is not bounded")
        x = output_range
    return by_kernel


def _bounds_of(chain: prim.Primitives, x: Interval, setting: Setting) -> list[Bound]:
    bounds = []
    for primitive in chain:
        bound, x = primitive_bounds.primitive_bound(primitive, x, setting)
        bounds.append(bound)
    return bounds
