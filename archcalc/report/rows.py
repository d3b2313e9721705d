"""Rows of a report: one per call of a layer, or per group of calls; a row is an index into columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from archcalc.arith import Shape, Size
from archcalc.errors import did_you_mean
from archcalc.graph.quantities import SUMMED
from archcalc.layers.base import Weight
from archcalc.report import row_data
from archcalc.report.values import Frozen, thousands, to_json_value

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
        return row_data.with_sigma(self.unknown_without_sigma, self.effective_fields)

    @property
    def unknown_without_sigma(self) -> dict[str, str]:
        """Those that are known without the effective field, which takes longest."""
        if getattr(self.columns, "all_known", False):  # which the row of a group does not tell
            return {}
        return row_data.unknown(self, [getattr(self, name) for name in SUMMED])

    def derivation(self) -> Derivation:
        """How each figure of this row comes about, step by step, with numbers put in."""
        from archcalc.report.derivation import derivation

        return derivation(self.columns, self.index)

    def to_dict(self) -> dict[str, Any]:
        row = row_data.entries_of(self.columns, self.index)
        return row_data.data_of(row, to_json_value, self.unknown)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _ENTRIES)

    __hash__ = None  # type: ignore[assignment]  # holds mappings

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.output_shape))
        return f"Row({self.name!r}, {self.type}, {shape}, {thousands(self.parameters)} parameters)"


# as `object.__setattr__`, in two thirds of its time
_set_columns, _set_index = vars(Row)["columns"].__set__, vars(Row)["index"].__set__
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
