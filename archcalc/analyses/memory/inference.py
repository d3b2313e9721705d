"""Activation memory of inference: its peak in Keras's order, and in the best order found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.analyses.memory import schedule
from archcalc.analyses.memory.order import is_forced, keras_order
from archcalc.analyses.memory.peak import Peak, peak
from archcalc.arith import Size
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph


class Inference(NamedTuple):
    """`best` is never above `usual`; `order` is None where that is Keras's order itself.

    `optimal`: it is proved that no order holds less.
    """

    usual: Peak
    best: Peak
    order: Sequence[int] | None = None
    optimal: bool = False


def inference(graph: Graph, made: Sequence[Sequence[Size]]) -> Inference:
    """Peaks of the given bytes of tensors, by node and output."""
    order = keras_order(graph)
    usual = peak(graph, made, order)
    if is_forced(graph) and not graph.repeats:
        return Inference(usual, usual, None, True)
    if isinstance(usual.bytes, Unknown):
        return Inference(usual, usual)
    if graph.repeats or not all(type(size) is int for mine in made for size in mine):
        reason = "which order is the best depends on symbols; give them values with --set"
        return Inference(usual, Peak(Unknown(reason), None))
    assert isinstance(usual.bytes, int)
    found = schedule.best(graph, made, schedule.Schedule(order, usual.bytes, False))
    if found.order is order:
        return Inference(usual, usual, None, found.optimal)
    return Inference(usual, peak(graph, made, found.order), found.order, found.optimal)
