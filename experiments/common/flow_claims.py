"""What people say of vanishing and exploding gradients: claims with predictions, and their measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archcalc.keras.symptoms import Series, Symptom
from experiments.common.claims import EXPECTED, Claim, Measurement
from experiments.common.stacks import Stack

NEAR = 0.3  # orders of magnitude by which a mean over starts may be off
LEARNT = 0.3  # training accuracy, of ten classes, that counts as learning
# what people list, by the kind of gradient that they blame
SYMPTOMS = {
    "exploding": {
        "exponential growth": "Exploding gradients make weights grow exponentially.",
        "NaN": "Exploding gradients end in NaN.",
        "jumping loss": "Exploding gradients make the loss jump.",
    },
    "vanishing": {
        "constant derivatives": "With vanishing gradients the derivatives stay constant.",
        "standing loss": "With vanishing gradients the loss stands still.",
        "early weights stand": "With vanishing gradients the weights of early layers do not move.",
        "early biases stand": "With vanishing gradients the biases of early layers do not move.",
        "shrinking weights": "With vanishing gradients weights shrink.",
        "early stop": "With vanishing gradients training stops early.",
    },
}


def of_starts(cells: Sequence[Stack], said: Mapping[str, Any]) -> list[Claim]:
    """The band, and the three laws of depth: plain stacks vanish, skips cure it, and skips can explode."""
    widths = [each["high"] - each["low"] for each in said.values()]
    width = (
        f"90 % of starts lie in bands of {np.median(widths):.2f} orders "
        f"(median; {min(widths):.2f} to {max(widths):.2f})"
    )
    found = [
        Claim("band", "Gradients at the start can be told from the architecture.", width, 0.80, 0.97),
        Claim("band images", "And so they can on real images.", width, 0.80, 0.97),
    ]
    for key, text, chosen in laws(cells):
        figures = ", ".join(f"{said[cell.name]['log10']:+.1f} at depth {cell.depth}" for cell in chosen)
        found.append(Claim(key, text, f"log10 of first over last: {figures}; within {NEAR:g}", at_most=NEAR))
    return found


def laws(cells: Sequence[Stack]) -> list[tuple[str, str, list[Stack]]]:
    """Key, claim and cells of each law; those that the profile has no cells for are left out."""

    def dense(activation: str, initializer: str, skip: bool) -> list[Stack]:
        wanted = ("dense", activation, initializer, skip)
        return [c for c in cells if (c.kind, c.activation, c.initializer, c.skip) == wanted]

    listed = [
        (
            "vanishing",
            "In deep plain sigmoid stacks gradients vanish.",
            dense("sigmoid", "glorot_uniform", False),
        ),
        ("skips", "Skips cure that.", dense("sigmoid", "glorot_uniform", True)),
        (
            "he",
            "He's initialisation cures vanishing in plain relu stacks.",
            dense("relu", "he_normal", False),
        ),
        ("exploding", "Skips with He's initialisation explode.", dense("relu", "he_normal", True)),
    ]
    return [law for law in listed if law[2]]


def judged_starts(
    cells: Sequence[Stack], said: Mapping[str, Any], found: Mapping[str, Any], covered: Mapping[str, float]
) -> dict[str, Measurement]:
    """Coverage of both series, and the largest error of a mean of each law."""
    result = {}
    for key, series in (("band", "noise"), ("band images", "images")):
        count = sum(len(starts[series]) for starts in found.values())
        text = f"{covered[series]:.1%} of {count:,} starts of {len(found)} networks"
        result[key] = Measurement(
            (covered[series],), text, _why_images(said, found) if series == "images" else ""
        )
    for key, _, chosen in laws(cells):
        means = [float(np.mean(found[cell.name]["noise"])) for cell in chosen]
        wrong = [abs(mean - said[cell.name]["log10"]) for mean, cell in zip(means, chosen, strict=True)]
        figures = ", ".join(f"{mean:+.1f} at depth {c.depth}" for mean, c in zip(means, chosen, strict=True))
        result[key] = Measurement((max(wrong),), f"{figures}; off by {max(wrong):.2f} at most")
    return result


def _why_images(said: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Where real images leave the bands, by the function of the network."""
    shares: dict[str, list[float]] = {}
    for name, starts in found.items():
        inside = [said[name]["low"] <= value <= said[name]["high"] for value in starts["images"]]
        shares.setdefault(f"{name.split()[0]} {name.split()[2]}", []).append(float(np.mean(inside)))
    text = ", ".join(f"{name} {np.mean(share):.0%}" for name, share in shares.items())
    return f"In the band: {text}; images are neither of variance 1 nor independent pixels."


# -- trainings ---------------------------------------------------------------------------------------
def of_trainings(stacks: Sequence[Stack], verdicts: Mapping[str, str]) -> list[Claim]:
    """Whether archcalc's verdict at the start tells what learns; each symptom; each remedy; false alarms."""
    counted = {
        kind: sum(v == kind for v in verdicts.values()) for kind in ("stable", "vanishing", "exploding")
    }
    kinds = ", ".join(f"{number} {kind}" for kind, number in counted.items() if number)
    found = [
        Claim(
            "learns",
            "What gradients do at the start decides whether a network learns.",
            f"{kinds}: only the stable ones learn, in 80 % of trainings",
            at_least=0.8,
        )
    ]
    ill = {
        kind: sum(verdicts[stack.label] == kind and not stack.clip for stack in stacks) for kind in SYMPTOMS
    }
    for kind, symptoms in SYMPTOMS.items():
        for name, text in symptoms.items():
            if ill[kind]:
                predicted = f"an alarm in half or more of the trainings of {ill[kind]} {kind} networks"
                found.append(Claim(f"symptom {name}", text, predicted, at_least=0.5, by=EXPECTED))
    for stack in stacks:
        if stack.note:
            text = f"{stack.note} makes a deep network learn ({stack.label})."
            predicted = f"{verdicts[stack.label]} at the start; learns with most seeds"
            found.append(Claim(f"remedy {stack.label}", text, predicted, at_least=0.5))
    if any(stack.clip for stack in stacks):
        text = "Clipping keeps the weights of an exploding network finite."
        found.append(Claim("clipping", text, "no NaN with any seed", at_most=0.0, by=EXPECTED))
    found.append(
        Claim(
            "false alarms",
            "Such symptoms mean that something is wrong.",
            "an alarm in at most 10 % of healthy trainings",
            at_most=0.10,
            by=EXPECTED,
        )
    )
    return found


def judged_trainings(
    stacks: Sequence[Stack],
    verdicts: Mapping[str, str],
    accuracies: Mapping[str, Sequence[float]],
    alarms: Mapping[str, Sequence[Sequence[Symptom]]],
) -> dict[str, Measurement]:
    """Of every training: accuracy at its end (0 where it diverged) and alarms, by label and seed."""
    result = {"learns": _learns(stacks, verdicts, accuracies)}
    for kind, symptoms in SYMPTOMS.items():
        # a clipped training has its remedy
        names = [stack.label for stack in stacks if verdicts[stack.label] == kind and not stack.clip]
        for name in symptoms:
            cried = {label: [any(s.name == name for s in each) for each in alarms[label]] for label in names}
            every = [value for values in cried.values() for value in values]
            if every:
                where = [label for label, values in cried.items() if any(values)]
                text = f"{sum(every)} of {len(every)} trainings" + (f" ({'; '.join(where)})" if where else "")
                why = (
                    "A symptom of some such networks, and no sign of all." if where else "It was never seen."
                )
                result[f"symptom {name}"] = Measurement((float(np.mean(every)),), text, why)
    clipped = [any(s.name == "NaN" for s in each) for c in stacks if c.clip for each in alarms[c.label]]
    if clipped:
        result["clipping"] = Measurement(
            (float(np.mean(clipped)),), f"NaN in {sum(clipped)} of {len(clipped)} trainings"
        )
    for stack in stacks:
        if stack.note:
            reached = accuracies[stack.label]
            share = float(np.mean([value >= LEARNT for value in reached]))
            text = ", ".join(f"{value:.2f}" for value in reached)
            cries = dict.fromkeys(s.name for each in alarms[stack.label] for s in each)
            why = f"What the detectors say: {', '.join(cries) or 'nothing'}."
            result[f"remedy {stack.label}"] = Measurement((share,), f"training accuracy {text}", why)
    return result


def _learns(
    stacks: Sequence[Stack], verdicts: Mapping[str, str], accuracies: Mapping[str, Sequence[float]]
) -> Measurement:
    right, wrong = 0, []
    for stack in stacks:
        said = verdicts[stack.label] == "stable"
        agreeing = [(value >= LEARNT) == said for value in accuracies[stack.label]]
        right += sum(agreeing)
        if not all(agreeing):
            wrong.append(f"{stack.label} ({verdicts[stack.label]})")
    count = sum(len(accuracies[stack.label]) for stack in stacks)
    text = f"{right} of {count} trainings" + (f"; otherwise: {', '.join(wrong)}" if wrong else "")
    return Measurement(
        (right / count,), text, "The learning rate decides as well, and archcalc does not see it."
    )


def alarming(trainings: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> Measurement:
    """The share of healthy trainings with any alarm, and which."""
    if not trainings:
        return Measurement((), "no training was healthy")
    share = sum(bool(t["alarms"]) for t in trainings) / len(trainings)
    which = ", ".join(f"{name} {number}" for name, number in counts.items() if number) or "none of any kind"
    return Measurement((share,), f"{share:.0%} of {len(trainings)} healthy trainings ({which})")


# -- plain and residual networks with batch normalisation ------------------------------------------
def of_resnets(pairs: Mapping[str, Any]) -> list[Claim]:
    """`pairs`: what archcalc expects of each network at its start, by name (`plain 56`, `resnet 56`)."""
    depths = sorted({int(name.split()[1]) for name in pairs})
    if len(depths) < 2:
        return []
    shallow, deep = depths[0], depths[-1]
    said = pairs[f"plain {deep}"]
    return [
        Claim(
            "plain vanishes",
            f"A plain network of {deep} layers with batch normalisation suffers from vanishing gradients.",
            f"it does not: log10 of first over last {said['log10']:+.1f} ({said['low']:+.1f} to "
            f"{said['high']:+.1f}) "
            "at the start, and never below -1 in training",
            at_least=-1.0,
        ),
        Claim(
            "degradation",
            f"Plain-{deep} ends with a higher training loss than plain-{shallow}.",
            "higher",
            at_least=0.0,
            by=EXPECTED,
        ),
        Claim(
            "residual cures",
            f"ResNet-{deep} ends with a lower training loss than plain-{deep}.",
            "lower",
            at_least=0.0,
            by=EXPECTED,
        ),
    ]


def judged_resnets(
    pairs: Mapping[str, Any], flows: Mapping[str, Series], losses: Mapping[str, float]
) -> dict[str, Measurement]:
    """The lowest ratio of first to last gradient in training, and differences of the loss at the end."""
    depths = sorted({int(name.split()[1]) for name in pairs})
    if len(depths) < 2:
        return {}
    shallow, deep = depths[0], depths[-1]
    ratio = flow(flows[f"plain {deep}"])
    lost = losses[f"plain {deep}"] - losses[f"plain {shallow}"]
    cured = losses[f"plain {deep}"] - losses[f"resnet {deep}"]
    return {
        "plain vanishes": Measurement(
            (float(ratio.min()),),
            f"{ratio[0]:+.1f} at the start, {ratio.min():+.1f} to {ratio.max():+.1f} in training, "
            f"{ratio[-1]:+.1f} at the end",
            "By archcalc's own measure, three orders, it vanishes nowhere." if ratio.min() > -3 else "",
        ),
        "degradation": Measurement(
            (lost,), f"{losses[f'plain {deep}']:.3f} against {losses[f'plain {shallow}']:.3f} (one seed)"
        ),
        "residual cures": Measurement(
            (cured,), f"{losses[f'resnet {deep}']:.3f} against {losses[f'plain {deep}']:.3f} (one seed)"
        ),
    }


def flow(series: Series) -> Any:
    """log10 of the gradient at the first layer's output over that at the last layer's, by measurement."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(series.signals[:, 0] / series.signals[:, -1])
