"""The message on stderr and the exit code of each kind of failure."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from archcalc.errors import ArchcalcError

MAX_LINES = 20
BAD_INPUT, DEFECT, INTERRUPTED = 2, 3, 130


class OutputError(ArchcalcError):
    """The result cannot be written."""


class ClosedPipeError(Exception):
    """The reader of standard output has closed it."""


def exit_code(problem: BaseException) -> int:
    """The exit code for an exception; the reason is written to stderr, in one or two lines."""
    if isinstance(problem, click.exceptions.Exit):
        return problem.exit_code
    if isinstance(problem, SystemExit):
        return _of_click(problem)
    if isinstance(problem, (ClosedPipeError, BrokenPipeError)):
        discard_stdout()
        return 0
    if isinstance(problem, (KeyboardInterrupt, click.Abort)):
        discard_stdout()
        return INTERRUPTED
    if isinstance(problem, click.UsageError):
        _say(f"{_command(problem)}: {_sentence(problem.format_message())} ({_command(problem)} --help)")
        return BAD_INPUT
    if isinstance(problem, click.ClickException):
        _say(f"archcalc: {problem.format_message()}")
        return BAD_INPUT
    if isinstance(problem, ArchcalcError):
        _say("\n".join(f"archcalc: {line}" for line in str(problem).splitlines()))
        return BAD_INPUT
    if isinstance(problem, MemoryError):
        _say("archcalc: this network does not fit into memory")
        return BAD_INPUT
    if isinstance(problem, OSError) and problem.filename is None:
        # a write to standard output: errors of other files carry their name
        discard_stdout()
        _say(f"archcalc: cannot write to standard output: {problem.strerror or problem}")
        return BAD_INPUT
    if isinstance(problem, OSError):
        _say(f"archcalc: {problem.filename}: {problem.strerror}")
        return BAD_INPUT
    return _defect(problem)


def _of_click(problem: SystemExit) -> int:
    """Click exits by SystemExit after shell completion, and with 1 after a closed pipe."""
    if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
        return 0
    return problem.code if isinstance(problem.code, int) else 0


def _defect(problem: BaseException) -> int:
    if os.environ.get("ARCHCALC_DEBUG"):
        import traceback

        traceback.print_exception(problem)
    kind = type(problem).__name__
    _say(
        f"archcalc: a defect in archcalc, not in your input: {kind}: {' '.join(str(problem).split())[:300]}\n"
        "Please report it with the command and its input; ARCHCALC_DEBUG=1 shows where it happened."
    )
    return DEFECT


def _command(problem: click.UsageError) -> str:
    return problem.ctx.command_path if problem.ctx is not None else "archcalc"


def _sentence(message: str) -> str:
    """Click's message without its capital letter and full stop, for use after a colon."""
    first = message[:1].lower() if message[1:2].islower() else message[:1]
    return first + message[1:].rstrip(".")


def _say(message: str) -> None:
    """Write lines to stderr; control characters, which may come from a file, are escaped."""
    if sys.stderr is None:
        return
    lines = message.splitlines() or [message]
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"archcalc: and {len(lines) - MAX_LINES} more"]
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    for line in lines:
        safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
        with contextlib.suppress(OSError, ValueError):
            print(safe.encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)  # noqa: T201


def discard_stdout() -> None:
    """Redirect standard output to nowhere, so that flushing it at exit cannot fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
