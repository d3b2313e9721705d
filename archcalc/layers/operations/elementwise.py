"""Elementwise operations on one tensor, and on several with broadcasting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archcalc.arith import Shape, Size, broadcast, certainly, equal, prod
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.activations import ROWS
from archcalc.layers.base import Window, family, identity, show
from archcalc.layers.fields import Untracked
from archcalc.layers.functions import FUNCTIONS
from archcalc.layers.merging import aligned, repeat_count
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operand, OperandValue, Operation, operation
from archcalc.layers.window import Phases, Shares


# -- one operand -------------------------------------------------------------------------------
@family
class Unary(Operation):
    """A function of each unit; one elementwise operation per unit."""

    def output_shape(self, *inputs: Shape) -> Shape:
        return self.one(inputs)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (identity(len(self.one(inputs))),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(self.one(inputs))

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        # arguments that a config leaves out have Keras's defaults
        stated = {name: getattr(self, name) for name in UNARY.get(self.function, ())}
        parameters = {name: UNARY[self.function][name] if v is None else v for name, v in stated.items()}
        return (prim.Pointwise(self.function, tuple((n, v) for n, v in parameters.items() if v is not None)),)


@family
class WithoutWork(Unary):
    """A function that computes nothing: a copy, a cast, `stop_gradient`."""

    keeps_integers = True

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.ZeroGradient(),) if self.function in ("stop_gradient", "imag") else ()


@family
class Casting(WithoutWork):
    """The same numbers in another type."""

    def result_dtype(self, compute: str, *inputs: str) -> str:
        return str(self.dtype)


@family
class Filled(WithoutWork):
    """A tensor of the input's shape that does not depend on the input's values."""

    def result_dtype(self, compute: str, *inputs: str) -> str:
        return self.dtype or super().result_dtype(compute, *inputs)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (tuple(Phases(axis, 1, ((),)) for axis in range(len(self.one(inputs)))),)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.ZeroGradient(),)


# functions of one operand -> their untracked arguments, with Keras's defaults
UNARY: dict[str, Mapping[str, Any]] = {
    name: known.arguments
    for name, known in sorted({**ROWS, **FUNCTIONS}.items())
    if name in FUNCTIONS or (known.operation and not known.couples_channels)
}
FREE = ("conjugate", "copy", "imag", "real")


@operation("stop_gradient", "StopGradient")
class StopGradient(WithoutWork):
    """`keras.ops.stop_gradient` of each unit."""

    parameters = ("variable",)
    operands = ("variable",)


CASTS = ("cast", "saturate_cast")
FILLED = ("ones_like", "zeros_like")


# functions whose results for integers are integers, and those whose results are truth values
_INTEGERS = {
    *(name for name, known in {**ROWS, **FUNCTIONS}.items() if known.keeps_integers),
    *("add", "floor_divide", "fmod", "maximum", "minimum", "mod", "multiply", "power", "subtract"),
}
_TRUTHS = {
    *("isfinite", "isinf", "isnan", "logical_not", "logical_and", "logical_or", "logical_xor"),
    *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
}


def _declare(base: type[Operation], function: str, untracked: Iterable[str] = ()) -> None:
    """Define and register the class of one entry of the tables above: `HardTanh` of `hard_tanh`."""
    keras_class = "".join(part.capitalize() for part in function.split("_"))
    body: dict[str, Any] = {
        "__doc__": f"`keras.ops.{function}` of each unit.",
        "__module__": __name__,
        "__annotations__": dict.fromkeys(untracked, Untracked),
        **dict.fromkeys(untracked),
        "keeps_integers": function in _INTEGERS or base.keeps_integers,
        "result": "bool" if function in _TRUTHS else None,
    }
    globals()[keras_class] = operation(function, keras_class)(type(keras_class, (base,), body))


for _function, _untracked in UNARY.items():
    _declare(Unary, _function, _untracked)
for _base, _table in ((WithoutWork, FREE), (Casting, CASTS), (Filled, FILLED)):
    for _function in _table:
        _declare(_base, _function)


# -- several operands ----------------------------------------------------------------------------
@family
class Broadcasting(Operation):
    """A function of several operands, with broadcasting from the last axis; one operation per unit.

    Tensors must have the same rank: otherwise Keras would broadcast an axis against the batch.
    """

    def output_shape(self, *inputs: Shape) -> Shape:
        return self._met(self.operand_values(inputs))

    def _met(self, values: tuple[OperandValue, ...]) -> Shape:
        out: Shape | None = None
        for x in values:
            if isinstance(x, tuple):
                if out is not None and len(x) != len(out):
                    raise LayerError(
                        f"{type(self).__name__}: tensors of shapes {show(out)} and {show(x)} differ in rank, "
                        "so that the batch of one would meet another axis"
                    )
                out = x if out is None else self._meet(out, x)
        if out is None:
            raise LayerError(f"{type(self).__name__}: needs at least one tensor, got constants alone")
        for x in values:
            if isinstance(x, Constant):
                out = self._meet(out, self._constant_shape(x, len(out)))
        return out

    def _constant_shape(self, constant: Constant, rank: int) -> Shape:
        """The shape of a constant, broadcast to `rank` axes without the batch."""
        if len(constant.shape) > rank + 1 or (len(constant.shape) == rank + 1 and constant.shape[0] != 1):
            raise LayerError(
                f"{type(self).__name__}: a constant of shape {show(constant.shape)} reaches over the batch"
            )
        shape = constant.shape[-rank:] if rank else ()
        return (1,) * (rank - len(shape)) + shape

    def _meet(self, a: Shape, b: Shape) -> Shape:
        def misfit() -> str:
            return f"{type(self).__name__}: shapes {show(a)} and {show(b)} do not match"

        return tuple(broadcast(n, m, misfit) for n, m in zip(a, b, strict=True))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        out = self.output_shape(*inputs)
        return tuple(tuple(aligned(n, out[axis], axis) for axis, n in enumerate(x)) for x in inputs)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(self.output_shape(*inputs))

    def _tensors(self, inputs: tuple[Shape, ...]) -> tuple[bool, ...]:
        """Which operands are tensors."""
        return tuple(isinstance(x, tuple) for x in self.operand_values(inputs))

    def _repeated(self, x: Shape, out: Shape) -> prim.Primitives:
        """The primitives that repeat axes of size 1 which are broadcast against a constant."""
        return tuple(
            prim.Upsample(axis, 1, m)
            for axis, (n, m) in enumerate(zip(x, out, strict=True))
            if certainly(equal(n, 1)) and not certainly(equal(m, 1))
        )


@family
class Binary(Broadcasting):
    """A function of two operands."""

    parameters = ("x1", "x2")
    operands = ("x1", "x2")

    x1: Operand = None
    x2: Operand = None

    def shares(self, *inputs: Shape) -> Shares | None:
        if self.function in ("add", "subtract"):
            return Shares((1,) * len(inputs))
        if self.function in ("maximum", "minimum"):
            return Shares((1,) * len(inputs), 2)
        return super().shares(*inputs)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        if self.function in _STEPS:
            return (prim.ZeroGradient(),) if len(inputs) == 1 else (prim.Merge("stop", (1, 1)),)
        out = self.output_shape(*inputs)
        if len(inputs) == 1:
            return (*self._repeated(inputs[0], out), *self._with_constant())
        kind, coefficients = _MERGES.get(self.function, (self.function, ()))
        return (prim.Merge(kind, tuple(repeat_count(x, out) for x in inputs), coefficients),)

    def _with_constant(self) -> prim.Primitives:
        first = self.x1 is not None
        constant = self.x1 if first else self.x2
        value = constant.value if isinstance(constant, Constant) else constant
        match self.function:
            case "add":
                return (prim.Offset(value),)
            case "subtract":
                return (prim.Scale(-1.0), prim.Offset(value)) if first else (prim.Offset(value),)
            case "multiply":
                return (prim.Scale(value),)
            case "divide" | "true_divide" | "divide_no_nan":
                if not first:
                    return (prim.Scale(value, reciprocal=True),)
                return prim.Pointwise("reciprocal"), prim.Scale(value)
        return (prim.Pointwise(self.function, (("x1" if first else "x2", value),)),)


BINARY = (
    *("add", "arctan2", "divide", "divide_no_nan", "equal", "floor_divide", "fmod", "greater"),
    *("greater_equal", "hypot", "less", "less_equal", "logaddexp", "logical_and", "logical_or"),
    *("logical_xor", "maximum", "minimum", "mod", "multiply", "not_equal", "power", "subtract"),
    "true_divide",
)
for _function in BINARY:
    _declare(Binary, _function)


# results that are piecewise constant pass no gradient
_STEPS = {
    *("equal", "greater", "greater_equal", "less", "less_equal", "not_equal", "floor_divide"),
    *("logical_and", "logical_or", "logical_xor"),
}
_MERGES: dict[str, tuple[str, tuple[float, ...]]] = {
    "add": ("add", (1.0, 1.0)),
    "subtract": ("add", (1.0, -1.0)),
    "true_divide": ("divide", ()),
    "divide_no_nan": ("divide", ()),
}


@operation("where", "Where")
class Where(Broadcasting):
    """`x1` where the condition holds, else `x2`."""

    keeps_integers = True

    parameters = ("condition", "x1", "x2")
    operands = ("condition", "x1", "x2")

    condition: Operand = None
    x1: Operand = None
    x2: Operand = None

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """The promoted dtype of `x1` and `x2`; that of the condition does not matter."""
        tensor = self.condition is None
        return super().result_dtype(compute, *inputs[1:] if tensor else inputs)

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        out = self.output_shape(*inputs)
        condition, *chosen = self._tensors(inputs)
        if not any(chosen):
            return (prim.ZeroGradient(),)
        if len(inputs) == 1:
            return (*self._repeated(inputs[0], out), prim.Select())
        weights = (0.0,) * condition + (1.0,) * sum(chosen)
        return (prim.Merge("choose", tuple(repeat_count(x, out) for x in inputs), weights),)
