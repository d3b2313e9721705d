"""Figures of `defect_detection`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common.figures import COLOURS, new, plain
from experiments.common.history import Key, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scores = Mapping[str, NDArray[np.float64]]


def ranking(targets: NDArray[np.int64], scores: Scores, chosen: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Precision-recall and ROC curves, one a name, with the chosen thresholds of the first."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure, axes = new(10, 4.2, 1, 2)
    for place, (name, values) in enumerate(scores.items()):
        precision, recall, _ = precision_recall_curve(targets, values)
        false, true, _ = roc_curve(targets, values)
        axes[0, 0].plot(recall, precision, color=COLOURS[place], lw=1.6, label=name)
        axes[0, 1].plot(false, true, color=COLOURS[place], lw=1.6, label=name)
    for marker, (name, at) in zip("osD^", chosen.items(), strict=False):
        (healthy, alarms), (missed, found) = at["confusion_matrix"]
        point = {"marker": marker, "color": "black", "ls": "", "ms": 6, "mfc": "none", "label": name}
        recall = found / max(found + missed, 1)
        axes[0, 0].plot([recall], [found / max(found + alarms, 1)], **point)
        axes[0, 1].plot([alarms / max(alarms + healthy, 1)], [recall], **point)
    axes[0, 1].plot([0, 1], [0, 1], ":", color="#7F7F7F", lw=1)
    plain(axes[0, 0]).set(xlabel="recall", ylabel="precision", title="precision and recall", ylim=(0, 1.03))
    plain(axes[0, 1]).set(xlabel="false alarms of the healthy", ylabel="recall", title="ROC")
    axes[0, 1].legend(fontsize=8, frameon=False, loc="lower right")
    return figure


def learning(histories: Mapping[Key, Sequence[Row]], names: Sequence[str], target: float) -> Figure:
    """Validation's AUC and loss, a line a seed, a colour a function, and the target."""
    figure, axes = new(10, 3.9, 1, 2)
    for (name, _), rows in histories.items():
        if name not in names:
            continue
        colour = COLOURS[list(names).index(name)]
        for axis, metric in zip(axes[0], ("val_auc", "val_loss"), strict=True):
            values = [row[metric] for row in rows]
            axis.plot(range(1, len(values) + 1), values, color=colour, lw=1.4, label=name)
    axes[0, 0].axhline(target, color="black", ls=":", lw=1)
    for axis, label in zip(axes[0], ("validation AUC", "validation loss"), strict=True):
        plain(axis).set(xlabel="epoch", ylabel=label)
        axis.xaxis.get_major_locator().set_params(integer=True)
    handles = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels()), strict=True))
    axes[0, 0].legend(handles.values(), handles.keys(), fontsize=8, frameon=False, loc="lower right")
    return figure


def recall_by(groups: Mapping[str, Sequence[tuple[str, Sequence[float]]]]) -> Figure:
    """Recall of groups of defects, a panel a quantity, a dot a seed."""
    titles = {"kind": "kind", "pixels": "size (damaged pixels)", "contrast": "contrast"}
    figure, axes = new(3.6 * len(groups), 3.4, 1, len(groups), sharey=True)
    for axis, (quantity, rows) in zip(axes[0], groups.items(), strict=True):
        for place, (_, values) in enumerate(rows):
            axis.bar(place, np.mean(values) if values else 0, color=COLOURS[5], width=0.6, alpha=0.6)
            axis.plot([place] * len(values), values, "o", color=COLOURS[0], ms=5)
        axis.set_xticks(range(len(rows)), [name.replace(" (", "\n(") for name, _ in rows], fontsize=8)
        plain(axis).set(title=titles.get(quantity, quantity), ylim=(0, 1.03))
    axes[0, 0].set_ylabel("recall at the chosen threshold")
    return figure


def calibration(targets: NDArray[np.int64], scores: Scores) -> Figure:
    """Share of defects over the score, by tenths, and how many images have which score."""
    from sklearn.calibration import calibration_curve

    figure, axes = new(10, 3.8, 1, 2)
    for place, (name, values) in enumerate(scores.items()):
        share, mean = calibration_curve(targets, values, n_bins=10, strategy="quantile")
        axes[0, 0].plot(mean, share, "o-", color=COLOURS[place], lw=1.4, ms=4, label=name)
        axes[0, 1].hist(values, 20, (0, 1), histtype="step", color=COLOURS[place], lw=1.4, label=name)
    axes[0, 0].plot([0, 1], [0, 1], ":", color="#7F7F7F", lw=1)
    plain(axes[0, 0]).set(xlabel="score", ylabel="share of defects", title="calibration")
    plain(axes[0, 1]).set(xlabel="score", ylabel="test images", title="how sure")
    axes[0, 0].legend(fontsize=8, frameon=False)
    return figure


def costs(
    targets: NDArray[np.int64], scores: NDArray[np.float64], prices: tuple[float, float], marked: Any
) -> Figure:
    """Cost an image over the threshold, with the thresholds that were chosen."""
    from experiments.common import decisions

    figure, axes = new(7, 3.8)
    axis = plain(axes[0, 0])
    grid = np.linspace(0.001, 0.999, 300)
    axis.plot(grid, [decisions.cost(targets, scores, at, *prices) for at in grid], color=COLOURS[0])
    for place, (name, at) in enumerate(marked.items()):
        axis.axvline(at, color=COLOURS[place + 1], ls="--", lw=1.3, label=f"{name}: {at:.3f}")
    axis.set(xlabel="threshold", ylabel=f"cost an image (miss {prices[0]:g}, false alarm {prices[1]:g})")
    axis.set_ylim(0, None)
    axis.legend(fontsize=8, frameon=False)
    return figure


def intervals(fresh: Mapping[str, Any]) -> Figure:
    """The interval of every fresh set, sorted; red where it misses the truth."""
    spans = sorted(fresh["spans"], key=sum)
    figure, axes = new(9, 3.8)
    axis = plain(axes[0, 0])
    for place, (low, high) in enumerate(spans):
        inside = low <= fresh["truth"] <= high
        axis.plot([place, place], [low, high], color=COLOURS[5] if inside else COLOURS[1], lw=1.2)
    axis.axhline(fresh["truth"], color="black", lw=1)
    axis.set(
        xlabel="fresh sets, by their interval",
        ylabel="recall",
        title=f"{fresh['coverage']:.1%} of {fresh['sets']} intervals hold the true recall",
    )
    return figure


def recovery(seeds: Sequence[Sequence[Mapping[str, Any]]], most: int) -> Figure:
    """Gradient at the start (line: predicted) and steps until a head that starts wrong recovers."""
    names = {"sigmoid": "sigmoid,\ncross-entropy", "softmax": "two softmax units,\ncross-entropy"}
    names["squared"] = "sigmoid,\nsquared error"
    heads = list(names)
    figure, axes = new(10, 3.8, 1, 2)
    for rows in seeds:
        for row in rows:
            place = heads.index(row["head"])
            if row["optimizer"] == "sgd":
                axes[0, 0].plot(place, abs(row["gradient"]), "o", color=COLOURS[0])
                width = [place - 0.3, place + 0.3]
                axes[0, 0].plot(width, [abs(row["predicted"])] * 2, color="black", lw=1)
            shift, colour = (-0.12, COLOURS[0]) if row["optimizer"] == "sgd" else (0.12, COLOURS[1])
            label = row["optimizer"].replace("sgd", "SGD").replace("adam", "Adam")
            axes[0, 1].plot(place + shift, row["steps"], "o", color=colour, label=label)
    for axis, label in zip(axes[0], ("gradient at the score", "steps to 80 % accuracy"), strict=True):
        plain(axis).set(ylabel=label, yscale="log", xlim=(-0.5, 2.5))
        axis.set_xticks(range(3), [names[head] for head in heads], fontsize=8)
    axes[0, 1].set_ylim(1, 1.5 * most)
    handles = dict(zip(*reversed(axes[0, 1].get_legend_handles_labels()), strict=True))
    axes[0, 1].legend(handles.values(), handles.keys(), fontsize=8, frameon=False)
    axes[0, 0].set_title("line: predicted", fontsize=9)
    return figure
