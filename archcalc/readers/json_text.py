"""Reads files and standard input as bytes, and decodes strict JSON, within fixed limits.

Whatever the bytes are, reading ends soon and in bounded memory, with either plain data or a
`SourceError` that says where the fault is: a file may be a device, huge, deeply nested, half a
download or in another encoding. The limits are documented in docs/limits.md.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, NoReturn

from archcalc.errors import Fault, SourceError
from archcalc.readers.names import show

STANDARD_INPUT, MAPPING = "standard input", "the given mapping"

HEAD = 64  # bytes by which a format is recognised
MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 64
MAX_CONTAINERS = 1_000_000
MAX_VALUES = 2_000_000
MAX_DIGITS = 40
MAX_FAULTS = 20


def read_bytes(source: str, limit: int = MAX_BYTES) -> bytes:
    """Everything in the file, or on standard input where `source` is `-`.

    Raises `SourceError` if it is not a readable regular file, or exceeds `limit` bytes.
    """
    if source == "-":
        if sys.stdin is None:
            _refuse(STANDARD_INPUT, "there is none")
        return read_open(sys.stdin.buffer, STANDARD_INPUT, limit)
    with open_file(source) as file:
        return read_open(file, source, limit)


def read_open(file: BinaryIO, source: str, limit: int = MAX_BYTES) -> bytes:
    """Everything in an open file; raises `SourceError` beyond `limit` bytes."""
    try:
        raw = file.read(limit + 1)
    except OSError as problem:
        _refuse(source, _why(problem))
    if len(raw) > limit:
        _refuse(source, f"more than the limit of {limit:,} bytes")
    return raw


def peek(file: BinaryIO, source: str, count: int = HEAD) -> bytes:
    """The first `count` bytes of an open file, by which its format is recognised."""
    try:
        head = file.read(count)
        file.seek(0)
    except OSError as problem:
        _refuse(source, _why(problem))
    return head


def open_file(source: str) -> BinaryIO:
    """The regular file at this path, open for reading.

    Raises `SourceError` if there is no file, or something else: a directory, a pipe, a device.
    """
    try:
        # a FIFO would wait for a writer and a device may never end, so look before opening
        _require_regular(source, os.stat(source).st_mode)
        descriptor = os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        file = os.fdopen(descriptor, "rb")
        _require_regular(source, os.fstat(descriptor).st_mode)
        return file
    except ValueError:  # a NUL in the path
        _refuse(source, "no such file: a path cannot hold a NUL")
    except OSError as problem:
        _refuse(source, _why(problem))


def decode(raw: bytes, source: str) -> Any:
    """The JSON value that the bytes hold: dict, list, str, int, float, bool or None.

    Raises `SourceError` with every fault found: wrong encoding, bad syntax, duplicate keys,
    NaN and infinities, numbers too long, lone surrogates, nesting beyond `MAX_DEPTH`.
    """
    decoded = text(raw, source)
    long_numbers = _require_bounded(raw, source)
    marks = _Marks()
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=marks.object,
            parse_int=marks.integer if long_numbers else None,  # a call for each number takes long
            parse_float=marks.real,
            parse_constant=marks.constant,
        )
    except json.JSONDecodeError as problem:
        _refuse(source, _misread(decoded, problem))
    except RecursionError:
        _refuse(source, f"nested deeper than {MAX_DEPTH} levels")
    if marks.faulty or (b"\\u" in raw and re.search(_SURROGATE, raw)):
        faults = _marked(value)
        if faults:
            raise SourceError(source, faults)
    return value


def round_trip(source: Mapping[str, Any]) -> Any:
    """The mapping after a round trip through strict JSON, so that it obeys the same rules as a file."""
    try:
        text = json.dumps(dict(source))
    except (TypeError, ValueError, RecursionError) as problem:
        _refuse(MAPPING, f"is not JSON: {problem}")
    return decode(text.encode("utf-8"), MAPPING)


# -- files -----------------------------------------------------------------------------------------
def _require_regular(source: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kind = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }.get(stat.S_IFMT(mode), "no regular file")
    remedy = "name the file inside it" if stat.S_ISDIR(mode) else "give a file, or - for standard input"
    _refuse(source, f"is {kind}; {remedy}")


def _why(problem: OSError) -> str:
    match problem.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return "no such file"
        case errno.EACCES | errno.EPERM:
            return "may not be read (permission denied)"
        case errno.ELOOP:
            return "is a symbolic link that leads back to itself"
        case errno.ENAMETOOLONG:
            return "no such file: the name is too long"
    return f"cannot be read: {problem.strerror or problem}"


# -- text ------------------------------------------------------------------------------------------
def text(raw: bytes, source: str) -> str:
    """The bytes as UTF-8, a byte order mark left out; raises `SourceError` for other encodings."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        _refuse(source, "is UTF-16 or UTF-32 text; save it as UTF-8")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if not raw.strip(b" \t\r\n"):
        _refuse(source, "is empty; a spec begins with {")
    if b"\x00" in raw and raw.lstrip()[:1] not in (b"{", b"["):
        _refuse(source, f"is a binary file of a format that is not read; {_READ}")
    if b"\x00" in raw:
        _refuse(source, f"holds a NUL byte {_place(raw, raw.index(0))}; a spec is UTF-8 text")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        _refuse(source, f"is not UTF-8 {_place(raw, problem.start)}; save it as UTF-8")


def _place(raw: bytes, position: int) -> str:
    line, start = raw.count(b"\n", 0, position) + 1, raw.rfind(b"\n", 0, position) + 1
    return f"at line {line}, column {position - start + 1}"


def _misread(text: str, problem: json.JSONDecodeError) -> str:
    """What is wrong with a text that is no JSON."""
    begin = text.lstrip(" \t\r\n")
    if begin[0] not in '{["':
        return f"is text, but not JSON: it begins with {show(begin[:20].partition(chr(10))[0])}; {_READ}"
    before, after = text[: problem.pos].rstrip(), text[problem.pos :]
    spare = (before.endswith(",") or after.startswith(",")) and after.lstrip(" \t\r\n,")[:1] in ("]", "}")
    if spare:  # Python 3.13 points at the comma, earlier versions at the bracket
        problem = json.JSONDecodeError(problem.msg, text, len(text) - len(after.lstrip(" \t\r\n,")))
    where = f"at line {problem.lineno}, column {problem.colno}{_near(text, problem.pos)}"
    if spare:
        return f"not valid JSON: a comma after the last entry, {where}; remove it"
    for beginnings, (what, remedy) in _SLIPS.items():
        if after.startswith(beginnings):
            return f"not valid JSON: {what} {where}; {remedy}"
    return f"not valid JSON: {problem.msg[:1].lower()}{problem.msg[1:].removesuffix(' at')} {where}"


_READ = "archcalc reads a spec or a Keras config (model.to_json()) as JSON, and .keras archives"
_SLIPS = {
    ("'",): ("single quotes", "texts and keys are written in double quotes"),
    ("//", "/*", "#"): ("a comment", 'JSON has none; in a spec, a key "_" holds one'),
    ("True", "False", "None"): ("a word of Python", "write true, false or null"),
}


def _near(text: str, position: int) -> str:
    following = text[position : position + 20].partition("\n")[0]
    return f", before {show(following)}" if following else ""


_LONG = re.compile(rb"[0-9]{%d}" % MAX_DIGITS)  # without a sign, which counts as a digit
_STRING = re.compile(rb'"[^"]*"?')
_PAIR = re.compile(rb"\[\]|\{\}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _require_bounded(raw: bytes, source: str) -> bool:
    """Refuse what would take too much memory or stack, before any of it is built.

    Returns whether a number may have more than `MAX_DIGITS` digits.
    """
    if raw.count(b"{") + raw.count(b"[") > MAX_CONTAINERS or raw.count(b",") > MAX_VALUES:
        _refuse(source, f"more than {MAX_CONTAINERS:,} lists and objects or {MAX_VALUES:,} values")
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = _STRING.sub(b"", raw)
    long_numbers = _LONG.search(outside) is not None
    brackets = outside.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        inner = len(brackets)
        brackets = _PAIR.sub(b"", brackets)
        if len(brackets) == inner:
            return long_numbers  # all gone, or not balanced: the parser says where
    if brackets:
        _refuse(source, f"nested deeper than {MAX_DEPTH} levels")
    return long_numbers


# -- values ----------------------------------------------------------------------------------------
_SURROGATE = rb"\\u[dD][89a-fA-F]"


class _Bad:
    """Replaces a value that is not allowed; `problem` says why."""

    def __init__(self, problem: str) -> None:
        self.problem = problem


class _RepeatedKeys(dict[str, Any]):
    """An object in which keys appear more than once."""

    problem = ""


class _Marks:
    """The decoder's hooks: they mark faults inside the value, because a hook does not know the JSON path."""

    faulty = False

    def _bad(self, problem: str) -> _Bad:
        self.faulty = True
        return _Bad(problem)

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        decoded = dict(pairs)
        if len(decoded) == len(pairs):
            return decoded
        seen: set[str] = set()
        again = dict.fromkeys(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        self.faulty = True
        marked = _RepeatedKeys(decoded)
        marked.problem = f"the key {', '.join(show(k) for k in list(again)[:3])} appears twice"
        return marked

    def integer(self, digits: str) -> Any:
        if len(digits) > MAX_DIGITS:
            return self._bad(f"a number of {len(digits):,} digits")
        return int(digits)

    def real(self, digits: str) -> Any:
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            return self._bad(f"the number {show(digits)} is too large")
        return value

    def constant(self, word: str) -> Any:
        return self._bad(f"{word} is not JSON; write a number or null")


def _marked(value: Any) -> list[Fault]:
    """The fault of every marked value and every lone surrogate, with its path."""
    faults: list[Fault] = []
    waiting: list[tuple[str, Any]] = [("$", value)]
    while waiting and len(faults) < MAX_FAULTS:
        path, item = waiting.pop()
        if isinstance(item, _Bad):
            faults.append(Fault(path, item.problem))
        elif isinstance(item, str) and not _encodable(item):
            faults.append(Fault(path, f"{show(item)} holds half a character (a lone surrogate)"))
        elif isinstance(item, list):
            waiting.extend((f"{path}[{i}]", v) for i, v in reversed(list(enumerate(item))))
        elif isinstance(item, dict):
            if isinstance(item, _RepeatedKeys):
                faults.append(Fault(path, item.problem))
            for key in item:
                if not _encodable(key):
                    faults.append(
                        Fault(path, f"the key {show(key)} holds half a character (a lone surrogate)")
                    )
            waiting.extend((member(path, k), v) for k, v in reversed(item.items()))
    return faults


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def member(path: str, key: str) -> str:
    """The JSON path of an object's member: `$.a`, or `$['a b']` where the key is not an identifier."""
    return (
        f"{path}.{key}" if key.isascii() and key.replace("$", "a").isidentifier() else f"{path}[{show(key)}]"
    )


def _refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", problem)])
