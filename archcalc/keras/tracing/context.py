"""What all parts of a traced model share: whose its weights are, and which layers have rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
from keras.src.models.functional import Functional

from archcalc.errors import LayerError
from archcalc.keras.state import adapters
from archcalc.keras.tracing import entries
from archcalc.keras.tracing.entries import Entry
from archcalc.layers.registry import layer_type
from archcalc.readers.keras.declare import declare
from archcalc.readers.keras.identify import identify
from archcalc.readers.keras.reading import Reading

# layers that apply an activation to their result, and otherwise call operations only
_ACTIVATED = ("Dense", "EinsumDense", "Activation", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv")


@dataclass
class Context:
    """What all networks of one model share.

    `batch` is the size of the batch axis in traced calls, and `other_batch` that of a second call, which
    must do the same; `owned` holds the model's variables by their ids, `trainable` the ids of those
    that are trained.
    """

    batch: int
    other_batch: int
    owned: dict[int, Any]
    trainable: set[int]
    kinds: dict[int, tuple[Any, Entry | str]] = field(default_factory=dict)

    def known(self, layer: Any) -> Entry | str:
        """The entry of a layer that archcalc has a rule for; otherwise why it has none."""
        if id(layer) not in self.kinds:
            self.kinds[id(layer)] = layer, known_layer(layer)
        known = self.kinds[id(layer)][1]
        return known if isinstance(known, str) else dict(known)


def functional(model: Any) -> Any:
    """A layer as a model whose graph Keras knows; None if only its code does."""
    if isinstance(model, keras.Sequential):
        return model._functional if type(model).call is keras.Sequential.call else None
    return model if isinstance(model, Functional) and type(model).call is Functional.call else None


def is_from_keras(part: Any) -> bool:
    """Whether the class is Keras's own, or archcalc's."""
    return type(part).__module__.split(".")[0] in ("keras", "archcalc")


def _is_declared(layer: Any) -> bool:
    """Whether a layer type of another package states this class."""
    cls = type(layer)
    try:
        kind = layer_type(cls.__name__)
    except LayerError:
        return False
    return kind is not None and (
        kind.keras_class == f"{cls.__module__}:{cls.__name__}"
        or kind.registered_name == keras.saving.get_registered_name(cls)
    )


def known_layer(layer: Any) -> Entry | str:
    """The entry of a layer that archcalc has a rule for; otherwise why it has none, "" for custom code."""
    if not (is_from_keras(layer) or _is_declared(layer)) or type(layer) is keras.layers.Lambda:
        return ""
    try:
        data = entries.serialized(layer)
    except Exception as fault:  # `get_config` of layers inside a wrapper is a user's code
        return f"Keras cannot say how it is built: {fault}"
    reading = Reading("")
    identity = identify(data, "", reading)
    if identity is None or identity.kind != "layer":
        return identity.reason if identity is not None else "of no class"
    if adapted := adapters(layer):
        data["config"]["lora"] = adapted
    config = {k: v for k, v in data["config"].items() if k != "name"}
    if declare(identity.name, config, "$", reading) is None:
        # with a function of the user's own as its activation, it is code like any other
        return "" if identity.name.startswith(_ACTIVATED) else reading.faults[0].message
    return data
