"""Rules for classes of other packages, as data: the files of `--classes`, and those that ship.

A file maps the name of a class to what its layers are: a layer, `{"type": ..., ...}`, or a block of a
spec, `{"layers": [...]}`. Sizes are expressions in the arguments of the class and in the sizes of its
input (`input_channels`, `input_axis_1`); `{"argument": "padding"}` is an argument as it stands. A list
holds alternatives, of which the first whose `"if"` holds counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from archcalc.errors import Fault, SourceError
from archcalc.readers import json_text
from archcalc.readers.json_text import MAPPING, member
from archcalc.readers.names import did_you_mean, show

GROUP = "archcalc.classes"
MAX_CLASSES = 10_000
OF_A_RULE = ("parameters", "ignores", "if")
OF_A_BLOCK = (*OF_A_RULE, "inputs", "layers", "outputs")


class Alternative(NamedTuple):
    """One way to describe a class, and its JSON path."""

    entry: Mapping[str, Any]
    path: str

    @property
    def is_block(self) -> bool:
        return "layers" in self.entry


class Rule(NamedTuple):
    """What a class is; `source` is the file that says so."""

    name: str
    alternatives: tuple[Alternative, ...]
    source: str
    shipped: bool = False


def read_classes(classes: Any) -> tuple[Mapping[str, Rule], str]:
    """The rules of a file, or of its decoded JSON, and what messages call it.

    Raises `SourceError` with every fault of its form.
    """
    if isinstance(classes, Mapping):
        return _rules(json_text.round_trip(classes), MAPPING), MAPPING
    source = os.fspath(classes)
    with json_text.open_file(source) as file:
        raw = json_text.read_open(file, source)
    return _rules(json_text.decode(raw, source), source), source


def shipped_rule(name: str) -> Rule | None:
    """The rule of a package, or of archcalc, for a class by its registered name."""
    return shipped().get(name)


@cache
def shipped() -> Mapping[str, Rule]:
    """The rules that ship with archcalc, and those of installed packages, by the names of their classes."""
    from importlib.resources import files

    source = "archcalc/data/classes.json"
    raw = files("archcalc").joinpath("data", "classes.json").read_bytes()
    rules = _rules(json.loads(raw), source, shipped=True)
    return {**rules, **{name: rule for source in _packages() for name, rule in source.items()}}


def _packages() -> Iterator[dict[str, Rule]]:
    """The rules that packages bring, `mypackage = "mypackage:classes.json"`; no code is imported."""
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for point in sorted(entry_points(group=GROUP), key=lambda p: p.value):
        top, *inside = point.module.split(".")
        found = find_spec(top)
        if found is None or not found.submodule_search_locations:
            raise SourceError(
                point.value, [Fault("", f"the package {show(top)} of this entry point is missing")]
            )
        path = os.path.join(found.submodule_search_locations[0], *inside, point.attr)
        with json_text.open_file(path) as file:
            raw = json_text.read_open(file, path)
        yield _rules(json_text.decode(raw, path), path, shipped=True)


# -- the form of a file ----------------------------------------------------------------------------
def _rules(data: Any, source: str, *, shipped: bool = False) -> dict[str, Rule]:
    faults: list[Fault] = []
    if not isinstance(data, dict) or not data or len(data) > MAX_CLASSES:
        what = f'1 to {MAX_CLASSES:,} classes, {{"Name": {{"type": ...}}}}'
        raise SourceError(source, [Fault("$", f"expected {what}, got {show(data)}")])
    rules = {}
    for name, stated in data.items():
        path = member("$", name)
        entries = stated if isinstance(stated, list) else [stated]
        paths = [f"{path}[{i}]" for i in range(len(entries))] if isinstance(stated, list) else [path]
        for entry, at in zip(entries, paths, strict=True):
            faults += _faults(entry, at)
        if not name.strip() or not entries:
            faults.append(Fault(path, "expected the name of a class and what it is"))
        rules[name] = Rule(name, tuple(map(Alternative, entries, paths)), source, shipped)
    if faults:
        raise SourceError(source, faults[: json_text.MAX_FAULTS])
    return rules


def _faults(entry: Any, path: str) -> Iterator[Fault]:
    """What is wrong with the form of one alternative."""
    if not isinstance(entry, dict):
        yield Fault(path, f'expected {{"type": ...}} or {{"layers": [...]}}, got {show(entry)}')
        return
    if ("type" in entry) == ("layers" in entry):
        yield Fault(path, 'expected either "type" or "layers"')
        return
    if "layers" in entry:
        for key in entry:
            if key not in OF_A_BLOCK:
                hint = did_you_mean(key, OF_A_BLOCK, f"known: {', '.join(OF_A_BLOCK)}")
                yield Fault(member(path, key), f"unknown key {show(key)}{hint}")
    for key, kind in (("parameters", dict), ("if", dict), ("ignores", list), ("layers", list)):
        if key in entry and not isinstance(entry[key], kind):
            what = "an object {...}" if kind is dict else "a list"
            yield Fault(member(path, key), f"expected {what}, got {show(entry[key])}")
    for key in ("ignores", "inputs", "outputs") if "layers" in entry else ("ignores",):
        names = entry.get(key, [])
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            yield Fault(member(path, key), f"expected a list of names, got {show(names)}")
    if "layers" in entry and not entry["layers"]:
        yield Fault(member(path, "layers"), "must not be empty")
