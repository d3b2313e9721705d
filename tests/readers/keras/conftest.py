"""Keras numbers layers of one name throughout a process; each test starts again from the first."""

from __future__ import annotations

import keras
import pytest


@pytest.fixture(autouse=True)
def fresh_names() -> None:
    keras.backend.clear_session()
