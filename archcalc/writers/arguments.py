"""A layer's arguments as a spec writes them, and separately the sizes among them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, cast

from archcalc import arith
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, Node
from archcalc.layers.base import Layer, Weight
from archcalc.layers.fields import Kind, SpatialKind
from archcalc.layers.inner import Inner, inner_of
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operation
from archcalc.layers.parameter import Parameter

SIZE = {"size": None}  # replaces a size in a pattern


def call_arguments(layer: Layer, owner: Layer) -> dict[str, Any]:
    """What a further call of a layer states: the arguments of Keras's call that its first call has not."""
    return {k: getattr(layer, k) for k in layer.call_arguments if getattr(layer, k) != getattr(owner, k)}


@dataclass(frozen=True)
class Arguments:
    """The type of a layer, and its arguments that differ from their defaults (`data`).

    `pattern` is the JSON of all arguments without sizes; `sizes` lists these as (key, size) in the
    order of the pattern.
    """

    data: dict[str, Any]
    pattern: str
    sizes: tuple[tuple[str, Any], ...]
    defaults: dict[str, Any]


def states_arguments(graph: Graph, node: Node) -> bool:
    """Whether a node has arguments of its own: it owns its weights, or uses those of another layer."""
    if node.shared_with is None:
        return True
    if not isinstance(node.layer, Parameter):
        return False
    owner = graph.nodes[node.shared_with].layer
    return type(owner) is not Parameter or owner.keras_arguments() != node.layer.keras_arguments()


def written(layer: Layer) -> Arguments:
    """What a spec states about a layer besides its name and inputs.

    Raises `ArchcalcError` for sizes that are arrays.
    """
    data: dict[str, Any] = {"type": type(layer).__name__}
    pattern: dict[str, Any] = dict(data)
    sizes: list[tuple[str, Any]] = []
    defaults: dict[str, Any] = {}
    for field in sorted(dataclasses.fields(cast(Any, layer)), key=_reading_order):
        key = layer.spec_key(field.name)
        kind = layer.kinds.get(field.name)
        value = _as_data(getattr(layer, field.name), key, kind, layer)
        if field.default is not dataclasses.MISSING:
            default = field.default
            if kind is not None and default is not None:
                default = kind.normalise(default, layer.rank)
            defaults[key] = _as_data(default, key, kind, layer)
            if default is None and (key, value) in _UNSTATED and not _is_cast(layer, key):
                value = None
        if key not in defaults or value != defaults[key]:
            data[key] = value
        holds_sizes = kind is not None and kind.holds_sizes
        pattern[key] = _without(value, key, sizes) if holds_sizes else value
    return Arguments(data, json.dumps(pattern, default=str), tuple(sizes), defaults)


# arguments that people write first, in this order
_FIRST = (
    *("filters", "units", "kernel_size", "pool_size", "strides", "padding", "dilation_rate", "groups"),
    *("depth_multiplier", "activation", "use_bias"),
)


def _reading_order(field: dataclasses.Field[Any]) -> tuple[int, bool]:
    position = _FIRST.index(field.name) if field.name in _FIRST else len(_FIRST)
    return (position, field.default is not dataclasses.MISSING)


def _as_data(value: Any, key: str, kind: Kind | None, layer: Layer) -> Any:
    if isinstance(layer, Operation):
        return _plain(value)  # the functions of Keras take no single size for several axes
    if isinstance(kind, SpatialKind) and isinstance(value, tuple) and len(set(map(str, value))) == 1:
        value = value[0]
    elif key in ("padding", "cropping") and isinstance(value, tuple):
        value = _margins(value)
    return _plain(value)


# what Keras writes where the user stated nothing
_UNSTATED = (("activation", "linear"), ("data_format", "channels_last"), ("dtype", "float32"))


def _is_cast(layer: Layer, key: str) -> bool:
    return key == "dtype" and isinstance(layer, Operation)


def with_sizes(arguments: Arguments, sizes: list[Any]) -> dict[str, Any]:
    """The arguments with `sizes` in place of their own sizes."""
    left = iter(sizes)
    filled = {key: _filled(value, left) for key, value in json.loads(arguments.pattern).items()}
    defaults = arguments.defaults
    return {k: v for k, v in filled.items() if k not in defaults or v != defaults[k]}


def _without(value: Any, key: str, sizes: list[tuple[str, Any]]) -> Any:
    if isinstance(value, list):
        return [_without(v, key, sizes) for v in value]
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    sizes.append((key, value))
    return SIZE


def _filled(value: Any, left: Any) -> Any:
    if value == SIZE:
        return next(left)
    return [_filled(v, left) for v in value] if isinstance(value, list) else value


def marks(value: dict[str, Any]) -> tuple[str, ...]:
    """The keys of a serialised object that say where Keras had it, and that nobody needs to read it."""
    if "class_name" not in value or "config" not in value:
        return ()
    of_keras = str(value.get("module") or "keras").split(".")[0] in ("keras", "tf_keras", "keras_core")
    where = ("module", "registered_name") if of_keras else ()
    return (*where, "shared_object_id", "build_config", "compile_config")


def _margins(value: tuple[Any, ...]) -> Any:
    """`((1, 1), (1, 1))` as 1, `((1, 1), (2, 2))` as (1, 2)."""
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return value
    if any(str(before) != str(after) for before, after in value):
        return value
    sides = tuple(before for before, _ in value)
    return sides[0] if len(set(map(str, sides))) == 1 else sides if len(sides) > 1 else value


def _plain(value: Any) -> Any:
    """A value as JSON: tuples as lists, expressions as text, constants as their elements."""
    if isinstance(value, Expr):
        return str(value)
    if isinstance(value, Unknown):
        raise ArchcalcError(f"a spec cannot hold an unknown figure: {value.reason}")
    if isinstance(value, Constant):
        return value.value
    if isinstance(value, Inner):
        named = {} if value.name == inner_of(value.layer).name else {"name": value.name}
        return {**written(value.layer).data, **named}
    if isinstance(value, Weight):
        return {"name": value.name, "shape": _plain(value.shape), "trainable": value.trainable}
    if value is ...:
        return "..."
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in marks(value)}
    if arith.is_array(value):
        raise ArchcalcError("a spec holds one network; this one has arrays for sizes")
    return value
