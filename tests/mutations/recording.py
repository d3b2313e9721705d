"""What real Keras says of a corpus, as plain data that replays without TensorFlow.

`python -m tests.mutations.recording FILE [--drawn N] [--toys N] [--cells]`

Nothing here is a figure of archcalc's, but for the choice of places and the few weights that
Keras leaves unnamed. What drawn toy networks see is found by brute force, unit by unit, and
peaks of memory by going over all steps for every tensor.
"""

from __future__ import annotations

import argparse
import os
import pickle
from typing import Any

Entry = dict[str, Any]
FIGURES = ("size", "min_size", "local_size", "offset", "is_global", "clipped_size", "stride")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--drawn", type=int, default=0)
    parser.add_argument("--toys", type=int, default=80)
    parser.add_argument("--cells", action="store_true")
    options = parser.parse_args()
    for name in ("INTRAOP", "INTEROP"):
        os.environ.setdefault(f"TF_NUM_{name}_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = {
        "networks": [*_written(), *_drawn(options.drawn)],
        "toys": _toys(options.toys),
        "products": _products(),
        "by hand": _by_hand(),
        "cells": _cells() if options.cells else [],
    }
    with open(options.file, "wb") as file:
        pickle.dump(found, file)


# -- whole networks --------------------------------------------------------------------------------
def _written() -> list[Entry]:
    from archcalc.graph import Graph
    from archcalc.layers.base import registered
    from tests.mutations.corpus import networks

    found = []
    for name, rows, shared in networks():
        nodes = [(n, registered()[kind](**given), inputs) for n, kind, given, inputs in rows]
        read = {i for *_, inputs in rows for i in inputs}
        ends = [n for n, *_ in rows if n not in read]
        found.append(_entry(Graph.of(name, nodes, ends, shared=shared), rows, shared))
    return found


def _drawn(count: int) -> list[Entry]:
    """Networks of the project's own strategies, without types whose arguments are no plain data."""
    import hypothesis
    import keras

    from archcalc.testing.strategies import architectures

    graphs: list[Any] = []

    @hypothesis.seed(3)
    @hypothesis.settings(
        max_examples=max(count, 1),
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(architectures())
    def each(graph: Any) -> None:
        graphs.append(graph)

    if count:
        each()
    found = []
    for graph in graphs[:count]:
        keras.backend.clear_session()
        names = [node.name for node in graph.nodes]
        rows = [
            (
                n.name,
                type(n.layer).__name__,
                n.layer.keras_arguments(),
                [(names[t.node], t.output) for t in n.inputs],
            )
            for n in graph.nodes
        ]
        if "archcalc" in str([type(v) for r in rows for v in r[2].values()]):
            continue
        if any(kind.startswith("Random") for _, kind, *_ in rows):
            continue  # what acts at random when called directly is no oracle
        shared = {n.name: names[n.shared_with] for n in graph.nodes if n.shared_with is not None}
        try:
            found.append(_entry(graph, rows, shared))
        except Exception:  # a network that does not run here says nothing
            continue
    return found


def _entry(graph: Any, rows: Any, shared: dict[str, str]) -> Entry:
    import numpy as np

    from archcalc.analyses.clipping import clipped_boxes
    from archcalc.analyses.windows import windows
    from archcalc.analyze import analyze
    from archcalc.conventions import tf_profiler
    from archcalc.keras.build import build
    from archcalc.keras.check_fields import _measured, _places
    from archcalc.keras.check_structure import _path, _unnamed
    from archcalc.keras.linear import linearised
    from archcalc.keras.measure import outputs
    from archcalc.keras.profile import profiled_flops
    from archcalc.keras.verify import Case, _silent

    report = analyze(graph)
    built = build(graph, initializers="zeros")
    names = [node.name for node in graph.nodes]
    shapes = [[tuple(t.shape[1:]) for t in made] for made in built.tensors]
    weights: list[Any] = []
    for layer, node in zip(built.layers, graph.nodes, strict=True):
        kept = [] if layer is None or node.shared_with is not None else getattr(layer, "weights", [])
        weights.append([(None if _unnamed(w) else _path(w), tuple(w.shape), bool(w.trainable)) for w in kept])
    failures: dict[int, str] = {}
    sizes = [[y.nbytes for y in made] for made in outputs(built, failures, 0)]
    try:
        profiled: list[int | None] = list(profiled_flops(built))
    except Exception:
        profiled = [None] * len(names)
    for i, node in enumerate(graph.nodes):
        read = graph.input_shapes(shapes, node)
        if tf_profiler.flops(node.layer, *read) is None:
            profiled[i] = None
    reads = windows(graph, shapes)
    draw = np.random.default_rng(0)
    chosen = [i for i in range(len(names)) if i not in graph.inputs]
    places = {i: _places(shapes[i][0], reads.channels[i], draw)[:5] for i in chosen}
    case = Case(graph, report, built, tuple(chosen), 5, 0, _silent)
    linear = linearised(graph, seed=0)
    boxes = _measured(case, linear, places, reads.channels)
    fields = {
        i: [
            # and whether archcalc knows the whole box: a mistake must not hide in "unknown"
            (p, list(f), all(None not in box for box in clipped_boxes(graph, shapes, reads, i, p).values()))
            for p, f in zip(places[i], boxes[i], strict=True)
        ]
        for i in chosen
        if not isinstance(boxes[i], str)
    }
    return {
        "name": graph.name,
        "rows": rows,
        "shared": shared,
        "inputs": [names[i] for i in graph.inputs],
        "outputs": [(names[t.node], t.output) for t in graph.outputs],
        "names": names,
        "shapes": shapes,
        "weights": weights,
        "parameters": built.whole.count_params(),
        "bytes": [None if i in failures else sum(s) for i, s in enumerate(sizes)],
        "peak": None if failures else _peak(graph, sizes),
        "flops": profiled,
        "fields": fields,
        "spreads": _spreads(case, linear),
    }


def _spreads(case: Any, linear: Any) -> list[tuple[str, Any, Any]]:
    """(layer, label, standard deviation along each axis; None where padding cuts the field off)."""
    from math import isclose

    from archcalc.keras import check_spread

    found = []
    for check in check_spread.checks(case, linear):
        if check.verdict == "agrees":
            pairs = zip(check.predicted, check.measured, strict=True)
            real = [
                m if p is not None and isclose(p, m, rel_tol=1e-5, abs_tol=1e-5) else None for p, m in pairs
            ]
            found.append((check.layer, check.what, real))
    return found


def _peak(graph: Any, sizes: list[list[int]]) -> int:
    """At each step, every tensor that is made and not yet read for the last time."""
    last: dict[tuple[int, int], int] = {}
    for i, node in enumerate(graph.nodes):
        for tap in node.inputs:
            last[tap.node, tap.output] = i
    outputs = {(t.node, t.output) for t in graph.outputs}
    heights = []
    for step in range(len(graph.nodes)):
        alive = 0
        for i, made in enumerate(sizes):
            for k, size in enumerate(made):
                born = i <= step or i in graph.inputs
                needed = (i, k) in outputs or max(last.get((i, k), i), i) >= step
                alive += size if born and needed else 0
        heights.append(alive)
    return max(heights)


# -- brute force over toy networks ----------------------------------------------------------------
def _toys(count: int) -> list[Entry]:
    import hypothesis
    from hypothesis import strategies as st

    from tests.analyses.toy import networks

    found: list[Entry] = []
    kinds = (networks(1), networks(1, causal=False), networks(2, holes=False), networks(1, parts=True))
    strategy = st.one_of(*kinds)

    @hypothesis.seed(5)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def each(graph: Any) -> None:
        found.append(_toy(graph))

    each()
    return found


def _toy(graph: Any) -> Entry:
    import dataclasses
    from fractions import Fraction
    from math import prod

    from archcalc.analyses import effective_field, receptive_field
    from archcalc.analyses.shapes import infer
    from archcalc.layers.window import Blocks, Phases
    from archcalc.unknown import Unknown
    from tests.analyses.test_effective_field import variance
    from tests.analyses.test_receptive_field import expect_stride, width
    from tests.analyses.toy import Oracle, all_reads, places

    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    names = [n.name for n in graph.nodes]
    rows = []
    for node in graph.nodes:
        reads = [
            [(type(r).__name__, {f.name: getattr(r, f.name) for f in dataclasses.fields(r)}) for r in w]
            for w in (node.layer.window() if node.inputs else ())
        ]
        shape = node.layer.output_shape()
        rows.append((node.name, shape, reads, [names[t.node] for t in node.inputs]))
    fields = receptive_field.fields(graph, shapes, "all")
    spreads = effective_field.effective_fields(graph, shapes)
    cycle = prod(r.period for r in all_reads(graph) if isinstance(r, Phases))
    cycle *= prod(r.outer for r in all_reads(graph) if isinstance(r, Blocks))
    expected: list[Any] = []
    causal = any(type(r).__name__ in ("Prefix", "Section") for r in all_reads(graph))
    for i, (name, root) in [(i, (names[i], r)) for i in range(len(names)) for r in graph.inputs]:
        *sides, channels = shapes[i][0]
        real: set[Any] = set()
        for c in range(channels):
            real |= oracle.real(i, (*(n // 2 for n in sides), c)).get(root, set())
        units = places(shapes[i][0])
        for axis, extent in enumerate(shapes[root][0][:-1]):
            kinds = [oracle.seen(i, u, root, axis) for u in units]
            hulls = [oracle.hull(i, u, root, axis) for u in units]
            local = [oracle.hull(i, u, root, axis, local=True) for u in units]
            column = [u[axis] for u in real]
            # a mistake must not hide in "unknown" where archcalc has an answer
            field, spread = fields[i][names[root]], spreads[i][names[root]]
            known = {f for f in FIGURES if field and not isinstance(getattr(field, f)[axis], Unknown)}
            if spread and not isinstance(spread.variance[axis], Unknown):
                known.add("variance")
            more = {}
            if field and "stride" in known and field.stride[axis] is not None and not causal:
                expect_stride(oracle, i, root, axis, cycle, Fraction(field.stride[axis]))
                more["stride"] = field.stride[axis]
            expected.append(
                {
                    **more,
                    "known": known,
                    "node": name,
                    "root": names[root],
                    "axis": axis,
                    "size": max(map(width, hulls)),
                    "min_size": min(map(width, hulls)),
                    "local_size": max(map(width, local)),
                    "offset": None if hulls[0] is None else hulls[0][0],
                    "is_global": any(flag for kind in kinds for _, flag in kind)
                    or all(h is not None and h[0] <= 0 and h[1] >= extent - 1 for h in hulls),
                    "clipped_size": max(column) - min(column) + 1 if column else 0,
                    "variance": variance(oracle.weights(i, (shapes[i][0][0] // 2, 0), root))
                    if len(sides) == 1 and not causal
                    else "not measured",
                }
            )
    return {"rows": rows, "expected": expected, "output": names[-1]}


# -- single layers -------------------------------------------------------------------------------------
def _products() -> list[Any]:
    """(type, arguments, input, products in all output units) of layers that pad nothing."""
    from archcalc.layers.base import registered
    from tests.layers.test_work import WITH_MACS, ones_summed
    from tests.mutations.corpus import ONE_D, THREE_D, TWO_D

    found = []
    for shape, layers in (((11, 6), ONE_D), ((9, 8, 6), TWO_D), ((5, 6, 4, 2), THREE_D)):
        for kind, given in layers:
            if kind not in WITH_MACS:
                continue
            drop = ("activation", "lora_rank", "output_padding", "padding")
            plain = {k: v for k, v in given.items() if k not in drop}
            try:
                count = ones_summed(registered()[kind](**plain), (shape,))
            except Exception:
                continue
            found.append((kind, plain, (shape,), count))
            if kind == "DepthwiseConv2D":
                count += ones_summed(
                    registered()["Conv2D"](filters=5, kernel_size=1),
                    (registered()[kind](**plain).output_shape(shape),),
                )
                found.append(("SeparableConv2D", {**plain, "filters": 5}, (shape,), count))
    a, b = (4, 6), (6, 5)
    found.append(("Dot", {"axes": (2, 1)}, (a, b), ones_summed(registered()["Dot"](axes=(2, 1)), (a, b))))
    return found


def _by_hand() -> list[Any]:
    """The table of elementwise operations that is counted by hand."""
    from tests.layers.test_work import test_elementwise_operations as table

    (mark,) = [m for m in table.pytestmark if m.name == "parametrize"]
    rows = []
    for layer, inputs, count in mark.args[1]:
        given = layer.keras_arguments()
        if "archcalc" not in str([type(v) for v in given.values()]):
            rows.append((type(layer).__name__, given, tuple(inputs), count))
    return rows


def _cells() -> list[Any]:
    """(type, arguments, inputs, shape, weights) of the contract's grid; no shape where Keras refuses."""
    from tests.test_contract import REAL_TYPES, check_stricter, outcomes

    found = []
    for kind in REAL_TYPES:
        for o in outcomes(kind):
            if o.keras is not None and o.layer is None:
                check_stricter(kind, o)
                continue
            real = (None, ()) if o.keras is None else (o.keras.shape, o.keras.weights)
            found.append((kind, o.cell.arguments, o.cell.inputs, *real))
    return found


if __name__ == "__main__":
    main()
