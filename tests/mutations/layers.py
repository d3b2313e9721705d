"""Comparison of single layer types with real Keras on the contract's grid, cell by cell.

Shapes, weights, refusals, defaults and measured dependence are Keras's; symbols and arrays must
give the same as integers. The checks are those of `tests.test_contract`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

Entry = dict[str, Any]


# -- recording ---------------------------------------------------------------------------------------
def record(share: float) -> list[Entry]:
    """For each type Keras's arguments, and its outcomes of this share of the cells."""
    from archcalc.layers.registry import registered
    from tests import test_contract as contract
    from tests.contract import cells

    entries = []
    for name in contract.REAL_TYPES:
        grid = list(cells(registered()[name], contract.varied(name)))
        chosen = random.Random(name).sample(grid, max(min(6, len(grid)), round(share * len(grid))))
        some = [_cell(name, contract.outcome(name, cell)) for cell in chosen]
        entries.append({"name": name, "arguments": contract.keras_arguments(name), "cells": some})
    return entries


def _cell(name: str, o: Any) -> Entry:
    from tests import test_contract as contract

    entry = {
        "arguments": o.cell.arguments,
        "inputs": o.cell.inputs,
        "shapes": None if o.keras is None else o.keras.shapes,
        "weights": None if o.keras is None else o.keras.weights,
        "refused": o.layer is None,
        "support": None,
    }
    if o.keras is not None and o.layer is None:
        contract.check_stricter(name, o)
    elif o.keras is not None and name != "InputLayer" and not contract.unmeasurable(o):
        try:
            measured = contract.measured(contract.ROWS[name], o)
            entry["support"] = (measured.units, measured.inputs)
        except contract.keras_oracle.CannotRunError:
            pass
    return entry


# -- comparing ---------------------------------------------------------------------------------------
def differences(entries: list[Entry], module: str = "") -> Iterator[str]:
    """The differences in archcalc; types that inherit from classes of `module` come first."""
    from archcalc.layers.registry import registered

    def foreign(entry: Entry) -> bool:
        return all(cls.__module__ != module for cls in registered()[entry["name"]].__mro__)

    for entry in sorted(entries, key=foreign):
        for check in _checks(entry):
            try:
                check()
            except AssertionError as fault:
                yield f"{entry['name']}: {fault}"


def _checks(entry: Entry) -> Iterator[Callable[[], None]]:
    from tests import test_contract as contract

    name = entry["name"]
    yield lambda: contract.check_fields(name, entry["arguments"])
    yield lambda: contract.check_defaults(name, entry["arguments"])
    accepted = []
    for cell in entry["cells"]:
        o = contract.beside(name, contract.Cell(cell["arguments"], cell["inputs"]), _built(cell))
        yield lambda o=o: contract.check_outcome(o)
        yield lambda o=o, refused=cell["refused"]: _refused(o, refused)
        if o.layer is None or o.keras is None:
            continue
        accepted.append(o)
        if cell["support"] is not None:
            support = contract.keras_oracle.Support(*cell["support"])
            yield lambda o=o, support=support: contract.check_window(o, support)
    for o in accepted:
        yield lambda o=o: contract.check_symbols(name, o, arguments=True)
    groups = {contract.group_key(o): o for o in accepted}
    for o in groups.values():
        yield lambda o=o: contract.check_arrays(name, o)


def _built(cell: Entry) -> Any:
    from tests.keras_oracle import Built

    if cell["shapes"] is None:
        return None
    return Built(None, cell["shapes"][0], cell["shapes"], cell["weights"])


def _refused(o: Any, wanted: bool) -> None:
    """A cell is refused if and only if it was refused when recorded."""
    assert (o.layer is None) == wanted, f"{o.cell}: {o.refusal or 'not refused'}"
