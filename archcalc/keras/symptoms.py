"""Symptoms of a training that goes wrong, found in what `GradientMonitor` recorded.

Every detector is a function of plain arrays, one row per measured step, and returns the `Symptom` or
None. Its thresholds are keyword arguments, so that whoever disagrees may change them. Records are those of
one fixed batch: their loss and gradients change because weights change and never because the batch does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FEW = 6  # records below which a trend is not judged


@dataclass(frozen=True)
class Symptom:
    """What was found: its name, the step from which it shows, the layer or weight, the figures."""

    name: str
    step: int
    where: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.name} (step {self.step}, {self.where}): {self.evidence}"


@dataclass(frozen=True)
class Series:
    """A training as measured: T steps, V trainable weights, L layers, A additions of a branch to a skip."""

    steps: NDArray[np.int64]  # (T,)
    loss: Floats  # (T,)
    weights: Floats  # (T, V) 2-norms
    gradients: Floats  # (T, V) 2-norms of the loss's gradient
    moved: Floats  # (T, V) 2-norm of the change since the record before
    signals: Floats  # (T, L) 2-norm of the gradient with respect to the layer's output
    idle: Floats  # (T, L) share of dead (relu) or saturated (sigmoid, tanh) units; NaN for other layers
    branches: Floats  # (T, A) norm of the residual branch over that of its skip
    weight_names: tuple[str, ...]
    ranks: tuple[int, ...]  # (V,) axes of each weight
    layer_names: tuple[str, ...]
    activations: tuple[str, ...] = ()  # (L,) of each layer; "" where it has none
    branch_names: tuple[str, ...] = ()

    @property
    def kernels(self) -> list[int]:
        """Which weights are matrices or larger, in the order of the network."""
        return [v for v, rank in enumerate(self.ranks) if rank > 1]

    @property
    def biases(self) -> list[int]:
        return [v for v, name in enumerate(self.weight_names) if name.endswith("bias")]


def not_a_number(series: Series) -> Symptom | None:
    """A loss, gradient or weight that is NaN or infinite."""
    for t, step in enumerate(series.steps):
        for what, values, names in (
            ("weight", series.weights[t], series.weight_names),
            ("gradient", series.gradients[t], series.weight_names),
            ("loss", series.loss[t : t + 1], ("loss",)),
        ):
            wrong = np.flatnonzero(~np.isfinite(values))
            if len(wrong):
                text = f"{len(wrong)} of {len(values)} {what}s are NaN or infinite"
                return Symptom("NaN", int(step), names[wrong[0]], text)
    return None


def exponential_growth(series: Series, growth: float = 10.0) -> Symptom | None:
    """A kernel's norm that has grown `growth` times, and as an exponential function rather than a line.

    Both are fitted to the finite records by least squares; the one with the smaller error of the logarithm
    is the kind of growth.
    """
    found: tuple[float, int, str] | None = None
    for v in series.kernels:
        norm = series.weights[:, v]
        last = _finite_length(norm)
        norm, t = norm[:last], series.steps[:last].astype(np.float64)
        if last < 3 or norm[0] <= 0 or not (norm[-1] >= growth * norm[0]) or not (np.diff(norm) > 0).any():
            continue
        logs = np.log(norm)
        line = np.polyval(np.polyfit(t, norm / norm.max(), 1), t) * norm.max()
        straight = np.log(np.maximum(line, 1e-3 * norm[0]))
        exponential = np.polyval(np.polyfit(t, logs, 1), t)
        if ((logs - exponential) ** 2).sum() < ((logs - straight) ** 2).sum():
            factor = float(norm[-1] / norm[0])
            if found is None or factor > found[0]:
                found = factor, int(np.argmax(norm >= growth * norm[0])), series.weight_names[v]
    if found is None:
        return None
    return Symptom(
        "exponential growth",
        int(series.steps[found[1]]),
        found[2],
        f"its norm grew {found[0]:.3g} times, as an exponential",
    )


def constant_gradients(series: Series, factor: float = 1.02) -> Symptom | None:
    """Gradients of a kernel that stay the same: within `factor` over the second half of the records.

    Gradients that are exactly zero in all of them count.
    """
    half = len(series.steps) // 2
    if len(series.steps) < FEW:
        return None
    for v in series.kernels:
        values = series.gradients[half:, v]
        if np.isfinite(values).all() and values.max() <= factor * values.min():
            return Symptom(
                "constant derivatives",
                int(series.steps[half]),
                series.weight_names[v],
                f"its gradient's norm stays between {values.min():.3g} and {values.max():.3g}",
            )
    return None


def jumping_loss(series: Series, rise: float = 1.25, share: float = 0.1) -> Symptom | None:
    """A loss that rises by a factor from record to record, in at least `share` of them and twice."""
    loss = series.loss[: _finite_length(series.loss)]
    if len(loss) < FEW:
        return None
    # an absolute allowance, since a loss near zero doubles for nothing
    jumps = np.flatnonzero(loss[1:] > rise * loss[:-1] + 0.01 * loss[0])
    if len(jumps) < max(2, share * (len(loss) - 1)):
        return None
    worst = jumps[int(np.argmax(loss[jumps + 1] / np.maximum(loss[jumps], 1e-300)))]
    return Symptom(
        "jumping loss",
        int(series.steps[jumps[0] + 1]),
        "loss",
        f"{len(jumps)} of {len(loss) - 1} times a rise over {rise:g}-fold, "
        f"the largest from {loss[worst]:.3g} to {loss[worst + 1]:.3g}",
    )


def standing_loss(series: Series, still: float = 0.05, high: float = 0.6) -> Symptom | None:
    """A loss that stays within a share `still` for two thirds of the records, above `high` of its start.

    What the last layer learns in the first steps, the classes' shares, does not count as a fall.
    """
    loss = series.loss
    if len(loss) < FEW or not np.isfinite(loss).all():
        return None
    tail = loss[len(loss) // 3 :]
    level = float(np.median(tail))
    if level < high * loss[0] or tail.max() - tail.min() > still * level:
        return None
    return Symptom(
        "standing loss",
        int(series.steps[len(loss) - len(tail)]),
        "loss",
        f"began at {loss[0]:.4g} and stands at {level:.4g}",
    )


def early_kernels_stand(series: Series, ratio: float = 0.01) -> Symptom | None:
    """Kernels of the first third that move less than `ratio` times as far as the last third's.

    Their path over all records relative to their norm at the start; medians of each third.
    """
    chosen = [v for v in series.kernels if series.weights[0, v] > 0]
    return _standing(series, chosen, series.weights[0], ratio, "early weights stand")


def early_biases_stand(series: Series, ratio: float = 0.01) -> Symptom | None:
    """The same of biases, which start at zero: the length of their path.

    A bias before a batch normalisation has no effect and no gradient; those whose gradient is a millionth of
    their kernel's are left out.
    """
    sizes = np.ones(len(series.weight_names))
    chosen = [v for v in series.biases if v and not _without_effect(series, v)]
    return _standing(series, chosen, sizes, ratio, "early biases stand")


def _without_effect(series: Series, bias: int) -> bool:
    own, kernel = series.gradients[:, bias], series.gradients[:, bias - 1]
    known = np.isfinite(own) & np.isfinite(kernel)
    return bool(known.any() and np.median(own[known]) < 1e-6 * np.median(kernel[known]))


def _standing(series: Series, chosen: list[int], scale: Floats, ratio: float, name: str) -> Symptom | None:
    if len(chosen) < 3 or len(series.steps) < 3:
        return None
    path = (
        np.nansum(np.where(np.isfinite(series.moved), series.moved, np.nan), axis=0)[chosen] / scale[chosen]
    )
    third = max(1, len(chosen) // 3)
    early, late = float(np.median(path[:third])), float(np.median(path[-third:]))
    if not early < ratio * late:
        return None
    return Symptom(
        name,
        int(series.steps[-1]),
        series.weight_names[chosen[0]],
        f"the first third moves by {early:.3g}, the last by {late:.3g}",
    )


def shrinking_weights(series: Series, share: float = 0.8) -> Symptom | None:
    """A kernel whose norm falls below `share` of where it began."""
    for v in series.kernels:
        norm = series.weights[: _finite_length(series.weights[:, v]), v]
        if len(norm) >= 3 and norm[0] > 0 and norm[-1] < share * norm[0]:
            return Symptom(
                "shrinking weights",
                int(series.steps[int(np.argmax(norm < share * norm[0]))]),
                series.weight_names[v],
                f"its norm fell from {norm[0]:.3g} to {norm[-1]:.3g}",
            )
    return None


def early_stop(
    series: Series, fallen: float = 0.25, still: float = 0.02, high: float = 0.3
) -> Symptom | None:
    """A loss that fell by `fallen`, then stands within `still` for a third, above `high` of its start."""
    loss = series.loss
    if len(loss) < FEW or not np.isfinite(loss).all():
        return None
    tail = loss[-(len(loss) // 3) :]
    level = float(np.median(tail))
    if not high * loss[0] < level <= (1 - fallen) * loss[0] or tail.max() - tail.min() > still * level:
        return None
    return Symptom(
        "early stop",
        int(series.steps[len(loss) - len(tail)]),
        "loss",
        f"began at {loss[0]:.3g}, stopped at {level:.3g}",
    )


def dead_units(series: Series, share: float = 0.5) -> Symptom | None:
    """A layer of rectifiers of which at least `share` give zero for every sample."""
    return _idle(series, ("relu", "relu6"), share, "dead units", "give zero for every sample")


def saturated_units(series: Series, share: float = 0.8) -> Symptom | None:
    """A layer of sigmoids or tanhs with at least `share` of its values within 5 % of their ends.

    Half of them there is nothing unusual: a first layer of tanhs on standardised images has as many.
    """
    return _idle(series, ("sigmoid", "tanh"), share, "saturated units", "are within 5 % of their ends")


def _idle(series: Series, kinds: tuple[str, ...], share: float, name: str, text: str) -> Symptom | None:
    chosen = [n for n, kind in enumerate(series.activations) if kind in kinds]
    for t, step in enumerate(series.steps):
        for n in chosen:
            if series.idle[t, n] >= share:
                return Symptom(
                    name, int(step), series.layer_names[n], f"{series.idle[t, n]:.0%} of its units {text}"
                )
    return None


def _finite_length(values: Floats) -> int:
    """How many records come before the first that is not finite."""
    wrong = np.flatnonzero(~np.isfinite(values))
    return int(wrong[0]) if len(wrong) else len(values)


DETECTORS = {
    "NaN": not_a_number,
    "exponential growth": exponential_growth,
    "constant derivatives": constant_gradients,
    "jumping loss": jumping_loss,
    "standing loss": standing_loss,
    "early weights stand": early_kernels_stand,
    "early biases stand": early_biases_stand,
    "shrinking weights": shrinking_weights,
    "early stop": early_stop,
    "dead units": dead_units,
    "saturated units": saturated_units,
}


def symptoms(series: Series) -> list[Symptom]:
    """What all detectors find, the worst first."""
    found = [detector(series) for detector in DETECTORS.values()]
    return [symptom for symptom in found if symptom is not None]
