"""Keras's initialisers by name, and the distributions of the weights.

Fans follow Keras, which ignores the layer type (a depthwise kernel gets fan_in k*k*C):
the last two axes are (in, out), the axes before them the receptive field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class VarianceScaling(NamedTuple):
    """Zero mean and variance `scale / fan`, where fan (`mode`) is `fan_in`, `fan_out` or `fan_avg`."""

    scale: float
    mode: str
    distribution: str


class Constant(NamedTuple):
    """All elements are equal to `value`."""

    value: float


class Spread(NamedTuple):
    """Zero mean and a standard deviation that does not depend on the shape."""

    stddev: float
    distribution: str


class Structured(NamedTuple):
    """A matrix with a property (identity, orthogonal, STFT basis)."""

    property: str


_BY_CLASS: dict[str, Any] = {
    "GlorotUniform": VarianceScaling(1.0, "fan_avg", "uniform"),
    "GlorotNormal": VarianceScaling(1.0, "fan_avg", "truncated_normal"),
    "HeUniform": VarianceScaling(2.0, "fan_in", "uniform"),
    "HeNormal": VarianceScaling(2.0, "fan_in", "truncated_normal"),
    "LecunUniform": VarianceScaling(1.0, "fan_in", "uniform"),
    "LecunNormal": VarianceScaling(1.0, "fan_in", "truncated_normal"),
    "VarianceScaling": VarianceScaling(1.0, "fan_in", "truncated_normal"),
    "RandomNormal": Spread(0.05, "normal"),
    "TruncatedNormal": Spread(0.05, "truncated_normal"),
    "RandomUniform": Spread(0.05 / 3**0.5, "uniform"),
    "Zeros": Constant(0.0),
    "Ones": Constant(1.0),
    "Constant": Constant(0.0),
    "Identity": Structured("identity"),
    "Orthogonal": Structured("orthogonal"),
    "STFT": Structured("stft"),
}


def _snake(name: str) -> str:
    """A class name as the name of an initialiser: `GlorotUniform` becomes `glorot_uniform`."""
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


INITIALIZERS: dict[str, Any] = {
    **_BY_CLASS,
    "IdentityInitializer": _BY_CLASS["Identity"],
    "OrthogonalInitializer": _BY_CLASS["Orthogonal"],
    "STFTInitializer": _BY_CLASS["STFT"],
    **{_snake(name): rule for name, rule in _BY_CLASS.items() if name != "STFT"},
    "stft": _BY_CLASS["STFT"],
    "normal": _BY_CLASS["RandomNormal"],
    "one": _BY_CLASS["Ones"],
    "uniform": _BY_CLASS["RandomUniform"],
    "zero": _BY_CLASS["Zeros"],
    "Glorot_uniform": _BY_CLASS["GlorotUniform"],
}


# -- one form for what every generation of Keras writes -------------------------------------------
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "VarianceScaling": {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal"},
    "RandomNormal": {"mean": 0.0, "stddev": 0.05},
    "TruncatedNormal": {"mean": 0.0, "stddev": 0.05},
    "RandomUniform": {"minval": -0.05, "maxval": 0.05},
    "Constant": {"value": 0.0},
    "Identity": {"gain": 1.0},
    "Orthogonal": {"gain": 1.0},
    "STFT": {"side": "real", "window": "hann", "scaling": None, "periodic": False},
}
_FORMER = ("dtype", "verify_shape")  # arguments that Keras 3 has not
_CLASS_OF = {name: cls for name, rule in INITIALIZERS.items() for cls in _BY_CLASS if _BY_CLASS[cls] is rule}
_SCALED = [(cls, rule) for cls, rule in _BY_CLASS.items() if isinstance(rule, VarianceScaling)]


def shortest(initializer: Any) -> Any:
    """An initialiser by its name where that says all, else as an object with what differs from defaults.

    Keras 3 writes every argument, Keras 2 a `dtype` that Keras 3 refuses, and before 2.2.5 its default
    was written as a `VarianceScaling` of `fan_avg`.
    """
    config: Mapping[str, Any] = {}
    name = initializer
    if isinstance(initializer, dict):
        name, stated = initializer.get("class_name"), initializer.get("config") or {}
        if not isinstance(stated, Mapping):
            return initializer
        config = stated
    cls = _CLASS_OF[name]
    given = {k: v for k, v in config.items() if k not in _FORMER and v is not None}
    if cls == "VarianceScaling":
        if given.get("distribution") == "normal":
            given["distribution"] = "truncated_normal"
        scaling = {**_DEFAULTS[cls], **given}
        drawn = tuple(scaling[k] for k in _DEFAULTS[cls])
        cls = next((c for c, rule in _SCALED if rule == drawn), cls)
        if cls != "VarianceScaling":
            given = {k: v for k, v in given.items() if k not in _DEFAULTS["VarianceScaling"]}
    defaults = _DEFAULTS.get(cls, {})
    given = {k: v for k, v in given.items() if k not in defaults or v != defaults[k]}
    return {"class_name": cls, "config": given} if given else _snake(cls) if cls != "STFT" else "stft"
