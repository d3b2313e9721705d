"""The arguments, shapes and figures of every registered layer type, by running its rules on symbols."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from archcalc import arith
from archcalc.arith import Shape, Size, total
from archcalc.arith.symbolic import Expr, symbol
from archcalc.errors import LayerError
from archcalc.layers.base import Layer
from archcalc.layers.einsum import EquationKind, PartialShapeKind
from archcalc.layers.fields import AxisKind, CountKind, Kind, NamedKind, ShapeKind, SpatialKind, UntrackedKind
from archcalc.layers.inner import InnerKind
from archcalc.layers.recurrent import Cell, Recurrent
from archcalc.layers.refusals import REFUSALS, Refusal
from archcalc.layers.registry import of_packages, registered, registered_operations

# the axes of an input, by how many there are; C counts channels
_AXES = {1: ("C",), 2: ("T", "C"), 3: ("H", "W", "C"), 4: ("D", "H", "W", "C"), 5: ("T", "D", "H", "W", "C")}


@dataclass(frozen=True)
class Argument:
    """One constructor argument; `default` has no meaning if it is required."""

    name: str
    required: bool
    default: Any
    figures: bool  # whether a figure can depend on it


@dataclass(frozen=True)
class Entry:
    """One layer type; figures are closed forms, or None where only concrete arguments give one."""

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
    """All layer types, by family and then by name; those of other packages are included."""
    others = [cls for _, cls in of_packages() if isinstance(cls, type)]
    return sorted(map(entry, [*registered().values(), *others]), key=lambda e: (e.family, e.name))


def refused() -> dict[str, Refusal]:
    """Classes that archcalc has no rule for, by name, with the reason and what to do instead."""
    broken = {
        name: Refusal(f"but {fault}", "repair or remove the package")
        for name, fault in of_packages()
        if isinstance(fault, LayerError)
    }
    return dict(sorted({**REFUSALS, **broken}.items()))


def operations() -> dict[str, list[str]]:
    """The operations of `keras.ops`, `ops.add` and the like, by family."""
    families: dict[str, list[str]] = {}
    for name, cls in sorted(registered_operations().items()):
        families.setdefault(_family(cls), []).append(name)
    return dict(sorted(families.items()))


def entry(cls: type[Layer]) -> Entry:
    """One layer type: spatial arguments have one value for all axes, other arguments their defaults."""
    stated = Entry(
        name=cls.__name__,
        family=_family(cls),
        summary=(cls.__doc__ or "").strip().splitlines()[0] if cls.__doc__ else "",
        arguments=tuple(_arguments(cls)),
    )
    for layer, shapes in _samples(cls):
        applied = _applied(stated, layer, shapes)
        if applied is not None:
            return min(applied, _by_output(applied, layer), key=_length)
    return stated


def _family(cls: type[Layer]) -> str:
    """The file that a type is in; for one of another package, the package."""
    package, *_, module = cls.__module__.split(".")
    return (module if package == "archcalc" else package).replace("_", " ")


def _applied(stated: Entry, layer: Layer, shapes: tuple[Shape, ...]) -> Entry | None:
    try:
        with arith.scope():
            return dataclasses.replace(
                stated,
                output_shape=layer.output_shape(*shapes),
                input_shapes=shapes,
                parameters=total(w.parameters for w in layer.weights(*shapes)),
                macs=layer.macs(*shapes),
                elementwise_operations=layer.elementwise_ops(*shapes),
            )
    except (ValueError, ArithmeticError, LookupError, TypeError, AssertionError):
        return None  # not an input of this type: the next sample may be


def _by_output(applied: Entry, layer: Layer) -> Entry:
    """The same entry with the input chosen so that H and W are sizes of the output.

    Otherwise the H - k + 1 positions of a `valid` window would expand every term of a product.
    """
    if applied.output_shape is None or not applied.input_shapes or len(applied.input_shapes[0]) < 2:
        return applied
    (first, *others) = applied.input_shapes
    time = len(first) - len(applied.output_shape)
    if others or time not in ((0, 1) if isinstance(layer, Recurrent) else (0,)):
        return applied
    pairs = list(zip(first[time:-1], applied.output_shape[:-1], strict=True))
    if not all(isinstance(b, Expr) and str(a) in b.symbols for a, b in pairs):
        return applied
    sides = [a + (a - b) for a, b in pairs]
    return _applied(applied, layer, ((*first[:time], *sides, first[-1]),)) or applied


def _length(candidate: Entry) -> int:
    return len(f"{candidate.parameters}{candidate.macs}{candidate.elementwise_operations}")


def _arguments(cls: type[Layer]) -> Iterator[Argument]:
    for f in dataclasses.fields(cast(Any, cls)):
        kind = cls.kinds.get(f.name)
        missing = f.default is dataclasses.MISSING
        tracked = kind is None or (kind.figures and not isinstance(kind, UntrackedKind))
        yield Argument(cls.spec_key(f.name), missing, None if missing else f.default, tracked)


def _samples(cls: type[Layer]) -> Iterator[tuple[Layer, tuple[Shape, ...]]]:
    """Instances with symbols as sizes, and inputs that the type may accept."""
    ranks = (cls.rank + 1,) if cls.rank else (1, 3, 2)
    for arguments in _symbolic_arguments(cls):
        try:
            with arith.scope():
                layer = cls(**arguments)
        except (ValueError, ArithmeticError, TypeError):
            continue
        if isinstance(layer, Cell) and layer.step_rank == 1:
            step = (symbol("C"),)
            yield layer, (step, *layer.state_shapes(step))
        for count in (1, 2, 0):
            for rank in ranks:
                yield layer, (tuple(symbol(name) for name in _axes(layer, rank)),) * count


def _axes(layer: Layer, rank: int) -> tuple[str, ...]:
    """Names of an input's axes; time comes first for a recurrent layer over images."""
    return ("T", *_AXES[rank]) if layer.rank and isinstance(layer, Recurrent) else _AXES[rank]


def _symbolic_arguments(cls: type[Layer]) -> Iterator[dict[str, Any]]:
    """Constructor arguments: symbols as sizes, and some value where one is required."""
    arguments: dict[str, Any] = {}
    lists: list[str] = []
    for f in dataclasses.fields(cast(Any, cls)):
        kind = cls.kinds.get(f.name)
        if type(kind) is CountKind and not kind.optional and kind.figures:
            arguments[f.name] = symbol(f.name)
        elif f.default is dataclasses.MISSING and kind is not None:
            if isinstance(kind, ShapeKind) or (isinstance(kind, AxisKind) and kind.several):
                lists.append(f.name)
            arguments[f.name] = _sample(kind, f.name)
    yield arguments
    yield arguments | {
        f.name: symbol(f.name)
        for f in dataclasses.fields(cast(Any, cls))
        if type(kind := cls.kinds.get(f.name)) is CountKind and kind.optional and kind.figures
    }
    if lists:
        yield arguments | dict.fromkeys(lists, (2, 1))  # an order of axes


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
    """A layer for an argument: a cell where cells may be stacked, else a layer that wrappers accept."""
    if kind.several or kind.stackable:
        cell = {"type": "GRUCell", "units": symbol("units")}
        return [cell] if kind.several else cell
    return {"type": kind.sample, "units": symbol("units")}
