"""Data in a zip, by path or by URL: fetched and unpacked once into the cache, nothing outside it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

from experiments.common import console, files
from experiments.common.data import generated, network
from experiments.common.errors import ExperimentError

LARGEST = 16 * 2**30  # bytes, of a download and of what a zip unpacks to
MOST_FILES = 500_000
CHUNK = 2**20
IGNORED = {"__MACOSX"}


def is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def fetched(url: str) -> Path:
    """The file at `url`, kept in the cache under its checksum's name; fetched once.

    Raises ExperimentError, within seconds, where it cannot be had.
    """
    name = Path(urllib.parse.urlparse(url).path).name or "download"
    path = generated.cache_folder() / "downloads" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"
    if path.is_file():
        return path
    console.say(f"fetching {url}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with network.socket_timeout(network.STALL_SECONDS), urllib.request.urlopen(url) as answer:
            files.write_whole(path, lambda partial: _receive(answer, partial, url))
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "reason", fault)
        raise ExperimentError(
            f"--data {url}: cannot be fetched ({reason}); fetch it by other means and give --data FILE"
        ) from None
    return path


def _receive(answer: object, partial: Path, url: str) -> None:
    received = 0
    with partial.open("wb") as stream:
        while chunk := answer.read(CHUNK):  # type: ignore[attr-defined]
            received += len(chunk)
            if received > LARGEST:
                raise ExperimentError(f"--data {url}: more than {LARGEST >> 30} GiB; fetch it by other means")
            stream.write(chunk)


def root(source: Path, folders: tuple[str, ...], wanted: str) -> Path:
    """The folder that holds `folders`: `source` itself, or inside it or its zip, at most two levels down.

    Raises ExperimentError where there is none; `wanted` says what was looked for.
    """
    if not source.exists():
        raise ExperimentError(f"--data {source}: no such file or folder; {wanted}")
    top = source if source.is_dir() else unpacked(source, wanted)
    for pattern in (".", "*", "*/*"):
        candidates = [top] if pattern == "." else sorted(top.glob(pattern))
        for folder in candidates:
            if folder.name not in IGNORED and all((folder / name).is_dir() for name in folders):
                return folder
    raise ExperimentError(f"--data {source}: no {' and '.join(folders)} side by side in it; {wanted}")


def unpacked(path: Path, wanted: str) -> Path:
    """The content of a zip, unpacked once into the cache.

    Raises ExperimentError for what is no zip, is damaged, too large, or reaches outside.
    """
    if not zipfile.is_zipfile(path):
        raise ExperimentError(f"--data {path}: not a zip; {wanted}")
    home = generated.cache_folder() / "unpacked"
    folder = home / files.sha256(path)[:16]
    if folder.is_dir():
        return folder
    home.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=home))
    try:
        with zipfile.ZipFile(path) as archive:
            _require_harmless(archive, path)
            archive.extractall(partial)
        partial.rename(folder)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as fault:
        raise ExperimentError(f"--data {path}: cannot be unpacked ({fault}); fetch it anew") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _require_harmless(archive: zipfile.ZipFile, path: Path) -> None:
    members = archive.infolist()
    if len(members) > MOST_FILES or sum(member.file_size for member in members) > LARGEST:
        raise ExperimentError(
            f"--data {path}: unpacks to more than {LARGEST >> 30} GiB or {MOST_FILES} files"
        )
    for member in members:
        parts = Path(member.filename).parts
        if ".." in parts or member.filename.startswith(("/", "\\")):
            raise ExperimentError(f"--data {path}: {member.filename!r} in it points outside; not unpacked")
