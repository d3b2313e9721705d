"""How tight gradient bounds are: the worst row, bound over measured norm, on eight named networks.

    python -m scripts.gradient_tightness

The measured norm of a row is the largest over random inputs, so a ratio is an upper estimate of how loose
its bound is. Weights are those of the networks' initialisers.
"""

from __future__ import annotations

import math
import os
import time
from typing import Any

INPUTS = 24
SEED = 0
TIERS = ("symbolic", "tight", "centred")


def worst_rows(graph: Any, seed: int = SEED, inputs: int = INPUTS) -> dict[str, tuple[float, str]]:
    """For each tier the largest bound over measured norm among all rows, and which row it is."""
    import keras
    import numpy as np

    from archcalc.analyses import shapes
    from archcalc.analyses.gradient_bounds.gradients import gradients
    from archcalc.arith import scope
    from archcalc.keras.build import build
    from archcalc.keras.jacobians import jacobian_norms, random_inputs, weights_by_name

    keras.utils.set_random_seed(seed)
    built = build(graph)
    measured = np.zeros(len(graph.nodes))
    for k in range(inputs):
        norms = jacobian_norms(built, random_inputs(built, seed + k))
        measured = np.maximum(measured, [f or 0.0 for f in norms])
    values = weights_by_name(built)
    worst: dict[str, tuple[float, str]] = {}
    with scope():
        known = shapes.infer(graph)
        for tier in TIERS:
            rows = gradients(
                graph, known, weights="actual", values=values, tier=tier, input_range=(-1.0, 1.0)
            ).rows
            ratios = [
                (math.inf if r.unbounded else 10.0**r.upper_log10 / m, node.name)  # type: ignore[operator]
                for node, r, m in zip(graph.nodes, rows, measured, strict=True)
                if m > 0.0
            ]
            worst[tier] = max(ratios)
    return worst


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    from tests.analyses.gradient_bounds.networks import NETWORKS

    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    print("| network | symbolic | tight | centred |")
    print("|---|---:|---:|---:|")
    for name, network in NETWORKS.items():
        started = time.monotonic()
        worst = worst_rows(network())
        cells = " | ".join(f"{worst[t][0]:,.3g} ({worst[t][1]})" for t in TIERS)
        print(f"| {name} | {cells} | {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
