"""What a run writes before it trains: archcalc's prediction, Keras's summary, the check of both."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import keras

from experiments.common import console, files, folders, prediction
from experiments.common.run import Run

BYTES_BESIDE_WEIGHTS = 40 * 2**20  # figures, report, logs, predictions


def write(run: Run) -> None:
    """Write prediction.json (unless it is there), summary.txt and check.json; reserve the disk space.

    Raises CheckFailedError where prediction and Keras differ, ExperimentError where the disk is full.
    """
    models, fits, checks, summaries, weights = {}, {}, {}, [], 0
    for condition in run.conditions.values():
        keras.backend.clear_session(free_memory=False)
        keras.utils.set_random_seed(run.config.seed)
        model = condition.build()
        models[condition.name] = prediction.predict(model)
        fits[condition.name] = prediction.memory(model, condition.batch_size)
        checks[condition.name] = prediction.check(model, models[condition.name])
        summaries.append(f"{condition.name}\n{_summary(model)}")
        weights += 4 * model.count_params()
    expectations = [{"text": str(e), **vars(e)} for e in run.experiment.expectations(run.config)]
    _write_once(run, {"expectations": expectations, "memory": fits, "models": models})
    files.write_text(run.folder / "summary.txt", "\n".join(summaries))
    files.write_json(
        run.folder / "check.json", {"agrees": all(c["agrees"] for c in checks.values()), "models": checks}
    )
    prediction.require_agreement(checks)
    # weights and two moments of adam; two generations, the best, one being written
    folders.require_space(run.folder, 4 * 3 * weights * run.config.seeds + BYTES_BESIDE_WEIGHTS)


def _write_once(run: Run, predicted: dict[str, Any]) -> None:
    path = run.folder / "prediction.json"
    if not path.is_file():
        files.write_json(path, predicted)
    elif files.read_json(path) != predicted:
        console.warn("archcalc predicts otherwise than when the run began; what was written then stands")


def _summary(model: keras.Model) -> str:
    text = StringIO()
    with redirect_stdout(StringIO()):
        model.summary(print_fn=lambda line, **_: text.write(line + "\n"), line_length=100)
    return text.getvalue()
