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

Oracle = dict[str, Any]


class Extent(NamedTuple):
    """How much is recorded."""

    drawn: int  # networks
    toys: int
    cells: float  # share of the contract's grid


BRIEF = Extent(drawn=0, toys=80, cells=0.2)
THOROUGH = Extent(drawn=80, toys=400, cells=1.0)

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


def first_difference(oracle: Oracle, module: str, limits: dict[str, float]) -> tuple[str, str]:
    """The road and the first figure on it that differs, in words; both empty if all agree."""
    for road, differences in compared(oracle, module):
        try:
            with processor_time(limits.get(road, 60.0)):
                found = next(differences(), "")
        except (Exception, HangsError) as fault:
            found = f"{type(fault).__name__}: {fault}"
        if found:
            return road, found
    return "", ""


def all_differences(oracle: Oracle) -> tuple[dict[str, float], list[str]]:
    """Processor time of each road, and everything that differs."""
    spent, found = {}, []
    for road, differences in compared(oracle, ""):
        start = time.process_time()
        found += [f"{road}: {text}" for text in differences()]
        spent[road] = time.process_time() - start
    return spent, found
