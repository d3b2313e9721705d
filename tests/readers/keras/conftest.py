"""Keras numbers layers of one name throughout a process; each test starts again from the first.

Without collecting garbage, which takes most of a second in a process of many tests.
"""

from __future__ import annotations

import keras
import pytest


@pytest.fixture(autouse=True)
def fresh_names() -> None:
    keras.backend.clear_session(free_memory=False)
