"""Keras numbers layers of one name through a whole process; each test starts anew."""

from __future__ import annotations

import keras
import pytest


@pytest.fixture(autouse=True)
def fresh_names() -> None:
    keras.backend.clear_session()
