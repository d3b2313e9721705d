"""What a call of a layer holds, by its type: from its primitives, except where Keras differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcalc.analyses.memory.by_class import RULES
from archcalc.analyses.memory.by_primitive import held_by
from archcalc.analyses.memory.chain_shapes import ELEMENTWISE, shape_after
from archcalc.analyses.memory.held import NEW, Held, Link, chained
from archcalc.arith import Shape, Size, largest, prod, total
from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer, Weight
from archcalc.layers.inner import Inner
from archcalc.layers.opaque import Opaque


def held(layer: Layer, inputs: tuple[Shape, ...], output: Shape, weights: Sequence[Weight]) -> Held | None:
    """What a call of this layer holds, per sample; None if nothing is known of its code.

    Shapes, of the inputs and of the first output, have no batch axis.
    """
    inner = getattr(layer, "layer", None)
    if isinstance(inner.layer if isinstance(inner, Inner) else layer, Opaque):
        return None
    if not inputs:
        return Held()
    rule = RULES.get(type(layer).__name__)
    own = None if rule is None else rule(layer, *inputs)
    if own is not None:
        return own
    shapes = {w.name: w.shape for w in weights}
    return _chain(layer.primitives(*inputs), inputs[0], output, shapes)


def _chain(primitives: prim.Primitives, x: Shape, y: Shape, weights: Mapping[str, Shape]) -> Held:
    """What a chain of primitives holds between tensors of these shapes."""
    if len(primitives) == 1:
        return _part(primitives[0], x, y, weights)
    links = []
    for number, primitive in enumerate(primitives, start=1):
        last = all(isinstance(p, ELEMENTWISE) for p in primitives[number:])
        after = (None if last else shape_after(primitive, x, weights)) or y
        links.append(Link(_part(primitive, x, after, weights), prod(x), prod(after)))
        x = after
    return chained(links)


def _part(primitive: prim.Primitive, x: Shape, y: Shape, weights: Mapping[str, Shape]) -> Held:
    match primitive:
        case prim.Nested(prefix, inner):
            return _chain(inner, x, y, _within(prefix, weights))
        case prim.PerStep(prefix, inner):
            own = _chain(inner, x[1:], y[1:], _within(prefix, weights))
            return _per_step(own.times(x[0]), x[0], prod(x), prod(y))
        case prim.Branches(chains, merge):
            return _branches(chains, merge, x, y, weights)
        case prim.Stacked(cells):
            return _chain(cells, x, y, weights)
    return held_by(primitive, x, y)


def _per_step(own: Held, steps: Size, before: Size, after: Size) -> Held:
    """Every step is a slice of a transposed copy, with a gradient as large as that copy."""
    sliced = before if own.inputs or own.for_weights else 0
    return own._replace(
        inputs=(), for_weights=(), output=False, value=NEW, gradient=NEW,
        hidden=own.hidden + sliced + (after if own.output else 0),
        inference=own.inference + before + after,
        forward=own.forward + before + after - sliced,
        backward=own.backward + 2 * after,
        into=own.into + steps * before,
    )  # fmt: skip


def _within(prefix: str, weights: Mapping[str, Shape]) -> dict[str, Shape]:
    start = f"{prefix}/"
    return {name.removeprefix(start): shape for name, shape in weights.items() if name.startswith(start)}


def _branches(
    chains: Sequence[prim.Primitives],
    merge: prim.Merge | None,
    x: Shape,
    y: Shape,
    weights: Mapping[str, Shape],
) -> Held:
    """All chains' own, and their outputs until they are merged, or for as long as the merging keeps them."""
    outputs = []
    for chain in chains:
        after: Shape = x
        for primitive in chain:
            after = shape_after(primitive, after, weights) or y
        outputs.append(after)
    parts = [_chain(chain, x, out, weights) for chain, out in zip(chains, outputs, strict=True)]
    merged = Held() if merge is None else held_by(merge, outputs[0], y)
    between = total(map(prod, outputs)) if merge is not None else 0
    if merged.inputs:
        kept = between
    else:
        kept = total(prod(out) for part, out in zip(parts, outputs, strict=True) if part.output)
    return Held(
        inputs=parts[0].inputs,
        for_weights=parts[0].for_weights,
        hidden=total(part.hidden for part in parts) + kept + merged.hidden,
        masks=total(part.masks for part in parts) + merged.masks,
        float32_units=total(part.float32_units for part in parts),
        inference=largest(*(part.inference for part in parts)) + between,
        forward=largest(*(part.forward for part in parts)) + between - kept,
        backward=total(part.backward for part in parts) + between,
        into=total(part.into for part in parts),
    )
