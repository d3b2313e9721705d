"""Does it fit? archcalc's training memory of a model against what this machine has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

CGROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def available() -> int:
    """Bytes that this machine, or the container around the process, has in all."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CGROUPS:
        try:
            limit = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if limit.isdigit():
            physical = min(physical, int(limit))
    return physical


def foreseen(totals: dict[str, Any], batch_size: int, available_bytes: int) -> dict[str, Any]:
    """From the totals of an analysis made for `batch_size`.

    `training_bytes` are weights, gradients, the optimizer's state and the activations that the backward
    pass reads; what the framework itself takes comes on top.
    """
    needed = totals["training_bytes"]
    return {
        "batch_size": batch_size,
        "peak_activation_bytes": totals["peak_activation_bytes"],
        "peak_activation_layer": totals["peak_activation_layer"],
        "training_bytes": needed,
        "available_bytes": available_bytes,
        "fits": None if needed is None else needed <= available_bytes,
    }
