"""Collects all faults of one spec, orders them, and limits how many are shown."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from archcalc.errors import Fault, SourceError
from archcalc.readers.names import printable

MAX_SHOWN = 20
MAX_LENGTH = 400


class Severity(IntEnum):
    """How much of the file a fault makes unreadable; the worst come first."""

    FORMAT = 0  # not a spec, or not of this format
    STRUCTURE = 1  # keys and types
    NAMES = 2  # duplicates, references, cycles
    VALUES = 3  # arguments of layers
    SHAPES = 4  # layers that do not fit together
    CLAIMS = 5  # claims about the network


class Faults:
    """Collects faults of one source; a message may be a function, called only if it is shown."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.count = 0
        self._counts = [0] * len(Severity)
        self._shown: list[tuple[Severity, Fault]] = []
        self._seen: set[Fault] = set()

    def add(self, severity: Severity, path: str, message: str | Callable[[], str]) -> None:
        """Note a fault, unless it was noted before (a block's fault is found again in each copy)."""
        if sum(self._counts[: severity + 1]) >= MAX_SHOWN:
            self.count += 1
            return
        text = message if isinstance(message, str) else message()
        if len(text) > MAX_LENGTH:
            text = f"{text[:MAX_LENGTH]}..."
        fault = Fault(printable(path), printable(text))
        if fault not in self._seen:
            self._seen.add(fault)
            self._shown.append((severity, fault))
            self._counts[severity] += 1
            self.count += 1

    def __bool__(self) -> bool:
        return self.count > 0

    def raise_any(self) -> None:
        """Raise `SourceError` if there are faults: the worst first, at most twenty."""
        if not self:
            return
        ordered = [fault for _, fault in sorted(self._shown, key=lambda pair: pair[0])][:MAX_SHOWN]
        more = self.count - len(ordered)
        raise SourceError(self.source, [*ordered, Fault("", f"... and {more:,} more")] if more else ordered)
