"""Functional and Sequential models: named layers, and the input tensors of each of their calls.

A Sequential is a chain whose input may be missing from the file.
"""

from __future__ import annotations

from typing import Any

from archcalc.layers.core import InputLayer
from archcalc.layers.keras_names import from_keras_name
from archcalc.readers.keras.calls import complete
from archcalc.readers.keras.identify import identify
from archcalc.readers.keras.inputs import batch_free, input_layer, open_axes
from archcalc.readers.keras.model import Call, Member, Model, Ref, leaves
from archcalc.readers.keras.read_shapes import keep_batch
from archcalc.readers.keras.reading import Reading, printable
from archcalc.readers.keras.statements import class_named
from archcalc.readers.keras.values import decode, decode_legacy, recorded_shape, references, refs
from archcalc.readers.names import MAX_NAME
from archcalc.readers.names import show as brief

MAX_STEPS = 10  # TimeDistributed around TimeDistributed


def parse_functional(config: dict[str, Any], path: str, reading: Reading, *, outer: bool) -> Model:
    """The model that a Functional configuration describes; `path` is that of the configuration."""
    frozen = config.get("trainable") is False
    model = Model(printable(str(config.get("name") or "model")), frozen=frozen, outer=outer)
    entries = reading.sequence(config.get("layers"), f"{path}.layers", "the layers")
    for i, entry in enumerate(entries):
        at = f"{path}.layers[{i}]"
        member = member_of(entry, at, reading, outer=outer)
        if member is None:
            continue
        if member.name in model.members:
            reading.fault(f"{at}.name", f"the name {member.name!r} appears twice in this model")
        model.members[member.name] = member
    model.legacy = any(isinstance(n, list) for m in model.members.values() for n in _nodes(m, reading))
    for member in model.members.values():
        _read_calls(member, reading)
    model.inputs = _ends(config, "input_layers", path, reading)
    model.outputs = _ends(config, "output_layers", path, reading)
    _renumber(model)
    if not list(leaves(model.inputs)):
        reading.fault(f"{path}.input_layers", "the model has no inputs")
    if not list(leaves(model.outputs)):
        reading.fault(f"{path}.output_layers", "the model has no outputs")
    keep_batch(model)
    for member in model.members.values():
        _note_shapes(model, member)
    for member in model.members.values():
        complete(model, member, reading)
    return model


def member_of(entry: Any, path: str, reading: Reading, *, outer: bool) -> Member | None:
    """The part of a model that an entry of `layers` describes; None, with faults noted, if it is invalid."""
    if not reading.mapping(entry, path, "a layer"):
        if isinstance(entry, dict):
            reading.fault(path, "an empty layer")
        return None
    name = reading.text(entry.get("name") or _config(entry).get("name"), f"{path}.name", "a layer's name")
    identity = identify(entry, path, reading)
    if name is None or identity is None:
        return None
    if len(name) > MAX_NAME:
        reading.fault(f"{path}.name", f"a name of {len(name):,} characters (limit {MAX_NAME}): {brief(name)}")
        return None
    if identity.config is not None:
        entry = {**entry, "config": identity.config}
    member = Member(printable(name), path, entry, identity.kind, identity.name, identity.reason)
    member.rule = identity.rule
    if reading.statements.given():
        _note_row(member, reading)
    if identity.kind == "input":
        config = reading.mapping(entry.get("config"), f"{path}.config", "the arguments of an input")
        # the inputs of a nested model are the tensors that it is called with
        member.layer = input_layer(config, f"{path}.config", reading) if outer else None
    elif identity.name == "TimeDistributed":
        _distribute(member, reading)
    elif identity.kind in ("functional", "sequential"):
        member.model = nested(entry, identity.kind, member.name, path, reading)
        if member.model is None:
            member.kind, member.reason = "unknown", HIDDEN
    return member


HIDDEN = "a model of your own code, whose layers the file does not hold"


def _note_row(member: Member, reading: Reading) -> None:
    """Note the name of a layer's row, and whether `--as` says what it is."""
    row = reading.row(member.name)
    reading.rows[row] = None
    kind = class_named(member.entry, reading) if member.kind == "layer" else None
    if kind is not None:
        reading.claimed[row] = kind


def _distribute(member: Member, reading: Reading) -> None:
    """Make a TimeDistributed around a model a nested model, whose layers then run at every step."""
    entry, path, steps = member.entry, member.path, 0
    while steps < MAX_STEPS:
        inner, path = _config(entry).get("layer"), f"{path}.config.layer"
        if not isinstance(inner, dict) or not isinstance(inner.get("class_name"), str):
            return
        entry, steps = inner, steps + 1
        identity = identify(entry, path, reading)
        if identity is None or identity.name != "TimeDistributed":
            break
    if identity is None or identity.kind not in ("functional", "sequential"):
        return
    inner = str(entry.get("name") or _config(entry).get("name") or identity.kind)
    model = nested(entry, identity.kind, f"{member.name}/{inner}", path, reading)
    if model is None:
        member.kind, member.reason = "unknown", "a TimeDistributed around a model of your own code"
        return
    model.frozen = model.frozen or _config(member.entry).get("trainable") is False
    member.kind, member.model, member.steps = identity.kind, model, steps


def nested(entry: dict[str, Any], kind: str, name: str, path: str, reading: Reading) -> Model | None:
    """A nested model; None for one that only its Python code describes."""
    config = _config(entry)
    if kind != "sequential" and ("layers" not in config or "output_layers" not in config):
        return None
    reading.inside.append(from_keras_name(name))
    try:
        if kind == "sequential":
            return parse_sequential(entry, path, reading, outer=False)
        return parse_functional(config, f"{path}.config", reading, outer=False)
    finally:
        reading.inside.pop()


def _config(entry: dict[str, Any]) -> dict[str, Any]:
    config = entry.get("config")
    return config if isinstance(config, dict) else {}


def _nodes(member: Member, reading: Reading) -> list[Any]:
    nodes = member.entry.get("inbound_nodes")
    if nodes is None or member.kind == "input":
        return []
    return reading.sequence(nodes, f"{member.path}.inbound_nodes", "the calls of a layer")


def _read_calls(member: Member, reading: Reading) -> None:
    for i, node in enumerate(_nodes(member, reading)):
        at = f"{member.path}.inbound_nodes[{i}]"
        if isinstance(node, dict):
            args = reading.sequence(node.get("args", []), f"{at}.args", "positional arguments")
            kwargs = reading.mapping(node.get("kwargs", {}), f"{at}.kwargs", "keyword arguments")
            decoded = (
                [decode(v, f"{at}.args[{k}]", reading) for k, v in enumerate(args)],
                {k: decode(v, f"{at}.kwargs.{k}", reading) for k, v in kwargs.items()},
            )
        elif isinstance(node, list):
            decoded = decode_legacy(node, at, reading)
        else:
            reading.fault(at, f"expected a call (an object or a list), got {brief(node)}")
            continue
        member.calls.append(Call(at, *decoded))


def _ends(config: dict[str, Any], key: str, path: str, reading: Reading) -> Any:
    value = config.get(key)
    if value is None:
        reading.fault(f"{path}.{key}", f"a Functional model needs {key}")
        return None
    return references(value, f"{path}.{key}", reading)


def _renumber(model: Model) -> None:
    """Make every reference count a member's calls from 0.

    Keras numbers the calls of a nested model from 1, because call 0 created it: Keras 2
    everywhere, Keras 3 only for Functional models and only in `output_layers`.
    """

    def shifted(tree: Any, kinds: tuple[str, ...]) -> Any:
        if isinstance(tree, dict):
            return {k: shifted(v, kinds) for k, v in tree.items()}
        if isinstance(tree, list):
            return [shifted(v, kinds) for v in tree]
        if isinstance(tree, slice):
            return slice(*(shifted(v, kinds) for v in (tree.start, tree.stop, tree.step)))
        member = model.members.get(getattr(tree, "member", ""))
        if member is not None and member.kind in kinds and not member.steps:
            return tree._replace(call=tree.call - 1)
        return tree

    if model.legacy:
        models = ("functional", "sequential")
        for member in model.members.values():
            for call in member.calls:
                call.args, call.kwargs = shifted(call.args, models), shifted(call.kwargs, models)
        model.outputs = shifted(model.outputs, models)
    else:
        model.outputs = shifted(model.outputs, ("functional",))


def _note_shapes(model: Model, member: Member) -> None:
    """Collect the shapes that the file records for tensors: in Keras 3's tensors, or per built layer."""
    for number, call in enumerate(member.calls):
        taken = list(refs([call.args, call.kwargs]))
        for ref in taken:
            model.record(ref, ref.shape)
        if number == 0:
            built = member.entry.get("build_config")
            shape = built.get("input_shape") if isinstance(built, dict) else None
            several = isinstance(shape, list) and bool(shape) and isinstance(shape[0], list)
            shapes = shape if several and shape is not None else [shape]
            if len(shapes) == len(taken):
                for ref, stated in zip(taken, shapes, strict=True):
                    model.record(ref, recorded_shape(stated))


# -- sequential ------------------------------------------------------------------------------------
def parse_sequential(entry: dict[str, Any], path: str, reading: Reading, *, outer: bool) -> Model:
    """The model that a serialised Sequential describes; `path` is that of the serialised object."""
    config = reading.mapping(_listed(entry.get("config")), f"{path}.config", "a Sequential's config")
    at = f"{path}.config" if isinstance(entry.get("config"), list) else f"{path}.config.layers"
    name = printable(str(config.get("name") or "sequential"))
    model = Model(name, frozen=config.get("trainable") is False, outer=outer)
    members: list[Member] = []
    names: set[str] = set()
    for i, raw in enumerate(reading.sequence(config.get("layers"), at, "the layers")):
        member = member_of(_named(raw, i), f"{at}[{i}]", reading, outer=outer)
        if member is None:
            continue
        if member.name in names:
            reading.fault(f"{at}[{i}].config.name", f"the name {member.name!r} appears twice in this model")
        names.add(member.name)
        members.append(member)
    if not members:
        if not reading.faults:
            reading.fault(at, "the model has no layers")
        return model
    if members[0].kind != "input":
        members.insert(0, _missing_input(config, members[0], path, reading, outer=outer))
    _chain(model, members)
    for member in members:
        complete(model, member, reading)
    return model


def _listed(config: Any) -> Any:
    """A Sequential's config; before Keras 2.2.3 it was the list of layers."""
    return {"layers": config} if isinstance(config, list) else config


def _named(entry: Any, number: int) -> Any:
    """A nested Sequential as Keras wrote it before 2.2.3, as a list of layers alone, with a name."""
    if isinstance(entry, dict) and isinstance(entry.get("config"), list) and "name" not in entry:
        return {**entry, "name": f"sequential_{number + 1}"}
    return entry


def _missing_input(
    config: dict[str, Any], first: Member, path: str, reading: Reading, *, outer: bool
) -> Member:
    """The input that the list of layers lacks; its shape is recorded by the model or its first layer."""
    member = Member(f"{first.name}_input", path, {}, "input", "InputLayer")
    if not outer:
        return member
    shape, at = _recorded_input(config, first, path, reading)
    if shape is None and reading.input_shape is None:
        if not reading.faults:  # else it may be what is at fault
            reading.fault("", reading.unbuilt)
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
    while isinstance(inner := _listed(entry.get("config")), dict):
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
