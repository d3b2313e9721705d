"""The entries of a `layers` list: a layer, the use of a block, or a layer that shares weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.errors import LayerError
from archcalc.layers.base import Layer
from archcalc.layers.refusals import REFUSALS
from archcalc.readers.counterparts import type_hint
from archcalc.readers.json_text import member
from archcalc.readers.names import did_you_mean, fault_of_name, show
from archcalc.readers.spec.arguments import layer_type, refused, type_names
from archcalc.readers.spec.declarations import REPORTED
from archcalc.readers.spec.faults import Faults, Severity

MAX_INPUTS = 10_000
_KINDS = ("type", "block", "shared_with")
BLOCK_KEYS = ("name", "block", "inputs", "repeat")


@dataclass(slots=True, kw_only=True)
class Entry:
    """What all entries have; `inputs` is None where the file states none.

    `masks` holds the names of each mask's tensors by the argument of Keras's call, in a list where
    the argument takes one.
    """

    path: str
    name: str
    inputs: list[str] | None = None
    masks: Mapping[str, str | list[str | None]] = field(default_factory=dict)
    # inputs, then masks, as (name, output), the default filled in; set when the body is arranged
    reads: list[tuple[str, int]] = field(default_factory=list)

    def tensors(self) -> Sequence[str]:
        """The name of every tensor that the entry reads: inputs first, then masks."""
        inputs = self.inputs or ()
        return [*inputs, *(name for _, name in self._masks())] if self.masks else inputs

    def path_of_tensor(self, number: int) -> str:
        """The JSON path of one of these names."""
        inputs = len(self.inputs or ())
        return f"{self.path}.inputs[{number}]" if number < inputs else [*self._masks()][number - inputs][0]

    def _masks(self) -> Iterator[tuple[str, str]]:
        for argument, names in self.masks.items():
            where = member(f"{self.path}.masks", argument)
            if isinstance(names, str):
                yield where, names
            else:
                yield from ((f"{where}[{i}]", name) for i, name in enumerate(names) if name is not None)


@dataclass(slots=True, kw_only=True)
class LayerEntry(Entry):
    cls: type[Layer]
    arguments: Mapping[str, Any]
    text: str = ""  # of the file: layers of one text are equal
    owner: str | None = None  # a layer of another type that owns the weights


@dataclass(slots=True, kw_only=True)
class BlockEntry(Entry):
    block: str
    arguments: Mapping[str, Any]
    repeat: Any = None


@dataclass(slots=True, kw_only=True)
class SharedEntry(Entry):
    target: str
    also: Mapping[str, Any]  # arguments of its own call, or stated once more


# the entries of plain layers by their text, without name and inputs, of which a deep network has few
Read = dict[str, LayerEntry]


def read_entry(raw: Any, path: str, blocks: Collection[str], faults: Faults, read: Read) -> Entry | None:
    """The entry; None, with faults noted, if it does not say what it is. `read` has those before it."""
    if raw is REPORTED:
        return None
    if not isinstance(raw, dict):
        faults.add(
            Severity.STRUCTURE, path, f'expected an object {{"name": ..., "type": ...}}, got {show(raw)}'
        )
        return None
    name = _name(raw, path, faults)
    inputs = _inputs(raw, path, faults)
    stated = raw.copy()
    stated.pop("name", None)
    stated.pop("inputs", None)
    text = repr(stated)
    same = read.get(text)
    if same is not None:
        return LayerEntry(
            path=path, name=name, inputs=inputs, cls=same.cls, arguments=same.arguments, text=same.text
        )
    entry = _entry(raw, path, name, inputs, blocks, faults)
    if isinstance(entry, LayerEntry):
        entry.text = text
        if not entry.masks and entry.owner is None:
            read[text] = entry
    return entry


def _entry(
    raw: dict[str, Any],
    path: str,
    name: str,
    inputs: list[str] | None,
    blocks: Collection[str],
    faults: Faults,
) -> Entry | None:
    """An entry whose name and inputs are read; None, with faults noted, if it does not say what it is."""
    kinds = [key for key in _KINDS if key in raw]
    if "shared_with" in kinds and kinds != ["shared_with"]:
        kinds = ["shared_with"] if kinds == ["type", "shared_with"] else kinds
    if len(kinds) != 1:
        problem = (
            f"{' and '.join(map(repr, kinds))} exclude each other"
            if kinds
            else f'"type" is missing{_misspelt(raw)}'
        )
        faults.add(Severity.STRUCTURE, path, problem)
        return None
    (kind,) = kinds
    owner = raw.get("shared_with") if raw.get("type") == "Parameter" else None
    if owner is not None:
        kind = "type"
    word = raw[kind]
    if not isinstance(word, str):
        faults.add(Severity.STRUCTURE, f"{path}.{kind}", f"expected a name in quotes, got {show(word)}")
        return None
    if kind == "block":
        return _block(raw, path, name, inputs, blocks, faults)
    masks = _masks(raw, path, faults)
    if kind == "shared_with":
        also = {k: v for k, v in raw.items() if k not in ("name", "inputs", "masks", "shared_with")}
        return SharedEntry(path=path, name=name, inputs=inputs, masks=masks, target=word, also=also)
    try:
        cls = layer_type(word)
    except LayerError as fault:
        faults.add(Severity.STRUCTURE, f"{path}.type", str(fault))
        return None
    if cls is None:
        faults.add(Severity.STRUCTURE, f"{path}.type", lambda: _unknown_type(word))
        return None
    if word == "InputLayer":
        faults.add(Severity.STRUCTURE, f"{path}.type", 'inputs are declared in "inputs", not as layers')
        return None
    if owner is not None and not isinstance(owner, str):
        faults.add(Severity.STRUCTURE, f"{path}.shared_with", f"expected a name in quotes, got {show(owner)}")
        return None
    arguments = {k: v for k, v in raw.items() if k not in ("name", "inputs", "masks", "type", "shared_with")}
    return LayerEntry(
        path=path, name=name, inputs=inputs, masks=masks, cls=cls, arguments=arguments, owner=owner
    )


def _block(
    raw: dict[str, Any],
    path: str,
    name: str,
    inputs: list[str] | None,
    blocks: Collection[str],
    faults: Faults,
) -> BlockEntry | None:
    block = raw["block"]
    if block not in blocks:
        faults.add(
            Severity.NAMES,
            f"{path}.block",
            lambda: f"no block is named {show(block)}{did_you_mean(block, blocks)}",
        )
        return None
    arguments = {k: v for k, v in raw.items() if k not in BLOCK_KEYS}
    return BlockEntry(
        path=path, name=name, inputs=inputs, block=block, arguments=arguments, repeat=raw.get("repeat")
    )


def _name(raw: dict[str, Any], path: str, faults: Faults) -> str:
    name = raw.get("name")
    if name is None:
        faults.add(Severity.STRUCTURE, path, '"name" is missing')
    elif not isinstance(name, str):
        faults.add(Severity.STRUCTURE, f"{path}.name", f"expected a name in quotes, got {show(name)}")
    else:
        problem = fault_of_name(name)
        if problem is not None:
            faults.add(Severity.NAMES, f"{path}.name", problem)
        return name
    return ""


def _inputs(raw: dict[str, Any], path: str, faults: Faults) -> list[str] | None:
    inputs = raw.get("inputs")
    if inputs is None:
        return None
    where = f"{path}.inputs"
    if not isinstance(inputs, list):
        faults.add(Severity.STRUCTURE, where, f"expected a list of names, got {show(inputs)}")
        return None
    if not 0 < len(inputs) <= MAX_INPUTS:
        faults.add(Severity.STRUCTURE, where, f"expected 1 to {MAX_INPUTS:,} names, got {len(inputs):,}")
        return None
    wrong = [i for i, name in enumerate(inputs) if not isinstance(name, str)]
    for i in wrong:
        faults.add(Severity.STRUCTURE, f"{where}[{i}]", f"expected a name in quotes, got {show(inputs[i])}")
    return None if wrong else inputs


def _masks(raw: dict[str, Any], path: str, faults: Faults) -> dict[str, str | list[str | None]]:
    if "masks" not in raw:
        return {}
    masks = raw["masks"]
    expected = 'the name of a tensor for an argument of the call, as in {"mask": "padding"}'
    if not isinstance(masks, dict):
        faults.add(Severity.STRUCTURE, f"{path}.masks", f"expected {expected}, got {show(masks)}")
        return {}
    for argument, names in masks.items():
        listed = isinstance(names, list) and all(isinstance(n, str | None) for n in names)
        if not (argument.endswith("mask") and (isinstance(names, str) or listed)):
            where = member(f"{path}.masks", argument)
            faults.add(Severity.STRUCTURE, where, f"expected {expected}, got {show(names)}")
            return {}
    return masks


def _misspelt(raw: dict[str, Any]) -> str:
    for key in raw:
        if key not in ("name", "inputs", "masks"):
            hint = did_you_mean(key, _KINDS)
            if hint:
                return f", and {show(key)} is unknown{hint}"
    return ' (or "block", or "shared_with")'


def _unknown_type(word: str) -> str:
    if word in REFUSALS:
        return refused(word)
    return (
        f"unknown layer type {show(word)}{type_hint(word, type_names())}; `archcalc layers` lists all, "
        '"Opaque" describes others'
    )


def path_of(entry: Entry, key: str | None) -> str:
    """The JSON path of one of the entry's keys."""
    return entry.path if key is None else member(entry.path, key)
