"""What a step of training really takes, in a process of its own.

    python -m experiments.common.peak_memory MODEL.keras BATCH

prints the largest resident bytes after steps of one sample, and after steps of BATCH samples, as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

STEPS = 3


def measure(model: Path, batch: int) -> dict[str, int]:
    """Peaks of a new process, in bytes: `one` after steps of one sample, `batch` after those of `samples`."""
    ran = subprocess.run(
        [sys.executable, "-m", "experiments.common.peak_memory", str(model.resolve()), str(batch)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(ran.stdout.splitlines()[-1])
    return found


def _peak() -> int:
    """Largest resident bytes of this process so far.

    Linux says so in /proc; `ru_maxrss` there is at least that of the process which started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _inside(path: str, batch: int) -> dict[str, Any]:
    from experiments.common import environment

    environment.prepare()
    import keras
    import numpy as np

    import archcalc.keras.locally_connected  # noqa: F401  (its layers are in the file)

    model = keras.models.load_model(path)
    peaks = {}
    for name, count in (("one", 1), ("batch", batch)):
        x = np.zeros((count, *model.inputs[0].shape[1:]), np.float32)
        y = np.zeros(count, np.int64)
        for _ in range(STEPS):
            model.train_on_batch(x, y)
        peaks[name] = _peak()
    return {"samples": batch, **peaks}


if __name__ == "__main__":
    print(json.dumps(_inside(sys.argv[1], int(sys.argv[2]))))  # noqa: T201
