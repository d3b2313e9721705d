"""One table of quantities: every output follows it, and a new row with its analysis appears everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from archcalc.analyze import analyze
from archcalc.graph.quantities import CLAIMED, SUMMED, TABLE, TOTALS
from archcalc.readers.schema import schema
from archcalc.render.columns import ORDER
from archcalc.report.columns import Figures
from archcalc.report.rows import Row
from archcalc.report.totals import Totals
from tests.networks import residual

ROOT = Path(__file__).parents[2]

# an analysis, its row in the table, and where it is attached
NEW = """
import json
from archcalc.graph import quantities as q
row = q.Quantity("units", "units", "elements of the outputs", column="Units", line="Units", formula="units")
q.TABLE = (*q.TABLE, row)
q.SUMMED, q.TOTALS, q.CLAIMED = (*q.SUMMED, "units"), (*q.TOTALS, "units"), (*q.CLAIMED, "units")

from archcalc.arith import prod
from archcalc.report import columns
def units(figures):
    return [prod(shapes[0]) for shapes in figures.output_shapes]
columns.Figures.units = columns.once(units)
columns.Figures.units.__set_name__(columns.Figures, "units")

from archcalc.analyze import analyze
from archcalc.readers import load
from archcalc.readers.schema import schema
from archcalc.render.terminal import terminal_text
spec = {
    "archcalc": 1,
    "symbols": {"n": SYMBOL},
    "inputs": {"x": ["n"]},
    "layers": [{"name": "d", "type": "Dense", "units": 5}, {"name": "e", "type": "Dense", "units": 2}],
    "claims": [{"quantity": "units", "value": 10}],
}
report = analyze(load(spec))
print(json.dumps({
    "json": report.to_dict(),
    "csv": report.to_csv(),
    "table": terminal_text(report, width=300),
    "folded": report.to_csv(depth=1),
    "row": str(report.layers["d"].units),
    "claims": schema()["$defs"]["claim"]["properties"]["quantity"]["enum"],
}))
"""


@pytest.mark.parametrize(("symbol", "total"), [("3", 10), ("null", "n + 7")])
def test_a_new_quantity_is_its_analysis_and_its_row(symbol: str, total: int | str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEW.replace("SYMBOL", symbol.replace("null", "None"))],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    assert out["row"] == "5"
    assert out["json"]["totals"]["units"] == total
    assert [row["units"] for row in out["json"]["layers"]][1:] == [5, 2]
    assert out["json"]["conventions"]["units"] == "elements of the outputs"
    head, *lines = out["csv"].splitlines()
    assert lines[1].split(",")[head.split(",").index("units")] == "5"
    title = next(line for line in out["table"].splitlines() if "Layer" in line)
    assert "Units" in title.split()
    if isinstance(total, int):
        assert any(line.split() == ["Units", "10", "units"] for line in out["table"].splitlines())
    else:
        assert out["json"]["formulas"]["units"] == total
        assert any(line.split()[:1] == ["units"] for line in out["table"].splitlines())
    assert "units" in out["claims"]


def test_every_row_of_the_table_has_its_analysis() -> None:
    for quantity in TABLE:
        if quantity.in_rows and quantity.total == "sum":
            assert hasattr(Figures, quantity.name)
        if quantity.total == "whole":
            assert hasattr(Totals, quantity.name)
        if quantity.column or quantity.line or quantity.formula:
            assert quantity.unit


def test_every_output_follows_the_table() -> None:
    report = analyze(residual())
    data = report.to_dict()
    assert [name for name in data["totals"] if name in TOTALS] == list(TOTALS)
    assert set(data["totals"]) == {*TOTALS, "peak_activation_layer", "unknown"}
    for row in data["layers"]:
        assert [name for name in row if name in SUMMED] == list(SUMMED)
    head = report.to_csv().splitlines()[0].split(",")
    assert [name for name in head if name in SUMMED] == list(SUMMED)
    titles = [quantity.column for quantity in TABLE if quantity.column]
    assert [column.title for column in ORDER if column.title in titles] == titles
    assert schema()["$defs"]["claim"]["properties"]["quantity"]["enum"] == list(CLAIMED)
    # the names that editors and type checkers see are those of the table
    for cls in (Row, Totals):
        assert set(SUMMED) == {n for n, kind in cls.__annotations__.items() if kind == "Size"}
