"""What layer types hold whose code in Keras differs from their primitives, or has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archcalc.analyses.memory.held import REUSED, VIEW, Held
from archcalc.arith import Shape, certainly, equal, prod

Rule = Callable[..., Held | None]  # None: as its primitives


def _layer_normalization(layer: Any, x: Shape) -> Held:
    """The quotient is kept for gamma."""
    n = prod(x)
    groups = prod(size for axis, size in enumerate(x) if axis not in layer.axes(x))
    hidden = 2 * n + groups if layer.rms_scaling else int(layer.scale) * n + 3 * groups
    return Held(inputs=(0,), hidden=hidden, upcast=True, inference=n, forward=n, backward=2 * n)


def _channel_dropout(layer: Any, x: Shape) -> Held | None:
    """A mask for whole channels."""
    return Held(masks=x[-1], value=REUSED, gradient=REUSED) if layer.rate else None


def _upsampling(layer: Any, x: Shape) -> Held:
    """By nearest neighbours one axis after the other; interpolation in one operation, in float32.

    Its result is then clipped to the range of float16.
    """
    out = prod(layer.output_shape(x))
    if getattr(layer, "interpolation", "nearest") == "nearest":
        half = prod(x) * layer.factors[0] if len(layer.factors) > 1 else 0
        return Held(inference=half, forward=half, backward=half)
    return Held(inputs=(0,), float32_units=2 * out)


def _noise(layer: Any, x: Shape) -> Held | None:
    return Held(forward=prod(x), value=REUSED, gradient=VIEW) if layer.stddev else None


def _masking(_: Any, x: Shape) -> Held:
    return Held(masks=prod(x[:-1]), inference=prod(x), forward=prod(x), gradient=REUSED)


def _attention(layer: Any, *inputs: Shape) -> Held:
    """Query and value, a transposed copy of the key, the scores after the softmax (and before a scale).

    `concat` scores are sums of the tanh of every pair. Dropped scores are kept, too, with their mask.
    """
    named = layer.named_inputs(inputs)
    scores, key = layer.pairs(named), prod(named.key)
    dropped = int(layer.dropout > 0) * scores
    if layer.score_mode != "dot":
        wide = scores * named.query[-1]
        return _additive(wide, (2 + int(layer.use_scale)) * scores + dropped, dropped)
    kept = (1 + int(layer.use_scale)) * scores + key + dropped
    return Held(
        (0, 1), hidden=kept, masks=dropped, inference=scores + key, forward=dropped, backward=2 * scores
    )


def _additive_attention(layer: Any, *inputs: Shape) -> Held:
    named = layer.named_inputs(inputs)
    scores = layer.pairs(named)
    dropped = int(layer.dropout > 0) * scores
    return _additive(scores * named.query[-1], scores + dropped, dropped)


def _additive(wide: Any, scores: Any, dropped: Any) -> Held:
    """The value, the tanh of the sum of every pair, and so many scores."""
    return Held(
        (1,), hidden=wide + scores, masks=dropped, inference=wide + scores, forward=wide, backward=2 * wide
    )


def _projected(layer: Any, *inputs: Shape) -> Held:
    """The inputs, their projections, the scores after the softmax, and the weighted values.

    With dropout, or where scores are returned, they are computed in a way that keeps them twice.
    """
    named = layer.named_inputs(inputs)
    query, key, value = layer.heads(named)
    positions, others = prod(named.query[:-1]), prod(named.value[:-1])
    # heads of keys and values that several queries share are copied for each of them
    repeated = 0 if certainly(equal(query[0], key[0])) else 1
    heads = query[0] if repeated else key[0]
    scores = layer.pairs(named) * query[0]
    dropped = int(layer.dropout > 0) * scores
    twice = scores if layer.dropout > 0 or layer.return_attention_scores else 0
    projected = positions * prod(query) + others * heads * (key[1] + value[1])
    weighted = positions * query[0] * value[1]
    gated = 2 * int(layer.use_gate) * weighted
    # in half precision the softmax is computed in float32
    float32_units = 0 if layer.dropout > 0 else scores
    return Held(
        tuple(range(len(inputs))),
        hidden=projected + weighted + gated + scores + dropped,
        masks=dropped,
        float32_units=float32_units,
        inference=projected + scores + twice,
        forward=weighted + twice,
        backward=2 * scores - dropped + weighted,
    )


RULES: Mapping[str, Rule] = {
    "LayerNormalization": _layer_normalization,
    "GaussianNoise": _noise,
    "Masking": _masking,
    **{f"SpatialDropout{rank}D": _channel_dropout for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": _upsampling for rank in (1, 2, 3)},
    "Attention": _attention,
    "AdditiveAttention": _additive_attention,
    **dict.fromkeys(["MultiHeadAttention", "GroupQueryAttention"], _projected),
}
