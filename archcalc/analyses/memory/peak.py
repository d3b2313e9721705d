"""The most bytes that are held at once, by inference and by a training step.

Inference holds a tensor from the step that computes it to the last step that reads it, the batch that it
is called with and its outputs to the end. The order of steps is Keras's (`order`) or any other. A layer
works in place where it can: nothing else reads its input, and its output has the same size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from archcalc.analyses.memory.blocks import Block, contiguous
from archcalc.analyses.memory.events import Execution, Program
from archcalc.analyses.memory.held import Call
from archcalc.analyses.memory.lifetimes import Moment
from archcalc.analyses.memory.recompute import plan
from archcalc.analyses.memory.steps import MAX_NESTED_REPEATS, Run
from archcalc.analyses.memory.training_step import TrainingStep
from archcalc.arith import Size, largest
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Tap


class Peak(NamedTuple):
    """The most bytes alive at once, the node that runs then, and the tensors that are alive.

    `node` is None and `held` is empty where they depend on symbols.
    """

    bytes: Size
    node: int | None
    held: tuple[tuple[Tap, Size], ...] = ()


class Course(NamedTuple):
    """The moments of a run at which its memory may be largest, whatever the batch."""

    moments: Sequence[Moment]
    run: Execution | None = None  # of inference
    reason: str = ""  # why nothing is known
    least_copies: Mapping[Size, int] = MappingProxyType({})  # numbers of copies, and from which on
    different: Sequence[tuple[Size, Size]] = ()  # sizes that the bytes take to be different

    def at(self, batch: Size) -> Size:
        """The peak with this batch."""
        if self.reason:
            return Unknown(self.reason)
        if len(self.moments) == 1:
            return self.moments[0].at(batch)
        # once each, in their order: what is found to be the largest may depend on it
        return largest(*dict.fromkeys(moment.at(batch) for moment in self.moments)) if self.moments else 0

    def renumbered(self, numbers: Sequence[int]) -> Course:
        """The same where the nodes have these numbers."""
        moments = [m if m.node is None else m._replace(node=numbers[m.node]) for m in self.moments]
        return self._replace(moments=moments)

    def moment(self, batch: Size) -> Moment | None:
        """The first moment at which the peak occurs; None if that depends on symbols."""
        most = self.at(batch)
        return next((m for m in self.moments if type(most) is int and m.at(batch) == most), None)

    def largest_batch(self, memory: int) -> Size | None:
        """The largest batch whose peak is at most this; None where no batch needs more."""
        batches: list[int] = []
        for fixed, sample, *_ in self.moments:
            if not (isinstance(fixed, int) and isinstance(sample, int)):
                return Unknown("depends on symbols; give them values with --set")
            if sample or fixed > memory:
                batches.append((memory - fixed) // sample if fixed <= memory else 0)
        return min(batches) if batches else None


def fixed(most: Size) -> Course:
    """A run whose peak is known, with the batch that it was computed for."""
    return Course([Moment(most, 0)])


def inference(graph: Graph, calls: Sequence[Call], order: Sequence[int]) -> Course:
    """A forward pass. Where blocks represent a symbolic number of copies, `order` is that of the nodes."""
    program = Program(graph, Run(graph, order), calls)
    if reason := _refused(program.run):
        return Course((), reason=reason)
    run = Execution(program)
    run.inference()
    return _course(run)


def training(
    graph: Graph,
    calls: Sequence[Call],
    order: Sequence[int],
    fixed: Size,
    recomputed: Sequence[Block] = (),
    forward: Execution | None = None,
) -> Course:
    """A training step, in which weights and the optimizer's state take `fixed` bytes from start to end.

    `forward`: the run of these calls in inference, if it is known.
    """
    if forward is not None and forward.calls is calls and not (graph.repeats or recomputed):
        step = TrainingStep(forward.program, forward)
    else:
        # the first and the last copy of a block differ from those between: next to them is another layer
        run = Run(graph, contiguous(graph, order, recomputed), ends=2)
        if reason := _refused(run):
            return Course((), reason=reason)
        step = TrainingStep(Program(graph, run, calls, plan(graph, calls, recomputed)))
    step.run()
    return _course(step, fixed)._replace(run=None)


def _refused(run: Run) -> str:
    """Why the memory of a run is unknown."""
    if run.too_deep:
        return f"symbolic repeats are nested more than {MAX_NESTED_REPEATS} deep"
    return "other layers run between those of a block that is repeated" if run.scattered else ""


def _course(run: Execution, fixed: Size = 0) -> Course:
    values, program = run.values, run.program
    moments = [
        Moment(fixed + own, sample, event, *values.what(event))
        for own, sample, event in _highest(values.moments())
    ]
    least_copies, different = program.run.least_copies, tuple(program.different)
    return Course(moments, run, least_copies=least_copies, different=different)


Alive = tuple[Size, Size, int]  # fixed bytes, those of each sample, and at which event


def _highest(moments: Iterable[Alive]) -> list[Alive]:
    """The moments by their events, without those that another one exceeds whatever the batch.

    Of equal ones the first is left; what depends on symbols is not compared.
    """
    highest: list[Alive] = []
    most: dict[int, tuple[int, int]] = {}  # by the fixed bytes those of a sample, and the event
    for moment in moments:
        fixed, sample, event = moment
        if type(fixed) is not int or type(sample) is not int:
            highest.append(moment)
            continue
        known = most.get(fixed)
        if known is None or sample > known[0] or (sample == known[0] and event < known[1]):
            most[fixed] = sample, event
    exceeded = -1
    for fixed in sorted(most, reverse=True):
        sample, event = most[fixed]
        if sample > exceeded:
            highest.append((fixed, sample, event))
            exceeded = sample
    return sorted(highest, key=itemgetter(2))


def peak(course: Course, batch: Size) -> Peak:
    """The peak of inference with this batch."""
    moment, run = course.moment(batch), course.run
    if moment is None or run is None:
        return Peak(course.at(batch), None)
    alive = run.values.alive(moment.event)
    node = run.program.graph.inputs[0] if moment.event < 0 else moment.node
    held = tuple((tap, batch * alive[value]) for value, tap in run.tensors(alive))
    return Peak(course.at(batch), node, held)


def timeline(course: Course, batch: int) -> list[tuple[int, int]]:
    """The node and the most bytes of each step of inference; empty where these depend on symbols."""
    run = course.run
    if run is None:
        return []
    steps: list[tuple[int, int]] = []
    for fixed, sample, event in run.values.moments():
        size, (node, _) = fixed + batch * sample, run.values.what(event)
        if type(size) is not int:
            return []
        if node is not None:
            steps.append((node, size))
    return steps
