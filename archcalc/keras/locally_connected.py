"""Locally connected layers for Keras 3: convolutions with separate weights at every position.

Keras 3 dropped them. These agree with `tf_keras`, weight for weight, output for output
and gradient for gradient, in all three of its `implementation`s, which differ in how the
kernel is stored:

1. `(P, K, F)`: for each of the P output positions the K = k*k*Cin weights of its window;
   `valid` padding only.
2. A dense matrix from every input to every output unit, of which only the connections
   that exist are read.
3. A vector of the connections that exist, in order of output unit, then input unit.

All of them run as one batched matrix product over gathered windows. With `same` padding
the window of output unit i starts at `i*stride - k//2`, which is the rule of `tf_keras` and not
that of convolutions.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import activations, constraints, initializers, ops, regularizers

_Shape = tuple[int, ...]


class _LocallyConnected(keras.layers.Layer):
    """What the two ranks share; arguments as in `tf_keras.layers.LocallyConnected2D`."""

    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, ...],
        strides: int | tuple[int, ...] = 1,
        padding: str = "valid",
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if filters < 1:
            raise ValueError(f"filters must be positive. Received: filters={filters}")
        self.filters = filters
        self.kernel_size = self._per_axis("kernel_size", kernel_size)
        self.strides = self._per_axis("strides", strides)
        self.padding = padding.lower()
        self.data_format = keras.config.image_data_format() if data_format is None else data_format
        if self.padding not in ("valid", "same"):
            raise ValueError(f"padding must be 'valid' or 'same'. Received: padding={padding!r}")
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                f"data_format must be 'channels_last' or 'channels_first'. Received: {data_format!r}"
            )
        if implementation not in (1, 2, 3):
            raise ValueError(f"implementation must be 1, 2 or 3. Received: implementation={implementation}")
        if implementation == 1 and self.padding != "valid":
            raise ValueError(
                f"implementation=1 takes padding='valid' only. Received: padding={padding!r}; "
                "implementations 2 and 3 take 'same'"
            )
        self.implementation = implementation
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 2)

    def _per_axis(self, what: str, value: int | tuple[int, ...]) -> _Shape:
        sizes = (value,) * self.rank if isinstance(value, int) else tuple(value)
        if len(sizes) != self.rank or any(not isinstance(v, int) or v < 1 for v in sizes):
            raise ValueError(
                f"{what} must be a positive integer or {self.rank} of them. Received: {what}={value}"
            )
        return sizes

    # -- sizes ---------------------------------------------------------------------------
    def _split(self, input_shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], int | None]:
        """(spatial sizes, channels) of a batched shape."""
        if self.data_format == "channels_first":
            return tuple(input_shape[2:]), input_shape[1]
        return tuple(input_shape[1:-1]), input_shape[-1]

    def _output_sides(self, sides: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(
            None if n is None else (-(-n // s) if self.padding == "same" else (n - k) // s + 1)
            for n, k, s in zip(sides, self.kernel_size, self.strides, strict=True)
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Shape of the output, batch included."""
        sides = self._output_sides(self._split(input_shape)[0])
        if self.data_format == "channels_first":
            return (input_shape[0], self.filters, *sides)
        return (input_shape[0], *sides, self.filters)

    # -- weights -------------------------------------------------------------------------
    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights; every axis but the batch must be known."""
        known, channels = self._split(input_shape)
        sides = tuple(n for n in known if n is not None)
        if len(sides) < self.rank or channels is None:
            raise ValueError(
                f"{type(self).__name__} has separate weights at every position, so its input's sizes must be "
                f"known. Received: input_shape={tuple(input_shape)}"
            )
        self._sides = sides
        self._channels = channels
        self._out: _Shape = self._output_sides(sides)  # type: ignore[assignment]
        if min(self._out) < 1:
            raise ValueError(
                f"the input's sizes {sides} are smaller than kernel_size={self.kernel_size} "
                f"(padding='valid'). Received: input_shape={tuple(input_shape)}"
            )
        positions = math.prod(self._out)
        taps = math.prod(self.kernel_size) * channels
        self._local_shape = (positions, taps, self.filters)
        self._margins = tuple(map(self._margin, sides, self._out, self.kernel_size, self.strides))
        self.kernel = self.add_weight(
            name="kernel",
            shape=self._local_shape if self.implementation == 1 else self._index_connections(sides, channels),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = (
            self.add_weight(
                name="bias",
                shape=(*self._out, self.filters),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
            if self.use_bias
            else None
        )
        channel_axis = 1 if self.data_format == "channels_first" else -1
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 2, axes={channel_axis: channels})
        self.built = True

    def _index_connections(self, sides: _Shape, channels: int) -> _Shape:
        """The shape of the kernel of implementations 2 and 3, and where in it each weight is.

        `_where`: the index of the weight of each (position, tap, filter); `_present`: whether there is one.
        """
        outputs, inputs, present = self._connections()
        self._present = None if present.all() else present
        if self.implementation == 2:
            self._where = inputs * (math.prod(self._out) * self.filters) + outputs
            return (*self._unit_shape(sides, channels), *self._unit_shape(self._out, self.filters))
        chosen = np.flatnonzero(present)
        order = np.lexsort((inputs.ravel()[chosen], outputs.ravel()[chosen]))
        self._where = np.zeros(present.shape, "int64")
        self._where.ravel()[chosen[order]] = np.arange(len(chosen))
        return (len(chosen),)

    def _unit_shape(self, sides: _Shape, channels: int) -> _Shape:
        return (channels, *sides) if self.data_format == "channels_first" else (*sides, channels)

    def _margin(self, n: int, m: int, k: int, s: int) -> tuple[int, int]:
        """Zeros before and after an axis of `n` elements that has `m` windows."""
        if self.padding == "valid":
            return 0, 0
        before = k // 2
        return before, max((m - 1) * s + k - before - n, 0)

    def _connections(self) -> tuple[Any, Any, Any]:
        """Output unit, input unit and presence of each (position, tap, filter).

        Units are indices into the flattened output and input; a tap that falls on padding is not
        present, and its input unit is 0.
        """
        taps_first = self.data_format == "channels_first"
        at = [
            np.arange(m)[:, None] * s - before + np.arange(k)
            for m, s, k, (before, _) in zip(
                self._out, self.strides, self.kernel_size, self._margins, strict=True
            )
        ]
        inside = [(a >= 0) & (a < n) for a, n in zip(at, self._sides, strict=True)]
        # axes: position per spatial axis, then tap per spatial axis
        unit = np.zeros((*self._out, *self.kernel_size), "int64")
        seen = np.ones(unit.shape, bool)
        for axis, (indices, within, n) in enumerate(zip(at, inside, self._sides, strict=True)):
            shape = [1] * (2 * self.rank)
            shape[axis], shape[self.rank + axis] = indices.shape
            unit = unit * n + indices.reshape(shape)
            seen &= within.reshape(shape)
        positions = math.prod(self._out)
        unit, seen = unit.reshape(positions, -1), seen.reshape(positions, -1)
        channel = np.arange(self._channels)
        if taps_first:
            inputs = channel[:, None] * math.prod(self._sides) + unit[:, None, :]
            seen = np.broadcast_to(seen[:, None, :], inputs.shape)
        else:
            inputs = unit[:, :, None] * self._channels + channel
            seen = np.broadcast_to(seen[:, :, None], inputs.shape)
        inputs = np.where(seen, inputs, 0).reshape(positions, -1, 1)
        position, filters = np.arange(positions)[:, None, None], np.arange(self.filters)
        outputs = filters * positions + position if taps_first else position * self.filters + filters
        return (
            np.broadcast_to(outputs, self._local_shape),
            np.broadcast_to(inputs, self._local_shape),
            np.broadcast_to(seen.reshape(positions, -1, 1), self._local_shape),
        )

    # -- the forward pass ------------------------------------------------------------------
    def call(self, inputs: Any) -> Any:
        """Apply the layer to a batch."""
        first = self.data_format == "channels_first"
        outputs = ops.matmul(self._windows(inputs), self._local_kernel())  # (position, batch, filter)
        outputs = ops.reshape(outputs, (*self._out, -1, self.filters))
        spatial = range(self.rank)
        batch, filters = self.rank, self.rank + 1
        outputs = ops.transpose(outputs, (batch, filters, *spatial) if first else (batch, *spatial, filters))
        if self.bias is not None:
            # tf_keras reshapes the bias here, it does not transpose it
            outputs = outputs + ops.reshape(self.bias, (1, *self._unit_shape(self._out, self.filters)))
        return self.activation(outputs)

    def _local_kernel(self) -> Any:
        """The kernel as (position, tap, filter), zero where a tap falls on padding."""
        if self.implementation == 1:
            return self.kernel
        local = ops.take(ops.reshape(self.kernel, (-1,)), self._where, axis=0)
        return local if self._present is None else ops.where(self._present, local, ops.zeros_like(local))

    def _windows(self, x: Any) -> Any:
        """The window of every position: (position, batch, tap).

        The input is transposed once, so that the windows, which are larger, need no transposition;
        then one strided slice per kernel element. In TensorFlow on a CPU this trains faster than
        `extract_patches`, whose gradient builds a sparse matrix.
        """
        first = self.data_format == "channels_first"
        spatial = range(2, 2 + self.rank) if first else range(1, 1 + self.rank)
        channels = 1 if first else 1 + self.rank
        x = ops.transpose(x, (*spatial, 0, channels))
        if any(map(any, self._margins)):
            x = ops.pad(x, [*self._margins, (0, 0), (0, 0)])
        cells = []
        for cell in product(*map(range, self.kernel_size)):
            axes = zip(cell, self._out, self.strides, strict=True)
            cells.append(x[tuple(slice(c, c + (m - 1) * s + 1, s) for c, m, s in axes)])
        windows = ops.stack(cells, axis=-1 if first else -2)
        count, taps, _ = self._local_shape
        return ops.reshape(windows, (count, -1, taps))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments as plain data."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "implementation": self.implementation,
        }


@keras.saving.register_keras_serializable(package="archcalc")
class LocallyConnected1D(_LocallyConnected):
    """A convolution over one axis with separate weights at every position.

    Input `(batch, n, Cin)`, output `(batch, m, filters)`; weights of implementation 1:
    kernel `(m, k*Cin, filters)`, bias `(m, filters)`.
    """

    rank = 1


@keras.saving.register_keras_serializable(package="archcalc")
class LocallyConnected2D(_LocallyConnected):
    """A convolution over two axes with separate weights at every position.

    Input `(batch, h, w, Cin)`, output `(batch, ho, wo, filters)`; weights of
    implementation 1: kernel `(ho*wo, kh*kw*Cin, filters)`, bias `(ho, wo, filters)`.
    """

    rank = 2
