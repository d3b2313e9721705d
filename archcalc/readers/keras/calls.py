"""The calls of a member: the input tensors of each in order, and its layer with the call's arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archcalc import arith
from archcalc.arith.unknown import Unknown
from archcalc.layers.base import Layer
from archcalc.readers.keras.declare import KEPT, construct, declare
from archcalc.readers.keras.identify import is_keras
from archcalc.readers.keras.model import Call, Member, Model, Ref, leaves
from archcalc.readers.keras.reading import SHAPE_REMEDY, UNKNOWN_REMEDY, Reading
from archcalc.readers.keras.statements import stated_shape
from archcalc.readers.keras.values import recorded_shape, refs
from archcalc.readers.names import show as brief

# layers whose calls take more than `inputs`: their tensor arguments, in the order of the layer's inputs
TENSORS = {
    "MultiHeadAttention": ("query", "value", "key"),
    "GroupQueryAttention": ("query", "value", "key"),
}

# the arguments of calls in Keras's order, for those that may be given by position
_OF_HEADS = (
    *("query_mask", "value_mask", "key_mask", "attention_mask"),
    *("return_attention_scores", "training", "use_causal_mask"),
)
_OF_SCORES = ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask")
_OF_SEQUENCES = ("sequences", "initial_state", "mask", "training")
POSITIONS: Mapping[str, tuple[str, ...]] = {
    **{name: (*tensors, *_OF_HEADS) for name, tensors in TENSORS.items()},
    **dict.fromkeys(("Attention", "AdditiveAttention"), _OF_SCORES),
    **dict.fromkeys(("BatchNormalization", "TimeDistributed"), ("inputs", "training", "mask")),
    **dict.fromkeys(("GlobalAveragePooling1D", "Softmax"), ("inputs", "mask")),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"), _OF_SEQUENCES),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), _OF_SEQUENCES),
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell"), ("inputs", "states", "training")),
    "StackedRNNCells": ("inputs", "states", "training"),
    "ReversibleEmbedding": ("inputs", "reverse"),
    "CategoryEncoding": ("inputs", "count_weights"),
}
_USUAL = ("inputs", "training")


def complete(model: Model, member: Member, reading: Reading) -> None:
    """Fill in the inputs and the layer of every call of a member; each fault is noted with its path."""
    if member.kind == "unknown":
        _unknown(model, member, reading)
    elif member.kind == "described":
        _described(model, member, reading)
    elif member.kind in ("functional", "sequential"):
        assert member.model is not None
        expected = sum(1 for _ in leaves(member.model.inputs))
        for call in member.calls:
            call.inputs = tuple(_model_inputs(call, member.model, expected, reading))
            if any(True for _ in refs(call.kwargs.get("mask"))):
                reading.left_out.append(f"the mask that {member.name!r}, a model, is called with")
    elif member.kind == "layer":
        _layer(model, member, reading)
    elif member.kind in ("operation", "function", "operator"):
        settle = _settling(member.kind)
        for call in member.calls:
            faults = len(reading.faults)
            settle(member, call, reading)
            if call.layer is None and len(reading.faults) == faults:
                # a function without a rule
                _unknown(model, member, reading)
                return


def _settling(kind: str) -> Callable[[Member, Call, Reading], None]:
    """What fills in a call of this kind; most files have none."""
    if kind == "operation":
        from archcalc.readers.keras.operations import operation_call

        return operation_call
    if kind == "operator":
        from archcalc.readers.keras.tf_operators import operator_call

        return operator_call
    from archcalc.readers.keras.tf_functions import function_call

    return function_call


# -- layers ------------------------------------------------------------------------------------
def _layer(model: Model, member: Member, reading: Reading) -> None:
    path = f"{member.path}.config"
    config = reading.mapping(member.entry.get("config"), path, "the arguments of a layer")
    declared = declare(member.class_name, config, path, reading)
    for call in member.calls:
        _name_arguments(member.class_name, call)
        call.inputs = tuple(_tensors(member.class_name, call))
        call.masks = dict(_masks(call))
        if declared is not None:
            call.layer = _with_call_arguments(declared, call, reading)
    if declared is not None and declared.has_foreign_activation:
        shape = model.recorded(member).get((0, 0))
        reading.activation_shapes[reading.row(member.name)] = shape


def _name_arguments(class_name: str, call: Call) -> None:
    """Move what is given by position, all but the first, to the arguments that have names."""
    names = POSITIONS.get(class_name, _USUAL)
    if 1 < len(call.args) <= len(names):
        call.kwargs = {**dict(zip(names[1:], call.args[1:], strict=False)), **call.kwargs}
        call.args = call.args[:1]


def _masks(call: Call) -> Iterator[tuple[str, list[Ref | None] | Ref]]:
    """The tensors of masks by argument: one, or (`Attention`) a list of one for each input."""
    for key, value in call.kwargs.items():
        if not key.endswith("mask"):
            continue
        if isinstance(value, Ref):
            yield key, value
        elif isinstance(value, list) and any(isinstance(v, Ref) for v in value):
            yield key, [v if isinstance(v, Ref) else None for v in value]


def _tensors(class_name: str, call: Call) -> Iterator[Ref]:
    """The tensors of a call without masks, which carry no gradient and do not shrink a receptive field."""
    names = TENSORS.get(class_name, ())
    arguments: dict[str, Any] = dict(zip(names, call.args, strict=False))
    if not names:
        yield from refs(call.args)
    arguments |= {k: v for k, v in call.kwargs.items() if not k.endswith("mask")}
    for name in sorted(arguments, key=lambda n: names.index(n) if n in names else len(names)):
        yield from refs(arguments[name])


def _with_call_arguments(layer: Layer, call: Call, reading: Reading) -> Layer:
    """The layer with arguments that only the call states, such as `use_causal_mask`."""
    known = {f.name for f in dataclasses.fields(layer)}
    more = {}
    for key, value in call.kwargs.items():
        if (key.endswith("mask") and key not in known) or any(True for _ in refs(value)):
            continue
        if key == "training" and key not in layer.call_arguments:
            continue  # it does the same in both
        if key in known:
            # the learning phase was a number once
            more[key] = bool(value) if key == "training" and isinstance(value, int) else value
        elif value is not None and value is not False:
            name = type(layer).__name__
            reading.fault(
                f"{call.path}.kwargs.{key}",
                f"{name}: the call's argument {key}={brief(value)} has no rule here",
            )
    if not more:
        return layer
    arguments = {layer.spec_key(f.name): getattr(layer, f.name) for f in dataclasses.fields(layer)}
    changed = construct(type(layer), arguments | more, f"{call.path}.kwargs", reading)
    return layer if changed is None else changed


# -- models ------------------------------------------------------------------------------------
def _model_inputs(call: Call, model: Model, expected: int, reading: Reading) -> Iterator[Ref]:
    """The tensors for a nested model's inputs, in the order in which the model declares its inputs."""
    if not call.args and call.kwargs:
        argument = call.kwargs.get("inputs", next(iter(call.kwargs.values())))
    else:
        argument = call.args[0] if len(call.args) == 1 else call.args
    wanted = model.inputs
    if isinstance(argument, dict):
        names = wanted if isinstance(wanted, dict) else {ref.member: ref for ref in leaves(wanted)}
        missing = [k for k in names if k not in argument]
        if not missing:
            argument = (
                {k: argument[k] for k in names} if isinstance(wanted, dict) else [argument[k] for k in names]
            )
    tensors = list(refs(argument))
    if len(tensors) != expected:
        reading.fault(
            call.path, f"the model {model.name!r} has {expected} inputs and is called with {len(tensors)}"
        )
        return
    yield from tensors


# -- unknown layers ------------------------------------------------------------------------------
def _unknown(model: Model, member: Member, reading: Reading) -> None:
    for number, call in enumerate(member.calls):
        call.inputs = _all_tensors(call)
        layer = _opaque(model, member, number, reading)
        if isinstance(layer, str):
            reading.fault(member.path, f"layer {member.name!r} is {member.reason}{layer}")
            return
        call.layer = layer


def _described(model: Model, member: Member, reading: Reading) -> None:
    """Fill in calls of a layer whose class a rule describes; the rule is applied once the graph is there."""
    from archcalc.layers.opaque import SAME
    from archcalc.readers.keras.described import Described

    stated = member.entry.get("config")
    config = stated if isinstance(stated, dict) else {}
    for number, call in enumerate(member.calls):
        call.inputs = _all_tensors(call)
        more = {k: v for k, v in call.kwargs.items() if k != "training" and not any(True for _ in refs(v))}
        call.layer = Described(
            stated_shape=SAME,
            class_name=member.class_name,
            trainable=not _is_frozen(member),
            rule=member.rule,
            config={**config, **more},
            path=member.path,
            recorded=_recorded(model, member, number),
            instead=_opaque(model, member, number, reading),
        )


def _all_tensors(call: Call) -> tuple[Ref, ...]:
    return tuple(refs([call.args, {k: v for k, v in call.kwargs.items() if not k.endswith("mask")}]))


def _recorded(model: Model, member: Member, number: int) -> dict[int, Any]:
    """The shapes of one call's outputs in the file: output -> shape."""
    found = {output: s for (of, output), s in model.recorded(member).items() if of == number}
    return found or _own_shapes(member)


def _opaque(model: Model, member: Member, number: int, reading: Reading) -> Any:
    """One call of an unknown layer as `Opaque`, or why it cannot be."""
    from archcalc.layers.opaque import SAME, Opaque

    # Lambdas and functions have no weights of their own
    weightless = (
        member.kind != "unknown" or member.class_name == "Lambda" or member.class_name.startswith("ops.")
    )
    weights = () if weightless and is_keras(member.entry) else None
    what: dict[str, Any] = {"class_name": member.class_name, "stated_weights": weights}
    what["trainable"] = not _is_frozen(member)
    row = reading.row(member.name)
    if row in reading.statements.shapes:
        with arith.scope():
            return Opaque(stated_shape=stated_shape(row, member.path, reading) or SAME, **what)
    shapes = {} if reading.reshaped else _recorded(model, member, number)
    kept = (
        weights is not None and not shapes and not reading.reshaped and len(member.calls[number].inputs) == 1
    )
    if not kept and not model.read.get((member.name, number), set()) <= shapes.keys():
        why = "only for its own input shape" if reading.reshaped else "no shape of its output"
        return f", and the file records {why}; {SHAPE_REMEDY.format(row)}"
    if not reading.allow_unknown:
        return f"; {UNKNOWN_REMEDY}"
    if kept:
        return Opaque(stated_shape=SAME, assumed=KEPT, **what)
    # what nothing reads may have any shape
    first, *others = (_sizes(shapes.get(i, (None,)), member.name) for i in range(max(shapes, default=0) + 1))
    return Opaque(stated_shape=first, other_shapes=tuple(others), **what)


def _is_frozen(member: Member) -> bool:
    config = member.entry.get("config")
    return isinstance(config, dict) and config.get("trainable") is False


def _own_shapes(member: Member) -> dict[int, Any]:
    """The output shapes that a Lambda, or a Deconvolution2D of Keras 1, states among its arguments."""
    config = member.entry.get("config")
    stated = config.get("output_shape") if isinstance(config, dict) else None
    if not isinstance(stated, list) or not stated:
        return {}
    has_batch = member.class_name != "Lambda"
    shapes = stated if isinstance(stated[0], list) else [stated]
    free = [recorded_shape(s if has_batch or not isinstance(s, list) else [None, *s]) for s in shapes]
    return {} if any(shape is None for shape in free) else dict(enumerate(free))


def _sizes(shape: tuple[int | None, ...], name: str) -> tuple[Any, ...]:
    """The sizes of a recorded shape; a size that it leaves open is `Unknown`."""
    open_axis = Unknown(f"the file leaves an axis after layer {name!r} open")
    return tuple(open_axis if n is None else n for n in shape)
