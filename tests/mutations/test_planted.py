"""Domain mistakes, planted one at a time, against figures of real Keras and brute force.

No road compares with stored output: what Keras says is asked anew in each run.
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
    # a process of its own: TensorFlow, once it has run, does not survive forks
    run = subprocess.run(
        [sys.executable, "-m", "scripts.mutate", "--planted", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def test_there_are_enough_mistakes_and_each_has_a_name_of_its_own() -> None:
    assert len({m.name for m in PLANTED}) == len(PLANTED) >= 90


@pytest.mark.parametrize("name", [m.name for m in PLANTED])
def test_a_planted_mistake_is_caught(judged: dict[str, Any], name: str) -> None:
    road = judged[name]["road"]
    assert road, "no figure differs"
    # archcalc still loads, so that a figure was compared
    assert road in oracles.NAMES
    assert road not in ("loading", "suite")
