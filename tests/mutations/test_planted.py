"""Domain mistakes, planted one at a time, are found by comparison with real Keras and brute force.

No stored output is used: Keras computes the figures again in each run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.mutations import oracles
from tests.mutations.mutants import ROOT
from tests.mutations.planted import PLANTED


@pytest.fixture(scope="module")
def judged() -> dict[str, Any]:
    # a separate process: after TensorFlow has run, the process cannot fork
    run = subprocess.run(
        [sys.executable, "-m", "scripts.mutate", "--planted", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    verdicts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return verdicts


def test_there_are_enough_mistakes_with_distinct_names() -> None:
    assert len({m.name for m in PLANTED}) == len(PLANTED) >= 90


@pytest.mark.parametrize("name", [m.name for m in PLANTED])
def test_a_planted_mistake_is_caught(judged: dict[str, Any], name: str) -> None:
    comparison = judged[name]["comparison"]
    assert comparison, "no figure differs"
    # archcalc loads, so a figure was compared
    assert comparison in oracles.NAMES
    assert comparison not in ("loading", "suite")
