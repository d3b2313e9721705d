"""Operations of `keras.ops` made linear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from archcalc.keras.linear_layers import PRECISION, several, with_mean
from archcalc.keras.operations import OperationCall
from archcalc.layers.operand import Constant
from archcalc.layers.operations.elementwise import Broadcasting, Unary
from archcalc.layers.operations.fourier import Transform
from archcalc.layers.operations.reduction import Moments

_REDUCTIONS = {
    *("max", "min", "amax", "amin", "prod", "std", "var", "median", "any", "all"),
    *("count_nonzero", "logsumexp", "norm", "argmax", "argmin"),
}
_ALONG = {
    *("softmax", "log_softmax", "sparsemax", "normalize", "rms_normalization", "layer_normalization"),
    *("sort", "argsort"),
}
_PRODUCTS = ("einsum", "matmul", "dot", "tensordot")
# linear already, or nearly so
_UNCHANGED = {
    *("mean", "sum", "cumsum", *_PRODUCTS, "average_pool", "conv"),
    *("depthwise_conv", "depth_to_space", "space_to_depth", "image.resize", "image.rgb_to_grayscale"),
    "image.extract_patches",
    *("ones_like", "zeros_like"),
}


class LinearOperation(OperationCall):
    """An operation of `keras.ops`, made linear."""

    def __init__(self, call: OperationCall) -> None:
        super().__init__(call.operation, call.name)

    def __call__(self, inputs: Sequence[Any]) -> Any:
        """Apply the operation in double precision, to symbolic or real tensors."""
        outputs = self._linear([ops.cast(x, PRECISION) for x in inputs])
        if self.name is not None:
            self._give_name(outputs)
        return outputs

    def _constant(self, value: Constant) -> Any:
        """Ones in the constant's shape: windows are taken to be uniform, like weights."""
        return ops.ones(value.shape, dtype=PRECISION)

    def _linear(self, inputs: list[Any]) -> Any:
        operation = self.operation
        function = operation.function
        arguments = operation.keras_arguments()
        if function in _PRODUCTS and len(inputs) > 1:
            inputs = [x + 1 for x in inputs]  # a factor that padding made zero would hide the other
        if function in _ALONG:
            return with_mean(inputs[0], several(getattr(operation, "axis", -1)))
        if isinstance(operation, Transform):  # some of its weights are zero
            return [with_mean(inputs[0] + inputs[1], tuple(range(-operation.along, 0)))] * 2
        if isinstance(operation, Moments):
            return [ops.mean(inputs[0], axis=operation.axes, keepdims=operation.keepdims)] * 2
        if function in _REDUCTIONS:
            return ops.mean(inputs[0], axis=arguments.get("axis"), keepdims=arguments.get("keepdims", False))
        if function == "cumprod":
            return ops.cumsum(inputs[0], axis=arguments.get("axis", -1))
        if function == "one_hot":
            rows = ops.expand_dims(inputs[0], arguments.get("axis", -1))
            return ops.repeat(rows, arguments["num_classes"], axis=arguments.get("axis", -1))
        if function == "max_pool":
            return ops.average_pool(inputs[0], **{k: v for k, v in arguments.items() if k != "inputs"})
        if function in _UNCHANGED:
            return self._apply(inputs)
        if isinstance(operation, Unary):
            return inputs[0]
        if isinstance(operation, Broadcasting):
            constants = (getattr(operation, n, None) for n in operation.operands)
            shapes = [getattr(c, "shape", ()) for c in constants if c is not None]
            zeros = [ops.zeros(shape, dtype=PRECISION) for shape in shapes]
            summed = sum([*inputs[1:], *zeros], start=inputs[0])
            return summed if function in ("add", "subtract") else summed / len(inputs)
        return self._apply(inputs)
