"""Calls of `keras.ops`: which arguments are tensors, which are constants, and the resulting layer."""

from __future__ import annotations

from typing import Any

from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operation
from archcalc.layers.registry import keras_operation
from archcalc.readers.keras.declare import construct
from archcalc.readers.keras.model import Call, Member, Ref
from archcalc.readers.keras.reading import Reading
from archcalc.readers.keras.values import constant, refs


def operation_call(member: Member, call: Call, reading: Reading) -> None:
    """Fill in a call of a `keras.ops` operation, as Keras 3 writes it."""
    cls = keras_operation(member.class_name)
    assert cls is not None
    path = f"{member.path}.config"
    config = reading.mapping(member.entry.get("config"), path, "the arguments of an operation")
    arguments = {k: v for k, v in config.items() if k != "name"}
    bind(cls, call, arguments, path, reading)


def bind(cls: type[Operation], call: Call, config: dict[str, Any], path: str, reading: Reading) -> None:
    """Give the call its tensors and its layer; `config` holds arguments of the operation itself."""
    faults = len(reading.faults)
    arguments = dict(config)
    inputs: list[Ref] = []
    values = dict(zip(cls.parameters, call.args, strict=False)) | call.kwargs
    if len(call.args) > len(cls.parameters):
        values |= {f"argument {i + 1}": v for i, v in enumerate(call.args) if i >= len(cls.parameters)}
    for name in (*cls.parameters, *(k for k in values if k not in cls.parameters)):
        value = values.get(name)
        at = f"{call.path}.{name}"
        tensors = list(refs(value))
        if name in cls.operands and tensors:
            if not _only_tensors(value):
                reading.fault(at, f"{cls.__name__}: a list of tensors and constants has no rule")
            inputs.extend(tensors)
        elif name in cls.operands and value is not None:
            arguments[name] = constant(_plain(value), "float32", at, reading)
        elif tensors:
            reading.fault(at, f"{cls.__name__}: a tensor as {name!r} has no rule")
        elif name in values:
            arguments[name] = value
    if len(reading.faults) == faults:
        call.inputs = tuple(inputs)
        call.layer = construct(cls, arguments, path, reading)


def _only_tensors(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_only_tensors, value))
    return isinstance(value, Ref)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Constant) else value
