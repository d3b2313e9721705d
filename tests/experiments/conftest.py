"""Experiments run in folders of their own: no cache, no data set and no setting of the machine's user."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def secluded(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a Keras home that are empty at first."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ARCHCALC_CACHE", str(home / "cache"))
    monkeypatch.setenv("KERAS_HOME", str(home / "keras"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"
