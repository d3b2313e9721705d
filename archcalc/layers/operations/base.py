"""The base class of operations: calls of `keras.ops` functions on tensors and constants.

An operation is a layer type too (the same rules, the same analyses), but has its own registry,
because Keras has layers and operations of the same name. Its type is named as in code: `ops.add`.
Fields are the arguments of the function; an operand that is None is a tensor, one of the node's
inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, dataclass_transform

from archcalc.arith import Shape
from archcalc.errors import LayerError
from archcalc.layers.base import NoMacs, Weightless, family
from archcalc.layers.dtypes import floating, promoted
from archcalc.layers.operand import Constant, OperandKind
from archcalc.layers.registry import register_operation

O = TypeVar("O", bound="type[Operation]")  # noqa: E741

Operand = Annotated[Any, OperandKind()]
# an operand as rules use it: the shape of a tensor (without the batch), a number, or an array
OperandValue: TypeAlias = "Shape | Constant | float"


class Operation(Weightless, NoMacs):
    """A node of `keras.ops`.

    `parameters` names the arguments of the call in order, `operands` those among them that
    may be tensors; all other arguments belong to the operation itself, as in Keras.
    """

    keras_class = "keras.ops"  # a function of it is called, no class is built
    function: ClassVar[str] = ""
    class_name: ClassVar[str] = ""  # of its class in Keras configs
    parameters: ClassVar[tuple[str, ...]] = ("x",)
    operands: ClassVar[tuple[str, ...]] = ("x",)
    takes_list: ClassVar[bool] = False  # whether the function takes all of its tensors as one list
    # the dtype of the result if it does not depend on the operands
    result: ClassVar[str | None] = None

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """The promoted dtype of the operands; float32 for integers that the function does not keep."""
        if self.result is not None:
            return self.result
        constants = [getattr(self, name, None) for name in self.operands]
        arrays = [c.dtype for c in constants if isinstance(c, Constant)]
        dtype = promoted(*inputs, *arrays)
        real = any(isinstance(c, float) for c in constants)
        return dtype if floating(dtype) or (self.keeps_integers and not real) else "float32"

    def operand_values(self, inputs: tuple[Shape, ...]) -> tuple[OperandValue, ...]:
        """All operands in order: constants from the fields, shapes of tensors from the inputs.

        Raises `LayerError` if the number of inputs is not that of the tensor operands.
        """
        shapes = iter(inputs)
        values = tuple(self._operands(shapes))
        if len(values) != len(self.operands) or any(True for _ in shapes):
            wanted = sum(getattr(self, name, None) is None for name in self.operands)
            raise LayerError(f"{type(self).__name__} takes {wanted} tensors here, got {len(inputs)}")
        return values

    def _operands(self, inputs: Iterator[Shape]) -> Iterator[OperandValue]:
        for name in self.operands:
            constant = getattr(self, name, None)
            if constant is not None:
                yield constant
            else:
                try:
                    yield next(inputs)
                except StopIteration:
                    return

    def one(self, inputs: tuple[Shape, ...]) -> Shape:
        """The shape of the only tensor."""
        (x,) = self.operand_values(inputs)
        assert isinstance(x, tuple)
        return x


@dataclass_transform(frozen_default=True, kw_only_default=True)
def operation(function: str, class_name: str) -> Callable[[O], O]:
    """Class decorator that registers an operation as `ops.<function>`.

    `class_name` is the name of the operation's class in Keras configs.
    """

    def register(cls: O) -> O:
        declared = family(cls)
        declared.function = function
        declared.class_name = class_name
        declared.__name__ = f"ops.{function}"
        register_operation(declared)
        return declared

    return register
