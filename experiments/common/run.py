"""One run: what is trained with which seeds, and where its folder keeps each training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras

from experiments.common import config as configs
from experiments.common import files, history, training
from experiments.common.config import Config
from experiments.common.data.splits import Data
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Condition, Experiment
from experiments.common.feed import Examples
from experiments.common.history import Key, Row


@dataclass(frozen=True)
class Run:
    """An experiment with its settings, its data and its folder."""

    experiment: Experiment
    config: Config
    data: Data
    folder: Path

    @cached_property
    def conditions(self) -> Mapping[str, Condition]:
        return {condition.name: condition for condition in self.experiment.conditions(self.config, self.data)}

    @property
    def keys(self) -> list[Key]:
        """Every training; seed by seed, so that a run cut short has whole seeds."""
        return [
            (name, seed)
            for seed in self.config.all_seeds
            for name, condition in self.conditions.items()
            if seed == self.config.seed or not condition.first_seed_only
        ]

    def home(self, key: Key) -> Path:
        """Folder of one training's checkpoints and state."""
        return self.folder / "checkpoints" / f"{key[0]}-seed{key[1]}"

    def records(self, key: Key) -> Path:
        """Folder of what looked on while one training went on."""
        return self.folder / "records" / self.home(key).name

    def plan(self, key: Key) -> training.Plan:
        condition = self.conditions[key[0]]
        return training.Plan(
            label=f"{condition.name} seed {key[1]}",
            build=partial(self._build, key),
            seed=key[1],
            epochs=condition.epochs,
            batch_size=condition.batch_size,
            monitor=condition.monitor,
            higher_is_better=condition.higher_is_better,
            custom_objects=condition.custom_objects,
            class_weight=condition.class_weight,
        )

    def _build(self, key: Key) -> keras.Model:
        """The model as its training begins: new, with what it takes over from another condition's."""
        condition = self.conditions[key[0]]
        model = condition.build()
        if condition.starts_from and condition.take_over:
            last = self.home((condition.starts_from, key[1])) / "last.keras"
            condition.take_over(model, keras.models.load_model(last, compile=False))
        return model

    def part(self, name: str) -> Data:
        """The data of one condition."""
        return self.experiment.part(self.conditions[name], self.data)

    def examples(self, key: Key, split: str) -> Examples:
        """What the model of a training gets of "train", "validation" or "test"."""
        return self.experiment.examples(self.config, self.conditions[key[0]], self.data, split, key[1])

    def histories(self) -> dict[Key, list[Row]]:
        """The epochs so far of every training that has begun."""
        found = {key: training.load_state(self.home(key)).history for key in self.keys}
        return {key: rows for key, rows in found.items() if rows}

    def write_history(self) -> None:
        history.write(self.folder / "history.csv", self.histories())


def stored(experiment: Experiment, folder: Path, data: Data | None = None) -> Run:
    """The run that a folder holds, its data loaded anew where not given.

    Raises ExperimentError where they are no longer those with which it began.
    """
    known = files.read_json(folder / "config.json")
    kind = type(next(iter(experiment.profiles.values())))
    config = configs.from_dict(kind, known["config"])
    source = Path(known["source"]) if known["source"] else None
    data = data or experiment.load(config, source)
    if data.checksum() != known["data_sha256"]:
        raise ExperimentError(f"{folder}: its data have changed since it began; run anew")
    return Run(experiment, config, data, folder)


def record(run: Run, source: Path | None, settings: list[str]) -> None:
    """Write config.json, from which `stored` reads; `settings` are the --set texts."""
    about: dict[str, Any] = {
        "experiment": run.experiment.name,
        "source": str(source.resolve()) if source else None,
        "data_sha256": run.data.checksum(),
        "settings": settings,
        "config": run.config.to_dict(),
    }
    files.write_json(run.folder / "config.json", about)
