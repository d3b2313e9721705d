"""The Opaque layer, which has no rule: only stated figures are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from archcalc.arith import Shape, Size, floor_div, largest
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError
from archcalc.layers.base import Layer, Weight, layer
from archcalc.layers.fields import (
    SIZE_SCHEMA,
    CountKind,
    FieldError,
    Kind,
    ShapeKind,
    Untracked,
    size,
)
from archcalc.layers.primitives import Primitives, Unbounded
from archcalc.layers.tables import fitting_stride
from archcalc.layers.window import Read, Taps, UnknownRead, Whole, Window

SAME = "same"


class WeightsKind(Kind):
    """A list of weights, each `{"name", "shape", "trainable"}`; None if they are not stated."""

    holds_sizes = True

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            raise FieldError(f"expected a list of weights, got {value!r}")
        return tuple(v if isinstance(v, Weight) else self._one(v, rank) for v in value)

    def _one(self, value: Any, rank: int) -> Weight:
        if not isinstance(value, Mapping) or not {"name", "shape"} <= set(value) <= {
            "name",
            "shape",
            "trainable",
        }:
            raise FieldError(f'expected {{"name", "shape", "trainable"}} for each weight, got {value!r}')
        trainable = value.get("trainable", True)
        if not isinstance(value["name"], str) or not isinstance(trainable, bool | None):
            raise FieldError(f"expected a name and true, false or null (unknown) in {value!r}")
        return Weight(value["name"], ShapeKind().normalise(value["shape"], rank), trainable)

    def schema(self, rank: int) -> dict[str, Any]:
        item = {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "shape": ShapeKind().schema(rank),
                "trainable": {"type": ["boolean", "null"]},
            },
            "required": ["name", "shape"],
            "additionalProperties": False,
        }
        return {"anyOf": [{"type": "array", "items": item}, {"type": "null"}]}


class KeptShapeKind(ShapeKind):
    """A shape, or "same": that of the first input."""

    choices = (SAME,)

    def normalise(self, value: Any, rank: int) -> Any:
        return SAME if isinstance(value, str) and value == SAME else super().normalise(value, rank)

    def schema(self, rank: int) -> dict[str, Any]:
        return {"anyOf": [super().schema(rank), {"const": SAME}]}


class ExtentKind(Kind):
    """One size for all spatial axes, one per axis, or one of the strings `choices` (`"whole"`)."""

    holds_sizes = True

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None or (isinstance(value, str) and value in self.choices):
            return value
        if isinstance(value, list | tuple):
            return tuple(size(v, 1, "positive integers") for v in value)
        return size(value, 1, "a positive integer")

    def schema(self, rank: int) -> dict[str, Any]:
        row = {"type": "array", "items": SIZE_SCHEMA}
        return {"anyOf": [*SIZE_SCHEMA["anyOf"], row, {"type": "null"}]}


@layer
class Opaque(Layer):
    """A layer without a rule: stated figures are used, all others are unknown.

    `window` is a sliding window over the axes before the last, padded as TensorFlow's `same` does
    (no padding if the sizes are those of `valid`); `"whole"` is the whole input. The stride follows
    from the sizes if only one fits, and must otherwise be stated as `stride`.
    """

    spec_names: ClassVar[Mapping[str, str]] = {
        "output_shape": "stated_shape",
        "weights": "stated_weights",
        "macs": "stated_macs",
        "elementwise_ops": "stated_elementwise_ops",
        "window": "stated_window",
        "stride": "stated_stride",
    }

    keras_class = ""

    stated_shape: Annotated[Shape | str, KeptShapeKind()]
    stated_weights: Annotated[Any, WeightsKind()] = None
    stated_macs: Annotated[Size | None, CountKind(0, optional=True)] = None
    stated_elementwise_ops: Annotated[Size | None, CountKind(0, optional=True)] = None
    stated_window: Annotated[Any, ExtentKind("whole")] = None
    stated_stride: Annotated[Any, ExtentKind()] = None
    class_name: Untracked = None
    reason: Untracked = None  # why no rule says more, where a tracer knows
    other_shapes: Untracked = ()  # of outputs after the first, which only layers of Keras models have
    assumed: Untracked = ""  # what a reader took for granted
    measured: Untracked = False  # whether window and stride were measured, rather than stated

    def unstated(self, what: str) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"nothing states the {what} of this {self.class_name or 'Opaque'} layer{why}"

    def output_shape(self, *inputs: Shape) -> Shape:
        if not isinstance(self.stated_shape, str):
            return tuple(self.stated_shape)
        if len(inputs) == 0:
            raise LayerError(f"{self.class_name or 'Opaque'}: output_shape='same' without an input")
        return inputs[0]

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return (self.output_shape(*inputs), *map(tuple, self.other_shapes))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        if self.stated_weights is None:
            return (Weight("unstated", (Unknown(self.unstated("weights")),)),)
        return tuple(self.stated_weights)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(self._window(x) for x in inputs)

    def macs(self, *inputs: Shape) -> Size:
        return Unknown(self.unstated("macs")) if self.stated_macs is None else self.stated_macs

    def elementwise_ops(self, *inputs: Shape) -> Size:
        if self.stated_elementwise_ops is None:
            return Unknown(self.unstated("elementwise_ops"))
        return self.stated_elementwise_ops

    def _window(self, x: Shape) -> Window:
        out = self.output_shape(x)
        if isinstance(self.stated_window, str):
            return tuple(Whole() for _ in x)
        if self.stated_window is None:
            return tuple(UnknownRead(self.unstated("window")) for _ in x)
        if len(x) == 0 or len(out) != len(x):
            reason = f"a window from {len(x)} axes to {len(out)} is not a sliding one"
            return tuple(UnknownRead(reason) for _ in x)
        rank = len(x) - 1
        sizes = _per_axis(self.stated_window, rank)
        strides = _per_axis(self.stated_stride, rank)
        if sizes is None or strides is None:
            reason = f"window and stride must be one size or {rank} of them"
            return tuple(UnknownRead(reason) for _ in x)
        spatial = [self._read(a, *four) for a, four in enumerate(zip(x, out, sizes, strides, strict=False))]
        return (*spatial, Whole())

    def _read(self, axis: int, n: Size, m: Size, k: Size, s: Size | None) -> Read:
        stride = fitting_stride(n, m, k) if s is None else s
        if stride is None:
            return UnknownRead(f"the stride from {n} to {m} units is not certain; state `stride`")
        pad = floor_div(largest((m - 1) * stride + k - n, 0), 2)
        return Taps(axis, stride, -pad, k)

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Unbounded(self.unstated("slope"), tuple(w.name for w in self.weights(*inputs))),)


def _per_axis(value: Any, rank: int) -> tuple[Any, ...] | None:
    """One value per axis, from one value or `rank` values; None for any other number."""
    if not isinstance(value, tuple):
        return (value,) * rank
    return value if len(value) == rank else None
