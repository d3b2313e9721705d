"""Peak activation memory of inference, in Keras's order of layers and in the best order found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcalc.analyses.memory import schedule
from archcalc.analyses.memory.held import Call
from archcalc.analyses.memory.order import is_forced
from archcalc.analyses.memory.peak import Course, Peak, peak
from archcalc.analyses.memory.peak import inference as course
from archcalc.arith import Size
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph


class Inference(NamedTuple):
    """The peak in Keras's order (`usual`) and in the best order found (`best`, never above `usual`).

    `order` is the best order found, None if that is Keras's; `optimal`: it is proved to be the best.
    `course` is that of Keras's order.
    """

    course: Course
    usual: Peak
    best: Peak
    order: Sequence[int] | None = None
    optimal: bool = False


CHANGING = (
    "in a block whose sizes change from copy to copy, where the peak is depends on the number of copies; "
    "give it a value with --set"
)
UNKNOWN = Inference(Course((), reason=CHANGING), *2 * (Peak(Unknown(CHANGING), None),))


def inference(graph: Graph, calls: Sequence[Call], order: Sequence[int], batch: Size) -> Inference:
    """The peaks of calls that hold these bytes, with this batch; `order` is Keras's."""
    run = course(graph, calls, order)
    usual = peak(run, batch)
    if is_forced(graph) and not graph.repeats:
        return Inference(run, usual, usual, None, True)
    if isinstance(usual.bytes, Unknown):
        return Inference(run, usual, usual)
    if graph.repeats or not all(
        type(size) is int for call in calls for size in (*call.outputs, call.inference)
    ):
        reason = "which order is the best depends on symbols; give them values with --set"
        return Inference(run, usual, Peak(Unknown(reason), None))
    assert isinstance(usual.bytes, int)
    best = schedule.best(graph, calls, batch, schedule.Schedule(order, usual.bytes, False), usual.node)
    if best.order is order:
        return Inference(run, usual, usual, None, best.optimal)
    return Inference(run, usual, peak(course(graph, calls, best.order), batch), best.order, best.optimal)
