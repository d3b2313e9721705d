"""The calls of a network in bytes: what its layers hold, in its precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.analyses.memory.held import Call, Held
from archcalc.analyses.memory.precision import SINGLE, Precision
from archcalc.analyses.memory.rules import held
from archcalc.analyses.shapes import Shapes, Weights
from archcalc.arith import Shape, Size, prod, total
from archcalc.graph import Graph, Repeat
from archcalc.layers.base import Weight


def held_by_node(graph: Graph, shapes: Shapes, weights: Weights) -> list[Held | None]:
    """What each node's layer holds, by its rules; None where it has none.

    `weights`: without those that are shared, here and in `calls`.
    """
    cases = graph.cases(shapes)
    known: list[Held | None] = []
    for i, (node, case) in enumerate(zip(graph.nodes, cases.of, strict=True)):
        if case == len(known):  # numbers are in the order of their first appearance
            layer, inputs = cases.calls[case]
            owner = i if node.shared_with is None else node.shared_with
            known.append(held(layer, inputs, shapes[i][0], weights[owner]))
    return [known[case] for case in cases.of]


def calls(
    graph: Graph,
    shapes: Shapes,
    rules: Sequence[Held | None],
    tensor_bytes: Sequence[Sequence[Size]],
    weights: Weights,
    precision: Precision,
) -> list[Call]:
    """Every node's call; `tensor_bytes` are those of one sample.

    Of a repeated block, all copies have the gradients of the first one (`without_gradient_at_first`).
    """
    made: list[Call] = []
    has_gradient: list[bool] = []
    known: dict[tuple[Any, ...], Call] = {}  # a long network has few different ones
    for i, node in enumerate(graph.nodes):
        rule = rules[i] or NO_RULE
        own = weights[i if node.shared_with is None else node.shared_with]
        flows: tuple[bool, ...] = tuple([not rule.stops and has_gradient[read] for read, _ in node.inputs])
        upcast = rule.upcast and precision.activation < SINGLE
        inputs = graph.input_shapes(shapes, node) if upcast else ()
        key = id(rule), id(own), id(tensor_bytes[i]), flows, inputs
        try:
            call = known.get(key)
        except TypeError:  # arrays of sizes
            call = _call(rule, own, tuple(tensor_bytes[i]), flows, inputs, precision)
        else:
            if call is None:
                call = known[key] = _call(rule, own, tuple(tensor_bytes[i]), flows, inputs, precision)
        made.append(call)
        has_gradient.append(call.has_gradient)
    return made


NO_RULE = Held()


def without_gradient_at_first(graph: Graph, calls: Sequence[Call]) -> list[Repeat]:
    """The repeated blocks whose first copy reads a tensor without a gradient, and later copies one with.

    So does a trained block that reads the batch.
    """
    return [
        r for r in graph.repeats if calls[r.out.node].has_gradient and not calls[r.source.node].has_gradient
    ]


def _call(
    rule: Held,
    weights: Sequence[Weight],
    outputs: tuple[Size, ...],
    flows: tuple[bool, ...],
    copied_inputs: Sequence[Shape],
    precision: Precision,
) -> Call:
    """`copied_inputs`: the shapes of the inputs, if they are copied to float32 first."""
    half = precision.activation < SINGLE
    upcast = rule.upcast and half
    unit = SINGLE if upcast else precision.activation
    parameters = [w.parameters for w in weights]
    trainable = [count for count, w in zip(parameters, weights, strict=True) if w.trainable]
    trained = bool(trainable)
    reads = tuple(operands(rule, trained, flows))
    copied = [prod(copied_inputs[k]) for k in reads] if upcast else []
    kept = unit * (rule.hidden + (rule.copied if trained else 0) + total(copied)) + rule.masks
    cast = SINGLE * total(map(prod, copied_inputs))
    if half:
        kept = kept + SINGLE * rule.float32_units
    mixed = precision.activation != precision.weight
    return Call(
        outputs,
        rule,
        unit * rule.inference + cast + (SINGLE * rule.float32_units if half else 0),
        kept,
        unit * rule.forward + cast,
        unit * rule.backward + cast,
        unit * rule.into,
        unit * rule.early,
        precision.weight * total(trainable),
        precision.activation * (rule.rearranged + (total(parameters) if mixed else 0)),
        trained,
        flows,
        () if upcast else reads,
    )


def operands(rule: Held, trained: bool, flows: Sequence[bool]) -> list[int]:
    """The inputs that the backward pass reads."""
    read = [
        k for k in rule.inputs
        if trained or len(flows) == 1 or any(flow for j, flow in enumerate(flows) if j != k)
    ]  # fmt: skip
    return read + [k for k in rule.for_weights if trained and k not in read]
