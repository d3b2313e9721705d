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

from experiments.common import diagnosis, files, training
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
        "runs": rows,
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "peak_process_bytes": _peak_memory(),
    }
    files.write_json(run.folder / "result.json", result)


def predictions(run: Run, key: Key, which: str) -> NDArray[np.float32]:
    """What a trained model says of the test data, as `write` kept it."""
    loaded: NDArray[np.float32] = np.load(
        run.folder / "predictions" / f"{run.home(key).name}-{which}.npy", allow_pickle=False
    )
    return loaded


def _predict_test_data(run: Run) -> None:
    home = run.folder / "predictions"
    home.mkdir(exist_ok=True)
    inputs, _ = run.experiment.arrays(run.config, run.data.test, len(run.data.classes))
    for key in run.keys:
        last, best = (home / f"{run.home(key).name}-{which}.npy" for which in WHICH)
        if not last.is_file():
            _predict(run, key, "last", inputs, last)
        if not best.is_file():
            state = training.load_state(run.home(key))
            if state.best_epoch == state.epoch:  # one and the same model
                files.write_bytes(best, last.read_bytes())
            else:
                _predict(run, key, "best", inputs, best)


def _predict(run: Run, key: Key, which: str, inputs: NDArray[Any], path: Path) -> None:
    model = training.load_model(run.home(key) / f"{which}.keras", run.plan(key), compiled=False)
    content = BytesIO()
    np.save(content, _predicted(model, inputs, run.plan(key).batch_size))
    files.write_bytes(path, content.getvalue())


def _predicted(model: keras.Model, inputs: NDArray[Any], batch_size: int) -> NDArray[np.float32]:
    """The model's output, eagerly: two models a condition are not worth two traces."""
    parts = [
        keras.ops.convert_to_numpy(model(inputs[start : start + batch_size], training=False))
        for start in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)


def _measured(run: Run, key: Key, totals: dict[str, Any]) -> dict[str, Any]:
    """One training's row of result.json."""
    state = training.load_state(run.home(key))
    metrics = {}
    for which in WHICH:
        predicted = predictions(run, key, which)
        whole = np.isfinite(predicted).all()
        metrics[which] = (
            run.experiment.measure(run.data.test, predicted, len(run.data.classes)) if whole else None
        )
    return {
        "condition": key[0],
        "seed": key[1],
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "diverged": state.diverged,
        "train_images": run.train_images(key[0]),
        "test": metrics["last"],
        "test_of_best_epoch": metrics["best"],
        "diagnosis": _diagnosis(run, key, state.history, totals["parameters"]),
        "seconds": round(sum(state.seconds), 1),
        "checkpoint_bytes": (run.home(key) / "last.keras").stat().st_size,
    }


def _diagnosis(run: Run, key: Key, rows: list[Row], parameters: int) -> dict[str, object]:
    condition = run.conditions[key[0]]
    setting = diagnosis.Setting(
        parameters=parameters,
        train_images=run.train_images(key[0]),
        validation_images=run.config.validation_images,
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
