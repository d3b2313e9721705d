"""Imports Keras without TensorFlow's messages on stderr."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any


def import_quietly(module: str) -> Any:
    """Import a module that needs Keras; raises `MissingExtraError` with the line that installs it."""
    from archcalc.keras import require_keras

    require_keras()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _stderr_discarded():
        return import_module(module)


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
