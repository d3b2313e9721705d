"""Remedies: changed networks whose gradient may vanish or explode less, to be analysed like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from archcalc.analyses import shapes as shapes_of
from archcalc.analyses.initial import TRUNCATED_KURTOSIS, UNIFORM_KURTOSIS, draw, fans
from archcalc.analyses.mean_field.structure import Structure
from archcalc.arith import integers
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.layers import primitives as prim
from archcalc.layers.activations import activation_name
from archcalc.layers.base import Layer
from archcalc.layers.registry import layer_type

Tried = tuple[str, Graph, Sequence[Sequence[Any]]]
INITIALIZERS = ("glorot_normal", "lecun_normal", "he_normal", "orthogonal")
_KERNELS = ("kernel_initializer", "depthwise_initializer", "pointwise_initializer")


def remedies(structure: Structure) -> Iterator[Tried]:
    """Every remedy that applies, once: its name, the changed graph and its shapes."""
    tried = [_content(structure.graph)]
    for name, changed in _candidates(structure):
        if changed is None or _content(changed) in tried:
            continue
        tried.append(_content(changed))
        if len(changed.nodes) == len(structure.graph.nodes):  # an initialiser or a function changes no shape
            yield name, changed, structure.shapes
            continue
        try:
            yield name, changed, shapes_of.infer(changed)
        except ArchcalcError:
            continue


def _candidates(structure: Structure) -> Iterator[tuple[str, Graph | None]]:
    yield "ReLU and he_normal", _with(structure, "relu", "he_normal")
    yield "SELU and lecun_normal", _with(structure, "selu", "lecun_normal")
    for initializer in INITIALIZERS:
        yield f"the initialiser {initializer}", _with(structure, None, initializer)
    yield "batch normalisation before each activation", _normalised(structure)
    skipping = _skipping(structure)
    yield "a skip over every two layers", skipping
    yield "skips over every two layers whose branches start as zero", _zeroed(_again(skipping))
    yield "branches scaled by 1/sqrt(number of sums)", _scaled(structure)
    yield "branches that start as zero (zero gamma or zero last weights)", _zeroed(structure)


def _content(graph: Graph) -> Any:
    """What two graphs that compute the same, whatever they are called, have in common."""
    return [(node.layer, node.inputs, node.shared_with) for node in graph.nodes], graph.outputs


def _again(graph: Graph | None) -> Structure | None:
    return None if graph is None else Structure(graph, shapes_of.infer(graph))


def _replaced(graph: Graph, change: Callable[[int, Layer], Layer | dict[str, Any]]) -> Graph | None:
    """The graph with each layer replaced, or with other arguments, as `change(node, layer)` says.

    None if no layer changed. What was one layer object remains one, of which later passes ask once.
    """
    known: dict[tuple[int, str], Layer] = {}

    def changed(i: int, layer: Layer) -> Layer:
        new = change(i, layer)
        if isinstance(new, Layer):
            return new
        if not new:
            return layer
        key = id(layer), repr(new)
        if key not in known:
            known[key] = _changed(layer, **new)
        return known[key]

    layers = [changed(i, n.layer) for i, n in enumerate(graph.nodes)]
    nodes = tuple(
        node if layer is node.layer else node.with_layer(layer)
        for node, layer in zip(graph.nodes, layers, strict=True)
    )
    if all(a is b for a, b in zip(nodes, graph.nodes, strict=True)):
        return None
    return dataclasses.replace(graph, nodes=nodes)


def _changed(layer: Layer, **arguments: Any) -> Layer:
    changed: Layer = dataclasses.replace(layer, **arguments)
    return changed


def _head(structure: Structure) -> set[int]:
    """The last layer with weights and all nodes after it, which depend on the task."""
    return set(range(structure.weighted[-1], len(structure.graph.nodes)))


def _with(structure: Structure, activation: str | None, initializer: str) -> Graph | None:
    """The network with another initialiser, and with another activation except in the head.

    None if nothing changes, or the activation is the same already.
    """
    head = _head(structure)
    others = set()
    if activation is not None:
        others = {i for i in range(len(structure.graph.nodes)) if _is_other(structure, i, activation)} - head
        if not others:
            return None
    alone = _activation(activation)
    known: dict[tuple[int, bool], dict[str, Any]] = {}  # layers of the graph, most of which are met often

    def change(i: int, layer: Layer) -> Layer | dict[str, Any]:
        if i in others and structure.is_activation(i):
            return alone
        key = id(layer), i in others
        if key not in known:
            known[key] = {
                k: initializer
                for k in _KERNELS
                if hasattr(layer, k) and not _same(getattr(layer, k), initializer)
            } | ({"activation": activation} if i in others else {})
        return known[key]

    return _replaced(structure.graph, change)


def _is_other(structure: Structure, node: int, activation: str) -> bool:
    """Whether the node has, or is, an activation other than this one."""
    if not structure.is_activation(node):
        own = getattr(structure.layer(node), "activation", None)
        return structure.has_activation(node) and activation_name(own) != activation
    forms = [_activation(activation)] + [_made("ReLU")] * (activation == "relu")
    return structure.chains[node] not in [form.primitives(*structure.shapes[node]) for form in forms]


def _same(a: Any, b: Any) -> bool:
    """Whether two initialisers, by name or by configuration, draw the same."""
    shape = (3, 3, 5, 7)
    return a == b or (draw(a, shape) is not None and draw(a, shape) == draw(b, shape))


def _rebuilt(structure: Structure, add: Callable[[int, list[Any], str], str]) -> Graph | None:
    """The graph with further nodes; None if none is added.

    After each node i `add(i, nodes, name)` may append nodes to the list and returns the name of the node
    that later ones read instead of node i.
    """
    graph = structure.graph
    nodes: list[Any] = []
    new_names: dict[int, str] = {}
    shared = {}
    for i, node in enumerate(graph.nodes):
        inputs = [(new_names[t.node], t.output) if t.output else new_names[t.node] for t in node.inputs]
        nodes.append((node.name, node.layer, inputs))
        if node.shared_with is not None:
            shared[node.name] = graph.nodes[node.shared_with].name
        new_names[i] = add(i, nodes, node.name)
    if len(nodes) == len(graph.nodes):
        return None
    outputs = [(new_names[t.node], t.output) if t.output else new_names[t.node] for t in graph.outputs]
    return Graph.of(graph.name, nodes, outputs, shared=shared)


def _normalised(structure: Structure) -> Graph | None:
    """The network with BatchNormalization between weights and activation, where there is none yet."""
    head = _head(structure)
    weighted = set(structure.weighted) - head
    bare = {i for i in weighted if not _is_normalised(structure, i)}  # weights whose activation is separate

    def add(i: int, nodes: list[Any], name: str) -> str:
        if i not in bare:
            return name
        if not structure.has_activation(i):
            nodes.append((f"{name}/normalised", _made("BatchNormalization"), [name]))
            return f"{name}/normalised"
        layer = structure.layer(i)
        activation = getattr(layer, "activation", None)
        nodes[-1] = (name, _changed(layer, activation="linear"), nodes[-1][2])
        nodes.append((f"{name}/normalised", _made("BatchNormalization"), [name]))
        nodes.append((f"{name}/activation", _activation(activation), [f"{name}/normalised"]))
        return f"{name}/activation"

    return _rebuilt(structure, add)


def _is_normalised(structure: Structure, node: int) -> bool:
    """Whether the input of the activation after these weights is normalised, or there is no activation."""
    end = structure.activated(node)
    if end == node:
        return not structure.has_activation(node)
    run = structure.segment(node)
    between = run[1 : run.index(end)]
    return any(isinstance(s, prim.BatchStandardise) for i in between for s in structure.chains[i])


def _activation(name: Any) -> Layer:
    return _made("Activation", activation=name)


def _made(kind: str, **arguments: Any) -> Layer:
    cls: Any = layer_type(kind)
    layer: Layer = cls(**arguments)
    return layer


def _skipping(structure: Structure) -> Graph | None:
    """The network with h + W2 phi(W1 h) over pairs of successive layers that preserve the shape.

    The second layer of a pair loses its activation.
    """
    head = _head(structure)
    ends: dict[int, int] = {}  # the last node of a pair -> the node whose output is added
    linear: set[int] = set()
    used = -1
    for i in structure.weighted:
        before = structure.graph.nodes[i].inputs[0].node
        if i <= used or i in head or len(structure.consumers[before]) != 1:
            continue
        run = structure.segment(i)
        after = structure.consumers[run[-1]]
        if len(after) != 1 or after[0] not in structure.weighted or after[0] in head:
            continue
        end = structure.segment(after[0])
        if structure.shapes[before][0] == structure.shapes[end[-1]][0]:
            ends[end[-1]] = before
            linear.update(j for j in end if structure.has_activation(j) or structure.is_activation(j))
            used = end[-1]
    if not ends:
        return None
    new_names: dict[int, str] = {}

    def add(i: int, nodes: list[Any], name: str) -> str:
        if i in linear:
            layer = nodes[-1][1]
            bare = (
                _activation("linear") if structure.is_activation(i) else _changed(layer, activation="linear")
            )
            nodes[-1] = (name, bare, nodes[-1][2])
        new_names[i] = name
        if i in ends:
            new_names[i] = f"{name}/sum"
            nodes.append((new_names[i], _made("Add"), [new_names[ends[i]], name]))
        return new_names[i]

    return _rebuilt(structure, add)


def _ends(structure: Structure) -> set[int]:
    """The last layers of residual branches."""
    ends = set()
    for i in structure.sums:
        reached = [structure.branch_end(t.node) for t in structure.graph.nodes[i].inputs]
        # one input is the skip, even if it has weights too
        branches = [e for e in reached if e is not None]
        ends.update(branches if len(branches) < len(reached) else branches[1:])
    return ends


def _scaled(structure: Structure) -> Graph | None:
    """The network with the variance of each branch's last weights divided by n, the number of sums."""
    ends, n = _ends(structure), len(structure.sums)

    def change(i: int, layer: Layer) -> Layer | dict[str, Any]:
        if i not in ends:
            return {}
        if hasattr(layer, "gamma_initializer"):
            constant = {"class_name": "Constant", "config": {"value": n**-0.5}}
            return {"gamma_initializer": constant}
        name = next((k for k in _KERNELS if hasattr(layer, k)), None)
        if name is None:
            return {}
        read = structure.graph.input_shapes(structure.shapes, structure.graph.nodes[i])
        shape = integers(layer.weights(*read)[0].shape)
        element = draw(getattr(layer, name), shape)
        if element is None:
            return {}
        kinds = {UNIFORM_KURTOSIS: "uniform", TRUNCATED_KURTOSIS: "truncated_normal"}
        config = {
            "scale": element.variance * fans(shape)[0] / n,
            "mode": "fan_in",
            "distribution": kinds.get(element.kurtosis, "untruncated_normal"),
        }
        return {name: {"class_name": "VarianceScaling", "config": config}}

    return _replaced(structure.graph, change) if ends else None


def _zeroed(structure: Structure | None) -> Graph | None:
    """The network whose branches start as zero: zero gamma at their end, or else zero last weights."""
    if structure is None:
        return None
    ends = _ends(structure)

    def change(i: int, layer: Layer) -> Layer | dict[str, Any]:
        if i not in ends:
            return {}
        if hasattr(layer, "gamma_initializer"):
            return {"gamma_initializer": "zeros"}
        name = next((k for k in _KERNELS if hasattr(layer, k)), None)
        return {} if name is None else {name: "zeros"}

    return _replaced(structure.graph, change) if ends else None
