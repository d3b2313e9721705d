"""AC2xx: activations inside of the network, and the gradient expected at initialisation."""

from __future__ import annotations

from itertools import takewhile

from archcalc.analyses.mean_field.verdicts import Verdict, factor
from archcalc.layers import primitives as prim
from archcalc.layers.activations import activation_name
from archcalc.report.rule import Offence
from archcalc.review.lint.declare import Found, conv, dense, layer, rule, spec
from archcalc.review.lint.network import KERNELS, MOVES, SATURATING, Network, Part, image, number

DEEP_LEARNING = "Goodfellow, Bengio, Courville, Deep Learning (2016)"
# an affine map of each unit or of neighbours, with which two linear layers stay one linear map
AFFINE = (
    *MOVES,
    *(prim.Dropout, prim.Scale, prim.Offset, prim.BatchStandardise, prim.ConstantMatrix, prim.Upsample),
)
LARGE = {"class_name": "RandomNormal", "config": {"stddev": 1.0}}
# orders of magnitude of growth; networks with batch normalisation in every branch begin with 3 and more, and
# train. Where nothing normalises, values grow with the gradient: the first outputs are tens to hundreds
TOLERATED, TOLERATED_WITHOUT_NORMALISATION = 4.0, 1.5
NORMALISE = (prim.BatchStandardise, prim.Standardise, prim.Normalise)
SATURATING_LAYERS = 3  # from which on saturation counts as the cause


def is_linear(part: Part) -> bool:
    p = part.primitive
    averages = isinstance(p, prim.Pool | prim.Reduce) and p.kind in ("average", "mean", "sum")
    return averages or isinstance(p, AFFINE) or part.function == "linear"


def _is_dense(part: Part) -> bool:
    """Whether the weights join all channels: depthwise and grouped kernels are factors of such a map."""
    p = part.primitive
    return not isinstance(p, prim.Convolve) or (not p.depthwise and number(p.groups) == 1)


def _kernel_axes(part: Part) -> set[int]:
    """The axes along which a kernel has several taps."""
    windows = getattr(part.primitive, "windows", ())
    return {w.axis for w in windows if number(w.kernel) != 1}


def next_kernel(net: Network, part: Part, through: tuple[type, ...] = ()) -> tuple[Part | None, bool]:
    """The next weights with only linear maps between, and whether one of `through` is among these."""
    crossed = False
    for following in net.after(part):
        if isinstance(following.primitive, KERNELS):
            return following, crossed
        if isinstance(following.primitive, through) and not is_linear(following):
            crossed = True
        elif not is_linear(following):
            break
    return None, crossed


def _factors(net: Network, first: Part, second: Part) -> bool:
    """Whether two linear layers are a map of lower rank or of fewer weights than the one they make."""
    tied = getattr(second.primitive, "transposed", False) and isinstance(second.primitive, prim.Matrix)
    if tied or not _is_dense(first) or not _is_dense(second):
        return True
    # with normalisation between them a middle as narrow as its input is the linear bottleneck of MobileNet
    between = takewhile(lambda part: part != second, net.after(first))
    bottleneck = any(isinstance(part.primitive, prim.BatchStandardise) for part in between)
    a, b = _kernel_axes(first), _kernel_axes(second)
    if a and b and not a & b:
        return True
    ends = net.inputs(first.node)[0][-1], net.shapes[second.node][0][-1]
    # a reshape between them, into heads for instance, may leave the second one less to read
    middle = net.shapes[first.node][0][-1], net.inputs(second.node)[0][-1]
    outer, inner = ([n for n in sizes if type(n) is int] for sizes in (ends, middle))
    if len(outer) < 2 or not inner or min(inner) < min(outer) + bottleneck:
        return True
    # as in fully convolutional networks: scores of each position, interpolated
    upsampled = getattr(second.primitive, "transposed", False) and min(inner) == outer[1]
    return upsampled and not a and min(inner) < outer[0]


@rule(
    "AC201",
    "warning",
    why="Two linear maps in succession are one linear map: the first adds weights and work, and no "
    "function that the second could not learn alone.",
    sure="Certain as to the function. Factors are left alone: a middle narrower than both ends, "
    "depthwise and grouped kernels, kernels along different axes, scores that a transposed kernel "
    "upsamples.",
    source=f"{DEEP_LEARNING}, 6.1 and 6.4.1",
    faulty=spec((32,), dense(64), dense(16, "relu"), dense(1)),
    mended=spec((32,), dense(64, "relu"), dense(16, "relu"), dense(1)),
)
def linear_layers_in_a_row(net: Network) -> Found:
    """A layer with weights whose output reaches the next weights through linear maps only."""
    for part in net.kernels:
        following, _ = next_kernel(net, part)
        if following is not None and not _factors(net, part, following):
            yield Offence(
                part.node,
                f"no activation before {net.name(following.node)!r}: both together are one linear map",
                "an activation, or one layer in place of two",
            )


@rule(
    "AC202",
    "warning",
    why="Convolutions are meant to be followed by a nonlinear function of each unit. Max pooling alone "
    "is hardly one: it is linear wherever the same unit stays the largest.",
    sure="Nearly always a forgotten argument.",
    source=f"{DEEP_LEARNING}, 9.3 (the detector stage); Humbatova et al., ICSE 2020 (missing activation)",
    faulty=spec((8, 8, 3), conv(8, 3, None), layer("MaxPooling2D"), conv(8), layer("Flatten"), dense(3)),
    mended=spec((8, 8, 3), conv(8), layer("MaxPooling2D"), conv(8), layer("Flatten"), dense(3)),
)
def missing_activation(net: Network) -> Found:
    """A layer with weights that only max pooling separates from the next weights."""
    for part in net.kernels:
        following, pooled = next_kernel(net, part, (prim.Pool, prim.Reduce))
        if following is not None and pooled and _is_dense(part):
            yield Offence(
                part.node,
                f"nothing but pooling between these weights and {net.name(following.node)!r}",
                "an activation, relu for instance",
            )


def _saturating(net: Network) -> list[str]:
    heads = {p for head in net.heads for p in head.functions}
    return [
        str(p.function)
        for i in net.nodes
        for p in net.parts[i] or ()
        if p.function in SATURATING and p not in heads and len(net.graph.nodes[i].inputs) == 1
    ]


def _changes(net: Network, verdict: Verdict) -> int:
    """1 where the gradient explodes by more than lint tolerates, -1 where it vanishes, else 0.

    0 also where a softmax over one unit lets none pass: AC101 says so.
    """
    constant = any(getattr(p.primitive, "count", None) == 1 for head in net.heads for p in head.functions)
    if constant:
        return 0
    if verdict.verdict == "vanishing":
        return -1
    normalised = any(isinstance(p.primitive, NORMALISE) for i in net.nodes for p in net.parts[i] or ())
    growth = TOLERATED if normalised else TOLERATED_WITHOUT_NORMALISATION
    return int(verdict.log10 is not None and verdict.log10 > growth)


@rule(
    "AC203",
    "warning",
    why="Each sigmoid multiplies the gradient by at most 1/4, each tanh by at most 1; over many layers "
    "the first weights hardly learn.",
    sure="As sure as the prediction at initialisation, whose 90 % band the report of --gradients shows.",
    source="Hochreiter 1991; Glorot & Bengio, AISTATS 2010; docs/gradients-expected.md",
    faulty=spec((16,), *(dense(16, "sigmoid") for _ in range(8)), dense(1)),
    mended=spec((16,), *(dense(16, "relu", kernel_initializer="he_normal") for _ in range(8)), dense(1)),
)
def saturating_stack(net: Network) -> Found:
    """Sigmoid or tanh layers in a stack so deep that the gradient vanishes at initialisation."""
    functions = _saturating(net)
    verdict = net.verdict
    if verdict is not None and len(functions) >= SATURATING_LAYERS and _changes(net, verdict) < 0:
        kinds = " and ".join(dict.fromkeys(functions))
        yield Offence(
            net.node_named(verdict.layer),
            f"{len(functions)} hidden layers of {kinds}: {verdict.diagnosis}",
            "relu with he_normal, normalisation, or skips around the layers",
        )


@rule(
    "AC204",
    "warning",
    why="The first weights get a gradient so much smaller than the last ones that one learning rate "
    "does not fit both.",
    sure="As sure as the prediction at initialisation, whose 90 % band the report of --gradients "
    "shows. Adam and other optimizers that scale each weight's step partly make up for it.",
    source="Schoenholz et al., Deep Information Propagation, ICLR 2017; docs/gradients-expected.md",
    faulty=spec((64,), *(dense(64, "relu", kernel_initializer="random_normal") for _ in range(12)), dense(1)),
    mended=spec((64,), *(dense(64, "relu", kernel_initializer="he_normal") for _ in range(12)), dense(1)),
)
def vanishing_gradient(net: Network) -> Found:
    """A gradient that is expected to vanish on the way to the first weights."""
    verdict = net.verdict
    if verdict is not None and len(_saturating(net)) < SATURATING_LAYERS and _changes(net, verdict) < 0:
        yield Offence(
            net.node_named(verdict.layer),
            f"{verdict.diagnosis}{'; ' * bool(verdict.cause)}{verdict.cause}",
            "an initialiser for this activation (he_normal for relu), normalisation, or skips",
        )


@rule(
    "AC205",
    "warning",
    why="Steps that suit the last weights are far too large for the first ones, and training diverges.",
    sure="As sure as the prediction at initialisation, whose 90 % band the report of --gradients shows.",
    source="Schoenholz et al., Deep Information Propagation, ICLR 2017; docs/gradients-expected.md",
    faulty=spec((64,), *(dense(64, "relu", kernel_initializer=LARGE) for _ in range(12)), dense(1)),
    mended=spec((64,), *(dense(64, "relu", kernel_initializer="he_normal") for _ in range(6)), dense(1)),
)
def exploding_gradient(net: Network) -> Found:
    """A gradient that is expected to explode on the way to the first weights."""
    verdict = net.verdict
    if verdict is not None and _changes(net, verdict) > 0:
        yield Offence(
            net.node_named(verdict.layer),
            f"the gradient's norm grows by a factor of {factor(verdict.log10)} on its way to this layer"
            f"{'; ' * bool(verdict.cause)}{verdict.cause}",
            "a smaller initial scale, normalisation, or branches that begin at zero",
        )


@rule(
    "AC206",
    "warning",
    why="A residual network learns well because a path without any function joins all depths. A "
    "saturating function or dropout on that path scales every gradient, once in each block.",
    sure="Often; ReLU after the sum, as in the first ResNet, and the function of the output are left alone.",
    source="He et al., Identity Mappings in Deep Residual Networks, ECCV 2016, section 3",
    faulty=spec(
        (16,),
        dense(16, "relu", name="a"),
        dense(16, "relu", name="b"),
        layer("Add", name="sum", inputs=["a", "b"]),
        layer("Activation", activation="tanh"),
        dense(3),
    ),
    mended=spec(
        (16,),
        dense(16, "relu", name="a"),
        dense(16, "relu", name="b"),
        layer("Add", name="sum", inputs=["a", "b"]),
        dense(3),
    ),
)
def blocked_identity(net: Network) -> Found:
    """A saturating activation, or dropout, on the path that a residual sum leaves free."""
    of_heads = {part for head in net.heads for part in head.functions}
    for i in net.nodes:
        merge = next((p for p in net.parts[i] or () if isinstance(p.primitive, prim.Merge)), None)
        if merge is None or merge.primitive.kind != "add" or not _has_identity(net, i):
            continue
        for part in net.after(merge):
            blocks = part.function in SATURATING or isinstance(part.primitive, prim.Dropout)
            if blocks and part not in of_heads:
                yield Offence(
                    part.node,
                    f"{part.function or 'dropout'} on the path that {net.name(i)!r} leaves to the gradient",
                    "on the branch, before the sum",
                )
            if not isinstance(part.primitive, MOVES):
                break


def _has_identity(net: Network, node: int) -> bool:
    """Whether one input of a sum is where the branch of another one starts."""
    sources = [t.node for t in net.graph.nodes[node].inputs]
    for source in sources:
        chain = [source]
        # a constant or a weight, of positions for instance, takes the size of its input and is no branch
        while len(net.graph.nodes[chain[-1]].inputs) == 1 and not _is_constant(net, chain[-1]):
            chain.append(net.graph.nodes[chain[-1]].inputs[0].node)
        if any(other in chain[1:] for other in sources):
            return True
    return False


def _is_constant(net: Network, node: int) -> bool:
    return any(isinstance(part.primitive, prim.ZeroGradient) for part in net.parts[node] or ())


def _is_identity_above_zero(part: Part) -> bool:
    given = dict(part.primitive.parameters) if isinstance(part.primitive, prim.Pointwise) else {}
    bounded = given.get("max_value") is not None or given.get("threshold")
    return part.function in ("relu", "leaky_relu", "prelu", "elu", "celu") and not bounded


@rule(
    "AC207",
    "warning",
    why="After a function that is never negative, ReLU and its relatives change nothing: the second "
    "activation was meant to be the only one.",
    sure="Certain.",
    source="Maas et al., Rectifier Nonlinearities, ICML workshop 2013 (the leaky slope acts below 0 only)",
    faulty=spec((8,), dense(16, "relu"), layer("LeakyReLU"), dense(1)),
    mended=spec((8,), dense(16), layer("LeakyReLU"), dense(1)),
)
def activation_without_effect(net: Network) -> Found:
    """ReLU, LeakyReLU, PReLU or ELU directly after a function that is never negative."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            if part.function is None or image(part.function)[0] < 0:
                continue
            following = next(net.after(part), None)
            if following is not None and _is_identity_above_zero(following):
                yield Offence(
                    following.node,
                    f"{following.function} after {part.function}, which is never negative, changes nothing",
                    f"a linear layer before {following.function}, or one of the two activations",
                )


@rule(
    "AC208",
    "warning",
    why="A recurrent state that is not bounded is multiplied by the same matrix at every step and "
    "grows or dies exponentially with the length of the sequence.",
    sure="Often; with the identity as recurrent initialiser it is known to train.",
    source="Le, Jaitly, Hinton, arXiv 1504.00941; Pascanu et al., ICML 2013",
    faulty=spec((20, 4), layer("LSTM", units=8, activation="relu"), dense(1)),
    mended=spec((20, 4), layer("LSTM", units=8), dense(1)),
)
def unbounded_recurrence(net: Network) -> Found:
    """A recurrent layer whose activation is unbounded."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            cell = part.primitive
            if not isinstance(cell, prim.Recur) or not cell.activation:
                continue
            function = Part(i, cell.activation[-1]).function
            if function is None or function in ("linear", "softmax") or image(function)[1] < float("inf"):
                continue
            weight = next((w for w in net.figures.weights[i] if w.name == cell.recurrent.weight), None)
            if weight is None or "dentity" not in str(weight.initializer):
                yield Offence(
                    i,
                    f"{function} inside of a recurrent layer: the state may grow at every step",
                    "tanh, Keras's default, which also runs on its fast kernels",
                )


@rule(
    "AC209",
    "warning",
    why="SELU keeps mean and variance through the layers only for weights of mean 0 and variance 1/fan_in.",
    sure="Certain as to the theorem; a network with normalisation does not need it.",
    source="Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017",
    faulty=spec((32,), dense(32, "selu"), dense(32, "selu"), dense(1)),
    mended=spec((32,), *(dense(32, "selu", kernel_initializer="lecun_normal") for _ in range(2)), dense(1)),
)
def selu_without_lecun(net: Network) -> Found:
    """SELU after weights that are not initialised as its theorem needs."""
    for part in net.kernels:
        following = next(net.after(part), None)
        weight = net.weight(part)
        if following is None or following.function != "selu" or weight is None:
            continue
        name = activation_name(weight.initializer) if weight.initializer else ""
        if "lecun" not in name.lower() and "VarianceScaling" not in name:
            yield Offence(part.node, f"selu with the initialiser {name}", 'kernel_initializer="lecun_normal"')


@rule(
    "AC210",
    "warning",
    why="Dropout sets units to 0, which for SELU is neither the mean nor the low end, so that mean and "
    "variance are lost; AlphaDropout keeps both.",
    sure="Certain as to the theorem.",
    source="Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017",
    faulty=spec(
        (32,),
        dense(32, "selu", kernel_initializer="lecun_normal"),
        layer("Dropout", rate=0.1),
        dense(1),
    ),
    mended=spec(
        (32,),
        dense(32, "selu", kernel_initializer="lecun_normal"),
        layer("AlphaDropout", rate=0.1),
        dense(1),
    ),
)
def dropout_after_selu(net: Network) -> Found:
    """Plain dropout after SELU."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            following = next(net.after(part), None) if part.function == "selu" else None
            if following and isinstance(following.primitive, prim.Dropout) and not following.primitive.alpha:
                yield Offence(
                    following.node, "dropout after selu loses its mean and variance", "AlphaDropout"
                )
