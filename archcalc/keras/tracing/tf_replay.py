"""A graph of TensorFlow's operators, run again on symbolic tensors with layers and functions of Keras.

Operators on constants are computed, loops of known length unrolled, branches on constants taken, and
functions run in place; every other operator is what the table of `tf_operators` says. An operator that
is not in the table is unknown: its shapes are known, and its row names it.
"""

# ruff: noqa: ARG001, ARG005  (functions of lists, of one signature)

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from keras.src import backend

from archcalc.keras.tracing import views
from archcalc.keras.tracing.entries import of_one_sample
from archcalc.keras.tracing.markers import EverySample, OneSample, UnknownOperator
from archcalc.keras.tracing.recording import Recorded, UntraceableError, first_line, recording
from archcalc.keras.tracing.tf_graph import Leaf, Transcript, is_of_a_graph, key, transcribe
from archcalc.keras.tracing.tf_operators import OPERATORS, Call
from archcalc.keras.tracing.views import View

_MOST = 20_000  # operators, loops unrolled
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_LOOPS = ("While", "StatelessWhile")
_PRODUCTS = ("MatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv2D", "Conv3D")
_BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase")

Env = dict[str, Any]


def record_graph(
    layer: Any,
    args: Any,
    kwargs: Mapping[str, Any],
    batch: int,
    model: Mapping[int, Any],
    closed: int | None = None,
) -> Recorded:
    """Run `layer.call` as a graph of TensorFlow, and what the graph does on symbolic tensors.

    Like `recording.record`, for code that does not run on symbolic tensors.

    Raises
    ------
    UntraceableError
        The code does not run inside a graph, or the graph does what no operation of Keras does.
    """
    recorded = Recorded()
    with recording(layer, recorded.nodes, random=True):
        transcript = transcribe(layer, args, kwargs, batch, model, closed)
        replay = Replay(transcript, batch)
        env: Env = {}
        for given, tensor in transcript.inputs:
            dtype = keras.backend.standardize_dtype(tensor.dtype)
            fresh = keras.KerasTensor(tuple(tensor.shape), dtype=dtype)
            recorded.inputs.append((given, fresh))
            env[tensor.name] = fresh
        for _, tensor in transcript.inputs:
            mask = backend.get_keras_mask(tensor)
            if mask is not None:
                backend.set_keras_mask(env[tensor.name], env[mask.name])
        try:
            outputs = replay.run(transcript.graph, transcript.outputs, env)
        except (TypeError, ValueError, AttributeError, IndexError, tf.errors.OpError) as fault:
            raise UntraceableError(first_line(fault)) from fault
    for output in outputs:
        if not isinstance(output, keras.KerasTensor):
            raise UntraceableError("an output does not have the batch axis first, or is a constant")
    recorded.outputs = outputs
    return recorded


class Replay:
    """One graph, with the graphs inside it."""

    def __init__(self, transcript: Transcript, batch: int) -> None:
        self.leaves = transcript.leaves
        self.batch = batch
        self.steps = 0

    def run(self, graph: Any, outputs: Sequence[Any], env: Env) -> list[Any]:
        """The values of these tensors of the graph; `env` holds those of its inputs by name."""
        for outer, inner in graph.captures:
            if inner.name not in env:
                env[inner.name] = _captured(outer)
        needed = self._needed(outputs, env)
        for op in graph.get_operations():
            if op.name in needed:
                self._count()
                self._operator(op, env)
        return [env[t.name] for t in outputs]

    def _needed(self, outputs: Sequence[Any], env: Env) -> set[str]:
        """The names of the operators on which the outputs depend; those inside a leaf are none."""
        needed: set[str] = set()
        left = list(outputs)
        while left:
            tensor = left.pop()
            if tensor.name in env or tensor.op.name in needed:
                continue
            needed.add(tensor.op.name)
            leaf = self.leaves.get(key(tensor))
            if leaf is None:
                left.extend(tensor.op.inputs)
                continue
            found = [x for x in keras.tree.flatten([leaf.args, leaf.kwargs]) if is_of_a_graph(x)]
            left.extend(found)
            masks = [backend.get_keras_mask(x) for x in found]
            left.extend(m for m in masks if m is not None and is_of_a_graph(m))
        return needed

    def _count(self) -> None:
        self.steps += 1
        if self.steps > _MOST:
            raise UntraceableError(f"more than {_MOST:,} operators, once its loops are unrolled")

    # -- one operator ------------------------------------------------------------------------------
    def _operator(self, op: Any, env: Env) -> None:
        if op.outputs and op.outputs[0].name in env:
            return
        leaf = self.leaves.get(key(op.outputs[0])) if op.outputs else None
        if leaf is not None:
            self._leaf(leaf, env)
            return
        values = [env[t.name] for t in op.inputs]
        results = self._applied(op, values)
        for tensor, value in zip(op.outputs, results, strict=True):
            _require_shape(op.type, value, tensor)
            env[tensor.name] = value

    def _leaf(self, leaf: Leaf, env: Env) -> None:
        def given(x: Any) -> Any:
            return env[x.name] if is_of_a_graph(x) else _constant(x)

        args, kwargs = keras.tree.map_structure(given, (leaf.args, dict(leaf.kwargs)))
        values = keras.tree.flatten([args, kwargs])
        results = None
        whole = isinstance(leaf.run, keras.layers.Layer) and any(self._of_samples(v) for v in values)
        if not whole and not any(isinstance(v, View) for v in values):
            results = [_constant(x) for x in _flat(leaf.run(*args, **kwargs))]
        tensors = [(i, t) for i, t in enumerate(leaf.outputs) if is_of_a_graph(t)]
        marks = isinstance(leaf.run, OneSample | EverySample)
        if results is None or (not marks and self._moves(values, results)):
            # what its operators do may keep the batch apart
            for _, tensor in tensors:
                self.leaves.pop(key(tensor), None)
            self.run(tensors[0][1].graph, [t for _, t in tensors], env)
            return
        for i, tensor in tensors:
            _require_shape(getattr(leaf.run, "__name__", ""), results[i], tensor)
            env[tensor.name] = results[i]

    def _of_samples(self, value: Any) -> bool:
        """Whether a constant has the batch axis, such as the first state of a recurrence."""
        return isinstance(value, np.ndarray) and value.shape[:1] == (self.batch,)

    def _moves(self, values: Sequence[Any], results: Sequence[Any]) -> bool:
        """Whether the batch axis is no longer the first one, or is part of another axis."""
        if not any(views.has_batch(v, self.batch) for v in values):
            return False
        shapes = [tuple(x.shape) for x in results if isinstance(x, keras.KerasTensor)]
        return any(s[:1] != (self.batch,) or any(n and n % self.batch == 0 for n in s[1:]) for s in shapes)

    def _applied(self, op: Any, values: list[Any]) -> list[Any]:
        kind = op.type
        if kind in _CALLS:
            graph = op.graph._get_function(op.get_attr("f").name).graph
            return self._inside(graph, values)
        if kind in _LOOPS:
            return self._loop(op, values)
        if kind in _BRANCHES and isinstance(values[0], np.ndarray):
            return self._inside(_branch(op, values[0]), values[1:])
        if kind in LISTS:
            return [LISTS[kind](Call(op, self.batch), *values)]
        if kind in ("Const", "Shape", "ShapeN", "Rank", "Size") or _is_constant(op, values):
            return _computed(op, values)
        function = OPERATORS.get(kind)
        if function is None:
            return self._unknown(op, values)
        alone = not any(views.has_batch(v, self.batch) for v in values)
        if alone and kind in _PRODUCTS and any(isinstance(v, np.ndarray) for v in values):
            return self._unknown(op, values, "a product of weights and constants has no rule")
        same = [of_one_sample(v, self.batch) if alone and self._of_samples(v) else v for v in values]
        results = function(Call(op, self.batch), *same)
        results = list(results) if isinstance(results, list | tuple) else [results]
        if any(a is not b for a, b in zip(same, values, strict=True)):
            # weights and constants give the same for every sample
            results = [ops.broadcast_to(x, (self.batch, *x.shape[1:])) for x in results]
        return results

    def _unknown(self, op: Any, values: list[Any], reason: str = "") -> list[Any]:
        """An operator of which only its shapes are known."""
        if any(t.dtype in (tf.variant, tf.resource, tf.string) for t in (*op.inputs, *op.outputs)):
            raise UntraceableError(f"TensorFlow's {op.type} has no counterpart in Keras")
        reason = reason or f"TensorFlow's {op.type} has no rule"
        if op.type in _BRANCHES:
            reason = "which branch runs depends on a tensor's value"
        elif "Random" in op.type:
            reason = "it draws random numbers"
        label = "ops.switch" if "Case" in op.type else "ops.cond" if "If" in op.type else f"tf.{op.type}"
        specs = [(_static(t), keras.backend.standardize_dtype(t.dtype)) for t in op.outputs]
        operator = UnknownOperator(label, reason, specs)
        return list(operator.symbolic_call(*[_plain(v) for v in values if not isinstance(v, np.ndarray)]))

    # -- graphs inside the graph ---------------------------------------------------------------------
    def _inside(self, graph: Any, values: Sequence[Any]) -> list[Any]:
        env = {t.name: v for t, v in zip(graph.inputs, values, strict=True)}
        return self.run(graph, graph.outputs, env)

    def _loop(self, op: Any, values: list[Any]) -> list[Any]:
        condition, body = _graph(op, "cond", "_cond_graph"), _graph(op, "body", "_body_graph")
        while True:
            self._count()
            (more,) = self._inside(condition, values)
            if not isinstance(more, np.ndarray):
                raise UntraceableError("it loops until a tensor has some value")
            if not more:
                return values
            values = self._inside(body, values)


def _static(tensor: Any) -> tuple[int, ...]:
    shape = tensor.shape
    if shape.rank is None or None in tuple(shape):
        raise UntraceableError(f"the shape after TensorFlow's {tensor.op.type} depends on values")
    return tuple(shape)


def _graph(op: Any, attribute: str, built: str) -> Any:
    graph = getattr(op, built, None)
    return graph if graph is not None else op.graph._get_function(op.get_attr(attribute).name).graph


def _branch(op: Any, chosen: Any) -> Any:
    if op.type in ("If", "StatelessIf"):
        which = "then_branch" if chosen else "else_branch"
        return op.graph._get_function(op.get_attr(which).name).graph
    branches = op.get_attr("branches")
    index = int(chosen) if 0 <= int(chosen) < len(branches) else len(branches) - 1
    return op.graph._get_function(branches[index].name).graph


# -- values --------------------------------------------------------------------------------------------------
def _captured(outer: Any) -> Any:
    if outer.dtype == tf.resource or not hasattr(outer, "numpy"):
        raise UntraceableError("it reads a variable of TensorFlow that is not among the layer's weights")
    return outer.numpy()


def _plain(value: Any) -> Any:
    if isinstance(value, View):
        raise UntraceableError("code folds or moves the batch axis")
    return value


def _constant(value: Any) -> Any:
    """A tensor with a value as an array."""
    return np.asarray(value) if tf.is_tensor(value) and hasattr(value, "numpy") else value


def _flat(outputs: Any) -> list[Any]:
    return [x for x in keras.tree.flatten(outputs) if x is not None]


def _is_constant(op: Any, values: Sequence[Any]) -> bool:
    random = "Random" in op.type or op.op_def.is_stateful
    return not random and all(isinstance(v, np.ndarray | np.generic) for v in values)


def _computed(op: Any, values: Sequence[Any]) -> list[Any]:
    """The outputs of an operator on constants, or of one that reads nothing but a shape."""
    if op.type == "Const":
        return [np.asarray(tf.make_ndarray(op.get_attr("value")))]
    if op.type in ("Shape", "ShapeN", "Rank", "Size"):
        values = [np.zeros(_static(t), "int8") for t in op.inputs]
        outputs = {"Shape": tf.shape, "Rank": tf.rank, "Size": tf.size}
        if op.type != "ShapeN":
            return [np.asarray(outputs[op.type](values[0], **_out_type(op)))]
        return [np.asarray(tf.shape(v, out_type=op.get_attr("out_type"))) for v in values]
    raw = getattr(tf.raw_ops, op.type, None)
    if raw is None:
        raise UntraceableError(f"TensorFlow's {op.type} has no counterpart in Keras")
    outputs = raw(**_arguments(op, values, [*inspect.signature(raw).parameters]))
    if len(op.outputs) == 0:
        return []
    if len(op.outputs) == 1 and not isinstance(outputs, list | tuple):
        return [np.asarray(outputs)]
    return [np.asarray(x) for x in outputs]


def _arguments(op: Any, values: Sequence[Any], names: list[str]) -> dict[str, Any]:
    """Inputs and attributes by the names of `tf.raw_ops`, where some inputs have other names."""
    attributes = {a.name: op.get_attr(a.name) for a in op.op_def.attr if a.name in names}
    stated = [a.name for a in op.op_def.input_arg]
    renamed = iter([n for n in names if n not in attributes and n not in stated and n != "name"])
    left = iter(values)
    arguments: dict[str, Any] = {}
    for argument in op.op_def.input_arg:
        name = argument.name if argument.name in names else next(renamed)
        several = argument.number_attr or argument.type_list_attr
        if not several:
            arguments[name] = next(left)
            continue
        count = op.get_attr(several)
        arguments[name] = [next(left) for _ in range(count if type(count) is int else len(count))]
    return arguments | attributes


def _out_type(op: Any) -> dict[str, Any]:
    return {} if op.type == "Rank" else {"out_type": op.get_attr("out_type")}


def _require_shape(kind: str, value: Any, tensor: Any) -> None:
    """Raise `UntraceableError` unless a value has the shape that TensorFlow states."""
    if isinstance(value, list) or tensor.shape.rank is None:
        return
    shape = tuple(value.shape)
    stated = tuple(tensor.shape)
    if len(shape) != len(stated) or any(m is not None and n != m for n, m in zip(shape, stated, strict=True)):
        raise UntraceableError(f"{kind} has the shape {stated} in TensorFlow, and {shape} in Keras")


# -- lists of tensors, which loops fill and read -------------------------------------------------------
def _reserved(call: Call, shape: Any, count: Any) -> list[Any]:
    return [None] * int(count)


def _item(call: Call, items: list[Any], index: Any, shape: Any) -> Any:
    if not isinstance(index, np.ndarray) or items[int(index)] is None:
        raise UntraceableError("a list of tensors is read at an index that is a tensor")
    return items[int(index)]


def _set(call: Call, items: list[Any], index: Any, item: Any) -> list[Any]:
    if not isinstance(index, np.ndarray):
        raise UntraceableError("a list of tensors is written at an index that is a tensor")
    return [item if i == int(index) else old for i, old in enumerate(items)]


def _stacked(call: Call, items: list[Any], *_: Any) -> Any:
    if any(item is None for item in items):
        raise UntraceableError("a loop leaves elements of its list empty")
    return views.stack(items, 0, call.batch)


LISTS: dict[str, Callable[..., Any]] = {
    "TensorListReserve": _reserved,
    "EmptyTensorList": lambda call, *_: [],
    "TensorListFromTensor": lambda call, x, shape: views.slices(x, call.batch),
    "TensorListGetItem": _item,
    "TensorListSetItem": _set,
    "TensorListPushBack": lambda call, items, item: [*items, item],
    "TensorListStack": _stacked,
    "TensorListLength": lambda call, items: np.asarray(len(items), "int32"),
}
