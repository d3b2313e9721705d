"""Figures of gradients: their start by depth, their course by layer and step, and the detectors' alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archcalc.keras.symptoms import Series
from experiments.common.figures import COLOURS, new, plain
from experiments.common.stacks import Stack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 1e-12  # of gradients' norms in a colour map


def starts(
    cells: Sequence[Stack],
    expectations: Mapping[str, Any],
    measured: Mapping[str, Mapping[str, Sequence[float]]],
    series: str,
) -> Figure:
    """log10 of the first layer's gradient over the output's, by depth: bands predicted, dots measured."""
    kinds = list(dict.fromkeys((cell.kind, cell.skip) for cell in cells))
    functions = list(dict.fromkeys(cell.activation for cell in cells))
    initializers = list(dict.fromkeys(cell.initializer for cell in cells))
    figure, axes = new(3.3 * len(functions) + 0.6, 2.3 * len(kinds) + 0.6, len(kinds), len(functions))
    for (row, column), axis in np.ndenumerate(axes):
        kind, skip = kinds[row]
        shown = [c for c in cells if (c.kind, c.skip, c.activation) == (kind, skip, functions[column])]
        for place, initializer in enumerate(initializers):
            _stripes(
                axis,
                [c for c in shown if c.initializer == initializer],
                place,
                expectations,
                measured,
                series,
            )
        depths = sorted({cell.depth for cell in shown})
        plain(axis).set_xticks(range(len(depths)), list(map(str, depths)))
        axis.set_xlim(-0.6, max(len(depths), 2) - 0.4)
        axis.set_title(f"{functions[column]}, {kind}, {'skips' if skip else 'plain'}", fontsize=9)
        axis.axhline(0, color="#888", lw=0.7)
        if column == 0:
            axis.set_ylabel("log10 of the ratio", fontsize=9)
        if row == len(kinds) - 1:
            axis.set_xlabel("depth", fontsize=9)
    for place, initializer in enumerate(initializers):
        axes[0, 0].plot([], [], "o", color=COLOURS[place], label=initializer)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _stripes(
    axis: Any,
    cells: Sequence[Stack],
    place: int,
    expectations: Mapping[str, Any],
    measured: Mapping[str, Mapping[str, Sequence[float]]],
    series: str,
) -> None:
    for number, cell in enumerate(sorted(cells, key=lambda c: c.depth)):
        x = number + (place - 0.5) * 0.36
        said, found = expectations[cell.name], measured[cell.name][series]
        axis.fill_between(
            [x - 0.13, x + 0.13], said["low"], said["high"], color=COLOURS[place], alpha=0.3, lw=0
        )
        axis.plot([x - 0.13, x + 0.13], [said["log10"]] * 2, color=COLOURS[place], lw=1.5)
        spots = x + np.linspace(-0.09, 0.09, len(found))
        axis.plot(spots, found, ".", color=COLOURS[place], ms=2.5, alpha=0.8)


def losses(series: Mapping[str, Sequence[Series]], groups: Mapping[str, Sequence[str]]) -> Figure:
    """Loss over steps on the monitor's batch, a panel a group, a line a seed."""
    figure, axes = new(4.1 * len(groups), 4.4, 1, len(groups), sharey=True, sharex=True)
    for axis, (title, names) in zip(axes[0], groups.items(), strict=True):
        for place, name in enumerate(names):
            for number, found in enumerate(series[name]):
                shown = np.clip(np.nan_to_num(found.loss, nan=np.inf), 1e-2, 1e8)
                finite = np.isfinite(found.loss)
                axis.plot(
                    found.steps[finite],
                    shown[finite],
                    color=COLOURS[place % 8],
                    lw=1.2,
                    ls="-" if place < 8 else "--",
                    alpha=0.85,
                    label=name if number == 0 else None,
                )
                if not finite.all():
                    end = int(np.argmin(finite))
                    axis.plot(
                        found.steps[max(end - 1, 0)], shown[max(end - 1, 0)], "x", color=COLOURS[place % 8]
                    )
        axis.set_yscale("log")
        plain(axis).set(xlabel="step", title=title)
        axis.legend(fontsize=6.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    axes[0, 0].set_ylabel("loss (x: the last before NaN)")
    return figure


def heat(series: Mapping[str, Series]) -> Figure:
    """Norms of the gradients of kernels: a row a layer from first (top) to last, a column a measurement."""
    columns = 3
    rows = -(-len(series) // columns)
    figure, axes = new(10.5, 2.6 * rows + 0.3, rows, columns)
    image = None
    for axis, (name, found) in zip(axes.flat, series.items(), strict=False):
        values = found.gradients[:, found.kernels].T
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = np.log10(np.clip(values, FLOOR, None))
        shown[~np.isfinite(values)] = np.nan
        axis.set_facecolor("#bbbbbb")
        image = axis.imshow(
            shown,
            aspect="auto",
            cmap="viridis",
            vmin=np.log10(FLOOR),
            vmax=4,
            interpolation="nearest",
            extent=(0, len(found.steps), len(values), 0),
        )
        places = np.linspace(0, len(found.steps) - 1, 4).astype(int)
        axis.set_xticks(places + 0.5, [str(found.steps[p]) for p in places], fontsize=8)
        axis.set_title(name, fontsize=8.5)
        axis.tick_params(labelsize=8)
        axis.yaxis.get_major_locator().set_params(integer=True)
    for axis in list(axes.flat)[len(series) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("kernel, first on top", fontsize=8)
    figure.supxlabel("step", fontsize=9)
    if image is not None:
        figure.colorbar(image, ax=axes, label="log10 of the gradient's norm (grey: NaN)", shrink=0.8)
    return figure


def alarms(shares: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> Figure:
    """Share of trainings with an alarm: a row a network, a column a detector."""
    values = np.array([[row[name] for name in names] for row in shares.values()])
    figure, axes = new(9.6, 1.7 + 0.27 * len(shares))
    axis = axes[0, 0]
    axis.imshow(values, cmap="Oranges", vmin=0, vmax=1.2, aspect="auto")
    for (row, column), share in np.ndenumerate(values):
        if share > 0:
            axis.text(
                column,
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share > 0.6 else "black",
            )
    axis.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8.5)
    axis.set_yticks(range(len(shares)), list(shares), fontsize=8)
    axis.set_title("% of trainings with an alarm", fontsize=9.5)
    return figure


def branches(series: Mapping[str, Series]) -> Figure:
    """Norm of the residual branch over that of its skip, block by block, at the start and at the end."""
    figure, axes = new(7.5, 4)
    axis = plain(axes[0, 0])
    for place, (name, found) in enumerate(series.items()):
        finite = np.flatnonzero(np.isfinite(found.branches).all(axis=1))
        numbers = np.arange(1, found.branches.shape[1] + 1)
        axis.plot(numbers, found.branches[0], "-", color=COLOURS[place % 8], lw=1.5, label=name)
        if len(finite) > 1:
            axis.plot(numbers, found.branches[finite[-1]], ":", color=COLOURS[place % 8], lw=1.5)
    axis.set_yscale("log")
    axis.set(
        xlabel="block", ylabel="norm of F(x) over norm of x", title="solid: at the start, dotted: at the end"
    )
    axis.title.set_fontsize(9)
    axis.legend(fontsize=8, frameon=False)
    return figure


def idle(series: Mapping[str, Series]) -> Figure:
    """Dead (relu) or saturated (sigmoid, tanh) units, layer by layer, at the start and at the end."""
    figure, axes = new(7.5, 4)
    axis = plain(axes[0, 0])
    for place, (name, found) in enumerate(series.items()):
        chosen = [n for n, kind in enumerate(found.activations) if kind]
        values: NDArray[np.float64] = found.idle[:, chosen]
        finite = np.flatnonzero(np.isfinite(values).all(axis=1))
        if not len(finite):
            continue
        depth = np.arange(1, len(chosen) + 1)
        axis.plot(depth, 100 * values[0], "-", color=COLOURS[place % 8], lw=1.5, label=name)
        axis.plot(depth, 100 * values[finite[-1]], ":", color=COLOURS[place % 8], lw=1.8)
    axis.set(xlabel="layer", ylabel="% dead or saturated", ylim=(-2, 102))
    axis.set_title("solid: at the start, dotted: at the end", fontsize=9)
    axis.legend(fontsize=8, frameon=False)
    return figure


def by_layer(series: Mapping[str, Series]) -> Figure:
    """Gradient with respect to each layer's output over that of the last, at the start and at the end."""
    figure, axes = new(7.5, 4)
    axis = plain(axes[0, 0])
    for place, (name, found) in enumerate(series.items()):
        depth = np.linspace(0, 1, found.signals.shape[1])
        for row, style in ((0, "-"), (-1, ":")):
            values = found.signals[row] / found.signals[row, -1]
            axis.plot(
                depth, values, style, color=COLOURS[place % 8], lw=1.4, label=name if row == 0 else None
            )
    axis.set_yscale("log")
    axis.set(
        xlabel="position in the network (0: first layer, 1: logits)",
        ylabel="gradient over that at the logits",
    )
    axis.set_title("solid: at the start, dotted: at the end of training", fontsize=9)
    axis.legend(fontsize=8, frameon=False)
    return figure
