"""What is left out while Keras is imported, and that it is there again afterwards."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from archcalc.cli.keras_quietly import _without

IMPORTED = """
import gc, sys
from archcalc.cli.keras_quietly import UNUSED, import_quietly
import_quietly("keras")
assert not set(UNUSED) & set(sys.modules), sys.modules.keys() & set(UNUSED)
assert gc.isenabled()
import matplotlib.figure
import keras, tensorflow
keras.Sequential([keras.layers.Dense(1)])(tensorflow.ones((1, 2)))
"""


def test_a_module_is_hidden_and_then_not(monkeypatch: Any) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with _without(("colorsys", "json")):
        import json  # was imported before

        assert json.loads("1") == 1
        with pytest.raises(ImportError):
            import colorsys
    import colorsys

    assert colorsys.rgb_to_hls(0, 0, 0) == (0, 0, 0)


def test_keras_is_imported_without_what_no_command_uses() -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("keras")
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
