"""A Keras model as its configuration states it, before nested models are unfolded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from archcalc.layers.base import Layer


class Ref(NamedTuple):
    """One output of one call of a member; `shape` is what the file records for it, if anything."""

    member: str
    call: int
    output: int
    path: str
    shape: tuple[int | None, ...] | None = None


@dataclass(eq=False, repr=False)
class Call:
    """One call of a member.

    `args` and `kwargs` are decoded values; `inputs` the tensors in the layer's own order, `masks` those
    of the call's masks by argument and `layer` the declaration with this call's arguments (None for
    models and after a fault).
    """

    path: str
    args: list[Any]
    kwargs: dict[str, Any]
    inputs: tuple[Ref, ...] = ()
    masks: dict[str, list[Ref | None] | Ref] = field(default_factory=dict)
    layer: Layer | None = None


@dataclass(eq=False, repr=False)
class Member:
    """A named part of a model: an input (a layer without calls), a layer, an operation, or a model."""

    name: str
    path: str
    entry: dict[str, Any]
    kind: str
    class_name: str
    reason: str = ""
    rule: Any = None  # that describes its class
    calls: list[Call] = field(default_factory=list)
    model: Model | None = None
    steps: int = 0  # TimeDistributed layers around the model
    layer: Layer | None = None  # of an input

    @property
    def shared_id(self) -> int | None:
        """The number by which an archive marks objects that are one and the same; None without a mark."""
        mark = self.entry.get("shared_object_id")
        return mark if type(mark) is int else None


@dataclass(eq=False, repr=False)
class Model:
    """A graph of members; inputs and outputs in the order in which Keras flattens them."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    inputs: Any = None  # structure of Ref
    outputs: Any = None
    frozen: bool = False
    legacy: bool = False  # written by Keras 2
    outer: bool = False  # the model of the file itself

    def recorded(self, member: Member) -> dict[tuple[int, int], tuple[int | None, ...]]:
        """The shapes that the file records for this member's outputs: (call, output) -> shape."""
        return self._recorded.get(member.name, {})

    _recorded: dict[str, dict[tuple[int, int], tuple[int | None, ...]]] = field(default_factory=dict)

    @cached_property
    def read(self) -> dict[tuple[str, int], set[int]]:
        """(member, call) -> its outputs that something reads; nothing reads those of the whole model."""
        refs = [r for m in self.members.values() for c in m.calls for r in tensors(c)]
        found: dict[tuple[str, int], set[int]] = {}
        for ref in [*refs, *(() if self.outer else leaves(self.outputs))]:
            found.setdefault((ref.member, ref.call), set()).add(ref.output)
        return found

    def record(self, ref: Ref, shape: tuple[int | None, ...] | None) -> None:
        """Note the shape of a tensor that one of its readers states."""
        if shape is not None:
            self._recorded.setdefault(ref.member, {}).setdefault((ref.call, ref.output), shape)


def tensors(call: Call) -> Iterator[Ref]:
    """Every tensor among the arguments of a call."""
    waiting: list[Any] = [call.args, call.kwargs]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Ref):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, slice):
            waiting += (value.start, value.stop, value.step)


def leaves(structure: Any) -> Iterator[Any]:
    """The leaves of nested lists and dictionaries in Keras's order (dictionaries by sorted key)."""
    if isinstance(structure, dict):
        for key in sorted(structure):
            yield from leaves(structure[key])
    elif isinstance(structure, list):
        for item in structure:
            yield from leaves(item)
    elif structure is not None:
        yield structure
