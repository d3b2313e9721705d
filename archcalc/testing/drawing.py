"""Examples of a strategy outside of a test: the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import hypothesis
from hypothesis import strategies as st

Drawn = TypeVar("Drawn")


def each_drawn(
    strategy: st.SearchStrategy[Drawn], check: Callable[[Drawn], object], *, count: int, seed: int
) -> None:
    """Call `check` with `count` examples; nothing is shrunk or kept, and what it raises ends the run."""

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
