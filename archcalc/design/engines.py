"""What computes the parts of a sweep: threads of this process, or the workers of a Dask cluster.

Both give results in the order of the parts, with few of them in memory at any time.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from archcalc.design.rows import Rows, Work
from archcalc.design.unfinished import Unfinished
from archcalc.errors import ArchcalcError, MissingExtraError

ENGINES = ("local", "dask")
AHEAD = 2  # parts under way for each core
CONNECT_SECONDS = 5
LOST_SECONDS = 60  # after which a scheduler that was lost is given up

Part = tuple[int, Work | None, int]  # the part's number, and a box of its work; None if it is done already
Engine = Callable[[Iterable[Part], Unfinished | None], Generator[tuple[int, Rows], None, None]]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def chosen(name: str, scheduler: str | None) -> Iterator[Engine]:
    """The engine of this name; raises `ArchcalcError` where there is none, or where it cannot start."""
    if name not in ENGINES:
        raise ArchcalcError(f"engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    if name == "dask":
        with dask(scheduler) as engine:
            yield engine
        return
    if scheduler is not None:
        raise ArchcalcError("scheduler: only for the engine dask (--engine dask)")
    yield local


def local(parts: Iterable[Part], unfinished: Unfinished | None) -> Generator[tuple[int, Rows], None, None]:
    """The rows of each part, by threads: numpy and pyarrow work outside Python's lock."""
    from concurrent.futures import ThreadPoolExecutor

    def compute(part: Part) -> tuple[int, Rows]:
        number, work, box = part
        return number, _read(unfinished, number) if work is None else _written(
            unfinished, number, work.rows(box)
        )

    with ThreadPoolExecutor(cores()) as pool:
        try:
            yield from _in_order(parts, lambda part: pool.submit(compute, part), AHEAD * cores())
        finally:
            pool.shutdown(cancel_futures=True)


def _read(unfinished: Unfinished | None, number: int) -> Rows:
    assert unfinished is not None
    return unfinished.read(number)


def _written(unfinished: Unfinished | None, number: int, rows: Rows) -> Rows:
    if unfinished is not None:
        unfinished.write(number, rows)
    return rows


def _in_order(parts: Iterable[Part], submit: Callable[[Part], Any], ahead: int) -> Iterator[Any]:
    under_way: deque[Any] = deque()
    for part in parts:
        under_way.append(submit(part))
        if len(under_way) >= ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


@contextmanager
def dask(scheduler: str | None) -> Iterator[Engine]:
    """An engine of the cluster whose scheduler is at this address, `tcp://HOST:PORT`.

    The rows come back to this process, which alone writes them: what a worker computed twice, because
    another one died, is written once. Raises `ArchcalcError` if no scheduler answers within seconds.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingExtraError(
            "--engine dask needs distributed: python -m pip install 'archcalc[dask]'"
        ) from None
    if scheduler is None:
        raise ArchcalcError(
            "--engine dask needs --scheduler tcp://HOST:PORT, the address of a running scheduler"
        )
    try:
        client: Any = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as problem:
        raise ArchcalcError(
            f"no Dask scheduler answers at {scheduler} ({type(problem).__name__}); "
            "start one with: dask scheduler, and workers with: dask worker ADDRESS"
        ) from None
    with client:
        threads = _checked_workers(client, scheduler)

        def engine(
            parts: Iterable[Part], unfinished: Unfinished | None
        ) -> Generator[tuple[int, Rows], None, None]:
            def submit(part: Part) -> Any:
                number, work, box = part
                # not pure: the same part of an earlier sweep may have been another one
                future = None if work is None else client.submit(_rows, work, box, pure=False)
                return _Awaited(client, number, future)

            for number, rows in _in_order(parts, submit, 2 * AHEAD * threads):
                yield (
                    number,
                    _read(unfinished, number) if rows is None else _written(unfinished, number, rows),
                )

        yield engine


def _rows(work: Work, box: int) -> Rows:
    return work.rows(box)


def version() -> str:
    """That of archcalc where this runs."""
    from archcalc import __version__

    return __version__


def _checked_workers(client: Any, scheduler: str) -> int:
    """The number of threads of the workers, all of which have this version of archcalc."""
    try:
        client.wait_for_workers(1, timeout=2 * CONNECT_SECONDS)
    except TimeoutError:
        raise ArchcalcError(
            f"the Dask scheduler at {scheduler} has no workers; start some with: dask worker {scheduler}"
        ) from None
    versions = client.run(version, on_error="return")
    for worker, there in versions.items():
        if there != version():
            said = f"has archcalc {there}" if isinstance(there, str) else f"cannot import archcalc: {there}"
            raise ArchcalcError(f"the Dask worker {worker} {said}; here it is {version()}")
    return sum(client.nthreads().values())


class _Awaited:
    """The rows of a part, which are waited for as long as the scheduler is there; None if they are done."""

    def __init__(self, client: Any, number: int, future: Any) -> None:
        self.client = client
        self.number = number
        self.future = future

    def result(self) -> tuple[int, Rows | None]:
        return self.number, None if self.future is None else self._rows()

    def _rows(self) -> Rows:
        lost_since: float | None = None
        while True:
            try:
                rows: Rows = self.future.result(timeout=CONNECT_SECONDS)
                return rows
            except TimeoutError:
                if self.client.status == "running":
                    lost_since = None
                    continue
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > LOST_SECONDS or self.client.status == "closed":
                    raise ArchcalcError("the Dask scheduler no longer answers") from None
            except ArchcalcError:
                raise
            except Exception as problem:
                if type(problem).__module__.partition(".")[0] != "distributed":
                    raise
                raise ArchcalcError(f"the Dask cluster gave up: {problem}") from None
