"""From a class name and its serialised arguments to a layer's declaration."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from archcalc.errors import ArchcalcError, LayerError
from archcalc.layers.activations import ACTIVATIONS, ARGUMENTS, FOREIGN, LAYERS, ROWS
from archcalc.layers.base import Layer
from archcalc.layers.dtypes import canonical
from archcalc.layers.fields import FieldError, NamedKind
from archcalc.layers.homes import LAYERS as LAYER_HOMES
from archcalc.layers.initializers import INITIALIZERS
from archcalc.layers.inner import InnerKind, inner_of
from archcalc.layers.registry import layer_type
from archcalc.readers.json_text import member
from archcalc.readers.keras.generations import current
from archcalc.readers.keras.identify import identify
from archcalc.readers.keras.legacy import ACTIVATION_NAMES, modern
from archcalc.readers.keras.reading import Reading
from archcalc.readers.keras.statements import IDENTITY
from archcalc.readers.names import show

_FUNCTIONS = {layer: function for function, layer in LAYERS.items()}
_OF_EVERY_LAYER = ("name", "trainable", "dtype")


def declare(class_name: str, config: dict[str, Any], path: str, reading: Reading) -> Layer | None:
    """The layer that a Keras class and its arguments describe; None, with faults noted, if they are invalid.

    `path` is the JSON path of the arguments. Equal descriptions give one object, of which a deep network has
    few: what follows from a layer is then worked out once.
    """
    stated = {k: v for k, v in config.items() if k != "name"}
    try:
        key = class_name, json.dumps(stated)
    except (TypeError, ValueError, RecursionError):  # of a live model: other objects than JSON has
        return _declare(class_name, stated, path, reading)
    if key in reading.declared:
        return reading.declared[key]
    said = len(reading.faults), len(reading.left_out)
    layer = _declare(class_name, stated, path, reading)
    if said == (len(reading.faults), len(reading.left_out)):  # else the next one has to be named, too
        reading.declared[key] = layer
    return layer


def _declare(class_name: str, stated: dict[str, Any], path: str, reading: Reading) -> Layer | None:
    cls = layer_type(class_name)
    assert cls is not None
    return construct(cls, modern(class_name, stated), path, reading)


def construct(cls: type[Layer], arguments: dict[str, Any], path: str, reading: Reading) -> Layer | None:
    """A layer of this class; None, with a fault noted at the path of each invalid argument."""
    known = {cls.spec_key(f.name): f for f in dataclasses.fields(cls)}
    faults = len(reading.faults)
    values: dict[str, Any] = {}
    for key, value in arguments.items():
        if key not in known:
            if value is not None:
                hint = reading.hint(key, known)
                reading.fault(member(path, key), f"{cls.__name__} has no argument {show(key)} here{hint}")
            continue
        values[key] = (
            dtype_name(value) if key == "dtype" else _plain(cls, key, value, f"{path}.{key}", reading)
        )
    for name, field in known.items():
        if name not in arguments and field.default is dataclasses.MISSING:
            reading.fault(path, f"{cls.__name__} needs {name!r}")
    if len(reading.faults) == faults:
        try:
            return cls(**{known[k].name: v for k, v in values.items()})
        except ArchcalcError as fault:
            refusal = f"{cls.__name__}: {fault}" if isinstance(fault, LayerError) else str(fault)
    # the constructor stops at its first fault
    for key, value in values.items():
        try:
            if known[key].name in cls.kinds:
                cls.kinds[known[key].name].normalise(value, cls.rank)
        except FieldError as fault:
            reading.fault(f"{path}.{key}", f"{cls.__name__}: {fault}")
    if len(reading.faults) == faults:
        reading.fault(path, refusal)
    return None


def _plain(cls: type[Layer], key: str, value: Any, path: str, reading: Reading) -> Any:
    """Serialised activations as names; initialisers that are not Keras's own as None (not known)."""
    kind = cls.kinds.get(key)
    if isinstance(kind, InnerKind):
        return inner_layers(value, path, reading)
    if not isinstance(kind, NamedKind):
        return value
    if kind.names() is INITIALIZERS:
        if value is not None and _name(value) not in INITIALIZERS:
            reading.left_out.append(f"{key}: {show(_name(value))} at {path}, which is not Keras's own")
            return None
        return value
    if kind.names() is not ACTIVATIONS:
        return value
    if isinstance(value, dict):
        value = _activation(value, path, reading)
    value = ACTIVATION_NAMES.get(value, value) if isinstance(value, str) else value
    if not isinstance(value, str) or value in ACTIVATIONS or value in RESHAPING:
        return value
    return _foreign(cls, value, path, reading)


def _foreign(cls: type[Layer], value: str, path: str, reading: Reading) -> str:
    """A function of another package: what `--as` says it is, or one of which only its place is known."""
    reading.functions[value] = None
    names = (value, value.rpartition(">")[2])
    name = next((n for n in names if n in reading.statements.types), None)
    if name is not None:
        reading.used.add(name)
        target = reading.statements.types[name]
        return "linear" if target == IDENTITY else target
    if not reading.allow_unknown:
        hint = reading.hint(value, ACTIVATIONS)
        text = f"{cls.__name__}: unknown activation {show(value)}{hint}"
        reading.fault(path, f"{text}; {FUNCTION_REMEDY.format(show(names[1])[1:-1])}")
    return FOREIGN


FUNCTION_REMEDY = (
    "--allow-unknown (allow_unknown=True) leaves its slope unknown, --as {}=relu says what it is"
)
RESHAPING = frozenset({"crelu", "concat_relu"})  # functions whose output has more channels than their input


def inner_layers(value: Any, path: str, reading: Reading) -> Any:
    """Layers serialised inside a layer's arguments; None, with faults noted, for those without a rule."""
    if isinstance(value, list):
        layers = [inner_layers(v, f"{path}[{i}]", reading) for i, v in enumerate(value)]
        return None if any(v is None for v in layers) else layers
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    identity = identify(value, path, reading)
    if identity is None:
        return None
    if identity.name == "Lambda" and reading.allow_unknown:
        return _inner_lambda(value)
    if identity.kind != "layer":
        what = f"is {identity.reason}" if identity.kind == "unknown" else "has no rule there"
        what += "; --allow-unknown (allow_unknown=True) continues" if identity.name == "Lambda" else ""
        reading.fault(path, f"{show(identity.name)}, in a layer's arguments, {what}")
        return None
    stated = value.get("config") if identity.config is None else identity.config
    config = reading.mapping(stated, f"{path}.config", "the arguments of a layer")
    layer = declare(identity.name, config, f"{path}.config", reading)
    return None if layer is None else inner_of(layer, config.get("name"))


def _inner_lambda(entry: dict[str, Any]) -> Any:
    """A Lambda inside another layer: it has no weights, and the shape that it states or that of its input."""
    from archcalc.layers.opaque import SAME, Opaque

    stated = entry.get("config")
    config = stated if isinstance(stated, dict) else {}
    shape = config.get("output_shape")
    states = isinstance(shape, list) and bool(shape) and all(type(n) is int and n > 0 for n in shape)
    layer = Opaque(
        stated_shape=tuple(shape) if states else SAME,  # type: ignore[arg-type]
        stated_weights=(),
        class_name="Lambda",
        assumed="" if states else KEPT,
    )
    return inner_of(layer, config.get("name"))


KEPT = "its output is taken to have the shape of its input, since the file records none"


def plain_activation(value: Any) -> Any:
    """A serialised function of Keras by its name; other values as they are."""
    function = value.get("config") if _name(value) == "function" and isinstance(value, dict) else None
    return ACTIVATION_NAMES.get(function, function) if isinstance(function, str) else value


def _name(value: Any) -> Any:
    name = value.get("class_name") if isinstance(value, dict) else value
    return name if isinstance(name, str) else None


def _activation(value: dict[str, Any], path: str, reading: Reading) -> Any:
    config, class_name = value.get("config"), _name(value)
    if class_name == "function" and isinstance(config, str):
        registered = value.get("registered_name")
        # a function that others registered is theirs, whatever its name
        return registered if isinstance(registered, str) and ">" in registered else config
    if class_name is not None and isinstance(config, dict):
        class_name, config, _ = current(class_name, config, reading.version)
        config = {k: v for k, v in modern(class_name, config).items() if k not in _OF_EVERY_LAYER}
    if isinstance(config, dict) and class_name in {known.layer[0] for known in ROWS.values() if known.layer}:
        # a layer that Keras accepts where it expects the name of a function
        defaults = layer_type(class_name)
        for name, known in ROWS.items():
            kind, arguments = known.layer or ("", {})
            if kind == class_name and all(
                config.get(k, getattr(defaults, k)) == v for k, v in arguments.items()
            ):
                return name
        function = _FUNCTIONS.get(class_name)
        if function is not None:
            stated = {k: getattr(defaults, k) for k in ARGUMENTS[function]} | config
            return {"class_name": function, "config": {k: v for k, v in stated.items() if v is not None}}
        reading.fault(
            path, f"{class_name} with these arguments is used as an activation; make it a separate layer"
        )
        return None
    if isinstance(class_name, str) and class_name in LAYER_HOMES and class_name not in ACTIVATIONS:
        reading.fault(
            path, f"{class_name} is a layer that is used as an activation; make it a separate layer"
        )
        return None
    return value


def dtype_name(value: Any) -> Any:
    """A dtype policy by name: `float32`, `mixed_float16`, `int8_from_float32`."""
    if not isinstance(value, dict):
        return canonical(value) if isinstance(value, str) else None
    config = value.get("config")
    if not isinstance(config, dict):
        return None
    if "mode" in config:
        return f"{config['mode']}_from_{config.get('source_name')}"
    if isinstance(config.get("default_policy"), dict):
        return dtype_name(config["default_policy"])
    name = config.get("name")
    return canonical(name) if isinstance(name, str) else None
