"""Sheets of claims from files: whose they are, and which of them are about this network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from archcalc.errors import SourceError
from archcalc.graph import Graph
from archcalc.graph.claims import Claim
from archcalc.readers.claims import Stated, from_json, read_stated, stem


@dataclass(frozen=True)
class Sheet:
    """One author's claims; `fault` says why they could not be read.

    `others`: how many claims of the file are about other networks, and were left aside.
    """

    student: str
    source: str
    claims: tuple[Claim, ...] = ()
    fault: str = ""
    others: int = 0


def read_claims(*files: str | os.PathLike[str], network: Graph | None = None) -> list[Sheet]:
    """The sheets of JSON and CSV files of claims; a student of several files has one sheet in each.

    With `network`, claims that name another network are left aside, and counted in `others`. Of several
    files, one that cannot be read becomes a sheet with a fault.

    Raises `SourceError` if no file can be read.
    """
    sheets: list[Sheet] = []
    faults: list[SourceError] = []
    for file in [os.fspath(f) for f in files]:
        try:
            sheets += _sheets(file, read_stated(file), network)
        except SourceError as problem:
            faults.append(problem)
            more = len(problem.faults) - 1
            said = f"{problem.faults[0]}" + (f" (and {more} more)" if more else "")
            sheets.append(Sheet(stem(file), file, fault=said))
    if faults and len(faults) == len(files):
        raise SourceError(faults[0].source, faults[0].faults)
    return sheets


def as_sheets(claims: Any) -> list[Sheet]:
    """Sheets as they are; those of files, given by their paths, or of claims as a JSON file holds them."""
    given: list[Any] = [claims] if isinstance(claims, str | os.PathLike | Mapping) else list(claims)
    if given and all(isinstance(one, str | os.PathLike) for one in given):
        return read_claims(*given)
    if all(isinstance(one, Sheet) for one in given):
        return given
    data = claims if isinstance(claims, Mapping) else given
    return list(_sheets("claims", from_json(data, "claims"), None))


def _sheets(file: str, stated: Sequence[Stated], network: Graph | None) -> Iterator[Sheet]:
    for student in dict.fromkeys(s.student for s in stated):
        own = [s for s in stated if s.student == student]
        chosen = [s for s in own if network is None or _is(s.network, network)]
        claims = tuple(_all(chosen))
        others = sum(len(s.claims) for s in own) - len(claims)
        yield Sheet(student or stem(file), file, claims, others=others)


def _all(stated: Iterable[Stated]) -> Iterator[Claim]:
    for s in stated:
        yield from s.claims


def _is(name: str, network: Graph) -> bool:
    """Whether claims that say so are about this network: by its name, or by that of its file."""
    known = {network.name, PurePath(network.source).stem, network.source}
    return not name or name.casefold() in {k.casefold() for k in known}
