"""AC4xx: windows, strides and fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archcalc.layers import primitives as prim
from archcalc.report.rule import Offence
from archcalc.review.lint.declare import Found, conv, dense, layer, rule, spec
from archcalc.review.lint.network import MOVES, Network, Part, number

SHARE, MANY = 0.5, 1_000_000  # of all parameters in one layer; parameters that are many


class Window:
    """One axis of a window whose sizes are numbers."""

    def __init__(self, window: prim.SlidingWindow) -> None:
        self.axis = window.axis
        self.size: Any = window.size
        self.positions: Any = window.positions
        self.kernel: Any = window.kernel
        self.stride: Any = window.stride
        self.dilation: Any = window.dilation
        self.pad: Any = window.pad_before
        self.extent = self.dilation * (self.kernel - 1) + 1

    @property
    def unread(self) -> int:
        """The units at the end of the axis that no position reads."""
        last = (self.positions - 1) * self.stride + self.extent - self.pad
        return int(max(self.size - last, 0))

    @property
    def idle_taps(self) -> int:
        """The taps that read padding at every position."""
        count = 0
        for tap in range(self.kernel):
            first = self.dilation * tap - self.pad
            last = first + (self.positions - 1) * self.stride
            reached = max(first, first + self.stride * -(first // self.stride)) if first < 0 else first
            count += not (reached < self.size and reached <= last)
        return count


def windows(part: Part) -> list[Window]:
    """The axes of a kernel's or a pooling's window; empty where a size is open."""
    found = [w for w in getattr(part.primitive, "windows", ()) if isinstance(w, prim.SlidingWindow)]
    fields = ("size", "positions", "kernel", "stride", "dilation", "pad_before")
    if any(number(getattr(w, name)) is None for w in found for name in fields):
        return []
    return [Window(w) for w in found]


def sliding(net: Network) -> Iterator[tuple[Part, list[Window]]]:
    """The convolutions and poolings whose sizes are numbers, without transposed ones."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            p = part.primitive
            if isinstance(p, prim.Convolve | prim.LocallyConnected | prim.Pool) and (
                not getattr(p, "transposed", False) and (axes := windows(part))
            ):
                yield part, axes


def _others(net: Network, part: Part) -> tuple[list[Part], bool]:
    """What else reads the tensor that this layer, or the padding before it, reads; and whether it is that."""
    reader = part.node
    source = net.graph.nodes[reader].inputs[0].node
    while net.consumers[source] == [reader] and len(net.graph.nodes[source].inputs) == 1:
        if not all(isinstance(p.primitive, MOVES) for p in net.parts[source] or (part,)):
            break
        reader, source = source, net.graph.nodes[source].inputs[0].node
    readers = set(net.consumers[source]) - {reader}
    return [p for i in readers for p in (net.parts[i] or (Part(i, None),))[:1]], reader != part.node


def _padding(net: Network, part: Part) -> dict[int, int]:
    """The zeros at the end of each axis that a layer directly before this one adds."""
    before = net.parts[net.graph.nodes[part.node].inputs[0].node] or ()
    pairs = before[-1].primitive.pairs if before and isinstance(before[-1].primitive, prim.Pad) else ()
    return {axis: number(after) or 0 for axis, (_, after) in enumerate(pairs)}


def _skips(axes: list[Window]) -> bool:
    return any(w.stride > w.extent and w.positions > 1 for w in axes)


@rule(
    "AC401",
    "warning",
    why="A stride larger than the kernel leaves rows and columns between the windows that no unit "
    "reads: part of what the layers before it computed is thrown away.",
    sure="Certain. Where another layer reads the same tensor as a whole, as beside a shortcut, it is "
    "left alone.",
    source="He et al., Bag of Tricks, CVPR 2019, section 4 (ResNet-C and D: a 1x1 kernel of stride 2 "
    "ignores 3/4)",
    faulty=spec((16, 16, 3), conv(8), conv(8, 1, strides=2), conv(8)),
    mended=spec((16, 16, 3), conv(8), conv(8, 3, strides=2), conv(8)),
)
def skipped_input(net: Network) -> Found:
    """A window whose stride is larger than its kernel."""
    for part, axes in sliding(net):
        if not _skips(axes) or len(net.graph.nodes[part.node].inputs) != 1:
            continue
        others, moved = _others(net, part)
        if net.graph.nodes[part.node].inputs[0].node in net.outputs or (moved and others):
            continue  # after padding it may read what the others leave out
        if all(p.primitive is not None and _skips(windows(p)) for p in others):
            read = 1.0
            for w in axes:
                read *= min(w.extent / w.stride, 1.0)
            yield Offence(
                part.node,
                f"stride {_shown(axes, 'stride')} with kernel {_shown(axes, 'extent')}: {1 - read:.0%} of "
                "its input is read by no layer",
                "a kernel as large as the stride, or average pooling before it",
            )


def _shown(axes: list[Window], name: str) -> str:
    return "x".join(str(getattr(w, name)) for w in axes)


@rule(
    "AC402",
    "warning",
    why="A unit that sees less than the object must guess it from a part.",
    sure="Certain as to the size; textures can be told from a part.",
    source="Araujo, Norris, Sim, Computing Receptive Fields, Distill 2019; Richter et al., arXiv 2106.12307",
    faulty=spec((64, 64, 3), conv(8), conv(8), layer("GlobalAveragePooling2D"), dense(3)),
    mended=spec(
        (64, 64, 3),
        *(conv(8, strides=2) for _ in range(5)),
        layer("GlobalAveragePooling2D"),
        dense(3),
    ),
    largest_object=40,
)
def object_larger_than_field(net: Network) -> Found:
    """A largest receptive field that is smaller than the largest object (`largest-object`)."""
    wanted, field = net.given.get("largest-object"), net.largest_field
    if wanted is None or field is None:
        return
    node, size = field
    if size < int(wanted):
        yield Offence(
            node,
            f"no unit sees more than {size} pixels, and objects are up to {wanted}",
            "more layers, larger kernels, strides or dilation",
        )


@rule(
    "AC403",
    "warning",
    why="Two objects within one step of the last feature map fall into one unit, and an object smaller "
    "than the step is a small share of what a unit sees.",
    sure="Often; for classifying a whole image it need not matter.",
    source="Lin et al., Feature Pyramid Networks, CVPR 2017; Richter et al., arXiv 2106.12307",
    faulty=spec((64, 64, 3), *(conv(8, strides=2) for _ in range(4)), conv(1, 1, "sigmoid")),
    mended=spec((64, 64, 3), conv(8, strides=2), conv(8), conv(8), conv(1, 1, "sigmoid")),
    smallest_object=8,
)
def object_below_stride(net: Network) -> Found:
    """An effective stride that is larger than the smallest object (`smallest-object`)."""
    wanted = net.given.get("smallest-object")
    strides = [] if wanted is None else list(net.strides)
    if strides and (worst := max(strides, key=lambda found: found[1]))[1] > int(str(wanted)):
        yield Offence(
            worst[0],
            f"neighbouring units are {worst[1]} pixels apart, and objects are as small as {wanted}",
            "fewer strides, or a branch from a layer before them",
        )


@rule(
    "AC404",
    "info",
    why="A layer whose input already sees the whole image combines nothing that it has not seen: such "
    "layers add parameters and work, and little accuracy.",
    sure="Often, for networks trained on images of this size; with pretrained weights and other sizes "
    "it differs.",
    source="Richter, Byttner, Krumnack, (Input) Size Matters, arXiv 2106.12307",
    faulty=spec((16, 16, 3), *(conv(16) for _ in range(16)), layer("GlobalAveragePooling2D"), dense(3)),
    mended=spec((16, 16, 3), *(conv(16) for _ in range(6)), layer("GlobalAveragePooling2D"), dense(3)),
)
def layers_past_the_image(net: Network) -> Found:
    """Convolutions whose input already sees the whole image."""
    image = net.image
    kernels = [p for p in net.kernels if isinstance(p.primitive, prim.Convolve)]
    kernels = [p for p in kernels if any(number(w.kernel) != 1 for w in p.primitive.windows)]
    if image is None or not kernels:
        return
    seen = {p.node: net.field(net.graph.nodes[p.node].inputs[0].node) for p in kernels}
    past = [
        node
        for node, sizes in seen.items()
        if sizes and all(a >= b for a, b in zip(sizes, image, strict=False))
    ]
    counts = net.figures.parameters
    all_of_them = number(net.report.totals.parameters)
    of_past = sum(n for node in past if (n := number(counts[node])) is not None)
    if past and all_of_them and of_past > all_of_them / 10:
        yield Offence(
            past[0],
            f"from here on the input of each convolution sees the whole image: {len(past)} of {len(kernels)} "
            f"convolutions, {of_past / all_of_them:.0%} of the parameters",
            "fewer layers or strides, or larger images",
        )


@rule(
    "AC405",
    "warning",
    why="With an even kernel, same padding puts one more unit at the end than at the beginning, so "
    "that every layer shifts the feature map by half a unit, always in the same direction.",
    sure="Certain; it matters where positions do, as in segmentation.",
    source="Wu et al., Convolution with Even-Sized Kernels and Symmetric Padding, NeurIPS 2019",
    faulty=spec((16, 16, 3), conv(8, 4), conv(8, 4), conv(1, 1, "sigmoid")),
    mended=spec((16, 16, 3), conv(8, 3), conv(8, 5), conv(1, 1, "sigmoid")),
)
def even_kernel(net: Network) -> Found:
    """An even kernel of stride 1 with same padding."""
    for part, axes in sliding(net):
        if isinstance(part.primitive, prim.Pool):
            continue
        same = [w for w in axes if w.stride == 1 and w.positions == w.size and w.pad == (w.extent - 1) // 2]
        if any(w.extent % 2 == 0 for w in same):
            yield Offence(
                part.node,
                f"kernel {_shown(axes, 'kernel')} with same padding shifts the map by half a unit",
                "an odd kernel",
            )


@rule(
    "AC406",
    "warning",
    why="If the stride does not divide the kernel, output units are made of different numbers of taps, "
    "in a pattern of the stride's period: the checkerboard of many generated images.",
    sure="Certain as to the overlap; training can partly make up for it.",
    source="Odena, Dumoulin, Olah, Deconvolution and Checkerboard Artifacts, Distill 2016",
    faulty=spec(
        (8, 8, 16), layer("Conv2DTranspose", filters=8, kernel_size=3, strides=2, padding="same"), conv(3)
    ),
    mended=spec(
        (8, 8, 16), layer("Conv2DTranspose", filters=8, kernel_size=4, strides=2, padding="same"), conv(3)
    ),
)
def checkerboard(net: Network) -> Found:
    """A transposed convolution whose kernel is no multiple of its stride."""
    for part in net.kernels:
        p = part.primitive
        if not isinstance(p, prim.Convolve) or not p.transposed:
            continue
        axes = [(number(w.kernel), number(w.stride)) for w in p.windows]
        if any(k is not None and s is not None and s > 1 and k % s for k, s in axes):
            yield Offence(
                part.node,
                f"kernel {'x'.join(str(k) for k, _ in axes)}, stride {'x'.join(str(s) for _, s in axes)}: "
                "output units are sums of different numbers of taps",
                "a kernel that is a multiple of the stride, or upsampling and a convolution",
            )


@rule(
    "AC407",
    "warning",
    why="These taps read nothing but padding at every position: their weights get no gradient, and a "
    "dilated kernel becomes a smaller one.",
    sure="Certain at this input size.",
    source="Chen et al., Rethinking Atrous Convolution (DeepLabv3), arXiv 1706.05587, 3.3",
    faulty=spec((8, 8, 16), conv(8, 3, dilation_rate=12), layer("Flatten")),
    mended=spec((8, 8, 16), conv(8, 3, dilation_rate=2), layer("Flatten")),
)
def taps_in_the_padding(net: Network) -> Found:
    """A kernel with taps that never reach its input."""
    for part, axes in sliding(net):
        if isinstance(part.primitive, prim.Pool):
            continue
        used, taps = 1, 1
        for w in axes:
            used, taps = used * (w.kernel - w.idle_taps), taps * w.kernel
        if used < taps:
            yield Offence(
                part.node,
                f"{taps - used} of {taps} taps read only padding of an input of {_shown(axes, 'size')}",
                "a smaller kernel or dilation, fewer strides before it, or larger images",
            )


@rule(
    "AC408",
    "info",
    why="What lies past the last whole window is read by no unit.",
    sure="Certain at this input size; often a row or two that do not matter.",
    source="Dumoulin & Visin, A guide to convolution arithmetic, arXiv 1603.07285, 2.4",
    faulty=spec((15, 15, 3), conv(8), layer("MaxPooling2D", pool_size=2), conv(8)),
    mended=spec((16, 16, 3), conv(8), layer("MaxPooling2D", pool_size=2), conv(8)),
)
def unread_border(net: Network) -> Found:
    """Rows or columns at the end of a tensor that a strided window never reaches."""
    for part, axes in sliding(net):
        padding = _padding(net, part)
        lost = [w for w in axes if w.unread > padding.get(w.axis, 0) and w.stride > 1]
        whole = not all(windows(p) and any(w.unread for w in windows(p)) for p in _others(net, part)[0])
        if lost and not _skips(axes) and not whole:
            most = max(lost, key=lambda w: w.unread / w.size)
            yield Offence(
                part.node,
                f"the last {most.unread} of {most.size} units of an axis are read by no window",
                'padding="same", or a size that fits',
            )


@rule(
    "AC409",
    "info",
    why="Taking every second unit of a map that varies faster than that folds high frequencies into "
    "low ones: a shift of the image by one pixel changes the output.",
    sure="Certain as to the signal; whether it costs accuracy depends on the data.",
    source="Zhang, Making Convolutional Networks Shift-Invariant Again, ICML 2019; Azulay & Weiss, JMLR 2019",
    faulty=spec((32, 32, 3), conv(8), layer("MaxPooling2D"), conv(8)),
    mended=spec((32, 32, 3), conv(8), layer("AveragePooling2D", pool_size=2), conv(8)),
)
def downsampling_without_low_pass(net: Network) -> Found:
    """Strided convolutions and max pooling without a low-pass filter."""
    found = [
        part.node
        for part, axes in sliding(net)
        if any(w.stride > 1 and w.positions > 1 for w in axes)
        and getattr(part.primitive, "kind", "") != "average"
    ]
    if found:
        layers = "this layer takes" if len(found) == 1 else f"this and {len(found) - 1} more take"
        yield Offence(
            found[0],
            f"{layers} every second unit or fewer without smoothing",
            "average pooling or a blur before the stride, where shifts matter",
        )


@rule(
    "AC410",
    "info",
    why="Flatten gives every position separate weights: the layer holds most of the network, learns "
    "each position anew, and accepts one input size only.",
    sure="Often; right where position itself matters.",
    source="Lin, Chen, Yan, Network in Network, ICLR 2014, 3.2 (global average pooling)",
    faulty=spec(
        (64, 64, 3), conv(32), layer("MaxPooling2D"), layer("Flatten"), dense(128, "relu"), dense(10)
    ),
    mended=spec((64, 64, 3), conv(32), layer("MaxPooling2D"), layer("GlobalAveragePooling2D"), dense(10)),
)
def dense_after_flatten(net: Network) -> Found:
    """A Dense after Flatten that holds most of a million or more parameters."""
    everything = number(net.report.totals.parameters)
    for part in net.kernels:
        count = number(net.figures.parameters[part.node])
        if not isinstance(part.primitive, prim.Matrix) or not count or not everything:
            continue
        if count > SHARE * everything and everything >= MANY and _flattens(net, part.node):
            yield Offence(
                part.node,
                f"holds {count / everything:.0%} of {everything:,} parameters and fixes the input size",
                "global average pooling in place of Flatten, or pooling before it",
            )


def _flattens(net: Network, node: int) -> bool:
    """Whether a layer reads what was a map of several positions."""
    source = net.graph.nodes[node].inputs[0].node
    while len(net.graph.nodes[source].inputs) == 1:
        before = net.inputs(source)[0]
        parts = net.parts[source] or ()
        if any(isinstance(p.primitive, prim.Reshape) for p in parts):
            return len(before) > 1 and any(number(n) != 1 for n in before[:-1])
        if any(not isinstance(p.primitive, prim.Dropout) for p in parts):
            return False
        source = net.graph.nodes[source].inputs[0].node
    return False


@rule(
    "AC411",
    "warning",
    why="A locally connected layer has separate weights at every position. With implementation=2 "
    "Keras stores them as one dense matrix, zeros included.",
    sure="Certain as to the memory.",
    source="Keras 2, documentation of LocallyConnected2D (implementation); LeCun 1989 (weight sharing)",
    faulty=spec(
        (16, 16, 4), layer("LocallyConnected2D", filters=8, kernel_size=3, implementation=2), layer("Flatten")
    ),
    mended=spec((16, 16, 4), layer("LocallyConnected2D", filters=8, kernel_size=3), layer("Flatten")),
)
def locally_connected_memory(net: Network) -> Found:
    """A locally connected layer that stores zeros, or holds most of a million or more parameters."""
    everything = number(net.report.totals.parameters)
    for part, axes in sliding(net):
        p = part.primitive
        count = number(net.figures.parameters[part.node])
        if not isinstance(p, prim.LocallyConnected) or count is None:
            continue
        positions = 1
        for w in axes:
            positions *= w.positions
        if p.implementation == 2:
            yield Offence(
                part.node,
                f"implementation=2 stores {count:,} weights, most of them zeros",
                "implementation=1 (valid) or 3, which store the connections only",
            )
        elif everything and count > SHARE * everything and everything >= MANY:
            yield Offence(
                part.node,
                f"{count:,} weights, a kernel for each of {positions:,} positions: {count / everything:.0%}",
                "a convolution, which shares one kernel, unless the position decides what is there",
            )
