"""Files that appear whole or not at all, whatever happens to the process or the machine."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

PARTIAL = ".partial-"  # how the names of unfinished files begin


def write_whole(path: str | os.PathLike[str], write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary neighbour of a file, and put it in its place in one step.

    The neighbour keeps the suffix, by which Keras and matplotlib choose a format. After a fault it is
    removed, and what was at `path` is still there. A link stays a link, a file keeps its permissions; a
    device or a pipe is written to. Raises `OSError`.
    """
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        # it cannot be replaced by a file; a directory raises its own error
        write(target)
        return
    handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=target.suffix, dir=target.parent)
    os.close(handle)
    partial = Path(name)
    try:
        write(partial)
        _sync(partial)
        partial.chmod(0o666 & ~_umask() if mode is None else stat.S_IMODE(mode))
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # not every system can do this with a folder
        _sync(target.parent)


def _sync(path: Path) -> None:
    """Force a file or folder to the disk, so that a rename never outlives its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
