"""Bounds of a loss's gradient in the kernels of every layer, for one sample.

A kernel's gradient is the sum over positions of (error behind) x (values read), so its norm is at most the
error's times that of all values read: each value as often as windows read it. Dense: norm(error) *
norm(input); convolutions: the same times sqrt(cover) (docs/gradients.md). The error is the loss's
gradient at the output times the bound of the Jacobian between, the input's norm at most
sqrt(units) times the largest magnitude in its range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from math import inf
from typing import NamedTuple

from archcalc.analyses import parameters
from archcalc.analyses.gradient_bounds import primitive_bounds
from archcalc.analyses.gradient_bounds.losses import Entry, entry
from archcalc.analyses.gradient_bounds.primitive_bounds import Below, ChainBound
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
# without a bias the norm of what they make is at most their bound times that of what they read
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


class Losses(NamedTuple):
    """The bound for each row that owns kernels, else None; and what the loss is, in words."""

    rows: list[Bound | None]
    words: str


def weight_gradients(model: Model, loss: str | None) -> Losses:
    """For each row a bound of norm(dL/dW) over all kernels of the layer together.

    With several outputs the losses are added. No figure for kernels that are frozen or adapted, and for
    recurrent and attention layers; with statistics of the batch samples have no gradient of their own.
    """
    graph = model.graph
    none: list[Bound | None] = [None] * len(graph.nodes)
    chains = [
        node.layer.primitives(*graph.input_shapes(model.shapes, node)) if node.inputs else ()
        for node in graph.nodes
    ]
    entries = _entries(model, chains, loss)
    if entries is None:
        return Losses(none, "no loss is given, and the outputs suggest none")
    words = "; ".join(dict.fromkeys(e.words for e in entries.values()))
    if model.training and any(isinstance(s, prim.BatchStandardise) and s.moving for c in chains for s in c):
        return Losses(none, f"{words}; no figure where samples share the statistics of a batch")
    fused = _in_front(model, chains, {tap.node for tap, e in entries.items() if e.fused})
    back = Backward(fused, {tap: e.size for tap, e in entries.items()}).run()
    owned = parameters.weights(graph, model.shapes)
    for i, node in enumerate(graph.nodes):
        # the calls of one layer add up where its weights stand
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
        made = times(hypot(parts), back[i]).because(node.name)
        before = none[owner]
        none[owner] = made if before is None else plus([before, made])
    return Losses(none, words)


def _entries(model: Model, chains: Sequence[prim.Primitives], loss: str | None) -> Mapping[Tap, Entry] | None:
    graph = model.graph
    consumers = graph.consumers()
    found: dict[Tap, Entry] = {}
    for tap in graph.outputs:
        alone = not consumers[tap.node] and graph.outputs.count(tap) == 1 and len(model.shapes[tap.node]) == 1
        made = entry(
            loss, chains[tap.node], model.shapes[tap.node][tap.output], model.values[tap.node], alone
        )
        if made is None:
            return None
        count = graph.outputs.count(tap)
        found[tap] = made if count == 1 else replace(made, size=times(number(float(count)), made.size))
    return found


def _in_front(model: Model, chains: Sequence[prim.Primitives], nodes: set[int]) -> Model:
    """The model without the last function of these nodes."""
    if not nodes:
        return model
    made = object.__new__(Model)
    vars(made).update(vars(model))
    made.chain_bounds = list(model.chain_bounds)
    for i in nodes:
        node = model.graph.nodes[i]
        shapes = model.graph.input_shapes(model.shapes, node)
        values = [model.values[t.node] for t in node.inputs]
        setting = model.setting(i)
        found = primitive_bounds.chain_bound(chains[i][:-1], shapes, values, setting)
        made.chain_bounds[i] = ChainBound(tuple(b.because(node.name) for b in found.bounds), found.values)
    return made


def _kernels(
    chain: prim.Primitives, shape: Shape, x: Interval, setting: Setting, trained: Set[str]
) -> list[Bound]:
    """For each trained kernel of a chain the bound of its gradient over that at the chain's end."""
    found: list[Bound] = []
    read = (
        infinite("its input has no range") if x.size == inf else times(number(x.size), root_of(prod(shape)))
    )
    for position, primitive in enumerate(chain):
        if isinstance(primitive, (*prim.JOINING, prim.PerStep)):
            break
        if isinstance(primitive, prim.Nested):
            below = f"{primitive.prefix}/"
            names = {name.removeprefix(below) for name in trained if name.startswith(below)}
            inner = replace(setting, norms=Below(setting.norms, primitive.prefix))
            return found + _kernels(primitive.inner, shape, x, inner, names)
        bound, after = primitive_bounds.primitive_bound(primitive, x, setting)
        weight = getattr(primitive, "weight", None)
        if (
            isinstance(primitive, _KERNELS)
            and weight in trained
            and getattr(primitive, "adapter", None) is None
        ):
            behind = _behind(chain[position + 1 :], after, setting)
            if isinstance(primitive, prim.Lookup):
                # a row that is looked up several times gets all their gradients
                mine = root_of(prod(shape))
            else:
                windows = primitive.windows if isinstance(primitive, prim.Convolve) else ()
                mine = times(read, *(root_of(primitive_bounds.cover(s)) for s in windows))
            found.append(times(mine, *behind))
        linear = isinstance(primitive, _LINEAR) and getattr(primitive, "bias", None) is None
        read = times(read, bound) if linear else infinite("the size of what it reads is not followed")
        x = after
    return found


def _behind(chain: prim.Primitives, x: Interval, setting: Setting) -> list[Bound]:
    made = []
    for primitive in chain:
        bound, x = primitive_bounds.primitive_bound(primitive, x, setting)
        made.append(bound)
    return made
