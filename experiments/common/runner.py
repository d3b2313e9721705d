"""From a config to a finished run folder: predict, check, train, measure, draw; and again from any point."""

from __future__ import annotations

import math
import platform
import resource
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from experiments.common import config as configs
from experiments.common import (
    console,
    diagnosis,
    environment,
    files,
    folders,
    history,
    prediction,
    report,
    training,
)
from experiments.common.config import Config
from experiments.common.data.splits import Data
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Condition, Experiment, Outcome
from experiments.common.history import Key, Row
from experiments.common.summary import spread, written

BYTES_BESIDE_WEIGHTS = 40 * 2**20  # figures, report, logs, predictions


def start(
    experiment: Experiment, config: Config, source: Path | None, out: Path, settings: Sequence[str] = ()
) -> Path:
    """A new run, to its end; returns its folder. `settings` are the --set texts, for the record.

    Raises ExperimentError before anything is trained where data, disk or prediction are not in order.
    """
    data = experiment.load(config, source)
    folder = folders.create(out, f"{experiment.name}-{config.profile}")
    with folders.locked(folder):
        files.write_json(folder / "environment.json", environment.describe())
        files.write_json(
            folder / "config.json",
            {
                "experiment": experiment.name,
                "source": str(source.resolve()) if source else None,
                "data_sha256": data.checksum(),
                "settings": list(settings),
                "config": config.to_dict(),
            },
        )
        console.say(f"run {folder}")
        _carry_on(experiment, config, data, folder)
    return folder


def stored_config(experiment: Experiment, folder: Path) -> tuple[Config, Path | None, str]:
    """The settings of a run, its data source, and its data's checksum."""
    stored = files.read_json(folder / "config.json")
    kind = type(next(iter(experiment.profiles.values())))
    source = stored["source"]
    return configs.from_dict(kind, stored["config"]), Path(source) if source else None, stored["data_sha256"]


def resume(experiment: Experiment, folder: Path) -> None:
    """Continue a run from wherever it stands; a finished one is completed where files are missing.

    Raises ExperimentError where its data are no longer the same.
    """
    with folders.locked(folder):
        config, source, checksum = stored_config(experiment, folder)
        data = experiment.load(config, source)
        if data.checksum() != checksum:
            raise ExperimentError(f"{folder}: its data have changed since it began; run anew")
        changed = environment.differences(
            files.read_json(folder / "environment.json"), environment.describe()
        )
        if changed:
            console.warn(f"the run began elsewhere, bits may differ: {'; '.join(changed)}")
        _carry_on(experiment, config, data, folder)


def _carry_on(experiment: Experiment, config: Config, data: Data, folder: Path) -> None:
    conditions = {condition.name: condition for condition in experiment.conditions(config, data)}
    _predict(experiment, config, conditions, folder)
    _train_all(experiment, config, data, conditions, folder)
    _measure(experiment, config, data, conditions, folder)
    _write_result(experiment, config, data, conditions, folder)
    finish(experiment, folder, data)


# -- before training ---------------------------------------------------------------------------------
def _predict(
    experiment: Experiment, config: Config, conditions: Mapping[str, Condition], folder: Path
) -> dict[str, Any]:
    """Write prediction.json, summary.txt and check.json, unless they are there; stop where they disagree."""
    predicted: dict[str, Any] = {"expectations": [], "models": {}}
    checks, summaries, weights = {}, [], 0
    for condition in conditions.values():
        keras.backend.clear_session()
        keras.utils.set_random_seed(config.seed)
        model = condition.build()
        predicted["models"][condition.name] = prediction.predict(model)
        checks[condition.name] = prediction.check(model, predicted["models"][condition.name])
        summaries.append(f"{condition.name}\n{_summary(model)}")
        weights += 4 * model.count_params()
    predicted["expectations"] = [{"text": str(e), **vars(e)} for e in experiment.expectations(config)]
    path = folder / "prediction.json"
    if path.is_file():
        earlier: dict[str, Any] = files.read_json(path)
        if earlier != predicted:
            console.warn("archcalc predicts otherwise than when the run began; what was written then stands")
        predicted = earlier
    else:
        files.write_json(path, predicted)
    files.write_text(folder / "summary.txt", "\n".join(summaries))
    files.write_json(
        folder / "check.json", {"agrees": all(c["agrees"] for c in checks.values()), "models": checks}
    )
    prediction.require_agreement(checks)
    # weights and two moments of adam; two generations, the best, one being written
    folders.require_space(folder, 4 * 3 * weights * config.seeds + BYTES_BESIDE_WEIGHTS)
    return predicted


def _summary(model: keras.Model) -> str:
    text = StringIO()
    with redirect_stdout(StringIO()):
        model.summary(print_fn=lambda line, **_: text.write(line + "\n"), line_length=100)
    return text.getvalue()


# -- training ------------------------------------------------------------------------------------------
def _keys(config: Config, conditions: Mapping[str, Condition]) -> list[Key]:
    """Seed by seed, so that a run cut short has whole seeds."""
    return [(name, seed) for seed in config.all_seeds for name in conditions]


def _home(folder: Path, key: Key) -> Path:
    return folder / "checkpoints" / f"{key[0]}-seed{key[1]}"


def _plan(condition: Condition, seed: int) -> training.Plan:
    return training.Plan(
        label=f"{condition.name} seed {seed}",
        build=condition.build,
        seed=seed,
        epochs=condition.epochs,
        batch_size=condition.batch_size,
        monitor=condition.monitor,
        higher_is_better=condition.higher_is_better,
        custom_objects=condition.custom_objects,
    )


def _train_all(
    experiment: Experiment, config: Config, data: Data, conditions: Mapping[str, Condition], folder: Path
) -> None:
    classes = len(data.classes)
    validation = experiment.arrays(config, data.validation, classes)
    for key in _keys(config, conditions):
        condition = conditions[key[0]]
        chosen = data.train.first(condition.train_images or len(data.train))
        training.train(
            _plan(condition, key[1]),
            experiment.arrays(config, chosen, classes),
            validation,
            _home(folder, key),
            after_epoch=lambda _: _write_history(config, conditions, folder),
            log_folder=folder / "tensorboard" / f"{key[0]}-seed{key[1]}",
        )
    _write_history(config, conditions, folder)


def _histories(config: Config, conditions: Mapping[str, Condition], folder: Path) -> dict[Key, list[Row]]:
    found = {key: training.load_state(_home(folder, key)).history for key in _keys(config, conditions)}
    return {key: rows for key, rows in found.items() if rows}


def _write_history(config: Config, conditions: Mapping[str, Condition], folder: Path) -> None:
    history.write(folder / "history.csv", _histories(config, conditions, folder))


# -- measuring -----------------------------------------------------------------------------------------
def _measure(
    experiment: Experiment, config: Config, data: Data, conditions: Mapping[str, Condition], folder: Path
) -> None:
    """Predictions of the last and the best model on the test data, kept as predictions/KEY-last.npy."""
    home = folder / "predictions"
    home.mkdir(exist_ok=True)
    inputs, _ = experiment.arrays(config, data.test, len(data.classes))
    for key in _keys(config, conditions):
        condition = conditions[key[0]]
        for which in ("last", "best"):
            path = home / f"{key[0]}-seed{key[1]}-{which}.npy"
            if path.is_file():
                continue
            model = training.load_model(_home(folder, key) / f"{which}.keras", _plan(condition, key[1]))
            predicted = _predicted(model, inputs, condition.batch_size)
            content = BytesIO()
            np.save(content, predicted)
            files.write_whole(path, lambda partial, content=content: partial.write_bytes(content.getvalue()))


def _predicted(model: keras.Model, inputs: NDArray[Any], batch_size: int) -> NDArray[np.float32]:
    """The model's output, eagerly: two models a condition are not worth two traces."""
    parts = [
        keras.ops.convert_to_numpy(model(inputs[start : start + batch_size], training=False))
        for start in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)


def _predictions(folder: Path, key: Key, which: str) -> NDArray[np.float32]:
    loaded: NDArray[np.float32] = np.load(
        folder / "predictions" / f"{key[0]}-seed{key[1]}-{which}.npy", allow_pickle=False
    )
    return loaded


def _write_result(
    experiment: Experiment, config: Config, data: Data, conditions: Mapping[str, Condition], folder: Path
) -> None:
    """result.json: metrics of every condition and seed, spread, expectations judged, the diagnosis."""
    classes = len(data.classes)
    predicted = files.read_json(folder / "prediction.json")
    runs = []
    for key in _keys(config, conditions):
        state = training.load_state(_home(folder, key))
        metrics = {
            which: experiment.measure(data.test, _predictions(folder, key, which), classes)
            if np.isfinite(_predictions(folder, key, which)).all()
            else None
            for which in ("last", "best")
        }
        totals = predicted["models"][key[0]]["totals"]
        images = conditions[key[0]].train_images or len(data.train)
        runs.append(
            {
                "condition": key[0],
                "seed": key[1],
                "epochs": state.epoch,
                "best_epoch": state.best_epoch,
                "diverged": state.diverged,
                "train_images": images,
                "test": metrics["last"],
                "test_of_best_epoch": metrics["best"],
                "diagnosis": _diagnosis(state.history, config, conditions[key[0]], totals, images),
                "seconds": round(sum(state.seconds), 1),
                "checkpoint_bytes": (_home(folder, key) / "last.keras").stat().st_size,
            }
        )
    result = {
        "experiment": experiment.name,
        "profile": config.profile,
        "prediction_sha256": files.sha256(folder / "prediction.json"),
        "data": {"name": data.name, "sha256": data.checksum(), **data.provenance},
        "conditions": {name: _spread(runs, name) for name in conditions},
        "expectations": _judged(experiment, config, runs),
        "runs": runs,
        "seconds": round(sum(run["seconds"] for run in runs), 1),
        "peak_process_bytes": _peak_memory(),
    }
    files.write_json(folder / "result.json", result)


def _peak_memory() -> int:
    """Largest resident size of this process so far, in bytes (macOS counts in bytes, Linux in KiB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def _diagnosis(
    rows: list[Row], config: Config, condition: Condition, totals: Mapping[str, Any], images: int
) -> dict[str, object]:
    setting = diagnosis.Setting(
        parameters=totals["parameters"],
        train_images=images,
        validation_images=config.validation_images,
        batch_size=condition.batch_size,
        batchnorm_momentum=condition.batchnorm_momentum,
    )
    return diagnosis.diagnose(rows, setting).to_dict()


def _spread(runs: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Every scalar metric over the seeds that did not diverge."""
    tests = [run["test"] for run in runs if run["condition"] == name and run["test"]]
    if not tests:
        return {}
    scalars = [key for key, value in tests[0].items() if isinstance(value, int | float)]
    return {key: spread([test[key] for test in tests]) for key in scalars}


def _judged(experiment: Experiment, config: Config, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    judged = []
    for expectation in experiment.expectations(config):
        values = [
            run["test"][expectation.quantity] if run["test"] else math.nan
            for run in runs
            if run["condition"] == expectation.condition
        ]
        judged.append(
            {
                "text": str(expectation),
                "measured": [value if math.isfinite(value) else None for value in values],
                "met": all(math.isfinite(value) and expectation.met(value) for value in values),
            }
        )
    return judged


# -- figures and report ------------------------------------------------------------------------------------
def outcome(experiment: Experiment, folder: Path, data: Data | None = None) -> Outcome:
    """All of a finished run, from its folder (and its data, loaded anew where not given)."""
    if not (folder / "result.json").is_file():
        raise ExperimentError(f"{folder}: not finished; `python -m experiments resume {folder}` goes on")
    config, source, checksum = stored_config(experiment, folder)
    data = data or experiment.load(config, source)
    if data.checksum() != checksum:
        raise ExperimentError(
            f"{folder}: its data have changed since it ran; its figures cannot be drawn again"
        )
    conditions = {condition.name: condition for condition in experiment.conditions(config, data)}
    result = files.read_json(folder / "result.json")
    keys = _keys(config, conditions)
    return Outcome(
        config=config,
        data=data,
        histories=_histories(config, conditions, folder),
        metrics={(run["condition"], run["seed"]): run["test"] for run in result["runs"] if run["test"]},
        predictions={key: _predictions(folder, key, "last") for key in keys},
        model=partial(_load_last, folder, conditions),
        prediction=files.read_json(folder / "prediction.json"),
    )


def _load_last(folder: Path, conditions: Mapping[str, Condition], key: Key) -> keras.Model:
    return training.load_model(_home(folder, key) / "last.keras", _plan(conditions[key[0]], key[1]))


def finish(experiment: Experiment, folder: Path, data: Data | None = None) -> None:
    """Draw the figures and write report.html from what the folder holds."""
    from experiments.common import figures

    measured = outcome(experiment, folder, data)
    pictures = folder / "figures"
    pictures.mkdir(exist_ok=True)
    captions = []
    for picture in experiment.pictures(measured):
        figures.save(picture.figure, pictures / f"{picture.name}.png")
        captions.append((picture.name, picture.caption))
    findings = experiment.findings(measured)
    report.write(experiment, folder, captions, findings)
    for name in measured.conditions:
        accuracies = measured.values(name, "accuracy") if measured.metrics else []
        if accuracies:
            console.say(f"{name}: test accuracy {written(accuracies)}")
    for finding in findings:
        console.say(f"- {finding}")
    console.say(f"report {folder / 'report.html'}")
