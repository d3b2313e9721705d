"""Reads a SOURCE, and names it in error messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archcalc.errors import ArchcalcError, Fault, NetworkError, SourceError

if TYPE_CHECKING:
    from archcalc.graph import Graph


def read(source: str, **options: Any) -> Graph:
    """`archcalc.load` of what a person typed: `python:` runs code, and a name of an example is recognised.

    Raises `SourceError` and whatever else `load` raises.
    """
    from archcalc.readers import load
    from archcalc.readers.python_source import is_python

    if is_python(source) or (source.startswith("keras:") and "?" in source):
        from archcalc.cli.keras_quietly import import_quietly

        code = is_python(source)
        import_quietly("archcalc.keras.live" if code else "keras", whole=code)
    try:
        return load(source, **options, allow_code=True)
    except SourceError as problem:
        if not os.path.exists(source) and source in _examples():
            said = problem.faults[0].message
            joint = " An" if said.endswith("?") else "; an"
            hint = f"{said}{joint} example has this name: archcalc examples copy {source}"
            raise SourceError(source, [Fault("", hint)]) from None
        raise problem


@contextmanager
def naming(source: str) -> Iterator[None]:
    """Adds the name of the source to faults that the analysis of a network finds."""
    try:
        yield
    except NetworkError as problem:
        where = "standard input" if source == "-" else source
        faults = [Fault("", f"layer {name!r}: {reason}") for name, reason in problem.faults]
        raise SourceError(where, faults) from None


def _examples() -> set[str]:
    from archcalc.cli import shipped

    try:
        return set(shipped.available())
    except ArchcalcError:
        return set()
