"""Six limits of CNNs as claims: what archcalc predicts of each, and how it is scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.common import limit_nets as nets
from experiments.common import limit_study as study
from experiments.common.claims import EXPECTED, Claim, Measurement
from experiments.common.experiment import Outcome
from experiments.common.limit_nets import CANVAS, SPOTS, LimitConfig
from experiments.common.summary import written

KNEE = 0.9  # recall from which a spot counts as found
COVERED = 16  # side of the square of which accuracy is asked


# -- what the architecture says ---------------------------------------------------------------------------
def row(models: Mapping[str, Any], name: str, layer: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in models[name]["layers"] if row["name"] == layer)
    return found


def stride(models: Mapping[str, Any], name: str) -> int:
    """Effective stride of the last map before the mean over positions."""
    rows = models[name]["layers"]
    place = next(n for n, row in enumerate(rows) if row["name"] == nets.MEAN)
    return int(rows[place - 1]["receptive_field"]["stride"][0])


def hit(models: Mapping[str, Any], name: str) -> list[float]:
    """Share of the positions at which a spot of each size meets the field of a unit of the first map."""
    field = row(models, name, nets.FIRST)["receptive_field"]
    size, step = field["size"][0], field["stride"][0]
    return [min(1.0, (size + d - 1) / step) ** 2 for d in nets.SIZES]


def knee(shares: list[float]) -> int:
    """The smallest size with at least that share; the largest where none has."""
    return next((d for d, share in zip(nets.SIZES, shares, strict=True) if share >= KNEE), nets.SIZES[-1])


def opened(config: LimitConfig, *, pooled: bool) -> dict[str, Any]:
    """Parameters of each layer of the classifier where the image's side is an open symbol H, as text."""
    import archcalc
    from archcalc.writers.spec import to_spec

    model = nets.classifier(config, max(config.widths), pooled=pooled)
    spec = to_spec(archcalc.from_keras(model), fold=False)
    spec |= {"symbols": {"H": None}, "inputs": {name: ["H", "H", 1] for name in spec["inputs"]}}
    rows = archcalc.analyze(archcalc.load(spec)).rows
    return {row.name: str(row.parameters) for row in rows if row.parameters != 0}


def forbidding(layers: Mapping[str, str]) -> list[str]:
    """Layers whose weights depend on the open side."""
    return [f"{name} ({text})" for name, text in layers.items() if "H" in text]


def claims(config: LimitConfig, prediction: Mapping[str, Any], *, enough: bool) -> tuple[Claim, ...]:
    models = prediction["models"]
    further = prediction["further"]
    found = [_period(models), _sizes(further), _changed(models, config)]
    return tuple([*found, *_trained(config, models)] if enough else found)


def _period(models: Mapping[str, Any]) -> Claim:
    names = [name for name in models if name.startswith(CANVAS)]
    said = ", ".join(f"{name.removeprefix(CANVAS + ' ')}: {stride(models, name)}" for name in names)
    return Claim(
        "period",
        "A CNN with strides is not the same under every shift, only under multiples of its stride.",
        f"features are the same again after as many pixels as the effective stride: {said}; all of them",
        at_least=1.0,
    )


def _sizes(further: Mapping[str, Any]) -> Claim:
    forbid = ", ".join(forbidding(further["opened"]["flatten"]))
    free = forbidding(further["opened"]["pooled"])
    return Claim(
        "sizes",
        "A CNN takes images of one size only.",
        f"not the convolutions: with Flatten the weights of {forbid} depend on the side H, with "
        f"global pooling {', '.join(free) or 'no layer does'}: Keras builds the one with open sides and "
        "refuses the other",
        at_least=1.0,
        at_most=1.0,
    )


def changed(models: Mapping[str, Any], config: LimitConfig) -> list[float]:
    found = row(models, config.whole, nets.LAST)
    return study.changed_predicted(found["receptive_field"], found["output_shape"][0], 28)


def _changed(models: Mapping[str, Any], config: LimitConfig) -> Claim:
    said = ", ".join(f"{share:.0%}" for share in changed(models, config)[1:])
    sides = ", ".join(map(str, study.COVERS[1:]))
    return Claim(
        "changed",
        "What is covered reaches only the units whose field meets it.",
        f"squares of {sides} pixels reach {said} of the last map; of these .75 to 1 change, and 5 % more by "
        "the chance of where they fall",
        at_least=0.75,
        at_most=1.05,
    )


def _trained(config: LimitConfig, models: Mapping[str, Any]) -> list[Claim]:
    knees = {name: knee(hit(models, name)) for name in models if name.startswith(SPOTS)}
    said = ", ".join(f"{name.removeprefix(SPOTS + ' ')}: {size}" for name, size in knees.items())
    few, many = min(config.amounts), max(config.amounts)
    return [
        Claim(
            "overfitting",
            "The more parameters for each image, the more a network overfits.",
            "rank correlation of parameters an image with the gap between training and test accuracy: "
            "at least .7",
            at_least=0.7,
        ),
        Claim(
            "capacity",
            "A wider network overfits more.",
            f"gap at {few} images, the widest less the narrowest: at least .05",
            at_least=0.05,
            by=EXPECTED,
        ),
        Claim(
            "amount",
            "More data cure overfitting.",
            f"gap of the widest at {few} images less that at {many}: at least .1",
            at_least=0.1,
            by=EXPECTED,
        ),
        Claim(
            "padding",
            "Zero padding tells a network where it is.",
            "where no unit sees both border and garment, features after a stride of 4 are the same; on the "
            "narrow canvas, where some do, they differ by at least .01 of the largest difference",
            at_least=0.01,
        ),
        Claim(
            "aliasing",
            "Blurring before a stride makes features steadier under shifts.",
            "largest distance of features over the shifts, stride 4 less blurred: above 0",
            at_least=0.0,
            by=EXPECTED,
        ),
        Claim(
            "small angles",
            "A CNN stands small rotations.",
            "accuracy lost at 10 degrees, stride 4: at most .1",
            at_most=0.1,
            by=EXPECTED,
        ),
        Claim(
            "angles",
            "... and no others.",
            "accuracy lost at 30 degrees: at least .15",
            at_least=0.15,
            by=EXPECTED,
        ),
        Claim(
            "knee",
            "Small objects are lost in the stride.",
            f"side from which {KNEE:.0%} of plain spots meet a unit: {said}; they are found from there on, "
            "within 1 pixel",
            at_most=1.0,
        ),
        Claim(
            "recall by size",
            "... because windows do not meet them.",
            "recall of spots is the share that meets a unit: mean deviation over all sizes at most .1",
            at_most=0.1,
        ),
        Claim(
            "noise",
            "Small, faint and noisy is one thing: the signal-to-noise ratio.",
            "rank correlation of side x contrast / noise with recall, stride 1: at least .8",
            at_least=0.8,
            by=EXPECTED,
        ),
        Claim(
            "occlusion",
            "A CNN copes with partial occlusion.",
            f"with a third covered ({COVERED} x {COVERED} of 28 x 28) at least half of its lead over chance",
            at_least=0.5,
            by=EXPECTED,
        ),
        Claim(
            "off size",
            "Global pooling makes a network independent of the image's size.",
            "in shape only: at twice the side it trained on it loses at least .15 of accuracy",
            at_least=0.15,
            by=EXPECTED,
        ),
        Claim(
            "parts",
            "Pooling loses how parts belong together.",
            "with quarters exchanged the pooled network keeps at least half of its answers",
            at_least=0.5,
            by=EXPECTED,
        ),
        Claim(
            "positions",
            "A network that keeps positions is not fooled.",
            "the same network with Flatten keeps at most .35",
            at_most=0.35,
            by=EXPECTED,
        ),
    ]


# -- what became of it --------------------------------------------------------------------------------------
def gaps(outcome: Outcome) -> dict[tuple[int, int], list[float]]:
    """Training less test accuracy at the end, by width and images, a value a seed."""
    config, found = outcome.config, {}
    for width in config.widths:
        for images in config.amounts:
            name = nets.capacity_name(width, images)
            trained = [rows[-1]["accuracy"] for (n, _), rows in outcome.histories.items() if n == name]
            found[width, images] = list(np.subtract(trained, outcome.values(name, "accuracy")))
    return found


def ranks(first: Any, second: Any) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(np.ravel(first), np.ravel(second)).statistic)


def judged(outcome: Outcome, *, enough: bool) -> dict[str, Measurement]:
    seeds, models = study.read(outcome), outcome.prediction["models"]
    periods = [{name: study.period(each["wide"]) for name, each in seed["shifts"].items()} for seed in seeds]
    right = [float(np.mean([stride(models, name) == p for name, p in seed.items()])) for seed in periods]
    refused = [float(bool(seed["scales"]["refused"])) for seed in seeds]
    expected = np.array(changed(models, outcome.config)[1:])
    shares = [np.array(seed["covers"]["changed"][1:]) / expected for seed in seeds]
    found = {
        "period": Measurement(
            tuple(right),
            "; ".join(
                ", ".join(f"{name.removeprefix(CANVAS + ' ')}: {p:g}" for name, p in seed.items())
                for seed in periods
            ),
        ),
        "sizes": Measurement(tuple(refused), f"Keras refuses Flatten: {seeds[0]['scales']['refused']}"),
        "changed": Measurement(
            tuple(float(value) for each in shares for value in (each.min(), each.max())),
            f"{min(each.min() for each in shares):.2f} to {max(each.max() for each in shares):.2f} of them",
            WHY.get("changed", ""),
        ),
    }
    if enough:
        found |= {**_overfitting(outcome), **_moved(seeds), **_spots(outcome, seeds), **_rest(seeds)}
    return found


def _measured(key: str, values: Any, text: str) -> dict[str, Measurement]:
    return {key: Measurement(tuple(map(float, values)), text, WHY.get(key, ""))}


def _overfitting(outcome: Outcome) -> dict[str, Measurement]:
    config, found = outcome.config, gaps(outcome)
    models = outcome.prediction["models"]
    loads = [models[nets.capacity_name(*key)]["totals"]["parameters"] / key[1] for key in found]
    seeds = range(len(next(iter(found.values()))))
    ordered = [ranks(loads, [values[seed] for values in found.values()]) for seed in seeds]
    wide, narrow = max(config.widths), min(config.widths)
    few, many = min(config.amounts), max(config.amounts)
    capacity = np.subtract(found[wide, few], found[narrow, few])
    amount = np.subtract(found[wide, few], found[wide, many])
    return {
        **_measured("overfitting", ordered, f"rank correlation {written(ordered)}"),
        **_measured(
            "capacity", capacity, f"{written(found[wide, few])} against {written(found[narrow, few])}"
        ),
        **_measured("amount", amount, f"{written(found[wide, few])} against {written(found[wide, many])}"),
    }


def _moved(seeds: list[dict[str, Any]]) -> dict[str, Measurement]:
    plain, blurred = f"{CANVAS} stride 4", f"{CANVAS} stride 4 blurred"
    narrow = [seed["shifts"][plain]["narrow"] for seed in seeds]
    wide = [seed["shifts"][plain]["wide"] for seed in seeds]
    leak = [values[4] / max(values) for values in narrow]
    exact = max(values[4] / max(values) for values in wide)
    most = {name: [max(seed["shifts"][name]["wide"]) for seed in seeds] for name in (plain, blurred)}
    turned = [seed["turns"][plain]["accuracy"] for seed in seeds]
    lost = {angle: [values[0] - values[study.ANGLES.index(angle)] for values in turned] for angle in (10, 30)}
    return {
        **_measured("padding", leak, f"{written(leak)} of it; on the wide canvas at most {exact:.0e}"),
        **_measured(
            "aliasing",
            np.subtract(most[plain], most[blurred]),
            f"{written(most[plain])} against {written(most[blurred])}",
        ),
        **_measured("small angles", lost[10], f"{written(lost[10])} lost"),
        **_measured("angles", lost[30], f"{written(lost[30])} lost"),
    }


def _spots(outcome: Outcome, seeds: list[dict[str, Any]]) -> dict[str, Measurement]:
    models = outcome.prediction["models"]
    names = [name for name in models if name.startswith(SPOTS)]
    off, deviations, texts = [], [], []
    for seed in seeds:
        knees = {name: knee(seed["spots"][name]["plain"]) for name in names}
        off.append(max(abs(knees[name] - knee(hit(models, name))) for name in names))
        texts.append(", ".join(f"{name.removeprefix(SPOTS + ' ')}: {size}" for name, size in knees.items()))
        deviations.append(
            np.mean([np.abs(np.subtract(seed["spots"][n]["plain"], hit(models, n))) for n in names])
        )
    signal = [
        [[size * contrast / noise for contrast in study.CONTRASTS] for noise in study.NOISES]
        for size in study.MIDDLE
    ]
    ordered = [ranks(signal, seed["spots"][names[0]]["grid"]) for seed in seeds]
    return {
        **_measured("knee", off, "; ".join(texts)),
        **_measured("recall by size", deviations, f"mean deviation {written(list(map(float, deviations)))}"),
        **_measured("noise", ordered, f"rank correlation {written(ordered)}"),
    }


def _rest(seeds: list[dict[str, Any]]) -> dict[str, Measurement]:
    place, twice = study.COVERS.index(COVERED), study.SCALES.index(56)
    plain = study.SCALES.index(28)
    kept = [
        (seed["covers"]["accuracy"][place] - 0.1) / (seed["covers"]["accuracy"][0] - 0.1) for seed in seeds
    ]
    lost = [seed["scales"]["accuracy"][plain] - seed["scales"]["accuracy"][twice] for seed in seeds]
    same = {kind: [seed["scrambled"][kind]["same"] for seed in seeds] for kind in ("pooled", "flatten")}
    after = {kind: [seed["scrambled"][kind]["scrambled"] for seed in seeds] for kind in same}
    texts = {
        kind: f"{written(same[kind])} stay, accuracy {written(after[kind])} (chance .1)" for kind in same
    }
    return {
        **_measured("occlusion", kept, f"{written(kept)} of it"),
        **_measured("off size", lost, f"{written(lost)} lost"),
        **_measured("parts", same["pooled"], texts["pooled"]),
        **_measured("positions", same["flatten"], texts["flatten"]),
    }


# what explains a prediction that went wrong
WHY = {
    "capacity": "Every seed's gap is wider, by about .05: the limit was set at what there is. Ten parameters "
    "an image are enough for the narrow network to learn part of 200 images by heart, too.",
    "angles": "How much is lost depends on the seed; a mean over positions forgives some rotation.",
    "parts": "About half stays, a little less with one seed: windows across the cuts see what no garment "
    "has.",
}
