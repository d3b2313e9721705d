"""`archcalc.verify`: every figure of a network against the real Keras model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archcalc.keras import require_keras
from archcalc.report.verification import Progress, Verification


def verify(
    source: Any,
    sample: int | None = None,
    seed: int = 0,
    symbols: Mapping[str, int] | None = None,
    *,
    gradients: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Build the real model of a network, run it, and compare it with archcalc's figures.

    It compares output shapes; every weight's name, shape and trainability; parameters with
    `count_params()` and with the text of `summary()` (for locally connected layers those of
    `tf_keras`); FLOPs with TensorFlow's profiler; bytes of activations with the real tensors;
    receptive fields with the support of gradients; effective fields with their spread.

    Parameters
    ----------
    source
        A graph, a live model, or anything that `archcalc.load` takes.
    sample
        Maximum number of layers whose gradients are measured, outputs first and the others drawn; None
        for as many as a few minutes allow. What is left out is listed.
    seed
        For drawn layers, positions, weights, inputs and values of open symbols.
    symbols
        Values of symbols, instead of those they have. Open ones are drawn, several times.
    gradients
        Over how many initialisations gradient norms are measured, to compare them with the expected
        band; 0 measures none.
    progress
        Called with a step's name, how many of its parts are done, and how many there are.

    Raises
    ------
    ArchcalcError
        The source cannot be read, or no values fit its open symbols.
    MissingExtraError
        Keras is not installed.
    """
    require_keras()
    from archcalc.verification.run import run

    return run(source, sample, seed, symbols, progress, gradients)
