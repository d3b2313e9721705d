"""Files and JSON: what is read, what is refused, and that each refusal says where and what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.errors import SourceError
from archcalc.readers import json_text
from archcalc.readers.json_text import MAX_DEPTH, decode, member, read_bytes


def refusal(raw: bytes) -> str:
    with pytest.raises(SourceError) as raised:
        decode(raw, "net.json")
    text = str(raised.value)
    assert all(line.startswith("net.json: ") for line in text.splitlines())
    return text


# -- values ----------------------------------------------------------------------------------------
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(alphabet=st.characters(exclude_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_valid_json_is_what_the_standard_library_reads(value: object, ascii: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii).encode()
    assert decode(raw, "net.json") == json.loads(raw)


def ends(raw: bytes) -> None:
    """Check that decoding gives a value or a refusal."""
    try:
        decode(raw, "net.json")
    except SourceError:
        return


@given(st.binary(max_size=200))
def test_any_bytes_end(raw: bytes) -> None:
    ends(raw)


@given(st.text(alphabet='{}[]",:\\ 01eE+-.naNtrufls\n', max_size=80))
def test_any_json_like_text_ends(text: str) -> None:
    ends(text.encode())


def test_a_byte_order_mark_and_escapes_are_fine() -> None:
    assert decode(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00"}', "net.json") == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16 or UTF-32 text; save it as UTF-8"),
        ('{"a": 1}'.encode("utf-32"), "UTF-16 or UTF-32 text; save it as UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "a NUL byte at line 1, column 2"),
        (b'{"a":\n "\x00"}', "a NUL byte at line 2, column 3"),
        (b'{"a":\n  "\xe9"}', "is not UTF-8 at line 2, column 4; save it as UTF-8"),
        (b'{"a": \xed\xa0\x80}', "is not UTF-8 at line 1, column 7"),
        (b'{"a": 1,}', "not valid JSON"),
        (b'{"a": 1\n "b": 2}', "expecting ',' delimiter at line 2, column 2, before '\"b\": 2}'"),
        (b'{"a": [1, 2', "at line 1, column 12"),
        (b'{"a": "x\n"}', "invalid control character at line 1, column 9"),
        (b'{"a": 1} x', "extra data at line 1, column 10, before 'x'"),
        (b"{'a': 1}", "single quotes at line 1, column 2, before"),
        (b"nonsense", "is text, but not JSON: it begins with 'nonsense'"),
        (b"0x10", "is text, but not JSON: it begins with '0x10'"),
        (b"[01]", "line 1, column 3"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(raw: bytes, problem: str) -> None:
    assert problem in refusal(raw)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b'{"a": {"b c": 1, "b c": 2}}', "$.a: the key 'b c' appears twice"),
        (b'{"a": 1, "a": 1}', "$: the key 'a' appears twice"),
        (b'{"a": [0, NaN]}', "$.a[1]: NaN is not JSON; write a number or null"),
        (b'{"a": -Infinity}', "$.a: -Infinity is not JSON"),
        (b'{"a": 1e999}', "$.a: the number '1e999' is too large"),
        (b'{"a": ' + b"7" * 5_000 + b"}", "$.a: a number of 5,000 digits"),
        (b'{"a": -' + b"7" * 40 + b"}", "$.a: a number of 41 digits"),
        (b'{"a": "\\ud800"}', "$.a: '\\ud800' holds half a character"),
        (b'{"\\udc00": 1}', "$: the key '\\udc00' holds half a character"),
    ],
)
def test_what_is_no_plain_value_is_refused_with_its_path(raw: bytes, problem: str) -> None:
    assert problem in refusal(raw)


def test_all_bad_values_are_reported_at_once() -> None:
    text = refusal(b'[NaN, {"a": 1, "a": 2}, 1e999, "\\ud800"]')
    assert [line.split(": ")[1] for line in text.splitlines()] == ["$[0]", "$[1]", "$[2]", "$[3]"]


# -- limits ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_depth(opening: str) -> None:
    def nested(levels: int) -> bytes:
        times = levels // (opening.count("[") + opening.count("{"))
        closing = "".join({"[": "]", "{": "}"}.get(c, "") for c in reversed(opening))
        return (opening * times + "1" + closing * times).encode()

    decode(nested(MAX_DEPTH), "net.json")
    for levels in (MAX_DEPTH + 2, 1_000, 100_000):
        assert f"nested deeper than {MAX_DEPTH} levels" in refusal(nested(levels))


def test_brackets_inside_strings_are_no_nesting() -> None:
    deep = "[" * 500 + "\\" + '"' + "{" * 500
    assert decode(json.dumps({deep: [deep]}).encode(), "net.json") == {deep: [deep]}


def test_nesting_that_is_never_closed() -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in refusal(b"[" * 100_000)


@pytest.mark.parametrize("raw", [b"[" + b"{}," * 1_000_001 + b"1]", b"[" + b"1," * 2_000_001 + b"1]"])
def test_too_many_values(raw: bytes) -> None:
    assert "1,000,000 lists and objects or 2,000,000 values" in refusal(raw)


# -- files -----------------------------------------------------------------------------------------
def file_refusal(path: Path | str) -> str:
    with pytest.raises(SourceError) as raised:
        read_bytes(str(path))
    return str(raised.value)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(b"{}")
    assert read_bytes(str(path)) == b"{}"


def test_a_link_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_bytes(b"{}")
    (tmp_path / "link").symlink_to(tmp_path / "net.json")
    assert read_bytes(str(tmp_path / "link")) == b"{}"


def test_no_file(tmp_path: Path) -> None:
    assert file_refusal(tmp_path / "absent.json").endswith("absent.json: no such file")
    (tmp_path / "file").write_bytes(b"")
    assert "no such file" in file_refusal(tmp_path / "file" / "below")
    assert "the name is too long" in file_refusal(tmp_path / ("n" * 5_000))
    assert "a path cannot hold a NUL" in file_refusal("a\0b")


def test_a_folder(tmp_path: Path) -> None:
    assert "is a directory; name the file inside it" in file_refusal(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe; give a file, or - for standard input" in file_refusal(tmp_path / "pipe")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="this system has no /dev/zero")
def test_a_device_is_not_read() -> None:
    assert "is a device" in file_refusal("/dev/zero")


def test_a_link_that_leads_back_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "is a symbolic link that leads back to itself" in file_refusal(tmp_path / "a")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(b"{}")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    # permissions do not restrict the superuser, as whom tests may run
    monkeypatch.setattr(json_text.os, "open", refuse)
    assert "may not be read (permission denied)" in file_refusal(path)


def test_size(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(b" " * 101)
    with pytest.raises(SourceError, match="more than the limit of 100 bytes"):
        read_bytes(str(path), limit=100)
    assert len(read_bytes(str(path), limit=101)) == 101


def test_a_file_of_many_gibibytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    with path.open("wb") as file:
        file.truncate(1 << 36)
    assert "more than the limit of 33,554,432 bytes" in file_refusal(path)


# -- paths -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("filters", "$.filters"),
        ("$schema", "$.$schema"),
        ("a b", "$['a b']"),
        ("\u00fc", "$['\u00fc']"),
        ("e\x1b[2J", "$['e\\x1b[2J']"),
        ("", "$['']"),
    ],
)
def test_member(key: str, path: str) -> None:
    assert member("$", key) == path
