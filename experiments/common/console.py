"""What a run says while it works: a progress bar on a terminal, plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out.width = 160  # a pipe has no width; tables stay on one line a row
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str | None = None) -> None:
    """One line on standard output, taken literally."""
    out.print(text, style=style, markup=False)


def warn(text: str) -> None:
    """One line on standard error."""
    err.print(f"archcalc: warning: {text}", style="yellow", markup=False)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table; the first column left, the others right."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)


class Meter:
    """How far one training is: steps of the epoch on a terminal, a line per epoch in a pipe."""

    def __init__(self, label: str, epochs: int, done: int, steps: int) -> None:
        self._label, self._epochs, self._steps = label, epochs, steps
        self._bar: Progress | None = None
        if out.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=out,
            )
            self._task = self._bar.add_task(label, total=epochs * steps, completed=done * steps, note="")
            self._bar.start()

    def step(self) -> None:
        if self._bar:
            self._bar.advance(self._task)

    def epoch(self, number: int, metrics: dict[str, float], seconds: float) -> None:
        note = "  ".join(f"{key} {value:.3f}" for key, value in metrics.items() if key != "epoch")
        if self._bar:
            self._bar.update(self._task, completed=number * self._steps, note=note)
        else:
            say(f"{self._label}  epoch {number}/{self._epochs}  {note}  {seconds:.1f} s")

    def close(self) -> None:
        if self._bar:
            self._bar.stop()


@contextmanager
def meter(label: str, epochs: int, done: int, steps: int) -> Iterator[Meter]:
    """A `Meter` that is put away whatever happens."""
    shown = Meter(label, epochs, done, steps)
    try:
        yield shown
    finally:
        shown.close()
