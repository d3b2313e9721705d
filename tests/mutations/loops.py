"""Comparison of repeated blocks with the same network written out, and figures that must be unknown.

Nothing is recorded: a block repeated n times must have the figures of three blocks at n = 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from math import isclose
from typing import Any

from archcalc import arith
from archcalc.analyze import analyze
from archcalc.arith import substitute
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Repeat, Tap
from archcalc.layers.registry import registered


def differences(_: Any = None) -> Iterator[str]:
    """The differences between a repeat and its copies."""
    yield from _repeats()
    yield from _enlarged_loop()
    yield from _reading_beside()
    yield from _flattened_beside_global()


def _repeats() -> Iterator[str]:
    """A block repeated n times has the figures of three blocks at n = 3."""
    same = {"filters": 4, "padding": "same"}
    kinds: list[list[tuple[str, dict[str, Any]]]] = [
        [
            ("Conv1D", {**same, "kernel_size": 3, "activation": "relu"}),
            ("Conv1D", {**same, "kernel_size": 2}),
        ],
        [("Conv1D", {**same, "kernel_size": 5}), ("BatchNormalization", {})],
        [("Conv1D", {**same, "kernel_size": 3, "padding": "causal", "dilation_rate": 2})],
    ]
    for block in kinds:
        for residual in (True, False):
            n = symbol("n")
            looped, unrolled = _tower(block, 1, residual), analyze(_tower(block, 3, residual))
            at = looped.index()
            first, last = at["b0/0"], at["b0/out"]
            source = Tap(at["stem"])
            general = dataclasses.replace(
                looped, repeats=(Repeat(first, last, source, Tap(last), n),), symbols={"n": None}
            )
            report = analyze(general)
            for name in ("parameters", "trainable_parameters", "macs", "elementwise_operations"):
                one = substitute(getattr(report.totals, name), {"n": 3})
                if one != getattr(unrolled.totals, name):
                    yield f"repeat: {name} {one} for {getattr(unrolled.totals, name)}"
            peak = substitute(report.totals.peak_activation_bytes, {"n": 3})
            if peak != unrolled.totals.peak_activation_bytes:
                yield f"repeat: peak {peak} for {unrolled.totals.peak_activation_bytes}"
            one, other = (r.rows[-1].receptive_fields["x"] for r in (report, unrolled))
            for name in ("size", "min_size", "stride", "offset"):
                a = [substitute(v, {"n": 3}) for v in getattr(one, name)]
                if a != list(getattr(other, name)):
                    yield f"repeat: {name} {a} for {getattr(other, name)}"
            for row, other in zip(report.rows[-4:], unrolled.rows[-4:], strict=True):
                spread, plain = (r.effective_fields["x"].variance[0] for r in (row, other))
                if residual and isinstance(spread, Unknown):
                    continue  # a scale to a symbolic power
                if not isclose(float(substitute(144 * spread, {"n": 3})) / 144, plain, rel_tol=1e-9):
                    yield f"repeat: variance {spread} for {plain}"


def _looped(graph: Graph, first: str, last: str, source: str) -> Graph:
    """The graph with the nodes `first` to `last` repeated n times."""
    at, n = graph.index(), symbol("n")
    repeat = Repeat(at[first], at[last], Tap(at[source]), Tap(at[last]), n)
    return dataclasses.replace(graph, repeats=(repeat,), symbols={"n": None})


def _enlarged(times: int) -> Graph:
    types = registered()
    nodes: list[Any] = [
        ("x", types["InputLayer"](shape=(30, 3)), []),
        ("up", types["UpSampling1D"](size=3), ["x"]),
    ]
    for k in range(times):
        # a wider kernel would read a phase that depends on n, and the field would be unknown
        conv = types["Conv1D"](filters=3, kernel_size=1)
        nodes.append((f"b{k}", conv, [nodes[-1][0]]))
    nodes.append(("head", types["Conv1D"](filters=2, kernel_size=2, strides=2), [nodes[-1][0]]))
    return Graph.of("enlarged", nodes, ["head"])


def _enlarged_loop() -> Iterator[str]:
    """A repeat after upsampling has phases; it has the figures of three blocks at n = 3 too."""
    general = analyze(_looped(_enlarged(1), "b0", "b0", "up")).rows[-1].receptive_fields["x"]
    plain = analyze(_enlarged(3)).rows[-1].receptive_fields["x"]
    for name in ("size", "min_size", "stride", "offset"):
        looped, other = getattr(general, name)[0], getattr(plain, name)[0]
        if isinstance(looped, Unknown):
            yield f"enlarged loop: {name} is unknown"
        elif (substitute(looped, {"n": 3}) if arith.is_symbolic(looped) else looped) != other:
            yield f"enlarged loop: {name} {looped} for {other}"
    spread = (
        analyze(
            _looped(
                _tower([("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "same"})], 1, False),
                "b0/0",
                "b0/out",
                "stem",
            )
        )
        .rows[-1]
        .effective_fields["x"]
    )
    if not isinstance(spread.sigma[0], str) or "n" not in spread.sigma[0]:
        yield f"sigma after a repeat has no closed form: {spread.sigma[0]}"


def _reading_beside() -> Iterator[str]:
    """If each copy of a repeat also reads another layer, fields are unknown, with a reason."""
    types, conv = registered(), {"filters": 3, "kernel_size": 3, "padding": "same"}
    graph = Graph.of(
        "beside",
        [
            ("x", types["InputLayer"](shape=(30, 3)), []),
            ("early", types["Conv1D"](**conv), ["x"]),
            ("stem", types["Conv1D"](**conv), ["early"]),
            ("b", types["Conv1D"](**conv), ["stem"]),
            ("add", types["Add"](), ["b", "early"]),
        ],
        ["add"],
    )
    for row in analyze(_looped(graph, "b", "add", "stem")).rows[-1:]:
        size = row.receptive_fields["x"].size
        if len(size) != 1 or not isinstance(size[0], Unknown) or "early" not in size[0].reason:
            yield f"a repeat that reads another layer too: field {size}"


def _flattened_beside_global() -> Iterator[str]:
    """A flattened axis merged with units that see the whole input has the whole input as its field.

    Merged with units that see steps 2 to 4 it is widest at the last step, 2 to 7.
    """
    types = registered()
    for kind, arguments, whole in (
        ("Dense", {"units": 24}, True),
        ("Cropping1D", {"cropping": (2, 3)}, False),
    ):
        nodes: list[Any] = [("x", types["InputLayer"](shape=(8, 3)), []), ("flat", types["Flatten"](), ["x"])]
        before = "x"
        if not whole:
            nodes.append(("part", types[kind](**arguments), ["x"]))
            before = "part"
        nodes.append(("all", types["Flatten"](), [before]))
        nodes.append(("dense", types["Dense"](units=24), ["all"]))
        nodes.append(("add", types["Add"](), ["flat", "dense"]))
        size = analyze(Graph.of("flattened", nodes, ["add"])).rows[-1].receptive_fields["x"].size[0]
        if size != (8 if whole else 6):
            yield f"a flattened axis beside {kind}: field {size}"


def _tower(block: Any, times: int, residual: bool) -> Graph:
    types = registered()
    nodes: list[Any] = [
        ("x", types["InputLayer"](shape=(60, 3)), []),
        ("stem", types["Conv1D"](filters=4, kernel_size=4, strides=3), ["x"]),
    ]
    for k in range(times):
        before = nodes[-1][0]
        for i, (kind, arguments) in enumerate(block):
            nodes.append((f"b{k}/{i}", types[kind](**arguments), [nodes[-1][0]]))
        ends = [nodes[-1][0], before] if residual else [nodes[-1][0]]
        nodes.append((f"b{k}/out", types["Add"]() if residual else types["Identity"](), ends))
    # a parallel branch of another field size: if the means differ, they contribute to the variance
    nodes.append(("beside", types["Conv1D"](filters=4, kernel_size=2, padding="same"), ["stem"]))
    nodes.append(("both", types["Average"](), [nodes[-2][0], "beside"]))
    nodes.append(("head", types["Conv1D"](filters=2, kernel_size=2), ["both"]))
    return Graph.of("tower", nodes, ["head"])
