"""Findings: what a reader of a report should know about the network as it is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archcalc.layers import primitives as prim
from archcalc.layers.base import Layer
from archcalc.layers.inner import with_inner
from archcalc.report.rule import Finding

if TYPE_CHECKING:
    from archcalc.arith import Shape
    from archcalc.report.columns import Figures
    from archcalc.report.fit import Fit


def too_large(fit: Fit | None, batch: int) -> Iterator[Finding]:
    """A finding for each use that needs more memory than was stated."""
    if fit is None:
        return
    needs = (("training", "warning", fit.training), ("inference", "error", fit.inference))
    for use, severity, need in needs:
        if isinstance(need.bytes, int) and not need.fits:
            largest = need.largest_batch
            fitting = isinstance(largest, int) and largest > 0
            yield Finding(
                f"{use}-memory",
                severity,
                None,
                f"{use} with batch {batch:,} needs {memory_in_words(need.bytes)}, "
                f"with {fit.margin}% to spare more than {memory_in_words(fit.memory)}",
                f"--batch {largest} fits"
                if fitting
                else "not even one sample fits: use a smaller network or more memory",
            )


def memory_in_words(size: int) -> str:
    for unit, one in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= one:
            return f"{size / one:,.2f} {unit}"
    return f"{size:,} bytes"


def unused(figures: Figures) -> Iterator[Finding]:
    """A finding for each layer that leads to no output, and for each input that no layer reads."""
    graph = figures.graph
    if len(figures.leading) == len(graph.nodes):
        return
    read = {t.node for node in graph.nodes for t in node.reads}
    for i, node in enumerate(graph.nodes):
        if i in figures.leading:
            continue
        if i in graph.inputs:
            if i not in read:
                yield Finding(
                    "unread-input",
                    "warning",
                    node.name,
                    "no layer reads this input",
                    'name it in the "inputs" of a layer, or remove it',
                )
            continue
        yield Finding(
            "dead-layer",
            "warning",
            node.name,
            "leads to no output, so the model that Keras builds is without it",
            'name it in the "inputs" of a later layer or among the outputs, or remove it',
        )


def assumed(figures: Figures) -> Iterator[Finding]:
    """A finding for each layer about which the reader of a file took something for granted."""
    nodes = figures.graph.nodes
    known = {id(layer): layer for layer in (node.layer for node in nodes)}  # equal ones are one object
    texts = {i: next(filter(None, map(_assumption, with_inner([layer]))), "") for i, layer in known.items()}
    if not any(texts.values()):
        return
    for node, kind in zip(nodes, figures.type, strict=True):
        text = texts[id(node.layer)]
        if text:
            yield Finding(
                "assumed-shape",
                "warning",
                node.name,
                f"a {kind}: {text}",
                "where it changes the shape, write the network as a spec with an Opaque layer",
            )


def measured(figures: Figures) -> Iterator[Finding]:
    """A finding for each layer whose window was measured."""
    for node in figures.graph.nodes:
        if getattr(node.layer, "measured", False):
            yield Finding(
                "measured",
                "warning",
                node.name,
                "its window was measured from gradients with random weights, which is no proof; "
                "receptive fields that pass it are measured too",
                "where it reads more, write the network as a spec with an Opaque layer",
            )


FOREIGN = "its activation is a function of another package, taken to act on each unit; its slope is unknown"


def _assumption(layer: Layer) -> str:
    """What was taken for granted about a layer; empty if nothing was."""
    return getattr(layer, "assumed", "") or (FOREIGN if layer.has_foreign_activation else "")


def not_runnable(figures: Figures) -> Iterator[Finding]:
    """A finding for each layer whose shape Keras infers and which TensorFlow cannot run."""
    graph = figures.graph
    reasons = graph.each(figures.output_shapes, lambda layer, *inputs: layer.not_runnable(*inputs))
    for node, why in zip(graph.nodes, reasons, strict=True):
        if why:
            yield Finding(
                "not-runnable",
                "warning",
                node.name,
                f"TensorFlow cannot run it, though Keras infers its shape: {why}",
                "leave out output_padding, or choose another",
            )


def recomputed(figures: Figures) -> Iterator[Finding]:
    """A finding for layers that draw other numbers when they run again, and for those that count twice."""
    kinds = (
        (_draws, "draws again when it is recomputed, so that its gradient is that of other random numbers"),
        (_counts, "updates its moving statistics twice, because it is recomputed"),
    )
    nodes = [figures.graph.nodes[i] for i in sorted(figures.runs_again)]
    for applies, what in kinds:
        names = [
            node.name
            for node in nodes
            if applies(node.layer, figures.graph.input_shapes(figures.output_shapes, node))
        ]
        if names:
            others = f"; so do {len(names) - 1} more" if len(names) > 1 else ""
            yield Finding(
                "recomputed-layer",
                "warning",
                names[0],
                f"{what}{others}",
                "leave it out of the blocks of --checkpoint",
            )


def _draws(layer: Layer, inputs: tuple[Shape, ...]) -> bool:
    noise = any(
        isinstance(p, prim.TrainingNoise) or (isinstance(p, prim.Dropout) and p.rate)
        for p in layer.primitives(*inputs)
    )
    return noise or bool(getattr(layer, "dropout", 0) or getattr(layer, "recurrent_dropout", 0))


def _counts(layer: Layer, inputs: tuple[Shape, ...]) -> bool:
    return any(isinstance(p, prim.BatchStandardise) and p.batch_statistics for p in layer.primitives(*inputs))
