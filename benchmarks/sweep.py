"""How many configurations of a ResNet-50 family a second, beside building and counting each of them.

    python -m benchmarks.sweep [--repetitions 3] [--venv DIR] [--large]

1. Parameters, multiply-adds and the receptive field of 10,000,000 configurations (width, and the depth of
   two stages): by closed forms, with a condition, with a Pareto front, and into a Parquet file.
2. The same figures by the layers' rules on arrays, as where there is no closed form; and the peaks of
   inference and of a training step by closed forms, of 400,000 configurations.
3. Building one such network with Keras and counting its parameters; torchinfo on ResNet-50, installed as
   for the other benchmarks.
4. With --large, 100,000,000 configurations: the peak memory of the process.

Every case is a process of its own, and the least of its repetitions counts. CPU seconds are those of all
threads; a machine with nothing else to do reaches about as many configurations a second as two cores
give it CPU seconds. Nothing is stored between runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.flop_conventions import PEERS, environment

ROOT = Path(__file__).parents[1]
SPACE = {"d3": "2:26", "d4": "2:41", "w": "1:10000"}
SMALL = {"d3": "2:6", "d4": "2:9", "w": "1:10000"}
MEMORY = {"d4": "2:41", "w": "1:10000"}
LARGE = {"d3": "2:101", "d4": "2:101", "w": "1:10000"}

CASE = """
import json, re, sys, time
from archcalc.design import forms, sweep
over, more, repetitions, by_rules = json.loads(sys.argv[1])
if by_rules:
    of = forms.Forms.of
    def none(graph, names, options):
        found = of(graph, names, options)
        return forms.Forms(found.symbols, {}, dict.fromkeys(names, "left out"), found.conditions)
    forms.Forms.of = none
cpu, wall = [], []
for _ in range(repetitions):
    start, started = time.process_time(), time.perf_counter()
    result = sweep.sweep("examples/resnet50.json", over, **more)
    cpu.append(time.process_time() - start)
    wall.append(time.perf_counter() - started)
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(json.dumps([result.configurations, min(cpu), min(wall), peak / 1024]))
"""
KERAS = """
import json, os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import archcalc
graph = archcalc.load("examples/resnet50.json", symbols={"w": None})
seconds = []
for width in range(16, 17 + int(sys.argv[1])):
    start = time.process_time()
    archcalc.to_keras(archcalc.load("examples/resnet50.json", symbols={"w": width})).count_params()
    seconds.append(time.process_time() - start)
print(json.dumps(min(seconds[1:])))
"""


def child(code: str, argument: str) -> list[float]:
    quiet = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, "-c", code, argument],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        cwd=ROOT,
        env=quiet,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return found if isinstance(found, list) else [found]


def case(
    label: str, over: dict[str, str], repetitions: int, *, by_rules: bool = False, **more: object
) -> float:
    """Print a case; returns its CPU seconds for each configuration."""
    count, cpu, wall, peak = child(CASE, json.dumps([over, more, repetitions, by_rules]))
    print(
        f"{label:34} {count:>13,.0f} {1e9 * cpu / count:>9.1f} {2 * count / cpu / 1e6:>12.2f} "
        f"{count / wall / 1e6:>12.2f} {peak:>9.0f}"
    )
    return cpu / count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--venv", type=Path, default=Path(".peers"), help="where the tools live")
    parser.add_argument("--large", action="store_true", help="also 100,000,000 configurations")
    options = parser.parse_args()
    times = options.repetitions
    print(
        f"{'parameters, MACs, receptive field':34} {'configurations':>13} {'CPU ns':>9} {'M/s, 2 cores':>12} "
        f"{'M/s, wall':>12} {'peak MiB':>9}"
    )
    forms = case("closed forms", SPACE, times)
    case("with a condition", SPACE, times, where="parameters < 5e6 and receptive_field >= 300")
    case("with a Pareto front", SPACE, times, minimize=["parameters"], maximize=["receptive_field"])
    case("memory, closed forms", MEMORY, 1, figures=["peak_activation_bytes", "training_bytes"])
    rules = case("rules on arrays", SMALL, times, by_rules=True)
    with tempfile.TemporaryDirectory() as folder:
        case("into a Parquet file", SPACE, 1, output=str(Path(folder) / "out.parquet"))
        if options.large:
            case("100,000,000", LARGE, 1)
            case("100,000,000 into a file", LARGE, 1, output=str(Path(folder) / "large.parquet"))
    (keras,) = child(KERAS, str(times))
    print(
        f"Keras builds one and counts it: {keras:.2f} s, {keras / forms:,.0f} times a closed form, "
        f"{keras / rules:,.0f} times the rules"
    )
    python = environment(options.venv)
    done = subprocess.run(
        [str(python), str(PEERS / "timed.py"), "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    torchinfo = json.loads(done.stdout.splitlines()[-1])["seconds"]["torchinfo"]
    print(
        f"torchinfo counts one:           {torchinfo:.2f} s, {torchinfo / forms:,.0f} times a closed form, "
        f"{torchinfo / rules:,.0f} times the rules"
    )


if __name__ == "__main__":
    main()
