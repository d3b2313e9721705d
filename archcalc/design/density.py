"""How many configurations fall where, over two figures: counts on a fine grid of logarithms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

PER_DECADE = 64


class Density:
    """Counts of configurations by the logarithms of two figures, whatever their ranges."""

    def __init__(self, x: str, y: str) -> None:
        self.x = x
        self.y = y
        self._counts: dict[tuple[int, int], int] = {}

    def add(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        """Count further configurations."""
        import numpy as np

        if not len(x):
            return
        i, j = _bin(x), _bin(y)
        left, below = int(i.min()), int(j.min())
        height = int(j.max()) - below + 1
        counts = np.bincount((i - left) * height + (j - below))
        for key in np.flatnonzero(counts).tolist():
            at = (key // height + left, key % height + below)
            self._counts[at] = self._counts.get(at, 0) + int(counts[key])

    def grid(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The edges of the bins along x and along y, as figures, and the count in each bin."""
        import numpy as np

        places = np.array(list(self._counts), dtype=np.int64)
        least, most = places.min(axis=0), places.max(axis=0)
        counts = np.zeros(most - least + 1, dtype=np.int64)
        counts[tuple((places - least).T)] = list(self._counts.values())
        x, y = (10 ** (np.arange(a, b + 2) / PER_DECADE) for a, b in zip(least, most, strict=True))
        return x, y, counts


def _bin(figures: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    logarithms = np.log10(np.maximum(figures.astype(np.float64), 1))
    places: NDArray[Any] = np.floor(logarithms * PER_DECADE).astype(np.int64)
    return places
