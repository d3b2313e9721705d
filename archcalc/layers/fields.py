"""The kinds of constructor arguments: how each is validated and normalised, and its JSON Schema.

A layer annotates its fields with the aliases at the end (`filters: Count`). The constructor
normalises the values (`3` becomes `(3, 3)`); the spec reader and `archcalc schema` use the same
annotations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from archcalc import arith
from archcalc.arith import Shape, Size
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import did_you_mean

# a size in a spec may be an expression: "w", "2*w + 1"
SIZE_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "integer"}, {"type": "string"}]}


class FieldError(ValueError):
    """A value is invalid for its field; the text says what was expected and what was received."""


class Kind(ABC):
    """How one kind of argument is validated, normalised and described in the JSON Schema."""

    holds_sizes: bool = False  # whether strings inside are expressions, to be parsed before `normalise`
    figures: bool = True  # whether the value can change a figure

    @abstractmethod
    def normalise(self, value: Any, rank: int) -> Any:
        """The canonical value; raises `FieldError` if it is invalid."""

    @abstractmethod
    def schema(self, rank: int) -> dict[str, Any]:
        """The JSON Schema of the values that a spec may have here."""


def size(value: Any, minimum: int, what: str) -> Any:
    """A size of at least `minimum`: an int, an expression, an array or an `Unknown`.

    Raises `FieldError` for other values; `what` describes the expected value.
    """
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Expr) or arith.is_array(value):
        arith.require_integer(value, lambda: f"expected {what}, got {value}, which is no integer")
        arith.require_at_least(value, minimum, lambda: f"expected {what}, got {value}")
        return value
    try:
        plain = arith.integer(value)
    except TypeError:
        raise FieldError(f"expected {what}, got {value!r}") from None
    if plain < minimum:
        raise FieldError(f"expected {what}, got {plain}")
    return plain


class CountKind(Kind):
    """One size of at least `minimum`; `optional` admits None."""

    holds_sizes = True

    def __init__(self, minimum: int = 1, *, optional: bool = False) -> None:
        self.minimum = minimum
        self.optional = optional
        self.what = {1: "a positive integer", 0: "an integer >= 0"}.get(minimum, f"an integer >= {minimum}")

    def normalise(self, value: Any, rank: int) -> Any:
        return None if value is None and self.optional else size(value, self.minimum, self.what)

    def schema(self, rank: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"anyOf": [{"type": "integer", "minimum": self.minimum}, {"type": "string"}]}
        if self.optional:
            schema["anyOf"].append({"type": "null"})
        return schema


class GroupsKind(CountKind):
    """A number of groups, or -1: as many as there are channels."""

    def normalise(self, value: Any, rank: int) -> Any:
        return -1 if type(value) is int and value == -1 else size(value, 1, "a positive integer or -1")

    def schema(self, rank: int) -> dict[str, Any]:
        return {"anyOf": [*super().schema(rank)["anyOf"], {"const": -1}]}


class SpatialKind(CountKind):
    """One size per spatial axis; a single size applies to all of them."""

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        if not isinstance(value, list | tuple):
            return (size(value, self.minimum, self.what),) * rank
        if len(value) != rank:
            raise FieldError(f"expected {self.what} or {rank} of them, got {list(value)}")
        return tuple(size(v, self.minimum, self.what) for v in value)

    def schema(self, rank: int) -> dict[str, Any]:
        item = super().schema(rank)
        row = {"type": "array", "items": item["anyOf"][0:2] and {"anyOf": item["anyOf"][:2]}}
        return {"anyOf": [*item["anyOf"], row | {"minItems": rank, "maxItems": rank}]}


class MarginsKind(Kind):
    """A pair (before, after) per spatial axis; given as one size, one size per axis, or all pairs.

    For one axis the value is the pair itself, as in Keras.
    """

    holds_sizes = True
    what = "an integer >= 0"

    def normalise(self, value: Any, rank: int) -> Any:
        if rank == 1:
            return self._pair(value)
        if not isinstance(value, list | tuple):
            return ((size(value, 0, self.what),) * 2,) * rank
        if len(value) != rank:
            raise FieldError(f"expected one integer, {rank} of them or {rank} pairs, got {list(value)}")
        return tuple(self._pair(v) for v in value)

    def _pair(self, value: Any) -> tuple[Any, Any]:
        if not isinstance(value, list | tuple):
            return (size(value, 0, self.what),) * 2
        if len(value) != 2:
            raise FieldError(f"expected a pair [before, after], got {list(value)}")
        before, after = (size(v, 0, self.what) for v in value)
        return before, after

    def schema(self, rank: int) -> dict[str, Any]:
        pair = {"type": "array", "items": SIZE_SCHEMA, "minItems": 2, "maxItems": 2}
        row = {"type": "array", "items": {"anyOf": [*SIZE_SCHEMA["anyOf"], pair]}}
        return {"anyOf": [*SIZE_SCHEMA["anyOf"], row | {"maxItems": max(rank, 2)}]}


class ShapeKind(Kind):
    """A list of sizes; with `minimum=-1` one may be -1 (the remaining size, as in Reshape).

    `optional` admits None.
    """

    holds_sizes = True

    def __init__(self, minimum: int = 1, *, optional: bool = False) -> None:
        self.minimum = minimum
        self.optional = optional

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        if not isinstance(value, list | tuple):
            raise FieldError(f"expected a list of integers, got {value!r}")
        what = "a positive integer" if self.minimum == 1 else "a positive integer or -1"
        sizes = tuple(size(v, self.minimum, what) for v in value)
        if any(type(v) is int and v == 0 for v in sizes):
            raise FieldError(f"expected {what}, got 0")
        return sizes

    def schema(self, rank: int) -> dict[str, Any]:
        sizes = {"type": "array", "items": SIZE_SCHEMA}
        return {"anyOf": [sizes, {"type": "null"}]} if self.optional else sizes


class ShapeOrSizeKind(ShapeKind):
    """A list of sizes, one size (a list of one), or None (also for an empty list)."""

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None or value in ((), []):
            return None
        return super().normalise(value if isinstance(value, list | tuple) else (value,), rank)

    def schema(self, rank: int) -> dict[str, Any]:
        return {"anyOf": [super().schema(rank), *SIZE_SCHEMA["anyOf"], {"type": "null"}]}


class ChoiceKind(Kind):
    """One of a few strings; case is ignored, as in Keras."""

    def __init__(self, *choices: str, figures: bool = True, optional: bool = False) -> None:
        self.choices = choices
        self.figures = figures
        self.optional = optional

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        if isinstance(value, str) and value.lower() in self.choices:
            return value.lower()
        raise FieldError(f"expected {' or '.join(map(repr, self.choices))}, got {value!r}")

    def schema(self, rank: int) -> dict[str, Any]:
        return {"enum": [*self.choices, None] if self.optional else list(self.choices)}


class NumberKind(Kind):
    """One of a few integers."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers

    def normalise(self, value: Any, rank: int) -> Any:
        if isinstance(value, bool) or value not in self.numbers:
            raise FieldError(f"expected {' or '.join(map(str, self.numbers))}, got {value!r}")
        return int(value)

    def schema(self, rank: int) -> dict[str, Any]:
        return {"enum": list(self.numbers)}


class PlainCountKind(Kind):
    """A positive integer that cannot be symbolic, because a figure depends on its binary digits."""

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        try:
            plain = arith.integer(value)
        except TypeError:
            plain = 0
        if plain < 1:
            raise FieldError(f"expected a positive integer, got {value!r}")
        return plain

    def schema(self, rank: int) -> dict[str, Any]:
        item = {"type": "integer", "minimum": 1}
        return {"anyOf": [item, {"type": "null"}]} if self.optional else item


class FlagKind(Kind):
    """True or false; `optional` admits None."""

    def __init__(self, *, optional: bool = False, figures: bool = True) -> None:
        self.optional = optional
        self.figures = figures

    def normalise(self, value: Any, rank: int) -> Any:
        if isinstance(value, bool) or (value is None and self.optional):
            return value
        raise FieldError(f"expected true or false, got {value!r}")

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": ["boolean", "null"] if self.optional else "boolean"}


class FlagsKind(Kind):
    """True or false by the name of a weight: `{"query/kernel": false}`; None without any."""

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None:
            return None
        if not isinstance(value, Mapping) or not all(
            isinstance(k, str) and isinstance(v, bool) for k, v in value.items()
        ):
            raise FieldError(
                f'expected true or false for names of weights, {{"bias": false}}, got {value!r:.60}'
            )
        return dict(value) or None

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": ["object", "null"], "additionalProperties": {"type": "boolean"}}


class RealKind(Kind):
    """A real number in a closed interval."""

    def __init__(
        self, low: float = float("-inf"), high: float = float("inf"), *, optional: bool = False
    ) -> None:
        self.low = low
        self.high = high
        self.optional = optional

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not self.low <= value <= self.high
        ):
            raise FieldError(f"expected a number{self._interval()}, got {value!r}")
        return value

    def _interval(self) -> str:
        return "" if self.low == float("-inf") else f" from {self.low:g} to {self.high:g}"

    def schema(self, rank: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": ["number", "null"] if self.optional else "number"}
        if self.low != float("-inf"):
            schema["minimum"] = self.low
        if self.high != float("inf"):
            schema["maximum"] = self.high
        return schema


class RealsKind(Kind):
    """A real number, or (nested) lists of them, which become tuples; `optional` admits None."""

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        if isinstance(value, list | tuple):
            return tuple(self.normalise(v, rank) for v in value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FieldError(f"expected a number or a list of numbers, got {value!r}")
        return value

    def schema(self, rank: int) -> dict[str, Any]:
        return {"type": ["number", "array", *(["null"] if self.optional else [])]}


class AxisKind(Kind):
    """An axis or several, counted as Keras counts them (0 is the batch, -1 the last)."""

    def __init__(self, *, several: bool = False, optional: bool = False) -> None:
        self.several = several
        self.optional = optional

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        if self.several and isinstance(value, list | tuple):
            return tuple(self._one(v) for v in value)
        return self._one(value)

    def _one(self, value: Any) -> int:
        try:
            return arith.integer(value)
        except TypeError:
            raise FieldError(f"expected an axis number, got {value!r}") from None

    def schema(self, rank: int) -> dict[str, Any]:
        item: dict[str, Any] = {"type": "integer"}
        schema = {"anyOf": [item, {"type": "array", "items": item}]} if self.several else item
        return {"anyOf": [schema, {"type": "null"}]} if self.optional else schema


class NamedKind(Kind):
    """A name from a table, or a Keras configuration object with the name as its `class_name`."""

    def __init__(
        self, what: str, names: Callable[[], Mapping[str, Any]], *, figures: bool, optional: bool
    ) -> None:
        self.what = what
        self.names = names
        self.figures = figures
        self.optional = optional

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        name = value.get("class_name") if isinstance(value, dict) else value
        if isinstance(name, str) and name in self.names():
            return value
        raise FieldError(f"unknown {self.what} {name!r}{did_you_mean(str(name), self.names())}")

    def schema(self, rank: int) -> dict[str, Any]:
        names = {"enum": sorted(self.names())}
        configured = {"type": "object", "properties": {"class_name": names}, "required": ["class_name"]}
        options: list[Any] = [names, configured]
        return {"anyOf": [*options, {"type": "null"}] if self.optional else options}


class ActivationKind(NamedKind):
    """The name of an activation, or one with arguments: `{"class_name": "elu", "config": {"alpha": 2}}`."""

    def normalise(self, value: Any, rank: int) -> Any:
        value = super().normalise(value, rank)
        if not isinstance(value, dict) or not value.get("config"):
            return value
        from archcalc.layers.activations import ARGUMENTS

        name, config = value["class_name"], value["config"]
        known = ARGUMENTS.get(name, ())
        if not isinstance(config, dict) or not set(config) <= set(known):
            has = f"takes {', '.join(known)}" if known else "takes no arguments"
            raise FieldError(f"the activation {name!r} {has}, got {config!r:.60}")
        number = RealKind(0, optional=True)
        return {"class_name": name, "config": {k: number.normalise(v, rank) for k, v in config.items()}}


class InitializerKind(NamedKind):
    """An initialiser: its name, or an object with the arguments that differ from their defaults."""

    def normalise(self, value: Any, rank: int) -> Any:
        if super().normalise(value, rank) is None:
            return None
        from archcalc.layers.initializers import shortest

        return shortest(value)


class UntrackedKind(Kind):
    """An argument that no figure depends on (regularisers, constraints, seeds); not validated."""

    figures = False

    def normalise(self, value: Any, rank: int) -> Any:
        return value

    def schema(self, rank: int) -> dict[str, Any]:
        return {}


def _initializers() -> Mapping[str, Any]:
    from archcalc.layers.initializers import INITIALIZERS

    return INITIALIZERS


def _activations() -> Mapping[str, Any]:
    from archcalc.layers.activations import ACTIVATIONS

    return ACTIVATIONS


def each(n: int) -> Any:
    """The default of one size per axis: `strides: Spatial = each(1)`; the constructor makes it a tuple."""
    return n


Count = Annotated[Size, CountKind()]
Groups = Annotated[Size, GroupsKind()]
OptionalCount = Annotated[Size | None, CountKind(optional=True)]
Spatial = Annotated[Shape, SpatialKind()]
OptionalSpatial = Annotated[Shape | None, SpatialKind(optional=True)]
OptionalSpatialOrZero = Annotated[Shape | None, SpatialKind(0, optional=True)]
Margins = Annotated[Any, MarginsKind()]
Dimensions = Annotated[Shape, ShapeKind()]
OptionalDimensions = Annotated[Shape | None, ShapeKind(optional=True)]
TargetShape = Annotated[Shape, ShapeKind(-1)]
DataFormat = Annotated[Any, ChoiceKind("channels_last", "channels_first", optional=True)]
Flag = Annotated[bool, FlagKind()]
UntrackedFlag = Annotated[bool | None, FlagKind(optional=True, figures=False)]
Flags = Annotated[Any, FlagsKind()]
Fraction01 = Annotated[float, RealKind(0, 1)]
Real = Annotated[float, RealKind()]
NonNegative = Annotated[float, RealKind(0)]
OptionalNonNegative = Annotated[Any, RealKind(0, optional=True)]
Reals = Annotated[Any, RealsKind()]
OptionalReals = Annotated[Any, RealsKind(optional=True)]
Axis = Annotated[int, AxisKind()]
Axes = Annotated[Any, AxisKind(several=True)]
Initializer = Annotated[Any, InitializerKind("initializer", _initializers, figures=False, optional=True)]
ActivationName = Annotated[Any, ActivationKind("activation", _activations, figures=True, optional=True)]
Untracked = Annotated[Any, UntrackedKind()]
