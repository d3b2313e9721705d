"""The errors that archcalc raises; the command line turns each into exit code 2."""

from __future__ import annotations

from dataclasses import dataclass

MAX_MESSAGE = 600


class ArchcalcError(Exception):
    """Base class of all errors that a user can correct."""


class LayerError(ArchcalcError, ValueError):
    """A layer's arguments or input shapes are invalid; the text states the values."""


class UndecidedError(ArchcalcError):
    """A condition on symbols or arrays cannot be decided, and no `arith.scope` is open to record it."""


class ExpressionError(ArchcalcError, ValueError):
    """A text is not an expression of the language, or exceeds its limits."""


class MissingExtraError(ArchcalcError, ImportError):
    """An optional dependency is not installed; the text contains the command that installs it."""


@dataclass(frozen=True)
class Fault:
    """One error in an input: its JSON path, what is wrong there, and what to do."""

    path: str
    message: str

    def __str__(self) -> str:
        text = self.message
        if len(text) > MAX_MESSAGE:  # it may quote a very long value of the file
            text = f"{text[: MAX_MESSAGE - 45]} ... {text[-40:]}"
        return f"{self.path}: {text}" if self.path else text


class SourceError(ArchcalcError):
    """A source cannot be read as a network; `faults` has every error found, worst first."""

    def __init__(self, source: str, faults: list[Fault]) -> None:
        self.source = source
        self.faults = faults
        super().__init__("\n".join(f"{source}: {fault}" for fault in faults))


class NetworkError(ArchcalcError, ValueError):
    """Layers of a network are incompatible; `faults` has (node name, reason) for each error."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        self.faults = faults
        super().__init__("\n".join(f"layer {name!r}: {reason}" for name, reason in faults))
