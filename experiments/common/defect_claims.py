"""What people say of detectors of defects, as claims with predictions, and how each is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.common import defect_study
from experiments.common.claims import ARCHCALC, EXPECTED, Claim, Measurement
from experiments.common.defects import RECTIFIERS, SIGMOID, SOFTMAX, SQUARED, DefectConfig
from experiments.common.experiment import Outcome
from experiments.common.summary import written

WRONG_NAME = "softmax of one unit"
SATURATING = ("tanh", "sigmoid")


def claims(config: DefectConfig, models: Mapping[str, Any], *, enough: bool) -> tuple[Claim, ...]:
    """What holds of any data; where there are `enough` of them also what training shows."""
    gradient, *recoveries = _of_heads()
    found = [_lint(models), gradient]
    if enough:
        found += [*recoveries, *_of_functions(config, models), *_of_decisions(config), *_of_rarity()]
    return tuple(found)


def _errors(model: Mapping[str, Any]) -> list[str]:
    return [f["rule"] for f in model["lint"] if f["severity"] == "error"]


def _lint(models: Mapping[str, Any]) -> Claim:
    wrong = ", ".join(f["says"] for f in models[WRONG_NAME]["lint"] if f["severity"] == "error")
    clean = sum(not _errors(model) for model in models.values())
    return Claim(
        "wrong pairing",
        "A softmax over one unit learns nothing, and that can be told before training.",
        f"lint: {wrong}; no error in the {clean} others: test AUC .5 of the one",
        at_least=0.5,
        at_most=0.5,
        by=ARCHCALC,
    )


def _of_heads() -> list[Claim]:
    return [
        Claim(
            "p - y",
            "With cross-entropy the gradient at the score is p - y, with squared errors p(1 - p) times less.",
            f"at a bias of {defect_study.BIAS:g}: the formulas; off by at most .1 %",
            at_most=0.001,
            by=EXPECTED,
        ),
        Claim(
            "saturation",
            "A sigmoid with squared errors that is sure and wrong hardly moves.",
            "steps of SGD until it recovers: at least 10 times those of cross-entropy",
            at_least=10.0,
            by=EXPECTED,
        ),
        Claim(
            "adam",
            "... and so with any optimizer.",
            "it does not: Adam divides by the gradient's size; at most 3 times the steps",
            at_most=3.0,
            by=EXPECTED,
        ),
    ]


def start(models: Mapping[str, Any], name: str) -> float:
    """log10 of the gradient that archcalc expects at the first convolution's output when training begins."""
    row = next(row for row in models[name]["layers"] if row["name"] == "conv1")
    return float(row["gradient"]["expected_log10"])


def _of_functions(config: DefectConfig, models: Mapping[str, Any]) -> list[Claim]:
    found = []
    for name in config.activations:
        said = f"archcalc expects a first gradient of 10^{start(models, name):+.1f}, relu's is "
        said += f"10^{start(models, 'relu'):+.1f}"
        if name in SATURATING:
            found.append(
                Claim(
                    f"speed {name}",
                    f"ReLU learns several times faster than {name}.",
                    f"epochs to a validation AUC of {config.target:g}: at least twice ReLU's ({said})",
                    at_least=2.0,
                    by=EXPECTED,
                )
            )
        elif name in RECTIFIERS[1:]:
            found.append(
                Claim(
                    f"speed {name}",
                    f"{name} learns as fast as ReLU or faster.",
                    f"epochs to the same: at most 1.25 times ReLU's ({said})",
                    at_most=1.25,
                    by=EXPECTED,
                )
            )
    found.append(
        Claim(
            "two units",
            "Two softmax units do what one sigmoid does.",
            "the same function with one more weight a feature: test AUC within .03",
            at_least=-0.03,
            at_most=0.03,
            by=EXPECTED,
        )
    )
    return found


def _of_decisions(config: DefectConfig) -> list[Claim]:
    return [
        Claim(
            "statistics",
            "Global statistics of an image will not do.",
            "test AUC of a random forest on nine of them: at most .75",
            at_most=0.75,
            by=EXPECTED,
        ),
        Claim(
            "recall kept",
            "A threshold chosen on validation keeps its recall.",
            f"test recall at least {config.recall - 0.03:.2f}, where validation had {config.recall:g}",
            at_least=config.recall - 0.03,
            by=EXPECTED,
        ),
        Claim(
            "bayes",
            "Where a miss costs more, the threshold is cost of a false alarm over the sum of both.",
            "costs at most 1.1 times the threshold that is chosen by cost on validation",
            at_most=1.1,
            by=EXPECTED,
        ),
        Claim(
            "cost",
            "A threshold of .5 is the wrong one where a miss is dear.",
            "costs at least 1.5 times as much as the one chosen by cost",
            at_least=1.5,
            by=EXPECTED,
        ),
        Claim(
            "small",
            "Small defects are missed more often.",
            "recall of the largest third less that of the smallest: at least .05",
            at_least=0.05,
            by=EXPECTED,
        ),
        Claim(
            "faint",
            "Faint defects are missed more often.",
            "recall of the strongest third of contrasts less that of the faintest: at least .05",
            at_least=0.05,
            by=EXPECTED,
        ),
        Claim(
            "coverage",
            "A 95 % interval holds the truth in 95 of 100 cases.",
            f"the bootstrap interval of recall, in {config.fresh_sets} fresh sets: 92 to 98 %",
            at_least=0.92,
            at_most=0.98,
            by=EXPECTED,
        ),
    ]


def _of_rarity() -> list[Claim]:
    return [
        Claim(
            "weights recall",
            "Class weights make a network find rare defects.",
            "test recall at .5, with weights less without: at least .2",
            at_least=0.2,
            by=EXPECTED,
        ),
        Claim(
            "weights order",
            "... because it tells them apart better.",
            "it does not, the threshold moves: test AUC, with weights less without, at most .03",
            at_most=0.03,
            by=EXPECTED,
        ),
    ]


# -- what became of them ----------------------------------------------------------------------------------
def judged(outcome: Outcome) -> dict[str, Measurement]:
    found = _judged_heads(outcome)
    wrong = outcome.values(WRONG_NAME, "auc")
    found["wrong pairing"] = Measurement(tuple(wrong), f"test AUC {written(wrong)}")
    if outcome.values("relu", "auc"):
        found |= {**_judged_functions(outcome), **_judged_decisions(outcome), **_judged_rarity(outcome)}
    return found


def _judged_heads(outcome: Outcome) -> dict[str, Measurement]:
    seeds = [
        {(row["head"], row["optimizer"]): row for row in rows} for rows in defect_study.heads_of(outcome)
    ]
    if not seeds:
        return {}
    off = [max(abs(row["gradient"] / row["predicted"] - 1) for row in rows.values()) for rows in seeds]
    ratio = {
        rule: [rows[SQUARED, rule]["steps"] / rows[SIGMOID, rule]["steps"] for rows in seeds]
        for rule in defect_study.RATES
    }
    first = seeds[0]
    said = ", ".join(f"{head} {first[head, 'sgd']['gradient']:+.5f}" for head in (SIGMOID, SOFTMAX, SQUARED))

    def steps(rule: str) -> Measurement:
        one, other = ([rows[head, rule]["steps"] for rows in seeds] for head in (SIGMOID, SQUARED))
        text = f"{_listed(ratio[rule])} times: {_listed(other)} steps against {_listed(one)}"
        return Measurement(tuple(ratio[rule]), text)

    return {
        "p - y": Measurement(tuple(off), f"off by {max(off):.1e} at most; first seed: {said}"),
        "saturation": steps("sgd"),
        "adam": steps("adam"),
    }


def _listed(values: Any) -> str:
    return ", ".join(f"{value:g}" if value == int(value) else f"{value:.2f}" for value in values)


def _judged_functions(outcome: Outcome) -> dict[str, Measurement]:
    base, most = defect_study.epochs_to(outcome, "relu"), outcome.config.epochs
    found = {}
    for name in outcome.config.activations[1:]:
        mine = defect_study.epochs_to(outcome, name)
        ratio = [a / b for a, b in zip(mine, base, strict=True)]
        never = sum(value > most for value in mine)
        text = f"{written(mine, 1)} epochs against {written(base, 1)}: {_listed(ratio)} times"
        text += f" (a lower bound: {never} of {len(mine)} did not reach it in {most})" if never else ""
        found[f"speed {name}"] = Measurement(tuple(ratio), text, _WHY.get(name, ""))
    gained = np.subtract(outcome.values("two softmax units", "auc"), outcome.values("relu", "auc"))
    found["two units"] = Measurement(tuple(gained), f"test AUC {written(list(gained))} higher")
    return found


_WHY = {
    "tanh": "Tanh's derivative is 1 around 0, three layers are too few for its saturation to tell, and "
    "archcalc expects as large a gradient of it as of ReLU.",
    "elu": "Seeds differ more than the functions.",
    "leaky_relu": "Seeds differ more than the functions.",
}


def _judged_decisions(outcome: Outcome) -> dict[str, Measurement]:
    rows = [each["thresholds"] for each in defect_study.decisions_of(outcome, "relu")]
    recalls = [row["recall"]["recall"] for row in rows]
    against = {
        name: [row[name]["cost"] / row["cost"]["cost"] if row["cost"]["cost"] else np.nan for row in rows]
        for name in ("bayes", "half")
    }
    statistics = outcome.baselines["global statistics"]["auc"]
    found = {
        "statistics": Measurement((statistics,), f"{statistics:.3f}"),
        "recall kept": Measurement(
            tuple(recalls), written(recalls), "The threshold is chosen on few defects and fits these."
        ),
        "bayes": Measurement(
            tuple(against["bayes"]),
            f"{_listed(against['bayes'])} times",
            "Scores are surer than they are right, so that they are no probabilities.",
        ),
        "cost": Measurement(tuple(against["half"]), f"{_listed(against['half'])} times"),
    }
    by = dict(defect_study.groups(outcome))
    for key, quantity in (("small", "pixels"), ("faint", "contrast")):
        if quantity in by:
            first, last = by[quantity][0], by[quantity][-1]
            gained = np.subtract(last[1], first[1])
            text = f"{last[0]}: {written(last[1])}, {first[0]}: {written(first[1])}"
            found[key] = Measurement(tuple(gained), text)
    fresh = defect_study.fresh(outcome)
    if fresh:
        found["coverage"] = Measurement(
            (fresh["coverage"],),
            f"{fresh['coverage']:.1%} of {fresh['sets']} sets, true recall {fresh['truth']:.4f}",
        )
    return found


def _judged_rarity(outcome: Outcome) -> dict[str, Measurement]:
    def compared(metric: str, why: str) -> Measurement:
        plain, weighted = outcome.values("rare", metric), outcome.values("rare, weighted", metric)
        gained = np.subtract(weighted, plain)
        return Measurement(
            tuple(gained), f"{written(weighted)} against {written(plain)}: {written(list(gained))}", why
        )

    return {
        "weights recall": compared("recall", "With so few defects the network learns little either way."),
        "weights order": compared(
            "auc", "Without weights the few defects hardly move the network in so few steps."
        ),
    }
