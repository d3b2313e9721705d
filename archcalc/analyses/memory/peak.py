"""The most bytes that are held at once, by inference and by a training step.

Inference holds a tensor from the step that computes it to the last step that reads it, the batch that it
is called with and its outputs to the end. The order of steps is Keras's (`order`) or any other. A layer
works in place where it can: nothing else reads its input, and its output has the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from archcalc.analyses.memory.blocks import Block, contiguous
from archcalc.analyses.memory.events import Program
from archcalc.analyses.memory.held import Call
from archcalc.analyses.memory.pool import Bytes, Events, EveryMoment, Moment, Pool, Write, replayed
from archcalc.analyses.memory.recompute import plan
from archcalc.analyses.memory.steps import MAX_NESTED_REPEATS, Run
from archcalc.analyses.memory.training_step import TrainingStep
from archcalc.arith import Size, at_most, certainly, concrete, largest
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
    program: Program | None = None  # of inference, which can run again, and its events
    events: Events = tuple
    reason: str = ""  # why nothing is known
    least_copies: Mapping[Size, int] = MappingProxyType({})  # numbers of copies, and from which on
    different: Sequence[tuple[Size, Size]] = ()  # sizes that the bytes take to be different

    def at(self, batch: Size) -> Size:
        """The peak with this batch."""
        if self.reason:
            return Unknown(self.reason)
        if len(self.moments) == 1:
            return self.moments[0].bytes.at(batch)
        return largest(*{moment.bytes.at(batch) for moment in self.moments}) if self.moments else 0

    def moment(self, batch: Size) -> Moment | None:
        """The first moment at which the peak occurs; None if that depends on symbols."""
        most = self.at(batch)
        return next((m for m in self.moments if type(most) is int and m.bytes.at(batch) == most), None)

    def largest_batch(self, memory: int) -> Size | None:
        """The largest batch whose peak is at most this; None where no batch needs more."""
        batches: list[int] = []
        for (fixed, sample), *_ in self.moments:
            if not (isinstance(fixed, int) and isinstance(sample, int)):
                return Unknown("depends on symbols; give them values with --set")
            if sample or fixed > memory:
                batches.append((memory - fixed) // sample if fixed <= memory else 0)
        return min(batches) if batches else None


def fixed(most: Size) -> Course:
    """A run whose peak is known, with the batch that it was computed for."""
    return Course([Moment(Bytes(most), -1)])


def inference(graph: Graph, calls: Sequence[Call], order: Sequence[int]) -> Course:
    """A forward pass. Where blocks represent a symbolic number of copies, `order` is that of the nodes."""
    program = Program(graph, Run(graph, order), calls)
    return _course(program, program.inference)


def training(
    graph: Graph,
    calls: Sequence[Call],
    order: Sequence[int],
    fixed: Size,
    recomputed: Sequence[Block] = (),
    forward: Program | None = None,
) -> Course:
    """A training step, in which weights and the optimizer's state take `fixed` bytes from start to end.

    `forward`: the program of these calls in inference, if it is known.
    """
    if forward is not None and forward.calls is calls and not (graph.repeats or recomputed):
        program = forward
    else:
        # the first and the last copy of a block differ from those between: next to them is another layer
        run = Run(graph, contiguous(graph, order, recomputed), ends=2)
        program = Program(graph, run, calls, plan(graph, calls, recomputed))
    course = _course(program, lambda: TrainingStep(program).events(), fixed, program.labels)
    return course._replace(program=None, events=tuple)


def _course(
    program: Program,
    events: Events,
    fixed: Size = 0,
    labels: Callable[[], Sequence[Write]] = tuple,
) -> Course:
    if program.run.too_deep:
        return Course((), reason=f"symbolic repeats are nested more than {MAX_NESTED_REPEATS} deep")
    if program.run.scattered:
        return Course((), reason="other layers run between those of a block that is repeated")
    events = replayed(events, len(program.run.steps))
    pool = _pool(program, events, labels=labels())
    moments = _highest(pool.moments) or [Moment(pool.alive, -1)]
    return Course(
        [m._replace(bytes=Bytes(fixed + m.bytes.fixed, m.bytes.sample)) for m in moments],
        program,
        events,
        least_copies=program.run.least_copies,
        different=tuple(program.different),
    )


def _highest(moments: Sequence[Moment]) -> Sequence[Moment]:
    """The moments in their order, without those that another one exceeds whatever the batch."""
    if not all(concrete(m.bytes) for m in moments):
        return moments
    highest: list[Moment] = []
    most: Size = -1  # bytes of a sample
    for moment in sorted(moments, key=lambda m: (-m.bytes.fixed, -m.bytes.sample, m.event)):
        if certainly(at_most(most + 1, moment.bytes.sample)):
            highest.append(moment)
            most = moment.bytes.sample
    return sorted(highest, key=lambda m: m.event)


def _pool(
    program: Program,
    events: Events,
    stop: int | None = None,
    labels: Sequence[Write] = (),
    kind: type[Pool] = Pool,
) -> Pool:
    at_start = [*program.at_start(), *labels]
    to_end = {write.key for write in at_start} | set(program.run.outputs)
    return kind(events, at_start, to_end, stop)


def peak(course: Course, batch: Size) -> Peak:
    """The peak of inference with this batch."""
    moment, program = course.moment(batch), course.program
    if moment is None or program is None:
        return Peak(course.at(batch), None)
    pool = _pool(program, course.events, moment.event)
    steps = program.run.steps
    held = tuple(
        (Tap(steps[key.node].node, key.output), size.at(batch))
        for key, size in pool.alive_now()
        if isinstance(key, Tap)
    )
    return Peak(course.at(batch), program.graph.inputs[0] if moment.event < 0 else moment.node, held)


def timeline(course: Course, batch: int) -> list[tuple[int, int]]:
    """The node and the most bytes of each step of inference; empty where these depend on symbols."""
    program = course.program
    if program is None or course.reason:
        return []
    most: dict[int, tuple[int, int]] = {}  # by event
    for at in _pool(program, course.events, kind=EveryMoment).moments:
        size = at.bytes.at(batch)
        if type(size) is not int:
            return []
        if at.node is not None:
            most[at.event] = at.node, max(size, most.get(at.event, (0, 0))[1])
    return [most[number] for number in sorted(most)]
