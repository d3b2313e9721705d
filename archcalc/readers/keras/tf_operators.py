"""TensorFlow's operators, which Keras 2.2 and 2.3 stored as `TensorFlowOpLayer`, as its functions.

A node's name and attributes are only looked up in the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archcalc.readers.keras.model import Call, Member
from archcalc.readers.keras.reading import Reading, printable
from archcalc.readers.keras.tf_functions import FUNCTIONS, settle
from archcalc.readers.keras.values import refs

MAX_OPERANDS = 10_000


class Operator(NamedTuple):
    """The function that an operator computes; `operands` names its inputs, in order.

    `attributes` maps attributes of the node to arguments; `fixed` are further arguments. `listed`:
    all operands but those named are one list, the first argument.
    """

    function: str
    operands: tuple[str, ...]
    attributes: Mapping[str, str] = {}
    fixed: Mapping[str, Any] = {}
    listed: str = ""


def operator_call(member: Member, call: Call, reading: Reading) -> None:
    """Fill in a call of an operator; one without a rule leaves `call.layer` None."""
    path = f"{member.path}.config"
    config = reading.mapping(member.entry.get("config"), path, "the arguments of an operator")
    node = config.get("node_def")
    if not isinstance(node, dict) or not isinstance(node.get("op"), str):
        member.reason = "a TensorFlowOpLayer, whose operator the file holds in binary form"
        return
    name, attributes = node["op"], node.get("attr")
    attributes = attributes if isinstance(attributes, dict) else {}
    values = _operands(config.get("constants"), list(refs(call.args)))
    arguments = None if values is None else _arguments(name, values, attributes)
    if arguments is None:
        member.class_name = printable(name)
        member.reason = f"the TensorFlow operator {printable(name)}, which archcalc has no rule for"
        return
    function, stated = arguments
    plain = Call(call.path, [], stated)
    settle(FUNCTIONS[function], plain, reading)
    call.inputs, call.layer = plain.inputs, plain.layer


def _operands(constants: Any, tensors: list[Any]) -> list[Any] | None:
    """All operands in order: constants by their index, tensors at the other indices."""
    by_index: dict[int, Any] = {}
    for key, value in constants.items() if isinstance(constants, dict) else ():
        if not str(key).isdigit() or int(key) >= MAX_OPERANDS:
            return None
        by_index[int(key)] = value
    rest = iter(tensors)
    count = len(by_index) + len(tensors)
    if any(i >= count for i in by_index):
        return None
    return [by_index[i] if i in by_index else next(rest) for i in range(count)]


def _arguments(
    name: str, values: list[Any], attributes: Mapping[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    """The function and its arguments by name; None for an operator without a rule."""
    if name == "StridedSlice":
        return _strided_slice(values, attributes)
    operator = OPERATORS.get(name)
    if operator is None or any(_plain(attributes.get(flag)) for flag in _TRANSPOSED):
        return None
    stated: dict[str, Any] = dict(operator.fixed)
    if operator.listed:
        listed = len(values) - len(operator.operands)
        stated[operator.listed] = values[:listed]
        values = values[listed:]
    if len(values) != len(operator.operands):
        return None
    stated |= dict(zip(operator.operands, values, strict=True))
    stated |= {to: _plain(attributes[k]) for k, to in operator.attributes.items() if k in attributes}
    return operator.function, {k: v for k, v in stated.items() if v is not None}


_TRANSPOSED = ("transpose_a", "transpose_b", "adj_x", "adj_y")


def _plain(attribute: Any) -> Any:
    """The value of an attribute: TensorFlow writes 64-bit integers as text."""
    if not isinstance(attribute, dict) or len(attribute) != 1:
        return None
    ((kind, value),) = attribute.items()
    if kind == "i":
        return _integer(value)
    if kind == "list":
        numbers = value.get("i") if isinstance(value, dict) else None
        return [_integer(v) for v in numbers] if isinstance(numbers, list) else None
    if kind == "type":
        return str(value).removeprefix("DT_").lower().replace("float", "float32")[:20]
    return value


def _integer(value: Any) -> Any:
    if isinstance(value, str) and len(value) < 20 and value.removeprefix("-").isdigit():
        return int(value)
    return value


def _strided_slice(values: list[Any], attributes: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """`x[begin:end:strides]`, whose masks say which of them count."""
    if len(values) != 4 or not all(isinstance(v, list) for v in values[1:]):
        return None
    x, *ends = values
    masks = {k: _plain(attributes.get(f"{k}_mask")) or 0 for k in _MASKS}
    if (
        len({len(e) for e in ends}) != 1
        or len(ends[0]) > 64
        or any(type(m) is not int for m in masks.values())
    ):
        return None
    key: list[Any] = []
    for i, (begin, end, step) in enumerate(zip(*ends, strict=True)):
        marked = {k for k, mask in masks.items() if mask >> i & 1}
        if "ellipsis" in marked:
            key.append(...)
        elif "new_axis" in marked:
            key.append(None)
        elif "shrink_axis" in marked:
            key.append(begin)
        else:
            start, stop = (None if k in marked else n for k, n in (("begin", begin), ("end", end)))
            key.append(slice(start, stop, None if step == 1 else step))
    return "getitem", {"tensor": x, "slice_spec": key}


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")

_PAIRS = {
    "Add": "add", "AddV2": "add", "BiasAdd": "add", "Sub": "subtract", "Mul": "multiply",
    "RealDiv": "divide", "Div": "divide", "DivNoNan": "divide_no_nan", "FloorDiv": "floordiv",
    "FloorMod": "floormod", "Pow": "pow", "Maximum": "maximum", "Minimum": "minimum", "Equal": "equal",
    "NotEqual": "not_equal", "Greater": "greater", "GreaterEqual": "greater_equal", "Less": "less",
    "LessEqual": "less_equal", "LogicalAnd": "logical_and", "LogicalOr": "logical_or", "Atan2": "atan2",
}  # fmt: skip
_OF_X = {
    "Abs": "abs", "Ceil": "ceil", "Cos": "cos", "Cosh": "cosh", "Erf": "erf", "Exp": "exp",
    "Expm1": "expm1", "Floor": "floor", "Log": "log", "Log1p": "log1p", "Neg": "negative",
    "Reciprocal": "reciprocal", "Round": "round", "Rsqrt": "rsqrt", "Sigmoid": "sigmoid", "Sign": "sign",
    "Sin": "sin", "Sinh": "sinh", "Sqrt": "sqrt", "Square": "square", "Tan": "tan", "Tanh": "tanh",
    "LogicalNot": "logical_not",
}  # fmt: skip
_OF_FEATURES = {
    "Relu": "nn.relu", "Relu6": "nn.relu6", "Elu": "nn.elu", "Selu": "nn.selu",
    "Softplus": "nn.softplus", "Softsign": "nn.softsign",
}  # fmt: skip
_REDUCTIONS = {
    "Mean": "reduce_mean", "Sum": "reduce_sum", "Max": "reduce_max", "Min": "reduce_min",
    "Prod": "reduce_prod", "Any": "reduce_any", "All": "reduce_all",
}  # fmt: skip

OPERATORS: Mapping[str, Operator] = {
    **{op: Operator(function, ("x", "y")) for op, function in _PAIRS.items()},
    **{op: Operator(function, ("x",)) for op, function in _OF_X.items()},
    **{op: Operator(function, ("features",)) for op, function in _OF_FEATURES.items()},
    **{
        op: Operator(function, ("input_tensor", "axis"), {"keep_dims": "keepdims"})
        for op, function in _REDUCTIONS.items()
    },
    "LeakyRelu": Operator("nn.leaky_relu", ("features",), {"alpha": "alpha"}),
    "Softmax": Operator("nn.softmax", ("logits",)),
    "LogSoftmax": Operator("nn.log_softmax", ("logits",)),
    "Identity": Operator("identity", ("input",)),
    "StopGradient": Operator("stop_gradient", ("input",)),
    "Cast": Operator("cast", ("x",), {"DstT": "dtype"}),
    "ClipByValue": Operator("clip_by_value", ("t", "clip_value_min", "clip_value_max")),
    "Select": Operator("where", ("condition", "x", "y")),
    "SelectV2": Operator("where", ("condition", "x", "y")),
    "Reshape": Operator("reshape", ("tensor", "shape")),
    "Transpose": Operator("transpose", ("a", "perm")),
    "ExpandDims": Operator("expand_dims", ("input", "axis")),
    "Squeeze": Operator("squeeze", ("input",), {"squeeze_dims": "axis"}),
    "ConcatV2": Operator("concat", ("axis",), listed="values"),
    "Pack": Operator("stack", (), {"axis": "axis"}, listed="values"),
    "Unpack": Operator("unstack", ("value",), {"axis": "axis", "num": "num"}),
    "Split": Operator("split", ("axis", "value"), {"num_split": "num_or_size_splits"}),
    "SplitV": Operator("split", ("value", "num_or_size_splits", "axis")),
    "Tile": Operator("tile", ("input", "multiples")),
    "Pad": Operator("pad", ("tensor", "paddings")),
    "PadV2": Operator("pad", ("tensor", "paddings", "constant_values")),
    "GatherV2": Operator("gather", ("params", "indices", "axis")),
    "ArgMax": Operator("argmax", ("input", "axis")),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2"), Operator("matmul", ("a", "b"))),
    "ResizeBilinear": Operator("image.resize", ("images", "size"), fixed={"method": "bilinear"}),
    "ResizeNearestNeighbor": Operator("image.resize", ("images", "size"), fixed={"method": "nearest"}),
    "DepthToSpace": Operator("nn.depth_to_space", ("input",), {"block_size": "block_size"}),
    "SpaceToDepth": Operator("nn.space_to_depth", ("input",), {"block_size": "block_size"}),
}
