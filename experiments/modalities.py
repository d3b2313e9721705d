"""Are CNNs the wrong tool for texts, speech and tables? Against what is said to be the right one.

Question     Where does a CNN keep up outside of images, and where is it out of place?
Hypothesis   A CNN uses that neighbours belong together. Where shuffling the axis over which it shares weights
             costs accuracy (words whose order matters, spoken words), it keeps up with recurrent networks and
             attention; where it does not (tables), trees are as good or better.
Command      python -m experiments run modalities --profile full
Time         smoke 40 s, quick 2 min, full 10 min of the processor; three seeds
Found        not run yet

Texts: generated sentences whose classes depend on order alone; sentences of docstrings by library. Voices:
spoken words and speakers, by a synthesiser. Tables: customers by a known process; Wisconsin's tumours. Each
seed shuffles by a permutation of its own, the same one for all examples of all parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.common import modality_claims, modality_figures
from experiments.common import modality_nets as nets
from experiments.common.claims import Claim, Measurement
from experiments.common.config import Config
from experiments.common.data import tables, texts, voices
from experiments.common.data.splits import Data, ManySets, Split
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Condition, Expectation, Experiment, Metrics, Outcome, Picture
from experiments.common.feed import Arrays
from experiments.common.modality_nets import SHARED, TABLES, VOICES
from experiments.common.summary import written

# training, validation, test
COUNTS: Mapping[str, tuple[int, int, int]] = {
    "grammar": (2_000, 200, 600),
    "sentences": (1_700, 200, 500),
    "words": (768, 192, 288),
    "speakers": (600, 160, 280),
    "customers": (1_500, 300, 1_200),
    "tumours": (300, 69, 200),
}
# a hundred to four hundred steps of batches of 32
EPOCHS: Mapping[str, int] = {
    "grammar": 6,
    "sentences": 5,
    "words": 14,
    "speakers": 12,
    "customers": 6,
    "tumours": 12,
}


@dataclasses.dataclass(frozen=True)
class ModalityConfig(Config):
    """Which sets, how wide, and a share of their examples and epochs."""

    dataset: str = "modalities"
    sets: tuple[str, ...] = tuple(COUNTS)
    width: int = 16
    share: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [name for name in self.sets if name not in COUNTS]
        if unknown or not self.sets:
            raise ExperimentError(f"sets={','.join(self.sets)}: choose among {', '.join(COUNTS)}")
        if not 0 < self.share <= 1:
            raise ExperimentError(f"share={self.share} must be above 0 and at most 1")
        if self.width % 2:
            raise ExperimentError(f"width={self.width} must be even")

    def counts(self, name: str) -> tuple[int, int, int]:
        few, some, many = (max(16, round(self.share * count)) for count in COUNTS[name])
        return few, some, many

    def epochs_of(self, name: str) -> int:
        return max(1, round(self.share * EPOCHS[name]))


PROFILES = {
    "smoke": ModalityConfig(
        "smoke",
        batch_size=32,
        eager=True,
        sets=("grammar", "words", "customers"),
        width=4,
        share=0.03,
    ),
    "quick": ModalityConfig("quick", batch_size=32, learning_rate=0.003, share=0.6),
    "full": ModalityConfig("full", batch_size=32, learning_rate=0.003, seeds=3),
}


def load(name: str, counts: tuple[int, int, int]) -> Data:
    if name in VOICES:
        return voices.load(name, counts)
    made: Mapping[str, Any] = {
        "grammar": texts.grammar,
        "sentences": texts.sentences,
        "customers": tables.customers,
        "tumours": tables.tumours,
    }
    data: Data = made[name](counts)
    return data


class Modalities(Experiment):
    name = "modalities"
    claim = "CNNs are for images; texts, speech and tables want something else."
    found = "not run yet"
    question = "Is a CNN the wrong tool for texts, speech and tables?"
    hypothesis = (
        "Where shuffling the axis over which it shares weights costs accuracy (order of words, spoken "
        "words), a CNN keeps up with recurrent networks and attention; where it does not (tables), trees are "
        "as good or better."
    )
    profiles = PROFILES
    expected_time = {"smoke": "40 s", "quick": "2 min", "full": "10 min"}

    def load(self, config: ModalityConfig, source: Path | None) -> Data:
        if source is not None:
            raise ExperimentError(f"--data {source}: modalities takes none; its sets ship or are generated")
        sets = {name: load(name, config.counts(name)) for name in config.sets}
        sizes = {name: len(data.test) for name, data in sets.items()}
        return ManySets.of(sets, provenance={"test examples": sizes})

    def part(self, condition: Condition, data: Data) -> Data:
        return data.sets[condition.name.split()[0]] if isinstance(data, ManySets) else data

    def arrays(self, config: ModalityConfig, split: Split, classes: int) -> Arrays:
        return split.images, split.targets

    def examples(
        self, config: ModalityConfig, condition: Condition, data: Data, split: str, seed: int
    ) -> Arrays:
        """Shuffled along an axis by the seed's permutation where the condition says so."""
        chosen = self.part(condition, data).splits[split]
        inputs = chosen.images
        modality, _, axis = (condition.name + " ").split(" ", 2)
        if axis.strip():
            place = 1 + SHARED[modality][axis.split()[0]]
            order = np.random.default_rng([seed, place]).permutation(inputs.shape[place])
            inputs = inputs.take(order, axis=place)
        return inputs, chosen.targets

    def conditions(self, config: ModalityConfig, data: Data) -> tuple[Condition, ...]:
        assert isinstance(data, ManySets)

        def condition(modality: str, network: str, axis: str = "") -> Condition:
            options = (config.width, config.learning_rate, config.eager)
            return Condition(
                f"{modality} {network}" + (f" {axis} shuffled" if axis else ""),
                partial(nets.build, modality, network, data.sets[modality], *options),
                config.epochs_of(modality),
                config.batch_size,
            )

        return tuple(
            one
            for name in config.sets
            for one in (
                *(condition(name, network) for network in nets.NETWORKS[name]),
                *(condition(name, nets.CNN, axis) for axis in SHARED[name]),
            )
        )

    def expectations(self, config: ModalityConfig) -> tuple[Expectation, ...]:
        return ()  # the claims say more

    def measure(self, split: Split, predicted: NDArray[np.float32], classes: int) -> Metrics:
        from experiments.common import metrics

        return metrics.classification(split.targets, predicted, classes)

    def baselines(self, config: ModalityConfig, data: Data) -> Mapping[str, Metrics]:
        from experiments.common import modality_baselines

        assert isinstance(data, ManySets)
        return modality_baselines.baselines(data.sets, config.all_seeds)

    def claims(self, config: ModalityConfig, prediction: Mapping[str, Any]) -> tuple[Claim, ...]:
        return modality_claims.claims(config.sets) if config.share >= 1 else ()

    def judged(self, outcome: Outcome) -> Mapping[str, Measurement]:
        return modality_claims.judged(outcome) if outcome.config.share >= 1 else {}

    # -- what the report shows -------------------------------------------------------------------------
    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        yield Picture(
            "permutation",
            "What a CNN loses where the axis over which it shares weights is shuffled, in points of test "
            "accuracy: a dot a seed, a bar for the mean, a line for two standard errors.",
            modality_figures.permutation(modality_claims.losses(outcome)),
        )
        yield Picture(
            "accuracy",
            "Test accuracy of every method, a dot a seed; hollow: no network. Dotted: the commonest class.",
            modality_figures.accuracy(modality_claims.table(outcome), modality_claims.chance(outcome)),
        )
        yield Picture(
            "curves",
            "Validation's accuracy, epoch by epoch, first seed.",
            modality_figures.curves(outcome.histories, outcome.config.sets, outcome.config.seed),
        )
        assert isinstance(outcome.data, ManySets)
        heard = {name: outcome.data.sets[name] for name in outcome.config.sets if name in VOICES}
        if heard:
            yield Picture(
                "spectrograms",
                "Spectrograms (time to the right, high bands on top) of three classes each.",
                modality_figures.spectrograms(heard),
            )

    def findings(self, outcome: Outcome) -> list[str]:
        found = [text for _, text in modality_claims.verdicts(outcome)]
        for name, methods in modality_claims.table(outcome).items():
            best = max(methods, key=lambda method: float(np.mean(methods[method])))
            shares = ", ".join(f"{method} {written(values)}" for method, values in methods.items())
            kind = "columns" if name in TABLES else "examples"
            found.append(f"{name} ({kind} as they are), test accuracy: {shares}; best: {best}")
        return found
