"""What `defect_detection` measures of its trained models: decisions, heads that start wrong, fresh sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from experiments.common import console, decisions, defects, files
from experiments.common.defects import SIGMOID, SOFTMAX, SQUARED, DefectConfig
from experiments.common.experiment import Outcome
from experiments.common.history import Key

BIAS = -6.0  # of the score where a head starts: sure that everything is healthy
HEADS = (SIGMOID, SOFTMAX, SQUARED)
# learning rates at which the cross-entropy of the sigmoid needs some tens of steps
RATES = {"sgd": 0.5, "adam": 0.1}
RECOVERED = 0.8  # accuracy
EXAMPLES = 1_000

Images = NDArray[np.uint8]


def study(outcome: Outcome) -> None:
    """Write what is not there yet: `decisions/`, `heads/`, and of defect48 `fresh/`."""
    config: DefectConfig = outcome.config
    for folder in ("decisions", "heads", "fresh"):
        (outcome.folder / folder).mkdir(exist_ok=True)
    for key in outcome.metrics:
        path = decided(outcome, key)
        if not path.is_file():
            files.write_json(path, _decide(outcome, key))
    for seed in config.all_seeds:
        path = outcome.folder / "heads" / f"seed{seed}.json"
        if not path.is_file() and ("relu", seed) in outcome.metrics:
            files.write_json(path, _heads(outcome, seed))
    if outcome.data.name == "defect48" and ("relu", config.seed) in outcome.metrics:
        _inspect_fresh(outcome)


def decided(outcome: Outcome, key: Key) -> Any:
    return outcome.folder / "decisions" / f"{key[0]}-seed{key[1]}.json"


def scores(model: keras.Model, images: Images) -> NDArray[np.float64]:
    """The probability of a defect that a model gives each image."""
    parts = [
        np.asarray(model(images[start : start + 100], training=False))[:, -1]
        for start in range(0, len(images), 100)
    ]
    return np.concatenate(parts).astype(np.float64)


def _decide(outcome: Outcome, key: Key) -> dict[str, Any]:
    """Thresholds chosen on validation, and what they do on the test images."""
    config, data = outcome.config, outcome.data
    judged = scores(outcome.model(key), data.validation.images)
    targets, tested = data.test.targets, outcome.predictions[key][:, -1].astype(np.float64)
    prices = (config.cost_miss, config.cost_false_alarm)
    thresholds = {
        "recall": decisions.for_recall(data.validation.targets, judged, config.recall),
        "cost": decisions.for_cost(data.validation.targets, judged, *prices),
        "bayes": decisions.bayes(*prices),
        "half": 0.5,
    }
    return {
        # of one network a seed; a thousand areas take a second
        "auc_interval": decisions.interval(_auc, targets, tested, config.resamples)
        if key[0] == "relu"
        else None,
        "thresholds": {
            name: {
                **decisions.at(targets, tested, at, config.resamples),
                "cost": decisions.cost(targets, tested, at, *prices),
            }
            for name, at in thresholds.items()
        },
    }


def _auc(targets: NDArray[np.int64], found: NDArray[np.float64]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(targets, found))


# -- heads that start sure and wrong ----------------------------------------------------------------------
def _heads(outcome: Outcome, seed: int) -> list[dict[str, Any]]:
    """New heads on the features of the trained network, each with each optimizer."""
    trained = outcome.model(("relu", seed))
    body = keras.Model(trained.input, trained.get_layer("largest").output)
    images = outcome.data.train.images[:EXAMPLES]
    features = np.concatenate([np.asarray(body(images[n : n + 100])) for n in range(0, len(images), 100)])
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    targets = outcome.data.train.targets[:EXAMPLES]
    most = outcome.config.most_steps
    return [_recover(features, targets, head, rule, most) for rule in RATES for head in HEADS]


def predicted_gradient(head: str, targets: NDArray[np.int64]) -> float:
    """Of the loss by the score's logit at the start: p - y of cross-entropy, 2(p - y)p(1 - p) of squares."""
    p = 1 / (1 + np.exp(-BIAS))
    wrong = float(np.mean(p - targets))
    return wrong * (2 * p * (1 - p) if head == SQUARED else 1.0)


def _recover(
    features: NDArray[np.float32], targets: NDArray[np.int64], head: str, optimizer: str, most: int
) -> dict[str, Any]:
    """A head with weights 0 and a bias that makes all healthy: its gradient, and steps until it recovers."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    units = 2 if head == SOFTMAX else 1
    model = keras.Sequential(
        [
            keras.Input(features.shape[1:]),
            keras.layers.Dense(
                units, "softmax" if head == SOFTMAX else "sigmoid", kernel_initializer="zeros"
            ),
        ]
    )
    model.layers[0].bias.assign([-BIAS / 2, BIAS / 2] if head == SOFTMAX else [BIAS])
    loss = {
        SIGMOID: keras.losses.BinaryCrossentropy(),
        SOFTMAX: keras.losses.SparseCategoricalCrossentropy(),
        SQUARED: keras.losses.MeanSquaredError(),
    }[head]
    kind = keras.optimizers.SGD if optimizer == "sgd" else keras.optimizers.Adam
    rule = kind(RATES[optimizer])
    rule.build(model.trainable_variables)
    x, y = tf.constant(features, tf.float32), tf.constant(targets[:, None], tf.float32)

    def step() -> Any:
        with tf.GradientTape() as tape:
            p = model(x)
            value = loss(y, p)
        gradients = tape.gradient(value, model.trainable_variables)
        rule.apply(gradients, model.trainable_variables)
        right = tf.cast((p[:, -1:] >= 0.5) == (y == 1), tf.float32)
        return gradients[1][-1], tf.reduce_mean(right)

    traced, gradient, steps = tf.function(step), 0.0, 0
    for steps in range(most):
        slope, accuracy = traced()
        gradient = gradient if steps else float(slope)
        if float(accuracy) >= RECOVERED:
            break
    return {
        "head": head,
        "optimizer": optimizer,
        "predicted": predicted_gradient(head, targets),
        "gradient": gradient,
        "steps": steps + 1,
    }


# -- fresh sets -----------------------------------------------------------------------------------------
def _inspect_fresh(outcome: Outcome) -> None:
    """How many of the defects of each fresh set the first seed's detector finds at its threshold."""
    config, key = outcome.config, ("relu", outcome.config.seed)
    path = outcome.folder / "fresh" / "hits.npy"
    if path.is_file():
        return
    model = outcome.model(key)
    threshold = files.read_json(decided(outcome, key))["thresholds"]["recall"]["threshold"]
    done = []
    for number in range(config.fresh_sets):
        images = defects.fresh_defects(config.garments, number, config.fresh_defects)
        done.append(scores(model, images) >= threshold)
        if number % 50 == 49:
            console.say(f"fresh sets inspected: {number + 1} of {config.fresh_sets}")
    files.write_whole(path, lambda partial: _save(partial, np.stack(done)))


def _save(path: Any, array: NDArray[np.bool_]) -> None:
    with path.open("wb") as stream:
        np.save(stream, array)


def fresh(outcome: Outcome) -> dict[str, Any] | None:
    """Recall over all fresh sets, each one's interval, and how many of these cover it; None without sets."""
    path = outcome.folder / "fresh" / "hits.npy"
    if not path.is_file():
        return None
    hits = np.load(path, allow_pickle=False)
    truth = float(hits.mean())
    spans = [decisions.share_interval(each, outcome.config.resamples) for each in hits]
    covered = [low <= truth <= high for low, high in spans]
    return {"truth": truth, "sets": len(hits), "spans": spans, "coverage": float(np.mean(covered))}


# -- what else is read from a run -------------------------------------------------------------------------
def decisions_of(outcome: Outcome, name: str) -> list[dict[str, Any]]:
    """A condition's decisions, a seed each."""
    return [files.read_json(decided(outcome, key)) for key in outcome.metrics if key[0] == name]


def heads_of(outcome: Outcome) -> list[list[dict[str, Any]]]:
    return [files.read_json(path) for path in sorted((outcome.folder / "heads").glob("*.json"))]


def epochs_to(outcome: Outcome, name: str) -> list[float]:
    """Epochs until validation's AUC reaches the target, between epochs by a line; one more where never."""
    found = []
    for (condition, _), rows in outcome.histories.items():
        if condition == name:
            values = [0.5, *(row["val_auc"] for row in rows)]
            found.append(_crossing(values, outcome.config.target, outcome.config.epochs + 1.0))
    return found


def _crossing(values: list[float], target: float, never: float) -> float:
    for epoch, (before, after) in enumerate(itertools.pairwise(values)):
        if after >= target:
            return epoch + (target - before) / (after - before)
    return never


def groups(outcome: Outcome) -> Iterator[tuple[str, list[tuple[str, list[float]]]]]:
    """Recall at the chosen threshold by kind, size and contrast (thirds): of each group, a value a seed."""
    about, kinds = outcome.data.about, outcome.data.kinds  # type: ignore[attr-defined]
    defective = about["kind"] >= 0
    parts = {"kind": [(name, about["kind"] == n) for n, name in enumerate(kinds)]}
    for quantity in ("pixels", "contrast"):
        if quantity in about and defective.sum() >= 3:
            edges = np.quantile(about[quantity][defective], (0, 1 / 3, 2 / 3, 1))
            place = np.clip(np.searchsorted(edges[1:3], about[quantity], side="right"), 0, 2)
            parts[quantity] = [
                (f"{edges[n]:.2g} to {edges[n + 1]:.2g}", defective & (place == n)) for n in range(3)
            ]
    for quantity, chosen in parts.items():
        rows = []
        for name, members in chosen:
            recalls = []
            for key in outcome.metrics:
                if key[0] == "relu" and members.any():
                    at = files.read_json(decided(outcome, key))["thresholds"]["recall"]["threshold"]
                    recalls.append(float((outcome.predictions[key][members, -1] >= at).mean()))
            rows.append((f"{name} ({int(members.sum())})", recalls))
        yield quantity, rows
