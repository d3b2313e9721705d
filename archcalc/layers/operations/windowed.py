"""Pooling and convolution as operations; their rules are those of the corresponding layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from archcalc.arith import Shape, Size, require_equal
from archcalc.errors import LayerError
from archcalc.layers import convolution, pooling
from archcalc.layers.base import Layer, Window, family, show
from archcalc.layers.fields import ChoiceKind, DataFormat, FieldError, Untracked
from archcalc.layers.operand import Constant, OperandKind
from archcalc.layers.operations.base import Operation, operation
from archcalc.layers.primitives import Convolve, Primitives


@family
class AsLayer(Operation):
    """An operation that does the same as a layer, for inputs of several ranks."""

    parameters: ClassVar[tuple[str, ...]] = ("inputs",)
    operands: ClassVar[tuple[str, ...]] = ("inputs",)

    data_format: DataFormat = None

    def layer(self, x: Shape) -> Layer:
        """The layer for an input of this shape."""
        raise NotImplementedError

    def output_shape(self, *inputs: Shape) -> Shape:
        x = self.one(inputs)
        return self.layer(x).output_shape(x)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = self.one(inputs)
        return self.layer(x).window(x)

    def macs(self, *inputs: Shape) -> Size:
        x = self.one(inputs)
        return self.layer(x).macs(x)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        x = self.one(inputs)
        return self.layer(x).elementwise_ops(x)

    def primitives(self, *inputs: Shape) -> Primitives:
        x = self.one(inputs)
        return self.layer(x).primitives(x)


def _of_rank(owner: Operation, kinds: tuple[Any, ...], x: Shape) -> Any:
    if not 1 <= len(x) - 1 <= len(kinds):
        raise LayerError(
            f"{type(owner).__name__} takes 2 to {len(kinds) + 1} axes (without the batch), got {show(x)}"
        )
    return kinds[len(x) - 2]


@family
class Pool(AsLayer):
    """Each window reduced to one unit."""

    pool_size: Untracked
    strides: Untracked = None
    padding: Annotated[str, ChoiceKind("valid", "same")] = "valid"

    def _made(self, kinds: tuple[Any, ...], x: Shape) -> Layer:
        built: Layer = _of_rank(self, kinds, x)(
            pool_size=self.pool_size, strides=self.strides, padding=self.padding, data_format=self.data_format
        )
        return built


@operation("max_pool", "MaxPool")
class MaxPool(Pool):
    """The largest of each window."""

    def layer(self, x: Shape) -> Layer:
        kinds = (pooling.MaxPooling1D, pooling.MaxPooling2D, pooling.MaxPooling3D)
        return self._made(kinds, x)


@operation("average_pool", "AveragePool")
class AveragePool(Pool):
    """The mean of each window."""

    def layer(self, x: Shape) -> Layer:
        kinds = (pooling.AveragePooling1D, pooling.AveragePooling2D, pooling.AveragePooling3D)
        return self._made(kinds, x)


class KernelKind(OperandKind):
    """A constant kernel, or its shape as a list of integers."""

    def normalise(self, value: Any, rank: int) -> Any:
        kernel = super().normalise(value, rank)
        if not isinstance(kernel, Constant):
            raise FieldError(f"expected a constant kernel, got {value!r:.60}")
        return kernel


@family
class WithKernel(AsLayer):
    """A convolution with a constant kernel, which is not a weight."""

    parameters = ("inputs", "kernel")

    kernel: Annotated[Any, KernelKind()]
    strides: Untracked = 1
    padding: Annotated[str, ChoiceKind("valid", "same", "causal")] = "valid"
    dilation_rate: Untracked = 1

    def _arguments(self, x: Shape) -> dict[str, Any]:
        if len(self.kernel.shape) != len(x) + 1:
            raise LayerError(
                f"{type(self).__name__}: a kernel {show(self.kernel.shape)} for an input {show(x)}"
            )
        return {
            "kernel_size": self.kernel.shape[:-2],
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "use_bias": False,
        }

    def channels(self, x: Shape) -> Size:
        return x[0] if self.data_format == "channels_first" else x[-1]

    def primitives(self, *inputs: Shape) -> Primitives:
        return tuple(
            replace(s, weight=self.kernel) if isinstance(s, Convolve) else s
            for s in super().primitives(*inputs)
        )


@operation("conv", "Conv")
class Conv(WithKernel):
    """A convolution."""

    def layer(self, x: Shape) -> Layer:
        cls = _of_rank(self, (convolution.Conv1D, convolution.Conv2D, convolution.Conv3D), x)
        arguments = self._arguments(x)
        cin, within = self.channels(x), self.kernel.shape[-2]
        require_equal(cin, within, lambda: f"{cin} input channels for a kernel of {within}")
        built: Layer = cls(filters=self.kernel.shape[-1], **arguments)
        return built


@operation("depthwise_conv", "DepthwiseConv")
class DepthwiseConv(WithKernel):
    """A convolution of each channel by itself."""

    def layer(self, x: Shape) -> Layer:
        cls = _of_rank(self, (convolution.DepthwiseConv1D, convolution.DepthwiseConv2D), x)
        arguments = self._arguments(x)
        built: Layer = cls(depth_multiplier=self.kernel.shape[-1], **arguments)
        return built
