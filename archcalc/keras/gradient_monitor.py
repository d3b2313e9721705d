"""`GradientMonitor`: gradients, weights and activations of every layer while a model trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from archcalc.keras.symptoms import Series, Symptom, symptoms
from archcalc.layers.activations import ACTIVATIONS

WATCHED = ("sigmoid", "tanh", "relu", "relu6")
NEAR = 0.05  # of the range between a saturating function's ends


class GradientMonitor(keras.callbacks.Callback):
    """Measure a training on one fixed batch, before it begins and after every few steps.

    ::

        monitor = archcalc.keras.GradientMonitor((x[:64], y[:64]), every=10)
        model.fit(x, y, callbacks=[monitor])
        for symptom in monitor.symptoms():
            print(symptom)

    A measurement runs the model forward and back once, in training mode, and changes nothing: neither
    weights nor moving averages nor random streams: the training is the same to the bit with and without it.

    Parameters
    ----------
    probe
        Inputs and targets of one batch, as `fit` takes them.
    every
        Steps from one measurement to the next; each epoch's last step is measured as well.
    first
        Steps at the beginning that are all measured: what explodes is over in a few.

    A model of any kind gives its loss, and norms of its weights, of their gradients and of their changes.
    Models with a graph (functional, Sequential) give, for each layer of their own, the gradient with respect
    to its output, dead and saturated units, and the norm of residual branches over their skips.
    """

    def __init__(self, probe: tuple[Any, Any], every: int = 10, first: int = 10) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1. Received: every={every}")
        self.probe = keras.tree.map_structure(tf.convert_to_tensor, tuple(probe))
        self.every = every
        self.first = first
        self.step = 0
        self._rows: list[dict[str, Any]] = []
        self._before: list[np.ndarray] = []
        self._taps: keras.Model | None = None
        self._layers: list[keras.Layer] = []
        self._sums: list[str] = []

    # -- what Keras calls --------------------------------------------------------------------------
    def on_train_begin(self, logs: Any = None) -> None:
        if not self.model.built:  # its weights come with its first call
            self.model(self.probe[0])
        self._find_layers()
        self._before = self._weights()
        if not self._rows:
            self._measure()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        if self.step <= self.first or self.step % self.every == 0:
            self._measure()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self._rows or self._rows[-1]["step"] != self.step:
            self._measure()

    def forget(self) -> None:
        """Drop the measurements so far; changes count from the weights as they are."""
        self._rows = []
        self._before = self._weights()

    # -- what was found ----------------------------------------------------------------------------
    @property
    def series(self) -> Series:
        """All measurements so far."""
        return series_of(self._rows, self._names())

    def symptoms(self) -> list[Symptom]:
        """What is wrong with the training, by the detectors of `archcalc.keras.symptoms`."""
        return symptoms(self.series)

    def _names(self) -> dict[str, Any]:
        weights = self.model.trainable_variables
        return {
            "weight_names": tuple(v.path for v in weights),
            "ranks": tuple(len(v.shape) for v in weights),
            "layer_names": tuple(layer.name for layer in self._layers),
            "activations": tuple(map(_activation, self._layers)),
            "branch_names": tuple(self._sums),
        }

    # -- one measurement ---------------------------------------------------------------------------
    def _weights(self) -> list[np.ndarray]:
        return [keras.ops.convert_to_numpy(v).astype(np.float64) for v in self.model.trainable_variables]

    def _find_layers(self) -> None:
        """Tap the outputs of the model's own layers, where it has a graph, once."""
        if self._taps is not None or not _has_graph(self.model):
            return
        self._layers = [layer for layer in self.model.layers if _single(layer)]
        order = {id(layer.output): place for place, layer in enumerate(self._layers)}
        pairs = {}
        for layer in self._layers:
            if isinstance(layer, keras.layers.Add) and len(layer.input) == 2:
                # the skip is there before the branch is
                skip, branch = sorted(layer.input, key=lambda tensor: order.get(id(tensor), -1))
                pairs[layer.name] = [skip, branch]
        self._sums = list(pairs)
        self._taps = keras.Model(
            self.model.inputs,
            {
                "layers": [layer.output for layer in self._layers],
                "sums": list(pairs.values()),
                "outputs": self.model.output,
            },
        )

    def _measure(self) -> None:
        x, y = self.probe
        variables = self.model.trainable_variables
        with keras.StatelessScope(), tf.GradientTape() as tape:
            # or layers before the first weight would have no gradient
            tape.watch([t for t in keras.tree.flatten(x) if t.dtype.is_floating])
            if self._taps is None:
                outputs, layers, sums = self.model(x, training=True), [], []
            else:
                found = self._taps(x, training=True)
                outputs, layers, sums = found["outputs"], found["layers"], found["sums"]
            loss = self.model.compute_loss(x=x, y=y, y_pred=outputs, training=True)
        gradients = tape.gradient(loss, [[v.value for v in variables], layers])
        weights = self._weights()
        self._rows.append(
            {
                "step": self.step,
                "loss": float(loss),
                "weights": [_norm(w) for w in weights],
                "gradients": [_norm(g) for g in gradients[0]],
                "moved": [_norm(w - b) for w, b in zip(weights, self._before, strict=True)],
                "signals": [_norm(g) for g in gradients[1]],
                "idle": [
                    _idle(np.asarray(values), _activation(layer))
                    for layer, values in zip(self._layers, layers, strict=True)
                ],
                "branches": [_norm(branch) / max(_norm(skip), 1e-300) for skip, branch in sums],
            }
        )
        self._before = weights


def series_of(rows: Iterable[dict[str, Any]], names: dict[str, Any]) -> Series:
    """Measurements, a dictionary each, as arrays."""
    rows = list(rows)
    columns: dict[str, Any] = {
        key: np.array([row[key] for row in rows], np.float64)
        for key in ("loss", "weights", "gradients", "moved", "signals", "idle", "branches")
    }
    return Series(steps=np.array([row["step"] for row in rows], np.int64), **columns, **names)


def _has_graph(model: keras.Model) -> bool:
    """Whether the model is functional or Sequential: a subclassed one has no symbolic output."""
    try:
        return bool(model.inputs) and model.output is not None
    except (AttributeError, ValueError):
        return False


def _single(layer: keras.Layer) -> bool:
    """Whether the layer has one output, of floating-point numbers, and is no input."""
    if isinstance(layer, keras.layers.InputLayer):
        return False
    try:
        output = layer.output
    except (AttributeError, ValueError):  # never called, or called more than once
        return False
    return not isinstance(output, list | tuple | dict) and "float" in str(output.dtype)


def _activation(layer: keras.Layer) -> str:
    """Name of the layer's function where it is one whose units can idle; "" otherwise."""
    if isinstance(layer, keras.layers.ReLU):
        return "relu"
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    return name if name in WATCHED else ""


def _idle(values: np.ndarray, activation: str) -> float:
    """Share of units that are zero for all samples and positions, or of values near the function's ends."""
    if not activation or not np.isfinite(values).all():
        return float("nan")
    if activation.startswith("relu"):
        return float((values.reshape(-1, values.shape[-1]) <= 0).all(axis=0).mean())
    low, high = ACTIVATIONS[activation].image
    margin = NEAR * (high - low)
    return float(((values < low + margin) | (values > high - margin)).mean())


def _norm(values: Any) -> float:
    """2-norm in double precision; 0 where there is no gradient."""
    if values is None:
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.linalg.norm(np.asarray(tf.convert_to_tensor(values), np.float64)))
