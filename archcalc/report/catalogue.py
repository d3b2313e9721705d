"""What every registered layer type takes and costs, found by running its rules on symbols."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from archcalc import arith
from archcalc.arith import Shape, Size, total
from archcalc.arith.symbolic import Expr, symbol
from archcalc.layers.base import Layer
from archcalc.layers.einsum import EquationKind, PartialShapeKind
from archcalc.layers.fields import AxisKind, CountKind, Kind, NamedKind, ShapeKind, SpatialKind, UntrackedKind
from archcalc.layers.inner import InnerKind
from archcalc.layers.recurrent import Cell, Recurrent
from archcalc.layers.refusals import REFUSALS, Refusal
from archcalc.layers.registry import registered, registered_operations

# the axes of an input, by how many there are; C counts channels
_AXES = {1: ("C",), 2: ("T", "C"), 3: ("H", "W", "C"), 4: ("D", "H", "W", "C"), 5: ("T", "D", "H", "W", "C")}


@dataclass(frozen=True)
class Argument:
    """One constructor argument; `default` means nothing where it is required."""

    name: str
    required: bool
    default: Any
    figures: bool  # whether a figure can depend on it


@dataclass(frozen=True)
class Entry:
    """One layer type; figures are closed forms, or None where only real arguments give one."""

    name: str
    family: str
    summary: str
    arguments: tuple[Argument, ...]
    input_shapes: tuple[Shape, ...] | None = None
    output_shape: Shape | None = None
    parameters: Size | None = None
    macs: Size | None = None
    elementwise_operations: Size | None = None


def entries() -> list[Entry]:
    """All layer types, by family and then by name."""
    return sorted((entry(cls) for cls in registered().values()), key=lambda e: (e.family, e.name))


def refused() -> dict[str, Refusal]:
    """Classes under `keras.layers` without a rule, by name, with the reason and the way out."""
    return dict(sorted(REFUSALS.items()))


def operations() -> dict[str, list[str]]:
    """The operations of `keras.ops`, `ops.add` and the like, by family."""
    found: dict[str, list[str]] = {}
    for name, cls in sorted(registered_operations().items()):
        found.setdefault(_family(cls), []).append(name)
    return dict(sorted(found.items()))


def entry(cls: type[Layer]) -> Entry:
    """One layer type: arguments of each axis alike, all others at their defaults."""
    stated = Entry(
        name=cls.__name__,
        family=_family(cls),
        summary=(cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else "",
        arguments=tuple(_arguments(cls)),
    )
    for made, shapes in _samples(cls):
        found = _applied(stated, made, shapes)
        if found is not None:
            return min(found, _by_output(found, made), key=_length)
    return stated


def _family(cls: type[Layer]) -> str:
    return cls.__module__.rsplit(".", 1)[-1].replace("_", " ")


def _applied(stated: Entry, made: Layer, shapes: tuple[Shape, ...]) -> Entry | None:
    try:
        with arith.scope():
            return dataclasses.replace(
                stated,
                output_shape=made.output_shape(*shapes),
                input_shapes=shapes,
                parameters=total(w.parameters for w in made.weights(*shapes)),
                macs=made.macs(*shapes),
                elementwise_operations=made.elementwise_ops(*shapes),
            )
    except (ValueError, ArithmeticError, LookupError, TypeError, AssertionError):
        return None  # not an input of this type: the next sample may be


def _by_output(found: Entry, made: Layer) -> Entry:
    """The same with the input chosen so that H and W are the sides of the output.

    H - k + 1 places of `valid` windows would spread over every term of a product.
    """
    if found.output_shape is None or not found.input_shapes or len(found.input_shapes[0]) < 2:
        return found
    (first, *others) = found.input_shapes
    time = len(first) - len(found.output_shape)
    if others or time not in ((0, 1) if isinstance(made, Recurrent) else (0,)):
        return found
    pairs = list(zip(first[time:-1], found.output_shape[:-1], strict=True))
    if not all(isinstance(b, Expr) and str(a) in b.symbols for a, b in pairs):
        return found
    sides = [a + (a - b) for a, b in pairs]
    return _applied(found, made, ((*first[:time], *sides, first[-1]),)) or found


def _length(found: Entry) -> int:
    return len(f"{found.parameters}{found.macs}{found.elementwise_operations}")


def _arguments(cls: type[Layer]) -> Iterator[Argument]:
    for f in dataclasses.fields(cast(Any, cls)):
        kind = cls.kinds.get(f.name)
        missing = f.default is dataclasses.MISSING
        tracked = kind is None or (kind.figures and not isinstance(kind, UntrackedKind))
        yield Argument(cls.spec_key(f.name), missing, None if missing else f.default, tracked)


def _samples(cls: type[Layer]) -> Iterator[tuple[Layer, tuple[Shape, ...]]]:
    """Instances with symbols for sizes, and the inputs that such a type may take."""
    ranks = (cls.rank + 1,) if cls.rank else (1, 3, 2)
    for arguments in _symbolic_arguments(cls):
        try:
            with arith.scope():
                made = cls(**arguments)
        except (ValueError, ArithmeticError, TypeError):
            continue
        if isinstance(made, Cell) and made.step_rank == 1:
            step = (symbol("C"),)
            yield made, (step, *made.state_shapes(step))
        for count in (1, 2, 0):
            for rank in ranks:
                yield made, (tuple(symbol(name) for name in _axes(made, rank)),) * count


def _axes(made: Layer, rank: int) -> tuple[str, ...]:
    """Names of an input's axes; in front of those of a layer over images stands the time."""
    return ("T", *_AXES[rank]) if made.rank and isinstance(made, Recurrent) else _AXES[rank]


def _symbolic_arguments(cls: type[Layer]) -> Iterator[dict[str, Any]]:
    """Constructor arguments: symbols where sizes are expected, some value where one is required."""
    found: dict[str, Any] = {}
    lists: list[str] = []
    for f in dataclasses.fields(cast(Any, cls)):
        kind = cls.kinds.get(f.name)
        if type(kind) is CountKind and not kind.optional and kind.figures:
            found[f.name] = symbol(f.name)
        elif f.default is dataclasses.MISSING and kind is not None:
            if isinstance(kind, ShapeKind) or (isinstance(kind, AxisKind) and kind.several):
                lists.append(f.name)
            found[f.name] = _sample(kind, f.name)
    yield found
    yield found | {
        f.name: symbol(f.name)
        for f in dataclasses.fields(cast(Any, cls))
        if type(kind := cls.kinds.get(f.name)) is CountKind and kind.optional and kind.figures
    }
    if lists:
        yield found | dict.fromkeys(lists, (2, 1))  # an order of axes


def _sample(kind: Kind, name: str) -> Any:
    if isinstance(kind, SpatialKind):
        return symbol(name)
    if isinstance(kind, ShapeKind):
        return (-1,) if kind.minimum < 0 else tuple(symbol(a) for a in _AXES[3])
    if isinstance(kind, NamedKind):
        return "relu"
    if isinstance(kind, InnerKind):
        return _inner(kind)
    if isinstance(kind, EquationKind):
        return kind.example
    if isinstance(kind, PartialShapeKind):
        return symbol("units")
    return -1 if isinstance(kind, AxisKind) else 0.5


def _inner(kind: InnerKind) -> Any:
    """A layer inside: a cell where cells may be stacked, else what both wrappers of sequences take."""
    if kind.several or kind.stackable:
        cell = {"type": "GRUCell", "units": symbol("units")}
        return [cell] if kind.several else cell
    return {"type": kind.sample, "units": symbol("units")}
