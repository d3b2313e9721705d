"""Examples of a strategy outside tests, reproducible by a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import hypothesis
from hypothesis import strategies as st

Drawn = TypeVar("Drawn")


def each_drawn(
    strategy: st.SearchStrategy[Drawn], check: Callable[[Drawn], object], *, count: int, seed: int
) -> None:
    """Call `check` with `count` examples; they are not shrunk or stored, and an exception ends the run."""

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def each(drawn: Drawn) -> None:
        check(drawn)

    each()
