"""Plants mistakes in archcalc's rules and asks whether anything notices.

    python -m scripts.mutate --planted                     domain mistakes, one by one
    python -m scripts.mutate --general 300 --seed 0        general mutants, survivors listed

Figures are recorded from real Keras first (`--oracle FILE` keeps them for the next run);
each mutant then runs in a forked child without TensorFlow. The working tree stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from tests.mutations.general import sample
from tests.mutations.mutants import ROOT, Mutant, killed_by
from tests.mutations.planted import PLANTED

# tests that hold single rules to Keras or to sums by hand; none of them compares stored output
SUITES = {
    "layers": ["tests/layers", "tests/test_contract.py"],
    "analyses": ["tests/analyses", "tests/properties/test_three_numbers.py"],
}
THOROUGH = ("--drawn", "80", "--toys", "400", "--cells")


def recorded(file: Path, *options: str) -> dict[str, Any]:
    """What real Keras says, from a process of its own."""
    if not file.exists():
        subprocess.run(
            [sys.executable, "-m", "tests.mutations.recording", str(file), *options],
            check=True,
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    found: dict[str, Any] = pickle.loads(file.read_bytes())
    return found


def failing(file: str) -> str:
    """The first of the suite's own tests that fails in this process; for what figures do not show."""
    import pytest

    class Failures:
        first = ""

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed and not self.first:
                self.first = report.nodeid

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed and not self.first:
                self.first = f"{report.nodeid} is not collected"

    heard = Failures()
    os.environ["HYPOTHESIS_PROFILE"] = "ci"
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        suite = SUITES["layers" if "/layers/" in file else "analyses"]
        pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), *suite], plugins=[heard])
    return heard.first


def judged(
    mutants: list[Mutant | None], oracle: dict[str, Any], *, tell: bool = False, suite: bool = False
) -> list[str]:
    """For each mutant the first figure that gives it away; empty where it survives."""

    def check() -> str:
        from tests.mutations.replay import first_difference

        return first_difference(oracle)

    found = []
    for mutant in mutants:
        found.append(killed_by(mutant, check))
        if suite and mutant and not found[-1]:
            found[-1] = killed_by(mutant, lambda file=mutant.file: failing(file), cpu=900)
        if tell and mutant:
            print(f"{'killed' if found[-1] else 'ALIVE '} {mutant}   [{found[-1][:160]}]", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--general", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--oracle", type=Path)
    parser.add_argument("--suite", action="store_true", help="show survivors to the tests of single rules")
    parser.add_argument("--only", help="general mutants whose `file:line` is in this comma-separated list")
    parser.add_argument("--json", action="store_true", help="one JSON object, for tests")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = options.oracle or Path(folder) / "oracle"
        oracle = recorded(file, *(THOROUGH if options.general else ()))
    mutants = [*(PLANTED if options.planted else ()), *sample(options.general, options.seed)]
    if options.only:
        mutants = [m for m in mutants if m.name in options.only.split(",")]
    import archcalc.analyze  # noqa: F401  (third-party modules are loaded once, for all children)

    (truth,) = judged([None], oracle)
    # where the truth fails, every mutant would seem to be noticed
    found = [] if truth else judged(mutants, oracle, tell=not options.json, suite=options.suite)
    if options.json:
        print(
            json.dumps(
                {"truth": truth, "found": dict(zip([m.name for m in mutants], found, strict=not truth))}
            )
        )
        return 0
    if truth:
        print(f"nothing is judged: without any mistake, {truth}")
        return 1
    alive = [m for m, why in zip(mutants, found, strict=True) if not why]
    print(
        f"{len(mutants)} mutants, {len(mutants) - len(alive)} killed, in {time.monotonic() - started:.0f} s"
    )
    return 1 if alive else 0


if __name__ == "__main__":
    raise SystemExit(main())
