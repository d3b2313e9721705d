"""`explain` for a receptive field: every chain of convolutions of a stated space with exactly this field.

The extent of a chain is composed from the windows that its layers declare (source: Araujo, Norris & Sim
2019, "Computing Receptive Fields of Convolutional Neural Networks", equation 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from archcalc.errors import ArchcalcError, LayerError
from archcalc.layers.convolution import Conv1D
from archcalc.layers.window import Taps
from archcalc.report.values import stamp
from archcalc.review.space import KERNELS, require_tuple

STRIDES = (1, 2, 3, 4)
DILATIONS = (1, 2, 3, 4)
MOST_LAYERS = 3
LENGTH = 10**9  # of the axis: longer than any window


class Link(NamedTuple):
    """One layer of a chain, along one axis."""

    kernel_size: int
    stride: int = 1
    dilation: int = 1

    def described(self) -> str:
        text = f"{self.kernel_size}×{self.kernel_size}"
        text += f" stride {self.stride}" if self.stride > 1 else ""
        return text + (f" dilation {self.dilation}" if self.dilation > 1 else "")


Chain = tuple[Link, ...]


@dataclass(frozen=True)
class FieldSpace:
    """Chains of `layers` convolutions and of one more; the stride of the last layer changes no field."""

    layers: int = 1
    kernel_sizes: tuple[int, ...] = KERNELS

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= MOST_LAYERS:
            raise ArchcalcError(f"layers: expected 1 to {MOST_LAYERS}, got {self.layers}")
        require_tuple("kernel_sizes", self.kernel_sizes)

    def described(self) -> list[str]:
        kernels = ", ".join(map(str, self.kernel_sizes))
        return [
            f"{self.layers} or {self.layers + 1} convolutions in succession",
            f"kernel {kernels} along each axis",
            f"stride {', '.join(map(str, STRIDES))} (1 in the last layer, where it changes nothing)",
            f"dilation {', '.join(map(str, DILATIONS))}, not together with a stride",
        ]


@dataclass(frozen=True)
class FieldExplanation:
    """All chains with the field, the most plausible first."""

    receptive_field: int
    space: FieldSpace
    answers: tuple[tuple[Link, ...], ...]
    size: int

    @property
    def found(self) -> bool:
        return bool(self.answers)

    def to_dict(self) -> dict[str, Any]:
        """JSON of `archcalc explain --receptive-field R`."""
        return {
            **stamp(),
            "question": {"receptive_field": self.receptive_field},
            "space": self.space.described(),
            "space_size": self.size,
            "exhausted": True,
            "found": len(self.answers),
            "answers": [{"layers": [link._asdict() for link in chain]} for chain in self.answers],
        }

    def __str__(self) -> str:
        from archcalc.render.explanation import text
        from archcalc.render.screen import only_ascii

        return text(self, ascii=only_ascii()).rstrip("\n")

    def _repr_html_(self) -> str:
        from archcalc.render.explanation import html

        return html(self)


def explain_field(receptive_field: int, space: FieldSpace | None = None, **narrowed: Any) -> FieldExplanation:
    """Every chain of the space whose field along an axis is this many units, ranked by plausibility.

    `narrowed` are fields of `FieldSpace`: `explain_field(7, layers=2, kernel_sizes=(3,))`.

    Raises `ArchcalcError` for a field that is no positive integer.
    """
    if isinstance(receptive_field, bool) or not isinstance(receptive_field, int) or receptive_field < 1:
        raise ArchcalcError(f"receptive_field: expected a positive integer, got {receptive_field!r}")
    space = space or FieldSpace(**narrowed)
    windows = dict(_windows(space))
    last = sum(link.stride == 1 for link in windows)
    answers: list[Chain] = []
    size = 0
    for number in (space.layers, space.layers + 1):
        size += len(windows) ** (number - 1) * last
        answers += _chains(windows, number, receptive_field - 1, {})
    ranked = sorted(answers, key=lambda chain: (_oddity(chain, space), chain))
    return FieldExplanation(receptive_field, space, tuple(ranked), size)


def _windows(space: FieldSpace) -> Iterator[tuple[Link, Taps]]:
    """Every layer that the space allows, with the window that it declares."""
    for link in (Link(*of) for of in product(space.kernel_sizes, STRIDES, DILATIONS)):
        if link.kernel_size == 1 and link.dilation > 1:
            continue  # the same layer
        try:
            layer = Conv1D(
                filters=1,
                kernel_size=(link.kernel_size,),
                strides=(link.stride,),
                dilation_rate=(link.dilation,),
            )
        except LayerError:
            continue
        read = layer.window((LENGTH, 1))[0][0]
        assert isinstance(read, Taps)
        yield link, read


def _chains(
    windows: dict[Link, Taps], number: int, beyond: int, known: dict[tuple[int, int], list[Chain]]
) -> list[Chain]:
    """The chains of this many layers that span so many input units beyond the first.

    What the layers after one span is a multiple of its stride, so few remainders are left to search.
    """
    if (number, beyond) not in known:
        found: list[Chain] = []
        for link, read in windows.items():
            left = beyond - (int(read.count) - 1) * int(read.dilation)
            if number == 1:
                found += [(link,)] if left == 0 and link.stride == 1 else []
            elif left >= 0 and left % link.stride == 0:
                found += [(link, *rest) for rest in _chains(windows, number - 1, left // link.stride, known)]
        known[number, beyond] = found
    return known[number, beyond]


def _oddity(chain: tuple[Link, ...], space: FieldSpace) -> float:
    more = float(len(chain) - space.layers)
    strides = sum(1 + 0.5 * (link.stride - 2) for link in chain if link.stride > 1)
    dilations = sum(1.2 + 0.5 * (link.dilation - 2) for link in chain if link.dilation > 1)
    kernels = sum({3: 0.0, 1: 0.5, 5: 0.5, 7: 0.7}.get(link.kernel_size, 1.5) for link in chain)
    return more + strides + dilations + kernels + 0.1 * len({link.kernel_size for link in chain})
