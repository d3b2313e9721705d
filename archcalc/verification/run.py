"""Every check of a network against the real Keras model: the steps of `archcalc.verify`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError, NetworkError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.keras.build import build
from archcalc.readers import as_graph
from archcalc.report.report import Report
from archcalc.report.verification import Check, Progress, Verification, cannot_run
from archcalc.verification import expected_gradients, fields, jacobians, structure, work
from archcalc.verification.case import Case
from archcalc.verification.sampling import admissible_values

SAMPLES = 3  # assignments to open symbols
POSITIONS, FEW_POSITIONS = 6, 3  # of each layer's output
WORK = 10**12  # multiply-adds of gradients without --sample: a few minutes on two cores


def run(
    source: Any,
    sample: int | None,
    seed: int,
    symbols: Mapping[str, int] | None,
    progress: Progress | None,
    starts: int = 0,
) -> Verification:
    """Implements `archcalc.verify`."""
    graph = as_graph(source)
    if symbols:
        graph = with_values(graph, symbols)
    tell = progress or _silent
    checks: list[Check] = []
    skipped: list[str] = []
    assignments = admissible_values(graph, SAMPLES, seed)
    for values in assignments:
        assigned = {**(symbols or {}), **values}
        chosen = with_values(graph, values) if values else graph
        for check in _checks(chosen, sample, seed, tell, skipped, starts):
            checks.append(replace(check, symbols=assigned))
    return Verification(
        name=graph.name,
        source=graph.source,
        checks=tuple(checks),
        samples=tuple({**(symbols or {}), **values} for values in assignments),
        skipped=tuple(dict.fromkeys(skipped)),
        seed=seed,
    )


def _silent(step: str, done: int, steps: int) -> None:
    """Ignore progress."""


def _checks(
    graph: Graph, sample: int | None, seed: int, progress: Progress, skipped: list[str], starts: int
) -> Iterator[Check]:
    progress("building the model", 0, 1)
    try:
        report = analyze(graph, clipped=False)
    except ArchcalcError as fault:
        raise ArchcalcError(f"{graph.source or graph.name}: {fault}") from None
    without = next((node for node in graph.nodes if node.layer.lacking), None)
    if without is not None:
        yield cannot_run("build", without.name, f"{without.layer.lacking}, so there is nothing to build")
        return
    try:
        built = build(graph, initializers="zeros")
    except NetworkError as fault:
        name, reason = fault.faults[0]
        yield Check("build", name, "a model", None, "differs", reason)
        return
    chosen, positions = plan(graph, report, sample, seed)
    left_out = len(graph.nodes) - len(graph.inputs) - len(chosen)
    if left_out:
        skipped.append(
            f"fields of {left_out} of {len(graph.nodes)} layers are not measured "
            f"({f'--sample {sample}' if sample else 'they take long; --sample N measures N'})"
        )
    skipped += _dead(report)
    case = Case(graph, report, built, chosen, positions, seed, progress, starts)
    steps: list[tuple[str, Callable[[Case], Iterable[Check]]]] = [
        ("shapes and weights", structure.checks),
        ("FLOPs and tensors", work.checks),
        ("gradients", fields.checks),
        ("gradients at initialisation", expected_gradients.checks),
        ("Jacobians", jacobians.checks),
    ]
    for name, step in steps:
        progress(name, 0, 1)
        yield from step(case)


def _dead(report: Report) -> Iterator[str]:
    """What the model that Keras counts is without."""
    dead = [f.layer for f in report.findings if f.rule == "dead-layer"]
    if dead:
        more = f" and {len(dead) - 3} more" if len(dead) > 3 else ""
        built, declared = report.totals.as_built["parameters"], report.totals.parameters
        names = f"{', '.join(map(str, dead[:3]))}{more} lead{'s' * (len(dead) == 1)} to no output"
        yield f"Keras's model has {built:,} parameters, the file {declared:,}: {names}"


def plan(graph: Graph, report: Report, sample: int | None, seed: int) -> tuple[tuple[int, ...], int]:
    """The nodes whose gradients are measured (outputs first, others drawn), and from how many positions.

    A backward pass takes about as long as the multiply-adds before it. Without `sample` as
    many layers are measured as `WORK` allows, and the outputs in any case.
    """
    inputs = set(graph.inputs)
    outputs = [i for i in dict.fromkeys(t.node for t in graph.outputs) if i not in inputs]
    others = [i for i in range(len(graph.nodes)) if i not in inputs and i not in outputs]
    random.Random(seed).shuffle(others)
    order = [*outputs, *others]
    if sample is not None:
        return tuple(sorted(order[:sample])), POSITIONS
    before: list[int] = []
    work = 0
    for row in report.rows:
        of_row = row.macs + row.elementwise_operations
        work += of_row if isinstance(of_row, int) else 0
        before.append(work)
    positions = POSITIONS if POSITIONS * sum(before) <= WORK else FEW_POSITIONS
    chosen, spent = [], positions * work
    for i in order:
        spent += positions * before[i]
        if spent <= WORK or i in outputs:
            chosen.append(i)
    return tuple(sorted(chosen)), positions
