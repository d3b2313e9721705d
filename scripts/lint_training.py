"""Do lint's rules of the expected gradient (AC203 to AC205) agree with training? (docs/evidence/lint.md)

    python -m scripts.lint_training [--seed 23] [-o FILE]

Forty networks are drawn from `--seed`; nothing about them is chosen. Lint's verdict is `faulty` if one of
the three rules finds anything, else `sound`. Then each is trained in Keras, without clipping or schedule, by
SGD with momentum 0.9 and batches of 50, for 8 epochs on 2,000 garments of 14x14 pixels (mean 0, variance 1,
cross-entropy of logits), once for each learning rate of 0.1, 0.01 and 0.001 from the same initial weights.

What "learns" means, fixed before the first training: with the best of the learning rates, the accuracy of
some epoch, as Keras's `fit` reports it for the images it trains on, is at least 0.5 (by chance it is 0.1).

Verdict and outcome agree where a faulty network does not learn, or a sound one learns. The plan (`DEPTHS` and
the names below it, `RATES`, `LEARNS`) was committed before any of these networks was trained; whoever changes
a rule or the plan after a look at results takes another seed.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import archcalc
from archcalc.analyses.mean_field.expectation import expected_gradients
from archcalc.analyses.mean_field.verdicts import verdict
from archcalc.analyses.shapes import infer

RULES = ["AC203", "AC204", "AC205"]
NETWORKS = 40
DEPTHS = (10, 50)  # layers with weights before the logits, both included
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu")
INITIALIZERS = ("glorot_uniform", "he_normal", "lecun_normal", "orthogonal", "random_normal", "large")
WIDTHS = {"dense": (32, 64, 128), "conv": (8, 16)}
SKIPS, NORMALISED = 0.3, 0.3  # shares
IMAGES, BATCH, EPOCHS = 2000, 50, 8
RATES = (0.1, 0.01, 0.001)
MOMENTUM = 0.9
LEARNS = 0.5


class Drawn(NamedTuple):
    """One network of the study."""

    kind: str
    depth: int
    width: int
    activation: str
    initializer: str
    skips: bool
    normalised: bool

    @property
    def name(self) -> str:
        words = f"{self.kind} {self.depth}×{self.width} {self.activation} {self.initializer}"
        return words + " skips" * self.skips + " norm" * self.normalised


class Outcome(NamedTuple):
    """What lint said of a network, and what training did."""

    network: Drawn
    rule: str  # empty if none fired
    log10: float | None
    accuracy: float
    rate: float

    @property
    def agrees(self) -> bool:
        return bool(self.rule) != (self.accuracy >= LEARNS)


def networks(seed: int) -> list[Drawn]:
    """The networks of a seed."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(NETWORKS):
        kind = str(random.choice(["dense", "conv"]))
        depth = int(random.integers(DEPTHS[0], DEPTHS[1], endpoint=True))
        width = int(random.choice(WIDTHS[kind]))
        activation, initializer = str(random.choice(ACTIVATIONS)), str(random.choice(INITIALIZERS))
        skips, normalised = bool(random.random() < SKIPS), bool(random.random() < NORMALISED)
        found.append(Drawn(kind, depth, width, activation, initializer, skips, normalised))
    return found


def build(drawn: Drawn) -> Any:
    """The network in Keras: a first layer, then layers or blocks of two with a skip, then the logits."""
    import keras
    from keras import layers

    def weights(x: Any, *, strides: int = 1) -> Any:
        initializer: Any = drawn.initializer
        if initializer == "large":  # twice He's variance
            initializer = keras.initializers.VarianceScaling(4.0)
        if drawn.kind == "dense":
            return layers.Dense(drawn.width, kernel_initializer=initializer)(x)
        options = {"strides": strides, "padding": "same", "kernel_initializer": initializer}
        return layers.Conv2D(drawn.width, 3, **options)(x)

    def function(x: Any) -> Any:
        if drawn.normalised:
            x = layers.BatchNormalization()(x)
        return layers.Activation(drawn.activation)(x)

    inputs = keras.Input((14, 14, 1))
    x = function(weights(layers.Flatten()(inputs) if drawn.kind == "dense" else inputs, strides=2))
    for _ in range((drawn.depth - 1) // 2 if drawn.skips else drawn.depth - 1):
        x = layers.Add()([x, weights(function(weights(x)))]) if drawn.skips else function(weights(x))
    if drawn.kind == "conv":
        x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(10)(x))


def images() -> tuple[np.ndarray, np.ndarray]:
    """2,000 garments at half their size, standardised, and their classes."""
    from experiments.common.data.garments import load

    pixels, classes = (part[:IMAGES] for part in load("slice").train)
    small = pixels.reshape(IMAGES, 14, 2, 14, 2).mean(axis=(2, 4))
    return ((small - small.mean()) / small.std())[..., None].astype("float32"), classes.astype("int32")


def trained(model: Any, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The best accuracy of an epoch, and its learning rate; stops where a network learns."""
    import keras

    start = model.get_weights()
    optimizer = keras.optimizers.SGD(RATES[0], momentum=MOMENTUM)
    model.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    best = (0.0, RATES[0])
    for rate in RATES:
        model.set_weights(start)
        for variable in optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        optimizer.learning_rate = rate
        for _ in range(EPOCHS):
            history = model.fit(x, y, batch_size=BATCH, verbose=0).history
            best = max(best, (float(history["accuracy"][0]), rate))
            if best[0] >= LEARNS:
                return best
            if not np.isfinite(history["loss"][0]):
                break
    return best


def study(seed: int) -> list[Outcome]:
    """Every network's verdict and outcome, printed as they come."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    x, y = images()
    outcomes = []
    for number, drawn in enumerate(networks(seed)):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1000 * seed + number)
        model = build(drawn)
        graph = archcalc.load(model)
        found = archcalc.lint(graph, select=RULES).findings
        shapes = infer(graph)
        judged = verdict(graph, shapes, expected_gradients(graph, shapes), with_remedies=False)
        rule, change = found[0].rule.id if found else "", judged.log10 if judged else None
        outcomes.append(outcome := Outcome(drawn, rule, change, *trained(model, x, y)))
        print(row(outcome), f"  {time.process_time():.0f} s", flush=True)
    return outcomes


def row(outcome: Outcome) -> str:
    """A row of the table in Markdown."""
    network, change = outcome.network, "?" if outcome.log10 is None else f"{outcome.log10:+.1f}"
    learned = f"{outcome.accuracy:.2f} ({outcome.rate:g})"
    agrees = "yes" if outcome.agrees else "**no**"
    return f"| {network.name} | {change} | {outcome.rule or 'sound'} | {learned} | {agrees} |"


def table(outcomes: list[Outcome]) -> str:
    """Every network, and how many agree."""
    lines = [
        "| network | log10 of the gradient's change | lint | accuracy (learning rate) | agree |",
        "|---|---|---|---|---|",
        *map(row, outcomes),
    ]
    agree = sum(o.agrees for o in outcomes)
    learn = sum(o.accuracy >= LEARNS for o in outcomes)
    faulty = sum(bool(o.rule) for o in outcomes)
    lines += [
        "",
        f"{agree} of {len(outcomes)} agree; {learn} learn, {faulty} are faulty by lint; "
        f"{time.process_time():.0f} s of processor time.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("-o", "--output", type=Path, help="the table in Markdown")
    options = parser.parse_args()
    text = table(study(options.seed))
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
