"""What a graph of TensorFlow says and no operation of Keras does, as operations of a traced network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


class OneSample(keras.Operation):
    """A tensor as its function sees one sample: without the batch axis."""

    def compute_output_spec(self, x: Any) -> Any:
        """The shape without its first axis."""
        return keras.KerasTensor(x.shape[1:], dtype=x.dtype)


class EverySample(keras.Operation):
    """The results for one sample as a tensor with the batch axis."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch

    def compute_output_spec(self, x: Any) -> Any:
        """The shape with the batch axis first."""
        return keras.KerasTensor((self.batch, *x.shape), dtype=x.dtype)


class OperationLayer(keras.layers.Layer):
    """An operation that takes functions, such as `ops.map`, as a layer whose code they are."""

    def __init__(self, operation: keras.Operation) -> None:
        super().__init__(name=operation.name, autocast=False)
        self.operation = operation

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the operation does."""
        return self.operation.call(*args, **kwargs)


def hides_code(node: Any) -> bool:
    """Whether an operation, or its call, has functions among its arguments."""
    own = [v for k, v in vars(node.operation).items() if not k.startswith("_")]
    return any(map(callable, keras.tree.flatten([own, node.arguments.args, node.arguments.kwargs])))


class UnknownOperator(keras.Operation):
    """Code of which only its outputs' shapes and dtypes, `specs`, are known; `label` is its row's type."""

    def __init__(self, label: str, reason: str, specs: Sequence[tuple[tuple[Any, ...], str]]) -> None:
        super().__init__(name=label.rsplit(".", 1)[-1].lower())
        self.label = label
        self.reason = reason
        self.specs = specs

    def compute_output_spec(self, *_: Any) -> Any:
        """The outputs as stated."""
        return [keras.KerasTensor(shape, dtype=dtype) for shape, dtype in self.specs]
