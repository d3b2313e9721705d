"""Running the command line on a hostile case, here or in a separate process."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from archcalc.cli import main
from tests.hostile.cases import Case

ROOT = Path(__file__).parents[2]
GIBIBYTE = 1 << 30
CPU_SECONDS = 5  # the kernel ends what takes longer


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def run_here(arguments: Sequence[str], stdin: bytes | None = None) -> Ran:
    """In this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    if stdin is not None:
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(arguments)
    finally:
        sys.stdin = before
    return Ran(code, out.getvalue(), err.getvalue())


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIBIBYTE, GIBIBYTE))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


def run_apart(arguments: Sequence[str], stdin: bytes | None = None) -> Ran:
    """In a process that may take 1 GiB of address space and 5 seconds of CPU."""
    done = subprocess.run(
        [sys.executable, "-m", "archcalc", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        input=stdin,
        capture_output=True,
        preexec_fn=_limits,
        timeout=300,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def check(case: Case, source: str, ran: Ran) -> None:
    """Check that the case is refused, in few lines that name the file, and with nothing else."""
    assert ran.code == 2, ran
    assert ran.out == ""
    lines = ran.err.splitlines()
    # one line per fault, and a name may appear three times in it; at most 20 and "more"
    assert 1 <= len(lines) <= 3, ran.err
    assert all(len(line) < 800 and line.isprintable() for line in lines)
    assert "Traceback" not in ran.err
    assert re.search(case.says, ran.err), ran.err
    assert ("standard input" if source == "-" else source) in ran.err
