"""CPU seconds of each tool on fresh copies of ResNet-50, as JSON. Runs inside the tools' own environment."""

from __future__ import annotations

import json
import sys
import time

import resnet
import tools
import torch

MEASURED = ("torchinfo", "fvcore", "ptflops", "ptflops-aten", "thop")


def main(repetitions: int) -> None:
    """Print the least CPU time of one call for each tool, with module and input prepared."""
    torch.set_num_threads(1)
    image = [torch.zeros(1, 3, 224, 224)]
    least: dict[str, float] = {}
    for name in MEASURED:
        seconds = []
        for _ in range(repetitions + 1):  # the first call imports
            model = resnet.ResNet50(keras_form=True).eval()
            start = time.process_time()
            tools.TOOLS[name](model, image)
            seconds.append(time.process_time() - start)
        least[name] = min(seconds[1:])
    print(json.dumps({"versions": tools.versions(), "seconds": least}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
