"""Figures of `stride_vs_pooling`: quality and consistency by factor, cost, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.common.downsampling import METHODS
from experiments.common.figures import COLOURS, new, plain
from experiments.common.history import Key, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Table = Mapping[tuple[str, int], Sequence[float]]


def by_factor(panels: Mapping[str, Table]) -> Figure:
    """A panel a quantity: over the factor, a line a method, a dot a seed; factor 1 is the same for all."""
    figure, axes = new(4.1 * len(panels), 3.9, 1, len(panels))
    for axis, (title, table) in zip(axes[0], panels.items(), strict=True):
        factors = sorted({factor for _, factor in table})
        for place, method in enumerate(METHODS):
            known = [f for f in factors if f == 1 or (method, f) in table]
            values = [table[("stride" if f == 1 else method, f)] for f in known]
            shifted = [f + 0.07 * (place - 1.5) if f > 1 else 1 for f in known]
            axis.plot(shifted, [np.mean(v) for v in values], "-", color=COLOURS[place], lw=1.6, label=method)
            for x, seeds in zip(shifted, values, strict=True):
                axis.plot([x] * len(seeds), seeds, "o", color=COLOURS[place], ms=4, alpha=0.75)
        plain(axis).set(xlabel="factor of downsampling")
        axis.set_title(title, fontsize=9.5)
        axis.set_xticks(factors)
    axes[0, 0].legend(frameon=False, fontsize=8.5)
    return figure


def cost(macs: Mapping[str, int], seconds: Mapping[str, float], tasks: Sequence[str]) -> Figure:
    """Predicted multiply-adds (bars) and measured time (dots), as shares of factor 1, a panel a task."""
    names = [name.split(" ", 1)[1] for name in macs if name.startswith(tasks[0])]
    figure, axes = new(4.8 * len(tasks), 1.2 + 0.26 * len(names), 1, len(tasks), sharey=True)
    for axis, task in zip(axes[0], tasks, strict=True):
        for row, name in enumerate(names):
            colour = COLOURS[METHODS.index(name.split()[0])]
            share = macs[f"{task} {name}"] / macs[f"{task} stride 1"]
            took = seconds[f"{task} {name}"] / seconds[f"{task} stride 1"]
            axis.barh(row, share, color=colour, alpha=0.45, height=0.6)
            axis.plot(took, row, "D", color=colour, ms=6)
        plain(axis).set(xlabel="share of factor 1 (bar: multiply-adds, diamond: time)", title=task)
        axis.set_yticks(range(len(names)), names, fontsize=8.5)
        axis.set_xlim(0, None)
    axes[0, 0].invert_yaxis()
    return figure


def curves(histories: Mapping[Key, Sequence[Row]]) -> Figure:
    """Validation's loss and accuracy: colours are methods, line styles factors."""
    figure, axes = new(9.5, 3.8, 1, 2)
    styles = {1: (0, (1, 1)), 2: "-", 3: "--", 4: "-."}
    for (name, _), rows in histories.items():
        _, method, factor = name.split()
        for axis, metric in zip(axes[0], ("val_loss", "val_accuracy"), strict=True):
            colour = "#000000" if factor == "1" else COLOURS[METHODS.index(method)]
            values = [row[metric] for row in rows]
            epochs = range(1, len(values) + 1)
            label = f"{method} {factor}" if factor != "1" else "factor 1"
            axis.plot(epochs, values, color=colour, ls=styles.get(int(factor), "-"), lw=1.4, label=label)
            plain(axis).set(xlabel="epoch", ylabel=metric.replace("val_", "validation "))
            axis.xaxis.get_major_locator().set_params(integer=True)
    for axis in axes[0]:
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, 0), high)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside right upper", fontsize=8, frameon=False
    )
    return figure
