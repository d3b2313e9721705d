"""Values inside a call's arguments: tensors, slices, constants, and plain data.

Keras 3 writes `{"class_name": "__keras_tensor__", "config": {...}}`; Keras 2 writes
`[name, call, output, {arguments}]`, and `["_CONSTANT_VALUE", -1, value, {...}]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archcalc.layers.operand import Constant
from archcalc.readers.keras.model import Ref
from archcalc.readers.keras.reading import Reading, printable
from archcalc.readers.names import show as brief


def decode(value: Any, path: str, reading: Reading) -> Any:
    """A Keras 3 value with every tensor as `Ref`, slice as `slice`, constant as `Constant`."""
    if isinstance(value, list):
        return [decode(v, f"{path}[{i}]", reading) for i, v in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kind, config = value.get("class_name"), value.get("config")
    if kind is None or "config" not in value:
        return {k: decode(v, f"{path}.{k}", reading) for k, v in value.items()}
    if kind == "__ellipsis__":
        return Ellipsis
    if kind not in ("__keras_tensor__", "__slice__", "__tensor__", "__numpy__", "__bytes__"):
        return value
    inner = f"{path}.config"
    config = reading.mapping(config, inner, f"the config of {kind}")
    if kind == "__keras_tensor__":
        return _tensor(config, inner, reading)
    if kind == "__slice__":
        return slice(*(decode(config.get(k), f"{inner}.{k}", reading) for k in ("start", "stop", "step")))
    return constant(config.get("value"), str(config.get("dtype", "float32")), f"{inner}.value", reading)


def _tensor(config: dict[str, Any], path: str, reading: Reading) -> Ref | None:
    ref = reference(config.get("keras_history"), f"{path}.keras_history", reading)
    return None if ref is None else ref._replace(shape=recorded_shape(config.get("shape")))


def reference(value: Any, path: str, reading: Reading) -> Ref | None:
    """`[layer, call, output]` as a `Ref`; None, with a fault noted, if it is something else."""
    if is_reference(value):
        return Ref(printable(value[0]), value[1], value[2], path)
    reading.fault(path, f"expected [layer name, call number, output number], got {brief(value)}")
    return None


def is_reference(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and all(type(v) is int and 0 <= v < 2**31 for v in value[1:3])
        and (len(value) == 3 or isinstance(value[3], dict))
    )


def references(value: Any, path: str, reading: Reading) -> Any:
    """The structure (lists, dictionaries) of references that a model's inputs or outputs form."""
    if isinstance(value, dict):
        return {k: references(v, f"{path}.{k}", reading) for k, v in value.items()}
    if isinstance(value, list) and not (value and isinstance(value[0], str)):
        return [references(v, f"{path}[{i}]", reading) for i, v in enumerate(value)]
    return reference(value, path, reading)


def recorded_shape(value: Any) -> tuple[int | None, ...] | None:
    """A shape as the file records it, without the batch axis; None where it records none."""
    if not isinstance(value, list | tuple) or not value:
        return None
    if not all(v is None or (type(v) is int and v >= 0) for v in value):
        return None
    return tuple(value[1:])


# -- Keras 2 -----------------------------------------------------------------------------------
CONSTANT = "_CONSTANT_VALUE"


def decode_legacy(node: Any, path: str, reading: Reading) -> tuple[list[Any], dict[str, Any]]:
    """(positional arguments, keyword arguments) of a call that Keras 2 wrote."""
    keywords: dict[str, Any] = {}

    def first(value: Any, at: str) -> Any:
        if isinstance(value, dict):
            return {k: first(v, f"{at}.{k}") for k, v in value.items()}
        if not isinstance(value, list):
            reading.fault(at, f"expected [layer name, call number, output number, ...], got {brief(value)}")
            return None
        if value and isinstance(value[0], str):
            if len(value) == 4 and isinstance(value[3], dict):
                # every leaf repeats the call's arguments
                for k, v in value[3].items():
                    keywords.setdefault(k, _legacy_argument(v, f"{at}[3].{k}", reading))
            if value[0] == CONSTANT and len(value) >= 3:
                return _legacy_argument(value[2], f"{at}[2]", reading)
            return reference(value, at, reading)
        return [first(v, f"{at}[{i}]") for i, v in enumerate(value)]

    tree = first(node, path)
    if isinstance(tree, list) and len(tree) == 1:
        (tree,) = tree
    return [tree], keywords


def _legacy_argument(value: Any, path: str, reading: Reading) -> Any:
    if isinstance(value, dict):
        if value.get("class_name") == "__ellipsis__":
            return Ellipsis
        if set(value) == {"start", "stop", "step"}:
            return slice(value["start"], value["stop"], value["step"])
        return {k: _legacy_argument(v, f"{path}.{k}", reading) for k, v in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) >= 3 and value[0] == CONSTANT:
        return _legacy_argument(value[2], f"{path}[2]", reading)
    if len(value) == 3 and is_reference(value):
        return reference(value, path, reading)
    return [_legacy_argument(v, f"{path}[{i}]", reading) for i, v in enumerate(value)]


# -- trees -------------------------------------------------------------------------------------
def constant(value: Any, dtype: str, path: str, reading: Reading) -> Any:
    """A number as it is, nested lists of numbers as `Constant`."""
    try:
        return Constant.of(value, dtype)
    except ValueError as fault:
        reading.fault(path, str(fault))
        return None


def refs(tree: Any) -> Iterator[Ref]:
    """Every tensor inside a decoded value, in Keras's order."""
    if isinstance(tree, Ref):
        yield tree
    elif isinstance(tree, dict):
        for key in sorted(tree, key=str):
            yield from refs(tree[key])
    elif isinstance(tree, list):
        for item in tree:
            yield from refs(item)
    elif isinstance(tree, slice):
        yield from refs([tree.start, tree.stop, tree.step])
