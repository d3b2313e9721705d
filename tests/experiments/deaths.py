"""A run that dies within a write and is resumed, against one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.common import files, runner
from experiments.common.config import Config
from experiments.common.experiment import Experiment

# what a clock or a process's memory decides
FREE = {
    *("result.json", "report.html", "environment.json", ".lock", "state.json", "over_time.png"),
    *("verdicts.json", "memory.json", "time.png", "cost.png", "memory.png"),
}


class Death(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def variables(archive: Path) -> dict[str, bytes]:
    """Every variable of a model and its optimizer, by value."""
    model = keras.models.load_model(archive)
    return {
        variable.path: np.asarray(variable).tobytes()
        for variable in [*model.variables, *model.optimizer.variables]
        if not variable.path.endswith("seed_generator_state")
    }


def bits(folder: Path) -> dict[str, bytes]:
    """Every file but those that hold times, weights by value (archives hold the time of day)."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".keras":
            found |= {f"{name} {where}": value for where, value in variables(path).items()}
        elif path.is_file() and path.name not in FREE and "tensorboard" not in name:
            found[name] = path.read_bytes()
    return found


def same_bits(
    experiment: Experiment,
    config: Config,
    out: Path,
    moment: float,
    monkeypatch: pytest.MonkeyPatch,
    *,
    training_only: bool = False,
) -> None:
    """Die at that share of the writes, resume, and compare with an undisturbed run."""
    if training_only:
        monkeypatch.setattr(runner.results, "write", lambda _: None)
        monkeypatch.setattr(runner.drawing, "outcome", lambda _: None)  # it reads what results wrote
        monkeypatch.setattr(experiment, "study", lambda _: None)
        monkeypatch.setattr(runner.drawing, "draw", lambda _: None)
    tf.config.experimental.enable_op_determinism()
    real, count, last = files.write_whole, 0, float("inf")

    def write_whole(path: Path, write: Any) -> None:
        nonlocal count
        count += 1
        if count == last:
            raise Death
        real(path, write)

    monkeypatch.setattr(files, "write_whole", write_whole)
    whole = runner.start(experiment, config, None, out / "whole")
    last, count = max(6, round(moment * count)), 0
    with pytest.raises(Death):
        runner.start(experiment, config, None, out / "dead")
    (dead,) = (out / "dead").iterdir()
    assert not (dead / "result.json").is_file()
    last = float("inf")
    runner.resume(experiment, dead)
    found, wanted = bits(dead), bits(whole)
    differing = sorted(n for n in found.keys() | wanted.keys() if found.get(n) != wanted.get(n))
    assert not differing, differing
