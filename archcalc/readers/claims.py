"""Files of claims: JSON as in a spec, or CSV as a spreadsheet or a form writes it.

One file may hold the claims of several students and about several networks. Whatever the bytes are,
reading ends soon, with claims or with a `SourceError` that says where the fault is (docs/audit.md).
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import PurePath
from typing import Any, NamedTuple, NoReturn

from pydantic import ValidationError

from archcalc.errors import Fault, SourceError
from archcalc.graph.claims import Claim
from archcalc.graph.quantities import CLAIMED
from archcalc.readers import json_text
from archcalc.readers.names import did_you_mean, show
from archcalc.readers.spec.declarations import MAX_ENTRIES, ClaimDeclaration, described

MAX_BYTES = 8 * 1024 * 1024
MAX_CLAIMS = MAX_ENTRIES["claims"]
MAX_CELL = 1_000
MAX_FAULTS = json_text.MAX_FAULTS
LISTS = ("output_shape", "receptive_field", "receptive_field_stride")
COLUMNS = ("student", "network", "layer", "per", "quantity", "value", "written", "note", "rounded_to")
KEYS = ("student", "network", "claims")


class Stated(NamedTuple):
    """The claims of one student about one network; `network` is empty where the file does not say which."""

    student: str
    network: str
    claims: tuple[Claim, ...]


def read_stated(source: str) -> list[Stated]:
    """Every student's claims in a file, in the order of the file.

    Raises `SourceError` with every fault of the file, at most twenty.
    """
    raw = json_text.read_bytes(source, MAX_BYTES)
    named = json_text.STANDARD_INPUT if source == "-" else source
    begin = raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if begin in (b"{", b"["):
        stated = from_json(json_text.decode(raw, named), named)
    elif raw.strip():
        stated = _from_csv(json_text.text(raw, named), named)
    else:
        _refuse(named, "", "is empty; a file of claims begins with the names of its columns, or with {")
    if not any(s.claims for s in stated):
        _refuse(named, "", "states no claims")
    return stated


def _refuse(source: str, path: str, message: str) -> NoReturn:
    raise SourceError(source, [Fault(path, message)])


# -- JSON --------------------------------------------------------------------------------------------------
def from_json(data: Any, source: str) -> list[Stated]:
    sheets = data if _is_list_of_sheets(data) else [data]
    faults: list[Fault] = []
    several = sheets is data
    read = [_sheet(s, f"$[{i}]" if several else "$", source, faults) for i, s in enumerate(sheets)]
    if faults:
        raise SourceError(source, faults[:MAX_FAULTS])
    return read


def _is_list_of_sheets(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and all(isinstance(s, dict) and "claims" in s for s in data)


def _sheet(data: Any, path: str, source: str, faults: list[Fault]) -> Stated:
    """One object `{"student": ..., "network": ..., "claims": [...]}`, a spec, or a list of claims."""
    where = f"{path}.claims" if isinstance(data, dict) else path
    student: Any = ""
    network: Any = ""
    if isinstance(data, dict):
        if "archcalc" not in data:
            for key in data:
                if key not in KEYS and key != "_":
                    hint = did_you_mean(key, KEYS) or f"; known: {', '.join(KEYS)}"
                    faults.append(Fault(path, f"unknown key {show(key)}{hint}"))
        student = data.get("student", "")
        network = data.get("network", data.get("name", "") if "archcalc" in data else "")
        data = data.get("claims")
    if not isinstance(data, list) or not isinstance(student, str) or not isinstance(network, str):
        faults.append(Fault(path, 'expected {"student": "...", "claims": [...]} or a list of claims'))
        return Stated("", "", ())
    if len(data) > MAX_CLAIMS:
        _refuse(source, where, f"{len(data):,} claims (limit {MAX_CLAIMS:,})")
    claims = [_claim(entry, f"{where}[{i}]", faults) for i, entry in enumerate(data)]
    return Stated(student, network, tuple(c for c in claims if c is not None))


def _claim(entry: Any, path: str, faults: list[Fault]) -> Claim | None:
    try:
        declared = ClaimDeclaration.model_validate(entry)
    except ValidationError as problem:
        for error in problem.errors(include_url=False, include_context=True):
            located: Any = error | {"loc": ("claims", 0, *error["loc"])}
            _, where, message = described(located, {})
            faults.append(Fault(path + where.removeprefix("$.claims[0]"), message))
        return None
    if declared.layer is not None and declared.layers is not None:
        faults.append(Fault(path, '"layer" and "layers" exclude each other'))
        return None
    return declared.stated(path)


# -- CSV ---------------------------------------------------------------------------------------------------
def _from_csv(text: str, source: str) -> list[Stated]:
    """Lines by student and network; the first line names the columns."""
    rows = _rows(text, source)
    line, header = next(rows, (1, []))
    columns = _columns(header, source, line)
    faults: list[Fault] = []
    by_author: dict[tuple[str, str], list[Claim]] = {}
    count = 0
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > MAX_CLAIMS:
            _refuse(source, f"line {line}", f"more than {MAX_CLAIMS:,} claims")
        if len(cells) > len(columns):
            faults.append(Fault(f"line {line}", f"{len(cells)} cells, but {len(columns)} columns"))
            continue
        named = {c: cell.strip() for c, cell in zip_longest(columns, cells, fillvalue="")}
        claim = _of_row(named, line, faults)
        if claim is not None:
            key = named.get("student", ""), named.get("network", "")
            by_author.setdefault(key, []).append(claim)
        if len(faults) >= MAX_FAULTS:
            break
    if faults:
        raise SourceError(source, faults)
    return [Stated(student, network, tuple(claims)) for (student, network), claims in by_author.items()]


def _rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    begin = re.match(r"sep=(.)\r?\n", text)  # how a spreadsheet says which separator it takes
    first = text.partition("\n")[0]
    separator = begin[1] if begin else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        if begin:
            next(reader)
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as problem:
        _refuse(source, f"line {reader.line_num}", f"not valid CSV: {problem}")


def _columns(header: Sequence[str], source: str, line: int) -> list[str]:
    names = [cell.strip().lower().replace(" ", "_") for cell in header]
    names = ["layer" if n == "layers" else n for n in names]
    for name in names:
        if name not in COLUMNS:
            hint = did_you_mean(name, COLUMNS) or f"; known: {', '.join(COLUMNS)}"
            _refuse(source, f"line {line}", f"unknown column {show(name)}{hint}")
        if names.count(name) > 1:
            _refuse(source, f"line {line}", f"the column {show(name)} appears twice")
    for needed in ("quantity", "value"):
        if needed not in names:
            _refuse(source, f"line {line}", f"the column {needed!r} is missing; a claim states at least both")
    return names


def _of_row(row: Mapping[str, str], line: int, faults: list[Fault]) -> Claim | None:
    """The claim of a line; None, with its faults noted, or if nothing is stated."""
    before = len(faults)

    def fault(column: str, message: str) -> None:
        faults.append(Fault(f"line {line}, column {column}", message))

    for column, cell in row.items():
        if len(cell) > MAX_CELL:
            fault(column, f"{len(cell):,} characters (limit {MAX_CELL:,})")
    quantity = row["quantity"].lower().replace(" ", "_")
    if quantity not in CLAIMED:
        hint = did_you_mean(quantity, CLAIMED) or f"; known: {', '.join(CLAIMED)}"
        fault("quantity", f"unknown quantity {show(quantity)}{hint}")
    if row.get("per", "").lower() not in ("", "filter", "layer"):
        fault("per", f"expected filter, layer or nothing, got {show(row['per'])}")
    value, rounded = _value(row["value"], quantity), 0
    if value is None:
        value, rounded = _rounded(row["value"], _BYTES if quantity.endswith("_bytes") else _UNITS)
    if value is None:
        fault("value", f"expected a number, or sizes as in 30x30x16, got {show(row['value'])}")
    stated = row.get("rounded_to", "")
    if stated:
        rounded = number(stated) or 0
        if rounded <= 0:
            fault("rounded_to", f"expected a number above 0, got {show(stated)}")
    if len(faults) > before:
        return None
    layers = tuple(n.strip() for n in row.get("layer", "").split("|") if n.strip())
    per = row.get("per", "").lower() or None
    text, note = row.get("written") or None, row.get("note") or None
    assert value is not None
    return Claim(quantity, value, layers, per, text, note, f"line {line}", rounded)


# -- numbers as people write them ------------------------------------------------------------------------
_SEPARATORS = ",.\u066c'\u2019_ \u00a0\u202f\u2009"
# in thousands, or as in India (72,74,288); a table program may write 5088 as 5088.0
_GROUPED = re.compile(rf"\d{{1,3}}(?:[{_SEPARATORS}]\d{{3}})+|\d{{1,2}}(?:[,\u066c]\d\d)+[,\u066c]\d{{3}}")
_NO_FRACTION = re.compile(r"(?<=\d)[.\u066b]0{1,2}$")
_UNITS = {"k": 10**3, "m": 10**6, "million": 10**6, "b": 10**9, "g": 10**9, "billion": 10**9}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


def _value(text: str, quantity: str) -> int | tuple[int, ...] | None:
    if quantity not in LISTS:
        return number(text)
    parts = [p for p in re.split(r"[\s,;x×*]+", text.strip("()[]{} ").lower()) if p]
    sizes = [number(p) for p in parts]
    known = tuple(n for n in sizes if n is not None)
    if not known or len(known) < len(sizes):
        return None
    return known[0] if len(known) == 1 and quantity != "output_shape" else known


def number(text: str) -> int | None:
    """The integer that a text writes in the digits of any script, with or without separators of thousands."""
    plain = "".join(_digit(c) for c in text.strip().replace("\u2212", "-"))
    sign = -1 if plain.startswith("-") else 1
    plain = _NO_FRACTION.sub("", plain.removeprefix("-").removeprefix("+").strip())
    if _GROUPED.fullmatch(plain):
        plain = re.sub(r"\D", "", plain)
    if plain.isascii() and plain.isdigit() and len(plain) <= json_text.MAX_DIGITS:
        return sign * int(plain)
    return None


def _rounded(text: str, units: Mapping[str, int]) -> tuple[int | None, int]:
    """`25.6M` as 25,600,000 with the unit of its last digit, 100,000; `7.27E+06` in the same way."""
    plain = "".join(_digit(c) for c in text.strip().lower()).replace("\u066b", ".").replace(",", ".")
    match = re.fullmatch(r"(\d{1,15})(?:\.(\d{1,12}))?\s*(?:e\+?(\d{1,2})|([a-z]+))", plain, re.ASCII)
    if match is None:
        return None, 0
    scale = 10 ** int(match[3]) if match[3] else units.get(match[4], 0)
    part = match[2] or ""
    whole, rest = divmod(int(match[1] + part) * scale, 10 ** len(part))
    unit = scale // 10 ** len(part)
    return (None, 0) if not unit or rest else (whole, unit if unit > 1 else 0)


def _digit(character: str) -> str:
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


def stem(source: str) -> str:
    """A student's name where the file states none: that of the file."""
    return "" if source == "-" else PurePath(source).stem
