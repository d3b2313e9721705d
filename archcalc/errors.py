"""The errors that archcalc raises (the command line turns each into exit code 2), and what users meant."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

MAX_MESSAGE = 600
MAX_WORD, MAX_COMPARED = 255, 1_000


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


class Fault(NamedTuple):
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


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "", most: int = 1) -> str:
    """`; did you mean 'filters'?`; if no known word is near, `otherwise` after a semicolon, or nothing."""
    near = similar(word, known, most)
    meant = f"did you mean {' or '.join(map(repr, near))}?" if near else otherwise
    return f"; {meant}" if meant else ""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a user most likely meant; None if none is near."""
    return next(iter(similar(word, known, 1)), None)


def similar(word: str, known: Iterable[str], most: int) -> list[str]:
    """The known words that a user most likely meant: the same in another case, else those nearest to it.

    Among very many words only those that begin alike are compared: each comparison costs some
    microseconds, and a file may hold a hundred thousand names.
    """
    if len(word) > MAX_WORD:
        return []
    low = word.lower()
    lowered = {w.lower(): w for w in known}
    if low in lowered:
        return [lowered[low]]
    if len(lowered) > MAX_COMPARED:
        alike = (w for w in lowered if w[:1] == low[:1] and abs(len(w) - len(low)) <= 3)
        lowered = {w: lowered[w] for w in islice(alike, MAX_COMPARED)}
    from difflib import get_close_matches

    return [lowered[w] for w in get_close_matches(low, list(lowered), n=most)]
