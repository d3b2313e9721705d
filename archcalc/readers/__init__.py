"""Readers: any source becomes a `Graph`, or a `SourceError` that says why it cannot."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from archcalc.errors import ArchcalcError
from archcalc.readers import json_text, yaml_text
from archcalc.readers.foreign import HDF5, refuse, refuse_folder, refuse_foreign, refuse_missing
from archcalc.readers.json_text import MAPPING
from archcalc.readers.limits import ENDS_A_LAYER, MAX_LAYERS

if TYPE_CHECKING:
    from archcalc.graph import Graph

TEXT = "the given text"
SHAPE, UNKNOWN = "--input-shape (input_shape=)", "--allow-unknown (allow_unknown=)"

_ZIP = b"PK\x03\x04"


def as_graph(source: Any) -> Graph:
    """The network itself, or that of anything else that `load` takes."""
    from archcalc.graph import Graph

    return source if isinstance(source, Graph) else load(source)


def load(
    source: Any,
    *,
    input_shape: Sequence[int | str] | None = None,
    allow_unknown: bool = False,
    symbols: Mapping[str, int | None] | None = None,
    max_layers: int = MAX_LAYERS,
    allow_code: bool = False,
    as_: Mapping[str, str] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    classes: str | os.PathLike[str] | Mapping[str, Any] | None = None,
) -> Graph:
    """The network that a source describes, recognised by its content first and its suffix second.

    Parameters
    ----------
    source
        The path of a spec, a Keras config (`model.to_json()`, `to_yaml()`, TensorFlow.js's `model.json`) or a
        `.keras` or `.h5` file, `keras:NAME`, `python:PACKAGE.MODULE:NAME`, `-` for standard input, the
        decoded JSON of a spec or config, or a live Keras model.
    input_shape
        Shape of a Keras model's input, without the batch axis, instead of the one in the file; a name
        leaves an axis open. All shapes are derived anew.
    allow_unknown
        Whether to continue past layers of a Keras model that archcalc has no rules for.
    symbols
        Values of symbols. They override the values in a spec; None leaves a symbol open.
    max_layers
        The most layers that a network may have once blocks and nested models are written out,
        inputs not counted.
    allow_code
        Whether `python:PACKAGE.MODULE:NAME` may import that module and call that function. Only for
        a source that a person named: no other source runs code.
    as_, shapes, classes
        What layers without a rule are (docs/keras-models.md): classes and the layer type or activation that
        they are; output shapes by the names of rows; a file of rules for classes, or its decoded JSON.

    Raises
    ------
    SourceError
        Every fault of the source, each with its JSON path; an option that this kind of source cannot
        follow.
    MissingExtraError
        Where `keras:NAME?...` needs Keras itself.
    ArchcalcError
        `source` is none of these, or `max_layers` is not a positive integer.
    """
    options: dict[str, Any] = {"input_shape": input_shape, "allow_unknown": allow_unknown}
    options |= {"symbols": dict(symbols or {}), "max_layers": _positive(max_layers)}
    if as_ or shapes or classes is not None:
        from archcalc.readers.keras.statements import Statements

        options["statements"] = Statements.of(as_, shapes, classes)
    with collector_paused():
        graph = _load(source, options, allow_code)
    _require_affordable(graph, options["max_layers"])
    return graph


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause garbage collection, a third of the time: a deep network is millions of objects and no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _load(source: Any, options: dict[str, Any], allow_code: bool) -> Graph:
    if isinstance(source, Mapping):
        return _from_json(json_text.round_trip(source), MAPPING, options)
    if not isinstance(source, str | os.PathLike):
        return _from_object(source, options)
    path = os.fspath(source)
    if path.lstrip().startswith("{"):
        refuse(TEXT, "is JSON, and no path; decode it first: archcalc.load(json.loads(text))")
    if path.startswith("keras:"):
        from archcalc.readers.applications import read_application

        if options["allow_unknown"]:
            refuse(path, f"{UNKNOWN} does not apply: the networks of keras.applications have no such layers")
        _refuse_statements(
            path, options, "does not apply: the networks of keras.applications have no such layers"
        )
        return read_application(path, **options)
    if path.startswith("python:"):
        from archcalc.readers.python_source import is_python, read_python

        if is_python(path):
            if not allow_code:
                refuse(path, "names code to run, which load() does only with allow_code=True")
            _refuse_statements(path, options, _TRACED)
            return read_python(path, **options)
    if path == "-":
        raw = json_text.read_bytes("-")
        return _from_file(BytesIO(raw), json_text.STANDARD_INPUT, options)
    if not os.path.exists(path):
        refuse_missing(path)
    refuse_folder(path)
    with json_text.open_file(path) as file:
        return _from_file(file, path, options)


def _from_object(source: Any, options: dict[str, Any]) -> Graph:
    """The network of a live Keras model; nothing of Keras is imported for another object."""
    packages = {cls.__module__.partition(".")[0] for cls in type(source).__mro__}
    if packages & {"keras", "tf_keras"}:
        from archcalc.keras import from_keras

        _refuse_statements(f"live model {getattr(source, 'name', 'model')!r}", options, _TRACED)
        return from_keras(source, **options)
    kind = "a PyTorch module" if "torch" in packages else f"an object of type {type(source).__name__}"
    raise ArchcalcError(
        "expected a Keras model, the path of a file, 'keras:NAME', the decoded JSON of a spec or of "
        f"model.to_json(), or a Graph, got {kind}"
    )


def _from_file(file: BinaryIO, source: str, options: dict[str, Any]) -> Graph:
    head = json_text.peek(file, source)
    refuse_foreign(head, source)
    if head.startswith(HDF5):
        from archcalc.readers.keras_h5 import read_h5

        return read_h5(source, file, **options)
    if head.startswith(_ZIP):
        from archcalc.readers.keras_archive import read_archive

        return read_archive(source, file, **options)
    raw = json_text.read_open(file, source)
    if yaml_text.is_yaml(raw, source):
        return _from_json(yaml_text.decode(raw, source), source, options)
    return _from_json(json_text.decode(raw, source), source, options)


def _from_json(data: Any, source: str, options: dict[str, Any]) -> Graph:
    if isinstance(data, str) and data.lstrip().startswith("{"):
        # `json.dump(model.to_json(), file)` writes the JSON of a JSON text
        data = json_text.decode(data.encode("utf-8"), source)
    if isinstance(data, dict) and "class_name" in data:
        if "archcalc" in data:
            refuse(
                source,
                'is both a spec ("archcalc") and a Keras config ("class_name"); remove the key that is wrong',
            )
        from archcalc.readers.keras_config import read_keras

        return read_keras(data, source, **options)
    if isinstance(data, dict) and "modelTopology" in data:
        from archcalc.readers.keras.containers import topology
        from archcalc.readers.keras_config import read_keras

        config, root = topology(data, source)
        return read_keras(config, source, root=root, **options)
    from archcalc.readers.spec import is_spec, read_spec

    if is_spec(data):
        if options["input_shape"] is not None:
            refuse(source, f"{SHAPE} does not apply to a spec; change its inputs, or use symbols (--set)")
        if options["allow_unknown"]:
            refuse(source, f"{UNKNOWN} does not apply to a spec; describe an unknown layer there as Opaque")
        _refuse_statements(
            source, options, "does not apply to a spec, which names no classes of other packages"
        )
        return read_spec(data, source, symbols=options["symbols"], max_layers=options["max_layers"])
    if isinstance(data, dict) and ("layers" in data or "config" in data):
        refuse(
            source,
            'is JSON, but neither a spec (it needs "archcalc": 1, "inputs" and "layers") '
            "nor a Keras config (write model.to_json(), not get_config())",
        )
    what = "a list" if isinstance(data, list) else "JSON"
    return refuse(
        source,
        f'is {what}, but neither a spec ({{"archcalc": 1, "inputs": {{...}}, "layers": [...]}}) '
        "nor a Keras config (model.to_json())",
    )


_TRACED = "does not apply to a live model, whose own code says what its layers are"


def _refuse_statements(source: str, options: dict[str, Any], why: str) -> None:
    """Refuse statements about classes where a source has none that they could speak of."""
    stated = options.pop("statements", None)
    if stated is not None and stated.given():
        refuse(source, f"{stated.given()} {why}")


def _require_affordable(graph: Graph, max_layers: int) -> None:
    """Refuse too many inputs and outputs: fields are computed per layer and input, clipped per output."""
    ends = len(graph.inputs) + len(graph.outputs)
    limit = ENDS_A_LAYER * max(max_layers, MAX_LAYERS)
    if ends > ENDS_A_LAYER and ends * len(graph.nodes) > limit:
        refuse(
            graph.source or graph.name,
            f"{ends:,} inputs and outputs times {len(graph.nodes):,} layers are more than {limit:,}",
        )


def _positive(max_layers: int) -> int:
    if isinstance(max_layers, bool) or not isinstance(max_layers, int) or max_layers < 1:
        raise ArchcalcError(f"max_layers: expected a positive integer, got {max_layers!r}")
    return max_layers
