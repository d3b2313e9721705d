"""The result of a sweep, and its views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from archcalc.design.density import Density
from archcalc.design.figures import UNITS
from archcalc.report.values import stamp


class Extremes(NamedTuple):
    """The least and the largest value of a figure."""

    least: int
    largest: int

    def joined(self, other: Extremes | None) -> Extremes:
        if other is None:
            return self
        return Extremes(min(self.least, other.least), max(self.largest, other.largest))


class Sweep(NamedTuple):
    """What a sweep found.

    Of all configurations `selected` are in the file; `invalid` ones are no network, and `unmatched` ones
    do not meet the condition `where`. `structural` symbols change the structure of the network. `figures`
    has the least and the largest value among those selected (None if unknown), `unknown` the figures that
    are unknown somewhere, with the reason. `objectives`: whether more of it is better. `front`: for each
    member its symbols and figures, and `ties`, the number of configurations with the same objectives.
    """

    sources: tuple[str, ...]
    axes: Mapping[str, range | tuple[int, ...]]
    let: Mapping[str, str]
    structural: tuple[str, ...]
    where: str | None
    objectives: Mapping[str, bool]
    selected: int
    invalid: int
    unmatched: int
    figures: Mapping[str, Extremes | None]
    unknown: Mapping[str, str]
    front: tuple[Mapping[str, Any], ...]
    density: Density | None = None
    output: str | None = None

    @property
    def configurations(self) -> int:
        """The size of the space."""
        return len(self.sources) * prod(map(len, self.axes.values()))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, ready for `json.dumps`; `archcalc schema sweep` describes it."""
        return {
            **stamp(),
            "sources": list(self.sources),
            "over": {name: shown(values) for name, values in self.axes.items()},
            "let": dict(self.let),
            "structural": list(self.structural),
            "where": self.where,
            "configurations": self.configurations,
            "selected": self.selected,
            "invalid": self.invalid,
            "unmatched": self.unmatched,
            "figures": {
                name: None if ends is None else {**ends._asdict(), "unit": unit(name)}
                for name, ends in self.figures.items()
            },
            "unknown": dict(self.unknown),
            "objectives": {name: "maximize" if up else "minimize" for name, up in self.objectives.items()},
            "front": [dict(row) for row in self.front],
            "output": self.output,
        }

    def to_text(self, width: int = 120, *, ascii: bool = False, top: int | None = None) -> str:
        """The counts, the range of each figure and the front, for a terminal of that width."""
        from archcalc.render.sweep import TOP, text

        return text(self, width, ascii=ascii, top=top or TOP)

    def plot(self, path: str) -> None:
        """Draw the front over the density of all configurations, into a .png, .svg or .pdf.

        Raises `ArchcalcError` for a sweep without `density`, `MissingExtraError` without matplotlib.
        """
        from archcalc.render.front_plot import front_plot

        front_plot(self, path)

    def __str__(self) -> str:
        from archcalc.render.screen import only_ascii, screen_width

        return self.to_text(screen_width(), ascii=only_ascii()).rstrip("\n")

    def _repr_html_(self) -> str:
        from archcalc.render.notebook_tables import sweep_html

        return sweep_html(self)


def shown(values: range | Sequence[int]) -> str:
    """Values of an axis as they are written: `16:256:8`, `1,2,5`."""
    if isinstance(values, range) and len(values) > 1:
        step = f":{values.step}" if values.step != 1 else ""
        return f"{values[0]}:{values[-1]}{step}"
    return ",".join(map(str, values))


def unit(figure: str) -> str:
    """What a figure counts; that of a layer as that of the network."""
    return UNITS[figure.partition("@")[0]]
