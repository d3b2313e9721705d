"""`GradientMonitor`'s measurements kept in a run folder, epoch by epoch, whole or not at all."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from archcalc.keras import GradientMonitor
from archcalc.keras.symptoms import Series
from experiments.common import files

ARRAYS = ("steps", "loss", "weights", "gradients", "moved", "signals", "idle", "branches")


class Recorder(GradientMonitor):
    """The monitor; after epoch n its measurements stand in `folder/epoch-n.npz`."""

    def __init__(self, probe: tuple[Any, Any], every: int, folder: Path) -> None:
        super().__init__(probe, every)
        self._folder = folder

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Steps count from the start of the training, in whatever process that was."""
        self.step = epoch * self.params["steps"]
        if epoch:
            self.forget()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._folder.mkdir(parents=True, exist_ok=True)
        write(self.series, self._folder / f"epoch-{epoch + 1:04d}.npz")


def write(series: Series, path: Path) -> None:
    """One npz: arrays, and the names as JSON."""
    names = {key: value for key, value in vars(series).items() if key not in ARRAYS}
    content = BytesIO()
    text = np.frombuffer(json.dumps(names).encode(), np.uint8)
    np.savez_compressed(content, names=text, **{key: getattr(series, key) for key in ARRAYS})
    files.write_bytes(path, content.getvalue())


def read(folder: Path) -> Series:
    """All measurements of a training, from the files of its epochs."""
    parts: list[dict[str, Any]] = []
    for path in sorted(folder.glob("epoch-*.npz")):
        with np.load(path, allow_pickle=False) as stored:
            parts.append({key: stored[key] for key in stored.files})
    names = json.loads(parts[0]["names"].tobytes())
    fields: dict[str, Any] = {key: np.concatenate([part[key] for part in parts]) for key in ARRAYS}
    fields |= {key: tuple(value) for key, value in names.items()}
    return Series(**fields)
