"""What the tools print for every twin, as JSON. Runs inside the tools' own environment."""

from __future__ import annotations

import json
import sys

import calflops  # noqa: F401  (imported once, before the processes that measure)
import fvcore.nn  # noqa: F401
import ptflops  # noqa: F401
import thop  # noqa: F401
import tools
import torch
import torchinfo  # noqa: F401
from layers import LAYERS
from networks import NETWORKS


def main(names: list[str]) -> None:
    """Print the totals of all twins, or of those named."""
    torch.set_num_threads(1)
    wanted = {**LAYERS, **NETWORKS}
    totals = {n: tools.totals(*twin) for n, twin in wanted.items() if not names or n in names}
    print(json.dumps({"versions": tools.versions(), "totals": totals}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
