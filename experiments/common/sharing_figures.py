"""Figures of `conv_vs_local`: shifts, parameters, memory, time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.common.figures import COLOURS, new, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def shifts(
    measured: Mapping[str, Sequence[Mapping[str, float]]], heads: Sequence[str], steps: Sequence[int]
) -> Figure:
    """Accuracy over the shift, a panel a head, a colour a body."""
    figure, axes = new(4.6 * len(heads), 3.9, 1, len(heads), sharey=True)
    for axis, head in zip(axes[0], heads, strict=True):
        bodies = [name for name in measured if name.endswith(f" {head}")]
        for place, name in enumerate(bodies):
            lines = np.array([[each[str(step)] for step in steps] for each in measured[name]])
            axis.plot(steps, lines.T, color=COLOURS[place], lw=0.7, alpha=0.5)
            label = name.removesuffix(f" {head}")
            axis.plot(steps, lines.mean(axis=0), "o-", color=COLOURS[place], lw=2, label=label)
        text = "knows positions (Flatten)" if head == "flat" else "averages over positions"
        plain(axis).set(xlabel="shift of the test garments, pixels", title=f"head that {text}", ylim=(0, 1))
        axis.axhline(0.1, color="#888", lw=0.8, ls=":")
        axis.set_xticks(list(steps))
    axes[0, 0].set_ylabel("test accuracy (dotted: chance)")
    axes[0, 0].legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0, 0.12))
    return figure


def parameters(
    counts: Mapping[str, int], training: Mapping[str, Sequence[float]], test: Mapping[str, Sequence[float]]
) -> Figure:
    """Accuracy in training (hollow) and test (filled) over the number of parameters."""
    figure, axes = new(7.5, 4.2)
    axis = plain(axes[0, 0])
    for place, name in enumerate(counts):
        colour, marker = COLOURS[place % 4], "o" if place < 4 else "s"
        ends = [float(np.mean(training[name])), float(np.mean(test[name]))]
        axis.plot([counts[name]] * 2, ends, color=colour, lw=1)
        axis.plot(counts[name], ends[0], marker, mfc="white", mec=colour, ms=7)
        axis.plot(counts[name], ends[1], marker, color=colour, ms=7, label=name)
    axis.set_xscale("log")
    axis.set(xlabel="parameters", ylabel="accuracy (hollow: training, filled: test)")
    axis.legend(frameon=False, fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return figure


def memory(predicted: Mapping[str, int | None], measured: Mapping[str, Any]) -> Figure:
    """Bars of MiB side by side; no bar where there is no prediction."""
    figure, axes = new(7, 3.2)
    axis = plain(axes[0, 0])
    for row, name in enumerate(predicted):
        said, found = predicted[name], (measured[name]["batch"] - measured[name]["one"]) / 2**20
        axis.barh(row + 0.18, found, 0.34, color=COLOURS[1], label="measured" if row == 0 else None)
        axis.text(found, row + 0.18, f" {found:,.0f}", va="center", fontsize=8)
        if said is None:
            axis.text(0, row - 0.18, " no prediction", va="center", fontsize=8, color="#666")
        else:
            axis.barh(
                row - 0.18, said / 2**20, 0.34, color=COLOURS[0], label="predicted" if row == 0 else None
            )
            axis.text(said / 2**20, row - 0.18, f" {said / 2**20:,.0f}", va="center", fontsize=8)
    axis.set_yticks(range(len(predicted)), [name.rsplit(" ", 1)[0] for name in predicted])
    axis.invert_yaxis()
    axis.set_xlabel("MiB")
    axis.margins(x=0.12)
    axis.legend(frameon=False, fontsize=8)
    return figure


def time(macs: Mapping[str, int], seconds: Mapping[str, float]) -> Figure:
    """Multiply-adds (bars) and time (diamonds), both over those of the first network."""
    first = next(iter(macs))
    figure, axes = new(7, 0.9 + 0.3 * len(macs))
    axis = plain(axes[0, 0])
    for row, name in enumerate(macs):
        colour, took = COLOURS[row % 4], seconds[name] / seconds[first]
        axis.barh(row, macs[name] / macs[first], color=colour, alpha=0.45, height=0.6)
        axis.plot(took, row, "D", color=colour, ms=7)
        axis.annotate(f"{took:.1f}", (took, row), (9, 0), textcoords="offset points", va="center", fontsize=8)
    axis.set_yticks(range(len(macs)), list(macs), fontsize=8.5)
    axis.invert_yaxis()
    axis.set_xlim(0, None)
    axis.margins(x=0.1)
    axis.set_xlabel(f"times those of {first} (bar: multiply-adds, diamond: processor time)")
    return figure
