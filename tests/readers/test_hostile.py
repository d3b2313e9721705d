"""Files made to do harm: each is refused quickly, in bounded memory, and nothing else happens."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.readers.specs import CONV, RELU, spec

ROOT = Path(__file__).parents[2]
GIBIBYTE = 1 << 30
CPU_SECONDS = 10  # 5 are enough on a quiet machine; the kernel ends what takes longer


def limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTE, GIBIBYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


def analyzed(source: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """`archcalc analyze SOURCE` under hard limits of memory and time."""
    return subprocess.run(
        [sys.executable, "-m", "archcalc", "analyze", source, "--format", "json"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        input=stdin,
        capture_output=True,
        preexec_fn=limits,
        timeout=300,
    )


def refused(result: subprocess.CompletedProcess[bytes]) -> str:
    """The text on stderr, after a check that it is a refusal."""
    text = result.stderr.decode("utf-8")
    assert result.returncode == 2, (result.returncode, text[:500])
    assert result.stdout == b""
    assert "Traceback" not in text
    assert 1 <= len(text.splitlines()) <= 21
    assert all(len(line) < 800 and line.isprintable() for line in text.splitlines())
    return text


def bombs() -> Iterator[tuple[str, bytes, str]]:
    """Name, content, and part of the refusal."""

    def dumped(data: Any) -> bytes:
        return json.dumps(data).encode()

    yield "32 MiB of spaces", b" " * (32 << 20), "is empty"
    yield "a file above the cap", b" " * (33 << 20), "more than the limit of 33,554,432 bytes"
    yield "brackets", b"[" * 100_000, "nested deeper than 64 levels"
    yield "closed brackets", b"[" * 100_000 + b"]" * 100_000, "nested deeper than 64 levels"
    yield "many empty objects", b"[" + b"{}," * 11_000_000 + b"{}]", "1,000,000 lists and objects"
    yield "many numbers", b"[" + b"1," * 16_000_000 + b"1]", "2,000,000 values"
    yield "quotes in an open string", b'{"a": "' + b'\\"' * 16_000_000, "unterminated string"
    yield "one long number", b'{"archcalc": ' + b"9" * 30_000_000 + b"}", "a number of 30,000,000 digits"
    yield "objects up to the cap", b'{"a":[' + b'{"":0},' * 900_000 + b"1]}", "neither a spec"
    yield (
        "repeats of repeats",
        dumped(
            spec(
                {"name": "a", "block": "b0"},
                blocks={
                    **{
                        f"b{i}": {"layers": [{"name": "i", "block": f"b{i + 1}", "repeat": 10**6}]}
                        for i in range(12)
                    },
                    "b12": {"layers": [{"name": "r", **RELU}]},
                },
            )
        ),
        "more than 100,000 layers",
    )
    yield (
        "a ring of 20,000",
        dumped(spec(*({"name": f"l{i}", **RELU, "inputs": [f"l{(i + 1) % 20_000}"]} for i in range(20_000)))),
        "a cycle",
    )
    yield (
        "wrong everywhere",
        dumped(spec(*({"name": "a", "type": f"Type{i}", "inputs": [f"q{i}"]} for i in range(90_000)))),
        "more",
    )
    yield (
        "powers of powers",
        dumped(spec({"name": "a", **CONV, "filters": "9**9**9", "kernel_size": "(w+v+u+1)**60"})),
        "an exponent above 64",
    )
    yield (
        "extrema inside extrema",
        dumped(
            spec(
                *({"name": f"l{i}", **CONV, "filters": _nest(i)} for i in range(20)),
                {"name": "end", "type": "Dense", "units": 0},
                symbols={"w": None, "v": None},
            )
        ),
        "$.layers[20].units: expected a positive integer",
    )
    yield (
        "names that paint",
        dumped(spec({"name": "\x1b]0;owned\x07\x1b[2J[red]", **RELU}, {"name": "\u202egpj.exe", **RELU})),
        "'\\x1b]0;owned\\x07\\x1b[2J[red]'",
    )


def _nest(i: int) -> str:
    text = "w"
    for _ in range(3):
        text = f"max({text}//2, v+{i})"
    return text


@pytest.mark.parametrize(("content", "problem"), [pytest.param(c, p, id=n) for n, c, p in bombs()])
def test_bombs(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(content)
    text = refused(analyzed(str(path)))
    assert problem in text
    assert str(path) in text


def test_standard_input_is_capped() -> None:
    assert "standard input: more than the limit" in refused(analyzed("-", stdin=b" " * (33 << 20)))
    assert "standard input: is empty" in refused(analyzed("-", stdin=b""))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/proc/self/mem"])
def test_devices(device: str) -> None:
    if not os.path.exists(device):
        pytest.skip(f"this system has no {device}")
    assert device in refused(analyzed(device))


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.json")
    assert "is a pipe" in refused(analyzed(str(tmp_path / "net.json")))


# -- nothing is run or opened --------------------------------------------------------------------------
WATCHED = """
import json, sys
from archcalc.readers import load
from archcalc.errors import SourceError
from archcalc.layers.registry import registered
from archcalc.readers.spec.arguments import keys, layer_type

path = sys.argv[1]
def read():
    try:
        load(path)
    except SourceError as fault:
        return len(fault.faults)
    return 0

read()  # imports and builds what reading needs
seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, str(arguments[:1]))) if watching else None)
watching = True
faults = read()
watching = False
print(json.dumps([faults, [s for s in seen if not s[0].startswith(("object.", "gc.", "builtins.id"))]]))
"""

NAMES = [
    *("/etc/passwd", "../../secret.json", "file:///etc/passwd", "http://127.0.0.1:9/", "os", "os.system"),
    *("keras.layers.Lambda", "subprocess>Popen", "builtins.eval", "__import__('os').system('id')", "!cat"),
    *("{0.__class__}", "%s%n", "${HOME}", "`id`", "lambda: 0", "\N{ZERO WIDTH JOINER}import os"),
]


def test_no_text_of_a_file_is_opened_imported_or_run(tmp_path: Path) -> None:
    """An audit hook sees every open, import, exec, socket and process of the interpreter."""
    layers: list[Any] = []
    for i, name in enumerate(NAMES):
        layers += [
            {"name": f"t{i}", "type": name},
            {"name": f"f{i}", **CONV, "filters": name, "activation": name, "kernel_initializer": name},
            {"name": f"o{i}", "type": "Opaque", "output_shape": [name], "class_name": name},
            {"name": name, "block": name, "inputs": [name]},
            {"name": f"s{i}", "shared_with": name},
        ]
    data = spec(
        *layers, name=NAMES[0], symbols=dict.fromkeys(NAMES), blocks={n: {"layers": [n]} for n in NAMES}
    )
    path = tmp_path / "net.json"
    path.write_text(json.dumps({**data, "$schema": NAMES[3], "claims": [{"quantity": n} for n in NAMES]}))
    result = subprocess.run(
        [sys.executable, "-c", WATCHED, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=300,
        check=True,
    )
    faults, events = json.loads(result.stdout)
    assert faults > 20
    # the file itself, by its name and then by its descriptor
    assert [event for event, _ in events] == ["open", "open"]
    assert events[0][1] == f"({str(path)!r},)"
    assert re.fullmatch(r"\(\d+,\)", events[1][1])
