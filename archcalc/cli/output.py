"""Writes results to standard output, or to a file that appears completely or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice

from archcalc.cli.errors import ClosedPipeError, OutputError, discard_stdout

PIECES = 512  # that are written at once


def emit(text: str | Iterator[str], path: str | None) -> None:
    """Write a result, or its pieces, to standard output, or to `path` (`-` is standard output).

    Raises
    ------
    OutputError
        The target cannot be written; no partial file is left behind.
    ClosedPipeError
        Nobody reads standard output any more.
    """
    pieces = _joined(iter([text]) if isinstance(text, str) else text)
    if path is None or path == "-":
        _to_stdout(pieces)
    else:
        _to_file((piece.encode("utf-8", "backslashreplace") for piece in pieces), path)


def _joined(pieces: Iterator[str]) -> Iterator[str]:
    """Larger pieces, so that each is worth a write."""
    while several := list(islice(pieces, PIECES)):
        yield "".join(several)


def _to_stdout(pieces: Iterator[str]) -> None:
    stream = sys.stdout
    if stream is None:
        raise OutputError("cannot write to standard output: it is closed")
    try:
        raw = getattr(stream, "buffer", None)
        for text in pieces:
            if raw is None:
                stream.write(text)
            else:
                raw.write(text.encode(stream.encoding or "utf-8", "backslashreplace"))
        stream.flush()
    except BrokenPipeError:
        raise ClosedPipeError from None
    except OSError as problem:
        discard_stdout()
        raise OutputError(f"cannot write to standard output: {problem.strerror}") from None


def _to_file(data: Iterator[bytes], path: str) -> None:
    target = os.path.realpath(path)
    try:
        try:
            mode = os.stat(target).st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and not stat.S_ISREG(mode):
            # a device or a pipe cannot be replaced by a file; a directory raises its own error
            with open(target, "wb") as device:
                device.writelines(data)
            return
        _replace(data, target, mode)
    except BrokenPipeError:
        raise ClosedPipeError from None
    except OSError as problem:
        raise OutputError(f"cannot write {path}: {problem.strerror}") from None


def _replace(data: Iterator[bytes], target: str, mode: int | None) -> None:
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".archcalc-")
    try:
        with open(handle, "wb") as file:
            file.writelines(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
