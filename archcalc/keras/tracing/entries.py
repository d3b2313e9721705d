"""Entries of a Keras configuration, written for what a live model holds rather than by Keras.

The reader of configurations reads them like a file, so that a traced network passes the same checks.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from archcalc.arith.unknown import Unknown
from archcalc.keras.tracing.recording import UntraceableError
from archcalc.layers.operand import MAX_CONSTANT

Entry = dict[str, Any]
Shape = tuple[Any, ...]


class Value(NamedTuple):
    """One output of an entry; `shape` includes the batch axis if `batched`.

    A tensor without a batch axis (arithmetic on weights alone) is written with one, as the same for
    every sample.
    """

    name: str
    output: int
    shape: Shape
    dtype: str
    batched: bool = True

    @property
    def reference(self) -> Entry:
        """The tensor inside the arguments of a call."""
        shape = [None, *(self.shape[1:] if self.batched else self.shape)]
        history = [self.name, 0, self.output]
        config = {"shape": shape, "dtype": self.dtype, "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": config}


def entry(class_name: str, config: Entry, name: str, args: Sequence[Any], **more: Any) -> Entry:
    """A layer's or operation's entry with one call; `more` are further keys."""
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {**config, "name": name},
        "registered_name": None,
        "name": name,
        "inbound_nodes": [{"args": list(args), "kwargs": {}}],
        **more,
    }


def operation(class_name: str, config: Entry, name: str, args: Sequence[Any], kwargs: Entry) -> Entry:
    """The entry of a function of `keras.ops` with one call."""
    calls = [{"args": list(args), "kwargs": kwargs}]
    return entry(class_name, config, name, (), module="keras.src.ops", inbound_nodes=calls)


def opaque(name: str, label: str, reason: str, shapes: Sequence[Shape], inputs: Sequence[Value]) -> Entry:
    """The entry of a layer of which only its weights, added later, and its shapes are known."""
    first, *others = (known(shape, name) for shape in shapes)
    config = {"output_shape": first, "other_shapes": others, "class_name": label, "reason": reason}
    return entry("Opaque", config, name, [[v.reference for v in inputs]])


def parameter(
    name: str, shape: Sequence[int], target: Shape, dtype: str, trainable: bool, anchor: Value
) -> Entry:
    """The entry of a weight as a tensor of the shape `target`, without batch."""
    config: Entry = {"shape": list(shape), "trainable": trainable, "dtype": dtype}
    if tuple(shape) != target:
        config["target_shape"] = list(target)
    names = {"module": "archcalc.keras", "registered_name": "archcalc>Parameter"}
    return entry("Parameter", config, name, [anchor.reference]) | names


def known(shape: Shape, name: str) -> list[Any]:
    """The sizes of a shape with batch, without it; open ones are unknown."""
    return [Unknown(f"an axis after layer {name!r} is open") if n is None else n for n in shape[1:]]


def as_data(value: Any) -> Any:
    """A constant argument as a configuration holds it.

    Raises `UntraceableError` for objects that it cannot hold, and for large arrays.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, slice):
        config = {k: as_data(getattr(value, k)) for k in ("start", "stop", "step")}
        return {"class_name": "__slice__", "config": config}
    if isinstance(value, dict):
        return {str(k): as_data(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(v) for v in value]
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _constant(value)
    if isinstance(value, type) or hasattr(value, "as_numpy_dtype"):
        return keras.backend.standardize_dtype(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise UntraceableError(f"an operation takes an argument of type {type(value).__name__}")


def of_one_sample(value: Any, batch: int) -> Any:
    """A constant with the batch axis first, for one sample.

    Raises `UntraceableError` unless it is the same for every sample.
    """
    try:
        array = np.asarray(value)
    except Exception as fault:
        raise UntraceableError("an operation takes a tensor that is not symbolic") from fault
    if array.shape[0] != batch or batch in array.shape[1:] or (array != array[:1]).any():
        raise UntraceableError("it creates a tensor that depends on the batch's size")
    return array[:1]


def _constant(value: Any) -> Any:
    if any(n is None for n in value.shape):
        raise UntraceableError("an operation takes a tensor that is not symbolic")
    try:
        array = np.asarray(value)
    except Exception as fault:  # a tensor of a graph, an object with a shape
        raise UntraceableError("an operation takes a tensor that is not symbolic") from fault
    if array.size > MAX_CONSTANT:
        raise UntraceableError(f"it holds a constant of {array.size:,} elements")
    if not array.shape:
        return array.item()
    dtype = keras.backend.standardize_dtype(array.dtype)
    return {"class_name": "__numpy__", "config": {"value": array.tolist(), "dtype": dtype}}


def serialized(part: Any) -> Entry:
    """What Keras says of a layer or operation, as JSON data."""
    data = keras.saving.serialize_keras_object(part)
    return json.loads(json.dumps(data, default=_json))  # type: ignore[no-any-return]


def attributes(part: keras.Operation) -> Entry:
    """The arguments of an operation, from the attributes of their names.

    Raises `UntraceableError` for one that it does not keep, or that no configuration can hold.
    """
    names = [n for n in inspect.signature(type(part).__init__).parameters if n not in ("self", "name")]
    missing = [n for n in names if not hasattr(part, n)]
    if missing:
        raise UntraceableError(f"{type(part).__name__} does not keep its argument {missing[0]!r}")
    values = {n: getattr(part, n) for n in names}
    return {n: as_data(v.tolist() if isinstance(v, np.ndarray) else v) for n, v in values.items()}


def _json(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
