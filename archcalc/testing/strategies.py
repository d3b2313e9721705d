"""Hypothesis strategies for whole architectures.

`architectures()` draws a `Graph`: a sequence of motifs (chains, residual and dense blocks,
Inception branches, squeeze-and-excite, U-Net skips, shared layers, nested blocks) with one to three
spatial axes, several inputs and outputs, and every registered layer type. Tensors are small, so
that a real Keras model of each network can be built and measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import prod
from typing import Any

from hypothesis import strategies as st

from archcalc.arith import integers
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.layers.base import Layer
from archcalc.layers.dtypes import floating
from archcalc.layers.registry import registered
from archcalc.testing.arguments import Draw, arguments
from archcalc.testing.beginnings import rearranged
from archcalc.testing.operations import operation
from archcalc.testing.sequences import attention, crossing, recurrence, scores, step_by_step

MAX_UNITS = 1500  # of one tensor
MAX_PARAMETERS = 100_000  # of one layer

# types that `any_layer` does not draw: inputs, layers with several inputs or integer inputs
ELSEWHERE = {
    *("InputLayer", "Opaque", "Embedding", "Dot", "CustomScaleLayer", "Concatenate", "RepeatVector"),
    *("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"),
    *("SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"),
    *("HashedCrossing", "ReversibleEmbedding", "CuDNNLSTM", "CuDNNGRU", "PruneLowMagnitude", "IntegerLookup"),
}
# Keras 3.15 returns the symbolic input itself as this layer's output, which makes a functional model cyclic
CIRCULAR = {"Equalization"}
MERGES = ("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract")
Motif = Callable[["Net", str], str]


class Net:
    """A network that is being drawn: nodes, their shapes and dtypes, and shared weights."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.nodes: list[tuple[str, Layer, Sequence[str]]] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.types: dict[str, str] = {}
        self.shared: dict[str, str] = {}
        self.scope = ""

    def add(self, layer: Layer, *inputs: str, owner: str | None = None) -> str:
        """Add a call of a layer; raises `ArchcalcError` if it is invalid or too large."""
        shapes = tuple(self.shapes[x] for x in inputs)
        shape = integers(layer.output_shape(*shapes))
        if prod(shape) > MAX_UNITS or min(shape, default=1) < 1:
            raise ArchcalcError("too large to be measured quickly")
        if sum(integers(w.parameters for w in layer.weights(*shapes))) > MAX_PARAMETERS:
            raise ArchcalcError("too many weights to be measured quickly")
        kind = type(layer).__name__.removeprefix("ops.").lower()
        name = f"{self.scope}{kind}_{len(self.nodes)}"
        self.nodes.append((name, layer, inputs))
        self.shapes[name] = shape
        self.types[name] = layer.result_dtype("float32", *(self.types[x] for x in inputs))
        if owner is not None:
            self.shared[name] = owner
        return name

    def make(self, kind: str, *inputs: str, **arguments: Any) -> str:
        """Add a call of a layer of this type with these arguments."""
        return self.add(registered()[kind](**arguments), *inputs)

    def input(self, shape: tuple[int, ...], **more: Any) -> str:
        """Add an input of the model."""
        return self.make("InputLayer", shape=shape, **more)


def rank_of(net: Net, x: str) -> int:
    """Number of spatial axes."""
    return len(net.shapes[x]) - 1


def applicable(rank: int, *, spatial: bool) -> list[str]:
    """Layer types with one input: those for `rank` spatial axes, or those for any tensor."""
    return [
        name
        for name, cls in sorted(registered().items())
        if name not in ELSEWHERE | CIRCULAR and name not in MERGES and cls.rank == (rank if spatial else 0)
        if cls.keras_class
    ]


def any_layer(net: Net, x: str) -> str:
    """A layer of any type that fits; ReLU after three failed attempts."""
    rank = rank_of(net, x)
    for _ in range(3):
        spatial = rank in (1, 2, 3) and net.draw(st.sampled_from([True, True, False]))
        kind = net.draw(st.sampled_from(applicable(rank, spatial=spatial)))
        try:
            result = net.make(kind, x, **arguments(net.draw, registered()[kind], (net.shapes[x],)))
            # for most layers on integers TensorFlow has no kernels, or kernels that crash
            return result if floating(net.types[result]) else net.make("Rescaling", result, scale=1.0)
        except ArchcalcError:
            continue
    return net.make("Activation", x, activation="relu")


def chain(net: Net, x: str) -> str:
    """One to four layers of any type."""
    for _ in range(net.draw(st.integers(1, 4))):
        x = any_layer(net, x)
    return x


def keep_sides(net: Net, x: str, channels: int | None = None) -> str:
    """A layer that keeps the spatial sizes, with the input's number of channels or another one."""
    rank, width = rank_of(net, x), net.shapes[x][-1]
    wanted = channels or width
    if rank == 0 or rank > 3:
        return net.make("Dense", x, units=wanted, **_maybe_activation(net))
    pointwise = ["BatchNormalization", "LayerNormalization", "Activation", "Dropout", "PReLU"]
    kinds = [f"Conv{rank}D"] * 3 + ([] if channels else pointwise)
    kinds += {1: ["SeparableConv1D"], 2: ["SeparableConv2D"], 3: []}[rank]
    kinds += {1: ["DepthwiseConv1D"], 2: ["DepthwiseConv2D"], 3: []}[rank] if not channels else []
    kind = net.draw(st.sampled_from(kinds))
    chosen = arguments(net.draw, registered()[kind], (net.shapes[x],))
    if kind in pointwise:
        return net.make(kind, x, **chosen)
    chosen |= {"padding": "same", "strides": 1}
    chosen.pop("data_format", None)
    chosen.pop("depth_multiplier", None)
    chosen.pop("groups", None)
    if not kind.startswith("Depthwise"):
        chosen["filters"] = wanted
    return net.make(kind, x, **chosen)


def _maybe_activation(net: Net) -> dict[str, Any]:
    return {"activation": net.draw(st.sampled_from([None, "relu", "tanh", "sigmoid"]))}


def merge(net: Net, *inputs: str) -> str:
    """Branches of equal shape, merged."""
    kinds = [k for k in MERGES if k != "Subtract" or len(inputs) == 2]
    return net.make(net.draw(st.sampled_from(["Add", "Add", *kinds])), *inputs)


def residual(net: Net, x: str) -> str:
    """One to three layers and a skip connection around them."""
    y = x
    for _ in range(net.draw(st.integers(1, 3))):
        y = keep_sides(net, y)
    return merge(net, y, x)


def dense_block(net: Net, x: str) -> str:
    """Layers that each read the concatenation of all outputs before them."""
    for _ in range(net.draw(st.integers(1, 2))):
        x = net.make("Concatenate", x, keep_sides(net, x, channels=net.draw(st.integers(1, 3))))
    return x


def inception(net: Net, x: str) -> str:
    """Two to four branches of different depth, concatenated along the channels."""
    branches = []
    for _ in range(net.draw(st.integers(2, 4))):
        y = keep_sides(net, x, channels=net.draw(st.integers(1, 3)))
        for _ in range(net.draw(st.integers(0, 2))):
            y = keep_sides(net, y)
        branches.append(y)
    return net.make("Concatenate", *branches)


def squeeze_excite(net: Net, x: str) -> str:
    """A gate for each channel, computed from the whole image."""
    rank, width = rank_of(net, x), net.shapes[x][-1]
    if rank not in (1, 2, 3):
        return residual(net, x)
    pooling = net.draw(st.sampled_from(["GlobalAveragePooling", "GlobalMaxPooling"]))
    if net.draw(st.booleans()):
        gate = net.make(f"{pooling}{rank}D", x, keepdims=True)
    else:
        gate = net.make("Reshape", net.make(f"{pooling}{rank}D", x), target_shape=(*(1,) * rank, width))
    gate = net.make("Dense", gate, units=net.draw(st.integers(1, 4)), activation="relu")
    return net.make("Multiply", x, net.make("Dense", gate, units=width, activation="sigmoid"))


def skip(net: Net, x: str) -> str:
    """A level of a U-Net: downsampling, another motif, upsampling, and a skip connection."""
    rank = rank_of(net, x)
    sides = net.shapes[x][:-1]
    if rank not in (1, 2, 3) or min(sides) < 2:
        return residual(net, x)
    step = net.draw(st.integers(2, 3))
    if net.draw(st.booleans()):
        kind = net.draw(st.sampled_from(["Max", "Average"]))
        down = net.make(f"{kind}Pooling{rank}D", x, pool_size=step, padding="same")
    else:
        filters = net.draw(st.integers(1, 6))
        down = net.make(f"Conv{rank}D", x, filters=filters, kernel_size=3, strides=step, padding="same")
    inside: list[Motif] = [residual, inception, squeeze_excite, skip]
    inner = net.draw(st.sampled_from(inside))(net, down)
    if net.draw(st.booleans()):
        up = net.make(f"UpSampling{rank}D", inner, size=step)
    else:
        up = net.make(
            f"Conv{rank}DTranspose",
            inner,
            filters=net.draw(st.integers(1, 4)),
            kernel_size=net.draw(st.integers(1, 4)),
            strides=step,
            padding="same",
        )
    excess = tuple(u - n for u, n in zip(net.shapes[up][:-1], sides, strict=True))
    if any(excess):
        margins = tuple((e // 2, e - e // 2) for e in excess)
        up = net.make(f"Cropping{rank}D", up, cropping=margins if rank > 1 else margins[0])
    return net.make("Concatenate", x, up)


def shared(net: Net, x: str) -> str:
    """One layer called on two tensors of the same shape, and both results merged."""
    other = net.make("Activation", x, activation="tanh")
    first = keep_sides(net, x)
    name, layer, _ = net.nodes[-1]
    if not layer.weights(net.shapes[x]):
        first = net.make("Dense", x, units=net.draw(st.integers(1, 4)))
        name, layer, _ = net.nodes[-1]
    second = net.add(layer, other, owner=name)
    if net.draw(st.booleans()) and net.shapes[second] == net.shapes[x]:
        second = net.add(layer, second, owner=name)
    return merge(net, first, second)


def nested(net: Net, x: str) -> str:
    """Another motif with a name prefix, like a block or a model inside the model."""
    outer, net.scope = net.scope, f"{net.scope}block{len(net.nodes)}/"
    try:
        motif: Motif = net.draw(st.sampled_from(SIMPLE))
        return motif(net, x)
    finally:
        net.scope = outer


def side_input(net: Net, x: str) -> str:
    """Another input of the model with the same shape, merged after some layers."""
    y = net.input(net.shapes[x])
    for _ in range(net.draw(st.integers(0, 2))):
        y = keep_sides(net, y)
    if net.draw(st.booleans()):
        return merge(net, x, y)
    axes = range(1, len(net.shapes[x]) + 1)
    return net.make("Concatenate", x, y, axis=net.draw(st.sampled_from([-1, *axes])))


def scaled_residual(net: Net, x: str) -> str:
    """A residual branch that is scaled before it is added (Inception-ResNet)."""
    return net.make("CustomScaleLayer", x, keep_sides(net, x), scale=net.draw(st.sampled_from([0.1, 0.5])))


def dot(net: Net, x: str) -> str:
    """The dot product of two vectors, or of the steps of two sequences."""
    if rank_of(net, x) > 1:
        return residual(net, x)
    axes = -1 if rank_of(net, x) == 0 else net.draw(st.sampled_from([2, 1, (1, 1), (2, 2)]))
    return net.make("Dot", x, keep_sides(net, x), axes=axes, normalize=net.draw(st.booleans()))


def unrolled(net: Net, x: str) -> str:
    """A vector repeated into a sequence, or an image reshaped into one."""
    if rank_of(net, x) == 0:
        return chain(net, net.make("RepeatVector", x, n=net.draw(st.integers(1, 5))))
    *sides, width = net.shapes[x]
    return chain(net, net.make("Reshape", x, target_shape=(prod(sides), width)))


def operations(net: Net, x: str) -> str:
    """One to five functions of `keras.ops` in a row."""
    for _ in range(net.draw(st.integers(1, 5))):
        x = operation(net, x)
        if not net.shapes[x]:
            # other motifs need a last axis
            x = net.make("Reshape", x, target_shape=(1,))
    return x


SIMPLE: list[Motif] = [chain, residual, inception, dense_block, squeeze_excite]
MOTIFS: list[Motif] = [
    *[chain] * 6,
    residual,
    dense_block,
    inception,
    squeeze_excite,
    skip,
    shared,
    nested,
    side_input,
    scaled_residual,
    dot,
    unrolled,
    attention,
    recurrence,
    step_by_step,
    scores,
    crossing,
]


def _first(net: Net) -> str:
    """The first input: an image of one to three axes, a vector, indices of an embedding, or a beginning."""
    if net.draw(st.integers(0, 4)) == 4:
        with suppress(ArchcalcError):
            return rearranged(net)
        net.nodes.clear()
    rank = net.draw(st.sampled_from([2, 2, 2, 1, 3, 0]))
    most = {0: 8, 1: 24, 2: 13, 3: 6}[rank]
    sides = tuple(net.draw(st.integers(2, most)) for _ in range(rank))
    if rank == 1 and net.draw(st.integers(0, 3)) == 3:
        vocabulary, width = net.draw(st.integers(2, 9)), net.draw(st.integers(1, 5))
        x = net.input(sides, dtype="int32")
        kind = net.draw(st.sampled_from(["Embedding", "Embedding", "ReversibleEmbedding"]))
        chosen = arguments(net.draw, registered()[kind], (sides,))
        return net.make(kind, x, **chosen | {"input_dim": vocabulary, "output_dim": width})
    return net.input((*sides, net.draw(st.integers(1, 5))))


def _head(net: Net, x: str) -> str:
    rank = rank_of(net, x)
    if rank in (1, 2, 3) and net.draw(st.booleans()):
        x = net.make(f"GlobalAveragePooling{rank}D", x)
    elif rank > 0:
        x = net.make("Flatten", x)
    return net.make("Dense", x, units=net.draw(st.integers(1, 5)), activation="softmax")


@st.composite
def architectures(
    draw: Any,
    min_motifs: int = 2,
    max_motifs: int = 7,
    name: str = "drawn",
    *,
    with_operations: bool = False,
) -> Graph:
    """A whole network as a `Graph`, of `min_motifs` to `max_motifs` motifs and perhaps a head.

    `with_operations`: functions of `keras.ops` are drawn too.

    Examples shrink towards few layers and small tensors; `archcalc.to_spec` writes one as a spec.
    """
    net = Net(draw)
    x = _first(net)
    outputs = []
    for _ in range(draw(st.integers(min_motifs, max_motifs))):
        motif = draw(st.sampled_from([*MOTIFS, *[operations] * 5] if with_operations else MOTIFS))
        before = (len(net.nodes), dict(net.shapes), dict(net.shared))
        try:
            x = motif(net, x)
        except ArchcalcError:
            # a motif that does not fit is removed as a whole
            del net.nodes[before[0] :]
            _, net.shapes, net.shared = before
            net.scope = ""
        if draw(st.integers(0, 7)) == 7:
            outputs.append(x)
    if draw(st.booleans()):
        with suppress(ArchcalcError):
            x = _head(net, x)
    if net.nodes[-1][0] == x and not net.nodes[-1][2]:
        x = net.make("Activation", x, activation="relu")
    return Graph.of(name, net.nodes, list(dict.fromkeys([*outputs, x])), shared=net.shared)
