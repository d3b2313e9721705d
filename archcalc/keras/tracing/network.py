"""Calls of a live model as entries of a configuration; custom layers are traced into nested models."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np
from keras.src import backend
from keras.src.ops.node import Node

from archcalc.keras.tracing import entries
from archcalc.keras.tracing.batches import require_any_batch
from archcalc.keras.tracing.context import Context, functional
from archcalc.keras.tracing.entries import Entry, Shape, Value
from archcalc.keras.tracing.markers import OperationLayer, hides_code
from archcalc.keras.tracing.measured import measured_window
from archcalc.keras.tracing.recording import Recorded, UntraceableError, record
from archcalc.keras.tracing.tf_replay import record_graph
from archcalc.keras.tracing.weights import Operands, Weight, operands
from archcalc.layers.keras_names import from_keras_name

# layers that treat every index of the leading axes alike, so that it may be missing
_ALONG_LAST_AXIS = ("Dense", "Activation", "Dropout", "Identity")


@dataclass
class Part:
    """What is known of an entry apart from its rule: the model's own figures.

    `path` is the name of its row; `shapes` those of its outputs, with batch; `variables` the
    weights that it stands for.
    """

    entry: Entry
    path: str
    label: str
    shapes: list[Shape]
    inputs: list[Value]
    variables: list[Any]


@dataclass
class Network:
    """The entries of one model, or of one call of a custom layer (`traced`).

    `prefix` is the path of the rows inside. `parts` are those of nested networks too.
    """

    context: Context
    prefix: str = ""
    traced: bool = False
    parts: list[Part] = field(default_factory=list)
    layers: list[Entry] = field(default_factory=list)
    values: dict[int, Value | Weight] = field(default_factory=dict)
    producers: dict[int, tuple[Node, int]] = field(default_factory=dict)
    parameters: dict[tuple[int, Shape], Value] = field(default_factory=dict)
    anchor: Value | None = None
    names: dict[str, int] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)

    # -- whole networks ----------------------------------------------------------------------------
    @classmethod
    def of_model(cls, model: Any, context: Context, prefix: str = "") -> Network:
        """The network of a functional model; see `config`."""
        network = cls(context, prefix)
        for tensor in model.inputs:
            operation = tensor._keras_history.operation
            network.add_input(tensor, operation.name, entries.serialized(operation))
        for operation in model.operations:
            if isinstance(operation, keras.layers.InputLayer):
                continue
            for number, node in enumerate(operation._inbound_nodes):
                if f"{id(operation)}_ib-{number}" in model._nodes:
                    network.add(node)
        return network

    @classmethod
    def of_call(cls, recorded: Recorded, outer: Network, prefix: str) -> tuple[Network, list[Value]]:
        """The network of one call of a custom layer, and its inputs in the enclosing network.

        Raises `UntraceableError` where an output depends on none of the inputs.
        """
        network = cls(outer.context, prefix, traced=True)
        for node in recorded.nodes:
            for k, tensor in enumerate(node.outputs):
                network.producers[id(tensor)] = node, k
        inputs: list[Value] = []
        for given, fresh in recorded.inputs:
            value = outer.value(given)
            if isinstance(value, Weight):
                dtype = keras.backend.standardize_dtype(fresh.dtype)
                network.values[id(fresh)] = value._replace(dtype=dtype)
                continue
            name = f"input_{len(inputs) + 1}" if prefix else value.name
            network.add_input(fresh, name, batched=value.batched)
            inputs.append(value)
        if not inputs:
            raise UntraceableError("it takes no tensor")
        needed = network._needed(recorded.outputs)
        for node in recorded.nodes:
            if id(node) in needed:
                network.add(node)
        return network, inputs

    def config(self, name: str, outputs: Iterable[Any]) -> Entry:
        """The configuration of a functional model with these entries."""
        ends = []
        for tensor in outputs:
            value = self.value(tensor)
            if isinstance(value, Weight) or not value.batched:
                raise UntraceableError("an output depends on its weights alone")
            nested = any(e["name"] == value.name and e["class_name"] == "Functional" for e in self.layers)
            ends.append([value.name, int(nested), value.output])
        starts = [[e["name"], 0, 0] for e in self.layers if e["class_name"] == "InputLayer"]
        return {
            "name": name,
            "trainable": True,
            "layers": self.layers,
            "input_layers": starts,
            "output_layers": ends,
        }

    def _needed(self, outputs: Iterable[Any]) -> set[int]:
        """The ids of the nodes on which the outputs depend."""
        needed: set[int] = set()
        left = list(outputs)
        while left:
            tensor = left.pop()
            if id(tensor) in self.producers:
                node = self.producers[id(tensor)][0]
                if id(node) not in needed:
                    needed.add(id(node))
                    left.extend(node.arguments.keras_tensors)
                    left.extend(self._masks(node))
        return needed

    # -- tensors -----------------------------------------------------------------------------------
    def value(self, tensor: Any) -> Value | Weight:
        """The tensor as an output of an entry, or as a weight; its call is added if it is not there yet."""
        if isinstance(tensor, keras.Variable):
            return Weight(tensor, tuple(tensor.shape))
        if id(tensor) not in self.values:
            node, _ = self.producers.get(id(tensor)) or _history(tensor)
            self.add(node)
        if id(tensor) not in self.values:
            raise UntraceableError("a tensor of another network is used")
        return self.values[id(tensor)]

    def add_input(self, tensor: Any, name: str, data: Entry | None = None, *, batched: bool = True) -> None:
        """An input, described by `data` or by the tensor itself."""
        name = self.unique(name)
        shape = tuple(tensor.shape)
        config = {"batch_shape": [None, *shape[1:]], "dtype": keras.backend.standardize_dtype(tensor.dtype)}
        self.layers.append({**(data or entries.entry("InputLayer", config, name, ())), "name": name})
        self.layers[-1]["inbound_nodes"] = []
        value = self.values[id(tensor)] = Value(name, 0, shape, tensor.dtype, batched)
        if self.anchor is None and batched:
            self.anchor = value

    def results(self, node: Node, name: str, *, batched: bool = True) -> None:
        """Note that the outputs of a node are those of the entry of this name."""
        for k, tensor in enumerate(node.outputs):
            shape = tuple(tensor.shape)
            if batched and self.traced:
                self._require_batch(shape, node)
            self.values[id(tensor)] = Value(name, k, shape, tensor.dtype, batched)

    def _require_batch(self, shape: Shape, node: Node) -> None:
        batch = self.context.batch
        if not shape or shape[0] != batch or any(n and n % batch == 0 for n in shape[1:]):
            kind = type(node.operation).__name__
            raise UntraceableError(f"{kind} moves, folds or drops the batch axis")

    def unique(self, name: str) -> str:
        """The name, with the number of the call if it is taken, as rows are named."""
        self.names[name] = self.names.get(name, 0) + 1
        return name if self.names[name] == 1 else self.unique(f"{name}[{self.names[name]}]")

    # -- calls -------------------------------------------------------------------------------------
    def add(self, node: Node) -> None:
        """Add the entry of a call, after those that it depends on."""
        stack = [node]
        while stack:
            last = stack[-1]
            missing = [] if id(last) in self.done else list(self._before(last))
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if id(last) not in self.done:
                self.done.add(id(last))
                self._write(last)

    def _before(self, node: Node) -> Iterator[Node]:
        for tensor in (*node.arguments.keras_tensors, *self._masks(node)):
            if id(tensor) not in self.values:
                yield (self.producers.get(id(tensor)) or _history(tensor))[0]

    def _write(self, node: Node) -> None:
        part = node.operation
        if not isinstance(part, keras.layers.Layer):
            if self.traced or not hides_code(node):
                Operands(self, node).write()
            else:
                self._custom(node, OperationLayer(part))
            return
        if (model := functional(part)) is not None:
            self._nested(model, node)
        elif isinstance(known := self.context.known(part), dict):
            self._layer(known, node)
        elif known:
            self.opaque(node, self.unique(part.name), part.weights, known)
        else:
            self._custom(node, part)

    def _layer(self, entry: Entry, node: Node) -> None:
        layer = node.operation
        if any(id(v) not in self.context.owned for v in layer.weights):
            raise UntraceableError(f"each call creates the weights of a layer ({type(layer).__name__})")
        values = [self.value(t) for t in operands(node.arguments)]
        if entry["class_name"] not in _ALONG_LAST_AXIS and any(
            isinstance(v, Weight) or not v.batched for v in values
        ):
            raise UntraceableError(f"{entry['class_name']} is called with a weight")
        name = self.unique(layer.name)
        args, kwargs = _by_name(layer, node.arguments)
        if hasattr(layer, "get_initial_state") and hasattr(layer, "state_size"):  # a cell
            args, kwargs = self._with_first_states(node.arguments.keras_tensors[0], args, kwargs)
        call = {"args": self.written(args), "kwargs": self.written(kwargs)}
        entry |= {"name": name, "inbound_nodes": [call], "shared_object_id": id(layer)}
        entry["config"] = {**entry["config"], "name": name, "trainable": self._is_trained(layer)}
        self.append(entry, node, type(layer).__name__, layer.weights)
        batched = any(isinstance(v, Value) and v.batched for v in values)
        if not batched:
            self.parts[-1].shapes = [(None, *t.shape) for t in node.outputs]
        self.results(node, name, batched=batched)

    def _with_first_states(self, x: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The arguments of a cell, in which zeros, its states in the first step of a loop, become tensors."""

        def tensor(value: Any) -> Any:
            shape = tuple(getattr(value, "shape", ()))
            # of the same positions as x, with channels of its own
            state = len(shape) == len(x.shape) and shape[1:-1] == tuple(x.shape[1:-1])
            if not state or isinstance(value, keras.KerasTensor | keras.Variable) or np.asarray(value).any():
                return value
            zeros = keras.ops.zeros_like(keras.ops.repeat(x[..., :1], shape[-1], axis=-1))
            self.add(_history(zeros)[0])
            return zeros

        return keras.tree.map_structure(tensor, (args, kwargs))

    def _is_trained(self, layer: Any) -> bool:
        if not layer.trainable_variables:
            return bool(layer.trainable)
        return any(id(v) in self.context.trainable for v in layer.trainable_variables)

    def _nested(self, model: Any, node: Node) -> None:
        """A functional model inside another one."""
        name = self.unique(node.operation.name)
        inner = Network.of_model(model, self.context, self._path(name))
        given = _leaves_in_order(model, node)
        if not all(map(_fits, given, model.inputs)):
            inner.forget_shapes()
        args = [[self.tensor(t).reference for t in given]]
        self._append_network(inner, inner.config(name, model.outputs), name, args)
        self.results(node, name)

    def forget_shapes(self) -> None:
        """Keep no shapes of the model itself, since it is called with another input shape.

        Raises `UntraceableError` for custom layers inside, whose code may depend on it.
        """
        if any(e["class_name"] == "Functional" for e in self.layers) or any(
            part.entry["class_name"] == "Opaque" for part in self.parts
        ):
            raise UntraceableError("a model of custom layers is called with two input shapes")
        for part in self.parts:
            part.shapes = [(None,) * len(shape) for shape in part.shapes]

    def _custom(self, node: Node, layer: Any) -> None:
        name = self.unique(layer.name)
        call = Call(layer, node.arguments.args, node.arguments.kwargs)
        try:
            inner, inputs, config = traced(call, self, name, self._path(name), node.outputs)
        except UntraceableError as fault:
            figures = measured_window(layer, call.args, call.kwargs, node.outputs)
            reason = f"its code could not be traced: {fault}"
            self.opaque(node, name, layer.weights, reason, **figures)
            return
        self._append_network(inner, config, name, [[v.reference for v in inputs]])
        self.results(node, name)

    def opaque(
        self,
        node: Node,
        name: str,
        variables: Sequence[Any],
        reason: str,
        *,
        batched: bool = True,
        **figures: Any,
    ) -> None:
        """An entry without a rule: shapes, weights and these figures are known."""
        label = type(node.operation).__name__
        if not isinstance(node.operation, keras.layers.Layer):
            label = getattr(node.operation, "label", f"ops.{label}")
        shapes = [self._open(t.shape) if batched else (None, *t.shape) for t in node.outputs]
        inputs = [self.tensor(t) for t in operands(node.arguments)]
        if not inputs and self.anchor is not None:
            inputs = [self.anchor]
        entry = entries.opaque(name, label, reason, shapes, inputs)
        entry["config"] |= figures
        self.append(entry, node, label, variables)
        self.parts[-1].shapes = shapes
        self.results(node, name, batched=batched)

    def _append_network(self, inner: Network, config: Entry, name: str, args: list[Any]) -> None:
        entry = entries.entry("Functional", {}, name, args)
        entry["config"] = config
        self.layers.append(entry)
        self.parts += inner.parts

    def append(self, entry: Entry, node: Node, label: str, variables: Sequence[Any]) -> None:
        """Add an entry, with what the model knows of it."""
        self.layers.append(entry)
        shapes = [self._open(t.shape) for t in node.outputs]
        inputs = [v for t in operands(node.arguments) if isinstance(v := self.value(t), Value)]
        path = self.prefix + from_keras_name(entry["name"])
        self.parts.append(Part(entry, path, label, shapes, inputs, list(variables)))

    def write_weighted(
        self, node: Node, name: str, class_name: str, config: Entry, x: Value, variable: Any
    ) -> None:
        """An operation one of whose operands is a weight, as the layer that does the same."""
        name = self.unique(name)
        config |= {"trainable": id(variable) in self.context.trainable}
        entry = entries.entry(class_name, config, name, [x.reference], shared_object_id=id(variable))
        self.append(entry, node, class_name, [variable])
        self.results(node, name)

    def _masks(self, node: Node) -> list[Any]:
        """The masks of the tensors that a custom layer is called with, which Keras passes on to it."""
        if not isinstance(node.operation, keras.layers.Layer) or self.context.known(node.operation):
            return []
        found = [backend.get_keras_mask(t) for t in node.arguments.keras_tensors]
        return [mask for mask in found if isinstance(mask, keras.KerasTensor)]

    def _path(self, name: str) -> str:
        return f"{self.prefix}{from_keras_name(name)}/"

    def _open(self, shape: Sequence[Any]) -> Shape:
        return (None, *tuple(shape)[1:])

    # -- arguments ---------------------------------------------------------------------------------
    def tensor(self, tensor: Any) -> Value:
        """The tensor as an output of an entry; a weight becomes one."""
        value = self.value(tensor)
        return self.parameter(value, value.shape) if isinstance(value, Weight) else value

    def written(self, tree: Any) -> Any:
        """Arguments of a call as a configuration holds them."""
        if isinstance(tree, keras.KerasTensor | keras.Variable):
            return self.tensor(tree).reference
        if isinstance(tree, dict):
            return {k: self.written(v) for k, v in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.written(v) for v in tree]
        if self.traced and self.context.batch in tuple(getattr(tree, "shape", ())):
            tree = entries.of_one_sample(tree, self.context.batch)
        return entries.as_data(tree)

    def parameter(self, weight: Weight, shape: Shape, name: str | None = None) -> Value:
        """A weight as a tensor of this shape, without batch, which every sample has."""
        if self.anchor is None:
            raise UntraceableError("it takes no tensor")
        variable = weight.variable
        key = id(variable), shape
        if key not in self.parameters:
            name = name or self.unique(variable.name)
            dtype = weight.dtype or variable.dtype
            trained = id(variable) in self.context.trainable
            entry = entries.parameter(name, variable.shape, shape, dtype, trained, self.anchor)
            entry["shared_object_id"] = id(variable)
            self.layers.append(entry)
            path = self.prefix + from_keras_name(name)
            self.parts.append(Part(entry, path, "Parameter", [(None, *shape)], [self.anchor], [variable]))
            self.parameters[key] = Value(name, 0, shape, dtype, batched=False)
        return self.parameters[key]


class Call(NamedTuple):
    """A call of a layer with these arguments."""

    layer: Any
    args: Any
    kwargs: Mapping[str, Any]


def traced(
    call: Call, outer: Network, name: str, prefix: str, expected: Sequence[Any] | None = None
) -> tuple[Network, list[Value], Entry]:
    """The network of a custom layer's call, its inputs in the enclosing network, and its configuration.

    The layer's code runs on symbolic tensors; where it cannot, it runs inside a graph of TensorFlow; and
    it must do the same for any number of samples. `expected` are the outputs of the real call.

    Raises `UntraceableError` if neither can be read.
    """
    faults = []
    batch, other, model = outer.context.batch, outer.context.other_batch, outer.context.owned
    for road in (record, record_graph):
        try:
            recorded = road(*call, batch, model)
            inner, inputs = Network.of_call(recorded, outer, prefix)
            config = inner.config(name, recorded.outputs)
            if expected is not None:
                require_same(recorded.outputs, expected)
            again = road(*call, other, model, closed=batch)
            require_any_batch(recorded, batch, again, other)
            return inner, inputs, config
        except UntraceableError as fault:
            faults.append(str(fault))
    first, second = faults
    raise UntraceableError(first if first == second else f"{first}; as a graph of TensorFlow: {second}")


def require_same(outputs: Sequence[Any], expected: Sequence[Any]) -> None:
    """Raise `UntraceableError` unless a traced call has the outputs that the real one had."""
    if len(outputs) != len(expected) or not all(map(_fits, outputs, expected)):
        shapes = [[tuple(getattr(t, "shape", ())) for t in of] for of in (outputs, expected)]
        raise UntraceableError(f"traced again, its outputs have the shapes {shapes[0]} for {shapes[1]}")


def _fits(output: Any, expected: Any) -> bool:
    shape = tuple(getattr(output, "shape", ()))
    return len(shape) == len(expected.shape) and all(
        None in (n, m) or n == m for n, m in zip(shape[1:], expected.shape[1:], strict=True)
    )


def _by_name(layer: Any, arguments: Any) -> tuple[list[Any], dict[str, Any]]:
    """A call's arguments, all but the first by name, since a mask is known by its name."""
    names = list(inspect.signature(layer.call).parameters)
    first, *others = arguments.args or [None]
    named = dict(zip(names[1:], others, strict=False))
    return ([first] if arguments.args else []), named | arguments.kwargs


def _history(tensor: Any) -> tuple[Node, int]:
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        raise UntraceableError("a tensor of another network is used")
    return history.operation._inbound_nodes[history.node_index], history.tensor_index


def _leaves_in_order(model: Any, node: Node) -> list[Any]:
    """The tensors of a call of a functional model, in the order of the model's inputs."""
    given = node.arguments.args[0] if node.arguments.args else next(iter(node.arguments.kwargs.values()))
    if isinstance(given, dict):
        names = model._inputs_struct if isinstance(model._inputs_struct, dict) else model.input_names
        given = [given[name] for name in (sorted(names) if isinstance(names, dict) else names)]
    return [t for t in keras.tree.flatten(given) if t is not None]
