"""`explain`: every layer configuration of a stated space that has exactly this many parameters.

No formula of a layer stands here. The count that a layer type declares is an affine function of its input
channels, and one of its width (filters, units); so four of its values state it for a frame (everything
else fixed), a fifth checks that, and each configuration found is counted once more as declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

from archcalc.arith import total
from archcalc.errors import ArchcalcError
from archcalc.layers.base import Layer
from archcalc.layers.registry import layer_type
from archcalc.report.values import stamp, to_json_value
from archcalc.review.plausibility import rank
from archcalc.review.space import TYPES, Frame, Space, frames

MOST_PARAMETERS = 10**15


@dataclass(frozen=True)
class Configuration:
    """One layer with its input: `arguments` are the constructor's, `input_shape` has no batch axis."""

    type: str
    arguments: dict[str, Any]
    input_shape: tuple[int, ...]

    def layer(self) -> Layer:
        return _built(self.type, tuple(self.arguments.items()))

    @property
    def input_channels(self) -> int:
        return self.input_shape[-1]

    @cached_property
    def width(self) -> int:
        """Filters or units; the channels for a type without a width of its own."""
        name = TYPES[self.type].width
        return int(self.arguments[name]) if name else self.input_channels

    def to_dict(self) -> dict[str, Any]:
        shown: Any = list(self.input_shape)
        if not TYPES[self.type].positions:
            shown = [None] * (len(self.input_shape) - 1) + [self.input_channels]
        return {
            "type": self.type,
            "input_shape": shown,
            "input_channels": self.input_channels,
            **{k: to_json_value(v) for k, v in self.arguments.items()},
        }

    def spec(self) -> dict[str, Any]:
        """The layer as an entry of a spec."""
        return {"type": self.type, **{k: to_json_value(v) for k, v in self.arguments.items()}}


@dataclass(frozen=True)
class Explanation:
    """All answers, the most plausible first, and the space that was searched in full."""

    parameters: int
    space: Space
    answers: tuple[Configuration, ...]
    size: int

    @property
    def found(self) -> bool:
        return bool(self.answers)

    def to_dict(self) -> dict[str, Any]:
        """JSON of `archcalc explain --parameters N`."""
        return {
            **stamp(),
            "question": {"parameters": self.parameters},
            "space": self.space.described(),
            "space_size": self.size,
            "exhausted": True,
            "found": len(self.answers),
            "answers": [a.to_dict() for a in self.answers],
        }

    def __str__(self) -> str:
        from archcalc.render.explanation import text
        from archcalc.render.screen import only_ascii

        return text(self, ascii=only_ascii()).rstrip("\n")

    def _repr_html_(self) -> str:
        from archcalc.render.explanation import html

        return html(self)


def explain(parameters: int, space: Space | None = None, **narrowed: Any) -> Explanation:
    """Every layer of the space with exactly this many parameters, ranked by plausibility.

    `narrowed` are fields of `Space`, in place of a space: `explain(448, input_channels=(3, 3))`.

    Raises `ArchcalcError` for a count that no layer can have.
    """
    if isinstance(parameters, bool) or not isinstance(parameters, int) or parameters < 1:
        raise ArchcalcError(f"parameters: expected a positive integer, got {parameters!r}")
    if parameters > MOST_PARAMETERS:
        raise ArchcalcError(f"parameters: at most {MOST_PARAMETERS:,}, got {parameters:,}")
    space = space or Space(**narrowed)
    answers: list[Configuration] = []
    size = 0
    divisors = _divisors(parameters, max(space.filters[1], space.input_channels[1]))
    for frame in frames(space):
        channels = _multiples(space.input_channels, frame.step)
        width = _multiples(_widths(space, frame), frame.step)
        size += len(channels) * len(width)
        if len(channels) and len(width):
            answers += _solved(frame, parameters, channels, width, divisors)
    return Explanation(parameters, space, tuple(rank(answers)), size)


def _widths(space: Space, frame: Frame) -> tuple[int, int]:
    width = TYPES[frame.type].width
    if not width:
        return (1, 1)
    return space.multipliers() if width == "depth_multiplier" else space.filters


def _multiples(ends: tuple[int, int], step: int) -> range:
    return range(-(-ends[0] // step) * step, ends[1] + 1, step)


def _solved(
    frame: Frame, parameters: int, channels: range, widths: range, divisors: Sequence[int]
) -> Iterator[Configuration]:
    """The configurations of one frame: the width is tried, the channels follow."""
    both, of_channels, of_width, constant = _coefficients(frame)
    # without a part that only the channels have, the whole count is a multiple of the width
    tried = (d for d in divisors if d in widths) if not of_channels and not constant else iter(widths)
    for width in tried:
        slope = both * width + of_channels
        rest = parameters - of_width * width - constant
        if slope > 0 and rest > 0 and not rest % slope and rest // slope in channels:
            found = _configured(frame, int(rest // slope), width)
            if declared(found) != parameters:
                raise AssertionError(f"{found} has {declared(found)} parameters, not {parameters}")
            yield found


def _coefficients(frame: Frame) -> tuple[Any, Any, Any, int]:
    """a, b, c, d of the declared count a·channels·width + b·channels + c·width + d."""
    s = frame.step
    at = {(c, w): declared(_configured(frame, c * s, w * s)) for c in (1, 2) for w in (1, 2)}
    mixed: Any = at[2, 2] - at[2, 1] - at[1, 2] + at[1, 1]
    of_channels, of_width = at[2, 1] - at[1, 1] - mixed, at[1, 2] - at[1, 1] - mixed
    constant = at[1, 1] - mixed - of_channels - of_width
    expected = 15 * mixed + 3 * of_channels + 5 * of_width + constant
    if declared(_configured(frame, 3 * s, 5 * s)) != expected:
        raise AssertionError(f"{frame.type}: the count is not affine in channels and in width")
    if s == 1:
        return mixed, of_channels, of_width, constant
    # with groups, channels and width are multiples of them
    return Fraction(mixed, s * s), Fraction(of_channels, s), Fraction(of_width, s), constant


def _configured(frame: Frame, channels: int, width: int) -> Configuration:
    name = TYPES[frame.type].width
    arguments = {name: width, **frame.arguments} if name else frame.arguments
    return Configuration(frame.type, arguments, (*frame.sides, channels))


def declared(configuration: Configuration) -> int:
    """The number of parameters that the layer declares."""
    layer = configuration.layer()
    shape = configuration.input_shape
    sides = shape[:-1]
    if not TYPES[configuration.type].positions:  # sizes large enough for any window
        sides = tuple(MOST_PARAMETERS for _ in sides)
    count: Any = total(w.parameters for w in layer.weights((*sides, shape[-1])))
    return int(count)


@lru_cache(maxsize=10_000)
def _built(name: str, arguments: tuple[tuple[str, Any], ...]) -> Layer:
    cls = layer_type(name)
    assert cls is not None
    return cls(**dict(arguments))


def _divisors(n: int, most: int) -> list[int]:
    """The divisors of n up to `most`."""
    return [d for d in range(1, min(n, most) + 1) if n % d == 0]
