"""Frozen settings of a run, and the `--set key=value` that makes a new one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from archcalc.errors import did_you_mean
from experiments.common.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Config:
    """What every experiment's settings hold; experiments add fields of their own."""

    profile: str
    dataset: str = "colour32"
    garments: str = "slice"  # of Fashion-MNIST, for what is made from it: "slice" or "all"
    train_images: int = 5_000
    validation_images: int = 600
    test_images: int = 1_400
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 0.001
    eager: bool = False  # layer by layer: tracing a graph takes longer than a tiny training
    seed: int = 0
    seeds: int = 1  # seed, seed + 1, ... are trained one after the other

    def __post_init__(self) -> None:
        for name in ("train_images", "validation_images", "test_images", "epochs", "batch_size", "seeds"):
            if getattr(self, name) < 1:
                raise ExperimentError(f"{name}={getattr(self, name)} must be at least 1")
        if self.seed < 0:
            raise ExperimentError(f"seed={self.seed} must not be negative")
        if not self.learning_rate > 0:
            raise ExperimentError(f"learning_rate={self.learning_rate} must be above 0")
        if self.garments not in {"slice", "all"}:
            raise ExperimentError(f'garments={self.garments!r} must be "slice" or "all"')

    @property
    def all_seeds(self) -> tuple[int, ...]:
        return tuple(range(self.seed, self.seed + self.seeds))

    def to_dict(self) -> dict[str, Any]:
        """As JSON: tuples become lists."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


C = TypeVar("C", bound=Config)


def changed(config: C, settings: dict[str, str]) -> C:
    """The config with `key=value` texts from the command line, each read as its field's type.

    Raises ExperimentError for an unknown key (with what was probably meant) and an unreadable value.
    """
    hints = get_type_hints(type(config))
    values = {}
    for key, text in settings.items():
        if key not in hints or key == "profile":
            meant = did_you_mean(key, hints, f"known: {', '.join(hints)}")
            raise ExperimentError(f"--set {key}={text}: no such setting{meant}")
        values[key] = _read(key, text, hints[key])
    return dataclasses.replace(config, **values)


def from_dict(kind: type[C], stored: dict[str, Any]) -> C:
    """The config of a run folder's config.json."""
    hints = get_type_hints(kind)
    if set(stored) != set(hints):
        wrong = ", ".join(sorted(set(stored) ^ set(hints)))
        raise ExperimentError(f"config.json was written by another version (differs in {wrong}); run anew")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
    return kind(**values)


def _read(key: str, text: str, hint: Any) -> Any:
    readers: dict[Any, Callable[[str], Any]] = {
        int: int,
        float: float,
        str: str,
        bool: lambda t: {"true": True, "false": False}[t.lower()],
        tuple[int, ...]: lambda t: tuple(int(part) for part in t.split(",") if part),
        tuple[str, ...]: lambda t: tuple(part for part in t.split(",") if part),
    }
    try:
        return readers[hint](text)
    except (ValueError, KeyError):
        kind = getattr(hint, "__name__", str(hint)).replace("tuple", "a list a,b,...")
        raise ExperimentError(f"--set {key}={text}: {text!r} is not {kind}") from None
