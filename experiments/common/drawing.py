"""The last step of a run: figures/*.png, report.html and the findings, from what its folder holds."""

from __future__ import annotations

from functools import partial

import keras

from experiments.common import claims, console, figures, files, report, results, training
from experiments.common.claims import Measurement
from experiments.common.experiment import Outcome
from experiments.common.history import Key
from experiments.common.run import Run


def draw(run: Run) -> None:
    """Draw the figures of a finished run and write its report.html; the findings are printed too."""
    measured = outcome(run)
    home = run.folder / "figures"
    home.mkdir(exist_ok=True)
    captions = []
    for picture in run.experiment.pictures(measured):
        figures.save(picture.figure, home / f"{picture.name}.png")
        captions.append((picture.name, picture.caption))
    findings = run.experiment.findings(measured)
    verdicts = claims.verdicts(measured.prediction["claims"], _measurements(run, measured))
    files.write_json(run.folder / "verdicts.json", verdicts)
    report.write(run.experiment, run.folder, captions, findings, verdicts)
    for finding in findings:
        console.say(f"- {finding}")
    for row in verdicts:
        console.say(f"{row['verdict']}: {row['claim']} | predicted {row['prediction']} | {row['measured']}")
    console.say(f"report {run.folder / 'report.html'}")


def outcome(run: Run) -> Outcome:
    """All that a finished run has measured."""
    result = files.read_json(run.folder / "result.json")
    return Outcome(
        config=run.config,
        data=run.data,
        histories=run.histories(),
        metrics={(row["condition"], row["seed"]): row["test"] for row in result["runs"] if row["test"]},
        diagnoses={(row["condition"], row["seed"]): row["diagnosis"] for row in result["runs"]},
        predictions={key: results.predictions(run, key, "last") for key in run.keys},
        model=partial(_last_model, run),
        seconds={key: training.load_state(run.home(key)).seconds for key in run.keys},
        processor_seconds={key: training.load_state(run.home(key)).processor_seconds for key in run.keys},
        baselines=result["baselines"],
        prediction=files.read_json(run.folder / "prediction.json"),
        folder=run.folder,
        records=run.records,
    )


def _measurements(run: Run, measured: Outcome) -> dict[str, Measurement]:
    check, result = files.read_json(run.folder / "check.json"), files.read_json(run.folder / "result.json")
    return {**claims.usual_measurements(check, result), **run.experiment.judged(measured)}


def _last_model(run: Run, key: Key) -> keras.Model:
    return training.load_model(run.home(key) / "last.keras", run.plan(key), compiled=False)
