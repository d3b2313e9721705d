"""The table of hostile inputs: their names, how each is made, and what the refusal must say."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.hostile.damage import HDF5, KERAS, SPECS


class Case(NamedTuple):
    """`make` writes what it needs into a folder and returns SOURCE; `says` is part of the refusal.

    `harsh`: only in a separate process, under hard limits of time and memory.
    """

    name: str
    make: Callable[[Path], str]
    says: str
    stdin: bytes | None = None
    harsh: bool = False


Text = Callable[[bytes], bytes]


def _first(member: bytes) -> Text:
    """The object with one more member, before all others."""
    return lambda raw: b"{" + member + b", " + raw[1:]


DEEP = 100_000
# on the bytes of a JSON text
TEXTS: list[tuple[str, Text, str, bool]] = [
    ("empty", lambda _: b"", "is empty", False),
    ("not UTF-8", lambda raw: raw[:40] + b"\xff\xfe" + raw[40:], "UTF-8", False),
    ("UTF-16", lambda raw: raw.decode().encode("utf-16"), "UTF-16", False),
    ("a NUL", lambda raw: raw[:1] + b"\x00" + raw[1:], "NUL byte", False),
    ("a NUL in a string", _first(b'"a\x00": 1'), "NUL byte", False),
    ("half a download", lambda raw: raw[: len(raw) // 2], "not valid JSON", False),
    ("a duplicate key", _first(b'"a": 1, "a": 2'), "appears twice", False),
    ("NaN", _first(b'"a": NaN'), "NaN", False),
    ("Infinity", _first(b'"a": -Infinity'), "Infinity", False),
    ("1e999", _first(b'"a": 1e999'), "1e999", False),
    ("5,000 digits", _first(b'"a": ' + b"7" * 5000), "5,000 digits", False),
    ("nesting of 100,000", _first(b'"a": ' + b"[" * DEEP + b"]" * DEEP), "deeper than 64", True),
    ("nesting without an end", _first(b'"a": ' + b'{"a":' * DEEP), "deeper than 64", True),
    ("33 MiB of spaces", lambda raw: raw + b" " * (33 << 20), "more than the limit", True),
    ("a million objects", _first(b'"a": [' + b"{}," * 2_000_000 + b"{}]"), "1,000,000 lists", True),
]

VALID = {
    "spec": SPECS[1],
    "Keras 3": KERAS[0],
    "Keras 2": KERAS[1],
}


def _file(raw: bytes, name: str = "net.json") -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        path = folder / name
        path.write_bytes(raw)
        return str(path)

    return make


def archived(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, raw in members:
            zipped.writestr(name, raw)
    return file.getvalue()


def texts() -> Iterator[Case]:
    """Every broken text through every reader."""
    for kind, data in VALID.items():
        raw = json.dumps(data).encode()
        for name, broken, says, harsh in TEXTS:
            hurt = broken(raw)
            yield Case(f"{kind}, {name}", _file(hurt), says, None, harsh)
            yield Case(f"{kind} from standard input, {name}", lambda _: "-", says, hurt, harsh)
    raw = json.dumps(VALID["Keras 3"]).encode()
    for name, broken, says, harsh in TEXTS:
        # what grows too much for its size is refused as such
        says = f"{says}|grows more than 250 times" if harsh else says
        yield Case(
            f"archive, {name}", _file(archived(("config.json", broken(raw))), "net.keras"), says, None, harsh
        )


# -- networks --------------------------------------------------------------------------------------------
RING = 20_000
PAINTING = {
    "escape codes": "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "bidirectional controls": "\u202egpj.exe\u2066",
    "a lone surrogate": "\ud800",
    "a line break": "a\nb",
    "a NUL": "a\x00b",
}
CODE = {
    "os.system": ("os", "system"),
    "a class in a module": ("subprocess", "Popen"),
    "builtins": ("builtins", "eval"),
    "keras with a way out": ("keras.src.utils.python_utils", "func_load"),
    "a file": ("/tmp/evil.py", "Evil"),
}


def dumped(data: Any) -> bytes:
    return json.dumps(data).encode()


def spec(*layers: Any, **more: Any) -> bytes:
    return dumped({"archcalc": 1, "inputs": {"x": [8, 8, 4]}, "layers": list(layers), **more})


def functional(layers: list[Any], outputs: str) -> bytes:
    config = {
        "name": "m",
        "layers": layers,
        "input_layers": [["x", 0, 0]],
        "output_layers": [[outputs, 0, 0]],
    }
    return dumped({"class_name": "Functional", "module": "keras", "config": config})


def input_layer(legacy: bool = False) -> dict[str, Any]:
    shape = {"batch_input_shape" if legacy else "batch_shape": [None, 4]}
    return {
        "class_name": "InputLayer",
        "config": {"name": "x", "dtype": "float32", **shape},
        "name": "x",
        "inbound_nodes": [],
    }


def call(kind: str, name: str, before: str, *, legacy: bool, **more: Any) -> dict[str, Any]:
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 4], "dtype": "float32", "keras_history": [before, 0, 0]},
    }
    nodes: Any = [[[before, 0, 0, {}]]] if legacy else [{"args": [tensor], "kwargs": {}}]
    config = {"name": name, **more.pop("config", {})}
    return {"class_name": kind, "config": config, "name": name, "inbound_nodes": nodes, **more}


def networks() -> Iterator[Case]:
    """Valid JSON that describes networks which must not be built."""
    ring = [{"name": f"l{i}", "type": "ReLU", "inputs": [f"l{(i + 1) % RING}"]} for i in range(RING)]
    yield Case("spec, a cycle of 20,000", _file(spec(*ring)), "a cycle", None, True)
    for name, painting in PAINTING.items():
        hurt = spec({"name": painting, "type": "ReLU"}, {"name": "b", "type": "Nope"})
        yield Case(f"spec, a name with {name}", _file(hurt), "printable|surrogate|control")
    for legacy in (False, True):
        kind = "Keras 2" if legacy else "Keras 3"
        module = {} if legacy else {"module": "keras.layers"}
        ring = [call("ReLU", f"l{i}", f"l{(i + 1) % RING}", legacy=legacy, **module) for i in range(RING)]
        yield Case(
            f"{kind}, a cycle of 20,000",
            _file(functional([input_layer(legacy), *ring], "l0")),
            "form a cycle",
            None,
            True,
        )
        for name, painting in PAINTING.items():
            # names are escaped there; the layer after it is refused
            hurt = functional([input_layer(legacy), call("Nope", painting, "x", legacy=legacy)], painting)
            yield Case(f"{kind}, a name with {name}", _file(hurt), "Nope|surrogate")
        code = {"function": ["4wEAAAAAAAAAAQAAAAMAAAABAAAA", None, None], "function_type": "lambda"}
        marshalled = {"class_name": "__lambda__", "config": {"code": "4wEAAAAAAAAA", "defaults": None}}
        for name, arguments in (("bytecode", code), ("a marshalled function", {"function": marshalled})):
            layer = call("Lambda", "l", "x", legacy=legacy, config=arguments, **module)
            yield Case(
                f"{kind}, a Lambda of {name}", _file(functional([input_layer(legacy), layer], "l")), "Lambda"
            )
        for name, (where, what) in CODE.items():
            layer = call(what, "l", "x", legacy=legacy, module=where, registered_name=f"{where}>{what}")
            yield Case(
                f"{kind}, the class {name}", _file(functional([input_layer(legacy), layer], "l")), what
            )
            dotted = call(f"{where}.{what}", "l", "x", legacy=legacy)
            yield Case(
                f"{kind}, the dotted class {name}",
                _file(functional([input_layer(legacy), dotted], "l")),
                what,
            )
        lookup = call("StringLookup", "l", "x", legacy=legacy, config={"vocabulary": "/etc/passwd"}, **module)
        yield Case(
            f"{kind}, StringLookup of a file",
            _file(functional([input_layer(legacy), lookup], "l")),
            "StringLookup",
        )
    for name, (where, what) in CODE.items():
        yield Case(f"spec, the type {name}", _file(spec({"name": "l", "type": f"{where}.{what}"})), what)


# -- archives ----------------------------------------------------------------------------------------------
def archives() -> Iterator[Case]:
    """Archives that lie, are cut off, or hold what they should not."""
    config = dumped(VALID["Keras 3"])
    whole = archived(("metadata.json", b"{}"), ("config.json", config))
    lying = bytearray(archived(("config.json", config), method=zipfile.ZIP_STORED))
    size = len(config).to_bytes(4, "little")
    place = lying.rindex(size)
    lying[place : place + 4] = (len(config) // 2).to_bytes(4, "little")
    flipped = bytearray(archived(("config.json", config), method=zipfile.ZIP_STORED))
    flipped[200] ^= 1
    first = archived(("config.json", config))
    table: list[tuple[str, bytes, str]] = [
        ("cut off", whole[:-40], "damaged or incomplete"),
        ("without a beginning", b"PK\x03\x04" + whole[60:], "damaged or incomplete"),
        ("a size that lies", bytes(lying), "damaged|size"),
        ("a wrong checksum", bytes(flipped), "CRC"),
        ("two config.json", _twice(config), "config.json 2 times"),
        ("no config.json", archived(("model.weights.h5", b"")), "without config.json"),
        (
            "only paths out of it",
            archived(("../../config.json", config), ("/config.json", config)),
            "without config.json",
        ),
        ("an archive in an archive", archived(("config.json", first)), "UTF-8|JSON"),
        (
            "metadata that is none",
            archived(("metadata.json", b"["), ("config.json", config)),
            "metadata.json",
        ),
    ]
    for name, raw, says in table:
        yield Case(f"archive, {name}", _file(raw, "net.keras"), says)
    yield Case("archive, 1 GiB of spaces", _bomb, "grows more than 250 times|more than the limit", None, True)


def _twice(config: bytes) -> bytes:
    raw = archived(("config.json", config), ("config_json", config))
    return raw.replace(b"config_json", b"config.json")


def _bomb(folder: Path) -> str:
    """Written piece by piece, so that the writer needs no gibibyte of memory."""
    path = folder / "bomb.keras"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped,
        zipped.open("config.json", "w") as member,
    ):
        for _ in range(1024):
            member.write(b" " * (1 << 20))
    return str(path)


# -- files ---------------------------------------------------------------------------------------------------
def files() -> Iterator[Case]:
    """What a name may refer to instead of a file."""
    for suffix in ("json", "keras"):
        yield Case(
            f"{suffix}, nothing there",
            lambda folder, s=suffix: str(folder / f"none.{s}"),
            "no such file|No such file",
        )
        yield Case(f"{suffix}, a directory", _made(os.mkdir, suffix), "director|folder")
        yield Case(f"{suffix}, a pipe", _made(os.mkfifo, suffix), "is a pipe", None, True)
        yield Case(f"{suffix}, a link to itself", _made(lambda p: os.symlink(p, p), suffix), "link")
        yield Case(
            f"{suffix}, a link to /dev/zero",
            _made(lambda p: os.symlink("/dev/zero", p), suffix),
            "device",
            None,
            True,
        )
    yield Case("/dev/zero", lambda _: "/dev/zero", "device", None, True)
    yield Case("/dev/urandom", lambda _: "/dev/urandom", "device", None, True)


def _made(how: Callable[[str], Any], suffix: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        path = str(folder / f"net.{suffix}")
        how(path)
        return path

    return make


# -- HDF5 and YAML -------------------------------------------------------------------------------------------
def _poked(raw: bytes, old: bytes, new: bytes) -> bytes:
    """The bytes with one part in place of another one of the same length."""
    assert raw.count(old) >= 1
    assert len(old) == len(new)
    return raw.replace(old, new)


def _h5() -> Iterator[tuple[str, bytes, str]]:
    """Name, content, and part of the refusal."""
    undefined, far = b"\xff" * 8, (2**62).to_bytes(8, "little")
    root = int.from_bytes(HDF5[64:72], "little")
    yield "without an end", HDF5[:400], "damaged"
    yield "only the signature", HDF5[:8], "damaged"
    yield "nothing but zeros", HDF5[:8] + bytes(4000), "damaged"
    yield "a superblock of the future", HDF5[:8] + b"\x09" + HDF5[9:], "superblock of version 9"
    yield "a root nowhere", HDF5[:64] + undefined + HDF5[72:], "outside the file"
    yield "a root far away", HDF5[:64] + far + HDF5[72:], "outside the file"
    yield "a header that goes on in itself", _continued(root), "continues in itself|outside its header"
    yield "a text of 4 GiB", _long_text(), "damaged"
    yield "no configuration", _poked(HDF5, b"model_config", b"nodel_config"), "without Keras's model_config"
    yield (
        "a configuration that is no JSON",
        _poked(HDF5, b'{"class_name"', b'?"class_name"'),
        "not JSON",
    )
    yield (
        "a name that is not UTF-8",
        _poked(HDF5, b"keras_version\x00", b"\xff\xfe\xfdas_version\x00"),
        "UTF-8",
    )


def _continued(root: int) -> bytes:
    """The first message of the root's header becomes its own continuation."""
    start = root + 16
    message = struct.pack("<HHBBBB", 0x10, 16, 0, 0, 0, 0) + struct.pack("<QQ", start, 24)
    return HDF5[:start] + message + HDF5[start + len(message) :]


def _long_text() -> bytes:
    """The lengths of texts in attributes (those of 5 characters here) say four gibibytes."""
    return _poked(HDF5, (5).to_bytes(4, "little") + b"", (2**32 - 1).to_bytes(4, "little"))


BOMB = b"class_name: Sequential\na0: &a0 [x, x]\n" + b"".join(
    b"a%d: &a%d [*a%d, *a%d, *a%d, *a%d]\n" % (i, i, *(i - 1,) * 4) for i in range(1, 40)
)


def _yaml() -> Iterator[tuple[str, bytes, str, bool]]:
    """Name, content, part of the refusal, and whether it is harsh."""
    head = b"class_name: Sequential\nconfig: "
    for tag in (
        b"!!python/object/apply:os.system [id]",
        b"!!python/name:os.system",
        b"!mine {}",
        b"!!set {a}",
    ):
        yield tag.decode(), head + tag + b"\n", "tag that makes an object", False
    yield "aliases that grow", BOMB, "500,000 values", True
    yield "an alias of nothing", head + b"*nothing\n", "nothing before it|undefined alias", False
    yield (
        "an alias inside itself",
        head + b"&a [*a]\n",
        "nothing before it|undefined alias|not a Keras|list",
        False,
    )
    yield "nesting of 100,000", head + b"[" * 100_000, "deeper than 64|not valid YAML", True
    yield "5 MiB", head + b"a " * (5 << 19), "more than 4,194,304 bytes", True
    yield "two documents", head + b"{}\n---\na: 1\n", "several documents", False
    yield "a key twice", head + b"{a: 1, a: 2}\n", "appears twice", False
    yield "a tab", head + b"\n\t- a\n", "not valid YAML", False
    yield "not UTF-8", head + b"\xff\xfe\n", "not UTF-8", False
    yield "1e999", head + b"1.0e+999\n", "too large", False
    yield "a list as a key", head + b"{[a]: 1}\n", "no word", False


def containers() -> Iterator[Case]:
    """HDF5 files and YAML that are damaged or crafted."""
    for name, raw, says in _h5():
        yield Case(f"HDF5, {name}", _file(raw, "net.h5"), says)
    for name, raw, says, harsh in _yaml():
        yield Case(f"YAML, {name}", _file(raw, "net.yaml"), says, None, harsh)


def cases() -> list[Case]:
    return [*texts(), *networks(), *archives(), *containers(), *files()]
