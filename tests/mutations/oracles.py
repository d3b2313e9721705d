"""The ways on which a mistake is noticed, cheapest first, and what real Keras says, recorded once for all.

A road holds archcalc's figures to figures that it did not make: `record` asks real Keras or
brute force, `differences` compares and needs no TensorFlow.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.mutations.reach import Position, functions_run

Oracle = dict[str, Any]
Reach = dict[str, list[set[Position]]]  # by road, for each entry of its record, or for the road as one


class Extent(NamedTuple):
    """How much is recorded."""

    drawn: int  # networks
    toys: int
    cells: float  # share of the contract's grid


BRIEF = Extent(drawn=0, toys=80, cells=0.2)
THOROUGH = Extent(drawn=80, toys=400, cells=1.0)

ENTRIES = ("toys", "networks", "operations", "layers", "drawn")  # roads with a record of many entries
NAMES = {
    "loading": "archcalc, or a network of the record, does not load",
    "loops": "repeated blocks against the same blocks written out",
    "work": "multiply-adds of ones that Keras adds up, and counts by hand",
    "toys": "fields of toy networks by brute force",
    "networks": "written networks against Keras",
    "operations": "operations of `keras.ops` against Keras",
    "layers": "single layers on the contract's grid against Keras",
    "drawn": "drawn networks against Keras",
    "suite": "other tests of the suite",
}


def record(extent: Extent) -> Oracle:
    """What Keras and brute force say, as plain data."""
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
    """(road, its differences) in the order that finds a mistake in `module` soonest."""
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
    """No code under test catches it."""


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise `HangsError` inside when so much of it is used up; the machine may be busy."""

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
    """The road and the first figure on it that differs, in words; both empty if all agree.

    Only what runs the function at `place` is compared; everything, if that is None.
    """
    for road, differences in compared(reaching(oracle, reach, position), module):
        if not _runs(reach[road], position):
            continue
        try:
            with processor_time(limits.get(road, 60.0)):
                found = next(differences(), "")
        except (Exception, HangsError) as fault:
            found = f"{type(fault).__name__}: {fault}"
        if found:
            return road, found
    return "", ""


def _runs(reached: list[set[Position]], position: Position | None) -> bool:
    return position is None or any(position in functions for functions in reached)


def reaching(oracle: Oracle, reach: Reach, position: Position | None) -> Oracle:
    """The record without the entries that do not run a function."""
    found = dict(oracle)
    for road in ENTRIES if position else ():
        pairs = zip(oracle[road], reach[road], strict=True)
        found[road] = [entry for entry, functions in pairs if position in functions]
    return found


def all_differences(oracle: Oracle) -> tuple[dict[str, float], Reach, list[str]]:
    """Processor time of each road, what functions it runs, and everything that differs."""
    spent, reach, found = {}, {}, []
    loading = functions_run(_load)

    def compare(road: str, part: Oracle) -> None:
        found.extend(f"{road}: {text}" for text in dict(compared(part, ""))[road]())

    for road in oracle:
        start = time.process_time()
        entries = oracle[road] if road in ENTRIES else [None]
        parts = [{**oracle, road: [entry]} if road in ENTRIES else oracle for entry in entries]
        reach[road] = [loading | functions_run(lambda r=road, p=part: compare(r, p)) for part in parts]
        spent[road] = time.process_time() - start
    return spent, reach, found


def _load() -> None:
    """Everything that roads import."""
    from archcalc.layers.registry import registered, registered_operations
    from tests import test_contract  # noqa: F401
    from tests.layers import test_operations, test_sequences, test_work  # noqa: F401
    from tests.mutations import layers, loops, networks, operations, toys, work  # noqa: F401

    registered()
    registered_operations()
