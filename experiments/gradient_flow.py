"""Do gradients vanish and explode as the textbook says, and do its symptoms show when they do?

Question     What do gradients do in deep stacks, can it be told from the architecture, which of the symptoms
             that people list are real, and do the remedies work?
Hypothesis   archcalc's 90 % band holds 80 to 97 % of starts. Plain sigmoid stacks vanish, skips cure that,
             and skips with He's initialisation explode. What is stable at the start learns. A plain network
             of 56 layers with batch normalisation is worse than one of 20, and not because gradients vanish.
Command      python -m experiments run gradient_flow --profile full
Time         smoke 20 s, quick 3 min, full 28 min of the processor; three seeds, of the networks with batch
             normalisation one
Found        full: 91.3 % of 2,400 starts in the band; 38 of 45 trainings learn or do not, as the start tells;
             no alarm in 30 healthy trainings; constant derivatives and shrinking weights were never seen

Stacks of 10 to 60 dense or convolutional layers, plain and residual, on Fashion-MNIST, with SGD (momentum
.9). `archcalc.keras.GradientMonitor` looks on: norms of gradients, weights and their changes, residual
branches, dead and saturated units, by layer and step (`records/`). `starts/` holds gradients of random
starts, `healthy/` what the detectors say of trainings with nothing wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import flow_claims, flow_report
from experiments.common.claims import Claim, Measurement
from experiments.common.classification import Classification, probabilities
from experiments.common.config import Config
from experiments.common.data.splits import Data, Split
from experiments.common.experiment import Condition, Expectation, Outcome, Picture
from experiments.common.stacks import CONV, DENSE, Stack

if TYPE_CHECKING:
    import keras

PLAIN_SIGMOID = Stack(DENSE, 30, "sigmoid", "glorot_uniform")
TRAINED = (
    dataclasses.replace(PLAIN_SIGMOID, depth=10),
    PLAIN_SIGMOID,
    Stack(DENSE, 30, "relu", "glorot_uniform"),
    Stack(DENSE, 30, "tanh", "glorot_uniform", learning_rate=0.01),
    Stack(DENSE, 30, "relu", "he_normal", learning_rate=0.01, note="He's initialisation"),
    Stack(DENSE, 30, "relu", "he_normal", learning_rate=0.3),
    Stack(DENSE, 30, "sigmoid", "glorot_uniform", skip=True, learning_rate=0.003, note="A skip"),
    Stack(DENSE, 30, "relu", "he_normal", skip=True, learning_rate=0.003),
    Stack(DENSE, 60, "relu", "he_normal", skip=True, learning_rate=0.003),
    Stack(DENSE, 60, "relu", "he_normal", skip=True, learning_rate=0.003, clip=1.0, note="Clipping"),
    Stack(DENSE, 60, "relu", "he_normal", skip=True, scaled=True, learning_rate=0.003, note="Branch scaling"),
    Stack(
        DENSE, 30, "relu", "glorot_uniform", normalised=True, learning_rate=0.01, note="Batch normalisation"
    ),
    Stack(CONV, 20, "sigmoid", "glorot_uniform"),
    Stack(CONV, 20, "tanh", "glorot_uniform"),
    Stack(CONV, 20, "relu", "he_normal", note="He's initialisation"),
)
HEALTHY = (
    *(Stack(DENSE, depth, "relu", "he_normal", learning_rate=0.01) for depth in (2, 4)),
    *(Stack(DENSE, depth, "relu", "he_normal", learning_rate=0.001, adam=True) for depth in (2, 4)),
    Stack(DENSE, 3, "tanh", "glorot_uniform", learning_rate=0.01),
    Stack(DENSE, 3, "tanh", "glorot_uniform", learning_rate=0.001, adam=True),
    Stack(DENSE, 4, "relu", "he_normal", normalised=True, learning_rate=0.01),
    Stack(DENSE, 5, "relu", "he_normal", skip=True, scaled=True, learning_rate=0.01),
    Stack(CONV, 3, "relu", "he_normal"),
    Stack(CONV, 3, "relu", "he_normal", learning_rate=0.01, adam=True),
)
SMOKE = (
    dataclasses.replace(PLAIN_SIGMOID, depth=10),
    Stack(DENSE, 11, "relu", "he_normal", skip=True, learning_rate=1.0),
    Stack(DENSE, 6, "relu", "he_normal", learning_rate=0.01, note="He's initialisation"),
)
QUICK = (*TRAINED[:1], TRAINED[4], TRAINED[6], TRAINED[8], TRAINED[11], TRAINED[14])


@dataclasses.dataclass(frozen=True)
class FlowConfig(Config):
    """Widths, how often is measured, and how many starts and healthy trainings there are."""

    dataset: str = "fashion-mnist"
    width: int = 64
    filters: int = 16
    every: int = 6  # steps between measurements
    dense_depths: tuple[int, ...] = (10, 30, 60)  # of the starts
    conv_depths: tuple[int, ...] = (10, 20)
    functions: tuple[str, ...] = ("sigmoid", "tanh", "relu")
    starts: int = 40  # of each network
    healthy_seeds: int = 3
    healthy_first: int = 0  # thresholds were looked at with seed 0
    resnet_depths: tuple[int, ...] = ()
    resnet_filters: int = 8
    resnet_epochs: int = 6

    @property
    def widths(self) -> dict[str, int]:
        return {DENSE: self.width, CONV: self.filters}


SIZES: dict[str, Any] = {"train_images": 3_840, "validation_images": 600, "test_images": 1_000}
PROFILES = {
    "smoke": FlowConfig(
        "smoke",
        train_images=128,
        validation_images=32,
        test_images=64,
        epochs=2,
        batch_size=32,
        eager=True,
        width=16,
        filters=4,
        every=1,
        dense_depths=(6,),
        conv_depths=(),
        functions=("sigmoid", "relu"),
        starts=6,
        healthy_seeds=0,
    ),
    "quick": FlowConfig(
        "quick",
        **SIZES,
        epochs=2,
        batch_size=64,
        dense_depths=(10, 30),
        conv_depths=(10,),
        starts=20,
        healthy_seeds=1,
    ),
    "full": FlowConfig(
        "full", **SIZES, epochs=3, batch_size=64, seeds=3, healthy_first=100, resnet_depths=(20, 56)
    ),
}


def trained(config: FlowConfig) -> tuple[Stack, ...]:
    """The stacks that a profile trains."""
    return {"smoke": SMOKE, "quick": QUICK}.get(config.profile, TRAINED)


def cells(config: FlowConfig) -> list[Stack]:
    """The stacks whose starts are predicted and measured."""
    return [
        Stack(kind, depth, function, initializer, skip)
        for kind, depths in ((DENSE, config.dense_depths), (CONV, config.conv_depths))
        for depth in depths
        for function in config.functions
        for initializer in ("glorot_uniform", "he_normal")
        for skip in (False, True)
    ]


class GradientFlow(Classification):
    name = "gradient_flow"
    claim = (
        "Depth makes gradients vanish or explode; skips and good initialisation cure it, and symptoms tell."
    )
    found = (
        "full: 91.3 % of 2,400 starts in the predicted band: hit; no alarm in 30 healthy trainings: hit; "
        "early layers stand, NaN comes: hit; constant derivatives and shrinking weights never seen: miss"
    )
    question = "Do gradients vanish and explode as the textbook says, and do its symptoms show when they do?"
    hypothesis = (
        "archcalc's 90 % band holds 80 to 97 % of starts; plain sigmoid stacks vanish, skips cure that, "
        "skips with He's initialisation explode; what is stable at the start learns; a plain network of 56 "
        "layers with batch normalisation is worse than one of 20, and not because gradients vanish."
    )
    profiles = PROFILES
    expected_time = {"smoke": "20 s", "quick": "4 min", "full": "28 min"}
    gradients = True

    def arrays(self, config: FlowConfig, split: Split, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Standardised by Fashion-MNIST's mean and deviation over all pixels; class numbers."""
        return ((split.images / 255 - 0.286) / 0.353).astype(np.float32), split.targets

    def compact(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        return probabilities(outputs)

    def conditions(self, config: FlowConfig, data: Data) -> tuple[Condition, ...]:
        shape, classes = data.train.images.shape[1:], len(data.classes)

        def stack(chosen: Stack) -> Condition:
            return Condition(
                chosen.label,
                partial(_stack, config, chosen, shape, classes),
                config.epochs,
                config.batch_size,
                batchnorm_momentum=0.9 if chosen.normalised else None,
            )

        def resnet(depth: int, skip: bool) -> Condition:
            return Condition(
                f"{'resnet' if skip else 'plain'} {depth}",
                partial(_resnet, config, depth, skip, shape, classes),
                config.resnet_epochs,
                config.batch_size,
                batchnorm_momentum=0.9,
                first_seed_only=True,
            )

        return (
            *map(stack, trained(config)),
            *(resnet(depth, skip) for depth in config.resnet_depths for skip in (False, True)),
        )

    def expectations(self, config: FlowConfig) -> tuple[Expectation, ...]:
        return ()  # the claims say more

    def callbacks(
        self, config: FlowConfig, condition: Condition, data: Data, folder: Path
    ) -> list[keras.callbacks.Callback]:
        from experiments.common.recording import Recorder

        inputs, targets = self.arrays(config, data.train.first(config.batch_size), len(data.classes))
        every = config.every * (5 if condition.first_seed_only else 1)
        return [Recorder((inputs, targets), every, folder)]

    # -- claims --------------------------------------------------------------------------------------
    def foresee(self, config: FlowConfig, data: Data) -> dict[str, Any]:
        from experiments.common import starts

        shape = data.train.images.shape[1:]
        return {"starts": starts.foresee(cells(config), shape, len(data.classes), config.widths)}

    def claims(self, config: FlowConfig, prediction: Mapping[str, Any]) -> tuple[Claim, ...]:
        return (
            *flow_claims.of_starts(cells(config), prediction["further"]["starts"]),
            *flow_claims.of_trainings(trained(config), flow_report.verdicts(prediction, _labels(config))),
            *flow_claims.of_resnets(flow_report.resnet_starts(prediction, config.resnet_depths)),
        )

    def study(self, outcome: Outcome) -> None:
        from experiments.common import healthy, starts

        config, data = outcome.config, outcome.data
        examples = self.arrays(config, data.train, len(data.classes))
        starts.study(
            cells(config),
            len(data.classes),
            config.widths,
            config.starts,
            examples,
            outcome.folder / "starts",
        )
        healthy.study(
            HEALTHY,
            range(config.healthy_first, config.healthy_first + config.healthy_seeds),
            examples,
            len(data.classes),
            config.widths,
            config.epochs,
            config.every,
            outcome.folder / "healthy",
        )

    def judged(self, outcome: Outcome) -> Mapping[str, Measurement]:
        from archcalc.keras.symptoms import DETECTORS, symptoms
        from experiments.common import healthy, starts

        config, said = outcome.config, outcome.prediction["further"]["starts"]
        found = starts.read(cells(config), outcome.folder / "starts")
        covered = {series: starts.coverage(said, found, series) for series in starts.SERIES}
        records = flow_report.records(outcome)
        alarms = {name: [symptoms(each) for each in seeds] for name, seeds in records.items()}
        quiet = healthy.read(outcome.folder / "healthy")
        pairs = flow_report.resnet_starts(outcome.prediction, config.resnet_depths)
        return {
            **flow_claims.judged_starts(cells(config), said, found, covered),
            **flow_claims.judged_trainings(
                trained(config),
                flow_report.verdicts(outcome.prediction, _labels(config)),
                flow_report.accuracies(outcome),
                alarms,
            ),
            "false alarms": flow_claims.alarming(quiet, healthy.false_alarms(quiet, list(DETECTORS))),
            **flow_claims.judged_resnets(
                pairs,
                {name: records[name][0] for name in pairs},
                {name: outcome.histories[name, config.seed][-1]["loss"] for name in pairs},
            ),
        }

    # -- what the report shows -------------------------------------------------------------------------
    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        yield from flow_report.pictures(outcome, cells(outcome.config), _labels(outcome.config))

    def findings(self, outcome: Outcome) -> list[str]:
        return flow_report.findings(outcome, _labels(outcome.config))


def _labels(config: FlowConfig) -> list[str]:
    return [stack.label for stack in trained(config)]


def _stack(config: FlowConfig, chosen: Stack, shape: Any, classes: int) -> keras.Model:
    from experiments.common import stacks

    model = stacks.build(chosen, shape, classes, config.widths[chosen.kind])
    return stacks.compiled(model, chosen, eager=config.eager)


def _resnet(config: FlowConfig, depth: int, skip: bool, shape: Any, classes: int) -> keras.Model:
    from experiments.common import stacks

    model = stacks.thin_resnet(depth, shape, classes, config.resnet_filters, skip=skip)
    return stacks.compiled(
        model, Stack(CONV, depth, "relu", "he_normal", learning_rate=0.05), eager=config.eager
    )
