"""The contract of an operation: a node of `keras.ops`, with tensors and constants in its call.

An operation is a layer type too (the same rules, the same analyses), kept in a table of its
own, because Keras has layers and operations of the same name. Its type is written as users
write the function: `ops.add`. Fields are the arguments of that function; an operand that is
None is a tensor and comes from the node's inputs.
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
# what a rule sees of an operand: the shape of a tensor (without the batch), a number, or an array
Given: TypeAlias = "Shape | Constant | float"


class Operation(Weightless, NoMacs):
    """A node of `keras.ops`.

    `parameters` names the arguments of the call in order, `operands` those among them that
    may be tensors; all other arguments belong to the operation itself, as in Keras.
    """

    module = "keras.ops"
    function: ClassVar[str] = ""
    keras_class: ClassVar[str] = ""
    parameters: ClassVar[tuple[str, ...]] = ("x",)
    operands: ClassVar[tuple[str, ...]] = ("x",)
    # the type of the result where it does not hang on the operands
    result: ClassVar[str | None] = None

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """As Keras promotes the operands; a function without a rule for integers computes in float32."""
        if self.result is not None:
            return self.result
        constants = [getattr(self, name, None) for name in self.operands]
        arrays = [c.dtype for c in constants if isinstance(c, Constant)]
        found = promoted(*inputs, *arrays)
        real = any(isinstance(c, float) for c in constants)
        return found if floating(found) or (self.keeps_integers and not real) else "float32"

    def given(self, inputs: tuple[Shape, ...]) -> tuple[Given, ...]:
        """Every operand in order: constants from the fields, shapes from the inputs.

        Raises `LayerError` where there are more or fewer inputs than tensors are wanted.
        """
        left = iter(inputs)
        found = tuple(self._operands(left))
        if len(found) != len(self.operands) or any(True for _ in left):
            wanted = sum(getattr(self, name, None) is None for name in self.operands)
            raise LayerError(f"{type(self).__name__} takes {wanted} tensors here, got {len(inputs)}")
        return found

    def _operands(self, inputs: Iterator[Shape]) -> Iterator[Given]:
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
        (x,) = self.given(inputs)
        assert isinstance(x, tuple)
        return x


@dataclass_transform(frozen_default=True, kw_only_default=True)
def operation(function: str, keras_class: str) -> Callable[[O], O]:
    """Class decorator that registers an operation as `ops.<function>`.

    `keras_class` is the name that configurations hold.
    """

    def register(cls: O) -> O:
        made = family(cls)
        made.function = function
        made.keras_class = keras_class
        made.__name__ = f"ops.{function}"
        register_operation(made)
        return made

    return register
