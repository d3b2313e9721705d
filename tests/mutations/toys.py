"""Comparison of receptive fields of random toy networks with brute force (`tests.analyses.fields.toy`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from math import isclose, prod
from typing import Any

from archcalc.analyses.fields import effective_field, receptive_field
from archcalc.analyses.shapes import infer
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph
from archcalc.layers import window as reads_of
from archcalc.layers.registry import registered

Entry = dict[str, Any]
FIGURES = ("size", "min_size", "local_size", "offset", "is_global", "clipped_size", "stride")


# -- recording ---------------------------------------------------------------------------------------
def record(count: int) -> list[Entry]:
    """`count` networks, with the receptive fields of their units by brute force."""
    from hypothesis import strategies as st

    from archcalc.testing.drawing import each_drawn
    from tests.analyses.fields.toy import networks

    toys: list[Entry] = []
    kinds = (networks(1), networks(1, causal=False), networks(2, holes=False), networks(1, parts=True))

    each_drawn(st.one_of(*kinds), lambda graph: toys.append(_toy(graph)), count=count, seed=5)
    return toys


def _toy(graph: Any) -> Entry:
    from tests.analyses.fields.test_receptive_field import expect_stride, width
    from tests.analyses.fields.toy import Oracle, all_reads, positions

    shapes = infer(graph)
    oracle = Oracle(graph, shapes)
    names = [n.name for n in graph.nodes]
    rows = []
    for node in graph.nodes:
        reads = [
            [(type(r).__name__, {f.name: getattr(r, f.name) for f in dataclasses.fields(r)}) for r in w]
            for w in (node.layer.window() if node.inputs else ())
        ]
        rows.append((node.name, node.layer.output_shape(), reads, [names[t.node] for t in node.inputs]))
    fields = receptive_field.fields(graph, shapes, "all")
    spreads = effective_field.effective_fields(graph, shapes)
    cycle = prod(r.period for r in all_reads(graph) if isinstance(r, reads_of.Phases))
    cycle *= prod(r.outputs for r in all_reads(graph) if isinstance(r, reads_of.Blocks))
    causal = any(isinstance(r, reads_of.Prefix | reads_of.Section) for r in all_reads(graph))
    expected: list[Any] = []
    for i, root in [(i, r) for i in range(len(names)) for r in graph.inputs]:
        *sides, channels = shapes[i][0]
        real: set[Any] = set()
        for c in range(channels):
            real |= oracle.real(i, (*(n // 2 for n in sides), c)).get(root, set())
        units = positions(shapes[i][0])
        for axis, extent in enumerate(shapes[root][0][:-1]):
            kinds = [oracle.seen(i, u, root, axis) for u in units]
            hulls = [oracle.hull(i, u, root, axis) for u in units]
            local = [oracle.hull(i, u, root, axis, local=True) for u in units]
            column = [u[axis] for u in real]
            # a mistake must not turn a known figure into an unknown one unnoticed
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
                    "node": names[i],
                    "root": names[root],
                    "axis": axis,
                    "size": max(map(width, hulls)),
                    "min_size": min(map(width, hulls)),
                    "local_size": max(map(width, local)),
                    "offset": None if hulls[0] is None else hulls[0][0],
                    "is_global": any(flag for kind in kinds for _, flag in kind)
                    or all(h is not None and h[0] <= 0 and h[1] >= extent - 1 for h in hulls),
                    "clipped_size": max(column) - min(column) + 1 if column else 0,
                    "variance": oracle.variance(i, (shapes[i][0][0] // 2, 0), root, axis)
                    if len(sides) == 1 and not causal
                    else "not measured",
                }
            )
    return {"rows": rows, "expected": expected, "output": names[-1]}


# -- comparing ---------------------------------------------------------------------------------------
def differences(entries: list[Entry]) -> Iterator[str]:
    """The differences between archcalc and brute force."""
    for entry in entries:
        yield from _differences(entry)


def _differences(toy: Entry) -> Iterator[str]:
    from tests.analyses.fields.toy import Toy

    nodes: list[Any] = []
    for name, shape, reads, inputs in toy["rows"]:
        if not inputs:
            nodes.append((name, registered()["InputLayer"](shape=shape), []))
            continue
        windows = tuple(
            tuple(getattr(reads_of, kind)(**fields) for kind, fields in window) for window in reads
        )
        nodes.append((name, Toy(out=shape, reads=windows), inputs))
    graph = Graph.of("toy", nodes, [toy["output"]])
    known = infer(graph)
    at = graph.index()
    fields = receptive_field.fields(graph, known, "all")
    spreads = effective_field.effective_fields(graph, known)
    for wanted in toy["expected"]:
        axis, field = wanted["axis"], fields[at[wanted["node"]]][wanted["root"]]
        where = f"toy {toy['rows']}, {wanted['node']} in {wanted['root']}, axis {axis}"
        if field is None:
            if wanted["size"]:
                yield f"{where}: nothing for {wanted['size']}"
            continue
        for name in FIGURES:
            found = getattr(field, name)[axis]
            if name == "stride" and "stride" not in wanted:
                continue
            if isinstance(found, Unknown):
                if name in wanted["known"]:
                    yield f"{where}: {name} is unknown, {found.reason}"
                continue
            if (found or 0 if name == "local_size" else found) != wanted[name]:
                yield f"{name} {found} for {wanted[name]}: {where}"
        spread = spreads[at[wanted["node"]]][wanted["root"]]
        if wanted["variance"] == "not measured" or spread is None:
            continue
        found = spread.variance[axis]
        if isinstance(found, Unknown):
            if "variance" in wanted["known"]:
                yield f"{where}: variance is unknown, {found.reason}"
        elif wanted["variance"] is None or not isclose(found, wanted["variance"], rel_tol=1e-9, abs_tol=1e-9):
            yield f"variance {found} for {wanted['variance']}: {where}"
