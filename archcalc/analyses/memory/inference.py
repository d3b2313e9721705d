"""Peak activation memory of inference, in Keras's order of layers and in the best order found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from archcalc.analyses.memory import schedule
from archcalc.analyses.memory.order import is_forced, keras_order
from archcalc.analyses.memory.peak import Peak, peak
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph


class Inference(NamedTuple):
    """The peak in Keras's order (`usual`) and in the best order found (`best`, never above `usual`).

    `order` is the best order found, None if that is Keras's; `optimal`: it is proved to be the best.
    """

    usual: Peak
    best: Peak
    order: Sequence[int] | None = None
    optimal: bool = False


def inference(graph: Graph, tensor_bytes: Sequence[Sequence[Any]]) -> Inference:
    """The peaks for tensors of these bytes, by node and output."""
    order = keras_order(graph)
    usual = peak(graph, tensor_bytes, order)
    if is_forced(graph) and not graph.repeats:
        return Inference(usual, usual, None, True)
    if isinstance(usual.bytes, Unknown):
        return Inference(usual, usual)
    if graph.repeats or not all(type(size) is int for of_node in tensor_bytes for size in of_node):
        reason = "which order is the best depends on symbols; give them values with --set"
        return Inference(usual, Peak(Unknown(reason), None))
    assert isinstance(usual.bytes, int)
    best = schedule.best(graph, tensor_bytes, schedule.Schedule(order, usual.bytes, False))
    if best.order is order:
        return Inference(usual, usual, None, best.optimal)
    return Inference(usual, peak(graph, tensor_bytes, best.order), best.order, best.optimal)
