"""What people say of CNNs outside of images, what is predicted of it, and what the permutation test says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.common.claims import EXPECTED, Claim, Measurement
from experiments.common.experiment import Outcome
from experiments.common.modality_nets import CNN, GRU, LSTM, SHARED, TABLES, TRANSFORMER
from experiments.common.summary import effect, written

TREES = ("decision tree", "random forest", "gradient boosting")
FALLS = 0.05  # of accuracy, that shuffling must cost where order is expected to matter
SAME = 0.03
# set, axis -> whether neighbours are expected to belong together
NEIGHBOURS = {
    ("grammar", "words"): True,
    ("sentences", "words"): False,
    ("words", "time"): True,
    ("words", "bands"): True,
    ("speakers", "time"): False,
    ("speakers", "bands"): True,
    ("customers", "columns"): False,
    ("tumours", "columns"): False,
}
REASONS = {
    ("grammar", "words"): "who did what to whom is in the order alone",
    ("sentences", "words"): "a subject shows in its words, wherever they are",
    ("words", "time"): "a word is a sequence of sounds",
    ("words", "bands"): "sounds are peaks of neighbouring bands",
    ("speakers", "time"): "a voice is the same at every moment",
    ("speakers", "bands"): "voices are peaks of neighbouring bands, at other places",
    ("customers", "columns"): "the order of the columns is anybody's",
    ("tumours", "columns"): "the order of the columns is anybody's",
}


def claims(sets: Sequence[str]) -> tuple[Claim, ...]:
    """Of the sets that are there."""
    found = [
        Claim(
            f"shuffled {name} {axis}",
            f"A CNN uses that neighbouring {axis} belong together ({name})."
            if near
            else f"A CNN has nothing to gain from neighbouring {axis} ({name}).",
            f"{REASONS[name, axis]}: shuffled, it loses at least {FALLS:g}"
            if near
            else f"{REASONS[name, axis]}: shuffled, it loses at most {SAME:g}",
            at_least=FALLS if near else None,
            at_most=None if near else SAME,
            by=EXPECTED,
        )
        for (name, axis), near in NEIGHBOURS.items()
        if name in sets
    ]
    for name in sets:
        if name in TABLES:
            found.append(
                Claim(
                    f"tool {name}",
                    "For tables, trees are the right tool and a CNN the wrong one.",
                    f"{name}: the best of trees, forest and boosting is at most {SAME:g} behind the CNN",
                    at_least=-SAME,
                    by=EXPECTED,
                )
            )
        else:
            found.append(
                Claim(
                    f"tool {name}",
                    "For sequences a CNN is the wrong tool, recurrent networks and attention the right ones.",
                    f"it is not, {name}: the best of them is at most {SAME:g} ahead of the CNN",
                    at_most=SAME,
                    by=EXPECTED,
                )
            )
    if "grammar" in sets:
        found.append(
            Claim(
                "bag",
                "Where order decides, a bag of words fails.",
                "grammar: test accuracy of the bag of words at most .55, chance being .5",
                at_most=0.55,
                by=EXPECTED,
            )
        )
    return tuple(found)


def table(outcome: Outcome) -> dict[str, dict[str, list[float]]]:
    """Test accuracy by set and method, a value a seed; shuffled ones are left out."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in outcome.config.sets}
    for condition in outcome.conditions:
        name, method = condition.split(" ", 1)
        if "shuffled" not in method:
            found[name][method] = outcome.values(condition, "accuracy")
    for label, metrics in outcome.baselines.items():
        name, method = label.split(" ", 1)
        found[name][method] = list(metrics["values"])
    return found


def chance(outcome: Outcome) -> dict[str, float]:
    """The share of the commonest class among the test examples."""
    sets = outcome.data.sets  # type: ignore[attr-defined]
    return {
        name: float(np.bincount(sets[name].test.targets).max() / len(sets[name].test))
        for name in outcome.config.sets
    }


def losses(outcome: Outcome) -> dict[tuple[str, str], list[float]]:
    """What the CNN loses by shuffling, a value a seed."""
    found = {}
    for name in outcome.config.sets:
        whole = outcome.values(f"{name} {CNN}", "accuracy")
        for axis in SHARED[name]:
            shuffled = outcome.values(f"{name} {CNN} {axis} shuffled", "accuracy")
            if len(whole) == len(shuffled):
                found[name, axis] = list(np.subtract(whole, shuffled))
    return found


def verdicts(outcome: Outcome) -> list[tuple[tuple[str, str], str]]:
    """The permutation test in a sentence a set and axis."""
    found = []
    for (name, axis), lost in losses(outcome).items():
        mean, deviation = float(np.mean(lost)), float(np.std(lost, ddof=1)) if len(lost) > 1 else 0.0
        error = 2 * deviation / len(lost) ** 0.5
        if len(lost) < 2:
            verdict = "one seed cannot tell"
        elif mean > max(error, SAME):
            verdict = "locality was used"
        elif mean + error < FALLS:
            verdict = "locality was not used: a CNN has no business there"
        else:
            verdict = "undecided"
        said = effect([0.0] * len(lost), [-value for value in lost])
        found.append(((name, axis), f"{name}, {axis} shuffled: {said}: {verdict}"))
    return found


def judged(outcome: Outcome) -> dict[str, Measurement]:
    found = {}
    for (name, axis), lost in losses(outcome).items():
        found[f"shuffled {name} {axis}"] = Measurement(
            tuple(lost), f"{written(lost)} lost", WHY.get((name, axis), "")
        )
    for name, methods in table(outcome).items():
        rivals = TREES if name in TABLES else (LSTM, GRU, TRANSFORMER)
        known = {m: values for m, values in methods.items() if m in rivals}
        best = max(known, key=lambda method: float(np.mean(known[method])))
        ahead = np.subtract(known[best], methods[CNN])
        found[f"tool {name}"] = Measurement(
            tuple(ahead),
            f"{best} {written(known[best])}, cnn {written(methods[CNN])}: {written(list(ahead))}",
            WHY.get((name, "tool"), ""),
        )
    if "grammar" in outcome.config.sets:
        values = outcome.baselines["grammar bag of words"]["values"]
        found["bag"] = Measurement(tuple(values), written(values))
    return found


# what explains a prediction that went wrong
WHY: dict[tuple[str, str], str] = {}
