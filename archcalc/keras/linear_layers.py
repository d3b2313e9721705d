"""Layers that replace Keras's own in linear models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

PRECISION, SINGLE = "float64", "float32"


def several(axis: Any) -> tuple[int, ...]:
    """One axis or several, as a tuple."""
    return (axis,) if isinstance(axis, int) else tuple(axis)


class Mean(keras.layers.Layer):
    """The average of each unit and the mean along some axes, which couples them; the identity for none."""

    def __init__(self, axes: Sequence[int], **more: Any) -> None:
        super().__init__(**more)
        self.axes = tuple(axes)

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        return with_mean(inputs, self.axes)


class Rows(keras.layers.Layer):
    """A table whose rows are multiples of the number that is looked up, which then has a gradient."""

    def __init__(self, width: int, **more: Any) -> None:
        super().__init__(**more)
        self.width = width

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        return ops.repeat(ops.expand_dims(ops.cast(inputs, PRECISION), -1), self.width, axis=-1)


class Table(Rows):
    """A table; called with `reverse`, it gives for each row the mean of a vector's elements."""

    def __init__(self, rows: int, width: int, **more: Any) -> None:
        super().__init__(width, **more)
        self.rows = rows

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """Apply it."""
        if not reverse:
            return super().call(inputs)
        return ops.repeat(ops.mean(inputs, axis=-1, keepdims=True), self.rows, axis=-1)


class GroupMean(Mean):
    """The average of each unit and the mean over its group of channels and all other axes."""

    def __init__(self, groups: int, axis: int, **more: Any) -> None:
        super().__init__((), **more)
        self.groups = groups
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        x = ops.moveaxis(inputs, self.axis, -1)
        groups = x.shape[-1] if self.groups == -1 else self.groups
        apart = ops.reshape(x, (-1, *x.shape[1:-1], groups, x.shape[-1] // groups))
        others = (*range(1, len(x.shape) - 1), len(x.shape))
        return ops.moveaxis(ops.reshape(with_mean(apart, others), (-1, *x.shape[1:])), -1, self.axis)


class Encoded(keras.layers.Layer):
    """The number that an encoding looks up, repeated along its vectors; of several numbers their mean."""

    def __init__(self, encoding: Any, **more: Any) -> None:
        super().__init__(**more)
        self.encoding = encoding

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        several_inputs = isinstance(inputs, list | tuple)
        numbers = [ops.cast(x, PRECISION) for x in (inputs if several_inputs else [inputs])]
        x = sum(numbers[1:], start=numbers[0]) / len(numbers)
        if self.encoding.output_mode == "int":
            return x
        shape = self.encoding.compute_output_shape([g.shape for g in numbers] if several_inputs else x.shape)
        if len(shape) > len(x.shape):
            rows = ops.expand_dims(x, -1)
        elif len(x.shape) > 2 and isinstance(self.encoding, keras.layers.Discretization):
            rows = ops.expand_dims(ops.mean(x, axis=1), -1)  # it encodes all numbers along the first axis
        else:
            rows = ops.mean(x, axis=-1, keepdims=True)
        return ops.repeat(rows, shape[-1], axis=-1)


def with_mean(x: Any, axes: tuple[int, ...]) -> Any:
    """The average of each unit and the mean along some axes; the input for none."""
    return (x + ops.mean(x, axis=axes, keepdims=True)) / 2 if axes else x


class PositiveDot(keras.layers.Dot):
    """Dot products of factors that are never zero: one that padding made zero would hide the other."""

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        return super().call([x + 1 for x in inputs])


class Wrapping(keras.layers.Layer):
    """A layer that computes with the weights of another one in its own way."""

    def __init__(self, inner: Any, **more: Any) -> None:
        super().__init__(**more)
        self.inner = inner

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the layer inside."""
        self.inner.build(input_shape)
        self.built = True


class InGroups(Wrapping):
    """A grouped convolution, computed group by group, or depthwise where each group is one channel.

    Keras 3.15 compiles grouped convolutions by XLA, 300 times as slow on a CPU in double precision.
    """

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        inner = self.inner
        padding = inner.padding
        if padding == "causal":
            inputs, padding = ops.pad(inputs, inner._compute_causal_padding()), "valid"
        outputs = self._product(inputs, padding)
        return inner.activation(outputs + inner.bias if inner.use_bias else outputs)

    def _product(self, inputs: Any, padding: str) -> Any:
        inner = self.inner
        strides, dilation, kernel = inner.strides, inner.dilation_rate, inner.kernel
        # the only depthwise convolutions that TensorFlow has
        depthwise = (
            kernel.shape[-2] == 1 and inner.rank < 3 and len(set(strides)) == 1 and set(dilation) == {1}
        )
        if depthwise:
            kernel = ops.reshape(kernel, (*inner.kernel_size, inner.groups, -1))
            return ops.depthwise_conv(inputs, kernel, strides=strides[0], padding=padding)
        parts = zip(ops.split(inputs, inner.groups, -1), ops.split(kernel, inner.groups, -1), strict=True)
        outputs = [ops.conv(x, k, strides=strides, padding=padding, dilation_rate=dilation) for x, k in parts]
        return ops.concatenate(outputs, -1)


class ExplicitPadding(Wrapping):
    """A three-dimensional convolution, or a transposed one, with explicit `same` padding.

    TensorFlow 2.21's own kernel reads other units where a kernel is smaller than its stride, and so
    does the gradient of the transposed one.
    """

    def __init__(self, inner: Any, **more: Any) -> None:
        super().__init__(inner, **more)
        self.transposed = type(inner).__name__.endswith("Transpose")

    def call(self, inputs: Any) -> Any:
        """Apply it."""
        first = self.inner.data_format == "channels_first"
        sides = inputs.shape[2:] if first else inputs.shape[1:-1]
        inner = self.inner
        margins = [
            (
                max((n - 1) * s + k - n * s, 0)
                if self.transposed
                else max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            )
            for n, k, s, d in zip(sides, inner.kernel_size, inner.strides, inner.dilation_rate, strict=True)
        ]
        if self.transposed:
            outputs = inner(inputs)
            cut = [
                slice(m // 2, m // 2 + n * s) for m, n, s in zip(margins, sides, inner.strides, strict=True)
            ]
            return outputs[(slice(None), slice(None), *cut) if first else (slice(None), *cut)]
        around = [(m // 2, m - m // 2) for m in margins]
        return inner(ops.pad(inputs, [(0, 0), (0, 0), *around] if first else [(0, 0), *around, (0, 0)]))
