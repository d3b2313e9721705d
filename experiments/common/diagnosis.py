"""Does a model underfit, overfit, or is its validation curve only noisy? By stated criteria.

    python -m experiments.common.diagnosis history.csv

Reads any `history.csv` (this project's, or Keras's CSVLogger's) and trains nothing. The criteria:

===============  =======================================================================================
tail             the last third of the epochs, at least 3
noise            spread of the validation loss from epoch to epoch: the median absolute second difference
                 of its logarithm, as a standard deviation; a smooth curve has none, whatever its trend
rise             how far the validation loss's tail lies above its best smoothed value (medians of 3)
gap              validation loss over training loss in the tail; and training accuracy less validation's
trend            slope of the loss per epoch in the tail (Theil & Sen: the median of all pairwise slopes)
===============  =======================================================================================

A bad validation curve has rival causes besides overfitting, and each leaves its mark: BatchNormalization
whose moving averages lag behind (they reach back further than an epoch has steps; training does not see
them), a learning rate too high (the training loss jumps too), few validation images (jumps as large as
counting explains).
"""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from experiments.common import history
from experiments.common.errors import ExperimentError
from experiments.common.history import Row

VERDICTS = {
    "overfits": "training goes on improving while validation has turned and gets worse",
    "memorises": "a wide gap between training and validation, though validation has not turned",
    "underfits": "training and validation have both stopped, close together and well above what is wanted",
    "undertrained": "both curves are still falling: more epochs before any judgement",
    "noisy": "the validation curve jumps; look for the cause before calling it overfitting",
    "fits": "validation follows training closely and has levelled off",
    "diverged": "the loss became infinite or worse than where it began",
    "too short": "fewer than 4 epochs: no trend can be told from noise",
}


@dataclass(frozen=True)
class Criteria:
    """Thresholds; every one may be changed, none is hidden."""

    rise: float = 0.05  # relative to the best validation loss, and more than twice the noise
    gap_loss: float = 0.5  # validation loss beyond training loss, relative to it
    gap_accuracy: float = 0.10
    falling: float = 0.01  # relative fall of the loss per epoch that counts as learning
    noise: float = 0.10  # relative standard deviation from epoch to epoch
    good_accuracy: float = 0.90  # training accuracy above which capacity is no longer the question


@dataclass(frozen=True)
class Setting:
    """What is known besides the curves; each entry sharpens the diagnosis, none is required."""

    parameters: int | None = None
    train_images: int | None = None
    validation_images: int | None = None
    batch_size: int | None = None
    batchnorm_momentum: float | None = None

    @property
    def steps_per_epoch(self) -> int | None:
        if self.train_images is None or self.batch_size is None:
            return None
        return -(-self.train_images // self.batch_size)


@dataclass(frozen=True)
class Diagnosis:
    """A verdict of `VERDICTS`, the figures behind it, and sentences for a reader."""

    verdict: str
    figures: dict[str, float]
    reasons: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)  # rival causes of a bad validation curve

    def to_dict(self) -> dict[str, object]:
        return {
            "verdict": self.verdict,
            "meaning": VERDICTS[self.verdict],
            "figures": self.figures,
            "reasons": self.reasons,
            "suspects": self.suspects,
        }

    def __str__(self) -> str:
        lines = [f"{self.verdict}: {VERDICTS[self.verdict]}", *self.reasons]
        return "\n  ".join(lines + [f"suspect: {suspect}" for suspect in self.suspects])


def noise_of(values: Sequence[float]) -> float:
    """Standard deviation of independent jitter around a smooth curve, from its second differences.

    A second difference of jitter with deviation s has deviation s*sqrt(6); the median absolute value is
    .6745 of that for normal jitter. A straight line has none. 0 for fewer than 4 values.
    """
    if len(values) < 4:
        return 0.0
    second = [a - 2 * b + c for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return statistics.median(map(abs, second)) / (0.6745 * math.sqrt(6.0))


def slope_of(values: Sequence[float]) -> float:
    """Theil & Sen's slope: the median over all pairs; one wild epoch does not move it."""
    pairs = combinations(enumerate(values), 2)
    slopes = [(b - a) / (j - i) for (i, a), (j, b) in pairs]
    return statistics.median(slopes) if slopes else 0.0


def smoothed(values: Sequence[float]) -> list[float]:
    """Running medians of three; the ends as they are."""
    if len(values) < 3:
        return list(values)
    inner = [statistics.median(values[i - 1 : i + 2]) for i in range(1, len(values) - 1)]
    return [values[0], *inner, values[-1]]


def diagnose(
    rows: Sequence[Row],
    setting: Setting = Setting(),
    criteria: Criteria = Criteria(),
) -> Diagnosis:
    """Judge one training by its epochs (rows with `loss`, `val_loss`, perhaps the accuracies).

    Raises ExperimentError where `loss` or `val_loss` is missing.
    """
    if not all("loss" in row and "val_loss" in row for row in rows):
        raise ExperimentError(
            "a diagnosis needs loss and val_loss in every epoch; train with validation data"
        )
    if any(not math.isfinite(row["loss"]) for row in rows):
        return Diagnosis("diverged", {"epochs": len(rows)}, [f"loss not finite after {len(rows)} epochs"])
    if len(rows) < 4:
        return Diagnosis("too short", {"epochs": len(rows)})
    figures = _figures(rows)
    verdict, reasons = _judge(figures, criteria)
    reasons += _capacity(setting)
    suspects = _lagging_averages(figures, setting) if verdict in {"overfits", "memorises", "noisy"} else []
    if figures["noise"] > criteria.noise:
        suspects += _shakers(figures, setting, criteria)
    return Diagnosis(verdict, {k: round(v, 5) for k, v in figures.items()}, reasons, suspects)


def _figures(rows: Sequence[Row]) -> dict[str, float]:
    tiny = 1e-12  # a loss may be exactly 0
    loss = [row["loss"] for row in rows]
    validation = [row["val_loss"] if math.isfinite(row["val_loss"]) else 1e3 for row in rows]
    tail = max(3, len(rows) // 3)
    log_loss = [math.log(max(v, tiny)) for v in loss]
    log_validation = [math.log(max(v, tiny)) for v in validation]
    calm = smoothed(log_validation)
    figures = {
        "epochs": float(len(rows)),
        "loss": statistics.median(loss[-tail:]),
        "val_loss": statistics.median(validation[-tail:]),
        "first_loss": loss[0],
        "best_epoch": float(validation.index(min(validation)) + 1),
        "noise": noise_of(log_validation),
        "training_noise": noise_of(log_loss),
        "rise": statistics.median(log_validation[-tail:]) - min(calm),
        "trend": slope_of(log_loss[-tail:]),
        "val_trend": slope_of(calm[-tail:]),
    }
    figures["gap_loss"] = figures["val_loss"] / max(figures["loss"], tiny) - 1.0
    if all("accuracy" in row and "val_accuracy" in row for row in rows):
        figures["accuracy"] = statistics.median(row["accuracy"] for row in rows[-tail:])
        figures["val_accuracy"] = statistics.median(row["val_accuracy"] for row in rows[-tail:])
        figures["gap_accuracy"] = figures["accuracy"] - figures["val_accuracy"]
    return figures


def _judge(f: dict[str, float], c: Criteria) -> tuple[str, list[str]]:
    """The first verdict whose criteria hold."""
    gap = f.get("gap_accuracy", 0.0) > c.gap_accuracy or f["gap_loss"] > c.gap_loss
    gap_text = f"loss {f['loss']:.3g} in training against {f['val_loss']:.3g} in validation"
    if "gap_accuracy" in f:
        gap_text += f", accuracy {f['accuracy']:.3f} against {f['val_accuracy']:.3f}"
    falling, val_falling = f["trend"] < -c.falling, f["val_trend"] < -c.falling
    if f["loss"] > f["first_loss"] * 1.05:
        return "diverged", [f"loss {f['first_loss']:.3g} after the first epoch, {f['loss']:.3g} at the end"]
    # falling, or with nothing left to fall: a loss below a hundredth
    if f["rise"] > max(c.rise, 2 * f["noise"]) and (falling or f["loss"] < 0.01) and gap:
        return "overfits", [
            f"validation loss {f['rise']:+.0%} above its best (epoch {f['best_epoch']:.0f}), "
            f"twice the noise being {2 * f['noise']:.0%}",
            gap_text,
        ]
    if f["noise"] > c.noise:
        return "noisy", [f"validation loss jumps by {f['noise']:.0%} from epoch to epoch", gap_text]
    if gap:
        return "memorises", [
            gap_text,
            f"validation loss {f['rise']:+.0%} above its best: within the noise or small",
        ]
    if falling and val_falling:
        return "undertrained", [
            f"training loss {f['trend']:+.1%} and validation loss {f['val_trend']:+.1%} per epoch at the end"
        ]
    if f.get("accuracy", 1.0) < c.good_accuracy:
        return "underfits", [gap_text, f"training loss {f['trend']:+.1%} per epoch at the end"]
    return "fits", [gap_text]


def _capacity(setting: Setting) -> list[str]:
    if not setting.parameters or not setting.train_images:
        return []
    ratio = setting.parameters / setting.train_images
    return [f"{setting.parameters:,} parameters for {setting.train_images:,} images ({ratio:.1f} each)"]


def _lagging_averages(f: dict[str, float], setting: Setting) -> list[str]:
    """BatchNormalization that validates with averages of weights long gone.

    Training does not see them, so a gap between training and validation may be theirs alone. They reach
    back 1/(1 - momentum) steps; after t steps, momentum^t of their initial value is left.
    """
    steps, momentum = setting.steps_per_epoch, setting.batchnorm_momentum
    if steps is None or momentum is None:
        return []
    reach = 1 / (1 - momentum)
    if reach <= steps and momentum ** (steps * f["epochs"]) < 0.01:
        return []
    return [
        f"BatchNormalization momentum {momentum:g}: its averages reach back {reach:.0f} steps, an epoch has "
        f"{steps}; validation may lag behind the weights"
    ]


def _shakers(f: dict[str, float], setting: Setting, c: Criteria) -> list[str]:
    """What else could shake a validation curve from epoch to epoch, each with the mark it left."""
    found = []
    if f["training_noise"] > c.noise:
        found.append(
            f"learning rate: the training loss jumps too ({f['training_noise']:.0%} from epoch to epoch)"
        )
    if setting.validation_images and "val_accuracy" in f:
        p = min(max(f["val_accuracy"], 0.01), 0.99)
        chance = math.sqrt(p * (1 - p) / setting.validation_images)
        if chance > 0.02:
            found.append(
                f"few validation images: {setting.validation_images} leave the accuracy a standard error "
                f"of {chance:.1%}"
            )
    return found


def diagnose_file(path: Path, setting: Setting = Setting()) -> dict[history.Key, Diagnosis]:
    """Every (condition, seed) of a history.csv."""
    return {key: diagnose(rows, setting) for key, rows in history.read(path).items()}


def main(arguments: list[str]) -> int:
    """Print the diagnosis of each history.csv named."""
    if not arguments:
        print("usage: python -m experiments.common.diagnosis history.csv ...", file=sys.stderr)  # noqa: T201
        return 2
    for argument in arguments:
        try:
            for (condition, seed), found in diagnose_file(Path(argument)).items():
                print(f"{argument} {condition} seed {seed}\n  {found}".replace("  seed", " seed"))  # noqa: T201
        except ExperimentError as fault:
            print(fault, file=sys.stderr)  # noqa: T201
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
