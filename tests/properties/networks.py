"""Shared by the properties: how a drawn network is compared, and how a failure is printed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, settings

from archcalc.graph import Graph, Tap
from archcalc.report.report import Report
from archcalc.report.rows import Row
from archcalc.report.verification import CANNOT_RUN, DIFFERS, Check, Verification
from archcalc.writers.spec import to_spec

# whole networks are large draws, and their cost depends on the machine
thorough = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


def spec(graph: Graph) -> str:
    """The network as a spec, to read and to give to `archcalc verify`."""
    return json.dumps(to_spec(graph), indent=1)


def disagreements(result: Verification) -> list[Check]:
    """Checks in which Keras differs."""
    return [check for check in result.checks if check.verdict == DIFFERS]


def left_out(result: Verification) -> list[tuple[str, str]]:
    """(figure, reason) of the checks that could not run."""
    return [(check.what, check.reason) for check in result.checks if check.verdict == CANNOT_RUN]


def figures(row: Row) -> tuple[Any, ...]:
    """All figures of a layer in a report, without its name and its neighbours' names."""
    fields = tuple(row.receptive_fields.values())
    return (
        row.type,
        row.output_shapes,
        tuple((w.name, w.shape, w.trainable) for w in row.weights),
        row.parameters,
        row.trainable_parameters,
        row.macs,
        row.elementwise_operations,
        row.activation_bytes,
        tuple(sorted(map(repr, fields))),
    )


def by_name(report: Report) -> dict[str, tuple[Any, ...]]:
    """The figures of each layer."""
    return {row.name: figures(row) for row in report.rows}


def rewired(graph: Graph, order: Iterable[int], name: Any = str) -> Graph:
    """The same network, its nodes in another order and under other names."""
    names = {i: name(node.name) for i, node in enumerate(graph.nodes)}

    def tap(t: Tap) -> tuple[str, int]:
        return names[t.node], t.output

    return Graph.of(
        graph.name,
        [(names[i], graph.nodes[i].layer, [tap(t) for t in graph.nodes[i].inputs]) for i in order],
        [tap(t) for t in graph.outputs],
        shared={
            names[i]: names[node.shared_with]
            for i, node in enumerate(graph.nodes)
            if node.shared_with is not None
        },
    )
