"""Counted bytes of a forward pass and of a training step against those that TensorFlow's allocator measures.

    python -m benchmarks.step_memory measure FILE [--one-thread] [--seed N] [NAME ...]
    python -m benchmarks.step_memory compare FILE
    python -m benchmarks.step_memory one NAME

`measure` runs the networks of `drawn` and of `mechanisms`, and some of keras.applications, each in a fresh
process, and adds each result to FILE as a line of JSON; networks that are in it already are left out.
`compare` counts them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import archcalc
from benchmarks.step_memory import mechanisms
from benchmarks.step_memory.drawn import SEED, networks
from benchmarks.step_memory.measure import measured

KNOWN = {
    "VGG16": 4,
    "ResNet50": 4,
    "DenseNet121": 4,
    "MobileNetV2": 4,
    "EfficientNetB0": 4,
    "ConvNeXtTiny": 4,
}
MIB = 2**20


def _all(seed: int) -> Iterator[dict[str, Any]]:
    for network in (*networks(seed), *mechanisms.networks()):
        yield {"name": network.name, "source": network.spec, "batch": network.batch, "dtype": network.dtype}
    for name, batch in KNOWN.items():
        yield {"name": name, "source": f"keras:{name}", "batch": batch, "dtype": "float32"}


def measure(file: Path, names: list[str], seed: int, one_thread: bool) -> None:
    done = {json.loads(line)["name"] for line in file.read_text().splitlines()} if file.exists() else set()
    for network in _all(seed):
        if network["name"] in done or (names and network["name"] not in names):
            continue
        peaks = measured(network, one_thread=one_thread)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({**network, **peaks}) + "\n")


def compare(file: Path) -> None:
    print("| network | batch | forward MiB | counted/measured | step MiB | counted/measured |")
    print("|---|---|---|---|---|---|")
    ratios: dict[str, list[float]] = {"forward": [], "step": []}
    for line in file.read_text(encoding="utf-8").splitlines():
        network = json.loads(line)
        graph = archcalc.load(network["source"])
        totals = archcalc.analyze(graph, batch=network["batch"], dtype=network["dtype"]).totals
        counted = {
            "forward": totals.weight_bytes + totals.peak_activation_bytes,
            "step": totals.training_bytes,
        }
        cells = []
        for what, size in counted.items():
            ratio = size / network[what] if isinstance(size, int) else None
            ratios[what] += [] if ratio is None else [ratio]
            cells += [f"{network[what] / MIB:,.0f}", "unknown" if ratio is None else f"{ratio:.2f}"]
        print(f"| {network['name']} | {network['batch']} | {' | '.join(cells)} |", flush=True)
    for what, of in ratios.items():
        near, within = (sum(low <= r <= high for r in of) for low, high in ((0.85, 1.2), (0.7, 1.35)))
        print(f"{what}: {near} of {len(of)} within .85 to 1.2, {within} within .7 to 1.35")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("measure", "compare", "one"))
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--one-thread", action="store_true", help="of TensorFlow, within and between operations"
    )
    options = parser.parse_args()
    if options.task == "one":
        with TemporaryDirectory() as folder:
            measure(Path(folder) / "one.jsonl", [str(options.file)], options.seed, options.one_thread)
            compare(Path(folder) / "one.jsonl")
    elif options.task == "measure":
        measure(options.file, options.names, options.seed, options.one_thread)
    else:
        compare(options.file)


if __name__ == "__main__":
    main()
