"""Writes results to standard output, or to a file that appears completely or not at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from archcalc.cli.errors import ClosedPipeError, OutputError, discard_stdout

if TYPE_CHECKING:
    from pathlib import Path

PIECES = 512  # that are written at once


def emit(text: str | Iterator[str], path: str | None, then: str | None = None) -> None:
    """Write a result, or its pieces, to standard output, or to `path` (`-` is standard output).

    `then` is what one may type next after `archcalc`, once a file is written.

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
        tell(path, then)


def tell(path: str, then: str | None = None) -> None:
    """Name a file that was written, to somebody at a terminal or with a next step."""
    if then is not None or (sys.stderr is not None and sys.stderr.isatty()):
        click.echo(f"{path} written" + ("" if then is None else f"; next: archcalc {then}"), err=True)


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
    from archcalc.writers.files import write_whole

    def fill(file: Path) -> None:
        with file.open("wb") as stream:
            stream.writelines(data)

    try:
        write_whole(path, fill)
    except BrokenPipeError:
        raise ClosedPipeError from None
    except OSError as problem:
        raise OutputError(f"cannot write {path}: {problem.strerror}") from None
