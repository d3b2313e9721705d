"""What an experiment is made of; one file of `experiments/` defines each."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.common.claims import Claim, Measurement
from experiments.common.config import Config
from experiments.common.data.splits import Data, Split
from experiments.common.feed import Examples
from experiments.common.history import Key, Row

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

Metrics = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """One thing that is trained (with every seed): a model and what differs from the other conditions."""

    name: str
    build: Callable[[], keras.Model]  # a compiled model
    epochs: int
    batch_size: int
    train_images: int | None = None  # fewer than the config's, for learning curves
    monitor: str = "val_accuracy"
    higher_is_better: bool = True
    batchnorm_momentum: float | None = None  # for the diagnosis
    custom_objects: dict[str, Any] = field(default_factory=dict)
    class_weight: dict[int, float] | None = None
    # another condition, trained before this one, whose last model `take_over(new, trained)` draws on
    starts_from: str | None = None
    take_over: Callable[[keras.Model, keras.Model], None] | None = None
    first_seed_only: bool = False  # too dear to be trained with every seed


@dataclass(frozen=True)
class Expectation:
    """A figure that the experiment expects, written down before training."""

    condition: str
    quantity: str  # a key of the condition's test metrics
    at_least: float | None = None
    below: float | None = None

    def met(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (
            self.below is None or value < self.below
        )

    def __str__(self) -> str:
        parts = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        parts += [f"below {self.below:g}"] if self.below is not None else []
        return f"{self.condition}: test {self.quantity} {' and '.join(parts)}"


@dataclass(frozen=True)
class Outcome:
    """All that was measured, for figures and findings."""

    config: Any
    data: Data
    histories: Mapping[Key, list[Row]]
    metrics: Mapping[Key, Metrics]  # on the test data, after the last epoch
    predictions: Mapping[Key, NDArray[Any]]  # of the last model, on the test data, as `compact` left them
    seconds: Mapping[Key, list[float]]  # of every epoch, on the clock
    processor_seconds: Mapping[Key, list[float]]
    baselines: Mapping[str, Metrics]
    folder: Path
    diagnoses: Mapping[Key, Mapping[str, Any]]  # as `diagnosis.Diagnosis.to_dict` gives them
    model: Callable[[Key], keras.Model]  # loads the last model
    prediction: Mapping[str, Any]  # what prediction.json says
    records: Callable[[Key], Path]  # the folder that the callbacks of a training wrote to

    @property
    def conditions(self) -> list[str]:
        return list(dict.fromkeys(condition for condition, _ in self.histories))

    def values(self, condition: str, quantity: str) -> list[float]:
        """One test metric over the seeds."""
        return [float(m[quantity]) for (name, _), m in self.metrics.items() if name == condition]


@dataclass(frozen=True)
class Picture:
    """A figure of the run with what there is to see in it."""

    name: str
    caption: str
    figure: Figure


class Experiment(ABC):
    """Question, settings, models and what is made of the results."""

    name: ClassVar[str]
    question: ClassVar[str]
    hypothesis: ClassVar[str]
    claim: ClassVar[str]  # what people say, in a sentence
    found: ClassVar[str]  # what the full profile made of it, in half a sentence
    profiles: ClassVar[Mapping[str, Config]]
    expected_time: ClassVar[Mapping[str, str]]
    headline: ClassVar[str] = "accuracy"  # the test metric that the report puts first
    gradients: ClassVar[bool] = False  # whether prediction.json holds archcalc's expected gradients

    def settled(self, config: Any) -> Any:
        """The config with what only this machine knows (a file's checksum, say), before a run begins."""
        return config

    @abstractmethod
    def load(self, config: Any, source: Path | None) -> Data:
        """The data, from `source` (the command line's --data) where given."""

    @abstractmethod
    def arrays(self, config: Any, split: Split, classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """What `fit` gets of a split: inputs and targets."""

    def part(self, condition: Condition, data: Data) -> Data:
        """The data of one condition: all, with as many training images as it asks for."""
        return dataclasses.replace(data, train=data.train.first(condition.train_images or len(data.train)))

    def examples(self, config: Any, condition: Condition, data: Data, split: str, seed: int) -> Examples:
        """What the model of a condition and seed gets of "train", "validation" or "test" of its part.

        Where all get the same, `arrays` says it.
        """
        part = self.part(condition, data)
        return self.arrays(config, part.splits[split], len(part.classes))

    @abstractmethod
    def conditions(self, config: Any, data: Data) -> tuple[Condition, ...]:
        """What is trained, in order."""

    @abstractmethod
    def expectations(self, config: Any) -> tuple[Expectation, ...]:
        """Figures that the run should reach; none where the profile is too small to say."""

    def foresee(self, config: Any, data: Data) -> dict[str, Any]:
        """Further predictions for prediction.json, as JSON; the same again from the same arguments."""
        return {}

    def claims(self, config: Any, prediction: Mapping[str, Any]) -> tuple[Claim, ...]:
        """What is claimed and what is predicted of it, from what prediction.json will hold."""
        return ()

    @abstractmethod
    def measure(self, split: Split, predicted: NDArray[np.float32], classes: int) -> Metrics:
        """Metrics of the predictions of one model."""

    def compact(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        """What is kept of a model's finite outputs, for `measure` and the figures."""
        return outputs

    def baselines(self, config: Any, data: Data) -> Mapping[str, Metrics]:
        """Test metrics of what needs no network."""
        return {}

    def watch(self, config: Any, data: Data, model: keras.Model, epoch: int, folder: Path) -> None:
        """Look at a model after an epoch (from 1), before it is saved; files go into `folder`, whole."""
        return

    def callbacks(
        self, config: Any, condition: Condition, data: Data, folder: Path
    ) -> list[keras.callbacks.Callback]:
        """What looks on while a condition trains on its `data`; files go into `folder`, whole, by epoch."""
        return []

    def study(self, outcome: Outcome) -> None:
        """What is measured besides trainings, or of the trained models.

        Files go into `outcome.folder`, whole, and are not made again where they are there.
        """
        return

    def judged(self, outcome: Outcome) -> Mapping[str, Measurement]:
        """What was measured of each claim, by its key; claims left out were not measured."""
        return {}

    @abstractmethod
    def pictures(self, outcome: Outcome) -> Iterator[Picture]:
        """The figures of the report, in order."""

    @abstractmethod
    def findings(self, outcome: Outcome) -> list[str]:
        """What the figures say, one sentence each."""
