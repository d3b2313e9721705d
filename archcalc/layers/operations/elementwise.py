"""Elementwise operations on one tensor, and on several with broadcasting."""

from __future__ import annotations

from typing import Any

from archcalc.arith import Shape, Size, broadcast, certainly, equal, prod
from archcalc.errors import LayerError
from archcalc.layers import primitives as prim
from archcalc.layers.base import Window, family, identity, show
from archcalc.layers.fields import Untracked
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
        parameters = ((name, getattr(self, name)) for name in UNARY.get(self.function, ("", ()))[1])
        return (prim.Pointwise(self.function, tuple((n, v) for n, v in parameters if v is not None)),)


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


# function -> class in Keras configs, and the untracked arguments
UNARY: dict[str, tuple[str, tuple[str, ...]]] = {
    "absolute": ("Absolute", ()),
    "arccos": ("Arccos", ()),
    "arccosh": ("Arccosh", ()),
    "arcsin": ("Arcsin", ()),
    "arcsinh": ("Arcsinh", ()),
    "arctan": ("Arctan", ()),
    "arctanh": ("Arctanh", ()),
    "cbrt": ("Cbrt", ()),
    "ceil": ("Ceil", ()),
    "celu": ("Celu", ("alpha",)),
    "clip": ("Clip", ("x_min", "x_max")),
    "cos": ("Cos", ()),
    "cosh": ("Cosh", ()),
    "deg2rad": ("Deg2rad", ()),
    "elu": ("Elu", ("alpha",)),
    "erf": ("Erf", ()),
    "erfc": ("Erfc", ()),
    "erfinv": ("Erfinv", ()),
    "exp": ("Exp", ()),
    "exp2": ("Exp2", ()),
    "expm1": ("Expm1", ()),
    "floor": ("Floor", ()),
    "gelu": ("Gelu", ("approximate",)),
    "hard_shrink": ("HardShrink", ("threshold",)),
    "hard_sigmoid": ("HardSigmoid", ()),
    "hard_silu": ("HardSilu", ()),
    "hard_tanh": ("HardTanh", ()),
    "isfinite": ("Isfinite", ()),
    "isinf": ("Isinf", ()),
    "isnan": ("Isnan", ()),
    "leaky_relu": ("LeakyRelu", ("negative_slope",)),
    "log": ("Log", ()),
    "log10": ("Log10", ()),
    "log1p": ("Log1p", ()),
    "log2": ("Log2", ()),
    "log_sigmoid": ("LogSigmoid", ()),
    "logical_not": ("LogicalNot", ()),
    "nan_to_num": ("NanToNum", ("nan", "posinf", "neginf")),
    "negative": ("Negative", ()),
    "rad2deg": ("Rad2deg", ()),
    "reciprocal": ("Reciprocal", ()),
    "relu": ("Relu", ()),
    "relu6": ("Relu6", ()),
    "round": ("Round", ("decimals",)),
    "rsqrt": ("Rsqrt", ()),
    "selu": ("Selu", ()),
    "sigmoid": ("Sigmoid", ()),
    "sign": ("Sign", ()),
    "silu": ("Silu", ()),
    "sin": ("Sin", ()),
    "sinc": ("Sinc", ()),
    "sinh": ("Sinh", ()),
    "soft_shrink": ("SoftShrink", ("threshold",)),
    "softplus": ("Softplus", ()),
    "softsign": ("Softsign", ()),
    "sparse_plus": ("SparsePlus", ()),
    "sparse_sigmoid": ("SparseSigmoid", ()),
    "sqrt": ("Sqrt", ()),
    "square": ("Square", ()),
    "squareplus": ("Squareplus", ("b",)),
    "tan": ("Tan", ()),
    "tanh": ("Tanh", ()),
    "tanh_shrink": ("TanhShrink", ()),
    "threshold": ("Threshold", ("threshold", "default_value")),
    "trunc": ("Trunc", ()),
}
FREE: dict[str, tuple[str, tuple[str, ...]]] = {
    "conjugate": ("Conjugate", ()),
    "copy": ("Copy", ()),
    "imag": ("Imag", ()),
    "real": ("Real", ()),
}


@operation("stop_gradient", "StopGradient")
class StopGradient(WithoutWork):
    """`keras.ops.stop_gradient` of each unit."""

    parameters = ("variable",)
    operands = ("variable",)


CASTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cast": ("Cast", ()),
    "saturate_cast": ("SaturateCast", ()),
}
FILLED: dict[str, tuple[str, tuple[str, ...]]] = {
    "ones_like": ("OnesLike", ()),
    "zeros_like": ("ZerosLike", ()),
}


# functions whose results for integers are integers, and those whose results are truth values
_INTEGERS = {
    *("absolute", "clip", "nan_to_num", "negative", "relu", "relu6", "round", "sign", "square", "trunc"),
    *("add", "floor_divide", "fmod", "maximum", "minimum", "mod", "multiply", "power", "subtract"),
}
_TRUTHS = {
    *("isfinite", "isinf", "isnan", "logical_not", "logical_and", "logical_or", "logical_xor"),
    *("equal", "not_equal", "greater", "greater_equal", "less", "less_equal"),
}


def _declare(base: type[Operation], function: str, class_name: str, untracked: tuple[str, ...]) -> None:
    """Define and register the class of one entry of the tables above."""
    body: dict[str, Any] = {
        "__doc__": f"`keras.ops.{function}` of each unit.",
        "__module__": __name__,
        "__annotations__": dict.fromkeys(untracked, Untracked),
        **dict.fromkeys(untracked),
        "keeps_integers": function in _INTEGERS or base.keeps_integers,
        "result": "bool" if function in _TRUTHS else None,
    }
    globals()[class_name] = operation(function, class_name)(type(class_name, (base,), body))


for _base, _table in ((Unary, UNARY), (WithoutWork, FREE), (Casting, CASTS), (Filled, FILLED)):
    for _function, (_class, _untracked) in _table.items():
        _declare(_base, _function, _class, _untracked)


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


BINARY: dict[str, str] = {
    "add": "Add",
    "arctan2": "Arctan2",
    "divide": "Divide",
    "divide_no_nan": "DivideNoNan",
    "equal": "Equal",
    "floor_divide": "FloorDivide",
    "fmod": "Fmod",
    "greater": "Greater",
    "greater_equal": "GreaterEqual",
    "hypot": "Hypot",
    "less": "Less",
    "less_equal": "LessEqual",
    "logaddexp": "Logaddexp",
    "logical_and": "LogicalAnd",
    "logical_or": "LogicalOr",
    "logical_xor": "LogicalXor",
    "maximum": "Maximum",
    "minimum": "Minimum",
    "mod": "Mod",
    "multiply": "Multiply",
    "not_equal": "NotEqual",
    "power": "Power",
    "subtract": "Subtract",
    "true_divide": "TrueDivide",
}

for _function, _class in BINARY.items():
    _declare(Binary, _function, _class, ())


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
