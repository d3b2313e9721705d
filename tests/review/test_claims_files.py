"""Files of claims: what spreadsheets and forms write, and a table of hostile inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archcalc.errors import SourceError
from archcalc.readers.claims import Stated, number, read_stated


def read(folder: Path, raw: str | bytes, name: str = "claims.csv") -> list[Stated]:
    path = folder / name
    path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
    return read_stated(str(path))


# -- numbers -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7274288", 7_274_288),
        ("7,274,288", 7_274_288),
        ("7.274.288", 7_274_288),
        ("7 274 288", 7_274_288),
        ("7\u202f274\u202f288", 7_274_288),
        ("7'274'288", 7_274_288),
        ("۷٬۲۷۴٬۲۸۸", 7_274_288),  # noqa: RUF001
        ("७२७४२८८", 7_274_288),
        ("4.640", 4640),
        (" -12 ", -12),
        ("4.64", None),
        ("72,74,288", 7_274_288),  # as in India
        ("1,23,4567", None),
        ("5088.0", 5088),  # as a table program writes it
        ("5,088.00", 5088),
        ("12e3", None),
        ("0x10", None),
        ("", None),
        ("9" * 41, None),
        ("NaN", None),
        ("²", None),
    ],
)
def test_numbers(text: str, value: int | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("quantity", "text", "value", "unit"),
    [
        ("output_shape", "30x30x16", (30, 30, 16), 0),
        ("output_shape", "(30, 30, 16)", (30, 30, 16), 0),
        ("output_shape", "۳۰×۳۰×۱۶", (30, 30, 16), 0),
        ("output_shape", "10", (10,), 0),
        ("receptive_field", "7", 7, 0),
        ("receptive_field", "3 × 5", (3, 5), 0),
        ("parameters", "25.6M", 25_600_000, 100_000),
        ("parameters", "25,6 million", 25_600_000, 100_000),
        ("macs", "3.86G", 3_860_000_000, 10_000_000),
        ("parameters", "2.7k", 2_700, 100),
        ("parameters", "7.27E+06", 7_270_000, 10_000),
        ("parameters", "5.088e3", 5_088, 0),
        ("weight_bytes", "5088 B", 5_088, 0),
        ("activation_bytes", "16 KiB", 16_384, 1_024),
    ],
)
def test_values(tmp_path: Path, quantity: str, text: str, value: Any, unit: int) -> None:
    ((_, _, (claim,)),) = read(tmp_path, f'quantity;value\n{quantity};"{text}"\n')
    assert (claim.value, claim.rounded_to) == (value, unit)


# -- CSV -----------------------------------------------------------------------------------------------
def test_a_spreadsheet_in_another_country(tmp_path: Path) -> None:
    raw = "\ufeffStudent;Layer;Quantity;Value;Note\r\n"
    raw += 'Ada;a|b;Parameters;"7.274.288";"two\r\nlines"\r\n\r\n;;;;\r\n'
    ((student, _, (claim,)),) = read(tmp_path, raw)
    assert (student, claim.layers, claim.value) == ("Ada", ("a", "b"), 7_274_288)
    assert (claim.quantity, claim.note, claim.path) == ("parameters", "two\r\nlines", "line 3")


def test_the_separator_is_named_and_cells_are_missing(tmp_path: Path) -> None:
    ((_, _, (claim,)),) = read(tmp_path, "sep=;\r\nquantity;value;note\r\nmacs;5\r\n")
    assert (claim.value, claim.note) == (5, None)


def test_many_students_in_one_file(tmp_path: Path) -> None:
    raw = "student\tquantity\tvalue\tper\nada\tmacs\t1\tfilter\nbob\tmacs\t2\t\nada\tflops\t3\tlayer\n"
    sheets = read(tmp_path, raw)
    assert [(s.student, [(c.quantity, c.value, c.per) for c in s.claims]) for s in sheets] == [
        ("ada", [("macs", 1, "filter"), ("flops", 3, "layer")]),
        ("bob", [("macs", 2, None)]),
    ]


def test_json(tmp_path: Path) -> None:
    claim = {"quantity": "parameters", "layer": "a", "value": 5, "per": "layer", "rounded_to": 10}
    for data in ([claim], {"claims": [claim]}, [{"student": "ada", "network": "n", "claims": [claim]}]):
        (sheet,) = read(tmp_path, json.dumps(data), "claims.json")
        assert (sheet.claims[0].layers, sheet.claims[0].per, sheet.claims[0].rounded_to) == (
            ("a",),
            "layer",
            10,
        )
    assert (sheet.student, sheet.network) == ("ada", "n")
    spec = {"archcalc": 1, "name": "net", "inputs": {}, "layers": [], "claims": [claim]}
    assert read(tmp_path, json.dumps(spec))[0].network == "net"


# -- hostile -------------------------------------------------------------------------------------------
GOOD = '{"quantity": "macs", "value": 1}'
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n ", "is empty"),
    "a header alone": (b"quantity,value\n", "states no claims"),
    "no claims": (b'{"claims": []}', "states no claims"),
    "a value that is missing": (b"layer,quantity,value\na,macs\n", "line 2, column value: expected a number"),
    "not UTF-8": (b"quantity,value\nmacs,\xff\n", "not UTF-8 at line 2"),
    "UTF-16": ("quantity,value\nmacs,1\n".encode("utf-16"), "save it as UTF-8"),
    "a binary file": (b"PK\x03\x04\x00\x00", "binary file"),
    "too large": (b"quantity,value\n" + b"macs,1\n" * 1_300_000, "more than the limit"),
    "too many claims": (b"quantity,value\n" + b"macs,1\n" * 10_001, "more than 10,000 claims"),
    "no header": (b"macs,1\n", "unknown column 'macs'"),
    "an unknown column": (b"quantity,value,layr\n", "did you mean 'layer'"),
    "a column twice": (b"quantity,value,value\n", "appears twice"),
    "no quantity": (b"layer,value\n", "the column 'quantity' is missing"),
    "too many cells": (b"quantity,value\nmacs,1,2\n", "3 cells, but 2 columns"),
    "an open quote": (b'quantity,value\nmacs,"1\n', "not valid CSV"),
    "a huge cell": (b"quantity,value\nmacs," + b"9" * 200_000 + b"\n", "not valid CSV: field larger"),
    "a long cell": (b"quantity,value,note\nmacs,1," + b"x" * 2_000 + b"\n", "2,000 characters"),
    "an unknown quantity": (b"quantity,value\nmac,1\n", "did you mean 'macs'"),
    "no number": (b"quantity,value\nmacs,many\n", "line 2, column value: expected a number"),
    "NaN in CSV": (b"quantity,value\nmacs,NaN\n", "expected a number"),
    "a formula": (b"quantity,value\nmacs,=1+1\n", "expected a number"),
    "per weight": (b"quantity,value,per\nmacs,1,weight\n", "expected filter, layer or nothing"),
    "rounded to nothing": (b"quantity,value,rounded_to\nmacs,1,0\n", "expected a number above 0"),
    "NaN": (b'[{"quantity": "macs", "value": NaN}]', "NaN is not JSON"),
    "infinity": (b'[{"quantity": "macs", "value": 1e999}]', "too large"),
    "many digits": (b'[{"quantity": "macs", "value": ' + b"7" * 5_000 + b"}]", "5,000 digits"),
    "deep": (b"[" * 100_000, "nested deeper"),
    "a key twice": (b'{"claims": [], "claims": []}', "appears twice"),
    "an unknown key": (b'{"claim": [], "claims": []}', "did you mean 'claims'"),
    "claims as text": (b'{"claims": "all"}', "expected {"),
    "a claim as text": (b'{"claims": ["all"]}', "$.claims[0]: expected an object"),
    "text as value": (b'[{"quantity": "macs", "value": "1"}]', "$[0].value: expected a number"),
    "true as value": (b'[{"quantity": "macs", "value": true}]', "expected a number"),
    "no value": (b'[{"quantity": "macs"}]', '"value" is missing'),
    "an unknown key of a claim": (b'[{"quantity": "macs", "value": 1, "layr": "a"}]', "did you mean 'layer'"),
    "layer and layers": (
        b'[{"quantity": "macs", "value": 1, "layer": "a", "layers": ["b"]}]',
        "exclude each other",
    ),
    "many claims": (b"[" + b",".join([GOOD.encode()] * 10_001) + b"]", "10,001 claims (limit 10,000)"),
    "a student that is no text": (b'{"student": 5, "claims": []}', "expected {"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(name: str, tmp_path: Path) -> None:
    raw, said = HOSTILE[name]
    with pytest.raises(SourceError) as refusal:
        read(tmp_path, raw)
    assert said in str(refusal.value)
    assert len(refusal.value.faults) <= 20


def test_faults_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refusal:
        read(tmp_path, "quantity,value\nmac,1\nmacs,x\nmacs,1\n")
    assert [f.path for f in refusal.value.faults] == ["line 2, column quantity", "line 3, column value"]


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.csv", Path("/dev/null")):
        with pytest.raises(SourceError):
            read_stated(str(path))
