"""What an experiment refuses, in one or two lines that name the remedy."""

from __future__ import annotations

from archcalc.errors import ArchcalcError


class ExperimentError(ArchcalcError):
    """A fault that whoever started the run can mend; the command line prints it and exits with 2."""


class CheckFailedError(ExperimentError):
    """What archcalc predicted and what Keras built are not the same; the command line exits with 1."""


class InterruptedRunError(ExperimentError):
    """Ctrl-C while a run was at work; the command line says how to go on and exits with 130."""
