"""Files that are whole or absent, whatever happens to the process or the machine."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.common.errors import ExperimentError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary neighbour of `path`, then put it in place in one step.

    The neighbour keeps the suffix (Keras and matplotlib choose a format by it) and starts with a dot.
    On any fault it is removed and what stood at `path` before still stands.
    """
    handle, name = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        write(partial)
        sync(partial)
        partial.chmod(0o644)
        partial.replace(path)
        sync(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Force a file or folder to the disk, so that a rename never outlives its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, whole or not at all."""
    write_whole(path, lambda partial: partial.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN), keys in the order given, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote. Raises ExperimentError where it has been damaged since."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise ExperimentError(f"{path}: damaged, not JSON any more ({fault})") from None


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of(text: str) -> str:
    """Hexadecimal SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def remove_partials(folder: Path) -> None:
    """Delete what a killed process left half-written; only the holder of the run's lock may."""
    for leftover in folder.rglob(".partial-*"):
        leftover.unlink(missing_ok=True)
