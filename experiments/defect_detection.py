"""Is the product defective? What hidden layers, heads, thresholds and class weights are worth.

Question     Does ReLU really learn faster, does the loss matter, and where is the threshold to be if a miss
             is worse than a false alarm?
Hypothesis   Rectifiers reach the target in half the epochs of tanh and sigmoid or less. Cross-entropy's
             gradient is p - y; squared errors saturate, unless Adam hides it. A threshold that is chosen on
             validation keeps its recall, and a bootstrap interval means what it says.
Command      python -m experiments run defect_detection --profile full
             python -m experiments run defect_detection --cost-miss 20 --cost-false-alarm 1
             python -m experiments run defect_detection --data FOLDER --set dataset=images --set healthy=good
Time         smoke 25 s, quick 2 min, full 9 min of the processor; three seeds
Found        full: tanh is as fast as ReLU, sigmoid never learns, as archcalc's gradients at the start tell;
             squared errors need 11.6 times the steps with SGD and no more with Adam; recall is kept, its
             interval covers the truth in 95.5 % of 400 fresh sets; weights do more than move the threshold

defect48: garments with a scratch, a hole or a stain, or without. Network: 3 x (Conv2D 3x3, MaxPooling2D),
GlobalMaxPooling2D, one unit. Of one's own folders of classes one is healthy, each other a kind of defect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import decisions, defect_claims, defect_figures, defects, figures
from experiments.common.claims import Claim, Measurement
from experiments.common.data.splits import Data, Split
from experiments.common.defects import DefectConfig, Inspection, Kind
from experiments.common.experiment import Condition, Expectation, Experiment, Metrics, Outcome, Picture
from experiments.common.summary import written

PROFILES = {
    "smoke": DefectConfig(
        "smoke",
        train_images=64,
        validation_images=32,
        test_images=48,
        epochs=1,
        batch_size=32,
        eager=True,
        filters=2,
        activations=("relu", "tanh"),
        most_steps=20,
        resamples=50,
        fresh_sets=2,
        fresh_defects=8,
    ),
    "quick": DefectConfig(
        "quick",
        train_images=2_000,
        test_images=600,
        epochs=6,
        batch_size=32,
        learning_rate=0.003,
        activations=("relu", "tanh"),
        fresh_sets=40,
    ),
    "full": DefectConfig(
        "full",
        train_images=3_000,
        test_images=1_000,
        epochs=8,
        batch_size=32,
        learning_rate=0.003,
        seeds=3,
    ),
}


class DefectDetection(Experiment):
    name = "defect_detection"
    claim = "ReLU learns several times faster, one sigmoid with cross-entropy is the head, .5 no threshold."
    found = (
        "full: tanh is as fast as ReLU: miss; sigmoid never learns: hit; p - y: hit; the interval of recall "
        "covers the truth in 95.5 % of 400 fresh sets: hit; class weights better the order too: miss"
    )
    question = "Is the product defective, and what do hidden layers, head, loss and threshold matter?"
    hypothesis = (
        "Rectifiers reach the target in half the epochs of tanh and sigmoid or less; squared errors saturate "
        "unless Adam hides it; a threshold chosen on validation keeps its recall; class weights move the "
        "threshold and not the order."
    )
    profiles = PROFILES
    expected_time = {"smoke": "25 s", "quick": "2 min", "full": "9 min"}
    headline = "auc"
    gradients = True

    def load(self, config: DefectConfig, source: Path | None) -> Data:
        return defects.load(config, source)

    def part(self, condition: Condition, data: Data) -> Data:
        if not condition.name.startswith("rare") or not isinstance(data, Inspection):
            return data
        return dataclasses.replace(data, train=defects.with_few_defects(data.train, data.rare))

    def arrays(self, config: DefectConfig, split: Split, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return split.images, split.targets

    def conditions(self, config: DefectConfig, data: Data) -> tuple[Condition, ...]:
        return tuple(self._condition(config, data, kind) for kind in defects.kinds(config))

    def _condition(self, config: DefectConfig, data: Data, kind: Kind) -> Condition:
        from experiments.common.defect_metrics import ScoreAUC

        condition = Condition(
            kind.name,
            partial(defects.build, config, kind, data.train.images.shape[1:]),
            1 if kind.head == defects.WRONG else config.epochs,  # which learns nothing
            config.batch_size,
            monitor="val_auc",
            custom_objects={"ScoreAUC": ScoreAUC},
        )
        if not kind.weighted:
            return condition
        weights = defects.balanced_weights(self.part(condition, data).train.targets)
        return dataclasses.replace(condition, class_weight=weights)

    def expectations(self, config: DefectConfig) -> tuple[Expectation, ...]:
        return (Expectation("relu", "auc", at_least=0.90),) if _enough(config) else ()

    def measure(self, split: Split, predicted: NDArray[np.float32], classes: int) -> Metrics:
        return decisions.binary(split.targets, predicted[:, -1].astype(np.float64))

    def baselines(self, config: DefectConfig, data: Data) -> Mapping[str, Metrics]:
        """A random forest on nine statistics of each image, logistic regression on its pixels."""
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression

        def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
            return images.reshape(len(images), -1).astype(np.float32) / 127.5 - 1

        forest, linear = RandomForestClassifier(200, random_state=0), LogisticRegression(max_iter=50, C=0.01)
        found = {}
        for name, model, features in (
            ("global statistics", forest, defects.global_statistics),
            ("logistic regression on pixels", linear, pixels),
        ):
            model.fit(features(data.train.images), data.train.targets)
            scores = model.predict_proba(features(data.test.images))[:, 1]
            found[name] = decisions.binary(data.test.targets, scores)
        return found

    def claims(self, config: DefectConfig, prediction: Mapping[str, Any]) -> tuple[Claim, ...]:
        return defect_claims.claims(config, prediction["models"], enough=_enough(config))

    def study(self, outcome: Outcome) -> None:
        from experiments.common import defect_study

        defect_study.study(outcome)

    def judged(self, outcome: Outcome) -> Mapping[str, Measurement]:
        return defect_claims.judged(outcome)

    # -- what the report shows -------------------------------------------------------------------------
    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        config, data = outcome.config, outcome.data
        yield Picture("samples", "Training images and their defects.", _samples(data))
        yield Picture(
            "learning",
            "Validation's AUC (dotted: the target) and loss by function of the hidden layers, a line a seed.",
            defect_figures.learning(outcome.histories, config.activations, config.target),
        )
        measured = {name: outcome.values(name, "auc") for name in outcome.conditions}
        measured |= {f"{name} (no network)": [float(m["auc"])] for name, m in outcome.baselines.items()}
        yield Picture(
            "auc",
            "Area under the ROC curve on the test images, a dot a seed.",
            figures.spread_over_seeds({k: v for k, v in measured.items() if v}, "test AUC"),
        )
        if ("relu", config.seed) in outcome.metrics:
            yield from _of_decisions(outcome)

    def findings(self, outcome: Outcome) -> list[str]:
        from experiments.common import defect_study

        found = [
            f"{name} (no network): test AUC {metrics['auc']:.3f}"
            for name, metrics in outcome.baselines.items()
        ]
        for name in outcome.conditions:
            if outcome.values(name, "auc"):
                until = defect_study.epochs_to(outcome, name)
                found.append(
                    f"{name}: test AUC {written(outcome.values(name, 'auc'))}, at .5 a recall of "
                    f"{written(outcome.values(name, 'recall'))}, {written(until, 1)} epochs to a validation "
                    f"AUC of {outcome.config.target:g} ({outcome.config.epochs + 1} is never)"
                )
        rows = defect_study.decisions_of(outcome, "relu")
        return found + [text for row in rows[:1] for text in _decided(outcome.config, row)]


def _enough(config: DefectConfig) -> bool:
    """Whether trainings say anything of defect48."""
    return config.dataset == "defect48" and config.train_images >= 3_000


def _samples(data: Data) -> Any:
    shown = [np.flatnonzero(data.train.targets == label)[:6] for label in (0, 1)]
    return figures.gallery(
        [(data.train.images[n], data.classes[label]) for label in (0, 1) for n in shown[label]], columns=6
    )


def _of_decisions(outcome: Outcome) -> Iterator[Picture]:
    """Thresholds and what became of them, all of the first seed's ReLU network."""
    from experiments.common import defect_study

    config, targets = outcome.config, outcome.data.test.targets
    key = ("relu", config.seed)
    row = defect_study.decisions_of(outcome, "relu")[0]["thresholds"]

    def scores(*names: str) -> dict[str, NDArray[np.float64]]:
        keys = [(name, config.seed) for name in names if (name, config.seed) in outcome.metrics]
        return {name: outcome.predictions[name, seed][:, -1].astype(np.float64) for name, seed in keys}

    labels = {f"recall {config.recall:g}": row["recall"], "least cost": row["cost"], ".5": row["half"]}
    yield Picture(
        "ranking",
        "Precision, recall and false alarms on the test images; the signs are thresholds chosen on "
        "validation, of relu.",
        defect_figures.ranking(targets, scores("relu", "tanh", "rare", "rare, weighted"), labels),
    )
    yield Picture(
        "confusion",
        f"relu, seed {config.seed}: test images at the threshold for a recall of {config.recall:g}.",
        figures.confusion(row["recall"]["confusion_matrix"], outcome.data.classes),
    )
    yield Picture(
        "recall_by",
        "Which defects are found, at the threshold for the wanted recall; in brackets how many there are.",
        defect_figures.recall_by(dict(defect_study.groups(outcome))),
    )
    yield Picture(
        "calibration",
        "Is a score the probability that it claims to be?",
        defect_figures.calibration(targets, scores("relu", "squared error", "rare", "rare, weighted")),
    )
    prices = (config.cost_miss, config.cost_false_alarm)
    yield Picture(
        "cost",
        "What misses and false alarms cost on the test images, by threshold.",
        defect_figures.costs(
            targets,
            scores("relu")["relu"],
            prices,
            {
                "chosen on validation": row["cost"]["threshold"],
                "false alarm / (false alarm + miss)": row["bayes"]["threshold"],
                "half": 0.5,
            },
        ),
    )
    yield Picture(
        "recovery",
        "Heads on the same features that start sure that all is healthy: gradient and steps, a dot a seed.",
        defect_figures.recovery(defect_study.heads_of(outcome), config.most_steps),
    )
    fresh = defect_study.fresh(outcome)
    if fresh:
        yield Picture(
            "intervals",
            f"Bootstrap intervals of recall in fresh sets of {config.fresh_defects} defects each; the line "
            "is the recall in all of them.",
            defect_figures.intervals(fresh),
        )
    found = outcome.predictions[key][:, -1]
    missed = np.flatnonzero((found < row["recall"]["threshold"]) & (targets == 1))[:12]
    if len(missed):
        yield Picture(
            "missed",
            "Defects that are missed at the threshold for the wanted recall, with their scores.",
            figures.gallery([(outcome.data.test.images[n], f"{found[n]:.3f}") for n in missed], columns=6),
        )


def _decided(config: DefectConfig, row: Mapping[str, Any]) -> list[str]:
    auc, found = row["auc_interval"], []
    found.append(f"relu, seed {config.seed}: 95 % interval of the test AUC {auc[0]:.3f} to {auc[1]:.3f}")
    for name, text in (
        ("recall", f"threshold for a recall of {config.recall:g} with the best precision"),
        ("cost", f"threshold of least cost (miss {config.cost_miss:g}, alarm {config.cost_false_alarm:g})"),
        ("half", "threshold .5"),
    ):
        at = row["thresholds"][name]
        recall, precision = at["recall_interval"], at["precision_interval"]
        found.append(
            f"{text}, {at['threshold']:.3f}: test recall {at['recall']:.3f} ({recall[0]:.3f} to "
            f"{recall[1]:.3f}), precision {at['precision']:.3f} ({precision[0]:.3f} to {precision[1]:.3f}), "
            f"cost {at['cost']:.3f} an image"
        )
    return found
