"""Strategies for operations of `keras.ops`: every operation, with arguments that fit the tensor.

An operation on one tensor whose arguments are all optional needs no entry here. Every other one has
an entry in `ROWS`, which draws its arguments and the tensors that it is called with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from archcalc.layers.base import Layer
from archcalc.layers.dtypes import floating
from archcalc.layers.operand import Constant
from archcalc.layers.operations.elementwise import BINARY
from archcalc.layers.operations.reduction import Accumulation, AlongAxis, Reduction
from archcalc.layers.registry import registered_operations

if TYPE_CHECKING:
    from archcalc.testing.strategies import Net


class Call(NamedTuple):
    """The arguments of an operation, and the tensors that it is called with."""

    arguments: dict[str, Any]
    tensors: tuple[str, ...]


class Case(NamedTuple):
    """The network drawn so far, and the tensor that the operation is applied to."""

    net: Net
    x: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.net.shapes[self.x]

    @property
    def rank(self) -> int:
        return len(self.shape)

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.net.draw(strategy)

    def axis(self) -> int:
        """An axis as Keras numbers it, positive or negative."""
        return int(self.draw(st.sampled_from([*range(1, self.rank + 1), *range(-self.rank, 0)])))

    def axes(self) -> Any:
        """One axis or several."""
        several = st.lists(st.integers(1, self.rank), min_size=1, max_size=2, unique=True).map(tuple)
        return self.draw(st.one_of(st.just(self.axis()), several))

    def on_x(self, **arguments: Any) -> Call:
        return Call(arguments, (self.x,))

    def array(self, *shape: int) -> Constant:
        """A constant with numbers between 0.5 and 1.5, which depend only on the shape."""
        values: Any = [0.5 + (i * 7 % 11) / 11 for i in range(prod(shape))]
        for n in reversed(shape[1:]):
            values = [values[i : i + n] for i in range(0, len(values), n)]
        return Constant(shape, values)


def declared(function: str, **arguments: Any) -> Layer:
    """An operation, by the name of its function."""
    cls: Any = registered_operations()[f"ops.{function}"]
    layer: Layer = cls(**arguments)
    return layer


def operation(net: Net, x: str) -> str:
    """Any operation of `keras.ops` with arguments that fit; a result that is not floating is cast."""
    kind = net.draw(st.sampled_from(sorted(registered_operations())))
    name = kind.removeprefix("ops.")
    call = _row(name, registered_operations()[kind])(Case(net, x))
    result = net.add(declared(name, **call.arguments), *call.tensors)
    if not floating(net.types[result]):
        result = net.add(declared("cast", dtype="float32"), result)
    return result


def _row(name: str, cls: type) -> Callable[[Case], Call]:
    if name in ROWS:
        return ROWS[name]
    if name in BINARY:
        return _binary if name != "hypot" else _two_tensors
    if issubclass(cls, Reduction):
        return _reduction
    if issubclass(cls, AlongAxis | Accumulation):
        return lambda case: case.on_x(axis=case.axis())
    return lambda case: case.on_x()


def _reduction(case: Case) -> Call:
    return case.on_x(axis=case.axes(), keepdims=case.draw(st.booleans()))


def _one_axis_reduction(case: Case) -> Call:
    return case.on_x(axis=case.axis(), keepdims=case.draw(st.booleans()))


def _binary(case: Case) -> Call:
    """The second operand is a tensor, one with axes of size 1, a number, or an array."""
    kind = case.draw(st.sampled_from(["itself", "other", "broadcast", "number", "reversed", "array"]))
    if kind == "itself":
        return Call({}, (case.x, case.x))
    if kind == "number":
        return case.on_x(x2=case.draw(st.sampled_from([1.5, 0.5])))
    if kind == "reversed":
        return case.on_x(x1=case.draw(st.sampled_from([2.0, 0.5])))
    if kind == "array":
        return case.on_x(x2=case.array(1, *case.shape))
    if kind == "broadcast":
        mean = declared("mean", axis=case.axes(), keepdims=True)
        return Call({}, (case.x, case.net.add(mean, case.x)))
    return Call({}, (case.x, case.net.make("Activation", case.x, activation="tanh")))


def _two_tensors(case: Case) -> Call:
    """Two tensors, as of real and imaginary parts; in `hypot` Keras 3.15 refuses numbers."""
    return Call({}, (case.x, case.net.make("Activation", case.x, activation="tanh")))


def _where(case: Case) -> Call:
    other = case.net.make("Activation", case.x, activation="tanh")
    condition = case.net.add(declared("greater", x2=0.5), case.x)
    constant = case.draw(st.booleans())
    return Call({"x2": 0.0}, (condition, other)) if constant else Call({}, (condition, other, case.x))


def _transpose(case: Case) -> Call:
    return case.on_x(axes=(0, *case.draw(st.permutations(range(1, case.rank + 1)))))


def _newshape(case: Case) -> Call:
    remaining, target = prod(case.shape), []
    for _ in range(case.draw(st.integers(0, 2))):
        target.append(case.draw(st.sampled_from([d for d in range(1, remaining + 1) if remaining % d == 0])))
        remaining //= target[-1]
    return case.on_x(newshape=(-1, *target, remaining))


def _squeeze(case: Case) -> Call:
    axis = case.axis()
    mean = declared("mean", axis=axis, keepdims=True)
    return Call({"axis": axis}, (case.net.add(mean, case.x),))


def _moveaxis(case: Case) -> Call:
    return case.on_x(source=case.axis(), destination=case.axis())


def _tile(case: Case) -> Call:
    return case.on_x(repeats=(1, *(case.draw(st.integers(1, 2)) for _ in case.shape)))


def _joined(case: Case) -> Call:
    other = case.net.make("Activation", case.x, activation="tanh")
    return Call({"axis": case.axis()}, case.draw(st.sampled_from([(case.x, other), (other, case.x, case.x)])))


def _split(case: Case) -> Call:
    axis = case.draw(st.integers(1, case.rank))
    n = case.shape[axis - 1]
    parts: Any = st.sampled_from([d for d in range(1, n + 1) if n % d == 0])
    if n > 1:
        parts = st.one_of(parts, st.integers(1, n - 1).map(lambda cut: (cut,)))
    return case.on_x(indices_or_sections=case.draw(parts), axis=axis)


def _pad(case: Case) -> Call:
    mode = case.draw(st.sampled_from(["constant", "reflect", "symmetric"]))
    most = [2 if mode == "constant" else min(2, n - 1) for n in case.shape]
    pairs = [(case.draw(st.integers(0, m)), case.draw(st.integers(0, m))) for m in most]
    return case.on_x(pad_width=((0, 0), *pairs), mode=mode)


def _one_hot(case: Case) -> Call:
    integers = case.net.add(declared("cast", dtype="int32"), case.x)
    axis = case.draw(st.integers(-1, case.rank).filter(lambda a: a != 0))
    return Call({"num_classes": case.draw(st.integers(2, 4)), "axis": axis}, (integers,))


def _key(case: Case) -> Call:
    parts: list[Any] = [slice(None)]
    for n in case.shape:
        start = case.draw(st.integers(-n, n - 1))
        part = st.sampled_from(
            [
                slice(None),
                slice(None),
                slice(start, None),
                slice(start, None, 2),
                slice(None, None, -1),
                start,
            ]
        )
        parts.append(case.draw(part))
        if case.draw(st.integers(0, 5)) == 5:
            parts.append(None)
    if case.draw(st.booleans()):
        parts = [slice(None), ..., parts[1]] if parts[1] is not None else [slice(None), ...]
    return case.on_x(key=tuple(parts))


def _take(case: Case) -> Call:
    axis = case.axis()
    n = case.shape[axis - 1 if axis > 0 else axis]
    index = st.integers(0, n - 1)
    indices = case.draw(st.one_of(index, st.lists(index, min_size=1, max_size=4).map(tuple)))
    return case.on_x(indices=indices, axis=axis)


def _matmul(case: Case) -> Call:
    return case.on_x(x2=case.array(case.shape[-1], case.draw(st.integers(1, 4))))


def _tensordot(case: Case) -> Call:
    if case.draw(st.booleans()):
        return case.on_x(x2=case.array(case.shape[-1], 2), axes=1)
    axis = case.draw(st.integers(1, case.rank))
    return case.on_x(x2=case.array(case.shape[axis - 1], 3), axes=((axis,), (0,)))


def _einsum(case: Case) -> Call:
    labels = "bhwdefg"[: case.rank + 1]
    other = case.net.make("Activation", case.x, activation="tanh")
    kept_labels = "".join(c for c in labels[1:] if case.draw(st.booleans()))
    return Call({"subscripts": f"{labels},{labels}->b{kept_labels}"}, (case.x, other))


_FORMATS = (None, None, "channels_last", "channels_first")


def _format(case: Case) -> tuple[str | None, tuple[int, ...], int]:
    """A `data_format`, and with it the spatial sizes and the number of channels."""
    chosen = case.draw(st.sampled_from(_FORMATS))
    if chosen == "channels_first":
        return chosen, case.shape[1:], case.shape[0]
    return chosen, case.shape[:-1], case.shape[-1]


def _kernel(case: Case, *last: int) -> Call:
    data_format, sides, channels = _format(case)
    reach = tuple(case.draw(st.integers(1, min(3, n))) for n in sides)
    padding = case.draw(st.sampled_from(["valid", "same"]))
    strides = case.draw(st.integers(1, 2))
    kernel = case.array(*reach, channels, *last)
    return case.on_x(kernel=kernel, padding=padding, strides=strides, data_format=data_format)


def _pool(case: Case) -> Call:
    data_format, sides, _ = _format(case)
    reach = tuple(case.draw(st.integers(1, min(3, n))) for n in sides)
    strides = case.draw(st.sampled_from([None, 1, 2]))
    padding = case.draw(st.sampled_from(["valid", "same"]))
    return case.on_x(pool_size=reach, strides=strides, padding=padding, data_format=data_format)


def _resize(case: Case) -> Call:
    size = (case.draw(st.integers(1, 12)), case.draw(st.integers(1, 12)))
    kinds = st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
    aspect = case.draw(
        st.sampled_from([{}, {}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}])
    )
    arguments = {"interpolation": case.draw(kinds), "antialias": case.draw(st.booleans()), **aspect}
    return case.on_x(size=size, data_format=case.draw(st.sampled_from(_FORMATS)), **arguments)


def _of_channels(case: Case, n: int, **arguments: Any) -> Call:
    """A call on an image of the same size with `n` channels, which may come first."""
    image = case.net.make("Dense", case.x, units=n)
    data_format = case.draw(st.sampled_from(_FORMATS))
    if data_format == "channels_first":
        image = case.net.make("Permute", image, dims=(3, 1, 2))
    return Call({"data_format": data_format, **arguments}, (image,))


def _blocks_of_channels(case: Case) -> Call:
    block = case.draw(st.integers(2, 3))
    return _of_channels(case, block**2 * case.draw(st.integers(1, 2)), block_size=block)


def _blocks_of_pixels(case: Case) -> Call:
    block = case.draw(st.integers(2, 3))
    sides = tuple(block * case.draw(st.integers(1, 3)) for _ in range(2))
    image = case.net.make("Resizing", case.x, height=sides[0], width=sides[1])
    return Call(
        {"block_size": block, "data_format": case.draw(st.sampled_from([None, "channels_last"]))}, (image,)
    )


def _patches(case: Case) -> Call:
    image = case.net.make("Resizing", case.x, height=6, width=case.draw(st.integers(5, 7)))
    step = case.draw(st.sampled_from([None, 1, 2]))
    padding = case.draw(st.sampled_from(["valid", "same"]))
    return Call({"size": case.draw(st.integers(1, 3)), "strides": step, "padding": padding}, (image,))


def _unstack(case: Case) -> Call:
    axis = case.draw(st.integers(1, case.rank))
    return case.on_x(axis=axis, num=case.draw(st.sampled_from([None, case.shape[axis - 1]])))


ROWS: Mapping[str, Callable[[Case], Call]] = {
    "clip": lambda case: case.on_x(x_min=0.1, x_max=2.0),
    "threshold": lambda case: case.on_x(threshold=0.5, default_value=0.1),
    "cast": lambda case: case.on_x(dtype="int32"),
    "saturate_cast": lambda case: case.on_x(dtype="uint8"),
    "count_nonzero": lambda case: case.on_x(axis=case.axes()),
    **dict.fromkeys(("fft", "fft2", "ifft2"), _two_tensors),
    "moments": lambda case: case.on_x(axes=case.axes(), keepdims=case.draw(st.booleans())),
    "argmax": _one_axis_reduction,
    "argmin": _one_axis_reduction,
    "median": _one_axis_reduction,
    "where": _where,
    "transpose": _transpose,
    "swapaxes": lambda case: case.on_x(axis1=case.axis(), axis2=case.axis()),
    "moveaxis": _moveaxis,
    "reshape": _newshape,
    "expand_dims": lambda case: case.on_x(axis=case.axis()),
    "squeeze": _squeeze,
    "flip": lambda case: case.on_x(axis=case.axes()),
    "roll": lambda case: case.on_x(shift=case.draw(st.integers(-2, 2)), axis=case.axis()),
    "repeat": lambda case: case.on_x(repeats=case.draw(st.integers(1, 3)), axis=case.axis()),
    "tile": _tile,
    "concatenate": _joined,
    "stack": _joined,
    "split": _split,
    "unstack": _unstack,
    "pad": _pad,
    "one_hot": _one_hot,
    "get_item": _key,
    "take": _take,
    "matmul": _matmul,
    "dot": _matmul,
    "tensordot": _tensordot,
    "einsum": _einsum,
    "conv": lambda case: _kernel(case, case.draw(st.integers(1, 4))),
    "depthwise_conv": lambda case: _kernel(case, case.draw(st.integers(1, 2))),
    "max_pool": _pool,
    "average_pool": _pool,
    "image.resize": _resize,
    "image.rgb_to_grayscale": lambda case: _of_channels(case, 3),
    "depth_to_space": _blocks_of_channels,
    "space_to_depth": _blocks_of_pixels,
    "image.extract_patches": _patches,
}
