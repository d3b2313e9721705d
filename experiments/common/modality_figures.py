"""Figures of `modalities`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments.common.data.splits import Data
from experiments.common.figures import COLOURS, new, plain
from experiments.common.history import Key, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORK_COLOURS = {
    "cnn": COLOURS[1],
    "lstm": COLOURS[0],
    "gru": COLOURS[5],
    "transformer": COLOURS[3],
    "mlp": COLOURS[2],
}


def permutation(losses: Mapping[tuple[str, str], Sequence[float]]) -> Figure:
    """Points of accuracy lost, a row a set and axis."""
    figure, axes = new(8, 1.1 + 0.42 * len(losses))
    axis = plain(axes[0, 0])
    for row, values in enumerate(losses.values()):
        points = 100 * np.asarray(values)
        mean = float(points.mean())
        colour = COLOURS[1] if mean > 3 else COLOURS[6]
        axis.barh(row, mean, height=0.55, color=colour, alpha=0.4)
        axis.plot(points, [row] * len(points), "o", color=colour, ms=5)
        if len(points) > 1:
            error = 2 * float(points.std(ddof=1)) / len(points) ** 0.5
            axis.plot([mean - error, mean + error], [row, row], color="black", lw=1.2)
    axis.axvline(0, color="black", lw=0.8)
    axis.set_yticks(range(len(losses)), [f"{name}: {along}" for name, along in losses])
    axis.invert_yaxis()
    axis.set_xlabel("points of test accuracy lost by shuffling")
    return figure


def accuracy(table: Mapping[str, Mapping[str, Sequence[float]]], chance: Mapping[str, float]) -> Figure:
    """A panel a set, a row a method."""
    columns = min(2, len(table))
    rows = -(-len(table) // columns)
    figure, axes = new(5 * columns, 2.3 * rows, rows, columns)
    for axis, (name, methods) in zip(axes.flat, table.items(), strict=False):
        for row, (method, values) in enumerate(methods.items()):
            known = method in NETWORK_COLOURS
            colour = NETWORK_COLOURS.get(method, "black")
            axis.plot(values, [row] * len(values), "o", color=colour, mfc=colour if known else "none", ms=5)
        axis.axvline(chance[name], color="black", ls=":", lw=1)
        axis.set_yticks(range(len(methods)), list(methods), fontsize=8.5)
        axis.set_ylim(len(methods) - 0.5, -0.5)
        plain(axis).set_title(name, fontsize=10)
    for axis in axes.flat[len(table) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("test accuracy")
    return figure


def curves(histories: Mapping[Key, Sequence[Row]], sets: Sequence[str], seed: int) -> Figure:
    """A panel a set; shuffled CNNs dashed."""
    columns = min(3, len(sets))
    rows = -(-len(sets) // columns)
    figure, axes = new(3.6 * columns, 2.7 * rows, rows, columns)
    for axis, name in zip(axes.flat, sets, strict=False):
        for (condition, of), values in histories.items():
            own, method = condition.split(" ", 1)
            if own == name and of == seed:
                network, _, shuffled = method.partition(" ")
                style = (":" if "bands" in shuffled else "--") if shuffled else "-"
                axis.plot(
                    range(1, len(values) + 1),
                    [row["val_accuracy"] for row in values],
                    style,
                    color=NETWORK_COLOURS[network],
                    lw=1.4,
                    label=method,
                )
        plain(axis).set_title(name, fontsize=10)
        axis.legend(fontsize=7, frameon=False)
    for axis in axes.flat[len(sets) :]:
        axis.set_axis_off()
    return figure


def spectrograms(heard: Mapping[str, Data]) -> Figure:
    """Two clips of each of three classes, a row a set."""
    figure, axes = new(9, 1.9 * len(heard), len(heard), 6)
    for row, (_, data) in zip(axes, heard.items(), strict=True):
        chosen = [n for label in (0, 1, 2) for n in np.flatnonzero(data.train.targets == label)[:2]]
        for axis, number in zip(row, chosen, strict=False):
            axis.imshow(data.train.images[number].T, origin="lower", cmap="magma", vmin=0, vmax=255)
            axis.set_title(data.classes[data.train.targets[number]], fontsize=8)
        for axis in row:
            axis.set_axis_off()
    return figure
