"""Sequential models: a chain, whose input may be missing from the file."""

from __future__ import annotations

from typing import Any

from archcalc.layers.core import InputLayer
from archcalc.readers.keras.calls import complete
from archcalc.readers.keras.functional import member_of
from archcalc.readers.keras.inputs import batch_free, open_axes
from archcalc.readers.keras.model import Call, Member, Model, Ref
from archcalc.readers.keras.reading import Reading, printable
from archcalc.readers.keras.values import recorded_shape

UNBUILT = (
    "this Sequential was never built, so the file does not hold its input's shape; "
    "give it (without the batch): --input-shape 32,32,3"
)


def parse_sequential(entry: dict[str, Any], path: str, reading: Reading, *, outer: bool) -> Model:
    """The model that a serialised Sequential states; `path` is that of the serialised object."""
    config = entry.get("config")
    if isinstance(config, list):  # before Keras 2.2.3
        config, at = {"layers": config}, f"{path}.config"
    else:
        config = reading.mapping(config, f"{path}.config", "a Sequential's config")
        at = f"{path}.config.layers"
    name = printable(str(config.get("name") or "sequential"))
    model = Model(name, frozen=config.get("trainable") is False)
    members: list[Member] = []
    names: set[str] = set()
    for i, raw in enumerate(reading.sequence(config.get("layers"), at, "the layers")):
        member = member_of(raw, f"{at}[{i}]", reading, outer=outer)
        if member is None:
            continue
        if member.name in names:
            reading.fault(f"{at}[{i}].config.name", f"the name {member.name!r} stands twice in this model")
        names.add(member.name)
        members.append(member)
    if not members:
        reading.fault(at, "the model has no layers")
        return model
    if members[0].kind != "input":
        members.insert(0, _missing_input(config, members[0], path, reading, outer=outer))
    _chain(model, members)
    for member in members:
        complete(model, member, reading)
    return model


def _missing_input(
    config: dict[str, Any], first: Member, path: str, reading: Reading, *, outer: bool
) -> Member:
    """The input that is not among the layers: from the model's or the first layer's recorded shape."""
    member = Member(f"{first.name}_input", path, {}, "input", "InputLayer")
    if not outer:
        return member
    shape, at = _recorded_input(config, first, path, reading)
    if shape is None and reading.input_shape is None:
        reading.fault(path, UNBUILT)
        return member
    sizes = reading.input_shape if shape is None else open_axes(shape, at, reading)
    if sizes is not None:
        member.layer = InputLayer(shape=sizes)
    return member


def _recorded_input(
    config: dict[str, Any], first: Member, path: str, reading: Reading
) -> tuple[tuple[int | None, ...] | None, str]:
    built = config.get("build_input_shape")
    if built is not None:
        return batch_free(built, f"{path}.config.build_input_shape", reading), f"{path}.config"
    entry, at = first.entry, first.path
    while isinstance(inner := entry.get("config"), dict):
        for key in ("batch_input_shape", "batch_shape"):
            if inner.get(key) is not None:
                return batch_free(inner[key], f"{at}.config.{key}", reading), f"{at}.config.{key}"
        # the first layer may be a model whose first layer states the shape
        layers = inner.get("layers")
        if not isinstance(layers, list) or not layers or not isinstance(layers[0], dict):
            break
        entry, at = layers[0], f"{at}.config.layers[0]"
    return None, path


def _chain(model: Model, members: list[Member]) -> None:
    previous = members[0]
    model.members = {m.name: m for m in members}
    for member in members[1:]:
        ref = Ref(previous.name, 0, 0, member.path)
        built = member.entry.get("build_config")
        model.record(ref, recorded_shape(built.get("input_shape")) if isinstance(built, dict) else None)
        member.calls.append(Call(member.path, [ref], {}))
        previous = member
    model.inputs = Ref(members[0].name, 0, 0, members[0].path)
    model.outputs = Ref(previous.name, 0, 0, previous.path)
