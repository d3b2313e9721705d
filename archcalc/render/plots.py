"""Plots by matplotlib: gradients by depth, and what all plots share."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcalc.errors import ArchcalcError, MissingExtraError
from archcalc.render.text import printable
from archcalc.writers.files import write_whole

if TYPE_CHECKING:
    from archcalc.report.report import Report

NAMED = 40  # rows whose names fit below the axis


def gradient_plot(report: Report, path: str, measured: Mapping[str, float] | None = None) -> None:
    """Plot the bound, the expected gradient with its band, and measured gradients by row, into `path`.

    `measured` maps rows to log10 of the gradient's norm over the output's. Raises `MissingExtraError`
    without matplotlib, `ArchcalcError` for a report without gradients and for a path that cannot be written.
    """
    figure = new_figure(figsize=(9, 5), layout="constrained")
    rows = [row for row in report.rows if row.gradient is not None]
    if not rows:
        raise ArchcalcError("nothing to plot: the report has no gradients (--gradients)")
    axes = figure.add_subplot()
    positions = range(len(rows))

    def values(name: str) -> list[float]:
        figures = [getattr(row.gradient, name) for row in rows]
        return [v if isinstance(v, int | float) else float("nan") for v in figures]

    axes.plot(positions, values("upper_log10"), color="tab:red", label="upper bound (Jacobian)")
    axes.plot(positions, values("expected_log10"), color="tab:blue", label="expected at initialisation")
    low, high = values("expected_log10_low"), values("expected_log10_high")
    axes.fill_between(positions, low, high, color="tab:blue", alpha=0.25, label="90 % of initialisations")
    if measured:
        figures = [measured.get(row.name, float("nan")) for row in rows]
        axes.plot(positions, figures, "k.", markersize=4, label="measured")
    axes.set_ylabel("log10 of the gradient's norm over the output's")
    axes.set_xlabel("row, from the input to the output")
    axes.set_title(printable(report.name))
    if len(rows) <= NAMED:
        axes.set_xticks(positions, [printable(row.name) for row in rows], rotation=90, fontsize=7)
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def save(figure: Any, path: str) -> None:
    """Write a figure in the format of the file's suffix; raises `ArchcalcError` where that cannot be."""
    image = BytesIO()
    try:
        figure.savefig(image, format=Path(path).suffix.lstrip(".").lower() or "png")
        write_whole(path, lambda file: file.write_bytes(image.getvalue()))
    except OSError as fault:
        raise ArchcalcError(f"{path}: cannot be written: {fault.strerror}") from None
    except ValueError:
        raise ArchcalcError(f"{path}: expected a name that ends in .png, .svg or .pdf") from None


def new_figure(**how: Any) -> Any:
    """An empty figure of matplotlib; raises `MissingExtraError` without it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("--plot needs matplotlib: python -m pip install 'archcalc[plots]'") from None
    return Figure(**how)
