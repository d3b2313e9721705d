"""Keras configurations: `model.to_json()` of Keras 3, Keras 2 and tf_keras, read as networks.

The configuration is only data: names of classes and functions are compared with tables, and nothing
is imported, called or looked up by a name from a file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from archcalc import arith
from archcalc.analyses import shapes
from archcalc.errors import Fault, NetworkError, SourceError
from archcalc.graph import Graph, Origin
from archcalc.layers.homes import LAYERS
from archcalc.readers.keras import keras1
from archcalc.readers.keras.compiled import read_compile
from archcalc.readers.keras.inputs import check_inputs, check_values, given_shape
from archcalc.readers.keras.model import Model
from archcalc.readers.keras.models import parse_functional, parse_sequential
from archcalc.readers.keras.reading import RESHAPE, UNBUILT, Reading, agree
from archcalc.readers.keras.shared import with_first_marked
from archcalc.readers.keras.statements import NONE, Statements, check_used
from archcalc.readers.keras.stored import StoredShapes, require_stored, with_stored
from archcalc.readers.keras.unfold import unfold
from archcalc.readers.keras.whole import parse_whole
from archcalc.readers.limits import MAX_LAYERS

TOKENIZER = (
    "is a Tokenizer, which holds a vocabulary and no network; give the file of the model that reads its words"
)


def is_keras(data: Any) -> bool:
    """Whether decoded JSON looks like a Keras configuration."""
    return isinstance(data, dict) and "class_name" in data and "config" in data


def read_keras(
    data: dict[str, Any],
    source: str,
    *,
    input_shape: Sequence[int | str] | None = None,
    allow_unknown: bool = False,
    symbols: Mapping[str, Any] | None = None,
    max_layers: int = MAX_LAYERS,
    unbuilt: str = UNBUILT,
    root: str = "$",
    stored: StoredShapes | None = None,
    objects: dict[int, int] | None = None,
    statements: Statements = NONE,
) -> Graph:
    """The network that a Keras configuration describes.

    Parameters
    ----------
    data
        The decoded JSON of `model.to_json()`, or of an archive's `config.json`.
    source
        The file's name in messages.
    input_shape
        Sizes of the input, without the batch; a name leaves an axis open. They take the place of
        those in the file, and all shapes are derived anew.
    allow_unknown
        Continue with the recorded shapes after an unknown layer; its figures are unknown.
    symbols
        Values for the symbols (`H`, `W`, `T`) that stand for open axes; None leaves one open.
    max_layers, unbuilt
        The most layers, once nested models are unfolded; what to say of a model without an input's shape.
    root
        The JSON path of the configuration in its file.
    stored
        The shapes of the weights in the same file, for layers without a rule.
    objects
        Filled with the node of each object that the configuration marks, by its `shared_object_id`.
    statements
        What a person says of layers without a rule.

    Raises
    ------
    SourceError
        With every fault, each at its JSON path; an unknown symbol; a layer that `input_shape` does not fit.
    """
    reading = Reading(source, allow_unknown, dict(symbols or {}), max_layers=max_layers, unbuilt=unbuilt)
    reading.statements = statements
    data = with_first_marked(data)
    _prepare(reading, data, input_shape)
    graph = _unfolded(data, root, reading, stored)
    (objects if objects is not None else {}).update(reading.objects)
    if reading.reshaped:
        _require_fit(graph, reading)
    if not graph.symbols:
        return graph
    options: dict[str, Any] = {"input_shape": input_shape, "allow_unknown": allow_unknown, "root": root}
    options |= {"max_layers": max_layers, "stored": stored, "statements": statements}
    again = partial(_with_symbols, data, source, options)
    return dataclasses.replace(graph, origin=Origin(graph.nodes, again))


def _prepare(reading: Reading, data: dict[str, Any], input_shape: Sequence[int | str] | None) -> None:
    """Note what wrote the file, and the shape that the input is to have."""
    version = data.get("keras_version") or ("1.0" if keras1.written_by(data) else None)
    reading.version = version if isinstance(version, str) else None
    check_values(reading)
    if input_shape is not None:
        reading.input_shape = given_shape(input_shape, reading)
    if reading.faults:
        raise SourceError(reading.source, reading.faults)


def _with_symbols(
    data: dict[str, Any], source: str, options: dict[str, Any], symbols: Mapping[str, int | None]
) -> Graph:
    return read_keras(data, source, symbols=symbols, **options)


def _require_fit(graph: Graph, reading: Reading) -> None:
    """Refuse an input shape other than the file's with which the layers do not fit together."""
    try:
        with arith.scope():
            shapes.infer(graph)
    except NetworkError as problem:
        given = ",".join(map(str, reading.input_shape or ()))
        faults = [
            Fault("", f"input shape {given}: layer {name!r}: {reason}") for name, reason in problem.faults
        ]
        raise SourceError(reading.source, faults) from None


def _parse(data: dict[str, Any], root: str, reading: Reading) -> Model | None:
    config = data.get("config")
    name = data.get("class_name")
    if name == "Sequential":
        return parse_sequential(data, root, reading, outer=True)
    if isinstance(config, dict) and "layers" in config:
        return parse_functional(config, f"{root}.config", reading, outer=True)
    if not isinstance(name, str):
        reading.fault(root, "not a Keras model")
    elif name == "Tokenizer":
        reading.fault("", TOKENIZER)
    elif name in LAYERS:
        reading.fault(root, f"{name!r} is a layer and no model; write a model with it, keras.Sequential(...)")
    else:
        return parse_whole(data, root, reading)
    return None


def _unfolded(data: dict[str, Any], root: str, reading: Reading, stored: StoredShapes | None) -> Graph:
    model = _parse(data, root, reading)
    check_inputs(reading)
    check_used(reading)
    graph = None if model is None else unfold(model, reading, _format(data))
    if graph is None or reading.faults:
        raise SourceError(reading.source, reading.worst())
    if reading.foreign:
        from archcalc.readers.keras.described import written_out

        graph = written_out(graph, reading, stored)
    if any(type(node.layer).__name__ == RESHAPE for node in graph.nodes):
        from archcalc.readers.keras.folded import with_parts_apart

        graph = with_parts_apart(graph, reading)
    if reading.activation_shapes and not reading.reshaped:
        _require_kept(graph, reading)
    if stored is not None and reading.foreign:
        graph = with_stored(graph, stored, reading.whole)
        require_stored(graph, stored, reading)
    outputs = [graph.nodes[t.node].name for t in graph.outputs]
    return dataclasses.replace(graph, compiled=read_compile(data, outputs))


def _require_kept(graph: Graph, reading: Reading) -> None:
    """Refuse an activation of another package where the file records that it changes the shape."""
    with arith.scope():
        inferred = shapes.infer(graph)
    for node, outputs in zip(graph.nodes, inferred, strict=True):
        recorded = reading.activation_shapes.get(node.name)
        if recorded is not None and not agree(outputs[0], recorded):
            text = f"layer {node.name!r}: its activation, of another package, changes the shape"
            reading.fault("", f"{text}; a spec can describe the layer as Opaque")
    if reading.faults:
        raise SourceError(reading.source, reading.worst())


def _format(data: dict[str, Any]) -> str:
    version = data.get("keras_version")
    old = isinstance(version, str) and version[:1] in "12"
    return "keras2-config" if old else "keras-config"
