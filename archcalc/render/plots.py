"""Plots by matplotlib: receptive field, memory and gradients by depth, in one style.

Curves differ by their dashes and areas by their hatching, so that they are told apart in black and white.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcalc.analyses.mean_field.verdicts import NUMBERS
from archcalc.analyses.memory.peak import timeline
from archcalc.errors import ArchcalcError, MissingExtraError
from archcalc.render.text import amount, printable
from archcalc.writers.files import write_whole

if TYPE_CHECKING:
    from archcalc.report.report import Report

NAMED = 40  # rows whose names fit below the axis
BLUE, RED, INK = "#0b5cad", "#b3480f", "#1b232b"
NOTHING = float("nan")


def gradient_plot(report: Report, path: str, measured: Mapping[str, float] | None = None) -> None:
    """Plot the bound, the expected gradient with its band, and measured gradients by row, into `path`.

    `measured` maps rows to log10 of the gradient's norm over the output's. Raises `MissingExtraError`
    without matplotlib, `ArchcalcError` for a report without gradients and for a path that cannot be written.
    """
    figure, axes = _axes()
    rows = [row for row in report.rows if row.gradient is not None]
    if not rows:
        raise ArchcalcError("nothing to plot: the report has no gradients (--gradients)")
    positions = range(len(rows))

    def values(name: str) -> list[float]:
        return [_number(getattr(row.gradient, name)) for row in rows]

    bound, expected = values("upper_log10"), values("expected_log10")
    low, high = values("expected_log10_low"), values("expected_log10_high")
    axes.plot(positions, bound, "--", color=RED, label="upper bound (Jacobian)")
    axes.plot(positions, expected, "-", color=BLUE, label="expected at initialisation")
    axes.fill_between(
        positions, low, high, facecolor="none", edgecolor=BLUE, alpha=0.5, hatch="////", linewidth=0,
        label="90 % of initialisations",
    )  # fmt: skip
    if measured:
        figures = [measured.get(row.name, NOTHING) for row in rows]
        axes.plot(positions, figures, ".", color=INK, markersize=4, label="measured")
    drawn = [v for v in (*bound, *expected, *low) if v == v]
    for name, ends in NUMBERS.items():
        for end, what in zip(ends, ("zero below", "infinite above"), strict=True):
            if drawn and min(drawn) < end < max(drawn):
                _mark(axes, end, f"{name}: {what}")
    axes.set_ylabel("log10 of the gradient's norm over the output's")
    _finish(figure, axes, report, [row.name for row in rows], path)


def field_plot(report: Report, path: str) -> None:
    """Plot the receptive field in the first input by row, with the size of the input, into `path`.

    Raises `MissingExtraError` without matplotlib, `ArchcalcError` for a report in which no row has a field
    that is a number, and for a path that cannot be written.
    """
    figure, axes = _axes()
    fields = [row.receptive_field for row in report.rows]
    sizes = [_longest(None if f is None else f.size) for f in fields]
    local = [_longest(None if f is None else f.local_size) for f in fields]
    if all(size != size for size in sizes):
        raise ArchcalcError("nothing to plot: no layer has a field that is a number (values: --set)")
    positions = range(len(sizes))
    axes.plot(positions, sizes, "-", color=BLUE, label="receptive field")
    if any(a == a and a != b for a, b in zip(local, sizes, strict=True)):
        axes.plot(positions, local, "--", color=RED, label="along the local path")
    (name, shape), *_ = report.inputs.items()
    field = next(f for f in fields if f is not None and f.size)
    side = _longest([shape[axis] for axis in field.axes])
    if side == side:
        _mark(axes, side, f"{printable(name)}: {side:.0f}")
    axes.set_yscale("log")
    axes.set_ylabel("receptive field in input units, its longer side")
    _finish(figure, axes, report, [row.name for row in report.rows], path)


def memory_plot(report: Report, path: str) -> None:
    """Plot the bytes that each step of the forward pass holds, with the peak, into `path`.

    Raises as `field_plot` does, where the bytes depend on symbols.
    """
    figure, axes = _axes()
    steps = timeline(report._of.peaks.course, report.conventions["batch"])
    if not steps:
        raise ArchcalcError("nothing to plot: memory depends on symbols; give them values with --set")
    sizes = [size / 2**20 for _, size in steps]
    positions = range(len(sizes))
    axes.fill_between(positions, sizes, facecolor=BLUE, alpha=0.15, step="mid")
    axes.step(positions, sizes, "-", color=BLUE, where="mid", label="tensors alive in inference")
    most = max(steps, key=lambda step: step[1])
    _mark(axes, most[1] / 2**20, f"peak: {amount(most[1])} at {printable(report.rows[most[0]].name)}")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("MiB")
    _finish(
        figure, axes, report, [report.rows[node].name for node, _ in steps], path, "step of the forward pass"
    )


PLOTS: Mapping[str, Callable[[Report, str], None]] = {
    "gradient": gradient_plot,
    "field": field_plot,
    "memory": memory_plot,
}


# -- the style -------------------------------------------------------------------------------------
def new_figure(**how: Any) -> Any:
    """An empty figure of matplotlib; raises `MissingExtraError` without it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("--plot needs matplotlib: python -m pip install 'archcalc[plots]'") from None
    return Figure(**how)


def _axes() -> tuple[Any, Any]:
    figure = new_figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.margins(x=0.01)
    return figure, axes


def _mark(axes: Any, value: float, text: str) -> None:
    """A level across the plot, with its name."""
    axes.axhline(value, color=INK, linewidth=0.9, linestyle=":")
    axes.annotate(
        text, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8, color=INK
    )


def _finish(
    figure: Any,
    axes: Any,
    report: Report,
    names: Sequence[str],
    path: str,
    what: str = "row, from the input to the output",
) -> None:
    axes.set_xlabel(what)
    axes.set_title(printable(report.name), loc="left")
    if len(names) <= NAMED:
        axes.set_xticks(range(len(names)), list(map(printable, names)), rotation=90, fontsize=7)
    axes.legend(frameon=False)
    save(figure, path)


def save(figure: Any, path: str) -> None:
    """Write a figure in the format of the file's suffix; raises `ArchcalcError` where that cannot be."""
    image = BytesIO()
    try:
        figure.savefig(image, format=Path(path).suffix.lstrip(".").lower() or "png", dpi=150)
        write_whole(path, lambda file: file.write_bytes(image.getvalue()))
    except OSError as fault:
        raise ArchcalcError(f"{path}: cannot be written: {fault.strerror}") from None
    except ValueError:
        raise ArchcalcError(f"{path}: expected a name that ends in .png, .svg or .pdf") from None


def _longest(sizes: Sequence[Any] | None) -> float:
    return max((float(n) for n in sizes or () if type(n) is int), default=NOTHING)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else NOTHING
