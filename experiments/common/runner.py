"""From a config to a finished run folder: predict, check, train, measure, draw; and again from any point."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras

from experiments.common import console, drawing, environment, files, folders, forecast, results, training
from experiments.common import run as runs
from experiments.common.config import Config
from experiments.common.experiment import Experiment
from experiments.common.history import Key
from experiments.common.run import Run


def start(
    experiment: Experiment, config: Config, source: Path | None, out: Path, settings: Sequence[str] = ()
) -> Path:
    """A new run, to its end; returns its folder. `settings` are the --set texts, for the record.

    Raises ExperimentError before anything is trained where data, disk or prediction are not in order.
    """
    config = experiment.settled(config)
    data = experiment.load(config, source)
    folder = folders.create(out, f"{experiment.name}-{config.profile}")
    with folders.locked(folder):
        folders.require_space(folder, forecast.BYTES_BESIDE_WEIGHTS)  # before the first file of ours
        run = Run(experiment, config, data, folder)
        files.write_json(folder / "environment.json", environment.describe())
        runs.record(run, source, list(settings))
        console.say(f"run {folder}")
        _carry_on(run)
    return folder


def resume(experiment: Experiment, folder: Path) -> None:
    """Continue a run from wherever it stands; a finished one is completed where files are missing.

    Raises ExperimentError where its data are no longer the same.
    """
    with folders.locked(folder):
        run = runs.stored(experiment, folder)
        changed = environment.differences(
            files.read_json(folder / "environment.json"), environment.describe()
        )
        if changed:
            console.warn(f"the run began elsewhere, bits may differ: {'; '.join(changed)}")
        _carry_on(run)


def draw(experiment: Experiment, folder: Path) -> None:
    """The figures and the report of a finished run, again."""
    with folders.locked(folders.finished(folder)):
        drawing.draw(runs.stored(experiment, folder))


def _carry_on(run: Run) -> None:
    forecast.write(run)
    _train_all(run)
    results.write(run)
    run.experiment.study(drawing.outcome(run))
    drawing.draw(run)


def _train_all(run: Run) -> None:
    for key in run.keys:
        training.train(
            run.plan(key),
            run.examples(key, "train"),
            run.examples(key, "validation"),
            run.home(key),
            after_epoch=lambda _: run.write_history(),
            log_folder=run.folder / "tensorboard" / run.home(key).name,
            watch=partial(_watch, run, key),
            callbacks=run.experiment.callbacks(
                run.config, run.conditions[key[0]], run.part(key[0]), run.records(key)
            ),
        )
    run.write_history()


def _watch(run: Run, key: Key, model: keras.Model, epoch: int) -> None:
    run.experiment.watch(
        run.config, run.part(key[0]), model, epoch, run.folder / "samples" / run.home(key).name
    )
