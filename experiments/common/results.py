"""What a run measures after training: predictions of the test data, and result.json from them."""

from __future__ import annotations

import math
import platform
import resource
from io import BytesIO
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from experiments.common import diagnosis, feed, files, training
from experiments.common.history import Key, Row
from experiments.common.run import Run
from experiments.common.summary import spread

WHICH = ("last", "best")  # model of the last epoch, and of the best on the validation data


def write(run: Run) -> None:
    """Write predictions/*.npy where missing, and result.json."""
    _predict_test_data(run)
    predicted = files.read_json(run.folder / "prediction.json")
    rows = [_measured(run, key, predicted["models"][key[0]]["totals"]) for key in run.keys]
    result = {
        "experiment": run.experiment.name,
        "profile": run.config.profile,
        "prediction_sha256": files.sha256(run.folder / "prediction.json"),
        "data": {"name": run.data.name, "sha256": run.data.checksum(), **run.data.provenance},
        "conditions": {name: _spread(rows, name) for name in run.conditions},
        "expectations": _judged(run, rows),
        "baselines": run.experiment.baselines(run.config, run.data),
        "runs": rows,
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "peak_process_bytes": _peak_memory(),
    }
    files.write_json(run.folder / "result.json", result)


def predictions(run: Run, key: Key, which: str) -> NDArray[Any]:
    """What a trained model says of the test data, as `write` kept it."""
    loaded: NDArray[Any] = np.load(
        run.folder / "predictions" / f"{run.home(key).name}-{which}.npy", allow_pickle=False
    )
    return loaded


def _predict_test_data(run: Run) -> None:
    home = run.folder / "predictions"
    home.mkdir(exist_ok=True)
    for key in run.keys:
        last, best = (home / f"{run.home(key).name}-{which}.npy" for which in WHICH)
        if not last.is_file():
            _predict(run, key, "last", last)
        if not best.is_file():
            state = training.load_state(run.home(key))
            if state.best_epoch == state.epoch:  # one and the same model
                files.write_bytes(best, last.read_bytes())
            else:
                _predict(run, key, "best", best)


def _predict(run: Run, key: Key, which: str, path: Path) -> None:
    model = training.load_model(run.home(key) / f"{which}.keras", run.plan(key), compiled=False)
    content = BytesIO()
    np.save(content, _predicted(run, model, key))
    files.write_bytes(path, content.getvalue())


def _predicted(run: Run, model: keras.Model, key: Key) -> NDArray[Any]:
    """The model's output, eagerly: two models a condition are not worth two traces.

    One NaN where it is not finite, else what the experiment keeps of it.
    """
    parts = []
    for batch in feed.batches_of_inputs(run.examples(key, "test"), run.plan(key).batch_size):
        output = keras.ops.convert_to_numpy(model(batch, training=False)).astype(np.float32)
        if not np.isfinite(output).all():
            return np.full(1, np.nan, np.float32)
        parts.append(run.experiment.compact(output))
    return np.concatenate(parts)


def _measured(run: Run, key: Key, totals: dict[str, Any]) -> dict[str, Any]:
    """One training's row of result.json."""
    state = training.load_state(run.home(key))
    metrics, part = {}, run.part(key[0])
    for which in WHICH:
        predicted = predictions(run, key, which)
        whole = np.isfinite(predicted).all()
        metrics[which] = run.experiment.measure(part.test, predicted, len(part.classes)) if whole else None
    return {
        "condition": key[0],
        "seed": key[1],
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "diverged": state.diverged,
        "train_images": len(part.train),
        "test": metrics["last"],
        "test_of_best_epoch": metrics["best"],
        "diagnosis": _diagnosis(run, key, state.history, totals["parameters"]),
        "seconds": round(sum(state.seconds), 1),
        "processor_seconds": round(sum(state.processor_seconds), 1),
        "checkpoint_bytes": (run.home(key) / "last.keras").stat().st_size,
    }


def _diagnosis(run: Run, key: Key, rows: list[Row], parameters: int) -> dict[str, object]:
    condition, part = run.conditions[key[0]], run.part(key[0])
    setting = diagnosis.Setting(
        parameters=parameters,
        train_images=len(part.train),
        validation_images=len(part.validation),
        batch_size=condition.batch_size,
        batchnorm_momentum=condition.batchnorm_momentum,
    )
    return diagnosis.diagnose(rows, setting).to_dict()


def _spread(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Every scalar metric over the seeds that did not diverge."""
    tests = [row["test"] for row in rows if row["condition"] == name and row["test"]]
    if not tests:
        return {}
    scalars = [key for key, value in tests[0].items() if isinstance(value, int | float)]
    return {key: spread([test[key] for test in tests]) for key in scalars}


def _judged(run: Run, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    judged = []
    for expectation in run.experiment.expectations(run.config):
        values = [
            row["test"][expectation.quantity] if row["test"] else math.nan
            for row in rows
            if row["condition"] == expectation.condition
        ]
        judged.append(
            {
                "text": str(expectation),
                "measured": [value if math.isfinite(value) else None for value in values],
                "met": all(math.isfinite(value) and expectation.met(value) for value in values),
            }
        )
    return judged


def _peak_memory() -> int:
    """Largest resident size of this process so far, in bytes (macOS counts in bytes, Linux in KiB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
