"""How fast archcalc is compared with what people use now: ratios, all taken in one run.

    python -m benchmarks.speed [--repetitions 5] [--venv DIR]

1. A cold process that analyses ResNet-50's Keras config, against one that imports Keras, builds the
   model from the same file and prints `summary()`: CPU seconds (user and system, all threads) and
   peak memory.
2. `analyze` in a running process against torchinfo, fvcore, ptflops and thop on the same network: for what
   these count, parameters and MACs of every layer, and for all figures. The tools are installed, at
   the versions in peers/requirements.txt, into a separate environment.
3. 100,000 layers against 10,000: read, analysed, and written as JSON.

Sides take turns, each repetition has a fresh graph, the least of all repetitions counts, and nothing is
stored between runs.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.flop_conventions import PEERS, environment

ROOT = Path(__file__).parents[1]
# the peak of a process cannot be queried after its end, so each process reports its own
PEAK = """
import re, sys
sys.stderr.write(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1] + "\\n")
"""
ANALYZE = f"""
import sys
from archcalc.__main__ import run
sys.argv[1:1] = ["analyze"]
if run(): sys.exit(1)
{PEAK}"""
SUMMARY = f"""
import sys
import keras
keras.models.model_from_json(open(sys.argv[1]).read()).summary()
{PEAK}"""


class Cost(NamedTuple):
    """CPU seconds and peak MiB of a process."""

    seconds: float
    mebibytes: float


def cold(code: str, *arguments: str) -> Cost:
    """The cost of a Python process from start to end; its output is discarded."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | quiet
    with tempfile.TemporaryFile() as told:
        started = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, stderr=told, env=environment
        )
        _, status, used = os.wait4(started.pid, 0)
        told.seek(0)
        last = told.read().split()[-1:]
    if status or not last:
        raise SystemExit(f"a process ended with {status}: {code}")
    return Cost(used.ru_utime + used.ru_stime, int(last[0]) / 1024)


def least(costs: list[Cost]) -> Cost:
    return Cost(min(c.seconds for c in costs), min(c.mebibytes for c in costs))


def cold_processes(repetitions: int) -> None:
    from archcalc.readers.applications import _Shipped

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "resnet50.json")
        shipped = _Shipped()
        data = {"keras_version": shipped.version, **shipped.configuration("ResNet50")}
        Path(path).write_text(json.dumps(data))
        sides: dict[str, list[Cost]] = {"archcalc": [], "python": [], "keras": []}
        for code in (ANALYZE, SUMMARY):
            cold(code, path)  # writes the bytecode of both sides, as their first use does
        for _ in range(repetitions):
            sides["archcalc"].append(cold(ANALYZE, path))
            sides["python"].append(cold(PEAK))
            sides["keras"].append(cold(SUMMARY, path))
    ours, bare, theirs = (least(sides[name]) for name in ("archcalc", "python", "keras"))
    print("cold process on ResNet-50's config, CPU seconds and peak MiB")
    for name, cost in (("archcalc analyze", ours), ("keras summary()", theirs), ("python alone", bare)):
        print(f"  {name:18} {cost.seconds:8.3f} s {cost.mebibytes:8.1f} MiB")
    print(f"  ratio 1/{theirs.seconds / ours.seconds:.1f} (aim: 1/30), {ours.mebibytes:.1f} MiB (aim: 28)")


ROUNDS = 3


def in_process(repetitions: int, where: Path) -> None:
    import archcalc

    def counts(report: archcalc.Report) -> object:
        """What the peers count: parameters and MACs, of every layer and in all."""
        rows = [(row.name, row.type, row.output_shape, row.parameters, row.macs) for row in report.rows]
        return rows, report.totals.parameters, report.totals.macs

    def seconds(read: Callable[[archcalc.Report], object]) -> float:
        times = []
        for _ in range(10 * repetitions):
            graph = archcalc.load("keras:ResNet50")
            gc.collect()
            start = time.process_time()
            read(archcalc.analyze(graph))
            times.append(time.process_time() - start)
        return min(times)

    everything = archcalc.Report.to_dict
    everything(archcalc.analyze(archcalc.load("keras:ResNet50")))  # imports
    python = str(environment(where))
    ours = whole = float("inf")
    theirs: dict[str, float] = {}
    for _ in range(ROUNDS):  # minutes of a machine differ: both sides get all of them
        ours, whole = min(ours, seconds(counts)), min(whole, seconds(everything))
        done = subprocess.run(
            [python, str(PEERS / "timed.py"), str(repetitions)],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        record = json.loads(done.stdout.splitlines()[-1])
        theirs = {name: min(each, theirs.get(name, each)) for name, each in record["seconds"].items()}
    print("ResNet-50 in a running process, CPU seconds")
    print(f"  {'archcalc':18} {ours:8.4f} s  what the peers count")
    print(f"  {'':18} {whole:8.4f} s  every figure, as data")
    for name, each in sorted(theirs.items(), key=lambda item: item[1]):
        print(f"  {name:18} {each:8.4f} s  {each / ours:6.1f} and {each / whole:.1f} times as long")
    versions = ", ".join(f"{n} {v}" for n, v in record["versions"].items())
    print(f"  aim: 40, 200 would be good; {versions}")


CHILD = """
import json, sys, time
from archcalc.analyze import analyze
from archcalc.readers import load
from archcalc.render.json import json_pieces
marks = [time.process_time()]
graph = load(sys.argv[1]); marks.append(time.process_time())
report = analyze(graph); marks.append(time.process_time())
with open(sys.argv[2], "w") as file:
    file.writelines(json_pieces(report.streamed()))
marks.append(time.process_time())
print(json.dumps([b - a for a, b in zip(marks, marks[1:])]))
"""


def growth(repetitions: int) -> None:
    print("10,000 and 100,000 layers, CPU seconds: read + analysed + written as JSON")
    with tempfile.TemporaryDirectory() as folder:
        whole = []
        for layers in (10_000, 100_000):
            path = Path(folder) / "net.json"
            conv = {"type": "Conv2D", "filters": 8, "kernel_size": 3, "padding": "same"}
            rows = [{"name": f"conv{i}", **conv} for i in range(layers)]
            path.write_text(json.dumps({"archcalc": 1, "inputs": {"x": [64, 64, 8]}, "layers": rows}))
            runs = []
            for _ in range(max(1, repetitions // 2)):
                done = subprocess.run(
                    [sys.executable, "-c", CHILD, str(path), os.devnull],
                    check=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
                )  # fmt: skip
                runs.append(json.loads(done.stdout))
            best = [min(run[k] for run in runs) for k in range(3)]
            whole.append(sum(best))
            print(f"  {layers:7,} {' + '.join(f'{s:.2f}' for s in best)} = {sum(best):.2f} s")
    print(f"  ratio {whole[1] / whole[0]:.1f} (aim: at most 12)")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.json"
        path.write_text(json.dumps({"archcalc": 1, "inputs": {"x": [64, 64, 8]}, "layers": rows}))
        cost = cold(ANALYZE, str(path), "--format", "json")
        print(f"  archcalc analyze --format json of 100,000: {cost.seconds:.1f} s, {cost.mebibytes:.0f} MiB")


def main() -> None:
    """Run the requested parts, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--venv", type=Path, default=Path(".peers"), help="where the other tools live")
    parser.add_argument("parts", nargs="*", metavar="PART", help="of cold, running, growth; default: all")
    options = parser.parse_args()
    parts = options.parts or ["cold", "running", "growth"]
    if "cold" in parts:
        cold_processes(options.repetitions)
    if "running" in parts:
        in_process(options.repetitions, options.venv)
    if "growth" in parts:
        growth(options.repetitions)


if __name__ == "__main__":
    main()
