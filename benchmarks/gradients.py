"""CPU of `analyze --gradients` as a whole command: against the same command without, and an earlier version.

    python -m benchmarks.gradients [--earlier CHECKOUT]

EfficientNetB7's verdict is `exploding`, so that its remedies (eleven more networks) are analysed too. The
sides alternate, and the least of three runs counts. Every run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
AIMS = {"ResNet50": 0.5, "EfficientNetB7": 3.0}  # seconds
REPETITIONS = 3


def run(checkout: Path, command: str, source: str, *options: str) -> tuple[float, dict[str, Any]]:
    """Seconds of CPU of the command, and the JSON that it writes."""
    # without bytecode on disk every run would compile the modules first
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(checkout)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "archcalc",
                command,
                source,
                "--format",
                "json",
                "-o",
                str(path),
                *options,
            ],
            cwd=checkout,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        if not path.exists():  # a difference that `verify` finds is exit code 1, too
            raise SystemExit(done.stderr)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds, json.loads(path.read_text())


def difference(a: dict[str, Any], b: dict[str, Any]) -> float:
    """The largest relative difference of expected gradients."""
    worst = 0.0
    for one, other in zip(a["layers"], b["layers"], strict=True):
        for key in ("expected_log10", "expected_log10_low", "expected_log10_high"):
            x, y = one["gradient"][key], other["gradient"][key]
            if x is not None and y is not None:
                worst = max(worst, abs(x - y) / max(abs(x), 1e-3))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--earlier", type=Path, help="the checkout of an earlier version")
    earlier = parser.parse_args().earlier
    for name, aim in AIMS.items():
        source = f"keras:{name}"
        plain, now, then, differs = [], [], [], 0.0
        for _ in range(REPETITIONS):
            plain.append(run(HERE, "analyze", source)[0])
            seconds, report = run(HERE, "analyze", source, "--gradients")
            now.append(seconds)
            if earlier is not None:
                seconds, other = run(earlier.resolve(), "analyze", source, "--gradients")
                then.append(seconds)
                differs = max(differs, difference(report, other))
        line = (
            f"{name}: {min(now):.2f} s with gradients (aim: {aim} s), {min(plain):.2f} s without, "
            f"ratio {min(now) / min(plain):.1f}"
        )
        if then:
            line += (
                f"; earlier version {min(then):.2f} s, {min(then) / min(now):.1f} times as long; "
                f"largest relative difference {differs:.1e}"
            )
        print(line, flush=True)


if __name__ == "__main__":
    main()
