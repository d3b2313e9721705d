"""Road: figures of repeated blocks against those of the same network written out, and what must be unknown.

Nothing is recorded: a block repeated n times has at n = 3 the figures of three blocks.
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
    """What a repetition says otherwise than its copies."""
    yield from _repeats()
    yield from _enlarged_loop()
    yield from _reading_beside()
    yield from _flattened_beside_global()


def _repeats() -> Iterator[str]:
    """A block repeated n times has at n = 3 the figures of three blocks."""
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
    """The graph with a part of it repeated n times."""
    at, n = graph.index(), symbol("n")
    repeat = Repeat(at[first], at[last], Tap(at[source]), Tap(at[last]), n)
    return dataclasses.replace(graph, repeats=(repeat,), symbols={"n": None})


def _enlarged(times: int) -> Graph:
    made = registered()
    nodes: list[Any] = [
        ("x", made["InputLayer"](shape=(30, 3)), []),
        ("up", made["UpSampling1D"](size=3), ["x"]),
    ]
    for k in range(times):
        # a wider kernel would read a phase that depends on n, and the field would be unknown
        conv = made["Conv1D"](filters=3, kernel_size=1)
        nodes.append((f"b{k}", conv, [nodes[-1][0]]))
    nodes.append(("head", made["Conv1D"](filters=2, kernel_size=2, strides=2), [nodes[-1][0]]))
    return Graph.of("enlarged", nodes, ["head"])


def _enlarged_loop() -> Iterator[str]:
    """A loop behind upsampling moves in phases: again the figures of three blocks at n = 3."""
    general = analyze(_looped(_enlarged(1), "b0", "b0", "up")).rows[-1].receptive_fields["x"]
    plain = analyze(_enlarged(3)).rows[-1].receptive_fields["x"]
    for name in ("size", "min_size", "stride", "offset"):
        one, other = getattr(general, name)[0], getattr(plain, name)[0]
        if isinstance(one, Unknown):
            yield f"enlarged loop: {name} is unknown"
        elif (substitute(one, {"n": 3}) if arith.is_symbolic(one) else one) != other:
            yield f"enlarged loop: {name} {one} for {other}"
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
        yield f"the spread behind a loop has no closed form: {spread.sigma[0]}"


def _reading_beside() -> Iterator[str]:
    """Each copy of a loop reads another layer beside its input: fields are unknown, and say why."""
    made, conv = registered(), {"filters": 3, "kernel_size": 3, "padding": "same"}
    graph = Graph.of(
        "beside",
        [
            ("x", made["InputLayer"](shape=(30, 3)), []),
            ("early", made["Conv1D"](**conv), ["x"]),
            ("stem", made["Conv1D"](**conv), ["early"]),
            ("b", made["Conv1D"](**conv), ["stem"]),
            ("add", made["Add"](), ["b", "early"]),
        ],
        ["add"],
    )
    for row in analyze(_looped(graph, "b", "add", "stem")).rows[-1:]:
        size = row.receptive_fields["x"].size
        if len(size) != 1 or not isinstance(size[0], Unknown) or "early" not in size[0].reason:
            yield f"a loop that reads beside its input: field {size}"


def _flattened_beside_global() -> Iterator[str]:
    """Units of a flattened axis beside ones that see the whole axis: all see all of it.

    Beside one that sees a part only, the size is not known.
    """
    made = registered()
    for kind, given, whole in (("Dense", {"units": 24}, True), ("Cropping1D", {"cropping": (2, 3)}, False)):
        nodes: list[Any] = [("x", made["InputLayer"](shape=(8, 3)), []), ("flat", made["Flatten"](), ["x"])]
        before = "x"
        if not whole:
            nodes.append(("part", made[kind](**given), ["x"]))
            before = "part"
        nodes.append(("all", made["Flatten"](), [before]))
        nodes.append(("dense", made["Dense"](units=24), ["all"]))
        nodes.append(("add", made["Add"](), ["flat", "dense"]))
        size = analyze(Graph.of("flattened", nodes, ["add"])).rows[-1].receptive_fields["x"].size[0]
        if (size != 8) if whole else not isinstance(size, Unknown):
            yield f"a flattened axis beside {kind}: field {size}"


def _tower(block: Any, times: int, residual: bool) -> Graph:
    made = registered()
    nodes: list[Any] = [
        ("x", made["InputLayer"](shape=(60, 3)), []),
        ("stem", made["Conv1D"](filters=4, kernel_size=4, strides=3), ["x"]),
    ]
    for k in range(times):
        before = nodes[-1][0]
        for i, (kind, given) in enumerate(block):
            nodes.append((f"b{k}/{i}", made[kind](**given), [nodes[-1][0]]))
        ends = [nodes[-1][0], before] if residual else [nodes[-1][0]]
        nodes.append((f"b{k}/out", made["Add"]() if residual else made["Identity"](), ends))
    # a branch of other reach beside the loop: where means differ, they enter the variance
    nodes.append(("beside", made["Conv1D"](filters=4, kernel_size=2, padding="same"), ["stem"]))
    nodes.append(("both", made["Average"](), [nodes[-2][0], "beside"]))
    nodes.append(("head", made["Conv1D"](filters=2, kernel_size=2), ["both"]))
    return Graph.of("tower", nodes, ["head"])
