"""Files that hold a Keras configuration inside other data: TensorFlow.js's `model.json`."""

from __future__ import annotations

from typing import Any

from archcalc.errors import Fault, SourceError

GRAPH_MODEL = (
    "a graph of TensorFlow operations without Keras's layers; convert the Keras model itself "
    "(tensorflowjs_converter --output_format tfjs_layers_model), or write model.to_json()"
)


def topology(data: dict[str, Any], source: str) -> tuple[dict[str, Any], str]:
    """The Keras configuration inside tfjs's `model.json`, and its JSON path.

    Raises `SourceError` where the file holds no layers.
    """
    inside, path = data["modelTopology"], "$.modelTopology"
    if data.get("format") == "graph-model" or (isinstance(inside, dict) and "node" in inside):
        raise SourceError(source, [Fault(path, GRAPH_MODEL)])
    if isinstance(inside, dict) and isinstance(inside.get("model_config"), dict):
        # the converter writes what the attributes of an HDF5 file hold
        more = {k: v for k, v in inside.items() if k in ("keras_version", "training_config")}
        inside, path = {**more, **inside["model_config"]}, f"{path}.model_config"
    if not isinstance(inside, dict) or "class_name" not in inside:
        raise SourceError(source, [Fault(path, "holds no Keras configuration")])
    return inside, path
