"""Operations of `keras.ops`, written as in user code, against real Keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from archcalc import arith
from archcalc.arith import arrays, substitute
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError, NetworkError, SourceError
from archcalc.layers.base import Layer
from archcalc.layers.operations.elementwise import BINARY, CASTS, FILLED, FREE, UNARY
from archcalc.layers.registry import registered_operations
from archcalc.layers.window import UnknownRead
from archcalc.readers.keras_config import read_keras
from tests import keras_oracle
from tests.readers.keras.oracle import assert_same
from tests.test_contract import check_scattered, predicted

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A call as in user code, on inputs of these shapes."""

    call: Callable[..., Any]
    shapes: tuple[Shape, ...]
    note: str = ""
    measured: bool = True  # False: the output does not change with the input, for the reason in `note`
    single: bool = True  # False: Keras makes several operations of the call
    scale: float = 1.0  # of the inputs, which are around 1, to the domain of the function
    bound: bool = False  # the declared window is that of all channels of a position together


def one(call: Callable[..., Any], *shape: int, **more: Any) -> Case:
    return Case(call, (shape,), **more)


MATRIX = [[0.5, 1.0, 2.0], [1.5, 1.0, 0.5], [1.0, 2.0, 1.0], [0.3, 0.2, 0.1]]  # 4 x 3
KERNEL = np.full((3, 2, 4, 5), 0.5, "float64")
DEPTHWISE = np.full((3, 3, 4, 2), 0.5, "float64")

# required arguments of functions of one tensor
MORE: dict[str, tuple[Any, ...]] = {
    "clip": (0.5, 20.0),
    "cast": ("float64",),
    "saturate_cast": ("float64",),
    "threshold": (0.5, 0.1),
}
NEVER_MOVES = {
    "isfinite": "all units are finite",
    "isinf": "no unit is infinite",
    "isnan": "every unit is a number",
    "logical_not": "no unit is zero",
    "imag": "real numbers have none",
    "sign": "no unit changes its sign",
}
SCALES = {"arccos": 0.4, "arcsin": 0.4, "erfinv": 0.4, "arccosh": 3.0}


def unary(name: str) -> Case:
    function = getattr(ops, name)
    return one(
        lambda x: function(x, *MORE.get(name, ())),
        3,
        4,
        note=name,
        measured=name not in NEVER_MOVES,
        scale=SCALES.get(name, 1.0),
    )


def binary(name: str) -> Case:
    function = getattr(ops, name)
    logical = name.startswith("logical") or name in ("equal", "not_equal")
    return Case(lambda x, y: function(x, y), ((3, 4), (1, 4)), name, measured=not logical)


REDUCTIONS = (
    "mean", "sum", "max", "min", "prod", "std", "var", "median", "any", "all", "logsumexp", "amax", "amin",
)  # fmt: skip
REDUCED: tuple[tuple[Any, bool], ...] = ((1, False), ((1, 2), True), (-1, False))
ORDER = "an index changes only when the order does"


def reduction(name: str, axis: Any, keepdims: bool) -> Case:
    function = getattr(ops, name)
    return one(
        lambda x: function(x, axis=axis, keepdims=keepdims),
        4,
        5,
        3,
        note=name,
        measured=name not in ("any", "all"),
    )


CASES: list[Case] = [
    *map(unary, (*UNARY, *FREE, *CASTS, *FILLED, "stop_gradient")),
    *map(binary, BINARY),
    one(lambda x: x + 2, 3, 4),
    one(lambda x: 1.0 / x, 3, 4),
    one(lambda x: 2 - x, 3),
    one(lambda x: x**2),
    one(lambda x: x * ops.convert_to_tensor([[1.0], [2.0]], "float64"), 2, 4),
    one(lambda x: x * ops.convert_to_tensor([[[1.0, 2.0, 3.0]]], "float64"), 4, 1),
    Case(lambda x, y: ops.add(x, y), ((4, 1, 3), (1, 5, 3))),
    Case(lambda x, y: ops.where(x > 1.0, x, y), ((3, 4), (3, 4)), single=False),
    one(lambda x: ops.where(ops.greater(x, 1.0), x, 0.0), 3, 4, single=False),
    Case(
        lambda c, x, y: ops.where(c, x, y),
        ((3, 1), (3, 4), (1, 4)),
        measured=False,
        note="the condition is true throughout",
    ),
    # reductions
    *[reduction(name, axis, keep) for name in REDUCTIONS for axis, keep in REDUCED],
    one(lambda x: ops.count_nonzero(x, axis=1), 4, 5, measured=False, note="no unit becomes zero"),
    one(lambda x: ops.norm(x, axis=-1), 4, 5),
    one(lambda x: ops.norm(x, ord=1, axis=1, keepdims=True), 4, 5),
    one(lambda x: ops.argmax(x, axis=1), 4, 5, measured=False, note=ORDER),
    one(lambda x: ops.argmin(x, axis=-1, keepdims=True), 4, 5, measured=False, note=ORDER),
    one(lambda x: ops.softmax(x), 4, 5),
    one(lambda x: ops.softmax(x, axis=1), 4, 5),
    one(lambda x: ops.log_softmax(x, axis=(1, 2)), 4, 5),
    one(lambda x: ops.sparsemax(x), 4, 5, measured=False, note="Keras 3.15 computes zeros for close units"),
    one(lambda x: ops.normalize(x, axis=1), 4, 5),
    one(lambda x: ops.rms_normalization(x), 4, 5),
    one(lambda x: ops.layer_normalization(x, axis=-1), 4, 5),
    one(lambda x: ops.sort(x, axis=1), 4, 3),
    one(lambda x: ops.argsort(x, axis=1), 4, 3, measured=False, note=ORDER),
    one(lambda x: ops.cumsum(x, axis=1), 4, 3),
    one(lambda x: ops.cumprod(x, axis=-1), 4, 3),
    # moving units
    one(lambda x: ops.reshape(x, (-1, 12)), 3, 4),
    one(lambda x: ops.reshape(x, (-1, 3, 2, 2)), 3, 4),
    one(lambda x: ops.reshape(x, (-1, 4, 3)), 3, 4),
    one(lambda x: ops.transpose(x, (0, 3, 1, 2)), 2, 3, 4),
    one(lambda x: ops.swapaxes(x, 1, -1), 2, 3, 4),
    one(lambda x: ops.moveaxis(x, 1, -1), 2, 3, 4),
    one(lambda x: ops.moveaxis(x, (3, 1), (1, 2)), 2, 3, 4),
    one(lambda x: ops.expand_dims(x, 1), 2, 3),
    one(lambda x: ops.expand_dims(x, (-1, 2)), 2, 3),
    one(lambda x: ops.squeeze(x, 2), 2, 1, 3, 1),
    one(lambda x: ops.squeeze(x, (2, -1)), 2, 1, 3, 1),
    one(lambda x: ops.flip(x, axis=1), 4, 3),
    one(lambda x: ops.roll(x, 2, axis=1), 5, 3),
    one(lambda x: ops.repeat(x, 3, axis=1), 4, 3),
    one(lambda x: ops.tile(x, (1, 2, 1)), 4, 3),
    one(lambda x: ops.tile(x, (1, 3, 2)), 1, 3),
    Case(lambda x, y: ops.concatenate([x, y, x], axis=1), ((2, 3), (4, 3))),
    Case(lambda x, y: ops.concatenate([x, y], axis=-1), ((2, 3), (2, 1))),
    Case(lambda x, y: ops.fft((x, y)), ((4, 6),) * 2, "some weights are zero", measured=False),
    Case(lambda x, y: ops.fft2((x, y)), ((6, 5, 3),) * 2, "some weights are zero", measured=False),
    Case(lambda x, y: ops.ifft2((x, y)), ((6, 3),) * 2, "some weights are zero", measured=False),
    one(lambda x: ops.moments(x, axes=[1]), 4, 6),
    one(lambda x: ops.moments(x, axes=(-1, 1), keepdims=True), 4, 6),
    one(lambda x: ops.split(x, 3, axis=-1), 4, 6),
    one(lambda x: ops.split(x, [1, 4], axis=1), 6, 2),
    one(lambda x: ops.unstack(x, axis=1), 3, 2),
    one(lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 3]]), 4, 3),
    one(lambda x: ops.pad(x, [[0, 0], [1, 1], [0, 0]], mode="reflect"), 4, 3),
    one(lambda x: ops.pad(x, [[0, 0], [2, 0]], constant_values=1.0), 4),
    one(lambda x: ops.one_hot(ops.cast(x, "int32"), 5), 4, single=False),
    one(lambda x: x[:, 1:-1, ::2], 6, 5),
    one(lambda x: x[:, 2, ..., None], 6, 5, 3),
    one(lambda x: x[..., -1], 6, 5),
    one(lambda x: x[:, None, -4:, 1:100:3], 6, 5),
    one(lambda x: x[:, ::-1], 6, 5),
    one(lambda x: x[:, ::-2, 0], 7, 5),
    one(lambda x: x[:, :3], 6),
    one(lambda x: ops.take(x, [0, 3, 3], axis=1), 6, 5),
    one(lambda x: ops.take(x, -2, axis=1), 6, 5),
    # sums of products
    one(lambda x: ops.matmul(x, ops.convert_to_tensor(MATRIX, "float64")), 5, 4),
    one(lambda x: x @ ops.convert_to_tensor(MATRIX, "float64"), 4),
    Case(lambda x, y: ops.matmul(x, y), ((3, 4), (4, 2))),
    Case(lambda x, y: ops.einsum("bij,bj->bi", x, y), ((3, 4), (4,))),
    Case(lambda x, y: ops.einsum("bhwc,bhwc->bc", x, y), ((3, 2, 4), (3, 2, 4))),
    one(lambda x: ops.dot(x, ops.convert_to_tensor(MATRIX, "float64")), 5, 4),
    one(lambda x: ops.tensordot(x, ops.convert_to_tensor(MATRIX, "float64"), axes=1), 5, 4),
    one(lambda x: ops.tensordot(x, ops.convert_to_tensor(MATRIX, "float64"), axes=[[1], [0]]), 4, 2),
    # windows and images
    one(lambda x: ops.max_pool(x, 2), 7, 6, 2),
    one(lambda x: ops.max_pool(x, (3, 2), strides=1, padding="same"), 7, 6, 2),
    one(lambda x: ops.average_pool(x, 3, strides=2), 9, 2),
    one(lambda x: ops.conv(x, ops.convert_to_tensor(KERNEL), strides=2, padding="same"), 7, 6, 4),
    one(lambda x: ops.conv(x, ops.convert_to_tensor(KERNEL[0])), 7, 4),
    one(lambda x: ops.depthwise_conv(x, ops.convert_to_tensor(DEPTHWISE)), 5, 6, 4),
    one(lambda x: ops.image.resize(x, (12, 5)), 6, 5, 2),
    one(lambda x: ops.image.resize(x, (6, 15), interpolation="nearest"), 6, 5, 2),
    one(lambda x: ops.image.resize(x, (4, 4)), 6, 5, 2),
    one(lambda x: ops.image.rgb_to_grayscale(x), 4, 4, 3),
    one(lambda x: ops.image.extract_patches(x, 2), 6, 5, 2, bound=True),
    one(lambda x: ops.image.extract_patches(x, (3, 2), strides=2, padding="same"), 6, 5, 2, bound=True),
    one(lambda x: ops.depth_to_space(x, 2), 3, 2, 8, bound=True),
    one(lambda x: ops.space_to_depth(x, 2), 6, 4, 2, bound=True),
]  # fmt: skip
STACKED = Case(lambda x, y: ops.stack([x, y], axis=1), ((3,), (3,)))


def live(case: Case) -> Any:
    inputs = [keras.Input(shape, dtype="float64", name=f"x{i}") for i, shape in enumerate(case.shapes)]
    return keras.Model(inputs, case.call(*inputs))


def read(case: Case) -> Any:
    return read_keras(json.loads(live(case).to_json()), "model.json")


def label(case: Case) -> str:
    return case.note.replace(" ", "-")


EVERY = [*CASES, STACKED]
INDEXED = pytest.mark.parametrize("case", EVERY, ids=[f"{i}-{label(c)}" for i, c in enumerate(EVERY)])


def test_every_operation_has_a_case() -> None:
    seen = {type(node.layer).__name__ for case in EVERY for node in read(case).nodes}
    assert set(registered_operations()) - seen == set()


@INDEXED
def test_every_shape_is_that_of_keras(case: Case) -> None:
    model = live(case)
    assert_same(model, read_keras(json.loads(model.to_json()), "model.json"))


SINGLE = [case for case in EVERY if case.single]
SINGLY = pytest.mark.parametrize("case", SINGLE, ids=[f"{i}-{label(c)}" for i, c in enumerate(SINGLE)])


def operation_of(case: Case) -> Layer:
    """The only operation of a case."""
    (layer,) = [n.layer for n in read(case).nodes if n.inputs]
    return layer


def inputs_of(case: Case) -> tuple[Shape, ...]:
    """Shapes in the order in which the operation reads its tensors."""
    graph = read(case)
    (node,) = [n for n in graph.nodes if n.inputs]
    return tuple(case.shapes[int(graph.nodes[t.node].name[1:])] for t in node.inputs)


@SINGLY
def test_symbols_and_arrays_give_what_integers_give(case: Case) -> None:
    check_numbers(operation_of(case), inputs_of(case))


def check_numbers(layer: Layer, inputs: tuple[Shape, ...]) -> None:
    """Figures from symbols (with these values) and from arrays are those from integers."""
    expected = figures(layer, inputs)
    values: dict[str, int] = {}

    def fresh(n: int) -> Any:
        values[f"s{len(values)}"] = n
        return symbol(f"s{len(values) - 1}")

    symbolic = tuple(tuple(n if n == 1 else fresh(n) for n in s) for s in inputs)
    if type(layer).__name__ == "ops.unstack":
        with arith.scope(), pytest.raises(LayerError, match="gives an unknown number of tensors"):
            figures(layer, symbolic)
        return
    with arith.scope() as scope:
        numbers = figures(layer, symbolic)
    # what has no figure may have one for a number alone
    expected = [Unknown if isinstance(n, Unknown) else e for e, n in zip(expected, numbers, strict=True)]
    at_point = [Unknown if isinstance(n, Unknown) else substitute(n, values) for n in numbers]
    assert at_point == expected, f"{layer}: symbols give {at_point} for {expected}"
    for text in scope.assumptions.texts():
        assert eval(text, {"min": min, "max": max}, dict(values)) is True, text
    with arith.scope():
        numbers = figures(
            layer, tuple(tuple(n if n == 1 else arrays.array([n, n]) for n in s) for s in inputs)
        )
    firsts = [Unknown if isinstance(n, Unknown) else int(np.asarray(n).ravel()[0]) for n in numbers]
    assert firsts == expected, f"{layer}: arrays give {firsts} for {expected}"


def figures(layer: Layer, inputs: tuple[Shape, ...]) -> list[Any]:
    shapes = layer.output_shapes(*inputs)
    return [n for s in shapes for n in s] + [layer.macs(*inputs), layer.elementwise_ops(*inputs)]


@pytest.mark.parametrize(
    "case",
    [c for c in SINGLE if c.measured and c is not STACKED],
    ids=[f"{i}-{label(c)}" for i, c in enumerate(c for c in SINGLE if c.measured and c is not STACKED)],
)
def test_windows_are_the_measured_dependence(case: Case) -> None:
    check_windows(case, read(case), *dependence(case))


def dependence(case: Case) -> tuple[Any, list[np.ndarray]]:
    """Units of the output, and for each input the units they depend on, measured on `case.call`."""

    def call(xs: list[Any]) -> Any:
        outputs = case.call(*(x * case.scale for x in xs))
        outputs = outputs[0] if isinstance(outputs, list | tuple) else outputs
        return ops.cast(outputs, "float64")

    moved = keras_oracle.perturbation_support(call, case.shapes, dtype="float64", tolerance=1e-6, step=0.75)
    try:
        sloped = keras_oracle.gradient_support(call, case.shapes, moved.units, dtype="float64")
        return moved.units, [a | b for a, b in zip(moved.inputs, sloped.inputs, strict=True)]
    except keras_oracle.CannotRunError:
        return moved.units, list(moved.inputs)


def check_windows(case: Case, graph: Any, units: Any, supports: list[np.ndarray]) -> None:
    """The windows of the operation are the measured dependence of these units."""
    (node,) = [n for n in graph.nodes if n.inputs]
    numbers = [int(graph.nodes[t.node].name[1:]) for t in node.inputs]
    windows = node.layer.window(*(case.shapes[k] for k in numbers))
    declared: dict[int, list[Any]] = {k: [] for k in numbers}
    for k, window in zip(numbers, windows, strict=True):
        declared[k].append(window)
    for k, some in declared.items():
        if any(isinstance(r, UnknownRead) for window in some for r in window):
            continue  # unknown, with a reason
        for unit, seen in zip(units, supports[k], strict=True):
            boxes = [predicted(window, unit, case.shapes[k]) for window in some]
            if any(None in box for box in boxes):
                check_scattered(boxes[0], seen, f"unit {unit}")
                continue
            expected = np.zeros(case.shapes[k], dtype=bool)
            for box in boxes:
                expected[np.ix_(*map(sorted, box))] = True
            if case.bound:
                # a channel of a patch that holds padding there depends on nothing
                padded = getattr(node.layer, "padding", "valid") == "same"
                assert seen.any() or (padded and type(node.layer).__name__ == "ops.image.extract_patches")
                expected &= seen
            assert (seen == expected).all(), f"unit {unit}: declared {boxes}, measured {np.argwhere(seen)}"


@pytest.mark.parametrize(
    ("kind", "arguments", "inputs", "message"),
    [
        ("ops.reshape", {"newshape": "12"}, [(3, 4)], "expected a list of integers"),
        ("ops.reshape", {"newshape": [-1, 3, 2]}, [(3, 4)], "does not hold the 12 units"),
        ("ops.pad", {"pad_width": "1"}, [(4,)], "expected pairs"),
        ("ops.pad", {"pad_width": [[0, 0], "1"]}, [(4,)], "expected a pair"),
        ("ops.pad", {"pad_width": [[1, 0], [0, 0]]}, [(4,)], "for the batch"),
        ("ops.get_item", {"key": [[None, None, None], [0, 2, 0]]}, [(4,)], "must not be 0"),
        ("ops.flip", {"axis": 3}, [(4,)], "axis 3 does not exist"),
        ("ops.split", {"indices_or_sections": 10_001, "axis": 1}, [(10_001,)], "limit of 10000"),
        ("ops.conv", {"kernel": 3}, [(7, 4)], "expected a constant kernel"),
        ("ops.conv", {"kernel": KERNEL.tolist()}, [(7, 6, 3)], "3 input channels for a kernel of 4"),
        ("ops.tensordot", {"x2": MATRIX, "axes": [[7], [0]]}, [(5, 4)], "name no axes"),
        ("ops.einsum", {"subscripts": "bi,bj->bk"}, [(4,), (3,)], "no operand has the axes k"),
        ("ops.add", {"x2": [MATRIX]}, [(3,)], "reaches over the batch"),
        ("ops.add", {"x2": [MATRIX, MATRIX]}, [(4, 3)], "reaches over the batch"),
    ],
    ids=str,
)
def test_invalid_arguments_are_refused(
    kind: str, arguments: dict[str, Any], inputs: list[Shape], message: str
) -> None:
    with pytest.raises(LayerError, match=message):
        registered_operations()[kind](**arguments).output_shape(*inputs)


def test_defaults_of_keras_hold_where_a_spec_leaves_an_axis_out() -> None:
    operations = registered_operations()
    assert operations["ops.one_hot"](num_classes=5).output_shape((4, 3)) == (4, 3, 5)
    for kind, arguments in (
        ("ops.split", {"indices_or_sections": 2}),
        ("ops.unstack", {}),
        ("ops.stack", {}),
    ):
        with pytest.raises(LayerError, match="axis 0 is the batch axis"):
            operations[kind](**arguments).output_shape((4, 3))
    assert operations["ops.reshape"](newshape=[None, -1, 4]).output_shape((3, 8)) == (6, 4)


def test_whole_multiples_are_interpolated_from_known_pixels() -> None:
    resize = registered_operations()["ops.image.resize"]
    (window,) = resize(size=(12, 10)).window((6, 5, 2))
    assert not any(isinstance(read, UnknownRead) for read in window)
    for arguments in ({"antialias": True}, {"interpolation": "area"}, {"crop_to_aspect_ratio": True}):
        (window,) = resize(size=(12, 10), **arguments).window((6, 5, 2))
        assert isinstance(window[0], UnknownRead)


# -- work -----------------------------------------------------------------------------------------
def test_products_count_their_multiply_adds() -> None:
    def macs(case: Case) -> Any:
        return operation_of(case).macs(*inputs_of(case))

    assert macs(one(lambda x: x @ ops.convert_to_tensor(MATRIX, "float64"), 5, 4)) == 5 * 4 * 3
    assert macs(Case(lambda x, y: ops.matmul(x, y), ((3, 4), (4, 2)))) == 3 * 4 * 2
    assert macs(Case(lambda x, y: ops.einsum("bhwc,bhwc->bc", x, y), ((3, 2, 4), (3, 2, 4)))) == 3 * 2 * 4
    assert macs(one(lambda x: ops.conv(x, ops.convert_to_tensor(KERNEL)), 5, 6, 4)) == 3 * 5 * 5 * (3 * 2 * 4)
    assert macs(one(lambda x: x + 1, 5, 4)) == 0


def test_elementwise_work_is_one_operation_a_unit_and_moving_is_free() -> None:
    def work(case: Case) -> Any:
        return operation_of(case).elementwise_ops(*inputs_of(case))

    assert work(one(lambda x: ops.exp(x), 5, 4)) == 20
    assert work(Case(lambda x, y: x + y, ((5, 4), (5, 1)))) == 20
    assert work(one(lambda x: ops.mean(x, axis=1), 5, 4)) == 20
    assert work(one(lambda x: ops.transpose(x, (0, 2, 1)), 5, 4)) == 0
    assert work(one(lambda x: ops.stop_gradient(x), 5, 4)) == 0
    assert work(one(lambda x: ops.moments(x, axes=1), 5, 4)) == 40


def count_of_butterflies(values: list[complex]) -> tuple[list[complex], int]:
    """The transform by halves, and its real operations: 6 of each complex product, 2 of each sum."""
    if len(values) == 1:
        return values, 0
    (even, first), (odd, second) = map(count_of_butterflies, (values[::2], values[1::2]))
    half = len(even)
    turned = [odd[k] * np.exp(-1j * np.pi * k / half) for k in range(half)]
    sums = [a + b for a, b in zip(even, turned, strict=True)]
    differences = [a - b for a, b in zip(even, turned, strict=True)]
    return sums + differences, first + second + half * (6 + 2 + 2)


@pytest.mark.parametrize("n", [1, 2, 8, 32])
def test_a_fourier_transform_of_a_power_of_two_costs_its_butterflies(n: int) -> None:
    values = list(np.random.default_rng(n).normal(size=n) + 0j)
    transform, operations = count_of_butterflies(values)
    assert np.allclose(transform, np.fft.fft(values))
    fft, fft2 = registered_operations()["ops.fft"](), registered_operations()["ops.fft2"]()
    assert fft.elementwise_ops((3, n), (3, n)) == 3 * operations
    columns = n * count_of_butterflies(values[:1] * 4)[1]
    assert fft2.elementwise_ops((4, n), (4, n)) == 4 * operations + columns
    assert isinstance(fft.elementwise_ops((12,), (12,)), Unknown)


# -- what has no figure per sample --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("call", "shape", "reason"),
    [
        (lambda x: ops.mean(x), (4, 3), "without `axis` runs over the batch"),
        (lambda x: ops.sum(x, axis=0), (4, 3), "axis 0 is the batch"),
        (lambda x: ops.transpose(x, (1, 0, 2)), (4, 3), "moves the batch axis"),
        (lambda x: ops.transpose(x), (4, 3), "moves the batch axis"),
        (lambda x: ops.reshape(x, (-1, 3)), (4, 3), "holds parts of one sample as if they were samples"),
        (lambda x: ops.reshape(x, (2, -1)), (4, 3), "expected -1 or null for the batch"),
        (lambda x: x[0], (4, 3), "the index cuts the batch axis"),
        (lambda x: ops.concatenate([x, x], axis=0), (4, 3), "axis 0 is the batch"),
        (lambda x: ops.expand_dims(x, 0), (4, 3), "is the batch axis"),
        (lambda x: ops.tile(x, (2, 1, 1)), (4, 3), "multiplies the batch"),
    ],
)
def test_operations_across_the_batch_are_refused_with_the_reason(
    call: Callable[[Any], Any], shape: Shape, reason: str
) -> None:
    from archcalc.analyses.shapes import infer

    with pytest.raises((SourceError, NetworkError), match=reason):
        infer(read(one(call, *shape)))
