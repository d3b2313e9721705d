"""A body: the layers of a network or of a block, with every reference checked once.

Inside a body a name means a layer, a block use or an input of that body; `stem/a` and
`body[3]/a` mean a layer inside a block used there. A block use counts as one entry of the order:
it comes after all its inputs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from archcalc.graph import cycle, shown_cycle, topological_order
from archcalc.readers.names import did_you_mean, fault_of_name, show
from archcalc.readers.spec.entries import BlockEntry, Entry, LayerEntry, Read, SharedEntry, read_entry
from archcalc.readers.spec.faults import Faults, Severity

_OUTPUT = re.compile(r"(.+):([0-9]{1,4})", re.DOTALL)


@dataclass
class Body:
    """Checked entries. `order` lists their indices so that each comes after what it reads."""

    path: str
    inputs: dict[str, None]
    parameters: Mapping[str, Any]
    entries: list[Entry] = field(default_factory=list)
    indices: dict[str, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    def reference(self, text: str) -> tuple[str, int] | None:
        """A reference as (name, output number): `lstm:1` is output 1 of `lstm`; None if nothing fits."""
        if self._head(text) is not None:
            return text, 0
        match = _OUTPUT.fullmatch(text)
        if match is not None and self._head(match[1]) is not None:
            return match[1], int(match[2])
        return None

    def entry_of(self, name: str) -> int | None:
        """The index of the entry that a known name belongs to; None for inputs of the body."""
        head = self._head(name)
        return None if head is None else self.indices.get(head)

    def _head(self, text: str) -> str | None:
        if text in self.indices or text in self.inputs:
            return text
        for match in re.finditer(r"[/\[]", text):
            index = self.indices.get(text[: match.start()])
            if index is not None and self.is_block(index):
                return text[: match.start()]
        return None

    def is_block(self, index: int) -> bool:
        """Whether the entry is the use of a block, or one that shares a block's weights."""
        entry = self.entries[index] if index >= 0 else None
        if isinstance(entry, SharedEntry):
            target = self.indices.get(entry.target)
            return target is not None and isinstance(self.entries[target], BlockEntry)
        return isinstance(entry, BlockEntry)

    def known(self) -> Iterator[str]:
        yield from self.inputs
        yield from self.indices


def read_body(
    path: str,
    raw_entries: list[Any],
    inputs: Iterable[str],
    parameters: Mapping[str, Any],
    blocks: Collection[str],
    faults: Faults,
) -> Body:
    """A body from its raw entries; faults are noted, and the remaining entries still checked."""
    body = Body(path, dict.fromkeys(inputs), parameters)
    before = faults.count
    previous = next(iter(body.inputs)) if len(body.inputs) == 1 else None
    read: Read = {}
    for i, raw in enumerate(raw_entries):
        where = f"{path}.layers[{i}]"
        entry = read_entry(raw, where, blocks, faults, read)
        name = entry.name if entry is not None else _name_of(raw)
        if name:
            _add_name(body, name, where, faults)
        if entry is not None:
            _fill_inputs(entry, previous, body, faults)
            body.entries.append(entry)
        else:
            # keeps the numbering of the entries, and the name for those that refer to it
            body.entries.append(Entry(path=where, name=name or ""))
        previous = name or None
    _check_references(body, faults)
    if faults.count == before:
        _arrange(body, faults)
    return body


def _name_of(raw: Any) -> str | None:
    name = raw.get("name") if isinstance(raw, dict) else None
    return name if isinstance(name, str) else None


def _add_name(body: Body, name: str, where: str, faults: Faults) -> None:
    if name in body.inputs:
        faults.add(Severity.NAMES, f"{where}.name", f"the name {show(name)} already names an input here")
    elif name in body.indices:
        first = body.entries[body.indices[name]].path
        faults.add(Severity.NAMES, f"{where}.name", f"the name {show(name)} is already used at {first}")
    else:
        body.indices[name] = len(body.entries)


def _fill_inputs(entry: Entry, previous: str | None, body: Body, faults: Faults) -> None:
    if entry.inputs is not None:
        return
    if previous is not None:
        entry.inputs = [previous]
    elif not body.entries:
        names = ", ".join(map(repr, list(body.inputs)[:5]))
        faults.add(
            Severity.NAMES, entry.path, f'the first layer needs "inputs", because there are several: {names}'
        )


def _check_references(body: Body, faults: Faults) -> None:
    indices = body.indices
    for entry in body.entries:
        for k, text in enumerate(entry.tensors()):
            reference = (text, 0) if text in indices else body.reference(text)
            if reference is None:
                faults.add(Severity.NAMES, entry.path_of_tensor(k), partial(dangling, text, body))
            else:
                entry.reads.append(reference)
        if isinstance(entry, LayerEntry) and entry.inputs and len(entry.inputs) < entry.cls.fewest_inputs:
            only = show(entry.inputs[0])
            text = (
                f'{entry.cls.__name__} merges inputs and gets one, {only}; name all: "inputs": [{only}, ...]'
            )
            faults.add(Severity.STRUCTURE, entry.path, text)
        if isinstance(entry, SharedEntry):
            if body.entry_of(entry.target) is None:
                where = f"{entry.path}.shared_with"
                faults.add(Severity.NAMES, where, partial(dangling, entry.target, body))
            elif (entry.also or entry.masks) and body.is_block(body.indices.get(entry.target, -1)):
                (key, *_) = entry.also or ["masks"]
                faults.add(
                    Severity.STRUCTURE,
                    f"{entry.path}.{key}",
                    f"everything but name and inputs comes from {show(entry.target)}; remove {show(key)}",
                )


def dangling(text: str, body: Body) -> str:
    """The message for a name that means nothing in this body."""
    what = "layer or input" if body.path == "$" else "layer or input of this block"
    return f"no {what} is named {show(text)}{did_you_mean(text, body.known())}"


def _arrange(body: Body, faults: Faults) -> None:
    """Set the order; a cycle is a fault at its first entry."""
    parents = [
        [
            index
            for name, _ in entry.reads
            if (index := body.indices.get(name)) is not None or (index := body.entry_of(name)) is not None
        ]
        for entry in body.entries
    ]
    body.order = topological_order(parents)
    if len(body.order) == len(body.entries):
        return
    loop = cycle(parents)
    names = [_bare(body.entries[i].name) for i in loop]
    faults.add(Severity.NAMES, body.entries[loop[0]].path, f"a cycle: {shown_cycle(names)}")


def _bare(name: str) -> str:
    return name if name.isprintable() else show(name)


def check_input_names(path: str, inputs: list[str], faults: Faults, *, listed: bool) -> None:
    """Check the names of inputs: of a block, which lists them, or of the network, whose keys they are."""
    for i, name in enumerate(inputs):
        problem = fault_of_name(name)
        if problem is not None:
            faults.add(Severity.NAMES, f"{path}[{i}]" if listed else path, problem)
    if len(set(inputs)) < len(inputs):
        twice = next(n for i, n in enumerate(inputs) if n in inputs[:i])
        faults.add(Severity.NAMES, path, f"the name {show(twice)} appears twice")
