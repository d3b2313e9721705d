"""The Pareto front of configurations that arrive in batches: those that no other one is better than."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archcalc.errors import ArchcalcError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_FRONT = 1_000_000


class Front:
    """The configurations for which no other is at least as good in every objective and better in one.

    Of configurations with equal objectives the first is kept, with their number in `ties`: a figure that
    does not depend on some symbol would otherwise fill the front with all of that symbol's values.
    """

    def __init__(self, objectives: Mapping[str, bool]) -> None:
        """`objectives`: figures, each with whether more of it is better."""
        self.objectives = dict(objectives)
        self._columns: dict[str, NDArray[Any]] = {}
        self._points: NDArray[Any] | None = None  # one column an objective, less is better
        self._ties: NDArray[Any] | None = None

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Take in further configurations, in their order.

        Raises `ArchcalcError` where the front grows beyond `MAX_FRONT`.
        """
        import numpy as np

        points = np.stack(
            [-columns[name] if is_max else columns[name] for name, is_max in self.objectives.items()], axis=1
        )
        if not len(points):
            return
        # most configurations of later batches are worse than one of the front
        candidates = np.arange(len(points)) if self._points is None else _not_worse(points, self._points)
        if not len(candidates):
            return
        new = points[candidates]
        ties = np.ones(len(new), dtype=np.int64)
        chosen = {name: column[candidates] for name, column in columns.items()}
        if self._points is not None and self._ties is not None:
            new = np.concatenate([self._points, new])
            ties = np.concatenate([self._ties, ties])
            chosen = {name: np.concatenate([self._columns[name], column]) for name, column in chosen.items()}
        kept, ties = _front(new, ties)
        if len(kept) > MAX_FRONT:
            raise ArchcalcError(
                f"the Pareto front of {', '.join(self.objectives)} has more than {MAX_FRONT:,} members; "
                "name fewer objectives, or narrow the space with --where"
            )
        self._points, self._ties = new[kept], ties
        self._columns = {name: column[kept] for name, column in chosen.items()}

    def rows(self) -> list[dict[str, Any]]:
        """The members, the best in the first objective first, as plain integers, each with its `ties`."""
        if self._points is None or self._ties is None:
            return []
        names = list(self._columns)
        values = [column.tolist() for column in self._columns.values()]
        return [
            {**dict(zip(names, row, strict=True)), "ties": ties}
            for *row, ties in zip(*values, self._ties.tolist(), strict=True)
        ]


def _not_worse(points: NDArray[Any], front: NDArray[Any]) -> NDArray[Any]:
    """The places of the points that no member of the front is better than; equal ones are among them."""
    import numpy as np

    if points.shape[1] == 2:
        # along the front the first objective grows and the second falls: the last member whose first is
        # no more has the least second
        before = np.searchsorted(front[:, 0], points[:, 0], side="right") - 1
        best = front[np.maximum(before, 0)]
        equal = (best[:, 0] == points[:, 0]) & (best[:, 1] == points[:, 1])
        found: NDArray[Any] = np.flatnonzero((before < 0) | (points[:, 1] < best[:, 1]) | equal)
        return found
    places = np.arange(len(points))
    for member in front[np.linspace(0, len(front) - 1, min(len(front), 64)).astype(int)]:
        worse = np.all(points >= member, axis=1) & np.any(points > member, axis=1)
        places, points = places[~worse], points[~worse]
    return places


def _front(points: NDArray[Any], ties: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The places of the non-dominated points, in lexicographic order, and how many equal each."""
    import numpy as np

    ranks = np.stack([np.unique(column, return_inverse=True)[1] for column in points.T], axis=1)
    order = np.lexsort(ranks.T[::-1])  # stable: equal points stay in their order
    ranks, ties = ranks[order], ties[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any(ranks[1:] != ranks[:-1], axis=1)
    starts = np.flatnonzero(new)
    order, ranks, ties = order[starts], ranks[starts], np.add.reduceat(ties, starts)
    if ranks.shape[1] == 1:
        kept: Any = np.array([0])
    elif ranks.shape[1] == 2:
        lowest = np.minimum.accumulate(ranks[:, 1])
        kept = np.flatnonzero(np.concatenate([[True], ranks[1:, 1] < lowest[:-1]]))
    else:
        kept = _cull(ranks)
    return order[kept], ties[kept]


def _cull(ranks: NDArray[Any]) -> NDArray[Any]:
    """The places of the non-dominated ones among distinct points in lexicographic order.

    Nothing dominates a point that comes before it, so each of those left is a member.
    """
    import numpy as np

    places, members = np.arange(len(ranks)), []
    left = ranks
    while len(places):
        members.append(places[0])
        better = np.any(left < left[0], axis=1)  # in some objective
        places, left = places[better], left[better]
    return np.array(members, dtype=np.int64)
