"""What every data source gives: three splits, class names, and where it all came from."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class Split:
    """Images (N, H, W, C), uint8, and targets: class numbers (N,) or masks (N, H, W).

    What is no image has the shape and type that its set says.
    """

    images: NDArray[Any]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def first(self, count: int) -> Split:
        return Split(self.images[:count], self.targets[:count])


@dataclasses.dataclass(frozen=True)
class Data:
    """A data set, split once and for all; nothing chosen on `test` reaches a model."""

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    provenance: dict[str, Any]

    @property
    def splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def checksum(self) -> str:
        """SHA-256 over every array's shape and bytes."""
        digest = hashlib.sha256()
        for name, split in self.splits.items():
            digest.update(f"{name} {split.images.shape} {split.targets.shape}".encode())
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.targets.astype(np.int64)).data)
        return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class ManySets(Data):
    """Several sets by name; where one is asked for, it is the first."""

    sets: Mapping[str, Data]

    @classmethod
    def of(cls, sets: Mapping[str, Data], provenance: dict[str, Any]) -> Self:
        first = {**vars(next(iter(sets.values()))), "provenance": provenance}
        return cls(**first, sets=sets)

    def checksum(self) -> str:
        """SHA-256 over those of all sets."""
        joined = "".join(data.checksum() for data in self.sets.values())
        return hashlib.sha256(joined.encode()).hexdigest()
