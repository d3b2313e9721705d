"""Gradients as a training starts: archcalc's expectation, and real Keras over many random starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import archcalc
from experiments.common import files, stacks
from experiments.common.stacks import Stack
from experiments.common.training import derived_seed

FIRST = "stem"
# of both ends of a ratio, so that 60 layers of sigmoids do not leave the range of float32
SCALE = 1e18
DEAD = -1e4  # log10 of a gradient that is exactly zero
SERIES = (
    "noise",
    "images",
)  # standard normal inputs and directions; real images and the loss's own direction


def expected(model: keras.Model) -> dict[str, Any]:
    """log10 of the first layer's gradient over that of the output, with its 90 % band, and the verdict."""
    report = archcalc.analyze(archcalc.from_keras(model), gradients=True).to_dict()
    row = next(row["gradient"] for row in report["layers"] if row["name"] == FIRST)
    return {
        "log10": row["expected_log10"],
        "low": row["expected_log10_low"],
        "high": row["expected_log10_high"],
        "verdict": report["verdicts"][0]["verdict"] if report["verdicts"] else None,
    }


def measure(
    model: keras.Model, count: int, seed: int, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, list[float | None]]:
    """The same of `count` starts, each with weights drawn anew, for both of `SERIES`; one sample each."""
    inner = keras.Model(model.inputs, [model.get_layer(FIRST).output, model.output])

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def norms(x: Any, direction: Any, target: Any) -> tuple[Any, Any]:
        with tf.GradientTape(persistent=True) as tape:
            first, logits = inner(x, training=True)
            along = SCALE * tf.reduce_sum(logits * direction)
            loss = SCALE * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=logits)
        found = [_log_norm(tape.gradient(along, first)) - _log_norm(SCALE * direction)]
        found.append(_log_norm(tape.gradient(loss, first)) - _log_norm(tape.gradient(loss, logits)))
        return found[0], found[1]

    shape = model.inputs[0].shape[1:]
    measured: dict[str, list[float | None]] = {name: [] for name in SERIES}
    for start in range(count):
        random = np.random.default_rng([seed, start])
        redraw(model, seed, start)
        drawn = [
            random.standard_normal((1, *size)).astype(np.float32) for size in (shape, model.output.shape[1:])
        ]
        chosen = int(random.integers(len(images)))
        target = tf.constant(labels[chosen : chosen + 1])
        measured["noise"].append(_plain(norms(*map(tf.constant, drawn), target)[0]))
        image = tf.constant(images[chosen : chosen + 1])
        measured["images"].append(_plain(norms(image, tf.constant(drawn[1]), target)[1]))
    return measured


def _plain(value: Any) -> float | None:
    """As JSON has numbers: `DEAD` where no gradient arrives, None where none sets out (p = y exactly)."""
    found = float(value)
    return None if np.isnan(found) else max(found, DEAD)


def redraw(model: keras.Model, seed: int, start: int) -> None:
    """New initial weights by each layer's own initialiser."""
    for number, layer in enumerate(model.layers):
        kernel = getattr(layer, "kernel", None)
        made = getattr(layer, "kernel_initializer", None)
        if kernel is not None and made is not None and "seed" in made.get_config():
            config = {**made.get_config(), "seed": derived_seed(seed, start, number)}
            kernel.assign(type(made).from_config(config)(kernel.shape))


def _log_norm(gradient: Any) -> Any:
    """log10 of the 2-norm, safe where squares underflow."""
    gradient = tf.cast(gradient, tf.float64)
    return tf.math.log(tf.norm(gradient)) / tf.cast(tf.math.log(10.0), tf.float64)


def foresee(
    cells: Sequence[Stack], shape: Sequence[int], classes: int, width: Mapping[str, int]
) -> dict[str, Any]:
    """What archcalc expects of every cell, by name."""
    found = {}
    for cell in cells:
        keras.backend.clear_session(free_memory=False)
        found[cell.name] = expected(stacks.build(cell, shape, classes, width[cell.kind]))
    return found


def study(
    cells: Sequence[Stack],
    classes: int,
    width: Mapping[str, int],
    count: int,
    examples: tuple[NDArray[np.float32], NDArray[np.int64]],
    folder: Path,
) -> None:
    """Measure every cell whose file is not there yet."""
    folder.mkdir(exist_ok=True)
    images, labels = examples
    for number, cell in enumerate(cells):
        path = folder / f"{cell.name}.json"
        if path.is_file():
            continue
        keras.backend.clear_session()
        model = stacks.build(cell, images.shape[1:], classes, width[cell.kind])
        files.write_json(path, measure(model, count, number, images, labels))


def read(cells: Sequence[Stack], folder: Path) -> dict[str, dict[str, list[float]]]:
    """What `study` measured, by cell and series; without the starts at which the loss has no gradient."""
    found = {}
    for cell in cells:
        stored = files.read_json(folder / f"{cell.name}.json")
        found[cell.name] = {key: [v for v in values if v is not None] for key, values in stored.items()}
    return found


def coverage(
    expectations: Mapping[str, Any], measured: Mapping[str, Mapping[str, list[float]]], series: str
) -> float:
    """Share of all single starts that lie within their cell's band."""
    inside = [
        expectations[name]["low"] <= value <= expectations[name]["high"]
        for name, found in measured.items()
        for value in found[series]
    ]
    return float(np.mean(inside))
