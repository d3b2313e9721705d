"""Figures of `cnn_limits`, one or two for each limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import limit_claims, limit_nets
from experiments.common import limit_study as study
from experiments.common.experiment import Outcome
from experiments.common.figures import COLOURS, new, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Seeds = Sequence[Mapping[str, Any]]


def mean(seeds: Seeds, *path: Any) -> NDArray[np.float64]:
    """A measurement's mean over the seeds, by its keys."""
    values = []
    for seed in seeds:
        value: Any = seed
        for key in path:
            value = value[key]
        values.append(value)
    found: NDArray[np.float64] = np.mean(np.asarray(values, np.float64), axis=0)
    return found


def overfitting(outcome: Outcome) -> Figure:
    """Accuracy over images, a colour a width; and the gap over parameters an image."""
    config, gaps = outcome.config, limit_claims.gaps(outcome)
    figure, axes = new(10, 3.9, 1, 2)
    for place, width in enumerate(config.widths):
        names = [limit_nets.capacity_name(width, images) for images in config.amounts]
        tested = [float(np.mean(outcome.values(name, "accuracy"))) for name in names]
        trained = [
            value + float(np.mean(gaps[width, n])) for value, n in zip(tested, config.amounts, strict=True)
        ]
        axes[0, 0].plot(config.amounts, tested, "o-", color=COLOURS[place], label=f"{width} filters")
        axes[0, 0].plot(config.amounts, trained, "o--", color=COLOURS[place], mfc="white")
        models = [outcome.prediction["models"][name]["totals"]["parameters"] for name in names]
        for count, images in zip(models, config.amounts, strict=True):
            values = gaps[width, images]
            axes[0, 1].plot([count / images] * len(values), values, "o", color=COLOURS[place], alpha=0.7)
    plain(axes[0, 0]).set(xlabel="training images", ylabel="accuracy", xscale="log")
    axes[0, 0].set_xticks(config.amounts, [f"{n:,}" for n in config.amounts])
    axes[0, 0].minorticks_off()
    axes[0, 0].legend(fontsize=8, frameon=False)
    axes[0, 0].set_title("solid: test, dashed: training", fontsize=9)
    plain(axes[0, 1]).set(xlabel="parameters an image", ylabel="gap", xscale="log")
    return figure


def shifts(seeds: Seeds, strides: Mapping[str, int]) -> Figure:
    """A panel a network: distance of features over the shift."""
    figure, axes = new(2.6 * len(strides), 3.1, 1, len(strides), sharey=True)
    for axis, (name, stride) in zip(axes[0], strides.items(), strict=True):
        for seed in seeds:
            axis.plot(study.SHIFTS, seed["shifts"][name]["narrow"], color="#BBBBBB", lw=1)
            axis.plot(study.SHIFTS, seed["shifts"][name]["wide"], "o-", color=COLOURS[0], lw=1.4, ms=3)
        for by in range(stride, study.SHIFTS[-1] + 1, stride):
            axis.axvline(by, color=COLOURS[1], ls=":", lw=1.2)
        plain(axis).set(xlabel="shift, pixels", title=name.split(" ", 1)[1])
        axis.set_xticks(study.SHIFTS[::2])
    axes[0, 0].set_ylabel("distance of features")
    return figure


def turns(seeds: Seeds) -> Figure:
    """Accuracy and distance over the angle, a colour a network."""
    figure, axes = new(10, 3.6, 1, 2)
    for place, name in enumerate(seeds[0]["turns"]):
        for axis, what in zip(axes[0], ("accuracy", "distance"), strict=True):
            values = mean(seeds, "turns", name, what)
            axis.plot(study.ANGLES, values, "o-", color=COLOURS[place], label=name.split(" ", 1)[1])
    plain(axes[0, 0]).set(xlabel="degrees", ylabel="accuracy", ylim=(0, 1))
    plain(axes[0, 1]).set(xlabel="degrees", ylabel="distance of features", ylim=(0, None))
    axes[0, 0].legend(fontsize=8, frameon=False, loc="lower left")
    return figure


def spots(seeds: Seeds, predicted: Mapping[str, Sequence[float]]) -> Figure:
    """Recall over the side of a spot, dots a seed, dashed the prediction."""
    figure, axes = new(7, 3.9)
    axis = plain(axes[0, 0])
    for place, (name, shares) in enumerate(predicted.items()):
        colour = COLOURS[place]
        axis.plot(limit_nets.SIZES, shares, "--", color=colour, lw=1.2)
        axis.plot(
            limit_nets.SIZES,
            mean(seeds, "spots", name, "plain"),
            "-",
            color=colour,
            label=name.split(" ", 1)[1],
        )
        for seed in seeds:
            axis.plot(limit_nets.SIZES, seed["spots"][name]["plain"], "o", color=colour, ms=4, alpha=0.7)
    axis.set(xlabel="side of the spot, pixels", ylabel="spots found", ylim=(0, 1.05))
    axis.legend(fontsize=8, frameon=False, loc="lower right", title="solid: found\ndashed: predicted")
    return figure


def noise(measured: Mapping[str, Any]) -> Figure:
    """A row a network, a panel a size: recall by noise and contrast."""
    figure, axes = new(2.3 * len(study.MIDDLE) + 1, 2.1 * len(measured), len(measured), len(study.MIDDLE))
    for row, (name, found) in zip(axes, measured.items(), strict=True):
        for axis, size, grid in zip(row, study.MIDDLE, found["grid"], strict=True):
            axis.imshow(grid, cmap="viridis", vmin=0, vmax=1, aspect="auto")
            for (down, right), value in np.ndenumerate(np.asarray(grid)):
                colour = "black" if value > 0.6 else "white"
                axis.text(right, down, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
            axis.set_xticks(range(len(study.CONTRASTS)), study.CONTRASTS, fontsize=7)
            axis.set_yticks(range(len(study.NOISES)), study.NOISES, fontsize=7)
            axis.set_title(f"{name.split(' ', 1)[1]}, {size} pixel{'s' if size > 1 else ''}", fontsize=8)
        row[0].set_ylabel("noise", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("contrast", fontsize=8)
    return figure


def covers(seeds: Seeds, predicted: Sequence[float]) -> Figure:
    """Accuracy over the covered share; units that change over the square's side."""
    figure, axes = new(10, 3.6, 1, 2)
    shares = [(side / 28) ** 2 for side in study.COVERS]
    for seed in seeds:
        axes[0, 0].plot(shares, seed["covers"]["accuracy"], "o-", color=COLOURS[0], lw=1.2, ms=4)
        axes[0, 1].plot(study.COVERS, seed["covers"]["changed"], "o", color=COLOURS[0])
    axes[0, 0].axhline(0.1, color="black", ls=":", lw=1)
    axes[0, 1].plot(study.COVERS, predicted, color=COLOURS[1], label="predicted")
    plain(axes[0, 0]).set(xlabel="covered share", ylabel="accuracy (dotted: chance)", ylim=(0, 1))
    plain(axes[0, 1]).set(xlabel="side of the square, pixels", ylabel="units of the last map that change")
    axes[0, 1].legend(fontsize=8, frameon=False)
    return figure


def sensitivity(shown: Sequence[tuple[NDArray[Any], NDArray[np.float32]]]) -> Figure:
    """The image, and under it what each covered patch costs."""
    figure, axes = new(1.9 * max(len(shown), 1), 3.6, 2, max(len(shown), 1))
    for column, (image, lost) in enumerate(shown):
        axes[0, column].imshow(image[..., 0], cmap="gray")
        most = max(float(np.abs(lost).max()), 1e-6)
        axes[1, column].imshow(lost, cmap="RdBu_r", vmin=-most, vmax=most)
        axes[1, column].set_title(f"up to {lost.max():.2f}", fontsize=8)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure


def scales(seeds: Seeds) -> Figure:
    """Accuracy over the side of the image."""
    figure, axes = new(6.5, 3.6)
    axis = plain(axes[0, 0])
    for seed in seeds:
        axis.plot(study.SCALES, seed["scales"]["accuracy"], "o-", color=COLOURS[0], lw=1.3, ms=4)
    axis.axvline(28, color="black", ls=":", lw=1)
    axis.set(xlabel="side of the image, pixels", ylabel="accuracy", ylim=(0, 1))
    return figure


def scrambled(whole: NDArray[Any], parts: NDArray[Any], seeds: Seeds) -> Figure:
    """Images whole and scrambled; accuracy of both networks."""
    figure, axes = new(10, 3.2, 2, len(whole) + 2, width_ratios=[*[1] * len(whole), 0.3, 3])
    for column, pictures in enumerate(zip(whole, parts, strict=True)):
        for axis, image in zip(axes[:, column], pictures, strict=True):
            axis.imshow(image[..., 0], cmap="gray")
    for axis in axes[:, :-1].flat:
        axis.set_axis_off()
    grid = axes[0, -1].get_gridspec()
    for axis in axes[:, -1]:
        axis.remove()
    bars = plain(figure.add_subplot(grid[:, -1]))
    names = {"pooled": "mean over\npositions", "flatten": "Flatten"}
    for place, kind in enumerate(names):
        for shift, what, colour in ((-0.2, "whole", COLOURS[5]), (0.2, "scrambled", COLOURS[1])):
            values = [seed["scrambled"][kind][what] for seed in seeds]
            label = what if place == 0 else None
            bars.bar(place + shift, np.mean(values), 0.36, color=colour, alpha=0.6, label=label)
            bars.plot([place + shift] * len(values), values, "o", color="black", ms=3)
    bars.axhline(0.1, color="black", ls=":", lw=1)
    bars.set_xticks(range(2), list(names.values()))
    bars.set(ylabel="accuracy", ylim=(0, 1))
    bars.legend(fontsize=8, frameon=False)
    return figure
