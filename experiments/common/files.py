"""Bytes, text and JSON in files that are whole or absent (`archcalc.writers.files`)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from archcalc.writers.files import PARTIAL
from archcalc.writers.files import write_whole as write_whole
from experiments.common.errors import ExperimentError


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
    for leftover in folder.rglob(f"{PARTIAL}*"):
        leftover.unlink(missing_ok=True)
