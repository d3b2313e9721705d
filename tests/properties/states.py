"""Keras models as people leave them: drawn, then changed at random in what calls, weights and layers say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import keras

import archcalc
from archcalc.graph import Graph
from archcalc.keras.build import to_keras

init = keras.initializers
Config = dict[str, Any]

IN_TRAINING = (
    *("BatchNormalization", "Dropout", "GaussianNoise", "LSTM", "GRU"),
    *("MultiHeadAttention", "RandomFlip"),
)


# -- configurations ----------------------------------------------------------------------------------
def drawn_model(graph: Graph, rng: Random) -> Any:
    """A model of a drawn network with other initialisers, flags, dtypes, calls and outputs; maybe nested."""
    config = json.loads(to_keras(graph).to_json())
    for dtypes in (True, False):
        changed = copy.deepcopy(config)
        change(changed["config"], rng, dtypes=dtypes)
        try:
            return nested(_frozen_as_said(keras.models.model_from_json(json.dumps(changed))), rng)
        except Exception as fault:  # a dtype that a layer refuses
            if not dtypes:
                raise AssertionError(str(fault)) from fault
    raise AssertionError


def _frozen_as_said(model: Any) -> Any:
    """The model, frozen layers frozen inside too: Keras's reader leaves the layers that they make alone."""
    for layer in model.layers:
        if not layer.trainable:
            layer.trainable = True
            layer.trainable = False
    return model


def change(config: Config, rng: Random, *, dtypes: bool) -> None:
    for entry in config["layers"]:
        inside = entry["config"]
        if entry["class_name"] in ("InputLayer", "Functional") or "keras.layers" not in entry["module"]:
            continue
        for key in list(inside):
            if key.endswith("_initializer") and inside[key] and rng.random() < 0.3:
                kinds = BIASES if "bias" in key or "beta" in key or "gamma" in key else KERNELS
                inside[key] = keras.saving.serialize_keras_object(rng.choice(kinds)())
            if key.endswith("_regularizer") and rng.random() < 0.15:
                inside[key] = keras.saving.serialize_keras_object(keras.regularizers.L2(0.25))
            if key.endswith("_constraint") and rng.random() < 0.1 and not inside.get("lora_rank"):
                inside[key] = keras.saving.serialize_keras_object(keras.constraints.MaxNorm(3))
        refuses = entry["class_name"].startswith("SpatialDropout")
        if "trainable" in inside and rng.random() < 0.25 and not refuses:
            inside["trainable"] = False
        if dtypes and rng.random() < 0.1:
            policy = keras.DTypePolicy(rng.choice(["mixed_bfloat16", "float64", "float32"]))
            inside["dtype"] = keras.saving.serialize_keras_object(policy)
        if entry["class_name"] in IN_TRAINING:
            for node in entry["inbound_nodes"]:
                if rng.random() < 0.4:
                    node["kwargs"]["training"] = rng.random() < 0.5
    if rng.random() < 0.2:
        ends = config["output_layers"]
        more = [rng.choice([e for e in config["layers"] if e["inbound_nodes"]])["name"], 0, 0]
        config["output_layers"] = [*([ends] if isinstance(ends[0], str) else ends), more]


KERNELS: list[Callable[[], Any]] = [
    lambda: init.HeNormal(seed=3),
    lambda: init.GlorotUniform(),
    lambda: init.VarianceScaling(0.5, "fan_out", "uniform"),
    lambda: init.VarianceScaling(2.0, "fan_in"),
    lambda: init.RandomUniform(-0.1, 0.2),
    lambda: init.TruncatedNormal(0.1, 0.3),
]
BIASES: list[Callable[[], Any]] = [
    lambda: init.Constant(0.2),
    init.Ones,
    lambda: init.RandomNormal(stddev=0.1),
]


def nested(model: Any, rng: Random) -> Any:
    """The model, or one around it that calls it, sometimes as a base that is always at inference."""
    if rng.random() < 0.6:
        return model
    inputs = [keras.Input(batch_shape=t.shape, dtype=t.dtype) for t in model.inputs]
    words = rng.choice([{}, {"training": False}, {"training": True}])
    y = model(inputs if len(inputs) > 1 else inputs[0], **words)
    return keras.Model(inputs, y, name="around")


def aged(config: Any) -> Any:
    """The configuration as an earlier Keras would have said it: bare objects, initialisers with a dtype."""
    if isinstance(config, list):
        return [aged(v) for v in config]
    if not isinstance(config, dict):
        return config
    if "initializers" in str(config.get("module")):
        return {"class_name": config["class_name"], "config": {**config["config"], "dtype": "float32"}}
    if "regularizers" in str(config.get("module")) or "constraints" in str(config.get("module")):
        return {**config, "shared_object_id": 7}
    return {k: aged(v) for k, v in config.items()}


# -- the state of a live model ---------------------------------------------------------------------
def change_state(model: Any, rng: Random) -> None:
    """Freeze and release layers at any depth and single variables, and adapt projections of attention."""
    inside = list(_inside(model))
    for layer in inside:
        if type(layer).__name__ == "EinsumDense" and _of_attention(layer, inside) and rng.random() < 0.4:
            with suppress(ValueError):  # of a kernel with a constraint
                layer.enable_lora(rng.choice([1, 2]), lora_alpha=rng.choice([None, 5]))
    for layer in rng.sample(inside, min(len(inside), rng.randint(0, 4))):
        layer.trainable = rng.random() < 0.3
    for variable in rng.sample(model.weights, min(len(model.weights), rng.randint(0, 4))):
        variable.trainable = rng.random() < 0.3
    if rng.random() < 0.1:
        model.trainable = False


def _inside(layer: Any) -> Iterator[Any]:
    for part in layer._layers:
        yield part
        yield from _inside(part)


def _of_attention(part: Any, layers: list[Any]) -> bool:
    return any(part in layer._layers for layer in layers if "Attention" in type(layer).__name__)


def read(model: Any, rng: Random) -> Graph:
    """What archcalc makes of a model: live in a changed state, of its JSON, or as an older Keras wrote it."""
    if rng.random() < 0.5:
        change_state(model, rng)
        return archcalc.from_keras(model)
    data = json.loads(model.to_json())
    return archcalc.load(aged(data) if rng.random() < 0.5 else data)
