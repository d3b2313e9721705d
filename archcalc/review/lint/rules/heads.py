"""AC1xx: outputs, the loss that reads them, and the labels that they are compared with."""

from __future__ import annotations

from archcalc.layers import primitives as prim
from archcalc.report.rule import Offence
from archcalc.review.lint.declare import Found, dense, layer, rule, spec, trained
from archcalc.review.lint.network import KERNELS, MOVES, RECTIFIERS, Head, Network, image

SPARSE = "sparse_categorical_crossentropy"
OVER_CLASSES = (
    *("categorical_crossentropy", "categorical_focal_crossentropy", SPARSE),
    "categorical_generalized_cross_entropy",
)
BINARY = ("binary_crossentropy", "binary_focal_crossentropy")
DISTANCES = (
    *("mean_squared_error", "mean_absolute_error", "mean_absolute_percentage_error"),
    *("mean_squared_logarithmic_error", "huber", "log_cosh"),
)
MARGINS = ("hinge", "squared_hinge", "categorical_hinge")
SIGMOIDS = ("sigmoid", "hard_sigmoid")
KERAS_LOSSES = "Keras, documentation of losses, keras.io/api/losses"


def losses(net: Network, *names: str, logits: bool = False) -> list[tuple[Head, str]]:
    """The heads whose loss is one of these, with its name; `logits`: also those that take logits."""
    return [
        (head, head.loss.name)
        for head in net.heads
        if head.loss is not None and head.loss.name in names and (logits or not head.loss.from_logits)
    ]


@rule(
    "AC101",
    "error",
    why="The exponential of one unit divided by itself is 1 whatever the input, so nothing before it "
    "is trained.",
    sure="Certain: the output is the constant 1 and its derivative 0.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2.3; Humbatova et al., ICSE 2020 "
    "(wrong activation of the last layer)",
    faulty=spec((8,), dense(16, "relu"), dense(1, "softmax")),
    mended=spec((8,), dense(16, "relu"), dense(1, "sigmoid")),
)
def softmax_of_one_unit(net: Network) -> Found:
    """Softmax over a single unit."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            if isinstance(part.primitive, prim.Softmax) and part.primitive.count == 1:
                yield Offence(
                    i,
                    "softmax over one unit is 1 whatever its input",
                    "sigmoid for two classes, or one unit for each class",
                )


@rule(
    "AC102",
    "error",
    why="Cross-entropy takes the logarithm of a probability. Keras divides outputs by their sum and "
    "clips them to (0, 1), which for outputs of any sign gives meaningless values and gradients of "
    "0 where it clips.",
    sure="Certain, unless the outputs are made probabilities outside of the model.",
    source=f"Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2.3; {KERAS_LOSSES} (from_logits)",
    faulty=spec((8,), dense(16, "relu"), dense(3), **trained("categorical_crossentropy")),
    mended=spec((8,), dense(16, "relu"), dense(3), **trained("categorical_crossentropy(from_logits=True)")),
)
def cross_entropy_without_softmax(net: Network) -> Found:
    """Cross-entropy over classes, or a divergence, on an output that is neither softmax nor logits."""
    for head, loss in losses(net, *OVER_CLASSES, "kl_divergence"):
        known = head.activation is not None and head.activation not in ("softmax", "sparsemax")
        if known and head.activation not in (*SIGMOIDS, *RECTIFIERS) and head.units != 1:
            yield Offence(
                head.node,
                f"{loss} on a {head.activation} output, which is no distribution over classes",
                "softmax at the output, or from_logits=True if it is linear",
            )


@rule(
    "AC103",
    "warning",
    why="Sigmoids score each class alone and do not add up to 1. Keras divides them by their sum, "
    "after which the loss can fall although every score falls.",
    sure="Nearly always; a metric trained on normalised sigmoids is possible and rare.",
    source=f"Bishop, Pattern Recognition and Machine Learning (2006), 4.3.4 and 5.2; {KERAS_LOSSES}",
    faulty=spec((4,), dense(8, "relu"), dense(3, "sigmoid"), **trained("categorical_crossentropy")),
    mended=spec((4,), dense(8, "relu"), dense(3, "softmax"), **trained("categorical_crossentropy")),
)
def cross_entropy_over_classes_on_sigmoids(net: Network) -> Found:
    """Cross-entropy over classes on sigmoid outputs."""
    for head, loss in losses(net, *OVER_CLASSES):
        if head.activation in SIGMOIDS and head.units != 1:
            yield Offence(
                head.node,
                f"{loss} expects probabilities adding up to 1, and {head.activation} scores each class alone",
                "softmax if each sample has one class, binary_crossentropy if it may have several",
            )


@rule(
    "AC104",
    "warning",
    why="Binary cross-entropy treats each unit as a separate question, but softmax makes them "
    "exclude each other. Keras also takes its accuracy for binary accuracy, which counts most "
    "units as right from the start.",
    sure="Nearly always: with two units it is the same loss counted twice.",
    source=f"Bishop, Pattern Recognition and Machine Learning (2006), 5.2; {KERAS_LOSSES}",
    faulty=spec((4,), dense(8, "relu"), dense(3, "softmax"), **trained("binary_crossentropy")),
    mended=spec((4,), dense(8, "relu"), dense(3, "softmax"), **trained("categorical_crossentropy")),
)
def binary_cross_entropy_on_softmax(net: Network) -> Found:
    """Binary cross-entropy on a softmax output."""
    for head, loss in losses(net, *BINARY):
        if head.activation == "softmax" and head.units != 1:
            yield Offence(
                head.node,
                f"{loss} scores each unit alone, and softmax makes the units exclude each other",
                "categorical_crossentropy, or sigmoid if a sample may have several classes",
            )


@rule(
    "AC105",
    "warning",
    why="The gradient of a distance through a sigmoid or a softmax has the factor p(1-p), so a "
    "confident mistake hardly moves the weights; cross-entropy cancels that factor.",
    sure='Often. A target between 0 and 1 that is no class is a regression: say so with labels "real". '
    "Images, autoencoders, whose output has the input's shape, and networks with a cross-entropy on "
    "another output are left alone.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2; Glorot & Bengio, AISTATS 2010, "
    "section 4.1",
    faulty=spec((8,), dense(16, "relu"), dense(1, "sigmoid"), **trained("mse")),
    mended=spec((8,), dense(16, "relu"), dense(1, "sigmoid"), **trained("binary_crossentropy")),
)
def distance_on_probabilities(net: Network) -> Found:
    """A squared or absolute error on the output of a classifier."""
    for head, loss in losses(net, *DISTANCES):
        if head.activation not in (*SIGMOIDS, "softmax") or net.compiled.labels == "real":
            continue
        if losses(net, *OVER_CLASSES, *BINARY, logits=True):
            continue  # classes have an output of their own: this one holds coordinates, say
        if len(head.shape) > 1 or (head.activation != "softmax" and _reproduces_its_input(net, head)):
            continue
        fitting = "binary_crossentropy" if head.activation in SIGMOIDS else "categorical_crossentropy"
        yield Offence(
            head.node,
            f"{loss} on {head.activation} outputs learns slowly where the network is wrong and sure of it",
            f'{fitting}; if the target is no class, state labels "real"',
        )


def _reproduces_its_input(net: Network, head: Head) -> bool:
    """Whether the output has the shape of an input, and the network is narrower between: an autoencoder."""
    if not any(net.shapes[i][0] == head.shape for i in net.graph.inputs):
        return False
    widths = [net.shapes[p.node][0][-1] for p in net.kernels]
    return any(type(width) is int and type(head.units) is int and width < head.units for width in widths)


@rule(
    "AC106",
    "error",
    why="ReLU is 0 for every negative input: the logarithm of that is clipped, its gradient is 0, and "
    "the sample is never learned. Values above 1 are no probabilities either.",
    sure="Certain.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2; Humbatova et al., ICSE 2020",
    faulty=spec((8,), dense(12, "relu"), dense(1, "relu"), **trained("binary_crossentropy")),
    mended=spec((8,), dense(12, "relu"), dense(1, "sigmoid"), **trained("binary_crossentropy")),
)
def rectified_output_under_cross_entropy(net: Network) -> Found:
    """ReLU as the output under a cross-entropy."""
    for head, loss in losses(net, *OVER_CLASSES, *BINARY, "kl_divergence", logits=True):
        if head.activation in RECTIFIERS:
            yield Offence(
                head.node,
                f"{head.activation} at the output under {loss}: 0 for negative inputs, and no gradient there",
                "sigmoid for binary_crossentropy, softmax for a cross-entropy over classes",
            )


@rule(
    "AC107",
    "warning",
    why="A unit that is negative for every sample gives 0 and no gradient, and never recovers; "
    "negative targets cannot be reached at all. A linear output learns a target that is never "
    "negative just as well.",
    sure="Often. Images, whose values are never negative, are left alone.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2.1; Lu et al., Dying ReLU, arXiv "
    "1903.06733",
    faulty=spec((4,), dense(8, "relu"), dense(1, "relu"), **trained("mse")),
    mended=spec((4,), dense(8, "relu"), dense(1), **trained("mse")),
)
def rectified_regression(net: Network) -> Found:
    """ReLU as the output of a regression."""
    for head, loss in losses(net, *(d for d in DISTANCES if "logarithmic" not in d), "cosine_similarity"):
        if head.activation in RECTIFIERS and len(head.shape) == 1:
            yield Offence(
                head.node,
                f"{head.activation} at the output under {loss} has no gradient while it is 0, and reaches no "
                "negative target",
                "a linear output; softplus if it must not be negative",
            )


@rule(
    "AC108",
    "error",
    why="Binary cross-entropy takes log(p) and log(1-p). Keras clips what is outside of (0, 1), and "
    "the gradient there is 0.",
    sure="Certain, unless the outputs are made probabilities outside of the model.",
    source=f"Bishop, Pattern Recognition and Machine Learning (2006), 4.3.2; {KERAS_LOSSES} (from_logits)",
    faulty=spec((8,), dense(16, "relu"), dense(1, "tanh"), **trained("binary_crossentropy")),
    mended=spec((8,), dense(16, "relu"), dense(1, "sigmoid"), **trained("binary_crossentropy")),
)
def binary_cross_entropy_outside_of_probabilities(net: Network) -> Found:
    """Binary cross-entropy on an output that is no probability."""
    for head, loss in losses(net, *BINARY):
        function = head.activation
        if function is None or function in RECTIFIERS:
            continue
        low, high = image(function)
        if low < 0 or high > 1:
            yield Offence(
                head.node,
                f"{loss} on a {function} output, whose values lie outside of 0 to 1",
                "sigmoid at the output, or from_logits=True if it is linear",
            )


@rule(
    "AC109",
    "warning",
    why="A hinge loss asks for a margin around 0: targets -1 and 1, outputs of either sign. An output "
    "of 0 to 1 never reaches the negative side.",
    sure="Nearly always.",
    source=f"Rosasco et al., Are Loss Functions All the Same?, Neural Computation 2004; {KERAS_LOSSES}",
    faulty=spec((8,), dense(16, "relu"), dense(1, "sigmoid"), **trained("hinge")),
    mended=spec((8,), dense(16, "relu"), dense(1, "tanh"), **trained("hinge")),
)
def hinge_on_probabilities(net: Network) -> Found:
    """A hinge loss on an output that is never negative."""
    for head, loss in losses(net, *MARGINS[:2]):
        if head.activation is not None and image(head.activation)[0] >= 0:
            yield Offence(
                head.node,
                f"{loss} expects outputs of either sign, and {head.activation} is never negative",
                "a linear or tanh output, or binary_crossentropy",
            )


@rule(
    "AC110",
    "error",
    why="from_logits=True applies a softmax or sigmoid inside the loss. On outputs that are already "
    "between 0 and 1 it can only reach probabilities near the middle, and learning stalls.",
    sure="Certain.",
    source=f"{KERAS_LOSSES} (from_logits)",
    faulty=spec((8,), dense(3, "softmax"), **trained("categorical_crossentropy(from_logits=True)")),
    mended=spec((8,), dense(3), **trained("categorical_crossentropy(from_logits=True)")),
)
def softmax_twice(net: Network) -> Found:
    """A loss that takes logits on an output that already is a probability."""
    for head in net.heads:
        if head.loss and head.loss.from_logits and head.activation in (*SIGMOIDS, "softmax"):
            yield Offence(
                head.node,
                f"{head.loss} applies to logits, and {head.activation} has been applied already",
                "a linear output, or the loss without from_logits",
            )


@rule(
    "AC111",
    "error",
    why="The output needs a unit for each class: with fewer some class can never be predicted, and a "
    "single sigmoid tells two apart.",
    sure="Certain, given the number of classes.",
    source="Bishop, Pattern Recognition and Machine Learning (2006), 4.1.2",
    faulty=spec((8,), dense(1, "sigmoid"), **trained("binary_crossentropy", labels="one_hot", classes=3)),
    mended=spec(
        (8,), dense(3, "softmax"), **trained("categorical_crossentropy", labels="one_hot", classes=3)
    ),
)
def units_and_classes(net: Network) -> Found:
    """An output with another number of units than there are classes."""
    labels, classes = net.compiled.labels, net.compiled.classes
    if len(net.heads) != 1 or labels == "real" or (labels != "one_hot" and classes is None):
        return
    (head,) = net.heads
    if head.units is None or (head.units == 1 and labels != "one_hot" and (classes or 0) <= 2):
        return
    several = labels == "integer" and classes is not None and head.units > classes
    if head.units == 1 or (classes is not None and head.units != classes and not several):
        yield Offence(
            head.node,
            f"{head.units} unit{'s' * (head.units > 1)} for {classes or 'one-hot'} classes",
            f"{classes or 'as many'} units and softmax",
        )


@rule(
    "AC112",
    "error",
    why="categorical_crossentropy reads one-hot rows, sparse_categorical_crossentropy the number of "
    "the class. With the other kind Keras stops, or broadcasts and learns something else. A real "
    "target is no class.",
    sure="Certain, given the labels.",
    source=f"{KERAS_LOSSES}",
    faulty=spec((8,), dense(3, "softmax"), **trained(SPARSE, labels="one_hot", classes=3)),
    mended=spec(
        (8,), dense(3, "softmax"), **trained("categorical_crossentropy", labels="one_hot", classes=3)
    ),
)
def loss_and_labels(net: Network) -> Found:
    """A loss for other labels than the ones there are."""
    labels, classes = net.compiled.labels, net.compiled.classes or 0
    over = tuple(name for name in OVER_CLASSES if name != SPARSE)
    wrong = {
        "one_hot": ((SPARSE,), "categorical_crossentropy"),
        "integer": ((*over, *(BINARY if classes > 2 else ())), SPARSE),
        "binary": (over, "binary_crossentropy and one sigmoid unit"),
        "real": ((*OVER_CLASSES, *BINARY), "mean_squared_error and a linear output"),
    }
    if labels not in wrong:
        return
    names, fitting = wrong[labels]
    for head, loss in losses(net, *names, logits=True):
        yield Offence(head.node, f"{loss} does not read {labels.replace('_', '-')} labels", fitting)


@rule(
    "AC113",
    "info",
    why="Two softmax units are one sigmoid of their difference: the second unit adds weights and "
    "nothing else.",
    sure="Certain; a matter of taste.",
    source="Bishop, Pattern Recognition and Machine Learning (2006), 4.3.4",
    faulty=spec((8,), dense(2, "softmax"), **trained("categorical_crossentropy")),
    mended=spec((8,), dense(1, "sigmoid"), **trained("binary_crossentropy")),
)
def two_softmax_units(net: Network) -> Found:
    """Softmax over two classes."""
    for head in net.heads:
        if head.activation == "softmax" and head.units == 2:
            yield Offence(
                head.node,
                "two softmax units say what one sigmoid unit says",
                "one sigmoid unit and binary_crossentropy",
            )


@rule(
    "AC114",
    "error",
    why="Keras divides the outputs by their sum: one unit divided by itself is 1, and the loss is 0 "
    "whatever the weights are.",
    sure="Certain.",
    source=f"{KERAS_LOSSES}",
    faulty=spec((8,), dense(1, "sigmoid"), **trained("categorical_crossentropy")),
    mended=spec((8,), dense(1, "sigmoid"), **trained("binary_crossentropy")),
)
def cross_entropy_over_one_class(net: Network) -> Found:
    """Cross-entropy over classes with a single output unit."""
    for head, loss in losses(net, *OVER_CLASSES, logits=True):
        if head.units == 1 and head.activation not in ("softmax", *RECTIFIERS):
            yield Offence(
                head.node,
                f"{loss} over one unit is 0 whatever the weights are",
                "binary_crossentropy, or one unit for each class",
            )


@rule(
    "AC115",
    "warning",
    why="Softmax makes the units of a hidden layer compete and adds up to 1, so that little "
    "information and little gradient pass.",
    sure="Nearly always. Softmax that weighs other tensors, as in attention, is left alone.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2.3 (softmax is for outputs)",
    faulty=spec((8,), dense(16, "softmax"), dense(1, "sigmoid")),
    mended=spec((8,), dense(16, "relu"), dense(1, "sigmoid")),
)
def hidden_softmax(net: Network) -> Found:
    """Softmax between layers with weights."""
    for i in net.nodes:
        for part in net.parts[i] or ():
            if part.function != "softmax" or part.primitive.count == 1:
                continue
            moves = (*MOVES, prim.Dropout, prim.BatchStandardise)
            following = next((p for p in net.after(part) if not isinstance(p.primitive, moves)), None)
            if following is not None and isinstance(following.primitive, (*KERNELS, prim.Recur)):
                yield Offence(
                    i, "softmax inside of the network, before more weights", "relu or another activation"
                )


@rule(
    "AC116",
    "warning",
    why="Softmax and sigmoid take any logits. A function before them that is bounded below, as ReLU "
    "is, leaves only part of the probabilities within reach, and no gradient where it is flat.",
    sure="Nearly always.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2 (linear units feed the output "
    "function)",
    faulty=spec((8,), dense(3, "relu"), layer("Softmax")),
    mended=spec((8,), dense(3), layer("Softmax")),
)
def squashed_logits(net: Network) -> Found:
    """An activation between the last weights and the softmax or sigmoid of the output."""
    for head in net.heads:
        if head.activation not in (*SIGMOIDS, "softmax") or len(head.functions) < 2:
            continue
        inner = head.functions[1].function or ""
        if (
            image(inner)[0] > -float("inf")
            and head.end is not None
            and isinstance(head.end.primitive, KERNELS)
        ):
            yield Offence(
                head.functions[1].node,
                f"{inner} before the {head.activation} of the output limits what it can say",
                f"the weights directly before {head.activation}",
            )


@rule(
    "AC117",
    "warning",
    why="Dropping units of the output removes predictions themselves: the loss gets a noise that no "
    "weight can learn.",
    sure="Certain, unless the noise is meant.",
    source="Srivastava et al., Dropout, JMLR 2014 (visible and hidden units)",
    faulty=spec((8,), dense(16, "relu"), dense(3), layer("Dropout", rate=0.5), layer("Softmax")),
    mended=spec((8,), dense(16, "relu"), layer("Dropout", rate=0.5), dense(3, "softmax")),
)
def dropout_on_the_output(net: Network) -> Found:
    """Dropout after the last layer with weights."""
    for head in net.heads:
        judged = head.loss is not None or head.activation in (*SIGMOIDS, "softmax")
        if judged and head.end is not None and isinstance(head.end.primitive, KERNELS):
            for node in head.dropouts:
                yield Offence(node, "dropout on the output itself", "before the last layer with weights")


@rule(
    "AC118",
    "info",
    why="A target outside of the range can never be reached, and near its ends the gradient vanishes.",
    sure="Depends on the targets: right if they are scaled to the range.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.2.2.1 (linear units for Gaussian outputs)",
    faulty=spec((8,), dense(16, "relu"), dense(1, "tanh"), **trained("mse", labels="real")),
    mended=spec((8,), dense(16, "relu"), dense(1), **trained("mse", labels="real")),
)
def bounded_regression(net: Network) -> Found:
    """A regression whose output is bounded."""
    for head, loss in losses(net, *DISTANCES):
        low, high = image(head.activation or "")
        bounded = high - low < float("inf") and len(head.shape) == 1
        if bounded and (net.compiled.labels == "real" or head.activation not in (*SIGMOIDS, "softmax")):
            yield Offence(
                head.node,
                f"{loss} on a {head.activation} output, which lies between {low:g} and {high:g}",
                "a linear output, or targets scaled to this range",
            )


@rule(
    "AC119",
    "error",
    why="The loss of counts takes the logarithm of the output, the expected count: below 0 it is no number.",
    sure="Certain.",
    source=f"McCullagh & Nelder, Generalized Linear Models (1989), chapter 6; {KERAS_LOSSES}",
    faulty=spec((8,), dense(16, "relu"), dense(1), **trained("poisson")),
    mended=spec((8,), dense(16, "relu"), dense(1, "exponential"), **trained("poisson")),
)
def poisson_of_negative(net: Network) -> Found:
    """The loss of counts on an output that may be negative."""
    for head, _ in losses(net, "poisson"):
        if head.activation is not None and image(head.activation)[0] < 0:
            yield Offence(
                head.node,
                f"poisson takes the logarithm of the output, and {head.activation} may be negative",
                "exponential or softplus at the output",
            )
