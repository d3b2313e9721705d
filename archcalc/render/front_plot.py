"""A plot of a Pareto front over the density of all configurations, however many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.errors import ArchcalcError
from archcalc.render.plots import new_figure, save
from archcalc.render.text import printable

if TYPE_CHECKING:
    from archcalc.design.sweep_result import Sweep

LEAST_BINS, MOST_BINS = 25, 160  # along each axis
WIDE = 10  # the ratio of the ends of an axis that is logarithmic
MARKED = 60  # members of a front up to which each has a mark


def front_plot(sweep: Sweep, path: str) -> None:
    """Draw the first two objectives of a sweep into `path` (.png, .svg, .pdf).

    Raises `ArchcalcError` without a density or configurations, or for a path that cannot be written;
    `MissingExtraError` without matplotlib.
    """
    figure = new_figure(figsize=(8, 5.5), layout="constrained")
    if sweep.density is None:
        raise ArchcalcError("nothing to plot: sweep with density=True and two objectives")
    if not sweep.selected:
        raise ArchcalcError("nothing to plot: no configuration is left")
    import numpy as np
    from matplotlib.colors import LogNorm

    axes = figure.add_subplot()
    x, y, counts = sweep.density.grid()
    bins = min(MOST_BINS, max(LEAST_BINS, round(sweep.selected**0.5)))
    x, counts = _coarser(x, counts, bins)
    y, turned = _coarser(y, counts.T, bins)
    # the palest shade is for less than one, so that a single configuration can be seen
    shades = axes.pcolormesh(
        x,
        y,
        np.ma.masked_equal(turned, 0),
        norm=LogNorm(0.2, max(2, counts.max())),
        cmap="Blues",
        rasterized=True,
    )
    figure.colorbar(shades, label="configurations")
    first, second = list(sweep.objectives)[:2]
    front = sorted((row[first], row[second]) for row in _of_two(sweep, first, second))
    marks = "o" if len(front) <= MARKED else ""
    axes.plot(*zip(*front, strict=True), color="tab:red", marker=marks, markersize=4, label="Pareto front")
    if x[-1] > WIDE * x[0]:
        axes.set_xscale("log")
    if y[-1] > WIDE * y[0]:
        axes.set_yscale("log")
    for name, label in ((first, axes.set_xlabel), (second, axes.set_ylabel)):
        label(f"{name.replace('_', ' ')} ({'more' if sweep.objectives[name] else 'less'} is better)")
    axes.set_title(f"{printable(', '.join(sweep.sources))}: {sweep.selected:,} configurations")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def _of_two(sweep: Sweep, first: str, second: str) -> list[Any]:
    """The members of the front that are on that of the first two objectives alone."""
    if len(sweep.objectives) == 2:
        return list(sweep.front)
    signs = {name: -1 if sweep.objectives[name] else 1 for name in (first, second)}
    selected: list[Any] = []
    for row in sorted(sweep.front, key=lambda r: (signs[first] * r[first], signs[second] * r[second])):
        if not selected or signs[second] * row[second] < signs[second] * selected[-1][second]:
            selected.append(row)
    return selected


def _coarser(edges: Any, counts: Any, bins: int) -> tuple[Any, Any]:
    """Neighbouring bins of the first axis joined, until there are at most so many."""
    import numpy as np

    step = -(-len(counts) // bins)
    if step == 1:
        return edges, counts
    starts = np.arange(0, len(counts), step)
    return np.append(edges[:-1][starts], edges[-1]), np.add.reduceat(counts, starts, axis=0)
