"""Damaged sources through every reader: networks or refusals, and nothing else.

20,000 of them, and 2,000 files of classes: an input takes some three milliseconds.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.hostile import damage
from tests.hostile.survive import outcome

# Each example is a list of inputs, because drawing takes Hypothesis longer than reading takes us.
EXAMPLES, INPUTS = 500, 40

# a failure names its bytes: shrinking lists of 40 inputs would take minutes
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

# enough choices for one source; after them, the first option is always chosen
choices = st.binary(min_size=48, max_size=48)


damaged = st.lists(choices, min_size=INPUTS, max_size=INPUTS)


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(damaged, st.booleans())
def test_damaged_sources_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, many: list[bytes], allow_unknown: bool
) -> None:
    _read(tmp_path_factory.getbasetemp() / "damaged", many, allow_unknown)


@settings(max_examples=50, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(damaged)
def test_damaged_files_of_classes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, many: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    for numbers in many:
        raw, classes = damage.classes(damage.chooser(numbers))
        outcome(raw, path, classes=classes)


def _read(path: Path, many: list[bytes], allow_unknown: bool) -> None:
    for numbers in many:
        outcome(damage.source(damage.chooser(numbers)), path, allow_unknown=allow_unknown)
