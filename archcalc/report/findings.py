"""Findings: what a reader of a report should know about the network as it is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from archcalc.report.columns import Figures

SEVERITIES = ("info", "warning", "error")


class Finding(NamedTuple):
    """Something a reader should know; `layer` is None where it concerns the whole network."""

    rule: str
    severity: str
    layer: str | None
    message: str
    suggestion: str

    def at_least(self, severity: str) -> bool:
        return SEVERITIES.index(self.severity) >= SEVERITIES.index(severity)


def unused(figures: Figures) -> Iterator[Finding]:
    """A finding for each layer that leads to no output, and for each input that no layer reads."""
    graph, consumers = figures.graph, figures.graph.consumers()
    for i, node in enumerate(graph.nodes):
        if i in figures.leading:
            continue
        if i in graph.inputs:
            if not consumers[i]:
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
    for node, kind in zip(figures.graph.nodes, figures.type, strict=True):
        text = getattr(node.layer, "assumed", "")
        if text:
            yield Finding(
                "assumed-shape",
                "warning",
                node.name,
                f"a {kind}: {text}",
                "where it changes the shape, write the network as a spec with an Opaque layer",
            )


def not_runnable(figures: Figures) -> Iterator[Finding]:
    """A finding for each layer whose shape Keras infers and which TensorFlow cannot run."""
    for node in figures.graph.nodes:
        why = node.layer.not_runnable(*figures.graph.input_shapes(figures.output_shapes, node))
        if why:
            yield Finding(
                "not-runnable",
                "warning",
                node.name,
                f"TensorFlow cannot run it, though Keras infers its shape: {why}",
                "leave out output_padding, or choose another",
            )
