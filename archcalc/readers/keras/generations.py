"""Layers as earlier generations of Keras wrote them, as classes and arguments of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archcalc.readers.keras import keras1
from archcalc.readers.keras.legacy import CLASS_NAMES
from archcalc.readers.names import show

Config = dict[str, Any]


class Current(NamedTuple):
    """A class and its arguments; `reason` says why there is no such class today, if there is none."""

    class_name: str
    config: Config
    reason: str = ""


def current(class_name: str, config: Config, version: str | None) -> Current:
    """What a serialised layer is called today; `version` is that of the Keras that wrote the file."""
    if version is not None and version.startswith("1."):
        reason = keras1.without_rule(class_name, config)
        if reason:
            return Current(class_name, config, reason)
        class_name, config = keras1.translated(class_name, config)
    class_name = CLASS_NAMES.get(class_name, class_name)
    rewrite = _REWRITTEN.get(class_name)
    if rewrite is not None:
        return rewrite(config)
    if class_name in ("GRU", "GRUCell") and "reset_after" not in config and not _is_keras3(version):
        # before Keras 2.1.6 there was no such argument, and the candidate was computed as without it
        config = {**config, "reset_after": False}
    return Current(class_name, config)


def _is_keras3(version: str | None) -> bool:
    return version is None or version.startswith("3")


# -- classes that are another class today ----------------------------------------------------------
_MODES: Mapping[str, str] = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}


def _merge(config: Config) -> Current:
    """Keras 1 and early Keras 2 had one class for all ways to merge."""
    mode = config.get("mode")
    plain: Config = {k: config[k] for k in ("name", "trainable", "dtype") if k in config}
    if config.get("layers"):
        return Current("Merge", config, "a Merge of whole models, as Keras 1 began a Sequential")
    if isinstance(mode, str) and config.get("mode_type", "raw") == "raw":
        if mode in _MODES:
            return Current(_MODES[mode], plain)
        if mode == "concat":
            return Current("Concatenate", {**plain, "axis": config.get("concat_axis", -1)})
        if mode == "dot":
            return Current("Dot", {**plain, "axes": config.get("dot_axes", -1)})
    what = f"mode={show(mode)}" if config.get("mode_type", "raw") == "raw" else "a function of its own"
    return Current("Merge", config, f"a Merge with {what}, which archcalc has no rule for")


def _thresholded_relu(config: Config) -> Current:
    others = {k: v for k, v in config.items() if k != "theta"}
    return Current("ReLU", {**others, "threshold": config.get("theta", 1.0)})


def _activation(config: Config) -> Current:
    """An Activation whose function is a layer, such as LeakyReLU, is that layer."""
    function = config.get("activation")
    if isinstance(function, dict) and function.get("class_name") in ACTIVATION_LAYERS:
        own = function.get("config")
        arguments = {k: v for k, v in own.items() if k != "name"} if isinstance(own, dict) else {}
        plain = {k: v for k, v in config.items() if k != "activation"}
        return Current(str(function["class_name"]), arguments | plain)
    return Current("Activation", config)


ACTIVATION_LAYERS = ("ReLU", "LeakyReLU", "ELU", "Softmax")

_REWRITTEN: Mapping[str, Callable[[Config], Current]] = {
    "Merge": _merge,
    "ThresholdedReLU": _thresholded_relu,
    "Activation": _activation,
}
