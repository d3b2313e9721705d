"""Keras archives: reads `config.json` in a `.keras` file as data, within fixed limits.

Nothing is extracted, no other member but `metadata.json` is opened, and the sizes that the archive
states are not trusted.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any, BinaryIO, NoReturn

from archcalc.errors import Fault, SourceError
from archcalc.graph import Graph
from archcalc.readers import json_text
from archcalc.readers.hdf5 import File, HDF5Error
from archcalc.readers.keras.stored import StoredShapes
from archcalc.readers.keras_config import is_keras, read_keras
from archcalc.readers.names import printable

MAX_READ = 1024 * 1024  # of the table of contents, which zipfile reads in one piece
MAX_METADATA = 64 * 1024
MAX_RATIO = 250  # a configuration compresses 20 to 60 times
SMALL = 64 * 1024  # smaller members are not checked for their ratio

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


def read_archive(source: str, file: BinaryIO | None = None, **options: Any) -> Graph:
    """The network of a Keras 3 archive; `file` is the open, seekable file if it is not at `source`.

    The options are those of `read_keras`. Raises `SourceError` if it is not a Keras archive, or with
    every fault of its configuration.
    """
    if file is None:
        with json_text.open_file(source) as opened:
            return read_archive(source, opened, **options)
    config, metadata, weights = _members(file, source)
    data = json_text.decode(config, f"{source}:{CONFIG}")
    if not is_keras(data):
        _refuse(source, f"its {CONFIG} is not a Keras configuration")
    version = _version(metadata, source)
    if version is not None:
        data = {"keras_version": version, **data}
    stored = None if weights is None else _stored(file, weights)
    return read_keras(data, f"{source}:{CONFIG}", stored=stored, **options)


def _stored(file: BinaryIO, entry: zipfile.ZipInfo) -> StoredShapes | None:
    """The shapes of the archive's weights, if they are stored as they are; Keras does not compress them."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        return None

    def opened() -> File:
        file.seek(entry.header_offset)
        head = file.read(_HEADER)
        if len(head) != _HEADER or not head.startswith(_LOCAL):
            raise HDF5Error("no member of the archive")
        name, extra = struct.unpack_from("<HH", head, 26)
        return File(file, entry.header_offset + _HEADER + name + extra, entry.file_size)

    return StoredShapes(opened, archive=True)


_HEADER, _LOCAL = 30, b"PK\x03\x04"  # of each member


def _members(file: BinaryIO, source: str) -> tuple[bytes, bytes | None, zipfile.ZipInfo | None]:
    """The bytes of the configuration, those of the metadata, and where the weights are, if there are any."""
    try:
        with zipfile.ZipFile(_Bounded(file)) as archive:
            members = {
                name: [i for i in archive.infolist() if i.filename == name]
                for name in (CONFIG, METADATA, WEIGHTS)
            }
            if not members[CONFIG]:
                _refuse(source, f"a zip archive without {CONFIG}, so no Keras model{_what(archive)}")
            for name, entries in members.items():
                if len(entries) > 1:
                    _refuse(source, f"the archive holds {name} {len(entries)} times")
            config = _content(archive, members[CONFIG][0], json_text.MAX_BYTES, source)
            metadata = [_content(archive, entry, MAX_METADATA, source) for entry in members[METADATA]]
            weights = members[WEIGHTS][0] if members[WEIGHTS] else None
            return config, metadata[0] if metadata else None, weights
    except SourceError:
        raise
    except _BROKEN as problem:
        why = printable(str(problem))[:100]
        _refuse(source, f"a damaged or incomplete archive ({why}); save or copy it again")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int, source: str) -> bytes:
    name = entry.filename
    if entry.flag_bits & 1:
        _refuse(source, f"{name} is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _refuse(source, f"{name} is compressed in a way that Keras does not use")
    if entry.file_size > limit:
        _refuse(source, f"{name} says it holds {entry.file_size:,} bytes, more than the limit of {limit:,}")
    if entry.file_size > SMALL and entry.file_size > MAX_RATIO * entry.compress_size:
        _refuse(source, f"{name} says it grows more than {MAX_RATIO} times; no configuration does")
    with archive.open(entry) as stream:
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        _refuse(source, f"{name} holds more than the limit of {limit:,} bytes")
    if len(raw) != entry.file_size:
        _refuse(source, f"{name} says it holds {entry.file_size:,} bytes and holds {len(raw):,}")
    return raw


def _what(archive: zipfile.ZipFile) -> str:
    """` (it looks like PyTorch's)` for an archive of PyTorch, else nothing."""
    names = archive.namelist()
    if any(n.endswith("data.pkl") or "/archive_format" in n or n == "archive_format" for n in names):
        return " (it looks like PyTorch's)"
    return ""


def _version(metadata: bytes | None, source: str) -> str | None:
    if metadata is None:
        return None
    data = json_text.decode(metadata, f"{source}:{METADATA}")
    version = data.get("keras_version") if isinstance(data, dict) else None
    return version if isinstance(version, str) else None


_TOO_LARGE = f"a table of contents or block of more than {MAX_READ:,} bytes"


class _Bounded(io.RawIOBase):
    """A file that refuses reads larger than a genuine archive needs."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = MAX_READ + 1 if size is None or size < 0 else size
        if wanted > MAX_READ + 1:
            raise zipfile.BadZipFile(_TOO_LARGE)
        data = self._file.read(wanted)
        if len(data) > MAX_READ:
            raise zipfile.BadZipFile(_TOO_LARGE)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", problem)])
