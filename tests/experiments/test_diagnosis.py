"""The diagnosis, on curves whose nature is known because they were made to have it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.common import diagnosis, history
from experiments.common.diagnosis import Setting, diagnose, noise_of, slope_of
from experiments.common.errors import ExperimentError
from experiments.common.history import Row


def rows(loss: list[float], val_loss: list[float], **more: list[float]) -> list[Row]:
    columns = {"loss": loss, "val_loss": val_loss, **more}
    return [{"epoch": i + 1, **{k: v[i] for k, v in columns.items()}} for i in range(len(loss))]


def falling(start: float, floor: float, rate: float, epochs: int = 12) -> list[float]:
    """An exponential approach to a floor."""
    return [floor + (start - floor) * math.exp(-rate * epoch) for epoch in range(epochs)]


def jitter(values: list[float], size: float, seed: int = 0) -> list[float]:
    factors = np.exp(np.random.default_rng(seed).normal(0, size, len(values)))
    return [value * float(factor) for value, factor in zip(values, factors, strict=True)]


LEVEL = falling(2.3, 0.50, 1.0)
CURVES = {
    "fits": rows(LEVEL, falling(2.3, 0.55, 1.0), accuracy=[0.95] * 12, val_accuracy=[0.93] * 12),
    "underfits": rows(
        falling(2.3, 2.0, 1.0), falling(2.3, 2.05, 1.0), accuracy=[0.2] * 12, val_accuracy=[0.19] * 12
    ),
    "undertrained": rows(
        falling(2.3, 0.2, 0.1), falling(2.3, 0.25, 0.1), accuracy=[0.6] * 12, val_accuracy=[0.58] * 12
    ),
    "overfits": rows(
        falling(2.3, 0.01, 0.5),
        [2.0, 1.5, 1.2, 1.1, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
        accuracy=[0.99] * 12,
        val_accuracy=[0.6] * 12,
    ),
    "memorises": rows(
        falling(2.3, 0.3, 0.8), falling(2.3, 1.0, 0.8), accuracy=[0.95] * 12, val_accuracy=[0.7] * 12
    ),
    "noisy": rows(
        falling(2.3, 0.5, 0.4),
        jitter(falling(2.3, 0.6, 0.4), 0.5),
        accuracy=[0.8] * 12,
        val_accuracy=[0.7] * 12,
    ),
    "diverged": rows([1.0, 0.9, 2.0, 3.0, 4.0, 5.0], [1.0] * 6),
    "too short": rows([1.0, 0.5, 0.4], [1.0, 0.6, 0.5]),
}


@pytest.mark.parametrize("verdict", diagnosis.VERDICTS)
def test_a_curve_made_to_be_so_is_called_so(verdict: str) -> None:
    assert diagnose(CURVES[verdict]).verdict == verdict


def test_a_loss_that_is_no_number_has_diverged() -> None:
    assert diagnose(rows([1.0, math.nan], [1.0, 1.0])).verdict == "diverged"


def test_noise_around_a_turn_is_not_taken_for_overfitting() -> None:
    """The same rise, once smooth and once within jitter of its own size."""
    turned = [1.6, 1.3, 1.15, 1.08, 1.05, 1.03, 1.02, 1.03, 1.05, 1.07, 1.10, 1.13]
    train = falling(1.6, 0.05, 0.4)
    assert diagnose(rows(train, turned)).verdict == "overfits"
    assert diagnose(rows(train, jitter(turned, 0.3))).verdict == "noisy"


def test_noise_is_that_of_the_jitter_whatever_the_trend() -> None:
    x = np.random.default_rng(1).normal(0, 0.2, 4000)
    line = np.linspace(5, -5, 4000)
    assert noise_of(list(x)) == pytest.approx(0.2, rel=0.05)
    assert noise_of(list(x + line)) == pytest.approx(0.2, rel=0.05)
    assert noise_of(list(line)) == pytest.approx(0, abs=1e-9)


def test_slope_heeds_no_wild_epoch() -> None:
    assert slope_of([5, 4, 3, 100, 1, 0]) == pytest.approx(-1)
    assert slope_of([7]) == 0


@pytest.mark.parametrize(
    ("setting", "train_jitter", "suspect"),
    [
        (Setting(None, 500, None, 50, 0.99), 0.0, "momentum 0.99: its averages reach back 100"),
        (Setting(), 0.4, "learning rate: the training loss jumps too"),
        (Setting(validation_images=100), 0.0, "few validation images: 100"),
    ],
)
def test_each_rival_cause_is_known_by_its_mark(setting: Setting, train_jitter: float, suspect: str) -> None:
    noisy = CURVES["noisy"]
    train = jitter([row["loss"] for row in noisy], train_jitter, seed=3) if train_jitter else None
    found = diagnose([row | ({"loss": train[i]} if train else {}) for i, row in enumerate(noisy)], setting)
    assert found.verdict == "noisy"
    assert any(suspect in text for text in found.suspects), found.suspects


@pytest.mark.parametrize("verdict", ["overfits", "memorises"])
def test_a_gap_may_be_that_of_lagging_averages(verdict: str) -> None:
    """Training does not see the moving averages: validation alone suffers, as if it overfitted."""
    few_steps = {"train_images": 1_500, "batch_size": 64}
    (suspect,) = diagnose(CURVES[verdict], Setting(**few_steps, batchnorm_momentum=0.99)).suspects
    assert "an epoch has 24; validation may lag behind the weights" in suspect
    assert diagnose(CURVES[verdict], Setting(**few_steps, batchnorm_momentum=0.9)).suspects == []


def test_innocent_settings_are_not_suspected() -> None:
    calm = Setting(train_images=50_000, validation_images=5_000, batch_size=256, batchnorm_momentum=0.9)
    assert diagnose(CURVES["noisy"], calm).suspects == []


def test_capacity_is_told_against_the_data() -> None:
    found = diagnose(CURVES["memorises"], Setting(parameters=100_000, train_images=1_000))
    assert "100,000 parameters for 1,000 images (100.0 each)" in found.reasons


def test_validation_is_needed() -> None:
    with pytest.raises(ExperimentError, match="needs loss and val_loss"):
        diagnose([{"epoch": 1, "loss": 1.0}])


def test_anyones_history_is_judged_from_the_command_line_without_tensorflow(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    history.write(path, {("mine", 0): CURVES["overfits"]})
    code = (
        "import sys; from experiments.common import diagnosis\n"
        "status = diagnosis.main([sys.argv[1]])\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules), 'heavy'\n"
        "sys.exit(status)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "mine seed 0\n  overfits: training goes on improving" in ran.stdout


def test_a_file_that_is_no_history_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert diagnosis.main([str(tmp_path / "none.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err
