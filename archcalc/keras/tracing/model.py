"""A live model with custom code as a graph, checked against the model's own shapes and weights."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import keras

from archcalc import arith
from archcalc.analyses.shapes import infer
from archcalc.errors import ArchcalcError, SourceError
from archcalc.graph import Graph
from archcalc.keras.state import with_flags
from archcalc.keras.tracing import entries
from archcalc.keras.tracing.context import Context, functional, is_from_keras
from archcalc.keras.tracing.entries import Entry, Shape
from archcalc.keras.tracing.markers import UnknownOperator, hides_code
from archcalc.keras.tracing.measured import measured_window
from archcalc.keras.tracing.network import Call, Network, Part, traced
from archcalc.keras.tracing.patches import one_at_a_time
from archcalc.keras.tracing.recording import UntraceableError, recording
from archcalc.keras.tracing.weights import Weight
from archcalc.keras.training import compile_config
from archcalc.layers.keras_names import from_keras_name, to_keras_name
from archcalc.layers.opaque import Opaque
from archcalc.layers.window import Whole
from archcalc.readers.keras.inputs import given_shape, open_axes
from archcalc.readers.keras.reading import RESHAPE, UNKNOWN_REMEDY, Reading
from archcalc.readers.keras.shared import MARK
from archcalc.readers.keras_config import read_keras

_FIRST_BATCH = 11


def needs_tracing(model: Any) -> bool:
    """Whether a Keras model is of a class, or holds a layer of a class, that is not Keras's own."""
    graph = functional(model)
    if graph is None or not is_from_keras(model):
        return not isinstance(model, keras.Sequential) or model.built
    context = Context(0, 0, {}, set())
    parts = [_at_one_step(part) for part in graph.operations if not isinstance(part, keras.layers.InputLayer)]
    layers = [part for part in parts if isinstance(part, keras.layers.Layer)]
    return any(
        not isinstance(context.known(part), dict) if functional(part) is None else needs_tracing(part)
        for part in layers
    ) or not all(isinstance(part, keras.layers.Layer) or _says_its_arguments(part) for part in parts)


def _says_its_arguments(operation: keras.Operation) -> bool:
    """Whether Keras can write down an operation, which it cannot with functions and numbers of numpy."""
    if any(map(hides_code, operation._inbound_nodes)):
        return False
    try:
        operation.get_config()
    except NotImplementedError:
        return False
    return True


def _at_one_step(part: Any) -> Any:
    """The model that a TimeDistributed runs at every step, which the reader takes apart; or the part."""
    inside = part
    while type(inside) is keras.layers.TimeDistributed:
        inside = inside.layer
    return part if functional(inside) is None else inside


def trace(model: Any, source: str, input_shape: Sequence[int | str] | None, **options: Any) -> Graph:
    """The graph of a live Keras model whose custom layers are traced.

    What cannot be traced is an `Opaque` layer with the weights and shapes that the model has.

    Raises `ArchcalcError` for a model that was never built, and `SourceError` where even the shapes
    of the network cannot be followed.
    """
    if not model.built:
        raise ArchcalcError(
            f"{source} was never built: call it once on data, or build the same network with "
            "keras.Model(inputs, outputs)"
        )
    weights = model.weights
    first, second = _batches(model)
    trained = set(map(id, model.trainable_variables))
    context = Context(first, second, {id(v): v for v in weights}, trained)
    symbols = dict(options.get("symbols") or {})
    with one_at_a_time():
        network, config = _network(model, context, input_shape, symbols)
    options["symbols"] = symbols
    data = {
        **entries.entry("Functional", {}, model.name, ()),
        "config": {**config, "trainable": bool(model.trainable)},
        "keras_version": keras.__version__,
        **compile_config(model),
    }
    problems: dict[int, tuple[str, Entry]]
    for _ in range(len(network.parts) + 1):
        _settle_weights(network, weights, model.name)
        try:
            graph = read_keras(data, source, **options)
            problems = {i: (reason, {}) for i, reason in _disagreements(graph, network.parts)}
            problems = problems or dict(_sharing_weights(graph, network.parts))
        except SourceError as fault:
            found = dict(_located(fault, data, network.parts))
            if not found:
                raise
            problems = {i: (reason, {}) for i, reason in _first_faults(found, network.parts)}
        if not problems:
            return _in_state(graph, network.parts, context.trainable)
        for i, (reason, figures) in problems.items():
            _replace(network.parts[i], reason, figures)
    raise ArchcalcError(f"{source}: the traced network does not agree with the model")


def _in_state(graph: Graph, parts: Sequence[Part], trained: set[int]) -> Graph:
    """The graph with the weights trained that are in the model, for parts that are layers."""
    numbers = graph.index()
    variables = {numbers[part.path]: part.variables for part in parts if part.path in numbers}
    return with_flags(graph, variables, trained) or graph


def _batches(model: Any) -> tuple[int, int]:
    """Two sizes of the batch axis that no other axis has, nor a multiple of them."""
    sizes = {n for v in model.variables for n in v.shape}
    for tensor in keras.tree.flatten(getattr(functional(model), "operations", [])):
        sizes |= {n for node in tensor._inbound_nodes for t in node.outputs for n in t.shape if n}
    odd = (n for n in count(_FIRST_BATCH, 2) if not any(size % n == 0 for size in sizes if size))
    return next(odd), next(odd)


def _network(
    model: Any, context: Context, input_shape: Sequence[int | str] | None, symbols: dict[str, Any]
) -> tuple[Network, Entry]:
    """The entries of the model, and its configuration.

    Values of `symbols` that become sizes of the traced tensors are taken out.
    """
    graph = functional(model)
    if graph is not None and input_shape is None and not any(symbols.values()):
        network = Network.of_model(graph, context)
        return network, network.config(model.name, graph.outputs)
    args = () if graph is None else (_resized(graph, input_shape, symbols),)
    words = _inputs(model, input_shape) if graph is None else {}
    outer = Network(context)
    for i, tensor in enumerate(keras.tree.flatten([args, words])):
        outer.add_input(tensor, f"input_{i + 1}" if graph is None else graph.inputs[i].name)
    try:
        inner, _, config = traced(Call(model if graph is None else graph, args, words), outer, model.name, "")
    except UntraceableError as fault:
        return outer, outer.config(model.name, _whole(model, outer, args, words, str(fault)))
    return inner, config


def _resized(graph: Any, input_shape: Sequence[int | str] | None, symbols: dict[str, Any]) -> Any:
    """The inputs of a functional model, with these sizes of their axes."""
    reading = Reading("", symbols=symbols)
    if input_shape is not None:
        reading.input_shape = given_shape(input_shape, reading)
    tensors = []
    for tensor in graph.inputs:
        sizes = open_axes(tuple(tensor.shape[1:]), "input", reading)
        if sizes is None:
            raise ArchcalcError(str(reading.faults[0]))
        shape = (None, *(n if type(n) is int else None for n in sizes))
        tensors.append(keras.KerasTensor(shape, dtype=tensor.dtype))
    for name in reading.open_symbols:
        if symbols.get(name) is not None:
            del symbols[name]
    return keras.tree.pack_sequence_as(graph._inputs_struct, tensors)


def _whole(model: Any, outer: Network, args: Any, words: dict[str, Any], reason: str) -> list[Any]:
    """The outputs of a model of which only its weights and its outputs' shapes are known."""
    reason = f"its code could not be traced: {reason}"
    operator = UnknownOperator(type(model).__name__, reason, _outputs(model, args, words))
    given = [x for x in keras.tree.flatten([args, words]) if isinstance(x, keras.KerasTensor)]
    outputs = operator.symbolic_call(*given)
    (node,) = operator._inbound_nodes
    figures = measured_window(model, args, words, outputs)
    outer.opaque(node, outer.unique(model.name), model.weights, reason, **figures)
    return list(outputs)


def _outputs(model: Any, args: Any, words: dict[str, Any]) -> list[tuple[Shape, str]]:
    """The shapes and dtypes of the model's outputs; from a call on zeros, if symbolic tensors cannot say."""
    try:
        with recording(model, [], random=True):
            outputs = model(*args, **words)
    except Exception as fault:  # whatever the model's code raises
        try:
            with recording(model, [], random=True), keras.StatelessScope(initialize_variables=False):
                outputs = model(
                    *keras.tree.map_structure(_zeros, args), **keras.tree.map_structure(_zeros, words)
                )
        except Exception:
            raise ArchcalcError(f"model {model.name!r} does not run on symbolic tensors: {fault}") from fault
    return [
        ((None, *t.shape[1:]), keras.backend.standardize_dtype(t.dtype))
        for t in keras.tree.flatten(outputs)
        if t is not None
    ]


def _zeros(tensor: Any) -> Any:
    if None in tensor.shape[1:]:
        raise UntraceableError("the input has open axes")
    return keras.ops.zeros((2, *tensor.shape[1:]), tensor.dtype)


def _inputs(model: Any, input_shape: Sequence[int | str] | None) -> dict[str, Any]:
    """Symbolic tensors for the arguments with which the model was built."""
    names = [*inspect.signature(model.call).parameters]
    if input_shape is not None:
        sizes = (n if type(n) is int else None for n in input_shape)
        return {names[0]: keras.KerasTensor((None, *sizes), dtype=model.input_dtype)}
    built = getattr(model, "_build_shapes_dict", None)
    if not built:
        raise ArchcalcError(
            f"model {model.name!r} does not say with which input shape it was built: "
            "give it (without the batch): input_shape=(32, 32, 3)"
        )
    given = {key.removesuffix("_shape"): shape for key, shape in built.items()}
    return {
        (name if name in names else names[i]): _symbolic(shape, model)
        for i, (name, shape) in enumerate(given.items())
    }


def _symbolic(shape: Any, model: Any) -> Any:
    if isinstance(shape, dict):
        return {k: _symbolic(v, model) for k, v in shape.items()}
    if all(n is None or isinstance(n, int) for n in shape):
        return keras.KerasTensor((None, *shape[1:]), dtype=model.input_dtype)
    return [_symbolic(v, model) for v in shape]


# -- what the model itself says ------------------------------------------------------------------------
def _settle_weights(network: Network, weights: Sequence[Any], model: str) -> None:
    """Give every weight of the model to one entry: a layer's, an untraced layer's, or a row of its own."""
    network.layers[:] = [e for e in network.layers if not e.get("unread")]
    network.parts[:] = [part for part in network.parts if not part.entry.get("unread")]
    left = {id(v): v for v in weights}
    for part in network.parts:
        if part.entry["class_name"] != "Opaque":
            for v in part.variables:
                left.pop(id(v), None)
    _share_parameters(network.parts)
    trainable = network.context.trainable
    for part in network.parts:
        if part.entry["class_name"] == "Opaque":
            own = [v for v in part.variables if left.pop(id(v), None) is not None]
            names = _distinct(v.path.split("/", 1)[-1] for v in own)
            part.entry["config"]["weights"] = [
                {"name": name, "shape": list(v.shape), "trainable": id(v) in trainable}
                for name, v in zip(names, own, strict=True)
            ]
    for v in left.values():
        _unread_weight(network, v, v.path.removeprefix(f"{model}/"))


def _share_parameters(parts: Sequence[Part]) -> None:
    """Let a weight that is a tensor be the weight of the layer before it that has it."""
    owners: dict[int, Part] = {}
    for part in parts:
        if part.entry["class_name"] == "Parameter":
            owner = owners.get(id(part.variables[0]))
            if owner is not None and MARK in owner.entry:
                part.entry[MARK] = owner.entry[MARK]
        if part.entry["class_name"] != "Opaque":
            for v in part.variables:
                owners.setdefault(id(v), part)


def _sharing_weights(graph: Graph, parts: Sequence[Part]) -> Iterator[tuple[int, tuple[str, Entry]]]:
    """The parts with weights of a layer of another kind, which no two rows can own, and their figures.

    A cell that is called by itself, and by the RNN around it, for example.
    """
    owners: dict[int, Part] = {}
    numbers = graph.index()
    for i, part in enumerate(parts):
        if part.entry["class_name"] == "Opaque":
            continue
        others = [owners.setdefault(id(v), part) for v in part.variables]
        # a weight that is a tensor may be that of any layer
        alike = (MARK,) if part.entry["class_name"] == "Parameter" else (MARK, "class_name")
        other = next((o for o in others if any(o.entry.get(k) != part.entry.get(k) for k in alike)), None)
        if other is None:
            continue
        node = graph.nodes[numbers[part.path]]
        with arith.scope():
            inputs = graph.input_shapes(infer(graph), node)
            work = {"macs": node.layer.macs(*inputs), "elementwise_ops": node.layer.elementwise_ops(*inputs)}
            whole = all(isinstance(read, Whole) for window in node.layer.window(*inputs) for read in window)
        figures: Entry = {k: n for k, n in work.items() if type(n) is int}
        yield i, (f"it has weights of {other.path!r}", figures | ({"window": "whole"} if whole else {}))


def _unread_weight(network: Network, variable: Any, path: str) -> None:
    """A row for a weight that no call reads, so that it is counted."""
    assert network.anchor is not None
    name = network.unique(to_keras_name(path))
    weight = Weight(variable, tuple(variable.shape))
    network.parameters.pop((id(variable), weight.shape), None)
    network.parameter(weight, weight.shape, name)
    network.layers[-1]["unread"] = True


def _distinct(names: Iterable[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}[{seen[name]}]"


def _located(fault: SourceError, data: Any, parts: Sequence[Part]) -> Iterator[tuple[int, str]]:
    """The parts in whose entries the reader found faults."""
    by_entry = {id(part.entry): i for i, part in enumerate(parts)}
    for one in fault.faults:
        where = data
        part = None
        for key in re.findall(r"[^.\[\]$]+", one.path):
            try:
                where = where[int(key)] if isinstance(where, list) else where[key]
            except (KeyError, IndexError, TypeError, ValueError):
                break
            part = by_entry.get(id(where), part)
        if part is not None and parts[part].entry["class_name"] != "Opaque":
            yield part, one.message.split(f"; {UNKNOWN_REMEDY}")[0]


def _first_faults(found: Mapping[int, str], parts: Sequence[Part]) -> Iterator[tuple[int, str]]:
    """The faults of parts that read no other part with one: these may only follow from those."""
    faulty = {parts[i].path for i in found}
    for i, reason in found.items():
        prefix = parts[i].path.removesuffix(from_keras_name(parts[i].entry["name"]))
        if not any(prefix + from_keras_name(v.name) in faulty for v in parts[i].inputs):
            yield i, reason


def _disagreements(graph: Graph, parts: Sequence[Part]) -> Iterator[tuple[int, str]]:
    """The parts whose shapes or weights are others than the model's, with the reason."""
    by_path = {part.path: i for i, part in enumerate(parts)}
    inferred: list[Any] = []
    apart: list[int] = []  # of each node's outputs: how many parts of a sample the model has along the batch
    with arith.scope():
        for node in graph.nodes:
            i = by_path.get(node.name)
            inputs = graph.input_shapes(inferred, node)
            try:
                outputs = node.layer.output_shapes(*inputs)
                weights = node.layer.weights(*inputs)
            except Exception as fault:  # of a rule that was not made for these operands
                if i is None:
                    raise
                yield i, str(fault) or f"{parts[i].label} has no rule for these operands"
                return
            inferred.append(outputs)
            before = max((apart[tap.node] for tap in node.inputs), default=1)
            stated = None if i is None else [shape[1:] for shape in parts[i].shapes]
            apart.append(before if stated is None else _parts_along_batch(node, outputs, stated, before))
            if i is not None and not isinstance(node.layer, Opaque):
                yield from ((i, reason) for reason in _reasons(parts[i], outputs, weights, apart[-1]))


def _parts_along_batch(node: Any, outputs: Sequence[Any], stated: Sequence[Any], before: int) -> int:
    """Of how many parts of one sample the model's batch consists here, which are an axis of the graph's.

    A reshape folds them into the batch, and unfolds them; other layers leave them where they are.
    """
    if type(node.layer).__name__ != RESHAPE:
        return before
    (shape,), (own,) = outputs, stated
    if len(shape) == len(own):
        return 1
    return shape[0] if len(shape) == len(own) + 1 and type(shape[0]) is int else before


def _reasons(part: Part, outputs: Sequence[Any], weights: Sequence[Any], apart: int) -> Iterator[str]:
    """What differs between an entry's rule and the model."""
    stated = [shape[1:] if apart == 1 else (apart, *shape[1:]) for shape in part.shapes]
    if len(stated) != len(outputs) or not all(map(_fits, outputs, stated)):
        yield f"the model's output shapes are {stated}, and archcalc's {list(outputs)}"
    elif Counter(tuple(w.shape) for w in weights) != Counter(tuple(v.shape) for v in part.variables):
        yield "the model has other weights"


def _fits(shape: Sequence[Any], stated: Sequence[Any]) -> bool:
    return len(shape) == len(stated) and all(
        type(n) is not int or m is None or n == m for n, m in zip(shape, stated, strict=True)
    )


def _replace(part: Part, reason: str, figures: Entry) -> None:
    """Make an entry one of which only shapes, weights and these figures are known."""
    name = part.entry["name"]
    new = entries.opaque(name, part.label, reason, part.shapes, part.inputs)
    new["config"] |= figures
    part.entry.clear()
    part.entry.update(new)
