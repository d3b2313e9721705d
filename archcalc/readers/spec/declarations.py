"""The outer form of a spec: its sections, the keys of their entries, and a message for each misfit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from archcalc.graph.claims import Claim
from archcalc.graph.compiled import LABELS
from archcalc.graph.quantities import CLAIMED
from archcalc.readers.json_text import member
from archcalc.readers.names import did_you_mean, show
from archcalc.readers.spec.declaration import Declaration
from archcalc.readers.spec.faults import Faults, Severity
from archcalc.readers.spec.training import CompileDeclaration, IgnoreDeclaration, LintDeclaration

FORMAT = 1
MAX_ENTRIES = {"symbols": 1_000, "inputs": 1_000, "outputs": 1_000, "blocks": 10_000, "claims": 10_000}
DTYPES = (
    *("float16", "bfloat16", "float32", "float64", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("complex64", "complex128", "string"),
)
REPORTED: Any = object()  # replaces a part whose fault is noted
BLOCK_INPUT = "input"  # the input's name in a block that declares none


class SymbolDeclaration(Declaration):
    default: Annotated[int | None, Field(ge=1)] = None
    min: Annotated[int, Field(ge=1)] = 1
    max: Annotated[int | None, Field(ge=1)] = None


def _dtype(name: str) -> str:
    if name not in DTYPES:
        raise ValueError(f"unknown dtype {show(name)}{did_you_mean(name, DTYPES)}")
    return name


class InputDeclaration(Declaration):
    shape: list[Any]
    dtype: Annotated[str, AfterValidator(_dtype)] = "float32"


class BlockDeclaration(Declaration):
    parameters: dict[str, Any] = {}
    inputs: Annotated[list[str], Field(min_length=1, max_length=1_000)] = [BLOCK_INPUT]
    layers: Annotated[list[Any], Field(min_length=1)]


def _figure(value: Any) -> Any:
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ValueError(f"expected a number or a list of numbers, got {show(value)}")
    return value


class ClaimDeclaration(Declaration):
    quantity: Literal[CLAIMED]  # type: ignore[valid-type]
    value: Annotated[Any, AfterValidator(_figure)]
    layer: str | None = None
    layers: Annotated[list[str] | None, Field(min_length=1)] = None
    per: Literal["filter", "layer"] | None = None
    rounded_to: Annotated[int | float | None, Field(gt=0)] = None
    written: str | None = None
    note: str | None = None

    @property
    def named(self) -> tuple[str, ...]:
        """The names of `layer` or of `layers`."""
        return (self.layer,) if self.layer is not None else tuple(self.layers or ())

    def stated(self, path: str) -> Claim:
        """The claim as the graph holds it."""
        value = tuple(self.value) if isinstance(self.value, list) else self.value
        rounded = self.rounded_to or 0
        return Claim(self.quantity, value, self.named, self.per, self.written, self.note, path, rounded)


def _symbol(value: Any) -> Any:
    """A bare value is a default; `true` is not an integer and is left to the check of its field."""
    return value if isinstance(value, dict) else {"default": value}


def _format(value: Any) -> Any:
    if isinstance(value, bool):  # `true` equals 1 in Python
        raise ValueError(f"this archcalc reads format {FORMAT}, got {show(value)}")
    return value


def _input(value: Any) -> Any:
    return {"shape": value} if isinstance(value, list) else value


class Envelope(Declaration):
    schema_: Annotated[str, Field(alias="$schema")] = ""
    archcalc: Annotated[Literal[1], BeforeValidator(_format)]
    name: str = ""
    symbols: dict[str, Annotated[SymbolDeclaration, BeforeValidator(_symbol)]] = {}
    inputs: Annotated[dict[str, Annotated[InputDeclaration, BeforeValidator(_input)]], Field(min_length=1)]
    blocks: dict[str, BlockDeclaration] = {}
    layers: Annotated[list[Any], Field(min_length=1)]
    outputs: Annotated[list[str] | None, Field(min_length=1)] = None
    claims: list[ClaimDeclaration] = []
    compile: CompileDeclaration = CompileDeclaration()
    lint: LintDeclaration = LintDeclaration()


_PARTS: dict[str, type[Declaration]] = {
    "symbols": SymbolDeclaration,
    "inputs": InputDeclaration,
    "blocks": BlockDeclaration,
    "claims": ClaimDeclaration,
}
_REQUIRED: dict[str, Any] = {"archcalc": FORMAT, "inputs": {"input": [1]}, "layers": [REPORTED]}


def read_envelope(data: Mapping[str, Any], faults: Faults) -> Envelope:
    """The sections of a spec; faulty parts are noted and left out, and the rest is still read."""
    remaining = dict(data)
    for section, limit in MAX_ENTRIES.items():
        content = remaining.get(section)
        if isinstance(content, dict | list) and len(content) > limit:
            faults.add(Severity.STRUCTURE, f"$.{section}", f"{len(content):,} entries (limit {limit:,})")
            del remaining[section]
            if section in _REQUIRED:
                remaining[section] = _REQUIRED[section]
    for _ in range(3):
        try:
            return Envelope.model_validate(remaining)
        except ValidationError as problem:
            errors = problem.errors(include_url=False, include_context=True)
            for error in errors:
                faults.add(*described(error, remaining))
            remaining = _without(remaining, [error["loc"] for error in errors])
    raise AssertionError("without its faulty parts an envelope is valid")


def _without(data: dict[str, Any], locations: list[tuple[int | str, ...]]) -> dict[str, Any]:
    """The data without the faulty parts at `locations`; a required section is replaced by a valid one."""
    remaining = dict(data)
    entries: dict[str, set[int | str]] = {}
    for location in locations:
        section = str(location[0])
        if len(location) > 1 and section in _PARTS:
            entries.setdefault(section, set()).add(location[1])
        elif section in _REQUIRED:
            remaining[section] = _REQUIRED[section]
        else:
            remaining.pop(section, None)
    for section, gone in entries.items():
        content = remaining[section]
        if isinstance(content, dict):
            # the name stays known, so that its uses are not reported as faults too
            remaining[section] = {k: _harmless(section) if k in gone else v for k, v in content.items()}
        elif isinstance(content, list):
            remaining[section] = [v for i, v in enumerate(content) if i not in gone]
    return remaining


def _harmless(section: str) -> Any:
    return {"symbols": None, "inputs": [1], "blocks": {"layers": [REPORTED]}}[section]


def described(error: Any, data: Mapping[str, Any]) -> tuple[Severity, str, str]:
    """One of pydantic's errors as severity, path and message."""
    location: tuple[int | str, ...] = error["loc"]
    if location[0] == "symbols" and len(location) == 3 and not isinstance(data["symbols"][location[1]], dict):
        location = location[:2]
    key = str(location[-1]) if location else ""
    got = show(error["input"])
    severity = Severity.STRUCTURE
    path = json_path(location)
    match error["type"]:
        case "missing":
            path = json_path(location[:-1])
            message = f'"{key}" is missing'
            if len(location) == 1 and key in _MISSING:
                message += _MISSING[key]
                severity = Severity.FORMAT if key == "archcalc" else severity
        case "extra_forbidden":
            part = _part(location)
            known = [f.alias or name for name, f in part.model_fields.items()]
            hint = did_you_mean(key, known) or f"; known: {', '.join(known)}"
            message = f"unknown key {show(key)}{hint}"
        case "literal_error" if key == "archcalc":
            severity = Severity.FORMAT
            message = f"this archcalc reads format {FORMAT}, got {got}"
        case "literal_error" if key == "quantity":
            hint = did_you_mean(str(error["input"]), CLAIMED) or f"; known: {', '.join(CLAIMED)}"
            message = f"unknown quantity {got}{hint}"
        case "literal_error" if key == "labels":
            message = f"expected one of {', '.join(LABELS)}, got {got}"
        case "greater_than" | "less_than" | "greater_than_equal" | "finite_number" if key in _NUMBERS:
            message = f"expected {_NUMBERS[key]}, got {got}"
        case "value_error":
            severity = Severity.FORMAT if key == "archcalc" else severity
            message = str(error["ctx"]["error"])
        case "too_short":
            message = "must not be empty"
        case "too_long":
            message = f"too many entries (limit {error['ctx']['max_length']:,})"
        case "model_type" if location[0] == "inputs":
            message = f"expected a list of sizes, as in [32, 32, 3], got {got}"
        case _:
            message = f"expected {_EXPECTED.get(error['type'], error['msg'])}, got {got}"
    return severity, path, message


_MISSING = {
    "archcalc": f'; a spec begins with {{"archcalc": {FORMAT}, ...}}, which is the version of its format',
    "inputs": '; name each input with its shape, without the batch: "inputs": {"image": [32, 32, 3]}',
}
_NUMBERS = {"learning_rate": "a number above 0", "momentum": "a number from 0 to below 1"}
_EXPECTED = {
    "float_type": "a number",
    "bool_type": "true or false",
    "string_too_short": "a text that is not empty",
    "string_too_long": "a shorter text",
    "int_type": "a positive integer",
    "greater_than_equal": "a positive integer",
    "string_type": "a text in quotes",
    "list_type": "a list",
    "dict_type": "an object {...}",
    "model_type": "an object {...}",
    "literal_error": "'filter' or 'layer'",
    "greater_than": "a number above 0",
}


def _part(location: tuple[int | str, ...]) -> type[Declaration]:
    """The part of a spec that has a key at this place."""
    section = str(location[0])
    if len(location) == 1:
        return Envelope
    if section == "lint":
        return IgnoreDeclaration if len(location) > 2 else LintDeclaration
    return CompileDeclaration if section == "compile" else _PARTS[section]


def json_path(location: tuple[int | str, ...]) -> str:
    """`$.layers[3].filters`."""
    path = "$"
    for step in location:
        path = f"{path}[{step}]" if isinstance(step, int) else member(path, str(step))
    return path
