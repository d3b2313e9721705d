"""The long run by hand: compares thousands of drawn networks with real Keras, and counts what was drawn.

    python -m scripts.random_networks --count 5000 --seed 0 --jobs 2
    python -m scripts.random_networks --count 5000 --seed 0 --chunk 9      # one chunk again

Prints every disagreement with the network's spec, then counts: sizes, merges, sharing,
types and arguments drawn, figures compared, and what could not be compared and why.
Exit code 1 if anything disagrees.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

CHUNK = 125  # networks per process: TensorFlow keeps what it has traced


@dataclass
class Tally:
    """The counts of one run; tallies of several processes add up."""

    networks: int = 0
    layers: list[int] = field(default_factory=list)
    merging: int = 0
    sharing: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    not_run: Counter[tuple[str, str]] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    values: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    differences: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.networks += other.networks
        self.layers += other.layers
        self.merging += other.merging
        self.sharing += other.sharing
        for name in ("excluded", "agreed", "not_run", "types"):
            getattr(self, name).update(getattr(other, name))
        for key, values in other.values.items():
            self.values[key] |= values
        self.differences += other.differences


def run(seed: int, count: int, operations: bool) -> Tally:
    """Draw `count` networks from one seed, with or without operations of `keras.ops`, and compare each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    import warnings

    warnings.simplefilter("ignore")
    import keras

    from archcalc.testing.drawing import each_drawn
    from archcalc.testing.strategies import architectures

    tally = Tally()

    def each(graph: Any) -> None:
        keras.backend.clear_session()
        _compare(tally, graph, seed)

    each_drawn(architectures(with_operations=operations), each, count=count, seed=seed)
    return tally


def _compare(tally: Tally, graph: Any, seed: int) -> None:
    import archcalc
    from archcalc.layers.inner import with_inner
    from archcalc.report.verification import AGREES, DIFFERS
    from archcalc.writers.spec import to_spec

    tally.networks += 1
    tally.layers.append(len(graph.nodes))
    tally.merging += any(len(node.inputs) > 1 for node in graph.nodes)
    tally.sharing += any(node.shared_with is not None or "/" in node.name for node in graph.nodes)
    for layer in with_inner(node.layer for node in graph.nodes):
        kind = type(layer).__name__
        tally.types[kind] += 1
        for name, value in _arguments(layer):
            tally.values[kind, name].add(value)
    try:
        result = archcalc.verify(graph, sample=6, seed=seed)
    except Exception as fault:  # counted, printed, and an exclusion that has to be explained
        tally.excluded[f"{type(fault).__name__}: {str(fault).splitlines()[0][:100]}"] += 1
        return
    for check in result.checks:
        if check.verdict == AGREES:
            tally.agreed[check.what] += 1
        elif check.verdict == DIFFERS:
            tally.differences.append(f"{check}\n{json.dumps(to_spec(graph, fold=False))}")
        else:
            tally.not_run[check.what, check.reason[:90]] += 1


def _arguments(layer: Any) -> Iterator[tuple[str, str]]:
    from archcalc.layers.base import Weightless

    for name, kind in layer.kinds.items():
        # without weights, `trainable` changes no figure
        if kind.figures and not (name == "trainable" and isinstance(layer, Weightless)):
            yield name, repr(getattr(layer, name))


def report(tally: Tally, seconds: float) -> None:
    """Print the counts."""
    from archcalc.layers.registry import registered, registered_operations

    for text in tally.differences:
        print("DISAGREES", text)
    n = max(tally.networks, 1)
    print(f"{tally.networks} networks in {seconds:.0f} s, {len(tally.differences)} disagreements")
    print(f"layers: median {statistics.median(tally.layers)}, largest {max(tally.layers)}")
    print(f"with merges {tally.merging / n:.1%}, shared or nested {tally.sharing / n:.1%}")
    print(f"excluded {sum(tally.excluded.values()) / n:.2%}", dict(tally.excluded))
    print("figures that agree:", sum(tally.agreed.values()), dict(tally.agreed.most_common()))
    print("not compared:")
    for (what, why), times in tally.not_run.most_common():
        print(f"  {times:7,}  {what}: {why}")
    print("types drawn:", dict(tally.types.most_common()))
    print("types never drawn:", sorted({*registered(), *registered_operations()} - set(tally.types)))
    single = sorted(f"{kind}.{name}" for (kind, name), values in tally.values.items() if len(values) < 2)
    print("arguments with a single value:", single)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--chunk", type=int, nargs="+", help="only these, numbered from 1 as they are printed"
    )
    options = parser.parse_args()
    started = time.monotonic()
    chunks = [
        # every second process draws operations of `keras.ops` too
        (options.seed * 1_000_003 + k, min(CHUNK, options.count - k * CHUNK), k % 2 == 1)
        for k in range(-(-options.count // CHUNK))
    ]
    if options.chunk:
        chunks = [chunks[k - 1] for k in options.chunk]
    whole = Tally()
    context = get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context, max_tasks_per_child=1) as pool:
        for done, tally in enumerate(pool.map(run, *zip(*chunks, strict=True)), 1):
            whole.add(tally)
            print(f"{done}/{len(chunks)} chunks, {len(whole.differences)} disagreements", file=sys.stderr)
            for text in tally.differences:
                print(text, file=sys.stderr)
    report(whole, time.monotonic() - started)
    return 1 if whole.differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
