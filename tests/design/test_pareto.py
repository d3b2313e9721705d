"""The front of batches is that of all configurations at once, compared pair by pair."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archcalc.design.pareto import Front

points = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(st.lists(st.integers(0, 6), min_size=width, max_size=width), min_size=1, max_size=40),
        st.lists(st.booleans(), min_size=width, max_size=width),
        st.lists(st.integers(0, 40), max_size=4),
        st.sampled_from([1, 2**70]),
    )
)


def compared(rows: list[list[int]], up: list[bool]) -> list[tuple[int, int]]:
    """(the first place, how many) of each distinct non-dominated row, the best first."""
    signed = [tuple(-v if u else v for v, u in zip(row, up, strict=True)) for row in rows]
    members = [
        p
        for p in signed
        if not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in signed)
    ]
    return [(signed.index(p), members.count(p)) for p in sorted(set(members))]


@given(points)
def test_front(drawn: tuple[list[list[int]], list[bool], list[int], int]) -> None:
    rows, up, cuts, scale = drawn
    columns: dict[str, Any] = {
        f"o{k}": np.array([row[k] * scale for row in rows], dtype=object if scale > 1 else np.int64)
        for k in range(len(up))
    }
    columns["place"] = np.arange(len(rows))
    front = Front({f"o{k}": u for k, u in enumerate(up)})
    ends = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]
    for start, stop in pairwise(ends):
        front.add({name: column[start:stop] for name, column in columns.items()})
    assert [(row["place"], row["ties"]) for row in front.rows()] == compared(rows, up)
