"""The contract of every registered layer type, checked against real Keras (rows: tests/contract/).

For each type: its fields are Keras's constructor arguments with Keras's defaults; each cell of
a grid over those arguments has Keras's shapes and weights, or is refused as by Keras; rules give
the same on symbols and arrays as on integers; and the declared window is the dependence measured
on the real layer.
"""

from __future__ import annotations

import dataclasses
import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from archcalc import arith
from archcalc.arith import arrays, substitute
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError
from archcalc.keras.build import keras_layer
from archcalc.layers import window as w
from archcalc.layers.base import Layer, Weight
from archcalc.layers.registry import registered
from archcalc.readers.keras.calls import POSITIONS
from tests import contract, keras_oracle
from tests.contract import ROWS, Cell, Row, Shape

# every config that Keras writes of a LayerNormalization has this argument
pytestmark = pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`")

TYPES = contract.types()
REAL_TYPES = [name for name in TYPES if name in ROWS and ROWS[name].keras]


# -- rows and arguments ---------------------------------------------------------------------------
def test_every_type_has_a_row_and_every_row_a_type() -> None:
    assert set(ROWS) == set(TYPES)


def test_a_row_says_whether_keras_has_the_type() -> None:
    without = {n for n in TYPES if not registered()[n].keras_class}
    # tests/keras/test_parameter.py and tests/layers/test_encoding.py compare these two with Keras
    assert {n for n in TYPES if not ROWS[n].keras} == without | {"Parameter", "IntegerLookup"}


def tracked(cls: type[Layer]) -> list[str]:
    """The fields that are Keras arguments of this type (not of all layers), by their Keras names."""
    fields = {cls.spec_key(f.name) for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return sorted(fields - contract.LAYER_ARGUMENTS - {*cls.state_fields})


def field(cls: type[Layer], argument: str) -> str:
    """The field of an argument of Keras."""
    return cls.spec_names.get(argument, argument)


def declared(cls: type[Layer], arguments: Mapping[str, Any], **sizes: Any) -> Layer:
    """A layer from arguments by their Keras names, with some fields replaced."""
    return cls(**{**{field(cls, k): v for k, v in arguments.items()}, **sizes})


def keras_arguments(name: str) -> dict[str, Any]:
    """Keras's constructor arguments of this type (not of all layers), with their defaults."""
    parameters = keras_oracle.constructor(keras_oracle.keras_class(registered()[name]))
    return {
        argument: default
        for argument, default in parameters.items()
        if argument not in contract.LAYER_ARGUMENTS | contract.INTERNAL_ARGUMENTS
    }


@pytest.mark.parametrize("name", REAL_TYPES)
def test_fields_are_the_arguments_of_keras(name: str) -> None:
    check_fields(name, keras_arguments(name))


def check_fields(name: str, arguments: Mapping[str, Any]) -> None:
    """The fields of a type are the arguments of Keras's constructor."""
    row, fields = ROWS[name], set(tracked(registered()[name]))
    keras_fields = set(arguments)
    assert set(row.left_out) <= keras_fields - fields, "a reason for an argument that is not left out"
    assert set(row.added) <= fields - keras_fields, "a reason for a field that Keras has too"
    assert fields - set(row.added) == keras_fields - set(row.left_out)


@pytest.mark.parametrize("name", REAL_TYPES)
def test_defaults_are_those_of_keras(name: str) -> None:
    check_defaults(name, keras_arguments(name))


def check_defaults(name: str, arguments: Mapping[str, Any]) -> None:
    """The fields of a type have the defaults of Keras's constructor."""
    cls = registered()[name]
    defaults = {cls.spec_key(f.name): f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for argument, default in arguments.items():
        if argument not in defaults or (name, argument) == ("InputLayer", "shape"):
            continue  # optional in Keras, which also takes `batch_shape`
        required = default is keras_oracle.REQUIRED
        assert (defaults[argument] is dataclasses.MISSING) == required, argument
        if not required:
            normal = (
                default if default is None else cls.kinds[field(cls, argument)].normalise(default, cls.rank)
            )
            assert cls._default(field(cls, argument)) == normal, argument


def varied(name: str) -> dict[str, Any]:
    """The arguments that can change a figure, with their values in the grid."""
    cls = registered()[name]
    chosen = {}
    for argument in tracked(cls):
        values = contract.candidates(cls, argument)
        if cls.kinds[field(cls, argument)].figures or values is not None:
            chosen[argument] = values
    return chosen


@pytest.mark.parametrize("name", REAL_TYPES)
def test_every_argument_that_can_change_a_figure_is_varied(name: str) -> None:
    for argument, values in varied(name).items():
        assert values is not None, f"{argument} is never varied: give it values in tests/contract.py"
        assert len(set(map(repr, values))) > 1, f"{argument} has one value only"


# -- cells ----------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Outcome:
    """A cell in archcalc and in Keras; None where it is refused."""

    cell: Cell
    layer: Layer | None
    shape: Shape | None
    weights: tuple[tuple[str, Shape, bool], ...]
    refusal: str
    keras: keras_oracle.Built | None
    keras_refusal: str


def plain(weights: tuple[Weight, ...]) -> tuple[tuple[str, Shape, bool], ...]:
    return tuple((x.name, tuple(x.shape), x.trainable) for x in weights)


def outcome(name: str, cell: Cell) -> Outcome:
    built, keras_refusal = None, ""
    try:
        built = keras_built(registered()[name], cell, ROWS[name])
    except keras_oracle.RefusedError as error:
        keras_refusal = str(error)
    return beside(name, cell, built, keras_refusal)


def beside(name: str, cell: Cell, built: keras_oracle.Built | None, keras_refusal: str = "") -> Outcome:
    """The outcome of a cell, given the outcome in Keras."""
    layer, shape, weights, refusal = None, None, (), ""
    try:
        layer = declared(registered()[name], cell.arguments)
        shape = tuple(layer.output_shape(*cell.inputs))
        weights = plain(layer.weights(*cell.inputs))
    except LayerError as error:
        layer, refusal = None, str(error)
    return Outcome(cell, layer, shape, weights, refusal, built, keras_refusal)


def keras_built(cls: type[Layer], cell: Cell, row: Row) -> keras_oracle.Built:
    real = keras_oracle.make_raw(cls, {**cell.arguments, "dtype": row.dtype})
    if cls.__name__ == "InputLayer":
        shape = tuple(real.batch_shape[1:])
        return keras_oracle.Built(real, shape, (shape,), ())
    return keras_oracle.build(real, cell.inputs, words(cls, cell), dtype=input_dtype(row))


def input_dtype(row: Row) -> str | None:
    """The integer dtype of the inputs, for layers that take nothing else."""
    return row.dtype if row.dtype.startswith("int") else None


def words(cls: type[Layer], cell: Cell) -> dict[str, Any]:
    """The arguments of Keras's call."""
    return {k: v for k, v in cell.arguments.items() if k in cls.call_arguments}


Weights = tuple[tuple[str, Shape, bool], ...]


def same_weights(ours: Weights, theirs: Weights) -> bool:
    """Whether weights are equal in number, order, shape, trainability, and in name if Keras names them."""
    named = [
        theirs[i] if i < len(theirs) and theirs[i][0] != keras_oracle.UNNAMED else (x[0], *theirs[i][1:])
        for i, x in enumerate(ours[: len(theirs)])
    ]
    return tuple(named) == ours and len(ours) == len(theirs)


def as_far_as(ours: Shape, theirs: Shape) -> Shape:
    """Our shape, with None for sizes that Keras leaves open although they are known."""
    if len(ours) != len(theirs):
        return ours
    return tuple(m if m is None else n for n, m in zip(ours, theirs, strict=True))


@cache
def outcomes(name: str, full: bool = False) -> tuple[Outcome, ...]:
    cls = registered()[name]
    return tuple(outcome(name, cell) for cell in contract.cells(cls, varied(name), full=full))


def check_stricter(name: str, o: Outcome) -> None:
    """A cell that only archcalc refuses has a reason in its row, and fails in Keras if the reason says so."""
    assert o.keras is not None
    reason = ROWS[name].stricter(o.cell)
    assert reason, f"{o.cell}: Keras says {o.keras.shape}, we refuse: {o.refusal}"
    if reason == contract.AT_THE_CALL:
        call = keras_oracle.layer_call(o.keras.layer, words(registered()[name], o.cell))
        with pytest.raises((*keras_oracle.REFUSALS, *keras_oracle.CANNOT_RUN)):
            call(keras_oracle.inputs_of(o.cell.inputs, 2, "float64"))


def check_outcome(o: Outcome) -> None:
    """A cell accepted by both has the same shape and weights in both; if Keras refuses it, so do we."""
    if o.keras is None:
        assert o.layer is None, f"{o.cell}: Keras refuses ({o.keras_refusal}), we say {o.shape}"
    elif o.layer is not None:
        assert o.shape is not None
        assert as_far_as(o.shape, o.keras.shape) == o.keras.shape, f"{o.cell}: {o.shape} for {o.keras.shape}"
        shapes = o.layer.output_shapes(*o.cell.inputs)
        assert tuple(map(as_far_as, shapes, o.keras.shapes)) == o.keras.shapes, f"{o.cell}: {shapes}"
        assert same_weights(o.weights, o.keras.weights), f"{o.cell}: {o.weights} for {o.keras.weights}"


def check_shapes_and_weights(name: str, *, full: bool) -> None:
    for o in outcomes(name, full):
        check_outcome(o)
        if o.keras is not None and o.layer is None:
            check_stricter(name, o)
    accepted = [o for o in outcomes(name, full) if o.layer is not None]
    for argument, values in varied(name).items():
        seen = {repr(o.cell.arguments[argument]) for o in outcomes(name, full)}
        assert seen >= set(map(repr, values)), f"the grid leaves out values of {argument}"
    assert accepted, "no cell is accepted"


@pytest.mark.parametrize("name", REAL_TYPES)
def test_shapes_weights_and_refusals_are_those_of_keras(name: str) -> None:
    check_shapes_and_weights(name, full=False)


@pytest.mark.parametrize("name", [n for n in REAL_TYPES if n != "InputLayer"])
def test_the_layer_we_build_has_the_shapes_and_weights_of_its_declaration(name: str) -> None:
    """Conversion to a Keras 3 layer (archcalc's own for locally connected layers)."""
    for o in accepted(name)[::3]:
        assert o.layer is not None
        again = keras_oracle.build(
            keras_layer(o.layer),
            o.cell.inputs,
            words(type(o.layer), o.cell),
            dtype=input_dtype(ROWS[name]),
        )
        assert o.shape is not None
        assert again.shape == as_far_as(o.shape, again.shape), f"{o.cell}"
        assert same_weights(o.weights, again.weights), f"{o.cell}: {again.weights}"


def accepted(name: str, full: bool = False) -> list[Outcome]:
    return [o for o in outcomes(name, full) if o.layer is not None and o.keras is not None]


# -- three kinds of numbers ---------------------------------------------------------------------
def size_fields(layer: Layer) -> dict[str, Any]:
    """The fields with sizes, normalised."""
    return {n: getattr(layer, n) for n, kind in layer.kinds.items() if kind.holds_sizes}


def mapped(value: Any, change: Callable[[int], Any]) -> Any:
    """A nested tuple with `change` applied to each positive integer (-1 and 0 are not sizes)."""
    if isinstance(value, tuple):
        return tuple(mapped(v, change) for v in value)
    return change(value) if type(value) is int and value > 0 else value


def leaves(value: Any) -> Iterator[int]:
    if isinstance(value, tuple):
        for v in value:
            yield from leaves(v)
    elif type(value) is int and value > 0:
        yield value


@dataclasses.dataclass
class Figures:
    """All figures of a layer on inputs of these shapes, except windows."""

    shape: Shape
    weights: tuple[tuple[str, Shape, bool], ...]
    macs: Any
    elementwise: Any

    @classmethod
    def of(cls, layer: Layer, inputs: tuple[Shape, ...]) -> Figures:
        return cls(
            tuple(layer.output_shape(*inputs)),
            plain(layer.weights(*inputs)),
            layer.macs(*inputs),
            layer.elementwise_ops(*inputs),
        )

    def numbers(self) -> list[Any]:
        return [*self.shape, *(n for _, s, _ in self.weights for n in s), self.macs, self.elementwise]

    def rest(self) -> Any:
        return len(self.shape), [(n, len(s), t) for n, s, t in self.weights]


def symbolic_twin(o: Outcome, *, arguments: bool) -> tuple[dict[str, Any], Any, dict[str, int]]:
    """Constructor arguments and input shapes with symbols for sizes, and the symbols' values.

    A size of 1 in an input is not replaced, because it decides about broadcasting.
    """
    values: dict[str, int] = {}

    def fresh(value: int) -> Any:
        name = f"s{len(values)}"
        values[name] = value
        return symbol(name)

    assert o.layer is not None
    twin = {field(type(o.layer), k): v for k, v in o.cell.arguments.items()}
    if arguments:
        twin |= {n: mapped(v, fresh) for n, v in size_fields(o.layer).items()}
    inputs = tuple(tuple(n if n == 1 else fresh(n) for n in s) for s in o.cell.inputs)
    return twin, inputs, values


def check_symbols(name: str, o: Outcome, *, arguments: bool) -> None:
    assert o.layer is not None
    expected = Figures.of(o.layer, o.cell.inputs)
    twin_arguments, inputs, values = symbolic_twin(o, arguments=arguments)
    with arith.scope() as scope:
        layer = registered()[name](**twin_arguments)
        figures = Figures.of(layer, inputs)
        windows = layer.window(*inputs)
    assert figures.rest() == expected.rest()
    at_values = [substitute(n, values) for n in figures.numbers()]
    if ROWS[name].tables:  # figures that need the digits of a size are unknown for a symbol
        at_values = [
            e if isinstance(n, Unknown) else n for n, e in zip(at_values, expected.numbers(), strict=True)
        ]
    assert at_values == expected.numbers(), f"{o.cell}"
    for text in scope.assumptions.texts():
        assert eval(text, {"min": min, "max": max}, dict(values)) is True, f"{o.cell}: {text} at {values}"
    pairs = zip(windows, o.layer.window(*o.cell.inputs), o.cell.inputs, strict=True)
    for symbolic, integer, shape in pairs:
        for read, twin, n in zip(symbolic, integer, shape, strict=True):
            if isinstance(read, w.UnknownRead) and (arguments or read == twin or ROWS[name].tables):
                continue  # a table of phases needs integers
            check_twins(at_point(read, values), twin, n, o)


def check_twins(read: w.Read, twin: w.Read, n: int, o: Outcome) -> None:
    """A read derived from symbols is that of the integers, or is less certain."""
    axis = getattr(twin, "axis", None)
    for unit in range(1 if axis is None else o.shape[axis]):  # type: ignore[index]
        derived, expected = reads(read, unit, n), reads(twin, unit, n)
        if derived is None:  # one unit, which depends on the symbols
            assert expected is None or len(expected) == 1, f"{o.cell}: {read} for {twin}"
        else:
            assert derived == expected, f"{o.cell}: {read} for {twin} at {unit}"


def at_point(read: w.Read, values: dict[str, int]) -> w.Read:
    changed = {
        f.name: substitute(getattr(read, f.name), values)
        for f in dataclasses.fields(read)
        if arith.is_symbolic(getattr(read, f.name))
    }
    return dataclasses.replace(read, **changed)


@pytest.mark.parametrize("name", REAL_TYPES)
def test_symbols_evaluate_to_the_integers(name: str) -> None:
    for o in accepted(name):
        check_symbols(name, o, arguments=False)
        check_symbols(name, o, arguments=True)


def group_key(o: Outcome) -> str:
    """A key of all arguments that are fixed when sizes become arrays."""
    assert o.layer is not None
    sizes = {n: mapped(v, lambda _: "size") for n, v in size_fields(o.layer).items()}
    fixed = {n: v for n, v in o.cell.arguments.items() if n not in sizes}
    return repr((sorted(fixed.items()), sorted(sizes.items()), [len(s) for s in o.cell.inputs]))


def variants(o: Outcome, count: int) -> list[tuple[dict[str, Any], tuple[Shape, ...]]]:
    """The cell and random variants of the same structure with larger, smaller and doubled sizes."""
    choose = random.Random(str(o.cell))
    points = [(size_fields(o.layer), o.cell.inputs)]  # type: ignore[arg-type]

    def other(value: int) -> int:
        if value == 1 and ROWS[type(o.layer).__name__].ones_stay:
            return 1
        return choose.choice([value, value, value + 1, max(1, value - 1), 2 * value])

    for _ in range(count):
        sizes = {n: mapped(v, other) for n, v in points[0][0].items()}
        points.append((sizes, mapped(o.cell.inputs, other)))
    return points


def check_arrays(name: str, o: Outcome) -> None:
    cls = registered()[name]
    points = variants(o, 12)
    expected: list[Figures | None] = []
    for sizes, inputs in points:
        try:
            expected.append(Figures.of(declared(cls, o.cell.arguments, **sizes), inputs))
        except LayerError:
            expected.append(None)

    def stacked(column: list[Any]) -> Any:
        if isinstance(column[0], tuple):
            return tuple(stacked(list(c)) for c in zip(*column, strict=True))
        return arrays.array(column) if type(column[0]) is int and column[0] > 0 else column[0]

    with arith.scope() as scope:
        sizes = {n: stacked([s[n] for s, _ in points]) for n in points[0][0]}
        layer = declared(cls, o.cell.arguments, **sizes)
        of_arrays = Figures.of(layer, stacked([inputs for _, inputs in points]))
    valid = np.broadcast_to(np.asarray(scope.valid), len(points))
    assert list(valid) == [e is not None for e in expected], f"{o.cell}"
    numbers = [np.broadcast_to(np.asarray(n, dtype=object), len(points)) for n in of_arrays.numbers()]
    for i, figures in enumerate(expected):
        if figures is not None:
            assert of_arrays.rest() == figures.rest()
            assert [n[i] for n in numbers] == figures.numbers(), f"{o.cell} at {points[i]}"


@pytest.mark.parametrize("name", REAL_TYPES)
def test_arrays_evaluate_element_by_element(name: str) -> None:
    groups = {group_key(o): o for o in accepted(name)}
    for o in groups.values():
        check_arrays(name, o)


# -- windows --------------------------------------------------------------------------------------
def reads(read: w.Read, index: int, n: int) -> set[int] | None:
    """The units of an axis of n that output unit `index` reads; None: one unit, unknown which."""
    inside = range(n)
    match read:
        case w.Taps(_, stride, offset, count, dilation):
            units = {stride * index + offset + dilation * t for t in range(count)}
        case w.Phases(_, step, table):
            q, r = divmod(index, len(table))
            units = {step * q + o for o, _ in table[r]}
        case w.Blocks(_, outputs, inputs):
            units = {inputs * (index // outputs) + t for t in range(inputs)}
        case w.Section(_, start, length):
            units = {index - start} if 0 <= index - start < length else set()
        case w.Whole():
            units = set(inside)
        case w.Prefix(_, backwards, mirrored):
            index = n - 1 - index if mirrored else index
            units = set(range(index, n) if backwards else range(index + 1))
        case w.Fixed(index=fixed):
            units = {fixed}
        case w.Scattered():
            return None  # test_split_axes compares `sizes` and `inner` with a brute-force search
        case _:
            raise AssertionError(f"{read} is unknown")
    return units & set(inside)


def predicted(window: w.Window, unit: Shape, shape: Shape) -> list[set[int] | None]:
    return [
        reads(r, unit[getattr(r, "axis", 0)] if unit else 0, n) for r, n in zip(window, shape, strict=True)
    ]


def measured(row: Row, o: Outcome) -> keras_oracle.Support:
    assert o.keras is not None
    real = o.keras.layer
    keras_oracle.make_positive(real)
    call = keras_oracle.layer_call(real, words(type(o.layer), o.cell))  # type: ignore[arg-type]
    if row.support == "gradient":
        return keras_oracle.gradient_support(call, o.cell.inputs, dtype=row.dtype, tolerance=row.tolerance)
    return keras_oracle.perturbation_support(
        call, o.cell.inputs, dtype=row.dtype, tolerance=row.tolerance, step=row.step
    )


def unmeasurable(o: Outcome) -> str:
    """Why the real layer shows no dependence or does not run; "" if it can be measured."""
    activation = o.cell.arguments.get("activation")
    if activation == "glu":
        return "Keras infers another shape than it computes"
    if activation == "sparsemax":
        return "Keras 3.15 computes zeros if several units are close"
    if activation == "threshold":
        return "Keras's function has two more required arguments"
    if activation == "softmax" and o.shape[-1] == 1:  # type: ignore[index]
        return "a softmax of one unit is constant"
    if o.cell.arguments.get("bin_boundaries", "given") is None:
        return "the boundaries of the bins are computed by adapt"
    if normalises_single_units(o):
        return "a unit that is normalised alone is constant"
    return ""


def normalises_single_units(o: Outcome) -> bool:
    """Whether each unit of a GroupNormalization is a separate group."""
    groups, (*_, shape) = o.cell.arguments.get("groups"), o.cell.inputs
    return type(o.layer).__name__ == "GroupNormalization" and len(shape) == 1 and groups in (-1, *shape)


def check_window(o: Outcome, support: keras_oracle.Support) -> None:
    assert o.layer is not None
    for k, (window, shape) in enumerate(zip(o.layer.window(*o.cell.inputs), o.cell.inputs, strict=True)):
        assert len(window) == len(shape)
        if any(isinstance(read, w.UnknownRead) for read in window):
            continue
        hull = ROWS[type(o.layer).__name__].hull(o.cell, k)
        together = np.zeros((2, *shape), dtype=bool)
        for unit, depends in zip(support.units, support.inputs[k], strict=True):
            box = predicted(window, unit, shape)
            where = f"{o.cell}: unit {unit} of input {k}"
            if None in box:
                check_scattered(box, depends, where)
                continue
            expected = np.zeros(shape, dtype=bool)
            expected[np.ix_(*map(sorted, box))] = True  # type: ignore[arg-type]
            if hull == "box":
                check_box(box, depends, where)
                continue
            if hull:
                assert not (depends & ~expected).any(), f"{where}: declared {box}"
                together |= depends, expected
                continue
            if couples_an_image_axis(o):  # there are gaps if the stride exceeds the window
                assert depends.any(), where
                expected &= depends
            assert (depends == expected).all(), f"{where}: declared {box}, measured {np.argwhere(depends)}"
        assert hull != "together" or (together[0] == together[1]).all(), (
            f"{o.cell}: input {k} is not read as declared"
        )


def check_box(box: list[set[int] | None], depends: np.ndarray, where: str) -> None:
    """Along each axis the measured units are the declared ones, though not in every combination."""
    for axis, declared in enumerate(box):
        others = tuple(a for a in range(depends.ndim) if a != axis)
        seen = set(np.flatnonzero(depends.any(axis=others)))
        assert seen == declared, f"{where}, axis {axis}: {seen}"


def couples_an_image_axis(o: Outcome) -> bool:
    """Whether a softmax follows channels first: it acts along a spatial axis, all of which is declared."""
    return (
        o.cell.arguments.get("activation") == "softmax"
        and o.cell.arguments.get("data_format") == "channels_first"
    )


def check_scattered(box: list[set[int] | None], depends: np.ndarray, where: str) -> None:
    """Along scattered axes one unit is measured, along the others the declared ones."""
    for axis, declared in enumerate(box):
        others = tuple(a for a in range(depends.ndim) if a != axis)
        seen = set(np.flatnonzero(depends.any(axis=others)))
        assert len(seen) == 1 if declared is None else seen == declared, f"{where}, axis {axis}: {seen}"


@pytest.mark.parametrize("name", [n for n in REAL_TYPES if n != "InputLayer"])
def test_windows_are_the_measured_dependence(name: str) -> None:
    row = ROWS[name]
    ran = 0
    for o in accepted(name):
        if unmeasurable(o):
            continue
        try:
            support = measured(row, o)
        except keras_oracle.CannotRunError:
            continue
        check_window(o, support)
        ran += 1
    assert ran, "TensorFlow runs no cell of this type here, so nothing was measured"


# Keras's AutoContrast stretches the same axes in both formats
ONE_LAYOUT = ("AutoContrast",)


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in REAL_TYPES
        if "data_format" in registered()[n].kinds and registered()[n].rank and n not in ONE_LAYOUT
    ],
)
def test_channels_first_is_channels_last_with_the_channels_moved(name: str) -> None:
    """Cells that TensorFlow's CPU kernels cannot run are compared with ones that they can."""
    for o in accepted(name):
        if (
            o.cell.arguments["data_format"] != "channels_first"
            or o.cell.arguments.get("activation") == "softmax"
            or o.cell.arguments.get("expand_dims")
        ):
            # frequencies are then not the last axis, and a softmax acts along the last axis in both formats
            continue
        (x,) = o.cell.inputs
        twin = registered()[name](**{**o.cell.arguments, "data_format": "channels_last"})
        (first,), (last,) = o.layer.window(x), twin.window((*x[1:], x[0]))  # type: ignore[union-attr]
        rank = len(x) - 1

        def moved(read: w.Read, rank: int = rank, keeps: bool = len(o.shape or ()) == len(x)) -> w.Read:
            if not hasattr(read, "axis") or not keeps:
                return read
            return dataclasses.replace(read, axis=(read.axis + 1) % (rank + 1))

        assert first == tuple(map(moved, (last[-1], *last[:-1]))), f"{o.cell}"


# -- the big grid ---------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("name", REAL_TYPES)
def test_all_combinations(name: str) -> None:
    check_shapes_and_weights(name, full=True)
    for o in accepted(name, full=True):
        check_symbols(name, o, arguments=True)
    for o in accepted(name, full=True)[::10]:
        if name == "InputLayer" or unmeasurable(o):
            continue
        try:
            check_window(o, measured(ROWS[name], o))
        except keras_oracle.CannotRunError:
            continue


def test_pairs_are_covered() -> None:
    factors = {"a": [1, 2, 3], "b": ["x", "y"], "c": [None, True]}
    rows = list(contract.pairwise(factors))
    for (n, xs), (m, ys) in product(factors.items(), factors.items()):
        if n != m:
            assert {(r[n], r[m]) for r in rows} == set(product(xs, ys))
    assert len(rows) < 12


@pytest.mark.parametrize("name", REAL_TYPES)
def test_what_a_call_takes_is_what_keras_takes(name: str) -> None:
    """`training` is declared where Keras's call has it, but for layers that do the same with it."""
    call = inspect.signature(keras_oracle.keras_class(registered()[name]).call).parameters
    same = name in ("Dense", "EinsumDense", "AutoContrast", "CenterCrop", "Resizing", "PruneLowMagnitude")
    takes = "training" in call and not same
    assert ("training" in registered()[name].call_arguments) == takes


@pytest.mark.parametrize("name", sorted(POSITIONS))
def test_arguments_by_position_are_those_of_keras(name: str) -> None:
    call = inspect.signature(keras_oracle.keras_class(registered()[name]).call).parameters.values()
    named = [p.name for p in call if p.kind is p.POSITIONAL_OR_KEYWORD][2:]
    assert list(POSITIONS[name][1:]) == named
