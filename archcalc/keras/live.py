"""Live Keras model -> Graph."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.keras.tracing.model import needs_tracing, trace
from archcalc.keras.training import compile_config
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
        Sizes without the batch axis, for a Sequential that was never built.
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
    if isinstance(model, keras.Model) and needs_tracing(model):
        return trace(model, source, input_shape, symbols=symbols, max_layers=max_layers)
    return read_keras(
        _configuration(model),
        source,
        input_shape=input_shape,
        allow_unknown=allow_unknown,
        symbols=symbols,
        max_layers=max_layers,
        unbuilt=UNBUILT,
    )


def _configuration(model: Any) -> dict[str, Any]:
    """The model's configuration as JSON data, with shared objects marked where Keras can."""
    kind = type(model)
    origins = {base.__module__.split(".")[0] for base in kind.__mro__}
    try:
        if isinstance(model, keras.Model):
            data = {**keras.saving.serialize_keras_object(model), "keras_version": keras.__version__}
            _mark_objects(model, data)
        elif "tf_keras" in origins and hasattr(model, "to_json"):
            data = {**json.loads(model.to_json()), **compile_config(model)}
        else:
            raise ArchcalcError(f"expected a keras.Model, got {kind.__name__}")
        # numbers of numpy and tuples become what a file would hold
        return json.loads(json.dumps(data, default=_plain))  # type: ignore[no-any-return]
    except (NotImplementedError, TypeError, ValueError) as fault:
        reason = str(fault).strip().splitlines()
        raise ArchcalcError(
            f"live model {getattr(model, 'name', '?')!r}: Keras cannot say how it is built"
            f"{': ' + reason[0] if reason else ''}; build the same network with keras.Model(inputs, outputs)"
        ) from fault


def _mark_objects(model: Any, data: dict[str, Any]) -> None:
    """Record in every layer's entry which object it is, as archives do for some of them."""
    entries = data["config"].get("layers", ())
    parts = {part.name: part for part in (*model.layers, *getattr(model, "operations", ()))}
    for entry in entries:
        part = parts.get(entry.get("name") or entry["config"].get("name"))
        if part is None:
            continue
        entry["shared_object_id"] = id(part)
        if isinstance(part, keras.Model):
            _mark_objects(part, entry)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)
