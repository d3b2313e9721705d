"""Run folders: one run each, locked while a process works on it, refused early where they cannot be."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.common import files
from experiments.common.errors import ExperimentError, InterruptedRunError


def create(out: Path, name: str) -> Path:
    """A new folder `out/name-YYYYmmdd-HHMMSS` (with -2, -3 ... where that is taken)."""
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 1000):
            folder = out / (stem if attempt == 1 else f"{stem}-{attempt}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as fault:
        raise ExperimentError(
            f"{out}: cannot make a run folder there ({fault.strerror}); choose --out"
        ) from None
    raise ExperimentError(f"{out}: a thousand runs in one second; choose --out")


def existing(folder: Path) -> Path:
    """The folder, if it is a run's."""
    if not (folder / "config.json").is_file():
        raise ExperimentError(f"{folder}: not a run folder (no config.json); `run` makes one")
    return folder


def finished(folder: Path) -> Path:
    """The folder, if it is that of a run that has come to its end."""
    if not (existing(folder) / "result.json").is_file():
        raise ExperimentError(f"{folder}: not finished; `python -m experiments resume {folder}` goes on")
    return folder


def require_space(folder: Path, needed: int) -> None:
    """Reserve and release `needed` bytes: a full disk or a read-only folder shows now, not in an hour."""
    probe = folder / ".partial-space"
    try:
        with probe.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, needed)
    except OSError as fault:
        free = shutil.disk_usage(folder).free
        raise ExperimentError(
            f"{folder}: cannot keep the run's {needed / 1e6:,.0f} MB there "
            f"({fault.strerror}; {free / 1e6:,.0f} MB free); make room or choose another --out"
        ) from None
    finally:
        probe.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the run folder; the kernel drops the lock with its holder, so a dead one's needs no recovery.

    Raises ExperimentError where a living process holds it, InterruptedRunError for Ctrl-C while it is held.
    """
    path = folder / ".lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as fault:
        raise ExperimentError(
            f"{folder}: cannot be written to ({fault.strerror}); make it writable"
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 100).decode(errors="replace").strip() or "unknown"
            raise ExperimentError(
                f"{folder}: process {holder} is working on this run; wait for it or end it"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        files.remove_partials(folder)
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError(_how_to_go_on(folder)) from None
    finally:
        os.close(handle)


def _how_to_go_on(folder: Path) -> str:
    if (folder / "config.json").is_file():
        return f"interrupted; `python -m experiments resume {folder}` goes on where it stopped"
    return f"interrupted before {folder} held anything to resume; run it again"
