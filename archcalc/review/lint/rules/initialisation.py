"""AC3xx: initial weights, the optimizer's steps, and what is trained."""

from __future__ import annotations

from math import sqrt

from archcalc.analyses.initial import draw
from archcalc.layers import primitives as prim
from archcalc.report.rule import Offence
from archcalc.review.lint.declare import Found, conv, dense, layer, rule, spec, trained
from archcalc.review.lint.network import KERNELS, Network, Part, number

NORMALISATION = (prim.BatchStandardise, prim.Standardise, prim.DivideByStd)
COLLAPSE = 0.1  # of the variance of a signal that a layer passes on
# optimizers whose first step changes every weight by about the learning rate
SIGNED = ("adam", "adamw", "adamax", "nadam", "rmsprop", "adagrad", "lion")
LEAST, MOST, MOST_SIGNED, ADADELTA = 1e-6, 1.0, 0.1, 0.01


def _draw(net: Network, part: Part) -> tuple[float, float] | None:
    """Mean and variance of the elements of a kernel at initialisation."""
    weight = net.weight(part)
    if weight is None or any(number(n) is None for n in weight.shape):
        return None
    drawn = draw(weight.initializer, weight.shape)
    return None if drawn is None else (drawn.mean, drawn.variance)


@rule(
    "AC301",
    "error",
    why="Units that begin with equal weights compute the same, get the same gradient and stay equal: "
    "the layer is one unit, many times.",
    sure="Certain, unless values are loaded. The last layer of the network or of a residual branch may "
    "begin at zero, and is left alone.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 8.4 (breaking symmetry)",
    faulty=spec((8,), dense(16, "relu", kernel_initializer="ones"), dense(1)),
    mended=spec((8,), dense(16, "relu", kernel_initializer="he_normal"), dense(1)),
)
def equal_units(net: Network) -> Found:
    """A hidden layer all of whose weights begin with one value."""
    for part in net.kernels:
        weight, drawn = net.weight(part), _draw(net, part)
        if drawn is None or drawn[1] != 0 or weight is None or weight.trainable is not True:
            continue
        kind = part.primitive
        several = number(net.shapes[part.node][0][-1]) != 1
        factor = isinstance(kind, prim.Convolve) and kind.depthwise
        leads_to_weights = any(isinstance(p.primitive, KERNELS) for p in net.after(part))
        if several and not factor and leads_to_weights and part.node not in net.head_nodes:
            yield Offence(
                part.node,
                f"every weight begins as {drawn[0]:g}, so that all units stay equal",
                "a random initialiser: he_normal before relu, glorot_uniform else",
            )


@rule(
    "AC302",
    "warning",
    why="Keras computes the fans of a depthwise kernel as if every output read all channels, so "
    "Glorot's and He's variance is too small by their number, and the signal collapses.",
    sure="Certain as to the variance; normalisation after the layer restores it, and such layers are "
    "left alone.",
    source="Keras, compute_fans in keras/src/initializers; Glorot & Bengio, AISTATS 2010 (the variance "
    "that keeps)",
    faulty=spec(
        (16, 16, 64), layer("DepthwiseConv2D", kernel_size=3, activation="relu"), conv(8), layer("Flatten")
    ),
    mended=spec(
        (16, 16, 64),
        layer("DepthwiseConv2D", kernel_size=3, use_bias=False),
        layer("BatchNormalization"),
        layer("ReLU"),
        conv(8),
        layer("Flatten"),
    ),
)
def depthwise_collapses(net: Network) -> Found:
    """A depthwise kernel whose initialiser makes its output far smaller than its input."""
    for part in net.kernels:
        kernel = part.primitive
        if not isinstance(kernel, prim.Convolve) or not kernel.depthwise:
            continue
        weight, drawn = net.weight(part), _draw(net, part)
        if weight is None or drawn is None or weight.trainable is not True or drawn[1] == 0:
            continue
        taps = 1
        for n in weight.shape[:-2]:
            taps *= number(n) or 1
        gain = taps * (drawn[1] + drawn[0] ** 2)
        if gain < COLLAPSE and not any(isinstance(p.primitive, NORMALISATION) for p in net.after(part)):
            yield Offence(
                part.node,
                f"the depthwise kernel begins with a variance that passes on {gain:.2g} of the signal's",
                "normalisation after it, or VarianceScaling with a scale as large as the number of channels",
            )


@rule(
    "AC303",
    "warning",
    why="Steps that are too large throw away the initial weights, or diverge; steps that are too small "
    "train nothing in any number of epochs. Adam and its relatives change each weight by about the "
    "learning rate at every first step, whatever the gradient.",
    sure="Often. Above 1 for SGD, above 0.1 or above the size of the initial weights for Adam's "
    "relatives, below 1e-6 for any, below 0.01 for Adadelta, whose authors use 1.",
    source="Bengio, Practical Recommendations, arXiv 1206.5533, 3.1.1; Kingma & Ba, ICLR 2015, 2.1; "
    "Zeiler, arXiv 1212.5701",
    faulty=spec((8,), dense(16, "relu"), dense(1), **trained("mse", optimizer="adam", learning_rate=0.5)),
    mended=spec((8,), dense(16, "relu"), dense(1), **trained("mse", optimizer="adam", learning_rate=0.001)),
)
def learning_rate(net: Network) -> Found:
    """A learning rate far outside of what this optimizer is used with."""
    name, rate = net.compiled.optimizer, net.compiled.learning_rate
    if rate is None:
        return
    most, why = (MOST_SIGNED, "") if name in SIGNED else (MOST, "")
    spread = _smallest_spread(net) if name in SIGNED else None
    if spread is not None and spread < most:
        most, why = spread, ": the first steps change weights by more than their initial size"
    if name in (*SIGNED, "sgd", None) and rate > most:
        of = f" for {name}" if name else ""
        yield Offence(None, f"learning_rate={rate:g}{of} is above {most:.2g}{why}", f"try {most / 10:.1g}")
    elif rate < LEAST:
        yield Offence(None, f"learning_rate={rate:g} is below {LEAST:g}: hardly any step", "try 0.001")
    elif name == "adadelta" and rate < ADADELTA:
        yield Offence(None, f"learning_rate={rate:g} for adadelta, whose authors use 1", "learning_rate=1")


def _smallest_spread(net: Network) -> float | None:
    """The smallest standard deviation of a kernel's elements at initialisation."""
    drawn = [d for part in net.kernels if (d := _draw(net, part)) is not None and d[1] > 0]
    return min((sqrt(variance) for _, variance in drawn), default=None)


@rule(
    "AC304",
    "warning",
    why="Layers before and after it are trained, so it is neither a fixed feature extractor at the "
    "beginning nor a fixed critic at the end: trainable=False was probably left over.",
    sure="Often. It is taken to be meant where most layers are frozen, of a depthwise kernel (a fixed "
    "filter, such as a blur), and where trained weights read the same tensor, as adapters do.",
    source="Keras, guide to transfer learning, keras.io/guides/transfer_learning (freeze the base, "
    "train what is new)",
    faulty=spec(
        (8,),
        dense(16, "relu"),
        dense(16, "relu", trainable=False),
        dense(16, "relu"),
        dense(1),
    ),
    mended=spec((8,), dense(16, "relu"), dense(16, "relu"), dense(16, "relu"), dense(1)),
)
def frozen_between(net: Network) -> Found:
    """A frozen layer between trained ones."""
    trains = [
        (part.node, weight.trainable) for part in net.kernels if (weight := net.weight(part)) is not None
    ]
    trained_nodes = {node for node, trainable in trains if trainable}
    frozen = {node for node, trainable in trains if trainable is False} - trained_nodes
    if 2 * len(frozen) >= len(trains):
        return
    after_trained: set[int] = set()
    for i in range(len(net.graph.nodes)):
        sources = {t.node for t in net.graph.nodes[i].inputs}
        if sources & (after_trained | trained_nodes):
            after_trained.add(i)
    before_trained: set[int] = set()
    for i in reversed(range(len(net.graph.nodes))):
        if set(net.consumers[i]) & (before_trained | trained_nodes):
            before_trained.add(i)
    filters = {p.node for p in net.kernels if getattr(p.primitive, "depthwise", False)}
    beside = {
        node
        for node in frozen
        for tap in net.graph.nodes[node].inputs
        if trained_nodes & set(net.consumers[tap.node])
    }
    for node in sorted((frozen & after_trained & before_trained) - filters - beside):
        yield Offence(
            node, "frozen, between layers that are trained", "trainable=True, or a reason to ignore this"
        )


@rule(
    "AC305",
    "warning",
    why="The optimizer has nothing to change.",
    sure="Certain.",
    source="Keras, guide to transfer learning, keras.io/guides/transfer_learning",
    faulty=spec((8,), dense(1, trainable=False), **trained("mse", optimizer="adam")),
    mended=spec((8,), dense(1), **trained("mse", optimizer="adam")),
)
def nothing_trained(net: Network) -> Found:
    """A network that is compiled and has no trained weight."""
    totals = net.report.totals
    if net.compiled.optimizer and number(totals.parameters) and totals.trainable_parameters == 0:
        yield Offence(
            None, "every weight is frozen, and an optimizer is stated", "trainable=True for some layers"
        )
