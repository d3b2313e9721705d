"""Writes results to standard output, or to a file that appears completely or not at all."""

from __future__ import annotations

import sys

from archcalc.cli.errors import ClosedPipeError, OutputError, discard_stdout


def emit(text: str, path: str | None) -> None:
    """Write a result to standard output, or to `path` (`-` is standard output).

    Raises
    ------
    OutputError
        The target cannot be written; no partial file is left behind.
    ClosedPipeError
        Nobody reads standard output any more.
    """
    if path is None or path == "-":
        _to_stdout(text)
    else:
        _to_file(text.encode("utf-8", "backslashreplace"), path)


def _to_stdout(text: str) -> None:
    stream = sys.stdout
    if stream is None:
        raise OutputError("cannot write to standard output: it is closed")
    try:
        raw = getattr(stream, "buffer", None)
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


def _to_file(data: bytes, path: str) -> None:
    from archcalc.writers.files import write_whole

    try:
        write_whole(path, lambda file: file.write_bytes(data))
    except BrokenPipeError:
        raise ClosedPipeError from None
    except OSError as problem:
        raise OutputError(f"cannot write {path}: {problem.strerror}") from None
