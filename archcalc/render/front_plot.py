"""A plot of a Pareto front over the density of all configurations, however many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.errors import ArchcalcError
from archcalc.render.plots import new_figure, save
from archcalc.render.text import printable

if TYPE_CHECKING:
    from archcalc.design.sweep_result import Sweep

BINS = 160  # along each axis
MARKED = 60  # members of a front up to which each has a mark


def front_plot(sweep: Sweep, path: str) -> None:
    """Draw the first two objectives of a sweep into `path` (.png, .svg, .pdf), on logarithmic axes.

    Raises `ArchcalcError` without two objectives or configurations, or for a path that cannot be written;
    `MissingExtraError` without matplotlib.
    """
    figure = new_figure(figsize=(8, 5.5), layout="constrained")
    if sweep.density is None:
        raise ArchcalcError("nothing to plot: name two objectives (--minimize, --maximize)")
    if not sweep.kept:
        raise ArchcalcError("nothing to plot: no configuration is left")
    from matplotlib.colors import LogNorm

    axes = figure.add_subplot()
    x, y, counts = sweep.density.grid()
    x, counts = _coarser(x, counts)
    y, turned = _coarser(y, counts.T)
    counts = turned.T
    shades = axes.pcolormesh(
        x, y, counts.T, norm=LogNorm(1, max(2, counts.max())), cmap="Blues", rasterized=True
    )
    figure.colorbar(shades, label="configurations")
    first, second = list(sweep.objectives)[:2]
    front = sorted((row[first], row[second]) for row in _of_two(sweep, first, second))
    marks = "o" if len(front) <= MARKED else ""
    axes.plot(*zip(*front, strict=True), color="tab:red", marker=marks, markersize=4, label="Pareto front")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for name, label in ((first, axes.set_xlabel), (second, axes.set_ylabel)):
        label(f"{name.replace('_', ' ')} ({'more' if sweep.objectives[name] else 'less'} is better)")
    axes.set_title(f"{printable(', '.join(sweep.sources))}: {sweep.kept:,} configurations")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def _of_two(sweep: Sweep, first: str, second: str) -> list[Any]:
    """The members of the front that are on that of the first two objectives alone."""
    if len(sweep.objectives) == 2:
        return list(sweep.front)
    signs = {name: -1 if sweep.objectives[name] else 1 for name in (first, second)}
    kept: list[Any] = []
    for row in sorted(sweep.front, key=lambda r: (signs[first] * r[first], signs[second] * r[second])):
        if not kept or signs[second] * row[second] < signs[second] * kept[-1][second]:
            kept.append(row)
    return kept


def _coarser(edges: Any, counts: Any) -> tuple[Any, Any]:
    """Neighbouring bins of the first axis joined, until there are at most `BINS`."""
    import numpy as np

    step = -(-len(counts) // BINS)
    if step == 1:
        return edges, counts
    starts = np.arange(0, len(counts), step)
    return np.append(edges[:-1][starts], edges[-1]), np.add.reduceat(counts, starts, axis=0)
