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
