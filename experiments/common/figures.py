"""Figures of a run, drawn without a screen and the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import files
from experiments.common.history import Key, Row, finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's palette: told apart by colour-blind readers and in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
DPI = 100


def new(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure of inches with a grid of axes, laid out without overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def save(figure: Figure, path: Path) -> None:
    """As PNG, reduced to a palette of 256 colours where that loses nothing to see."""
    from PIL import Image

    def write(partial: Path) -> None:
        figure.savefig(partial, dpi=DPI, metadata={"Software": None})
        with Image.open(partial) as drawn:
            drawn.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(partial, optimize=True)

    files.write_whole(path, write)


def plain(axes: Axes) -> Axes:
    """No box, a light grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return axes


def show(axes: Axes, image: NDArray[Any], title: str = "", colour: str = "black") -> None:
    """One picture without axes; grey where it has one channel."""
    axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", interpolation="nearest")
    axes.set_title(title, fontsize=8, color=colour)
    axes.set_axis_off()


def gallery(pictures: Sequence[tuple[NDArray[Any], str]], columns: int, colour: str = "black") -> Figure:
    """Titled pictures, row by row."""
    rows = -(-len(pictures) // columns)
    figure, axes = new(1.25 * columns, 1.45 * rows, rows, columns)
    for place, axis in enumerate(axes.flat):
        if place < len(pictures):
            show(axis, *pictures[place], colour=colour)
        else:
            axis.set_axis_off()
    return figure


def one_per_class(images: NDArray[np.uint8], labels: NDArray[np.int64], classes: Sequence[str]) -> Figure:
    """The first training image of every class."""
    chosen = [
        (images[np.flatnonzero(labels == n)[0]], name)
        for n, name in enumerate(classes)
        if (labels == n).any()
    ]
    return gallery(chosen, columns=min(5, len(chosen)))


def colours(names: Sequence[str]) -> dict[str, str]:
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def curves(histories: Mapping[Key, list[Row]], metrics: Sequence[str] = ("loss", "accuracy")) -> Figure:
    """Training (dashed) and validation (solid) over the epochs; one colour a condition, one line a seed."""
    names = list(dict.fromkeys(name for name, _ in histories))
    palette = colours(names)
    figure, axes = new(10, 3.8, 1, len(metrics))
    for axis, metric in zip(axes[0], metrics, strict=True):
        labelled: set[str] = set()
        for (name, _seed), rows in histories.items():
            single = len(names) == 1
            for key, style, label in (
                (metric, "--", "training" if single else None),
                (f"val_{metric}", "-", "validation" if single else name),
            ):
                values = finite(rows, key)
                if label in labelled:
                    label = None
                axis.plot(range(1, len(values) + 1), values, style, color=palette[name], lw=1.5, label=label)
                if label:
                    labelled.add(label)
        plain(axis).set(xlabel="epoch", ylabel=metric)
        axis.xaxis.get_major_locator().set_params(integer=True)
        if metric == "loss":
            _keep_readable(axis, histories)
    handles, _ = axes[0][0].get_legend_handles_labels()
    if handles:
        axes[0][-1].legend(fontsize=8, loc="best", frameon=False)
    if len(names) > 1:
        figure.suptitle("solid: validation, dashed: training", fontsize=9)
    return figure


def over_time(
    histories: Mapping[Key, list[Row]],
    seconds: Mapping[Key, list[float]],
    metric: str,
    before: Mapping[Key, float] | None = None,
) -> Figure:
    """A metric over the seconds trained; one colour a condition, one line a seed.

    `before` are seconds spent before the first epoch.
    """
    palette = colours(list(dict.fromkeys(name for name, _ in histories)))
    figure, axes = new(7.5, 4)
    axis = plain(axes[0, 0])
    labelled: set[str] = set()
    for key, rows in histories.items():
        label = None if key[0] in labelled else key[0]
        labelled.add(key[0])
        values = [row[metric] for row in rows]
        ends = (before or {}).get(key, 0.0) + np.cumsum(seconds[key])
        axis.plot(ends, values, ".-", color=palette[key[0]], lw=1.3, label=label)
    axis.set(xlabel="seconds of training", ylabel=metric)
    axis.legend(fontsize=8, frameon=False)
    return figure


def _keep_readable(axis: Axes, histories: Mapping[Key, list[Row]]) -> None:
    """Cut the loss axis where a few wild values would flatten all the rest."""
    values = sorted(
        v for rows in histories.values() for key in ("loss", "val_loss") for v in finite(rows, key)
    )
    if values and values[-1] > 3 * values[int(0.9 * (len(values) - 1))]:
        top = 1.5 * values[int(0.9 * (len(values) - 1))]
        axis.set_ylim(0, top)
        axis.set_title(f"cut at {top:.2g}; the largest is {values[-1]:.3g}", fontsize=8)


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """Shares of each true class (row), in per cent."""
    counts = np.asarray(matrix, np.float64)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.48 * len(classes)
    figure, axes = new(side + 0.6, side)
    axis = axes[0, 0]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.5:
            axis.text(
                column,
                row,
                f"{share:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share > 55 else "black",
            )
    axis.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=8)
    axis.set_yticks(range(len(classes)), classes, fontsize=8)
    axis.set(xlabel="predicted", ylabel="true", title="% of each true class")
    return figure


def worst_errors(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    predicted: NDArray[np.float32],
    classes: Sequence[str],
    count: int = 15,
) -> Figure | None:
    """The test images whose wrong class got the highest probability; None where there is no error."""
    chosen = predicted.argmax(axis=1)
    wrong = np.flatnonzero(chosen != labels)
    if not len(wrong):
        return None
    worst = wrong[np.argsort(-predicted[wrong, chosen[wrong]], kind="stable")][:count]
    pictures = [
        (images[i], f"{classes[labels[i]]}\nas {classes[chosen[i]]} {predicted[i, chosen[i]]:.2f}")
        for i in worst
    ]
    figure = gallery(pictures, columns=5)
    figure.set_size_inches(8, 1.75 * -(-len(pictures) // 5))
    return figure


def spread_over_seeds(values: Mapping[str, Sequence[float]], label: str) -> Figure:
    """One dot a seed, a bar for the mean."""
    figure, axes = new(7, 0.9 + 0.42 * len(values))
    axis = plain(axes[0, 0])
    for row, measured in enumerate(values.values()):
        colour = COLOURS[row % len(COLOURS)]
        axis.plot(measured, [row] * len(measured), "o", color=colour, alpha=0.7, ms=6)
        mean = float(np.mean(measured))
        axis.plot([mean, mean], [row - 0.3, row + 0.3], color=colour, lw=2)
        axis.annotate(
            f"{mean:.3f}", (max(measured), row), (8, 0), textcoords="offset points", va="center", fontsize=8
        )
    axis.set_yticks(range(len(values)), list(values))
    axis.set_ylim(len(values) - 0.5, -0.5)
    axis.margins(x=0.15)
    axis.set_xlabel(label)
    return figure


def learning_curve(
    sizes: Sequence[int],
    series: Mapping[str, Sequence[float]],
    metric: str,
    label: str = "training images",
) -> Figure:
    """A metric over the number of training images (or of what `label` says), logarithmic."""
    figure, axes = new(6.5, 3.8)
    axis = plain(axes[0, 0])
    for place, (name, values) in enumerate(series.items()):
        axis.plot(sizes, values, "o-", color=COLOURS[place], lw=1.5, label=name)
    axis.set_xscale("log")
    axis.set_xticks(list(sizes), [f"{size:,}" for size in sizes])
    axis.minorticks_off()
    axis.set(xlabel=label, ylabel=metric)
    axis.legend(frameon=False, fontsize=8)
    return figure


def variants(rows: Sequence[tuple[str, Sequence[NDArray[Any]]]]) -> Figure:
    """A name and several pictures a row."""
    columns = len(rows[0][1])
    figure, axes = new(1.15 * columns + 1.2, 1.2 * len(rows), len(rows), columns)
    for place, (name, pictures) in enumerate(rows):
        for axis, picture in zip(axes[place], pictures, strict=True):
            show(axis, picture)
        axes[place, 0].text(
            -0.15, 0.5, name, transform=axes[place, 0].transAxes, ha="right", va="center", fontsize=9
        )
    return figure
