"""A model of a class that keeps its layers to itself, as one layer: its file holds weights and no graph."""

from __future__ import annotations

from typing import Any

from archcalc.arith.unknown import Unknown
from archcalc.layers.core import InputLayer
from archcalc.readers.keras.calls import complete
from archcalc.readers.keras.identify import identify
from archcalc.readers.keras.inputs import batch_free, open_axes
from archcalc.readers.keras.model import Call, Member, Model, Ref, leaves
from archcalc.readers.keras.reading import Reading, printable
from archcalc.readers.names import show

SUBCLASSED = (
    "a subclassed model, whose layers only its Python code knows; build the same network with "
    "keras.Model(inputs, outputs), or write it as a spec; --allow-unknown (allow_unknown=True) takes it as "
    "one layer with the weights that the file stores"
)
UNSTATED = Unknown("the file does not state the shape of the model's input (--input-shape)")


def parse_whole(data: dict[str, Any], root: str, reading: Reading) -> Model | None:
    """A model with one layer, which is the serialised model; None, with a fault noted, if it is refused."""
    identity = identify(data, root, reading)
    if identity is None:
        return None
    # a functional model or a Sequential without a list of layers is a damaged file
    if identity.kind in ("functional", "sequential") or (
        identity.kind == "unknown" and not reading.allow_unknown
    ):
        reading.fault(root, f"{show(data['class_name'])} is {SUBCLASSED}")
        return None
    entry = data if identity.config is None else {**data, "config": identity.config}
    config = entry.get("config")
    stated = config.get("name") if isinstance(config, dict) else None
    name = printable(stated if isinstance(stated, str) and stated else identity.name)
    member = Member(name, root, entry, identity.kind, identity.name, "a subclassed model", rule=identity.rule)
    reading.whole = reading.row(name)
    reading.rows[reading.whole] = None
    model = Model(
        name, legacy=False, outer=True, frozen=isinstance(config, dict) and config.get("trainable") is False
    )
    tensors = _inputs(model, entry, root, reading)
    model.members[name] = member
    member.calls.append(Call(root, tensors, {}))
    model.inputs, model.outputs = tensors, Ref(name, 0, 0, root)
    complete(model, member, reading)
    return model


def _inputs(model: Model, entry: dict[str, Any], root: str, reading: Reading) -> list[Any]:
    """An input for every shape with which the model was built; one of unknown sizes if none is recorded."""
    built = entry.get("build_config")
    stated = built.get("input_shape", built.get("shapes_dict")) if isinstance(built, dict) else None
    shapes = [stated] if _is_shape(stated) else [s for s in leaves(_marked(stated)) if _is_shape(s)]
    tensors = []
    for i, shape in enumerate(shapes or [None]):
        name = f"input_{i + 1}" if len(shapes) > 1 else "input"
        path = f"{root}.build_config[{i}]"
        free = None if shape is None else batch_free(list(shape), path, reading)
        if free is None:
            sizes: Any = reading.input_shape or (UNSTATED,)
        else:
            sizes = open_axes(free, path, reading)
        layer = None if sizes is None else InputLayer(shape=sizes)
        model.members[name] = Member(name, path, {}, "input", "InputLayer", layer=layer)
        tensors.append(Ref(name, 0, 0, path))
    return tensors


def _is_shape(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(n is None or type(n) is int for n in value)


def _marked(value: Any) -> Any:
    """Nested shapes with tuples in place of shapes, so that these are leaves."""
    if _is_shape(value):
        return tuple(value)
    if isinstance(value, dict):
        return {str(k): _marked(v) for k, v in value.items()}
    return [_marked(v) for v in value] if isinstance(value, list) else None
