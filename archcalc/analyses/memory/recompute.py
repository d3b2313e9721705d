"""Blocks whose tensors are computed again in the backward pass, in place of being kept until then.

So `keras.remat` and `tf.recompute_grad` work: a block keeps what it reads; once the gradients of all its
outputs are there, it runs forward again on a copy of that, and then backward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archcalc.analyses.memory.blocks import Block
from archcalc.analyses.memory.held import Call
from archcalc.analyses.memory.steps import Step
from archcalc.arith import certainly, equal
from archcalc.graph import Graph, Tap


class Plan(NamedTuple):
    """The block of each node that is in one, and the nodes that run again.

    Of these, `not_in_last` do so only where another copy of a repeated block inside theirs follows.
    """

    block_of: Mapping[int, Block]
    again: frozenset[int]
    not_in_last: frozenset[int] = frozenset()

    def spans(self, steps: Sequence[Step]) -> dict[int, range]:
        """The steps that run again together, by their last one."""
        found: dict[int, range] = {}
        start, running = 0, None
        for number, step in enumerate((*steps, None)):
            block = None if step is None else self._block(step)
            if block != running:
                if running is not None:
                    found[number - 1] = range(start, number)
                start, running = number, block
        return found

    def _block(self, step: Step) -> tuple[str, tuple[int, ...]] | None:
        """The name of a step's block, and which copy of it this is."""
        block = self.block_of.get(step.node)
        if block is None or step.between in block.around:
            return None
        return block.name, step.copy[: len(block.around)]


NOTHING = Plan({}, frozenset())


def plan(graph: Graph, calls: Sequence[Call], blocks: Sequence[Block]) -> Plan:
    """Which nodes of the blocks run again: those of which the block's backward pass reads something."""
    if not blocks:
        return NOTHING
    again = _again(graph, calls, blocks)
    last = _again(graph, calls, blocks, copies_follow=False) if graph.repeats else again
    return Plan(
        {i: block for block in blocks for i in block.nodes}, frozenset(again), frozenset(again - last)
    )


def _again(
    graph: Graph, calls: Sequence[Call], blocks: Sequence[Block], copies_follow: bool = True
) -> set[int]:
    """The nodes that run again, of blocks inside these after which another copy follows, or the last one."""
    backward = reached(graph, calls)
    again: set[int] = set()
    for block in blocks:
        read: set[Tap] = set()
        known = -1
        while len(again) + len(read) > known:  # a copy of a repeated block reads what the one before wrote
            known = len(again) + len(read)
            for i in reversed(block.nodes):
                node, call = graph.nodes[i], calls[i]
                outputs = {Tap(i, k) for k in range(len(call.outputs))}
                if backward[i]:
                    read |= {node.inputs[k] for k in call.reads} | (outputs if call.held.output else set())
                keeps = backward[i] and not certainly(equal(call.saved, 0))
                if keeps or not read.isdisjoint(outputs):
                    again.add(i)
                    read |= set(node.inputs)
            inner = [repeat for repeat in graph.repeats if copies_follow and repeat not in block.around]
            read |= {repeat.out for repeat in inner if repeat.first in block.nodes and repeat.source in read}
    return again


def reached(graph: Graph, calls: Sequence[Call]) -> list[bool]:
    """Whether a gradient reaches each node from the outputs, and is passed on or used for its weights."""
    answers = [False] * len(graph.nodes)
    for tap in (*graph.outputs, *(repeat.out for repeat in graph.repeats)):
        answers[tap.node] = True
    for i in reversed(range(len(answers))):
        if answers[i]:
            answers[i] = calls[i].has_gradient
            for (source, _), flows in zip(graph.nodes[i].inputs, calls[i].flows, strict=True):
                if flows:
                    answers[source] = True
    return answers
