"""Live Keras model -> Graph."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from archcalc.errors import ArchcalcError, Fault, SourceError
from archcalc.graph import Graph, Origin
from archcalc.keras.state import adapters, with_flags
from archcalc.keras.tracing.model import needs_tracing, trace
from archcalc.keras.training import compile_config
from archcalc.layers.opaque import Opaque
from archcalc.readers.keras_config import read_keras
from archcalc.readers.limits import MAX_LAYERS

UNBUILT = (
    "this Sequential was never built, so the shape of its input is not known; build it first: "
    "model.build((None, 32, 32, 3)), where None is the batch"
)


def from_keras(
    model: Any,
    *,
    input_shape: Sequence[int | str] | None = None,
    allow_unknown: bool = False,
    symbols: Mapping[str, Any] | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """The graph of a live model, of Keras 3 or of `tf_keras`.

    It is read from the model's own configuration, like a file; custom layers and subclassed models
    are traced into the layers and operations that their code calls, and what cannot be traced is an
    `Opaque` layer with the weights and shapes that the model has. The model stays as it is. A live
    model also knows which of its parts are the same object: two submodels that share a layer count
    its weights once here, and twice from `model.to_json()`, which does not record it.

    Parameters
    ----------
    model
        A functional, Sequential or subclassed model.
    input_shape
        Sizes of the input without the batch axis; they take the place of the model's own.
    allow_unknown
        Continue past layers without a rule; their figures are unknown.
    symbols
        Values for the symbols that stand for open axes.
    max_layers
        The most layers, once nested models are unfolded.

    Raises
    ------
    ArchcalcError
        The argument is not a model, or a subclassed model that was never built.
    SourceError
        Every layer of Keras's own that archcalc has no rule for, in a model without custom layers.
    """
    source = f"live model {getattr(model, 'name', 'model')!r}"
    of_keras3 = isinstance(model, keras.Model)
    options: dict[str, Any] = {"symbols": symbols, "max_layers": max_layers}
    if of_keras3 and needs_tracing(model):
        return trace(model, source, input_shape, **options)
    layers: dict[int, Any] = {}
    data = _configuration(model, layers)
    more = {"input_shape": input_shape, "allow_unknown": allow_unknown, "unbuilt": UNBUILT}
    try:
        graph = _with_state(data, source, layers, model, {**options, **more})
    except SourceError as fault:
        # the user wrote no JSON, whose paths would mean something
        raise SourceError(source, [_at_its_layer(one, data) for one in fault.faults]) from fault
    if graph is not None:
        return graph
    if of_keras3:
        # a layer has other weights than its configuration says
        return trace(model, source, input_shape, **options)
    raise ArchcalcError(f"{source}: its layers have other weights than their configurations say")


def _at_its_layer(fault: Fault, data: Any) -> Fault:
    """The fault with the name of its layer instead of the path in the configuration."""
    name, where = "", data
    for key in re.findall(r"[^.\[\]$]+", fault.path):
        try:
            where = where[int(key)] if isinstance(where, list) else where[key]
        except (KeyError, IndexError, TypeError, ValueError):
            break
        if isinstance(where, dict) and isinstance(where.get("name"), str):
            name = where["name"]
    named = not name or where is data or repr(name) in fault.message
    return Fault("", fault.message if named else f"layer {name!r}: {fault.message}")


def _with_state(
    data: dict[str, Any], source: str, layers: Mapping[int, Any], model: Any, options: dict[str, Any]
) -> Graph | None:
    """The graph of a configuration, in the state of the live layers; None if they have other weights."""
    nodes: dict[int, int] = {}
    graph = read_keras(data, source, objects=nodes, **options)
    if not model.built:
        return graph
    variables = {i: layers[mark].weights for mark, i in nodes.items() if mark in layers}
    known = {id(v) for found in variables.values() for v in found}
    unknown = any(isinstance(node.layer, Opaque) for node in graph.nodes)
    if not unknown and any(id(v) not in known for v in model.weights):
        return None
    trained = {id(v) for v in model.trainable_weights}
    live = with_flags(graph, variables, trained, resized=options["input_shape"] is not None)
    if live is None or graph.origin is None:
        return live

    def again(values: Mapping[str, int | None]) -> Graph:
        with_values = _with_state(data, source, layers, model, {**options, "symbols": values})
        assert with_values is not None
        return with_values

    return replace(live, origin=Origin(live.nodes, again))


def _configuration(model: Any, layers: dict[int, Any]) -> dict[str, Any]:
    """The model's configuration as JSON data, its layers marked, which `layers` then holds by their mark."""
    kind = type(model)
    origins = {base.__module__.split(".")[0] for base in kind.__mro__}
    try:
        if isinstance(model, keras.Model):
            data = {**keras.saving.serialize_keras_object(model), "keras_version": keras.__version__}
        elif "tf_keras" in origins and hasattr(model, "to_json"):
            data = {**json.loads(model.to_json()), **compile_config(model)}
        else:
            raise ArchcalcError(f"expected a keras.Model, got {kind.__name__}")
        _mark_objects(model, data, layers)
        # numbers of numpy and tuples become what a file would hold
        return json.loads(json.dumps(data, default=_plain))  # type: ignore[no-any-return]
    except (NotImplementedError, TypeError, ValueError) as fault:
        reason = str(fault).strip().splitlines()
        raise ArchcalcError(
            f"live model {getattr(model, 'name', '?')!r}: Keras cannot say how it is built"
            f"{': ' + reason[0] if reason else ''}; build the same network with keras.Model(inputs, outputs)"
        ) from fault


def _mark_objects(model: Any, data: dict[str, Any], layers: dict[int, Any]) -> None:
    """Record in every layer's entry which object it is, and the adapters that its configuration lacks."""
    entries = data["config"].get("layers", ())
    parts = {part.name: part for part in (*model.layers, *getattr(model, "operations", ()))}
    for entry in entries:
        part = parts.get(entry.get("name") or entry["config"].get("name"))
        if part is None:
            continue
        entry["shared_object_id"] = id(part)
        if hasattr(part, "weights"):
            layers[id(part)] = part
            if adapted := adapters(part):
                entry["config"]["lora"] = adapted
        while type(part).__name__ == "TimeDistributed":
            entry, part = entry["config"]["layer"], part.layer
        if hasattr(part, "layers") and hasattr(part, "to_json"):
            # nested, or made so by the reader where it is inside TimeDistributed
            _mark_objects(part, entry, layers)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
