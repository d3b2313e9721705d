"""What people say of weight sharing, as claims with predictions, and how each is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import equal_time, files
from experiments.common.claims import EXPECTED, Claim, Measurement
from experiments.common.experiment import Outcome
from experiments.common.sharing import AVERAGE, NAMES
from experiments.common.summary import written

SHIFTS = (0, 1, 2, 4)  # pixels, each in four directions


def claims(
    further: Mapping[str, Any], heads: Sequence[str], memory_batch: int, *, timed: bool
) -> tuple[Claim, ...]:
    """From archcalc's figures of the examples and of a batch's memory; accuracies under each of `heads`."""
    said = further["examples"]
    conv, local = said["conv_pair"], said["local_pair"]
    counts = ", ".join(f"{name} {figures_of['parameters']:,}" for name, figures_of in said.items())
    ratio = local["parameters"] / conv["parameters"]
    listed = [
        Claim(
            "parameters",
            "Without weight sharing parameters multiply.",
            f"{counts}; {ratio:,.0f} times as many without sharing; as the summaries of Keras and "
            f"tf_keras say",
            at_least=1.0,
        ),
        Claim(
            "field",
            "Sharing changes nothing in what a unit sees.",
            "5x5 in each of the four",
            at_least=1.0,
        ),
        Claim(
            "time",
            "Equal multiply-adds take equal time.",
            f"{conv['macs']:,} with and {local['macs']:,} without sharing: the time of an epoch within "
            f"a factor of 1.5",
            at_least=1 / 1.5,
            at_most=1.5,
        ),
    ]
    if memory_batch:
        known = {n: b for n, b in further["activations"].items() if b is not None}
        sizes = ", ".join(f"{name} {size / 2**20:,.0f} MiB" for name, size in known.items())
        listed.append(
            Claim(
                "memory",
                "What a batch takes in training follows from the architecture.",
                f"{memory_batch} samples over one: {sizes}, within a factor of 1.5",
                at_least=1 / 1.5,
                at_most=1.5,
            )
        )
    if not timed:
        listed = [claim for claim in listed if claim.key != "time"]
    for head in heads:
        listed += _of_head(head)
    return tuple(listed)


def _of_head(head: str) -> list[Claim]:
    """Accuracy, generalisation gap and shifts, local_pair against conv_pair, under one head."""
    where = "a head that averages over positions" if head == AVERAGE else "a head that knows positions"
    claims = [
        Claim(
            f"accuracy {head}",
            f"Convolutions are more accurate than local layers, under {where}.",
            "conv_pair's test accuracy less local_pair's: above 0",
            at_least=0.0,
            by=EXPECTED,
        ),
        Claim(
            f"gap {head}",
            f"Local layers overfit more, under {where}.",
            "training less test accuracy, local_pair's over conv_pair's: above 0",
            at_least=0.0,
            by=EXPECTED,
        ),
    ]
    if head == AVERAGE:
        claims.append(
            Claim(
                "shift conv",
                "Convolutions do not care where things are.",
                f"under {where} at most 2 points lost on garments shifted by {SHIFTS[-1]} pixels",
                at_most=0.02,
            )
        )
    claims.append(
        Claim(
            f"shift {head}",
            f"Weight sharing protects against shifts, under {where}.",
            f"local_pair loses at least 10 points more than conv_pair at {SHIFTS[-1]} pixels",
            at_least=0.10,
            by=EXPECTED,
        )
    )
    return claims


def judged(outcome: Outcome) -> dict[str, Measurement]:
    """What was measured of each claim."""
    config, said = outcome.config, outcome.prediction["further"]["examples"]
    summaries = files.read_json(outcome.folder / "summaries.json")
    same = [
        summaries[name][kind] == said[name]["parameters"] for name in NAMES for kind in ("keras", "tf_keras")
    ]
    counts = ", ".join(f"{name} {summaries[name]['tf_keras']:,}" for name in NAMES)
    fields = [summaries[name]["field"] == said[name]["field"] for name in NAMES]
    shown = ", ".join("x".join(map(str, summaries[name]["field"])) for name in NAMES)
    found = {
        "parameters": Measurement(
            (float(all(same)),), f"tf_keras: {counts}; {sum(same)} of {len(same)} agree"
        ),
        "field": Measurement((float(all(fields)),), f"by gradient {shown}"),
        "time": _time(outcome),
    }
    if config.memory_batch:
        found["memory"] = _memory(outcome)
    for head in config.heads:
        found |= _judged_head(outcome, head)
    return found


def _judged_head(outcome: Outcome, head: str) -> dict[str, Measurement]:
    conv, local = f"conv_pair {head}", f"local_pair {head}"
    test = {name: np.array(outcome.values(name, "accuracy")) for name in (conv, local)}
    gap = {name: np.array(last(outcome, name, "accuracy")) - test[name] for name in (conv, local)}
    moved = shifts(outcome)
    lost = {
        name: np.array([each[str(SHIFTS[0])] - each[str(SHIFTS[-1])] for each in moved[name]])
        for name in (conv, local)
    }

    def pair(values: Mapping[str, NDArray[np.float64]]) -> str:
        return f"conv_pair {written(list(values[conv]))}, local_pair {written(list(values[local]))}"

    found = {
        f"accuracy {head}": Measurement(tuple(test[conv] - test[local]), pair(test), _why(head)),
        f"gap {head}": Measurement(tuple(gap[local] - gap[conv]), pair(gap)),
        f"shift {head}": Measurement(
            tuple(lost[local] - lost[conv]),
            f"lost: {pair(lost)}",
            "Under this head the Dense layer is tied to positions, whatever is shared before it.",
        ),
    }
    if head == AVERAGE:
        found["shift conv"] = Measurement(tuple(lost[conv]), f"lost {written(list(lost[conv]))}")
    return found


def _why(head: str) -> str:
    if head == AVERAGE:
        return (
            "Two convolutions and a mean know 5x5 patches and no place; garments lie in the middle, so "
            "place tells, "
            "and only local layers can use it."
        )
    return ""


def _time(outcome: Outcome) -> Measurement:
    head = outcome.config.heads[0]
    conv, local = (
        equal_time.cost(outcome.processor_seconds, f"{name} {head}") for name in ("conv_pair", "local_pair")
    )
    return Measurement(
        (local / conv,),
        f"{local / conv:.1f} times as long ({local:.2f} s against {conv:.2f} s of the processor an epoch)",
        "Every weight of a local layer is read for one position only, and its optimizer's state with it: "
        "memory is the limit, not arithmetic.",
    )


def _memory(outcome: Outcome) -> Measurement:
    said = outcome.prediction["further"]["activations"]
    measured = files.read_json(outcome.folder / "memory.json")
    taken = {name: found["batch"] - found["one"] for name, found in measured.items()}
    ratios = {name: taken[name] / said[name] for name in said if said[name] is not None}
    worst = max(ratios.values(), key=lambda ratio: max(ratio, 1 / max(ratio, 1e-9)))
    text = ", ".join(f"{name} {taken[name] / 2**20:,.0f} MiB" for name in taken)
    return Measurement(
        (worst,), f"{text}; the worst ratio {worst:.2f}", "Keras's windows and TensorFlow's own copies."
    )


def shifts(outcome: Outcome) -> dict[str, list[dict[str, float]]]:
    """Test accuracy by shift, of every training of each condition."""
    found: dict[str, list[dict[str, float]]] = {}
    for name, seed in outcome.histories:
        path = outcome.folder / "shifts" / f"{name}-seed{seed}.json"
        found.setdefault(name, []).append(files.read_json(path))
    return found


def last(outcome: Outcome, name: str, metric: str) -> list[float]:
    """A metric of the last epoch of every training of a condition."""
    return [rows[-1][metric] for (condition, _), rows in outcome.histories.items() if condition == name]
