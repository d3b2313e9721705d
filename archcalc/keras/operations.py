"""Callables for operations of `keras.ops`, from their declarations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from archcalc.errors import LayerError
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operation


class OperationCall:
    """A callable like a layer: it takes the tensors as a list, and puts constants in their positions."""

    def __init__(self, operation: Operation, name: str | None = None) -> None:
        self.operation = operation
        self.name = name
        self._function = _function(operation.function)

    def __call__(self, inputs: Sequence[Any]) -> Any:
        """Apply the operation to symbolic or real tensors."""
        outputs = self._apply(inputs)
        if self.name is not None:
            self._give_name(outputs)
        return outputs

    def _apply(self, inputs: Sequence[Any]) -> Any:
        arguments = {k: self._value(v) for k, v in self.operation.keras_arguments().items()}
        if self.operation.takes_list:
            return self._function(list(inputs), **arguments)
        left = iter(inputs)
        stated = ((name, arguments.get(name)) for name in self.operation.operands)
        operands = {name: next(left) if value is None else value for name, value in stated}
        if self.operation.function == "einsum":
            return self._function(arguments["subscripts"], *operands.values())
        return self._function(**arguments | operands)

    def _value(self, value: Any) -> Any:
        """A field as the function expects it: slices and arrays are data in a declaration."""
        if isinstance(value, Constant):
            return self._constant(value)
        if isinstance(value, tuple):
            if type(value).__name__ == "Slice":
                return slice(*value)
            return tuple(self._value(v) for v in value)
        return value

    def _constant(self, value: Constant) -> Any:
        return keras.ops.convert_to_tensor(value.value, dtype=value.dtype)

    def _give_name(self, outputs: Any) -> None:
        """Name the operation, because functions of `keras.ops` have no argument for it."""
        first = outputs[0] if isinstance(outputs, list | tuple) else outputs
        if isinstance(first, keras.KerasTensor):
            first._keras_history.operation.name = self.name


def _function(path: str) -> Any:
    function = keras.ops
    for part in path.split("."):
        function = getattr(function, part, None)
        if function is None:
            raise LayerError(f"Keras {keras.__version__} has no operation keras.ops.{path}")
    return function
