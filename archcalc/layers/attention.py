"""Attention: dot products of queries and keys weigh the values.

Sources: Vaswani et al. 2017 (arXiv 1706.03762), Bahdanau et al. 2015 (arXiv 1409.0473), Ainslie
et al. 2023 (arXiv 2305.13245). Inputs are query and value, and a key where it is not the value.
Work is that of the whole score matrix, masked positions included, as the kernels compute it.
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
    Initializer,
    OptionalCount,
    ShapeOrSizeKind,
    Untracked,
)
from archcalc.layers.primitives import Dropout, Matrix, Primitives, Select, Unbounded
from archcalc.layers.window import Prefix, Read, Taps, Whole, here


class Given(NamedTuple):
    """The shapes of the three tensors."""

    query: Shape
    value: Shape
    key: Shape


@family
class AttentionLayer(Layer):
    """What all attention layers share: a query, a value and perhaps a key, and a causal mask."""

    call_arguments = ("use_causal_mask", "return_attention_scores")

    dropout: Fraction01 = 0.0
    seed: Untracked = None
    use_causal_mask: Flag = False
    return_attention_scores: Flag = False

    def given(self, inputs: tuple[Shape, ...]) -> Given:
        """Query, value and key; raises `LayerError` if they are not two or three of one rank."""
        name = type(self).__name__
        if len(inputs) not in (2, 3):
            raise LayerError(f"{name} takes a query, a value and perhaps a key, got {len(inputs)} inputs")
        query, value, key = (*inputs, inputs[1])[:3]
        if not len(query) == len(value) == len(key) >= 2:
            shapes = ", ".join(map(show, inputs))
            raise LayerError(f"{name} takes sequences of the same number of axes, got shapes {shapes}")
        for n, m in zip(value[:-1], key[:-1], strict=True):
            require_equal(n, m, lambda: f"{name}: value {show(value)} and key {show(key)} differ in length")
        return Given(query, value, key)

    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of what is made of the values."""

    @abstractmethod
    def scores_shape(self, given: Given) -> Shape:
        """Shape of the scores where they are returned, as Keras infers it."""

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        out = self.output_shape(*inputs)
        return (out, self.scores_shape(self.given(inputs))) if self.return_attention_scores else (out,)

    def along(self, axis: int) -> Read:
        """What is read of the sequence of values and keys."""
        return Prefix(axis) if self.use_causal_mask else Whole()

    def primitives(self, *inputs: Shape) -> Primitives:
        # Kim, Papamakarios & Mnih 2021 (arXiv 2006.04710)
        reason = "attention has no bound on its slope where queries, keys and values have none"
        names = tuple(w.name for w in self.weights(*inputs))
        if self.return_attention_scores and self.dropout:
            return (Unbounded(reason, names),)
        # what comes out is a mean of values; scores may leave as well
        scores = (0.0, 1.0) if self.return_attention_scores else None
        return (Unbounded(reason, names, 1, self.of_values(self.given(inputs)), scores),)

    def of_values(self, given: Given) -> Primitives:
        """What becomes of a mean of values."""
        return (Dropout(self.dropout),) if self.dropout else ()


# -- with projections -----------------------------------------------------------------------------
@family
class Projected(AttentionLayer):
    """Query, key and value go through matrices of their own, and so does the result."""

    call_style = "apart"

    use_bias: Flag = True
    use_gate: Flag = False
    sliding_window: OptionalCount = None
    flash_attention: Untracked = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Untracked = None
    bias_regularizer: Untracked = None
    kernel_constraint: Untracked = None
    bias_constraint: Untracked = None

    def check(self) -> None:
        if self.flash_attention and self.dropout > 0:
            raise LayerError("flash_attention=True needs dropout=0, as in Keras")

    @abstractmethod
    def heads(self, given: Given) -> tuple[Shape, Shape, Shape]:
        """(heads, width) of query, key and value."""

    @abstractmethod
    def result(self, given: Given) -> Shape:
        """The axes that replace the features of the query."""

    def attended(self, given: Given) -> tuple[int, ...]:
        """The axes that are attended over."""
        return (0,)

    def of_values(self, given: Given) -> Primitives:
        made = tuple(range(2, 2 + len(self.result(given))))
        value, out = (
            Matrix(f"{name}/kernel", f"{name}/bias" if self.use_bias else None, inputs, outputs)
            for name, inputs, outputs in (("value", (0,), (1, 2)), ("attention_output", (0, 1), made))
        )
        gate = (Select(),) if self.use_gate else ()
        return (value, *super().of_values(given), *gate, out)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        given = self.given(inputs)
        query, key, value = self.heads(given)
        out = self.result(given)
        found = [
            *self._projection("query", given.query[-1:], query),
            *self._projection("key", given.key[-1:], key),
        ]
        if self.use_gate:
            found += self._projection("gate", given.query[-1:], (query[0], value[1]))
        found += self._projection("value", given.value[-1:], value)
        return (*found, *self._projection("attention_output", (query[0], value[1]), out))

    def _projection(self, name: str, before: Shape, after: Shape) -> tuple[Weight, ...]:
        kernel = Weight(f"{name}/kernel", (*before, *after), initializer=self.kernel_initializer)
        bias = Weight(f"{name}/bias", after, initializer=self.bias_initializer)
        return (kernel, bias) if self.use_bias else (kernel,)

    def output_shape(self, *inputs: Shape) -> Shape:
        given = self.given(inputs)
        attended = self.attended(given)
        for axis, (n, m) in enumerate(zip(given.query[:-1], given.value[:-1], strict=True)):
            if axis not in attended:
                require_equal(
                    n, m, lambda: f"{type(self).__name__}: query {show(given.query)} and value "
                    f"{show(given.value)} differ along an axis that is not attended over"
                )  # fmt: skip
        return (*given.query[:-1], *self.result(given))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        given = self.given(inputs)
        attended = self.attended(given)
        free = len(given.query) - 1
        query: Window = (*map(here, range(free)), Whole())
        others: Window = (*(self.along(a) if a in attended else here(a) for a in range(free)), Whole())
        return (query, *(others for _ in inputs[1:]))

    def along(self, axis: int) -> Read:
        # masks speak of the first axis alone
        width = self.sliding_window
        if axis > 0:
            return Whole()
        if width is None:
            return super().along(axis)
        reach = width if self.use_causal_mask else 2 * width - 1
        return Taps(axis, 1, 1 - width, reach)

    def pairs(self, given: Given) -> Size:
        """Query units times the units that each of them is scored against."""
        attended = self.attended(given)
        return prod(given.query[:-1]) * prod(given.value[a] for a in attended)

    def macs(self, *inputs: Shape) -> Size:
        given = self.given(inputs)
        query, key, value = self.heads(given)
        wide = query[0] * value[1]
        gates = int(self.use_gate) * given.query[-1] * wide
        of_query = given.query[-1] * prod(query) + gates + wide * prod(self.result(given))
        of_others = prod(given.key) * prod(key) + prod(given.value) * prod(value)
        return (
            prod(given.query[:-1]) * of_query
            + of_others
            + self.pairs(given) * query[0] * (query[1] + value[1])
        )

    def elementwise_ops(self, *inputs: Shape) -> Size:
        given = self.given(inputs)
        query, key, value = self.heads(given)
        positions, others = prod(given.query[:-1]), prod(given.value[:-1])
        wide = query[0] * value[1]
        biases = positions * (prod(query) + prod(self.result(given)) + int(self.use_gate) * wide)
        biases = int(self.use_bias) * (biases + others * (prod(key) + prod(value)))
        gates = 2 * int(self.use_gate) * positions * wide  # the sigmoid, and the product with it
        scaled = positions * prod(query)
        return biases + gates + scaled + self.pairs(given) * query[0]


@layer
class MultiHeadAttention(Projected):
    """Several attentions side by side, over all axes or some (`attention_axes`)."""

    spec_names = {"output_shape": "stated_shape"}

    num_heads: Count
    key_dim: Count
    value_dim: OptionalCount = None
    stated_shape: Annotated[Any, ShapeOrSizeKind()] = None
    attention_axes: Annotated[Any, AxisKind(several=True, optional=True)] = None

    def heads(self, given: Given) -> tuple[Shape, Shape, Shape]:
        of_key = (self.num_heads, self.key_dim)
        return of_key, of_key, (self.num_heads, self.key_dim if self.value_dim is None else self.value_dim)

    def result(self, given: Given) -> Shape:
        return given.query[-1:] if self.stated_shape is None else tuple(self.stated_shape)

    def attended(self, given: Given) -> tuple[int, ...]:
        rank = len(given.query)
        axes = self.attention_axes
        if axes is None:
            return tuple(range(rank - 1))
        given_axes = axes if isinstance(axes, tuple) else (axes,)
        found = tuple(axis_index(self, a, rank) for a in given_axes)
        if rank - 1 in found:
            raise LayerError(f"attention_axes={axes}: the last axis holds the features")
        return found

    def output_shape(self, *inputs: Shape) -> Shape:
        out = super().output_shape(*inputs)
        masked = self.use_causal_mask or self.sliding_window is not None
        if masked and self.attended(self.given(inputs)) != (0,):
            raise LayerError("a causal mask or sliding window needs one axis to attend over, the first")
        return out

    def scores_shape(self, given: Given) -> Shape:
        return (self.num_heads, given.query[0], given.query[0])


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

    def given(self, inputs: tuple[Shape, ...]) -> Given:
        found = super().given(inputs)
        if len(found.query) != 2:
            raise LayerError(f"GroupQueryAttention takes inputs of two axes, got {show(found.query)}")
        require_equal(
            found.query[-1],
            found.value[-1],
            lambda: (
                f"GroupQueryAttention: query {show(found.query)} and value {show(found.value)} "
                "differ in features"
            ),
        )
        return found

    def heads(self, given: Given) -> tuple[Shape, Shape, Shape]:
        shared = (self.num_key_value_heads, self.head_dim)
        return (self.num_query_heads, self.head_dim), shared, shared

    def result(self, given: Given) -> Shape:
        return given.query[-1:]

    def scores_shape(self, given: Given) -> Shape:
        return (self.num_query_heads, given.query[0], given.key[0])


# -- without projections --------------------------------------------------------------------------
@family
class Plain(AttentionLayer):
    """Queries are compared with keys as they are; the axes before the sequence are a batch."""

    def output_shape(self, *inputs: Shape) -> Shape:
        query, value, key = self.given(inputs)
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

    def scores_shape(self, given: Given) -> Shape:
        return (*given.query[:-1], given.key[-2])

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        free = len(inputs[0]) - 1
        batch = tuple(map(here, range(free - 1)))
        along = self.along(free - 1)
        query: Window = (*batch, here(free - 1), Whole())
        key: Window = (*batch, along, Whole())
        return (query, key) if len(inputs) == 2 else (query, (*batch, along, here(free)), key)

    def pairs(self, given: Given) -> Size:
        """Queries times keys."""
        return prod(given.query[:-1]) * given.key[-2]


@layer
class Attention(Plain):
    """Dot products of queries and keys (`score_mode` "concat": tanh of their sum)."""

    use_scale: Flag = False
    score_mode: Annotated[str, ChoiceKind("dot", "concat")] = "dot"

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        scale = Weight("scale", (), initializer="ones")
        concat = Weight("concat_score_weight", (), initializer="ones")
        return (scale,) * self.use_scale + (concat,) * (self.score_mode == "concat")

    def macs(self, *inputs: Shape) -> Size:
        given = self.given(inputs)
        scored = given.query[-1] if self.score_mode == "dot" else 0
        return self.pairs(given) * (scored + given.value[-1])

    def elementwise_ops(self, *inputs: Shape) -> Size:
        given = self.given(inputs)
        scaled, width = int(self.use_scale), given.query[-1]
        # sum, tanh and sum over the features (and a scale of each), and one weight for each score
        concat = (3 + scaled) * width + 1
        return self.pairs(given) * (1 + (scaled if self.score_mode == "dot" else concat))


@layer
class AdditiveAttention(Plain):
    """A weighted sum of tanh(query + key) is the score."""

    use_scale: Flag = True

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (inputs[0][-1],)
        return (Weight("scale", shape, initializer="glorot_uniform"),) * self.use_scale

    def macs(self, *inputs: Shape) -> Size:
        given = self.given(inputs)
        return self.pairs(given) * (int(self.use_scale) * given.query[-1] + given.value[-1])

    def elementwise_ops(self, *inputs: Shape) -> Size:
        given = self.given(inputs)
        summed = 2 if self.use_scale else 3  # with a scale the sum is one of products
        return self.pairs(given) * (summed * given.query[-1] + 1)
