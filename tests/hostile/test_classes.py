"""Hostile files of classes, and hostile values of `--as` and `--shape`: refused in one or two lines."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.running import Ran, run_apart, run_here

SOURCE = {
    "class_name": "Sequential",
    "keras_version": "3.15.0",
    "config": {
        "name": "m",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 8, 4]}},
            {"class_name": "Mine", "module": "mine", "registered_name": "mine>Mine",
             "config": {"name": "mine", "n": 3, "sizes": [2, 3], "ratio": 0.5, "kind": "a", "deep": [[{}]]}},
        ],
    },
}  # fmt: skip


def rule(**entry: Any) -> bytes:
    return json.dumps({"Mine": entry}).encode()


def layer(**arguments: Any) -> bytes:
    return rule(layers=[{"name": "a", "type": "Dense", **arguments}])


CYCLE = [{"name": "a", "block": "class"}]
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "no object": (b"[1, 2]", "1 to 10,000 classes"),
    "null": (b"null", "1 to 10,000 classes"),
    "not UTF-8": (b'{"Mine": "\xff\xfe"}', "UTF-8"),
    "a NUL": (b'{"Mine\x00": {}}', "NUL"),
    "NaN": (b'{"Mine": {"type": "Dense", "units": NaN}}', "NaN"),
    "1e999": (b'{"Mine": {"type": "Dense", "units": 1e999}}', "1e999"),
    "5,000 digits": (b'{"Mine": {"type": "Dense", "units": ' + b"7" * 5000 + b"}}", "5,000 digits"),
    "a duplicate key": (b'{"Mine": {"type": "ReLU"}, "Mine": {"type": "ReLU"}}', "appears twice"),
    "a lone surrogate": (b'{"Mine": {"type": "\\ud800"}}', "surrogate"),
    "half a download": (rule(type="ReLU")[:-5], "not valid JSON"),
    "a class that is a number": (b'{"Mine": 3}', "expected"),
    "a class that is a list of lists": (b'{"Mine": [[1]]}', "expected"),
    "no alternatives": (b'{"Mine": []}', "expected the name of a class and what it is"),
    "a nameless class": (b'{"": {"type": "ReLU"}}', "expected the name of a class"),
    "no layers": (rule(layers=[]), "must not be empty"),
    "layers of numbers": (rule(layers=[1, None, "x"]), "expected an object"),
    "layers that are an object": (rule(layers={"a": 1}), "expected a list"),
    "a condition that is a text": (rule(type="ReLU", **{"if": "n"}), "expected an object"),
    "parameters that are a list": (rule(type="ReLU", parameters=["n"]), "expected an object"),
    "names that are numbers": (rule(layers=[{"name": "a", "type": "ReLU"}], inputs=[1]), "list of names"),
    "too many inputs": (rule(layers=[{"name": "a", "type": "ReLU"}], inputs=["a", "b"]), "takes 2 inputs"),
    "an output that is nowhere": (rule(layers=[{"name": "a", "type": "ReLU"}], outputs=["b"]), "named"),
    "a block of itself": (rule(layers=CYCLE), "contains itself"),
    "a cycle": (
        rule(layers=[{"name": "a", "type": "ReLU", "inputs": ["b"]},
                     {"name": "b", "type": "ReLU", "inputs": ["a"]}]),
        "a cycle",
    ),
    "a billion copies": (
        rule(layers=[{"name": "a", "block": "class", "repeat": 10**9}]), "contains itself",
    ),
    "a power of powers": (layer(units="9**9**9"), "exponent|bits"),
    "code": (layer(units="__import__('os').system('id')"), "unexpected character|not a function"),
    "a size without end": (layer(units="(" * 60 + "1" + ")" * 60), "nested deeper"),
    "a size of 10,000 characters": (layer(units="1+" * 5000 + "1"), "10,001 characters"),
    "a size that is too large": (layer(units="n * 2147483647"), "larger than any size"),
    "a negative size": (layer(units="n - 9"), "positive"),
    "a size of nothing": (layer(units="0 // 0"), "division by zero"),
    "an argument that is no number": (layer(units="kind"), "unknown symbol 'kind'"),
    "a fraction": (layer(units="ratio"), "unknown symbol 'ratio'"),
    "an argument in the place of a size": (layer(units={"argument": "kind"}), "."),
    "an argument that is an object": (layer(units={"argument": {"a": 1}}), "has no argument"),
    "nested arguments": (layer(activation={"argument": "deep"}), "."),
    "a name that escapes": (rule(layers=[{"name": "\x1b[2J", "type": "ReLU"}]), "unprintable"),
    "a name of a path": (rule(layers=[{"name": "../../etc/passwd", "type": "ReLU"}]), "holds '/'"),
    "a type of Python": (rule(type="os.system"), "unknown layer type"),
    "a class of a module": (rule(type="Lambda", function="4wE="), "Lambda"),
    "65 axes": (rule(type="Opaque", output_shape=[1] * 65), "axes"),
    "a shape of a text": (rule(type="Opaque", output_shape="all"), "."),
}  # fmt: skip


def source(folder: Path) -> str:
    path = folder / "net.json"
    path.write_text(json.dumps(SOURCE))
    return str(path)


def check(ran: Ran, says: str) -> None:
    """Refused, in at most two lines that a terminal can show."""
    assert ran.code == 2, ran
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert 1 <= len(lines) <= 3, ran.err
    assert all(len(line) < 900 and line.isprintable() for line in lines)
    assert "Traceback" not in ran.err
    assert re.search(says, ran.err), ran.err


@pytest.mark.parametrize("name", FILES)
def test_hostile_files_of_classes(name: str, tmp_path: Path) -> None:
    raw, says = FILES[name]
    path = tmp_path / "classes.json"
    path.write_bytes(raw)
    check(run_here(["analyze", source(tmp_path), "--classes", str(path)]), says)


HARSH: dict[str, tuple[bytes, str]] = {
    "nesting of 100,000": (b'{"Mine": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deeper than 64"),
    "33 MiB of spaces": (rule(type="ReLU") + b" " * (33 << 20), "more than the limit"),
    "100,001 layers": (
        rule(layers=[{"name": f"a{i}", "type": "ReLU"} for i in range(100_001)]), "100,000|max-layers",
    ),
    "10,001 classes": (
        json.dumps({f"c{i}": {"type": "ReLU"} for i in range(10_001)}).encode(), "1 to 10,000 classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HARSH)
def test_large_files_of_classes_within_limits(name: str, tmp_path: Path) -> None:
    raw, says = HARSH[name]
    path = tmp_path / "classes.json"
    path.write_bytes(raw)
    check(run_apart(["analyze", source(tmp_path), "--classes", str(path)]), says)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "nothing"])
def test_a_file_of_classes_that_is_none(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "classes"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    check(run_here(["analyze", source(tmp_path), "--classes", str(path)]), "classes|/dev/zero")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--as", "="], "expected CLASS=TYPE"),
        (["--as", "Mine=" + "x" * 5000], "neither a layer type"),
        (["--as", "Mine=os.system"], "neither a layer type"),
        (["--as", "x" * 5000 + "=ReLU", "--allow-unknown"], "nothing without a rule"),
        (["--as", "\x1b[2J=ReLU", "--allow-unknown"], "nothing without a rule"),
        (["--shape", "mine=" + ",".join(["9"] * 70)], "axes"),
        (["--shape", "mine=9**9**9"], "exponent|bits"),
        (["--shape", "mine=" + "9" * 5000], "digits|bits|characters"),
        (["--shape", "mine=99999999999"], "positive size"),
        (["--shape", "mine=NaN"], "unknown symbol"),
        (["--shape", "mine=8,1e5"], "expected an operator|unexpected"),
        (["--shape", "\x1b[2J=8"], "no layer has this name"),
    ],
)
def test_hostile_values(options: list[str], says: str, tmp_path: Path) -> None:
    check(run_here(["analyze", source(tmp_path), *options]), says)
