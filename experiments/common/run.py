"""One run: what is trained with which seeds, and where its folder keeps each training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.common import config as configs
from experiments.common import files, history, training
from experiments.common.config import Config
from experiments.common.data.splits import Data
from experiments.common.errors import ExperimentError
from experiments.common.experiment import Condition, Experiment
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
        return [(name, seed) for seed in self.config.all_seeds for name in self.conditions]

    def home(self, key: Key) -> Path:
        """Folder of one training's checkpoints and state."""
        return self.folder / "checkpoints" / f"{key[0]}-seed{key[1]}"

    def plan(self, key: Key) -> training.Plan:
        condition = self.conditions[key[0]]
        return training.Plan(
            label=f"{condition.name} seed {key[1]}",
            build=condition.build,
            seed=key[1],
            epochs=condition.epochs,
            batch_size=condition.batch_size,
            monitor=condition.monitor,
            higher_is_better=condition.higher_is_better,
            custom_objects=condition.custom_objects,
        )

    def train_images(self, name: str) -> int:
        """How many images a condition trains on."""
        return self.conditions[name].train_images or len(self.data.train)

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
