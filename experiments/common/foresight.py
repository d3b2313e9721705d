"""What archcalc said of fields and memory before training, in sentences for a report."""

from __future__ import annotations

from experiments.common.experiment import Outcome


def foreseen(outcome: Outcome) -> list[str]:
    """One sentence a condition: the field of a unit of the output, training's memory, whether it fits."""
    height, width = outcome.data.train.images.shape[1:3]
    found = []
    for name in outcome.conditions:
        field = outcome.prediction["models"][name]["layers"][-1]["receptive_field"]
        fit = outcome.prediction["memory"][name]
        seen = "×".join(map(str, field["size"])) if field else "an unknown part"
        found.append(
            f"{name}: one pixel of the output sees {seen} of {height}×{width} pixels; training takes "
            f"{fit['training_bytes'] / 2**20:,.0f} MiB at batch {fit['batch_size']} (peak of inference "
            f"{fit['peak_activation_bytes'] / 2**20:,.0f} MiB, at {fit['peak_activation_layer']}), of "
            f"{fit['available_bytes'] / 2**20:,.0f}: {'it fits' if fit['fits'] else 'it does not fit'}"
        )
    return found
