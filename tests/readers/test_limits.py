"""The limits that docs/spec.md states are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcalc.claims import QUANTITIES
from archcalc.expressions import WRITTEN
from archcalc.readers import MAX_LAYERS, json_text
from archcalc.readers.names import MAX_NAME
from archcalc.readers.spec import declarations, entries, expansion, sizes

PAGE = (Path(__file__).parents[2] / "docs" / "spec.md").read_text(encoding="utf-8")
ENTRIES = declarations.MAX_ENTRIES


@pytest.mark.parametrize(
    "stated",
    [
        f"| {json_text.MAX_BYTES >> 20} MiB |",
        f"| {json_text.MAX_DEPTH} levels |",
        f"| {json_text.MAX_CONTAINERS:,} · {json_text.MAX_VALUES:,} |",
        f"| digits of a number | {json_text.MAX_DIGITS} |",
        f"| a size | {sizes.MAX_SIZE:,} |",
        f"| layers, blocks written out | {MAX_LAYERS:,} (",
        f"| blocks inside blocks | {expansion.MAX_BLOCK_DEPTH} |",
        f"| {ENTRIES['symbols']:,} · {ENTRIES['blocks']:,} |",
        f"| inputs of one layer | {entries.MAX_INPUTS:,} |",
        f"| {WRITTEN.length:,} characters, {WRITTEN.nesting} open parentheses, ",
        f"exponents up to {WRITTEN.exponent}, integers of {WRITTEN.bits} bits, {WRITTEN.terms} terms, ",
        f"{WRITTEN.levels} floors or extrema of symbols inside each other",
        f"up to {MAX_NAME} characters",
    ],
)
def test_stated(stated: str) -> None:
    assert stated in PAGE


def test_limits_that_are_stated_together_are_the_same() -> None:
    assert ENTRIES["symbols"] == ENTRIES["inputs"] == ENTRIES["outputs"]
    assert ENTRIES["blocks"] == ENTRIES["claims"]
    assert expansion.MAX_LAYERS == MAX_LAYERS


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantities(quantity: str) -> None:
    assert f"`{quantity}`" in PAGE
