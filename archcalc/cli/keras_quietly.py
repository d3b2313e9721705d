"""Imports Keras without TensorFlow's messages on stderr, and without what no command uses of it."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

# Keras imports them where they are installed, for its wrappers and its pictures: a third of the time
UNUSED = ("sklearn", "matplotlib", "scipy", "PIL", "IPython")


def import_quietly(module: str, *, whole: bool = False) -> Any:
    """Import a module that needs Keras; raises `MissingExtraError` with the line that installs it.

    `whole` is for people's own code, which may use what no command does.
    """
    from archcalc.keras import require_keras

    require_keras()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _stderr_discarded(), _without(() if whole else UNUSED), _garbage_left():
        import_module("keras")
    with _stderr_discarded():
        return import_module(module)


@contextlib.contextmanager
def _without(modules: tuple[str, ...]) -> Iterator[None]:
    """Make modules that were not imported yet look as if they were not installed."""
    hidden = [name for name in modules if name not in sys.modules]
    # None: importing it raises ModuleNotFoundError
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _garbage_left() -> Iterator[None]:
    """Look for no garbage: an import makes none, and to look for it takes a quarter of TensorFlow's."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # modules stay, so that nothing among them is looked at later either
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _stderr_discarded() -> Iterator[None]:
    """Discard stderr: TensorFlow's C++ code writes to the descriptor before it reads any setting."""
    try:
        stderr = sys.stderr.fileno() if sys.stderr is not None else 2
        saved = os.dup(stderr)
    except (OSError, ValueError, AttributeError):
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        sys.stderr.flush()
        os.dup2(nowhere, stderr)
        yield
    finally:
        os.dup2(saved, stderr)
        os.close(saved)
        os.close(nowhere)
