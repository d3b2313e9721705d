"""Rows as plain data, for `to_dict` and JSON.

A row's data has three parts: what is its own, what all calls of a layer on the same shapes have in common,
and the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import isfinite
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith import Shape, Size
from archcalc.arith.unknown import Unknown
from archcalc.graph.quantities import SUMMED
from archcalc.layers.base import Weight
from archcalc.report.values import PLAIN, to_json_value

if TYPE_CHECKING:
    from archcalc.analyses.fields.effective_field import EffectiveField
    from archcalc.analyses.fields.receptive_field import Field
    from archcalc.analyses.gradient_bounds.gradients import Gradient
    from archcalc.report.rows import Row

Part = dict[str, Any]
MOST_SHARED = 1_000  # parts that are remembered; a network whose layers all differ has as many as layers


class Entries(NamedTuple):
    """A row's entries in the columns of these names; `figures` are those of the quantities that add up."""

    name: str
    type: str
    inputs: tuple[str, ...]
    output_shapes: tuple[Shape, ...]
    shared_with: str | None
    copies: Size
    weights: tuple[Weight, ...]
    receptive_fields: Mapping[str, Field | None]
    effective_fields: Mapping[str, EffectiveField | None]
    gradient: Gradient | None
    figures: tuple[Size, ...]

    @property
    def field(self) -> Field | None:
        """The field in the first input."""
        return next(iter(self.receptive_fields.values()), None)

    @property
    def effective_field(self) -> EffectiveField | None:
        """The effective field in the first input."""
        return next(iter(self.effective_fields.values()), None)


_COLUMNS: tuple[str, ...] = Entries._fields[:-1]


def entries(columns: Any) -> Iterator[Entries]:
    """Each row's entries."""
    figures = zip(*(getattr(columns, name) for name in SUMMED), strict=True)
    return map(Entries, *(getattr(columns, name) for name in _COLUMNS), figures)


def entries_of(columns: Any, row: int) -> Entries:
    """One row's entries."""
    figures = tuple(getattr(columns, name)[row] for name in SUMMED)
    return Entries._make((*(getattr(columns, name)[row] for name in _COLUMNS), figures))


def data_of(row: Entries, values: Values, unknown: dict[str, str]) -> Part:
    """A row's data."""
    data = named(row)
    data["inputs"] = [*row.inputs]
    add_common(data, row, values)
    add_fields(data, row, values, unknown)
    return data


def all_data(columns: Any) -> Iterator[Part]:
    """Each row's data."""
    values = list if columns.all_plain else to_json_value
    return (data_of(row, values, unknown) for row, unknown in _with_unknown(columns))


def parts(columns: Any) -> Iterator[tuple[Part, Part, Part]]:
    """The parts of each row's data, which must not be changed: equal rows have one object in common.

    The first has texts and tuples of texts. Tuples are lists of JSON.
    """
    values = tuple if columns.all_plain else to_json_value
    shared: dict[tuple[Any, ...], Part] = {}
    for row, unknown in _with_unknown(columns):
        if columns.all_plain:
            # equal layers on equal shapes have the same objects, which the columns keep
            key = row.figures, row.copies, row.shared_with, id(row.output_shapes), id(row.weights)
            part = shared.get(key)
            if part is None:
                if len(shared) == MOST_SHARED:
                    shared.clear()
                part = shared[key] = add_common({}, row, values)
        else:  # symbols take long to compare
            part = add_common({}, row, values)
        yield named(row), part, add_fields({}, row, values, unknown)


def _with_unknown(columns: Any) -> Iterator[tuple[Entries, dict[str, str]]]:
    """Each row, and its unknown figures, as `unknown` gives them."""
    known, plain = columns.all_known, columns.all_plain
    for row in entries(columns):
        by_figure = {} if known else unknown(row, row.figures)
        yield row, by_figure if plain else with_sigma(by_figure, row.effective_fields)


# a tuple as a list of JSON: `list` is fastest where its values are of JSON, and `tuple` gives what was there
Values = Callable[[tuple[Any, ...]], Any]


def named(row: Entries) -> Part:
    return {"name": row.name, "type": row.type, "inputs": row.inputs}


def add_common(part: Part, row: Entries, values: Values) -> Part:
    """The part with what all calls of a layer on the same shapes have in common."""
    part["output_shape"] = values(row.output_shapes[0])
    part["shared_with"] = row.shared_with
    part["copies"] = to_json_value(row.copies)
    part.update(zip(SUMMED, values(row.figures), strict=True))
    part["weights"] = [
        {"name": name, "shape": values(shape), "trainable": trainable}
        for name, shape, trainable, _ in row.weights
    ]
    return part


def add_fields(part: Part, row: Entries, values: Values, unknown: dict[str, str]) -> Part:
    """The part with the fields, what is unknown, and what few rows have."""
    part["receptive_field"] = _field_dict(row.field, values)
    part["effective_receptive_field_sigma"] = _sigma(row.effective_field, values)
    part["unknown"] = unknown
    if row.gradient is not None:
        part["gradient"] = row.gradient.to_dict()
    if len(row.output_shapes) > 1:
        part["output_shapes"] = to_json_value(row.output_shapes)
    if len(row.receptive_fields) > 1:
        part["receptive_fields"] = {n: _field_dict(f, values) for n, f in row.receptive_fields.items()}
        part["effective_receptive_field_sigmas"] = {
            n: _sigma(e, values) for n, e in row.effective_fields.items()
        }
    return part


def _field_dict(field: Field | None, values: Values) -> Part | None:
    if field is None:
        return None
    return {
        "axes": values(field.axes),
        "size": values(field.size),
        "min_size": values(field.min_size),
        "stride": values(field.stride),
        "offset": values(field.offset),
        "global": values(field.is_global),
        "local_size": values(field.local_size),
        "clipped_size": None if field.clipped_size is None else values(field.clipped_size),
    }


def _sigma(field: EffectiveField | None, values: Values) -> Any:
    return None if field is None else values(field.sigma)


# -- what kinds of figures there are, and what is unknown -----------------------------------------
def kinds(columns: Any) -> set[type]:
    """The types of every row's figures, but the spread of its field."""
    figures = (getattr(columns, name) for name in SUMMED)
    shapes = _all(_once(columns.output_shapes))
    sizes = _all(map(attrgetter(*_SIZES), _distinct(columns.receptive_fields)))
    return set(map(type, chain(*figures, _all(shapes), _all(sizes))))


def all_known(columns: Any) -> bool:
    """Whether every figure of every row, but the spread of its field, is known, as in most networks."""
    return not any(issubclass(kind, Unknown) for kind in columns.kinds)


def all_plain(columns: Any) -> bool:
    """Whether all figures are values of JSON, as where nothing is unknown and no symbol open."""
    if not columns.kinds <= PLAIN:
        return False
    weights = (w.shape for w in _all(_once(columns.weights)))
    fields = _distinct(columns.receptive_fields)
    along_axes = _all((f.is_global, f.local_size, f.clipped_size or ()) for f in fields)
    others = set(map(type, chain(columns.copies, _all(weights), _all(along_axes))))
    sigmas = [*_all(f.sigma for f in _distinct(columns.effective_fields))]
    return others <= PLAIN and {float}.issuperset(map(type, sigmas)) and all(map(isfinite, sigmas))


_SIZES = ("size", "min_size", "stride", "offset")
_all = chain.from_iterable
_values = methodcaller("values")


def _once(objects: Iterable[Any]) -> Iterable[Any]:
    """Each object once; equal layers on equal shapes have the same objects."""
    every = [*objects]
    return dict(zip(map(id, every), every, strict=True)).values()


def _distinct(fields: Sequence[Mapping[str, Any]]) -> Iterable[Any]:
    """The fields of a column, each object once."""
    return [field for field in _once(_all(map(_values, fields))) if field is not None]


def unknown(row: Row | Entries, figures: Iterable[Size]) -> dict[str, str]:
    """The unknown figures of a row, each with the reason, without the spread of its field."""
    by_figure = {n: v.reason for n, v in zip(SUMMED, figures, strict=True) if isinstance(v, Unknown)}
    for reason in _within(row.output_shapes):
        by_figure.setdefault("output_shape", reason)
    for field in row.receptive_fields.values():
        for reason in _within(attrgetter(*_SIZES)(field)) if field else ():
            by_figure.setdefault("receptive_field", reason)
    return by_figure


def with_sigma(
    by_figure: dict[str, str], effective_fields: Mapping[str, EffectiveField | None]
) -> dict[str, str]:
    """The same with the spread of the field in the first input where it is unknown."""
    for effective in effective_fields.values():
        if effective is not None and Unknown in map(type, effective.sigma):
            by_figure.setdefault("effective_receptive_field_sigma", _within((effective.sigma,))[0])
    return by_figure


def _within(groups: Iterable[Any]) -> list[str]:
    return [
        v.reason for group in groups if Unknown in map(type, group) for v in group if isinstance(v, Unknown)
    ]
