"""A layer's code as a graph of TensorFlow's operators, in which the calls of layers can be recognised."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from keras.src import backend

from archcalc.keras.tracing.markers import EverySample, OneSample, UnknownOperator
from archcalc.keras.tracing.patches import replaced
from archcalc.keras.tracing.recording import (
    RANDOM,
    StandIns,
    UntraceableError,
    converted,
    first_line,
    with_batch,
    with_masks_and_training,
)

_UNROLLED = 64  # steps of a map
# modules of Keras's backend whose functions are recognised as those of keras.ops
_MODULES = ("nn", "numpy", "math", "image")
# layers whose `call` loops; code that calls it rather than the layer means the layer
_RECURRENT = ("RNN", "SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional")
# functions of keras.ops that make constants, and what the graph itself says better
_LEFT_OUT = ("convert_to_tensor", "cast", "shape", "ndim", "size", "array", "view", "vectorize", "unique")


@dataclass
class Leaf:
    """A call in the graph that is one layer's or one function's of `keras.ops`.

    `run` does the same on symbolic tensors; `outputs` are the flat tensors of the graph that it returned.
    """

    run: Callable[..., Any]
    args: Any
    kwargs: Mapping[str, Any]
    outputs: list[Any]


@dataclass
class Transcript:
    """The graph of one call of a layer.

    `leaves` are found by the keys of their outputs; `inputs` pairs a tensor of the caller, or a
    variable, with the tensor that stands for it in the graph.
    """

    graph: Any
    inputs: list[tuple[Any, Any]] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    leaves: dict[tuple[int, str], Leaf] = field(default_factory=dict)


def key(tensor: Any) -> tuple[int, str]:
    """What distinguishes a tensor from all others of all graphs."""
    return id(tensor.graph), tensor.name


def transcribe(
    layer: Any,
    args: Any,
    kwargs: Mapping[str, Any],
    batch: int,
    model: Mapping[int, Any],
    closed: int | None,
) -> Transcript:
    """Run `layer.call` inside a graph of TensorFlow, with tensors of the graph as the model's weights.

    Nothing is computed, and no variable changes: assignments change what the graph reads later on.

    Raises
    ------
    UntraceableError
        The code does not run inside a graph, or a tensor in its arguments has open axes.
    """
    transcript = Transcript(tf.__internal__.FuncGraph("traced"))
    placeholders: dict[int, Any] = {}

    def renewed(value: Any) -> Any:
        if not isinstance(value, keras.Variable | keras.KerasTensor):
            return value
        if id(value) not in placeholders:
            shape = (
                value.shape if isinstance(value, keras.Variable) else with_batch(value.shape, batch, closed)
            )
            if None in shape:
                raise UntraceableError("the input has open axes: give its sizes (input_shape)")
            with transcript.graph.as_default():  # a variable may be read inside a loop first
                tensor = tf.compat.v1.placeholder(keras.backend.standardize_dtype(value.dtype), tuple(shape))
            placeholders[id(value)] = tensor
            transcript.inputs.append((value, tensor))
            mask = None if isinstance(value, keras.Variable) else backend.get_keras_mask(value)
            if mask is not None:
                backend.set_keras_mask(tensor, renewed(mask))
        return placeholders[id(value)]

    with ExitStack() as stack:
        stack.enter_context(transcript.graph.as_default())
        scope = stack.enter_context(keras.StatelessScope(initialize_variables=False))
        scope.state_mapping = StandIns(model, renewed)
        scope.state_mapping.update({id(v): renewed(v) for v in _variables(layer)})
        if layer.autocast and layer.compute_dtype != layer.variable_dtype:
            stack.enter_context(backend.AutocastScope(layer.compute_dtype))
        stack.enter_context(_leaves_noted(transcript, batch))
        given = keras.tree.map_structure(renewed, args)
        words = keras.tree.map_structure(renewed, dict(kwargs))
        words = with_masks_and_training(layer, given, words)
        try:
            outputs = layer.call(*converted(layer, given), **converted(layer, words))
            outputs = [tf.convert_to_tensor(t) for t in keras.tree.flatten(outputs) if t is not None]
        except Exception as fault:  # whatever the user's code, Keras and TensorFlow raise
            raise UntraceableError(first_line(fault)) from fault
    transcript.outputs = outputs
    return transcript


def _variables(layer: Any) -> list[Any]:
    """Every variable of the layer, with the states of random numbers."""
    return list({id(v): v for v in layer.variables}.values())


# -- what is recognised ----------------------------------------------------------------------------------
@contextmanager
def _leaves_noted(transcript: Transcript, batch: int) -> Iterator[None]:
    """Note the outermost calls of layers and of functions of `keras.ops`."""
    depth = [0]
    call = keras.layers.Layer.__call__

    def noted(run: Callable[..., Any], within: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        args, kwargs = keras.tree.map_structure(_value, (args, kwargs))
        if depth[0] or not any(map(is_of_a_graph, keras.tree.flatten([args, kwargs]))):
            return within(*args, **kwargs)
        depth[0] += 1
        try:
            outputs = within(*args, **kwargs)
        finally:
            depth[0] -= 1
        return _as_leaf(transcript, Leaf(run, args, kwargs, []), outputs)

    def of_layer(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return noted(layer, lambda *a, **k: call(layer, *a, **k), *args, **kwargs)

    def of_call(kind: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        def within(layer: Any, *args: Any, **kwargs: Any) -> Any:
            inner = functools.partial(function, layer)
            return noted(layer, inner, *args, **kwargs) if type(layer) is kind else inner(*args, **kwargs)

        return within

    def of_function(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: noted(getattr(ops, name), function, *args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(replaced(keras.layers.Layer, __call__=of_layer))
        for kind in (getattr(keras.layers, name) for name in _RECURRENT):
            if "call" in vars(kind):
                stack.enter_context(replaced(kind, call=of_call(kind, kind.call)))
        for where in _MODULES:
            module = getattr(backend, where)
            known = {name: of_function(name, getattr(module, name)) for name in _functions(module)}
            stack.enter_context(replaced(module, **known))
        draws = {name: _draw(transcript, depth, name, getattr(backend.random, name)) for name in RANDOM}
        stack.enter_context(replaced(backend.random, **draws))
        maps = dict.fromkeys(("map", "vectorized_map"), _mapped(transcript, batch))
        stack.enter_context(replaced(backend.core, **maps))
        yield


def _draw(
    transcript: Transcript, depth: list[int], name: str, draw: Callable[..., Any]
) -> Callable[..., Any]:
    """A function of `keras.random`, noted as one of which only the shape of its numbers is known."""

    def noted(*args: Any, **kwargs: Any) -> Any:
        numbers = tf.convert_to_tensor(draw(*args, **kwargs))
        if depth[0]:
            return numbers
        given = [x for x in keras.tree.flatten([args, kwargs]) if is_of_a_graph(x)]
        specs = [(tuple(numbers.shape), keras.backend.standardize_dtype(numbers.dtype))]
        operator = UnknownOperator(f"keras.random.{name}", "it draws random numbers", specs)
        run = operator.symbolic_call
        return _as_leaf(transcript, Leaf(run, given, {}, []), tf.identity(numbers))

    return noted


def _value(x: Any) -> Any:
    return x.value if isinstance(x, keras.Variable) else x


def is_of_a_graph(x: Any) -> bool:
    """Whether a tensor has no value yet."""
    return tf.is_tensor(x) and not hasattr(x, "numpy")


def _as_leaf(transcript: Transcript, leaf: Leaf, outputs: Any) -> Any:
    """The outputs as tensors that nothing else returned."""

    def distinct(x: Any) -> Any:
        if not is_of_a_graph(x):
            return x
        y = tf.identity(x)
        mask = backend.get_keras_mask(x)
        if mask is not None:
            backend.set_keras_mask(y, mask)
        return y

    outputs = keras.tree.map_structure(distinct, outputs)
    leaf.outputs = [x for x in keras.tree.flatten(outputs) if x is not None]
    for x in leaf.outputs:
        if is_of_a_graph(x):
            transcript.leaves[key(x)] = leaf
    return outputs


def _functions(module: Any) -> list[str]:
    """The functions of a backend module that take what those of `keras.ops` of the same name take."""
    names = []
    for name, function in vars(module).items():
        public = getattr(ops, name, None)
        if name.startswith("_") or name in _LEFT_OUT or public is None or not inspect.isfunction(function):
            continue
        if list(inspect.signature(function).parameters) == list(inspect.signature(public).parameters):
            names.append(name)
    return names


# -- maps --------------------------------------------------------------------------------------------------
def _mapped(transcript: Transcript, batch: int) -> Callable[[Any, Any], Any]:
    """A map of Keras: over the batch its function runs on one sample, over another axis on every slice."""

    def run(function: Any, elements: Any) -> Any:
        tensors = [tf.convert_to_tensor(t) for t in keras.tree.flatten(elements)]
        elements = keras.tree.pack_sequence_as(elements, tensors)
        steps = tensors[0].shape[0]
        if steps == batch:
            of_one = keras.tree.map_structure(lambda t: _one_sample(transcript, t), elements)
            return keras.tree.map_structure(lambda t: _every_sample(transcript, t, batch), function(of_one))
        if steps is None or steps > _UNROLLED:
            raise UntraceableError(f"a map of {steps} steps")
        results = [function(keras.tree.map_structure(lambda t, i=i: t[i], elements)) for i in range(steps)]
        return keras.tree.map_structure(lambda *parts: tf.stack(parts), *results)

    return run


def _one_sample(transcript: Transcript, x: Any) -> Any:
    return _as_leaf(transcript, Leaf(OneSample(), (x,), {}, []), x[0])


def _every_sample(transcript: Transcript, x: Any, batch: int) -> Any:
    x = tf.convert_to_tensor(x)
    leaf = Leaf(EverySample(batch), (x,), {}, [])
    return _as_leaf(transcript, leaf, tf.broadcast_to(x[None], (batch, *x.shape)))
