"""The comparisons that find a mistake, cheapest first, with figures of real Keras recorded once.

A comparison is between archcalc's figures and independent ones: `record` computes these with real
Keras or by brute force, `differences` compares and needs no TensorFlow.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.mutations.reach import Position, functions_run

Oracle = dict[str, Any]
# by comparison: the functions that each entry of its record runs, or the comparison as a whole
Reach = dict[str, list[set[Position]]]


class Extent(NamedTuple):
    """How much is recorded."""

    drawn: int  # number of random networks
    toys: int  # number of toy networks
    cells: float  # share of the contract's grid


BRIEF = Extent(drawn=0, toys=80, cells=0.2)
THOROUGH = Extent(drawn=80, toys=400, cells=1.0)

ENTRIES = ("toys", "networks", "operations", "layers", "drawn")  # comparisons with a record of many entries
NAMES = {
    "loading": "archcalc, or a network of the record, does not load",
    "loops": "repeated blocks against the same blocks written out",
    "work": "multiply-adds against sums of ones in Keras, and counts by hand",
    "toys": "fields of toy networks by brute force",
    "networks": "written networks against Keras",
    "operations": "operations of `keras.ops` against Keras",
    "layers": "single layers on the contract's grid against Keras",
    "drawn": "drawn networks against Keras",
    "suite": "other tests of the suite",
}


def record(extent: Extent) -> Oracle:
    """The figures of Keras and of brute force, as plain data."""
    from tests.mutations import layers, networks, operations, toys, work

    return {
        "loops": None,
        "work": work.record(),
        "toys": toys.record(extent.toys),
        "networks": networks.written(),
        "operations": operations.record(),
        "layers": layers.record(extent.cells),
        "drawn": networks.drawn(extent.drawn),
    }


def compared(oracle: Oracle, module: str) -> Iterator[tuple[str, Callable[[], Iterator[str]]]]:
    """(comparison, its differences), first the one that is most likely to find a mistake in `module`."""
    from tests.mutations import layers, loops, networks, operations, toys, work

    ways: dict[str, Callable[[], Iterator[str]]] = {
        "loops": lambda: loops.differences(),
        "work": lambda: work.differences(oracle["work"]),
        "toys": lambda: toys.differences(oracle["toys"]),
        "networks": lambda: networks.differences(oracle["networks"]),
        "operations": lambda: operations.differences(oracle["operations"]),
        "layers": lambda: layers.differences(oracle["layers"], module),
        "drawn": lambda: networks.differences(oracle["drawn"]),
    }
    first = "operations" if ".operations." in module else "layers" if ".layers." in module else "toys"
    yield first, ways.pop(first)
    yield from ways.items()


class HangsError(BaseException):
    """Too much processor time; a `BaseException`, so that no code under test catches it."""


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise `HangsError` inside after so many seconds of processor time."""

    def stop(*_: Any) -> None:
        raise HangsError(f"still computing after {seconds:.0f} s")

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def first_difference(
    oracle: Oracle, module: str, limits: dict[str, float], reach: Reach, position: Position | None
) -> tuple[str, str]:
    """The comparison that finds a difference first, and the difference as text; "" if all agree.

    Only entries that run the function at `position` are compared; all entries if it is None.
    """
    for comparison, differences in compared(reaching(oracle, reach, position), module):
        if not _runs(reach[comparison], position):
            continue
        try:
            with processor_time(limits.get(comparison, 60.0)):
                difference = next(differences(), "")
        except (Exception, HangsError) as fault:
            difference = f"{type(fault).__name__}: {fault}"
        if difference:
            return comparison, difference
    return "", ""


def _runs(reached: list[set[Position]], position: Position | None) -> bool:
    return position is None or any(position in functions for functions in reached)


def reaching(oracle: Oracle, reach: Reach, position: Position | None) -> Oracle:
    """The part of the record whose entries run the function at `position`."""
    part = dict(oracle)
    for comparison in ENTRIES if position else ():
        pairs = zip(oracle[comparison], reach[comparison], strict=True)
        part[comparison] = [entry for entry, functions in pairs if position in functions]
    return part


def all_differences(oracle: Oracle) -> tuple[dict[str, float], Reach, list[str]]:
    """The processor time of each comparison, the functions that it runs, and all differences."""
    spent, reach, texts = {}, {}, []
    loading = functions_run(_load)

    def compare(comparison: str, part: Oracle) -> None:
        texts.extend(f"{comparison}: {text}" for text in dict(compared(part, ""))[comparison]())

    for comparison in oracle:
        start = time.process_time()
        entries = oracle[comparison] if comparison in ENTRIES else [None]
        parts = [{**oracle, comparison: [entry]} if comparison in ENTRIES else oracle for entry in entries]
        reach[comparison] = [
            loading | functions_run(lambda r=comparison, p=part: compare(r, p)) for part in parts
        ]
        spent[comparison] = time.process_time() - start
    return spent, reach, texts


def _load() -> None:
    """Import everything that comparisons import."""
    from archcalc.layers.registry import registered, registered_operations
    from tests import test_contract  # noqa: F401
    from tests.layers import test_operations, test_sequences, test_work  # noqa: F401
    from tests.mutations import layers, loops, networks, operations, toys, work  # noqa: F401

    registered()
    registered_operations()
