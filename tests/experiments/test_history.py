"""history.csv: what is written comes back bit by bit, and so does what Keras's CSVLogger writes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from experiments.common import history
from experiments.common.errors import ExperimentError


def test_rows_come_back_bit_by_bit(tmp_path: Path) -> None:
    rows = {
        ("a, b", 0): [{"epoch": 1, "loss": 0.1 + 0.2, "val_loss": math.inf}, {"epoch": 2, "loss": 1e-17}],
        ("c", 3): [{"epoch": 1, "loss": math.nan, "val_loss": 3.0}],
    }
    history.write(tmp_path / "history.csv", rows)
    found = history.read(tmp_path / "history.csv")
    assert found[("a, b", 0)] == rows[("a, b", 0)]
    assert math.isnan(found[("c", 3)][0]["loss"])
    assert found[("c", 3)][0]["val_loss"] == 3.0


def test_epochs_of_csvlogger_count_from_one(tmp_path: Path) -> None:
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((4, 2)), np.ones((4, 1))
    path = tmp_path / "log.csv"
    measured = model.fit(
        x, y, epochs=3, verbose=0, validation_data=(x, y), callbacks=[keras.callbacks.CSVLogger(path)]
    ).history
    (rows,) = history.read(path).values()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["val_loss"] for row in rows] == pytest.approx(measured["val_loss"])


def test_old_names_of_metrics_are_understood(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("epoch,acc,loss,val_acc,val_loss\n0,.5,1,.4,1.1\n", encoding="utf-8")
    assert history.read(tmp_path / "h.csv")[("", 0)] == [
        {"epoch": 1, "accuracy": 0.5, "loss": 1, "val_accuracy": 0.4, "val_loss": 1.1}
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column loss or accuracy"),
        ("a,b\n1,2\n", "no column loss or accuracy"),
        ("epoch,loss\n", "no epoch in it"),
        ("epoch,loss\n1,x\n", "line 2: a cell is not a number"),
        ("epoch,loss\n1,2\n1\n", "line 3: 1 cells under 2 columns"),
    ],
)
def test_what_is_no_history_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExperimentError, match=message):
        history.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"none\.csv: cannot be read"):
        history.read(tmp_path / "none.csv")
