"""TensorFlow functions that Keras 2 stores as `TFOpLambda`, translated to operations of `keras.ops`.

The function's name is only looked up in the table below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from archcalc.layers.registry import layer_type, operation_type
from archcalc.readers.keras.model import Call, Member, Ref
from archcalc.readers.keras.operations import bind
from archcalc.readers.keras.reading import Reading, printable
from archcalc.readers.keras.values import refs


class Function(NamedTuple):
    """The operation that a function corresponds to, and what its arguments are called there, in order.

    An argument renamed to "" changes no figure and is left out.
    """

    operation: str
    arguments: Mapping[str, str]
    convert: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def function_call(member: Member, call: Call, reading: Reading) -> None:
    """Fill in a call of a TensorFlow function; a function without a rule leaves `call.layer` None."""
    config = reading.mapping(
        member.entry.get("config"), f"{member.path}.config", "the arguments of a function"
    )
    name = config.get("function")
    function = FUNCTIONS.get(canonical(name)) if isinstance(name, str) else None
    if function is None:
        member.reason = f"the TensorFlow function {printable(str(name))}, which archcalc has no rule for"
        member.class_name = printable(str(name))
        return
    if _is_merge(call, function):
        call.inputs = tuple(refs(call.args))
        merge = layer_type(_MERGES[function.operation])
        assert merge is not None
        call.layer = merge()
        return
    settle(function, call, reading)


def _is_merge(call: Call, function: Function) -> bool:
    """Whether a list of tensors is reduced, `tf.reduce_sum([a, b], axis=0)`: that merges them."""
    listed = call.args[0] if call.args else None
    stated = {k: v for k, v in call.kwargs.items() if k != "name" and v is not None and v is not False}
    axis = {} if function is ADD_N else {"axis": 0}
    return (
        function.operation in _MERGES
        and isinstance(listed, list)
        and len(listed) > 1
        and all(isinstance(v, Ref) for v in listed)
        and len(call.args) == 1
        and stated == axis
    )


def settle(function: Function, call: Call, reading: Reading) -> None:
    """Fill in a call of this function with the operation that corresponds to it."""
    names = list(function.arguments)
    stated = dict(zip(names, call.args, strict=False)) | {
        k: v for k, v in call.kwargs.items() if k != "name" and not (v is None and k not in names)
    }
    arguments = {function.arguments.get(k, k): v for k, v in stated.items() if function.arguments.get(k, k)}
    if function.convert is not None:
        arguments = function.convert(arguments)
    cls: Any = operation_type(f"ops.{function.operation}")
    settings = {k: v for k, v in arguments.items() if k not in cls.parameters}
    plain = Call(call.path, [], {k: v for k, v in arguments.items() if k in cls.parameters})
    bind(cls, plain, settings, call.path, reading)
    call.inputs, call.layer = plain.inputs, plain.layer


def canonical(name: str) -> str:
    """A function's name without its TensorFlow module: `math.add` is `add`; names in `nn` keep theirs."""
    return (
        name.removeprefix("compat.v1.")
        .removeprefix("math.")
        .removeprefix("__operators__.")
        .removeprefix("linalg.")
    )


# -- conversions ---------------------------------------------------------------------------------
def _split(arguments: dict[str, Any]) -> dict[str, Any]:
    """TensorFlow states the sizes of the parts, Keras the indices of the cuts."""
    sizes = arguments.get("indices_or_sections")
    if isinstance(sizes, list) and -1 in sizes[:-1]:
        arguments = arguments | {
            "indices_or_sections": f"the sizes {sizes}, of which the last is not the open one"
        }
    elif isinstance(sizes, list) and all(type(n) is int for n in sizes):
        arguments = arguments | {"indices_or_sections": list(accumulate(sizes))[:-1]}
    return {"axis": 0} | arguments


def _pad(arguments: dict[str, Any]) -> dict[str, Any]:
    mode = arguments.get("mode", "constant")
    return arguments | {"mode": mode.lower() if isinstance(mode, str) else mode}


def _resize(arguments: dict[str, Any]) -> dict[str, Any]:
    arguments = {k: v for k, v in arguments.items() if v is not False}
    return {"interpolation": "bilinear"} | arguments


def _axis_given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"axis": 0} | arguments


def _last_axis(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"axis": -1} | {k: v for k, v in arguments.items() if v is not None}


def _unary(operation: str, *untracked: str, x: str = "x") -> Function:
    return Function(operation, {x: "x", **dict.fromkeys(untracked, "")})


def _binary(operation: str) -> Function:
    return Function(operation, {"x": "x1", "y": "x2"})


def _reduction(operation: str) -> Function:
    return Function(
        operation, {"input_tensor": "x", "axis": "axis", "keepdims": "keepdims", "keep_dims": "keepdims"}
    )


_ELEMENTWISE = (
    "ceil", "cos", "cosh", "erf", "exp", "expm1", "floor", "log", "log1p", "negative", "reciprocal",
    "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh",
)  # fmt: skip
_PAIRS = {
    "add": "add", "add_v2": "add", "subtract": "subtract", "sub": "subtract", "multiply": "multiply",
    "mul": "multiply", "divide": "divide", "div": "divide", "truediv": "true_divide",
    "divide_no_nan": "divide_no_nan", "floordiv": "floor_divide", "floormod": "mod", "mod": "mod",
    "pow": "power", "maximum": "maximum", "minimum": "minimum", "equal": "equal",
    "not_equal": "not_equal", "greater": "greater", "greater_equal": "greater_equal", "less": "less",
    "less_equal": "less_equal", "logical_and": "logical_and", "logical_or": "logical_or",
    "atan2": "arctan2",
}  # fmt: skip
_REDUCTIONS = {
    "reduce_mean": "mean", "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min",
    "reduce_prod": "prod", "reduce_std": "std", "reduce_variance": "var", "reduce_any": "any",
    "reduce_all": "all", "reduce_logsumexp": "logsumexp",
}  # fmt: skip
_FEATURES = {
    "nn.relu": "relu", "nn.relu6": "relu6", "nn.elu": "elu", "nn.selu": "selu", "nn.silu": "silu",
    "nn.swish": "silu", "nn.gelu": "gelu", "nn.softplus": "softplus",
    "softplus": "softplus", "nn.softsign": "softsign", "softsign": "softsign",
}  # fmt: skip

# reductions of a list of tensors over axis 0, by their operation, as the layers that do the same
_MERGES = {"sum": "Add", "mean": "Average", "max": "Maximum", "min": "Minimum", "prod": "Multiply"}
ADD_N = Function("sum", {"inputs": "x"})

FUNCTIONS: dict[str, Function] = {
    "add_n": ADD_N,
    **{name: _unary(name) for name in _ELEMENTWISE},
    **{f"nn.{name}": _unary(name) for name in ("sigmoid", "tanh")},
    **{name: _binary(operation) for name, operation in _PAIRS.items()},
    **{name: _reduction(operation) for name, operation in _REDUCTIONS.items()},
    **{
        name: _unary(operation, "alpha", "beta", "approximate", x="features")
        for name, operation in _FEATURES.items()
    },
    "nn.leaky_relu": Function("leaky_relu", {"features": "x", "alpha": "negative_slope"}),
    "abs": _unary("absolute"),
    "acos": _unary("arccos"),
    "asin": _unary("arcsin"),
    "atan": _unary("arctan"),
    "logical_not": _unary("logical_not"),
    "identity": _unary("copy", x="input"),
    "stop_gradient": _unary("stop_gradient", x="input"),
    "zeros_like": _unary("zeros_like", "dtype", "optimize", x="input"),
    "ones_like": _unary("ones_like", "dtype", "optimize", x="input"),
    "cast": Function("cast", {"x": "x", "dtype": "dtype"}),
    "clip_by_value": Function("clip", {"t": "x", "clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "where": Function("where", {"condition": "condition", "x": "x1", "y": "x2"}),
    "argmax": Function("argmax", {"input": "x", "axis": "axis", "output_type": "", "dimension": ""}),
    "argmin": Function("argmin", {"input": "x", "axis": "axis", "output_type": "", "dimension": ""}),
    "cumsum": Function("cumsum", {"x": "x", "axis": "axis", "exclusive": "", "reverse": ""}, _axis_given),
    "nn.softmax": Function("softmax", {"logits": "x", "axis": "axis"}, _last_axis),
    "softmax": Function("softmax", {"logits": "x", "axis": "axis"}, _last_axis),
    "nn.log_softmax": Function("log_softmax", {"logits": "x", "axis": "axis"}, _last_axis),
    "l2_normalize": Function("normalize", {"x": "x", "axis": "axis", "epsilon": "epsilon", "dim": ""}),
    "norm": Function("norm", {"tensor": "x", "ord": "ord", "axis": "axis", "keepdims": "keepdims"}),
    "reshape": Function("reshape", {"tensor": "x", "shape": "newshape"}),
    "transpose": Function("transpose", {"a": "x", "perm": "axes", "conjugate": ""}),
    "expand_dims": Function("expand_dims", {"input": "x", "axis": "axis"}),
    "squeeze": Function("squeeze", {"input": "x", "axis": "axis", "squeeze_dims": ""}),
    "reverse": Function("flip", {"tensor": "x", "axis": "axis"}),
    "roll": Function("roll", {"input": "x", "shift": "shift", "axis": "axis"}),
    "concat": Function("concatenate", {"values": "xs", "axis": "axis"}),
    "stack": Function("stack", {"values": "x", "axis": "axis"}, _axis_given),
    "unstack": Function("unstack", {"value": "x", "num": "num", "axis": "axis"}, _axis_given),
    "split": Function(
        "split",
        {"value": "x", "num_or_size_splits": "indices_or_sections", "axis": "axis", "num": ""},
        _split,
    ),
    "tile": Function("tile", {"input": "x", "multiples": "repeats"}),
    "repeat": Function("repeat", {"input": "x", "repeats": "repeats", "axis": "axis"}),
    "gather": Function(
        "take",
        {"params": "x", "indices": "indices", "axis": "axis", "validate_indices": "", "batch_dims": ""},
    ),
    "one_hot": Function(
        "one_hot",
        {
            "indices": "x",
            "depth": "num_classes",
            "axis": "axis",
            "on_value": "",
            "off_value": "",
            "dtype": "dtype",
        },
        _last_axis,
    ),
    "pad": Function(
        "pad",
        {"tensor": "x", "paddings": "pad_width", "mode": "mode", "constant_values": "constant_values"},
        _pad,
    ),
    "getitem": Function("get_item", {"tensor": "x", "slice_spec": "key", "var": ""}),
    "matmul": Function(
        "matmul",
        {"a": "x1", "b": "x2", **dict.fromkeys(("a_is_sparse", "b_is_sparse", "output_type"), "")},
    ),
    "tensordot": Function("tensordot", {"a": "x1", "b": "x2", "axes": "axes"}),
    "image.resize": Function(
        "image.resize",
        {"images": "images", "size": "size", "method": "interpolation", "antialias": "antialias"},
        _resize,
    ),
    "nn.depth_to_space": Function(
        "depth_to_space", {"input": "x", "block_size": "block_size", "data_format": ""}
    ),
    "nn.space_to_depth": Function(
        "space_to_depth", {"input": "x", "block_size": "block_size", "data_format": ""}
    ),
}
