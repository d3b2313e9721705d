"""Functions that read the shape of a tensor: `tf.reshape(x, [tf.shape(x)[0], ...])` keeps the batch.

Only the batch is followed; other sizes that a model reads when it runs stay without a rule.
"""

from __future__ import annotations

from typing import Any

from archcalc.readers.keras.model import Member, Model, Ref, leaves, tensors
from archcalc.readers.keras.tf_functions import canonical

Key = tuple[str, int]  # a call: the member's name and the number

BATCH = object()
SHAPE = object()


def keep_batch(model: Model) -> None:
    """Put the batch in place of what reads it in reshapes; the functions that read it then have no calls."""
    functions = [m for m in model.members.values() if m.kind == "function"]
    values: dict[Key, Any] = {}
    for member in functions:
        for number, call in enumerate(member.calls):
            value = _value(_function(member), [*call.args, *call.kwargs.values()], values)
            if value is not None:
                values[member.name, number] = value
    if not values:
        return
    reshapes = [m for m in functions if _function(m) == "reshape"]
    for member in reshapes:
        for call in member.calls:
            call.args = [call.args[0], *(_replaced(v, values) for v in call.args[1:])] if call.args else []
            call.kwargs = {k: _replaced(v, values) for k, v in call.kwargs.items()}
    for name in _unread(model, values):
        model.members[name].calls = []
        model.members[name].kind = "folded"


def _function(member: Member) -> str:
    config = member.entry.get("config")
    return canonical(str(config.get("function"))) if isinstance(config, dict) else ""


def _value(function: str, arguments: list[Any], values: dict[Key, Any]) -> Any:
    """What a call gives: a shape, its batch, a list of sizes; None for anything else."""
    first = arguments[0] if arguments else None
    if function in ("shape", "shape_v2"):
        return SHAPE
    if function == "getitem" and isinstance(first, Ref) and values.get((first.member, first.call)) is SHAPE:
        return BATCH if arguments[1:] and arguments[1] == 0 else None
    if function == "stack" and isinstance(first, list):
        sizes = _replaced(first, values)
        return sizes if all(n is None or type(n) is int for n in sizes) else None
    return None


def _replaced(value: Any, values: dict[Key, Any]) -> Any:
    """A shape as `reshape` takes it: None for the batch, where it comes first."""
    if isinstance(value, Ref):
        known = values.get((value.member, value.call))
        return known if isinstance(known, list) else value
    if not isinstance(value, list) or not value or not isinstance(value[0], Ref):
        return value
    is_batch = values.get((value[0].member, value[0].call)) is BATCH
    return [None, *value[1:]] if is_batch else value


def _unread(model: Model, values: dict[Key, Any]) -> set[str]:
    """The members of which every reader is gone."""
    members = {name for name, _ in values}
    gone = {
        name for name in members if all((name, n) in values for n in range(len(model.members[name].calls)))
    }
    gone -= {ref.member for ref in leaves(model.outputs)}
    while True:
        read = {
            ref.member
            for member in model.members.values()
            if member.name not in gone
            for call in member.calls
            for ref in tensors(call)
        }
        if not gone & read:
            return gone
        gone -= read
