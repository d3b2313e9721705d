"""Networks of keras.applications with arguments: Keras builds them, and archcalc reads the configuration."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from archcalc.errors import Fault, SourceError
from archcalc.keras import require_keras
from archcalc.readers.names import did_you_mean, show


def configuration(name: str, arguments: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The configuration of `keras.applications.NAME(**arguments)`, without pretrained weights.

    Raises `MissingExtraError` without Keras, `SourceError` for arguments that Keras does not accept.
    """
    require_keras()
    import keras

    constructor = getattr(keras.applications, name, None)
    if constructor is None:
        raise SourceError(source, [Fault("", f"Keras {keras.__version__} has no application {name!r}")])
    known = set(inspect.signature(constructor).parameters) - {"weights", "input_tensor"}
    faults = [
        Fault("", f"{name} has no argument {show(key)} here{did_you_mean(key, known)}")
        for key in arguments
        if key not in known
    ]
    if faults:
        raise SourceError(source, faults)
    try:
        model = constructor(**arguments, weights=None)
    except (ValueError, TypeError) as refusal:
        raise SourceError(source, [Fault("", f"Keras refuses it: {_first_line(refusal)}")]) from None
    config: dict[str, Any] = json.loads(model.to_json())
    return {"keras_version": keras.__version__, **config}


def _first_line(refusal: Exception) -> str:
    lines = [line.strip() for line in str(refusal).splitlines() if line.strip()]
    return lines[0] if lines else type(refusal).__name__
