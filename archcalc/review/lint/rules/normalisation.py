"""AC5xx: normalisation, dropout, and the scale of inputs."""

from __future__ import annotations

from itertools import takewhile

from archcalc.layers import primitives as prim
from archcalc.report.rule import Offence
from archcalc.review.lint.declare import Found, conv, dense, layer, rule, spec
from archcalc.review.lint.network import KERNELS, MOVES, Network, Part, number

HIGH = 0.8  # rate of dropout
SHIFTS = 0.5  # rate from which on the variance differs even after weights
FLOATS = (None, "float16", "bfloat16", "float32", "float64")


def is_batch_norm(part: Part | None) -> bool:
    p = None if part is None else part.primitive
    return (
        isinstance(p, prim.BatchStandardise)
        and p.batch_statistics
        and not p.floor
        and isinstance(p.mean, str)
    )


@rule(
    "AC501",
    "info",
    why="BatchNormalization subtracts the mean, and with it any bias added just before: the bias gets "
    "no gradient and its weights, state and work are for nothing.",
    sure="Certain in training; harmless.",
    source="Ioffe & Szegedy, Batch Normalization, ICML 2015, 3.2",
    faulty=spec((16, 16, 3), conv(8, 3, None), layer("BatchNormalization"), layer("ReLU"), conv(1)),
    mended=spec(
        (16, 16, 3), conv(8, 3, None, use_bias=False), layer("BatchNormalization"), layer("ReLU"), conv(1)
    ),
)
def bias_before_batch_normalization(net: Network) -> Found:
    """A bias directly before BatchNormalization."""
    for part in net.kernels:
        if getattr(part.primitive, "bias", None) and is_batch_norm(next(net.after(part), None)):
            yield Offence(
                part.node, "its bias is subtracted by the BatchNormalization after it", "use_bias=False"
            )


@rule(
    "AC502",
    "warning",
    why="Dropout changes the variance of what it passes on in training and not at inference, so the "
    "statistics that BatchNormalization stored do not fit at inference.",
    sure="Often; with a small rate and much width the shift is small. Below a rate of 0.5 dropout with "
    "weights before the normalisation is left alone.",
    source="Li et al., Understanding the Disharmony between Dropout and Batch Normalization, CVPR 2019",
    faulty=spec((16,), dense(32, "relu"), layer("Dropout", rate=0.5), layer("BatchNormalization"), dense(3)),
    mended=spec((16,), dense(32, "relu"), layer("BatchNormalization"), layer("Dropout", rate=0.5), dense(3)),
)
def dropout_before_batch_normalization(net: Network) -> Found:
    """Dropout whose output reaches BatchNormalization within the same chain of layers."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            p = part.primitive
            if not isinstance(p, prim.Dropout) or p.per_sample or not p.rate:
                continue
            normalised = next((after for after in net.after(part) if is_batch_norm(after)), None)
            if normalised is None:
                continue
            between = takewhile(lambda after, end=normalised: after != end, net.after(part))
            if p.rate >= SHIFTS or not any(isinstance(after.primitive, KERNELS) for after in between):
                yield Offence(
                    i,
                    f"dropout before {net.name(normalised.node)!r}: the stored variance is that with dropout",
                    "dropout after the last BatchNormalization",
                )


@rule(
    "AC503",
    "error",
    why="One value minus its own mean is 0: the output is the constant beta, and no gradient passes.",
    sure="Certain.",
    source="Ba, Kiros, Hinton, Layer Normalization, arXiv 1607.06450; Wu & He, Group Normalization, "
    "ECCV 2018",
    faulty=spec((8,), dense(1, "relu"), layer("LayerNormalization"), dense(1)),
    mended=spec((8,), dense(16, "relu"), layer("LayerNormalization"), dense(1)),
)
def normalisation_of_one_unit(net: Network) -> Found:
    """A normalisation whose mean is taken over one unit."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            p = part.primitive
            if isinstance(p, prim.Standardise) and p.centre and _count(net, part) == 1:
                yield Offence(
                    i, "normalises each unit by itself, which leaves the constant beta", "more units"
                )


def _count(net: Network, part: Part) -> int | None:
    """The units of one mean."""
    p = part.primitive
    if p.count is not None:
        return number(p.count)
    shape = net.inputs(part.node)[0]
    together, groups = 1, number(p.groups)
    for axis in p.axes:
        size = number(shape[axis]) if axis < len(shape) else None
        if size is None:
            return None
        together *= size
    return None if groups is None else together // groups


@rule(
    "AC504",
    "warning",
    why="The second normalisation finds mean 0 and variance 1 already; only its weights remain, and "
    "they repeat the first one's.",
    sure="Nearly always a slip.",
    source="Ioffe & Szegedy, Batch Normalization, ICML 2015, 3.1",
    faulty=spec((16,), dense(32), layer("BatchNormalization"), layer("BatchNormalization"), dense(3)),
    mended=spec((16,), dense(32), layer("BatchNormalization"), dense(3)),
)
def normalised_twice(net: Network) -> Found:
    """BatchNormalization directly after BatchNormalization."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            if is_batch_norm(part) and is_batch_norm(following := next(net.after(part), None)) and following:
                yield Offence(
                    following.node, f"normalises what {net.name(i)!r} has normalised", "one of the two"
                )


@rule(
    "AC505",
    "warning",
    why="With so few units left the rest are scaled up five times and more, and the gradient is mostly "
    "noise.",
    sure="Often; very wide layers have been trained so. Keras's rate is the share that is dropped: 0.9 "
    "in place of 0.1 is a slip that older tutorials, in which it was the share kept, invite.",
    source="Srivastava et al., Dropout, JMLR 2014, 7.3 (kept: 0.4 to 0.8 of the hidden units)",
    faulty=spec((16,), dense(64, "relu"), layer("Dropout", rate=0.9), dense(3)),
    mended=spec((16,), dense(64, "relu"), layer("Dropout", rate=0.1), dense(3)),
)
def high_dropout(net: Network) -> Found:
    """Dropout of more than 80 % of the units."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            p = part.primitive
            if isinstance(p, prim.Dropout) and not p.noise and not p.per_sample and HIGH < p.rate < 1:
                yield Offence(
                    i, f"drops {p.rate:.0%} of the units", f"rate={1 - p.rate:.2g}, if that is the meaning"
                )


@rule(
    "AC506",
    "info",
    why="Neighbouring units of a feature map are alike, so dropping single ones hides little: the "
    "information remains beside them.",
    sure="Often.",
    source="Tompson et al., Efficient Object Localization, CVPR 2015, 3.2 (SpatialDropout)",
    faulty=spec((16, 16, 3), conv(8), layer("Dropout", rate=0.3), conv(8), layer("Flatten"), dense(3)),
    mended=spec(
        (16, 16, 3), conv(8), layer("SpatialDropout2D", rate=0.3), conv(8), layer("Flatten"), dense(3)
    ),
)
def dropout_of_single_pixels(net: Network) -> Found:
    """Dropout of single units between convolutions."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            plain = (
                type(net.layer(i)).__name__ == "Dropout"
                and getattr(net.layer(i), "noise_shape", None) is None
            )
            shape = net.inputs(i)[0] if plain else ()
            maps = len(shape) > 2 and all(number(n) != 1 for n in shape[:-1])
            if not isinstance(part.primitive, prim.Dropout) or not maps:
                continue
            weights = next((p for p in net.after(part) if isinstance(p.primitive, KERNELS)), None)
            if weights is not None and isinstance(weights.primitive, prim.Convolve):
                yield Offence(
                    i, "drops single units of a feature map", "SpatialDropout, which drops whole channels"
                )


@rule(
    "AC507",
    "info",
    why="Weights are initialised for inputs of mean 0 and variance 1. Pixels of 0 to 255 make the "
    "first layer's output, and its gradient, a hundred times as large.",
    sure="Unknown from the network alone: the data may be scaled before it. Say so with `input-range`.",
    source="LeCun et al., Efficient BackProp, 1998, 4.3; Keras, guide to preprocessing layers",
    faulty=spec((32, 32, 3), conv(8), layer("Flatten"), dense(3)),
    mended=spec((32, 32, 3), layer("Rescaling", scale=1 / 255), conv(8), layer("Flatten"), dense(3)),
)
def input_not_scaled(net: Network) -> Found:
    """An input that weights read without a scale: no Rescaling, no normalisation, no stated range."""
    if net.given.get("input-range") is not None:
        return
    for i in net.graph.inputs:
        if getattr(net.layer(i), "dtype", None) not in FLOATS:
            continue
        for reader in net.consumers[i]:
            parts = [
                p for p in net.parts[reader] or () if not isinstance(p.primitive, (*MOVES, prim.Dropout))
            ]
            first = parts[0] if parts else _first_after(net, reader)
            if first is not None and isinstance(first.primitive, KERNELS):
                yield Offence(
                    i,
                    "nothing scales or normalises this input before its first weights",
                    "Rescaling, Normalization, or `input-range` if the data are scaled before",
                )
                break


def _first_after(net: Network, node: int) -> Part | None:
    """The first part after a node that only moves values."""
    following = net.next(node)
    while following is not None:
        parts = [p for p in net.parts[following] or () if not isinstance(p.primitive, (*MOVES, prim.Dropout))]
        if parts:
            return parts[0]
        following = net.next(following)
    return None
