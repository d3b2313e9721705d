"""Compares bounds of gradients with Jacobians of real Keras models, network by network.

    python -m scripts.gradient_soundness --count 2000 --seed 0 --jobs 1

Draws networks until `count` of them are measured (some TensorFlow cannot run, some are too large),
builds them in float64 with random weights, measures the Jacobian of the output with respect to every
row's output, and compares it with each tier's bound. Prints every violation, how many bounds are
finite, and how tight they are. Exit code 1 if a measured norm exceeds a bound by more than
1e-6 relative.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

CHUNK = 100
TOLERANCE = 1e-6
SMALL = 1e-12  # relative to the largest norm of a network: below it a measured norm is rounding
TIERS = ("symbolic", "tight", "centred")


@dataclass
class Tally:
    """The counts of one run; tallies of several processes add up."""

    networks: int = 0
    measured: int = 0
    rows: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    finite: Counter[str] = field(default_factory=Counter)
    outside_attention: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    ratios: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    violations: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.networks += other.networks
        self.measured += other.measured
        self.rows += other.rows
        self.outside_attention += other.outside_attention
        for name in ("compared", "finite", "causes", "skipped", "types"):
            getattr(self, name).update(getattr(other, name))
        for tier, ratios in other.ratios.items():
            self.ratios[tier] += ratios
        self.violations += other.violations


def check(tally: Tally, graph: Any, seed: int, tiers: tuple[str, ...] = TIERS) -> None:
    """Build one network, measure it, and compare every row with every tier."""
    from archcalc.analyses import shapes
    from archcalc.analyses.gradient_bounds.gradients import gradients
    from archcalc.arith import scope
    from archcalc.keras.build import build
    from archcalc.keras.jacobians import draw_weights, jacobian_norms, random_inputs, weights_by_name

    tally.networks += 1
    try:
        built = build(graph)
        draw_weights(built, seed)
        measured = jacobian_norms(built, random_inputs(built, seed))
        values = weights_by_name(built)
    except Exception as fault:
        tally.skipped[f"{type(fault).__name__}: {str(fault).splitlines()[0][:90]}"] += 1
        return
    tally.measured += 1
    tally.types.update(type(node.layer).__name__ for node in graph.nodes)
    largest = max((m for m in measured if m is not None and math.isfinite(m)), default=0.0)
    with scope():
        known = shapes.infer(graph)
        for tier in tiers:
            try:
                rows = gradients(
                    graph, known, weights="actual", values=values, tier=tier, input_range=(-1.0, 1.0)
                ).rows
            except Exception as fault:
                if tier == "centred":
                    tally.skipped[f"centred: {str(fault)[:80]}"] += 1
                else:
                    tally.violations.append(f"{tier} seed {seed}: {fault!r}\n{_spec(graph)}")
                continue
            for node, row, norm in zip(graph.nodes, rows, measured, strict=True):
                if norm is None:
                    continue
                _row(tally, tier, graph, node, row, norm, largest, seed)


def _row(
    tally: Tally, tier: str, graph: Any, node: Any, row: Any, norm: float, largest: float, seed: int
) -> None:
    attention = row.cause is not None and "attention" in row.cause
    tally.compared[tier] += not attention
    if row.unbounded:
        if tier == "tight" and not attention:
            tally.causes[str(row.cause).partition(": ")[2][:80]] += 1
        return
    tally.finite[tier] += 1
    log = row.upper_log10
    bound = 0.0 if log is None else 10.0 ** min(log, 300)
    if norm > bound * (1 + TOLERANCE) and norm > SMALL * largest:
        tally.violations.append(
            f"{tier} seed {seed}: {node.name} measured {norm:.9g} bound {bound:.9g}\n{_spec(graph)}"
        )
    elif norm > SMALL * largest and log is not None:
        tally.ratios[tier].append(log - math.log10(norm))
        low = row.lower_log10
        if low is not None and norm < 10.0**low * (1 - TOLERANCE):
            tally.violations.append(
                f"lower, seed {seed}: {node.name} measured {norm:.9g} bound {10.0**low:.9g}"
            )


def run(seed: int, count: int) -> Tally:
    """Draw `count` networks from one seed and check each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    import warnings

    warnings.simplefilter("ignore")
    import keras

    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    return drawn(seed, count)


def drawn(seed: int, count: int) -> Tally:
    """Like `run`, but in this process, whose Keras must compute in float64."""
    import keras

    from archcalc.testing.drawing import each_drawn
    from archcalc.testing.strategies import architectures

    tally = Tally()

    def each(graph: Any) -> None:
        # names start again; collecting garbage each time would take a third of the run
        keras.utils.clear_session(free_memory=False)
        check(tally, graph, seed)

    each_drawn(architectures(), each, count=count, seed=seed)
    return tally


def _spec(graph: Any) -> str:
    from archcalc.writers.spec import to_spec

    return json.dumps(to_spec(graph, fold=False))


def report(tally: Tally, seconds: float) -> None:
    """Print the counts."""
    print(
        f"{tally.measured} networks measured of {tally.networks} drawn in {seconds:.0f} s, "
        f"{len(tally.violations)} violations"
    )
    print("not measured:", dict(tally.skipped))
    for tier in TIERS:
        if tally.compared[tier]:
            share = tally.finite[tier] / tally.compared[tier]
            ratios = tally.ratios[tier]
            print(
                f"{tier}: {tally.compared[tier]} rows outside attention, {share:.2%} finite, "
                f"bound over measured 10^{statistics.median(ratios):.2f} in the median"
            )
    print("infinite because of:", dict(tally.causes.most_common(30)))
    print("types:", dict(tally.types.most_common()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    seeds = itertools.count(options.seed * 1_000_003)
    whole = Tally()
    context = get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context, max_tasks_per_child=1) as pool:
        while whole.measured < options.count:
            size = min(CHUNK, options.count - whole.measured)
            round_ = [next(seeds) for _ in range(options.jobs)]
            for tally in pool.map(run, round_, [size] * options.jobs):
                whole.add(tally)
                for text in tally.violations:
                    print("VIOLATION", text, flush=True)
            share = whole.finite["tight"] / max(whole.compared["tight"], 1)
            print(
                f"{whole.measured} networks measured of {whole.networks}, "
                f"{len(whole.violations)} violations, "
                f"{share:.2%} of {whole.compared['tight']} rows finite, "
                f"infinite: {dict(whole.causes)}",
                file=sys.stderr,
                flush=True,
            )
    report(whole, time.monotonic() - started)
    return 1 if whole.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
