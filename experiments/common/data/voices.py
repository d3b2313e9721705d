"""Spoken words and speakers as mel spectrograms (frames, bands) in bytes, made by a synthesiser; they ship.

**words**: which of eight, said by voices that training did not hear. **speakers**: which of eight voices,
reading sentences that training did not hear. `experiments/data/make_voices.py` says how they were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.common.data.splits import Data, Split
from experiments.common.errors import ExperimentError

SHIPPED = Path(__file__).parents[2] / "data" / "voices"
CLASSES = {
    "words": ("yes", "no", "up", "down", "left", "right", "stop", "go"),
    "speakers": ("m1", "m3", "m7", "f2", "f4", "Alex", "Gene", "linda"),
}


def load(name: str, counts: Sequence[int]) -> Data:
    """The first so many clips of each part. Raises ExperimentError where there are fewer."""
    with np.load(SHIPPED / f"{name}.npz", allow_pickle=False) as stored:
        parts = {key: stored[key] for key in stored.files}
    splits: list[Split] = []
    for part, count in zip(("train", "validation", "test"), counts, strict=True):
        clips, labels = parts[f"{part}_clips"], parts[f"{part}_labels"]
        if len(clips) < count:
            raise ExperimentError(f"{name}: {len(clips)} clips for {part}, {count} wanted")
        splits.append(Split(clips[:count], labels[:count].astype(np.int64)))
    train, validation, test = splits
    return Data(name, CLASSES[name], train, validation, test, provenance={})
