"""Whether the batch that `--memory` names fits, and twice that batch does not.

    python -m benchmarks.step_memory.budget measure FILE [NAME ...]
    python -m benchmarks.step_memory.budget show FILE

`measure` takes the first twenty drawn networks with the batch that `--memory 1GiB` names for training and
with twice that batch, each network in a fresh process; FILE is as for `benchmarks.step_memory`.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

import archcalc
from benchmarks.step_memory.drawn import networks
from benchmarks.step_memory.measure import steps_measured

COUNT = 20
MEMORY = 2**30


def measure(file: Path, names: list[str]) -> None:
    done = {json.loads(line)["name"] for line in file.read_text().splitlines()} if file.exists() else set()
    for network in islice(networks(), COUNT):
        if network.name in done or (names and network.name not in names):
            continue
        report = archcalc.analyze(archcalc.load(network.spec), memory=MEMORY, dtype=network.dtype)
        assert report.fit is not None
        batch = report.fit.training.largest_batch
        assert isinstance(batch, int)
        made = {"name": network.name, "source": network.spec, "dtype": network.dtype}
        peaks = steps_measured({**made, "batches": [batch, 2 * batch]})
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({**made, "batch": batch, "fits": peaks[0], "twice": peaks[1]}) + "\n")


def show(file: Path) -> None:
    """The largest of two steps with the batch, the smallest with twice the batch."""
    print("| network | batch | MiB | twice the batch, MiB |")
    print("|---|---|---|---|")
    right = 0
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        most, least = max(row["fits"]), min(row["twice"])
        right += most <= MEMORY < least
        print(f"| {row['name']} | {row['batch']:,} | {most / 2**20:,.0f} | {least / 2**20:,.0f} |")
    print(f"{right} of {len(rows)} fit with the batch and not with twice the batch")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("measure", "show"))
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if options.task == "measure":
        measure(options.file, options.names)
    else:
        show(options.file)


if __name__ == "__main__":
    main()
