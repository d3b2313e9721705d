"""Archives: what Keras saves is read; one that lies, overflows or is cut off is refused in one line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archcalc.errors import SourceError
from archcalc.readers.keras_archive import read_archive
from tests.readers.keras.oracle import assert_same
from tests.readers.keras.test_models import MODELS, nested


@pytest.mark.parametrize("build", MODELS, ids=lambda f: f.__name__)
def test_what_keras_saves_is_read(build: Callable[[], Any], tmp_path: Path) -> None:
    model = build()
    model.save(tmp_path / "model.keras")
    assert_same(model, read_archive(str(tmp_path / "model.keras")))


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, content in members:
            zipped.writestr(name, content)
    file.seek(0)
    return file


def refusal(file: io.BytesIO) -> str:
    with pytest.raises(SourceError) as caught:
        read_archive("net.keras", file)
    text = str(caught.value)
    assert text.startswith("net.keras")
    assert "\n" not in text
    return text


CONFIG = ("config.json", nested().to_json().encode())


def test_metadata_is_optional_and_tells_the_version() -> None:
    assert read_archive("net.keras", archive(CONFIG)).format == "keras-config"
    with_version = archive(CONFIG, ("metadata.json", b'{"keras_version": "3.0.0"}'))
    assert read_archive("net.keras", with_version).format == "keras-config"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (lambda: io.BytesIO(b""), "damaged or incomplete"),
        (lambda: io.BytesIO(b"PK\x03\x04 and no more"), "damaged or incomplete"),
        (lambda: io.BytesIO(archive(CONFIG).getvalue()[:-40]), "damaged or incomplete"),
        (lambda: io.BytesIO(archive(CONFIG).getvalue()[30:]), "damaged or incomplete"),
        (lambda: archive(("weights.h5", b"")), "without config.json"),
        (lambda: archive(("archive/data.pkl", b"")), "PyTorch"),
        (lambda: archive(("config.json", b"{}")), "not a Keras configuration"),
        (lambda: archive(("config.json", b"{")), "config.json: not valid JSON"),
        (lambda: archive(CONFIG, ("metadata.json", b"nonsense")), "metadata.json: is text, but not JSON"),
        (lambda: archive(CONFIG, ("metadata.json", bytes(70_000))), "more than the limit"),
        (lambda: archive(CONFIG, method=zipfile.ZIP_LZMA), "a way that Keras does not use"),
        (lambda: archive(("config.json", bytes(2**20))), "grows more than 250 times"),
    ],
)
def test_archives_that_are_none(file: Callable[[], io.BytesIO], message: str) -> None:
    assert message in refusal(file())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_configurations_are_refused() -> None:
    assert "config.json 2 times" in refusal(archive(CONFIG, CONFIG))


def test_a_wrong_checksum_and_a_wrong_size_are_noticed() -> None:
    raw = bytearray(archive(CONFIG, method=zipfile.ZIP_STORED).getvalue())
    raw[100] ^= 1
    assert "CRC" in refusal(io.BytesIO(raw))
    # the table of contents states half of the real size
    raw = bytearray(archive(CONFIG).getvalue())
    size = len(CONFIG[1]).to_bytes(4, "little")
    place = raw.rindex(size)
    raw[place : place + 4] = (len(CONFIG[1]) // 2).to_bytes(4, "little")
    refusal(io.BytesIO(raw))


def test_an_encrypted_configuration_is_refused() -> None:
    raw = bytearray(archive(CONFIG).getvalue())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    assert "encrypted" in refusal(io.BytesIO(raw))


def test_members_with_paths_out_of_the_archive_do_not_matter() -> None:
    file = archive(("../../etc/passwd", b"x"), ("/config.json", b"{}"), CONFIG)
    assert read_archive("net.keras", file).nodes


# the file that the child writes would grow to 1 GiB if its stated sizes were believed
BOMBS = {
    "a gigabyte of blanks": "z.writestr('config.json', b' ' * 2**30)",
    "a gigabyte said to be small": "z.writestr('config.json', b' ' * 2**30); z.filelist[0].file_size = 9999",
    "a million members": "[z.writestr(zipfile.ZipInfo(f'{i:0500d}'), b'') for i in range(60_000)]",
}
CHILD = r"""
import re, sys
from archcalc.errors import SourceError
from archcalc.readers.keras_archive import read_archive
try:
    read_archive(sys.argv[1])
except SourceError as error:
    # not getrusage, which counts what the forking parent held
    peak = re.search(r"VmHWM:\s+(\d+) kB", open("/proc/self/status").read())
    print(str(error).count("\n"), int(peak[1]) // 1024)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_within_300_mebibytes(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    make = "import zipfile, sys\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n    "
    write = make + BOMBS[bomb]
    subprocess.run([sys.executable, "-c", write, str(path)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], check=True, capture_output=True, text=True, timeout=60
    )
    lines, mebibytes = map(int, done.stdout.split())
    assert lines == 0
    assert mebibytes < 300


def test_a_device_and_a_directory_are_refused(tmp_path: Path) -> None:
    for path in ("/dev/zero", str(tmp_path), str(tmp_path / "none.keras")):
        with pytest.raises(SourceError):
            read_archive(path)


def test_shared_objects_of_an_archive_count_once() -> None:
    """Keras marks objects from their second use on, so two marked ones are the same object."""
    data = json.loads(CONFIG[1])
    for entry in data["config"]["layers"]:
        if entry["class_name"] == "ReLU":
            entry["shared_object_id"] = 5
    assert read_archive("net.keras", archive(("config.json", json.dumps(data).encode()))).nodes
