"""Time of the fields of all layers, and how it grows with the number of layers.

    python -m benchmarks.field_scaling

Plain and residual chains of 10,000 and of 100,000 convolutions, a fresh graph for each repetition, the
least of several. A ratio of 10 is linear; the aim is at most 12. For comparison, clipped fields of all
rows take one backward composition per layer (at 500 and 1,000 layers: a ratio of 4 is quadratic).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from archcalc import arith
from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph, Node, Tap
from archcalc.layers.convolution import Conv2D
from archcalc.layers.core import InputLayer
from archcalc.layers.merging import Add

SMALL, LARGE, REPETITIONS = 10_000, 100_000, 3
AIM = 12


def chain(layers: int) -> Graph:
    """Convolutions in a row."""
    conv = Conv2D(filters=8, kernel_size=3, padding="same")
    nodes = [Node("image", InputLayer(shape=(64, 64, 8)))]
    nodes += [Node(f"conv{i}", conv, (Tap(i),)) for i in range(layers)]
    return Graph("chain", tuple(nodes), (0,), (Tap(layers),))


def residual(layers: int) -> Graph:
    """Blocks of a convolution and the sum with what it read."""
    conv = Conv2D(filters=8, kernel_size=3, padding="same")
    add = Add()
    nodes = [Node("image", InputLayer(shape=(64, 64, 8)))]
    for i in range(layers // 2):
        nodes.append(Node(f"conv{i}", conv, (Tap(2 * i),)))
        nodes.append(Node(f"add{i}", add, (Tap(2 * i + 1), Tap(2 * i))))
    return Graph("residual", tuple(nodes), (0,), (Tap(len(nodes) - 1),))


def seconds(build: Callable[[int], Graph], layers: int, analysis: Callable[..., object]) -> float:
    """The least time of an analysis over several fresh graphs, shapes not included."""
    times = []
    for _ in range(REPETITIONS):
        graph = build(layers)
        with arith.scope():
            shapes = infer(graph)
            gc.collect()
            start = time.process_time()
            analysis(graph, shapes)
            times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    print(f"{'graph':10} {'analysis':18} {SMALL:>10,} {LARGE:>10,}  ratio (aim: at most {AIM})")
    analyses = {"receptive field": fields, "effective field": effective_fields}
    for build in (chain, residual):
        for name, analysis in analyses.items():
            small, large = (seconds(build, n, analysis) for n in (SMALL, LARGE))
            print(f"{build.__name__:10} {name:18} {small:9.3f}s {large:9.3f}s  {large / small:5.2f}")
    few, many = (seconds(chain, n, lambda graph, shapes: fields(graph, shapes, "all")) for n in (500, 1_000))
    print(
        f"clipped fields of all rows (a pass for each): 500 {few:.3f}s, 1,000 {many:.3f}s, {many / few:.2f}"
    )


if __name__ == "__main__":
    main()
