"""The limits that docs/limits.md states are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcalc.analyses import shapes
from archcalc.arith import symbolic
from archcalc.arith.expressions import WRITTEN
from archcalc.arith.sizes import MAX_UNORDERED
from archcalc.graph.quantities import CLAIMED
from archcalc.readers import json_text, keras_archive
from archcalc.readers.limits import ENDS_A_LAYER, MAX_LAYERS, WRITTEN_A_LAYER
from archcalc.readers.names import MAX_NAME
from archcalc.readers.spec import declarations, entries, expansion, sizes

SPEC = (Path(__file__).parents[2] / "docs" / "spec.md").read_text(encoding="utf-8")
PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
ENTRIES = declarations.MAX_ENTRIES


@pytest.mark.parametrize(
    "stated",
    [
        f"| {json_text.MAX_BYTES >> 20} MiB |",
        f"| {json_text.MAX_DEPTH} levels |",
        f"| {json_text.MAX_CONTAINERS:,} · {json_text.MAX_VALUES:,} |",
        f"| digits of a number | {json_text.MAX_DIGITS} |",
        f"| a size | {sizes.MAX_SIZE:,} |",
        f"| layers, blocks and nested models written out | {MAX_LAYERS:,} (",
        f"| blocks inside blocks | {expansion.MAX_BLOCK_DEPTH} |",
        f"| {ENTRIES['symbols']:,} · {ENTRIES['blocks']:,} |",
        f"| inputs of one layer | {entries.MAX_INPUTS:,} |",
        f"| {WRITTEN.length:,} characters, {WRITTEN.nesting} open parentheses, ",
        f"exponents up to {WRITTEN.exponent}, integers of {WRITTEN.bits} bits, {WRITTEN.terms} terms, ",
        f"{WRITTEN.levels} floors or extrema of symbols inside each other",
        f"| up to {MAX_NAME} characters",
        f"32 MiB and grow {keras_archive.MAX_RATIO} times",
        f"`metadata.json` {keras_archive.MAX_METADATA >> 10} KiB",
        f"{keras_archive.MAX_READ >> 20} MiB. What the archive",
        f"| axes of a tensor | {shapes.MAX_RANK} |",
        f"together | {shapes.MAX_BITS:,} |",
        f"of all layers | {shapes.MIN_TENSORS:,}, or {shapes.TENSORS_A_NODE} a layer |",
        f"| characters of all names and inputs | {WRITTEN_A_LAYER} a layer",
        f"its layers | {ENDS_A_LAYER} times",
        f"figure | {symbolic.MAX_TERMS:,} |",
        f"is asked for | {MAX_UNORDERED};",
    ],
)
def test_stated(stated: str) -> None:
    assert stated in PAGE


def test_limits_that_are_stated_together_are_the_same() -> None:
    assert ENTRIES["symbols"] == ENTRIES["inputs"] == ENTRIES["outputs"]
    assert ENTRIES["blocks"] == ENTRIES["claims"]


@pytest.mark.parametrize("quantity", CLAIMED)
def test_quantities(quantity: str) -> None:
    assert f"`{quantity}`" in SPEC
