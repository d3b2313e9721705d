"""CPU seconds and peak memory of each hostile case, in its own process (docs/evidence/hostile-files.md).

python scripts/hostile_costs.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.hostile.cases import Case, cases  # noqa: E402

CHILD = """
import re, sys
from archcalc.cli import main
code = main(["analyze", sys.argv[1], "--format", "json"])
peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
sys.stderr.write("\\n" + peak)
sys.exit(code)
"""


def cost(case: Case) -> tuple[float, float]:
    """CPU seconds (user and system) and MiB of the whole process."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        source = case.make(Path(folder))
        with tempfile.TemporaryFile() as stdin:
            stdin.write(case.stdin or b"")
            stdin.seek(0)
            started = subprocess.Popen(
                [sys.executable, "-c", CHILD, source],
                cwd=ROOT,
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            _, status, used = os.wait4(started.pid, 0)
        if os.waitstatus_to_exitcode(status) != 2:
            raise SystemExit(f"{case.name}: not refused")
        errors.seek(0)
        return used.ru_utime + used.ru_stime, int(errors.read().split()[-1]) / 1024


def main() -> None:
    """Print each case that could do harm, and the worst of all others."""
    print("| case | CPU s | MiB |\n|---|---|---|")
    others = []
    for case in cases():
        seconds, mebibytes = cost(case)
        if case.harsh:
            print(f"| {case.name} | {seconds:.2f} | {mebibytes:.0f} |", flush=True)
        else:
            others.append((seconds, mebibytes))
    worst = f"{max(s for s, _ in others):.2f} | {max(m for _, m in others):.0f}"
    print(f"| the worst of {len(others)} others | {worst} |")


if __name__ == "__main__":
    main()
