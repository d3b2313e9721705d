"""Rows of a report: one per call of a layer, or per group of calls; a row is an index into columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from archcalc.arith import Shape, Size
from archcalc.arith.unknown import Unknown
from archcalc.errors import did_you_mean
from archcalc.graph.quantities import SUMMED
from archcalc.layers.base import Weight
from archcalc.report.values import Frozen, reasons, thousands, to_json_value

if TYPE_CHECKING:
    from archcalc.analyses.fields.effective_field import EffectiveField
    from archcalc.analyses.fields.receptive_field import Field
    from archcalc.analyses.gradient_bounds.gradients import Gradient
    from archcalc.report.derivation import Derivation

T = TypeVar("T", covariant=True)


class Entry(Generic[T]):
    """A figure of a row: the entry at its index in the column of that name."""

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, row: None, owner: type[Any]) -> Entry[T]: ...
    @overload
    def __get__(self, row: Row, owner: type[Any] | None = None) -> T: ...
    def __get__(self, row: Row | None, owner: type[Any] | None = None) -> Any:
        return self if row is None else getattr(row.columns, self._name)[row.index]


class Row(Frozen):
    """One call of a layer, or (`members` > 1) a group of them.

    Work is that of one sample, bytes are those of the whole batch; `flops` follow the report's
    convention. A row inside a block that is repeated a symbolic number of times represents all
    `copies`: its counts are multiplied, its shapes and weights are those of one copy. `gradient` is
    set only on request.
    """

    __slots__ = ("columns", "index")
    columns: Any  # for each name below, a sequence with one entry per row
    index: int

    name = Entry[str]()
    type = Entry[str]()
    inputs = Entry[tuple[str, ...]]()
    output_shapes = Entry[tuple[Shape, ...]]()
    shared_with: Entry[str | None] = Entry()
    weights = Entry[tuple[Weight, ...]]()
    receptive_fields: Entry[Mapping[str, Field | None]] = Entry()
    effective_fields: Entry[Mapping[str, EffectiveField | None]] = Entry()
    copies = Entry[Size]()
    members = Entry[int]()
    gradient: Entry[Gradient | None] = Entry()
    # the quantities that add up, of `graph.quantities`: their entries are set below
    parameters: Size
    trainable_parameters: Size
    macs: Size
    flops: Size
    elementwise_operations: Size
    activation_bytes: Size
    training_activation_bytes: Size

    def __init__(self, columns: Any, index: int) -> None:
        _set_columns(self, columns)
        _set_index(self, index)

    def __reduce__(self) -> tuple[Any, ...]:
        return Row, (self.columns, self.index)

    @property
    def output_shape(self) -> Shape:
        """Shape of the first output, without the batch axis."""
        shape: Shape = self.columns.output_shapes[self.index][0]
        return shape

    @property
    def non_trainable_parameters(self) -> Size:
        return self.parameters - self.trainable_parameters

    @property
    def receptive_field(self) -> Field | None:
        """What one unit of the output depends on in the model's first input; None if on nothing."""
        return next(iter(self.receptive_fields.values()), None)

    @property
    def effective_field(self) -> EffectiveField | None:
        """How widely that dependence is spread, in the model's first input; None if there is none."""
        return next(iter(self.effective_fields.values()), None)

    @property
    def effective_receptive_field_sigma(self) -> tuple[Any, ...] | None:
        """Standard deviation of the effective field along each spatial axis, in input units."""
        return None if self.effective_field is None else self.effective_field.sigma

    @property
    def unknown(self) -> dict[str, str]:
        """The figures that are unknown, each with the reason."""
        by_figure = self.unknown_without_sigma
        for effective in self.effective_fields.values():
            for reason in _within((effective.sigma,)) if effective else ():
                by_figure.setdefault("effective_receptive_field_sigma", reason)
        return by_figure

    @property
    def unknown_without_sigma(self) -> dict[str, str]:
        """Those that are known without the effective field, which takes longest."""
        if getattr(self.columns, "all_known", False):  # which the row of a group does not tell
            return {}
        by_figure = reasons(self, SUMMED)
        for reason in _within(self.output_shapes):
            by_figure.setdefault("output_shape", reason)
        for field in self.receptive_fields.values():
            for reason in _within(_parts(field)) if field else ():
                by_figure.setdefault("receptive_field", reason)
        return by_figure

    def derivation(self) -> Derivation:
        """How each figure of this row comes about, step by step, with numbers put in."""
        from archcalc.report.derivation import derivation

        return derivation(self.columns, self.index)

    def to_dict(self) -> dict[str, Any]:
        of, i = self.columns, self.index
        data: dict[str, Any] = {
            "name": of.name[i],
            "type": of.type[i],
            "inputs": [*of.inputs[i]],
            "output_shape": to_json_value(of.output_shapes[i][0]),
            "shared_with": of.shared_with[i],
            "copies": to_json_value(of.copies[i]),
            **{name: to_json_value(getattr(of, name)[i]) for name in SUMMED},
            "weights": [
                {"name": w.name, "shape": to_json_value(w.shape), "trainable": w.trainable}
                for w in self.weights
            ],
            "receptive_field": _field_dict(self.receptive_field),
            "effective_receptive_field_sigma": to_json_value(self.effective_receptive_field_sigma),
            "unknown": self.unknown,
        }
        if self.gradient is not None:
            data["gradient"] = self.gradient.to_dict()
        if len(self.output_shapes) > 1:
            data["output_shapes"] = to_json_value(self.output_shapes)
        if len(self.receptive_fields) > 1:
            data["receptive_fields"] = {n: _field_dict(f) for n, f in self.receptive_fields.items()}
            data["effective_receptive_field_sigmas"] = {
                n: None if e is None else to_json_value(e.sigma) for n, e in self.effective_fields.items()
            }
        return data

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _ENTRIES)

    __hash__ = None  # type: ignore[assignment]  # holds mappings

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.output_shape))
        return f"Row({self.name!r}, {self.type}, {shape}, {thousands(self.parameters)} parameters)"


# as `object.__setattr__`, in two thirds of its time
_set_columns, _set_index = Row.columns.__set__, Row.index.__set__
for _name in SUMMED:
    _entry: Entry[Size] = Entry()
    _entry.__set_name__(Row, _name)
    setattr(Row, _name, _entry)
_ENTRIES = tuple(name for name, value in vars(Row).items() if isinstance(value, Entry))


class Rows(Mapping[str, Row]):
    """Rows by name, in topological order."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Row:
        try:
            return self._rows[name]
        except KeyError:
            raise KeyError(f"no layer is named {name!r}{did_you_mean(str(name), self._rows)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self)} layers: {', '.join(list(self)[:4])}{', …' if len(self) > 4 else ''}>"


def _field_dict(field: Field | None) -> dict[str, Any] | None:
    if field is None:
        return None
    return {
        "axes": list(field.axes),
        "size": to_json_value(field.size),
        "min_size": to_json_value(field.min_size),
        "stride": to_json_value(field.stride),
        "offset": to_json_value(field.offset),
        "global": to_json_value(field.is_global),
        "local_size": to_json_value(field.local_size),
        "clipped_size": to_json_value(field.clipped_size),
    }


def all_known(columns: Any) -> bool:
    """Whether every figure of every row, but the spread of its field, is known, as in most networks."""
    kinds = {type(value) for name in SUMMED for value in getattr(columns, name)}
    # equal layers on equal shapes have the same objects
    kinds.update(type(n) for of in {id(s): s for s in columns.output_shapes}.values() for n in chain(*of))
    fields = {id(f): f for of_row in columns.receptive_fields for f in of_row.values() if f}
    kinds.update(type(n) for field in fields.values() for n in chain(*_parts(field)))
    return not any(issubclass(kind, Unknown) for kind in kinds)


def _parts(field: Field) -> tuple[Any, ...]:
    return (field.size, field.min_size, field.stride, field.offset)


def _within(groups: Iterable[Any]) -> list[str]:
    return [
        v.reason for group in groups if Unknown in map(type, group) for v in group if isinstance(v, Unknown)
    ]
