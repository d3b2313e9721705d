"""One training that can be killed at any moment and ends with the same bits all the same.

What makes it so: TensorFlow's op determinism (`environment.prepare`); every epoch starts from seeds that
its number alone decides (order of the samples, dropout, augmentation); model and optimizer are saved after
each epoch as one `.keras`, whole or absent, before a small state file names it; and the generation
before it is kept, so that a damaged file costs one more epoch and nothing else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from experiments.common import console, feed, files
from experiments.common.errors import ExperimentError
from experiments.common.feed import Examples
from experiments.common.history import Row

Watch = Callable[[keras.Model, int], object]  # the model, the epoch (from 1)


@dataclass(frozen=True)
class Plan:
    """What is trained: one condition with one seed."""

    label: str
    build: Callable[[], keras.Model]  # a compiled model
    seed: int
    epochs: int
    batch_size: int
    monitor: str = "val_accuracy"
    higher_is_better: bool = True
    custom_objects: dict[str, Any] = field(default_factory=dict)
    class_weight: dict[int, float] | None = None


@dataclass
class State:
    """What state.json says: how far the training is and which files hold it."""

    history: list[Row] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    generations: list[dict[str, Any]] = field(default_factory=list)  # newest first: epoch, file, sha256
    best_epoch: int = 0
    finished: bool = False
    diverged: bool = False

    @property
    def epoch(self) -> int:
        return len(self.history)


def load_state(folder: Path) -> State:
    """The state of a training's folder; a new one where nothing has been finished yet."""
    path = folder / "state.json"
    if not path.is_file():
        return State()
    state = State(**files.read_json(path))
    state.history = [{k: math.nan if v is None else v for k, v in row.items()} for row in state.history]
    return state


def _save_state(folder: Path, state: State) -> None:
    stored = dict(vars(state))
    stored["history"] = [
        {k: v if math.isfinite(v) else None for k, v in row.items()} for row in state.history
    ]
    files.write_json(folder / "state.json", stored)


def derived_seed(*key: int) -> int:
    """A 31-bit seed that depends on all of `key`."""
    return int(np.random.SeedSequence(key).generate_state(1)[0] >> 1)


def _reset_randomness(model: keras.Model, seed: int, epoch: int) -> None:
    """Put every random stream of the model to where epoch `epoch` begins."""
    keras.utils.set_random_seed(derived_seed(seed, epoch))
    streams = [v for v in model.variables if v.path.split("/")[-1] == "seed_generator_state"]
    for number, stream in enumerate(streams):
        stream.assign(np.array([derived_seed(seed, epoch, number), 0], stream.dtype))


def fresh(plan: Plan) -> keras.Model:
    """The compiled model with the initial weights that the seed decides."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(derived_seed(plan.seed))
    return plan.build()


def load_model(path: Path, plan: Plan, *, compiled: bool = True) -> keras.Model:
    """A model that this code saved, with its optimizer unless it will not be trained."""
    keras.backend.clear_session(free_memory=False)
    return keras.models.load_model(path, custom_objects=plan.custom_objects, compile=compiled)


def _last_good(folder: Path, state: State, plan: Plan) -> keras.Model:
    """The newest undamaged generation, with the state cut back to it; from the start where there is none."""
    for number, generation in enumerate(state.generations):
        path = folder / generation["file"]
        if path.is_file() and files.sha256(path) == generation["sha256"]:
            if number:
                console.warn(f"{path.parent}: newest checkpoint damaged, back to epoch {generation['epoch']}")
            _cut_back(state, generation["epoch"], state.generations[number:], plan)
            return load_model(path, plan)
    if state.generations:
        console.warn(f"{folder}: no undamaged checkpoint, training starts over")
    _cut_back(state, 0, [], plan)
    return fresh(plan)


def _cut_back(state: State, epoch: int, generations: list[dict[str, Any]], plan: Plan) -> None:
    state.history = state.history[:epoch]
    state.seconds = state.seconds[:epoch]
    state.processor_seconds = state.processor_seconds[:epoch]
    state.generations = generations
    state.best_epoch = _best_epoch(state.history, plan)
    state.finished = state.diverged = False


def _best_epoch(history: list[Row], plan: Plan) -> int:
    """The first epoch with the best value of the monitored metric; 0 before the first, 1 if all are NaN."""
    sign = 1.0 if plan.higher_is_better else -1.0
    scores = [sign * row[plan.monitor] for row in history]
    scores = [score if math.isfinite(score) else -math.inf for score in scores]
    return scores.index(max(scores)) + 1 if scores else 0


def train(
    plan: Plan,
    training: Examples,
    validation: Examples,
    folder: Path,
    after_epoch: Callable[[State], None] = lambda _: None,
    log_folder: Path | None = None,
    watch: Watch = lambda *_: None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> State:
    """Train to the end from wherever `folder` stands; returns the final state.

    `folder` then holds `last.keras`, `best.keras` (by `plan.monitor`) and `state.json`. Scalars for
    TensorBoard go to `log_folder`. `watch` sees the model after every epoch, before the epoch counts: what
    it writes is there again if the process dies in between; so do `callbacks`, to which Keras tells the
    number of the epoch. Raises ExperimentError where the disk is full.
    """
    state = load_state(folder)
    if _complete(folder, state):
        return state
    if state.best_epoch and not (folder / "best.keras").is_file():
        state.generations = []  # the best cannot be had back but by training
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _continue(plan, training, validation, folder, state, after_epoch, log_folder, watch, callbacks)
    except OSError as fault:
        raise ExperimentError(
            f"{folder}: cannot be written to ({fault.strerror or fault}); "
            "nothing is lost, make room and resume"
        ) from fault
    return state


def _complete(folder: Path, state: State) -> bool:
    """Whether the training is over and its last model undamaged."""
    if not state.finished:
        return False
    last = folder / state.generations[0]["file"]
    return (
        last.is_file()
        and (folder / "best.keras").is_file()
        and files.sha256(last) == state.generations[0]["sha256"]
    )


def _continue(
    plan: Plan,
    training: Examples,
    validation: Examples,
    folder: Path,
    state: State,
    after_epoch: Callable[[State], None],
    log_folder: Path | None,
    watch: Watch,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    model = _last_good(folder, state, plan)
    writer = tf.summary.create_file_writer(str(log_folder)) if log_folder else tf.summary.create_noop_writer()
    steps = -(-feed.count(training) // plan.batch_size)
    with console.meter(plan.label, plan.epochs, state.epoch, steps) as meter, closing(writer):
        while state.epoch < plan.epochs and not state.diverged:
            began, work = time.perf_counter(), time.process_time()
            row = _one_epoch(model, plan, training, validation, state.epoch, meter, callbacks)
            state.history.append(row)
            state.seconds.append(round(time.perf_counter() - began, 3))
            state.processor_seconds.append(round(time.process_time() - work, 3))
            state.diverged = not math.isfinite(row["loss"])
            _log(writer, row)
            watch(model, state.epoch)
            _checkpoint(model, plan, folder, state)
            meter.epoch(state.epoch, row, state.seconds[-1])
            after_epoch(state)
    _finish(folder, state)


def _one_epoch(
    model: keras.Model,
    plan: Plan,
    training: Examples,
    validation: Examples,
    epoch: int,
    meter: console.Meter,
    callbacks: Sequence[keras.callbacks.Callback],
) -> Row:
    """Train epoch number `epoch` (from 0) and measure on the validation data."""
    order = np.random.default_rng([plan.seed, epoch]).permutation(feed.count(training))
    _reset_randomness(model, plan.seed, epoch)
    step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: meter.step())
    logs = model.fit(
        **feed.ordered(training, plan.batch_size, order),
        **feed.held_out(validation, plan.batch_size),
        initial_epoch=epoch,
        epochs=epoch + 1,
        verbose=0,
        class_weight=plan.class_weight,
        callbacks=[step, *callbacks],
    ).history
    return {"epoch": epoch + 1, **{name: float(values[-1]) for name, values in logs.items()}}


def _log(writer: Any, row: Row) -> None:
    with writer.as_default():
        for name, value in row.items():
            if name != "epoch":
                tf.summary.scalar(name, value, step=int(row["epoch"]))
    writer.flush()


def _checkpoint(model: keras.Model, plan: Plan, folder: Path, state: State) -> None:
    """Save the epoch just trained. Each file is whole; state.json comes last and makes it count."""
    name = f"epoch-{state.epoch:04d}.keras"
    files.write_whole(folder / name, model.save)
    best = _best_epoch(state.history, plan)
    if best == state.epoch:
        # also if the process dies before state.json: the same epoch, trained again, writes the same
        files.write_bytes(folder / "best.keras", (folder / name).read_bytes())
    state.best_epoch = best
    state.generations = [
        {"epoch": state.epoch, "file": name, "sha256": files.sha256(folder / name)},
        *state.generations[:1],
    ]
    _save_state(folder, state)
    kept = {generation["file"] for generation in state.generations}
    for old in folder.glob("epoch-*.keras"):
        if old.name not in kept:
            old.unlink()


def _finish(folder: Path, state: State) -> None:
    """Give the last generation its final name; a kill between any two steps is harmless."""
    newest = folder / state.generations[0]["file"]
    if newest.name != "last.keras":
        files.write_bytes(folder / "last.keras", newest.read_bytes())
    state.generations = [{**state.generations[0], "file": "last.keras"}]
    state.finished = True
    _save_state(folder, state)
    for old in folder.glob("epoch-*.keras"):
        old.unlink()
