"""Attention layers: means of values, weighted by scores of queries and keys.

Sources: Vaswani et al. 2017 (arXiv 1706.03762), Bahdanau et al. 2015 (arXiv 1409.0473), Ainslie
et al. 2023 (arXiv 2305.13245). Inputs are query, value and optionally key (default: the value).
MACs are those of the whole score matrix, including masked positions, which are computed too.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, NamedTuple

from archcalc.arith import Shape, Size, exact_div, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.base import Layer, Weight, Window, axis_index, family, layer, show
from archcalc.layers.fields import (
    AxisKind,
    ChoiceKind,
    Count,
    Flag,
    Fraction01,
    OptionalCount,
    ShapeOrSizeKind,
    Untracked,
)
from archcalc.layers.low_rank import AdaptersKind, adapted, adapter
from archcalc.layers.primitives import Dropout, Matrix, Nested, Primitives, Select, Unbounded
from archcalc.layers.spatial import KernelAndBias
from archcalc.layers.window import Prefix, Read, Taps, Whole, identity_read


class AttentionInputs(NamedTuple):
    """The shapes of query, value and key."""

    query: Shape
    value: Shape
    key: Shape


@family
class AttentionLayer(Layer):
    """Base class of attention layers: a query, a value and optionally a key, and a causal mask."""

    call_arguments = ("use_causal_mask", "return_attention_scores", "training")

    dropout: Fraction01 = 0.0
    seed: Untracked = None
    use_causal_mask: Flag = False
    return_attention_scores: Flag = False

    def named_inputs(self, inputs: tuple[Shape, ...]) -> AttentionInputs:
        """The shapes by name; raises `LayerError` unless there are two or three of the same rank."""
        name = type(self).__name__
        if len(inputs) not in (2, 3):
            raise LayerError(f"{name} takes a query, a value and perhaps a key, got {len(inputs)} inputs")
        query, value, key = (*inputs, inputs[1])[:3]
        if not len(query) == len(value) == len(key) >= 2:
            shapes = ", ".join(map(show, inputs))
            raise LayerError(f"{name} takes sequences of the same number of axes, got shapes {shapes}")
        for n, m in zip(value[:-1], key[:-1], strict=True):
            require_equal(n, m, lambda: f"{name}: value {show(value)} and key {show(key)} differ in length")
        return AttentionInputs(query, value, key)

    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the attended values."""

    @abstractmethod
    def scores_shape(self, shapes: AttentionInputs) -> Shape:
        """Shape of the returned scores, as Keras infers it."""

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        out = self.output_shape(*inputs)
        return (out, self.scores_shape(self.named_inputs(inputs))) if self.return_attention_scores else (out,)

    def along(self, axis: int) -> Read:
        """The read of axis `axis` of the values and keys."""
        return Prefix(axis) if self.use_causal_mask else Whole()

    def primitives(self, *inputs: Shape) -> Primitives:
        # Kim, Papamakarios & Mnih 2021 (arXiv 2006.04710)
        reason = "attention has no bound on its slope where queries, keys and values have none"
        names = tuple(w.name for w in self.weights(*inputs))
        if self.return_attention_scores and self.dropout:
            return (Unbounded(reason, names),)
        # the output is a mean of values; with `return_attention_scores` also scores
        scores = (0.0, 1.0) if self.return_attention_scores else None
        return (Unbounded(reason, names, 1, self.of_values(self.named_inputs(inputs)), scores),)

    def of_values(self, shapes: AttentionInputs) -> Primitives:
        """The primitives that are applied to a mean of values."""
        return (Dropout(self.dropout),) if self.dropout else ()


# the names under which Keras's attention layers hold their projections
PROJECTIONS = {
    "query": "_query_dense",
    "key": "_key_dense",
    "value": "_value_dense",
    "gate": "_gate_dense",
    "attention_output": "_output_dense",
}


# -- with projections -----------------------------------------------------------------------------
@family
class Projected(KernelAndBias, AttentionLayer):
    """Attention with projections of query, key, value and output."""

    call_style = "separate"
    state_fields = ("trained", "lora")

    use_bias: Flag = True
    use_gate: Flag = False
    # the rank of the LoRA adapter of each projection that has one, by the projection's name
    lora: Annotated[Any, AdaptersKind(*PROJECTIONS)] = None
    sliding_window: OptionalCount = None
    flash_attention: Untracked = None

    def check(self) -> None:
        if self.flash_attention and self.dropout > 0:
            raise LayerError("flash_attention=True needs dropout=0, as in Keras")
        if self.lora and "gate" in self.lora and not self.use_gate:
            raise LayerError("lora: there is no gate to adapt; it needs use_gate=true")

    @abstractmethod
    def heads(self, shapes: AttentionInputs) -> tuple[Shape, Shape, Shape]:
        """(number of heads, width) of query, key and value."""

    @abstractmethod
    def result(self, shapes: AttentionInputs) -> Shape:
        """The shape of the output's features, which replace those of the query."""

    def attended(self, shapes: AttentionInputs) -> tuple[int, ...]:
        """The axes that are attended over."""
        return (0,)

    def of_values(self, shapes: AttentionInputs) -> Primitives:
        output_axes = tuple(range(2, 2 + len(self.result(shapes))))
        bias = "bias" if self.use_bias else None
        value, out = (
            Nested(name, (Matrix("kernel", bias, inputs, outputs, adapter=adapter(*self._adapter(name))),))
            if self._adapter(name)[0] is not None
            else Matrix(f"{name}/kernel", bias and f"{name}/bias", inputs, outputs)
            for name, inputs, outputs in (("value", (0,), (1, 2)), ("attention_output", (0, 1), output_axes))
        )
        gate = (Select(),) if self.use_gate else ()
        return (value, *super().of_values(shapes), *gate, out)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shapes = self.named_inputs(inputs)
        query, key, value = self.heads(shapes)
        out = self.result(shapes)
        weights = [
            *self._projection("query", shapes.query[-1:], query),
            *self._projection("key", shapes.key[-1:], key),
        ]
        if self.use_gate:
            weights += self._projection("gate", shapes.query[-1:], (query[0], value[1]))
        weights += self._projection("value", shapes.value[-1:], value)
        return (*weights, *self._projection("attention_output", (query[0], value[1]), out))

    def _projection(self, name: str, before: Shape, after: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (*before, *after), initializer=self.kernel_initializer)
        bias = (Weight("bias", after, initializer=self.bias_initializer),) if self.use_bias else ()
        weights = adapted(self._adapter(name)[0], kernel, *bias)
        return tuple(w._replace(name=f"{name}/{w.name}") for w in weights)

    def _adapter(self, name: str) -> tuple[Any, Any]:
        """The rank and the alpha of a projection's adapter; None without one."""
        stated = (self.lora or {}).get(name)
        return (stated["rank"], stated["alpha"]) if isinstance(stated, dict) else (stated, None)

    def output_shape(self, *inputs: Shape) -> Shape:
        shapes = self.named_inputs(inputs)
        attended = self.attended(shapes)
        for axis, (n, m) in enumerate(zip(shapes.query[:-1], shapes.value[:-1], strict=True)):
            if axis not in attended:
                require_equal(
                    n, m, lambda: f"{type(self).__name__}: query {show(shapes.query)} and value "
                    f"{show(shapes.value)} differ along an axis that is not attended over"
                )  # fmt: skip
        return (*shapes.query[:-1], *self.result(shapes))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        shapes = self.named_inputs(inputs)
        attended = self.attended(shapes)
        free = len(shapes.query) - 1
        query: Window = (*map(identity_read, range(free)), Whole())
        others: Window = (
            *(self.along(a) if a in attended else identity_read(a) for a in range(free)),
            Whole(),
        )
        return (query, *(others for _ in inputs[1:]))

    def along(self, axis: int) -> Read:
        # masks apply to the first axis only
        width = self.sliding_window
        if axis > 0:
            return Whole()
        if width is None:
            return super().along(axis)
        reach = width if self.use_causal_mask else 2 * width - 1
        return Taps(axis, 1, 1 - width, reach)

    def pairs(self, shapes: AttentionInputs) -> Size:
        """The number of scores per head: queries times the keys that each of them attends to."""
        attended = self.attended(shapes)
        return prod(shapes.query[:-1]) * prod(shapes.value[a] for a in attended)

    def macs(self, *inputs: Shape) -> Size:
        shapes = self.named_inputs(inputs)
        query, key, value = self.heads(shapes)
        wide = query[0] * value[1]
        gates = int(self.use_gate) * shapes.query[-1] * wide
        of_query = shapes.query[-1] * prod(query) + gates + wide * prod(self.result(shapes))
        of_others = prod(shapes.key) * prod(key) + prod(shapes.value) * prod(value)
        return (
            prod(shapes.query[:-1]) * of_query
            + of_others
            + self.pairs(shapes) * query[0] * (query[1] + value[1])
        )

    def elementwise_ops(self, *inputs: Shape) -> Size:
        shapes = self.named_inputs(inputs)
        query, key, value = self.heads(shapes)
        positions, others = prod(shapes.query[:-1]), prod(shapes.value[:-1])
        wide = query[0] * value[1]
        biases = positions * (prod(query) + prod(self.result(shapes)) + int(self.use_gate) * wide)
        biases = int(self.use_bias) * (biases + others * (prod(key) + prod(value)))
        gates = 2 * int(self.use_gate) * positions * wide  # the sigmoid and a product
        scaled = positions * prod(query)
        return biases + gates + scaled + self.pairs(shapes) * query[0]


@layer
class MultiHeadAttention(Projected):
    """Several attentions in parallel, over all axes or some (`attention_axes`)."""

    spec_names = {"output_shape": "stated_shape"}

    num_heads: Count
    key_dim: Count
    value_dim: OptionalCount = None
    stated_shape: Annotated[Any, ShapeOrSizeKind()] = None
    attention_axes: Annotated[Any, AxisKind(several=True, optional=True)] = None

    def heads(self, shapes: AttentionInputs) -> tuple[Shape, Shape, Shape]:
        of_key = (self.num_heads, self.key_dim)
        return of_key, of_key, (self.num_heads, self.key_dim if self.value_dim is None else self.value_dim)

    def result(self, shapes: AttentionInputs) -> Shape:
        return shapes.query[-1:] if self.stated_shape is None else tuple(self.stated_shape)

    def attended(self, shapes: AttentionInputs) -> tuple[int, ...]:
        rank = len(shapes.query)
        axes = self.attention_axes
        if axes is None:
            return tuple(range(rank - 1))
        axis_numbers = axes if isinstance(axes, tuple) else (axes,)
        attended = tuple(axis_index(self, a, rank) for a in axis_numbers)
        if rank - 1 in attended:
            raise LayerError(f"attention_axes={axes}: the last axis holds the features")
        return attended

    def output_shape(self, *inputs: Shape) -> Shape:
        out = super().output_shape(*inputs)
        masked = self.use_causal_mask or self.sliding_window is not None
        if masked and self.attended(self.named_inputs(inputs)) != (0,):
            raise LayerError("a causal mask or sliding window needs one axis to attend over, the first")
        return out

    def scores_shape(self, shapes: AttentionInputs) -> Shape:
        return (self.num_heads, shapes.query[0], shapes.query[0])


@layer
class GroupQueryAttention(Projected):
    """Several query heads share one head of keys and values."""

    head_dim: Count
    num_query_heads: Count
    num_key_value_heads: Count

    def check(self) -> None:
        super().check()
        exact_div(
            self.num_query_heads,
            self.num_key_value_heads,
            lambda: (
                f"num_query_heads={self.num_query_heads} must be divisible by "
                f"num_key_value_heads={self.num_key_value_heads}"
            ),
        )

    def named_inputs(self, inputs: tuple[Shape, ...]) -> AttentionInputs:
        shapes = super().named_inputs(inputs)
        if len(shapes.query) != 2:
            raise LayerError(f"GroupQueryAttention takes inputs of two axes, got {show(shapes.query)}")
        require_equal(
            shapes.query[-1],
            shapes.value[-1],
            lambda: (
                f"GroupQueryAttention: query {show(shapes.query)} and value {show(shapes.value)} "
                "differ in features"
            ),
        )
        return shapes

    def heads(self, shapes: AttentionInputs) -> tuple[Shape, Shape, Shape]:
        shared = (self.num_key_value_heads, self.head_dim)
        return (self.num_query_heads, self.head_dim), shared, shared

    def result(self, shapes: AttentionInputs) -> Shape:
        return shapes.query[-1:]

    def scores_shape(self, shapes: AttentionInputs) -> Shape:
        return (self.num_query_heads, shapes.query[0], shapes.key[0])


# -- without projections --------------------------------------------------------------------------
@family
class Unprojected(AttentionLayer):
    """Attention without projections; the axes before the sequence are batch axes."""

    def output_shape(self, *inputs: Shape) -> Shape:
        query, value, key = self.named_inputs(inputs)
        for tensor in (value, key):
            for n, m in zip(query[:-2], tensor[:-2], strict=True):
                require_equal(
                    n, m, lambda t=tensor: f"{type(self).__name__}: {show(query)} and {show(t)} differ"
                )
        require_equal(
            query[-1],
            key[-1],
            lambda: f"{type(self).__name__}: query {show(query)} and key {show(key)} differ in features",
        )
        return (*query[:-1], value[-1])

    def scores_shape(self, shapes: AttentionInputs) -> Shape:
        return (*shapes.query[:-1], shapes.key[-2])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        free = len(inputs[0]) - 1
        batch = tuple(map(identity_read, range(free - 1)))
        along = self.along(free - 1)
        query: Window = (*batch, identity_read(free - 1), Whole())
        key: Window = (*batch, along, Whole())
        return (query, key) if len(inputs) == 2 else (query, (*batch, along, identity_read(free)), key)

    def pairs(self, shapes: AttentionInputs) -> Size:
        """The number of scores: queries times keys."""
        return prod(shapes.query[:-1]) * shapes.key[-2]


@layer
class Attention(Unprojected):
    """Dot products of queries and keys (`score_mode` "concat": tanh of their sum)."""

    use_scale: Flag = False
    score_mode: Annotated[str, ChoiceKind("dot", "concat")] = "dot"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        scale = Weight("scale", (), initializer="ones")
        concat = Weight("concat_score_weight", (), initializer="ones")
        return (scale,) * self.use_scale + (concat,) * (self.score_mode == "concat")

    def macs(self, *inputs: Shape) -> Size:
        shapes = self.named_inputs(inputs)
        scored = shapes.query[-1] if self.score_mode == "dot" else 0
        return self.pairs(shapes) * (scored + shapes.value[-1])

    def elementwise_ops(self, *inputs: Shape) -> Size:
        shapes = self.named_inputs(inputs)
        scaled, width = int(self.use_scale), shapes.query[-1]
        # per feature a sum, a tanh and an addition (and a scale), and one weight per score
        concat = (3 + scaled) * width + 1
        return self.pairs(shapes) * (1 + (scaled if self.score_mode == "dot" else concat))


@layer
class AdditiveAttention(Unprojected):
    """A weighted sum of tanh(query + key) is the score."""

    use_scale: Flag = True

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (inputs[0][-1],)
        return (Weight("scale", shape, initializer="glorot_uniform"),) * self.use_scale

    def macs(self, *inputs: Shape) -> Size:
        shapes = self.named_inputs(inputs)
        return self.pairs(shapes) * (int(self.use_scale) * shapes.query[-1] + shapes.value[-1])

    def elementwise_ops(self, *inputs: Shape) -> Size:
        shapes = self.named_inputs(inputs)
        summed = 2 if self.use_scale else 3  # with a scale the sum over features counts as MACs
        return self.pairs(shapes) * (summed * shapes.query[-1] + 1)
