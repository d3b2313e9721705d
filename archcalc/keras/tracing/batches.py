"""Whether code does the same for any number of samples: two runs with batches of two sizes are compared."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from archcalc.keras.tracing.entries import of_one_sample
from archcalc.keras.tracing.recording import Recorded, UntraceableError


def require_any_batch(recorded: Recorded, batch: int, again: Recorded, other_batch: int) -> None:
    """Raise `UntraceableError` if a constant, or which operations run, depends on the batch's size.

    A mean over samples that is written as a sum and a quotient, say.
    """
    if len(recorded.nodes) != len(again.nodes):
        raise UntraceableError("which operations it runs depends on the batch's size")
    for node, other in zip(recorded.nodes, again.nodes, strict=True):
        if _without_batch(node, batch) != _without_batch(other, other_batch):
            raise UntraceableError(
                f"a constant of {type(node.operation).__name__} depends on the batch's size"
            )


def _without_batch(node: Any, batch: int) -> list[Any]:
    """What distinguishes a call, with the batch's size left open."""
    operation = node.operation
    found = [type(operation).__name__, node.arguments.args, node.arguments.kwargs]
    if not isinstance(operation, keras.layers.Layer):
        found.append({k: v for k, v in vars(operation).items() if not k.startswith("_") and k != "name"})
    return [_open(value, batch) for value in keras.tree.flatten(found)]


def _open(value: Any, batch: int) -> Any:
    if isinstance(value, keras.KerasTensor | keras.Variable):
        return [_open(n, batch) for n in value.shape]
    if type(value) is int:
        return ("batch", value // batch) if value and value % batch == 0 else value
    if callable(value):
        return None
    if not isinstance(value, str) and hasattr(value, "shape") and hasattr(value, "dtype"):
        array = np.asarray(of_one_sample(value, batch) if batch in tuple(value.shape) else value)
        return array.shape, array.tobytes()
    return str(value)
