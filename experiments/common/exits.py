"""What a failed command says on stderr, in archcalc's form, and its exit code."""

from __future__ import annotations

import errno

import click

from archcalc.cli.errors import exit_code
from experiments.common.errors import CheckFailedError, ExperimentError, InterruptedRunError

DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
CHECK_FAILED, INTERRUPTED = 1, 130


def code(problem: BaseException) -> int:
    """The exit code for an exception; says the reason on stderr, in one or two lines.

    1 where prediction and Keras differ, 2 for what the user can mend, 3 for a defect, 130 for Ctrl-C.
    """
    if isinstance(problem, CheckFailedError):
        exit_code(problem)
        return CHECK_FAILED
    if isinstance(problem, InterruptedRunError):
        exit_code(problem)
        return INTERRUPTED
    if isinstance(problem, KeyboardInterrupt | click.Abort):
        exit_code(ExperimentError("interrupted before a run began; there is nothing to resume"))
        return INTERRUPTED
    if isinstance(problem, OSError) and not isinstance(problem, BrokenPipeError):
        if problem.errno in DISK_FAULTS:
            where = problem.filename or "disk"
            return exit_code(
                ExperimentError(f"{where}: {problem.strerror}; nothing is lost, mend it and resume")
            )
        defect = RuntimeError(f"{type(problem).__name__}: {problem}")
        defect.__cause__ = problem
        return exit_code(defect)
    return exit_code(problem)
