"""Runs a layer's own code on symbolic tensors, records what it calls, and leaves no trace of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras.src import backend
from keras.src.backend.common import global_state, symbolic_scope
from keras.src.models.functional import Functional
from keras.src.ops import nn
from keras.src.ops.node import Node
from keras.src.utils import python_utils

from archcalc.keras.tracing.patches import replaced

# lists in which Keras keeps a layer's variables; code of layers reads their own attributes
_KERAS_LISTS = ("_trainable_variables", "_non_trainable_variables", "_metrics", "_losses", "_layers")
RANDOM = (
    *("normal", "uniform", "categorical", "randint", "truncated_normal"),
    *("dropout", "shuffle", "gamma", "binomial", "beta"),
)

# lines that Keras writes around an error
_FRAMES = ("Exception encountered", "Could not automatically infer", "Arguments received")
# what errors of Keras and Python about symbolic tensors mean
_MEANINGS = {
    "cannot be used as input to a TensorFlow function": "it calls functions of TensorFlow",
    "'KerasTensor' object has no attribute 'assign": "it assigns to its weights",
    "'KerasTensor' object has no attribute 'numpy'": "it reads the values of its weights",
    "A symbolic KerasTensor cannot be used as a boolean": "it branches on a tensor's value",
}


class UntraceableError(Exception):
    """A layer's code does something that cannot be followed on symbolic tensors; the text says what."""


@dataclass
class Recorded:
    """One run of a layer's `call`.

    `nodes` are the calls in order; `inputs` the pairs of a tensor of the caller, or a variable, and
    the fresh tensor that took its place; `outputs` the flat outputs.
    """

    nodes: list[Node] = field(default_factory=list)
    inputs: list[tuple[Any, Any]] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    assigned: bool = False


class StandIns(dict[int, Any]):
    """What stands for the values of variables, by their ids; `make` gives those of the model's others."""

    def __init__(self, model: Mapping[int, Any], make: Callable[[Any], Any]) -> None:
        super().__init__()
        self.model = model
        self.make = make

    def get(self, key: int, default: Any = None) -> Any:
        """The value of a variable, as `StatelessScope` asks for it."""
        if key not in self and key in self.model:
            self[key] = self.make(self.model[key])
        return super().get(key, default)


def record(
    layer: Any,
    args: Any,
    kwargs: Mapping[str, Any],
    batch: int,
    model: Mapping[int, Any],
    closed: int | None = None,
) -> Recorded:
    """Run `layer.call` on fresh symbolic tensors in place of those in its arguments.

    Parameters
    ----------
    layer
        A built layer or model.
    args, kwargs
        The call's arguments, with symbolic tensors and variables of an enclosing layer.
    batch, closed
        The size of the batch axis of the fresh tensors, and in tensors of a caller that is traced itself.
    model
        All variables of the model, by their ids.

    Raises
    ------
    UntraceableError
        The layer's code cannot run on symbolic tensors, or does what they do not show.
    """
    recorded = Recorded()
    fresh: dict[int, Any] = {}

    def renewed(value: Any) -> Any:
        if isinstance(value, keras.Variable):
            return symbolic(value, layer, recorded)
        if not isinstance(value, keras.KerasTensor):
            return value
        if id(value) not in fresh:
            tensor = keras.KerasTensor(with_batch(value.shape, batch, closed), dtype=value.dtype)
            fresh[id(value)] = tensor
            recorded.inputs.append((value, tensor))
            mask = backend.get_keras_mask(value)
            if mask is not None:
                backend.set_keras_mask(tensor, renewed(mask))
        return fresh[id(value)]

    with (
        recording(layer, recorded.nodes),
        _symbolic_weights(layer, recorded, model),
        _no_calls_on_constants(recorded),
    ):
        args = keras.tree.map_structure(renewed, args)
        words = keras.tree.map_structure(renewed, dict(kwargs))
        words = with_masks_and_training(layer, args, words)
        try:
            outputs = layer.call(*converted(layer, args), **converted(layer, words))
        except Exception as fault:  # whatever the user's code, Keras and TensorFlow raise
            raise UntraceableError(first_line(fault)) from fault
    if recorded.assigned:
        raise UntraceableError("it changes its weights while it runs")
    recorded.outputs = _tensors(outputs)
    return recorded


def _tensors(outputs: Any) -> list[Any]:
    return [t for t in keras.tree.flatten(outputs) if t is not None]


def symbolic(variable: Any, layer: Any, recorded: Recorded) -> Any:
    """A symbolic tensor that stands for the variable, in the dtype in which the layer sees it."""
    casts = layer.autocast and variable._autocast and backend.is_float_dtype(variable.dtype)
    tensor = keras.KerasTensor(variable.shape, dtype=layer.compute_dtype if casts else variable.dtype)
    tensor.value = tensor  # as of a variable
    recorded.inputs.append((variable, tensor))
    return tensor


def with_batch(shape: Any, batch: int, closed: int | None) -> tuple[Any, ...]:
    """The shape with a batch axis of this size, where it is open or `closed`."""
    return tuple(batch if i == 0 and n in (None, closed) else n for i, n in enumerate(shape))


def first_line(fault: Exception) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(fault))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_FRAMES)]
    line = (telling or [type(fault).__name__])[0]
    for sign, meaning in _MEANINGS.items():
        if sign in line:
            return meaning
    return line if len(line) <= 150 else f"{line[:147]}..."


# -- arguments -------------------------------------------------------------------------------------
def converted(layer: Any, tree: Any) -> Any:
    """Tensors in the layer's compute dtype, as `Layer.__call__` converts them."""
    policy = layer.dtype_policy

    def convert(x: Any) -> Any:
        if not _is_argument(x):
            return x
        y = policy.convert_input(x, layer.autocast, layer.input_dtype)
        backend.set_keras_mask(y, backend.get_keras_mask(x))
        return y

    return keras.tree.map_structure(convert, tree) if layer._convert_input_args else tree


def with_masks_and_training(layer: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments that `Layer.__call__` adds: masks of the tensors, `training`."""
    parameters = inspect.signature(layer.call).parameters
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    # a model passes `training` on to every layer, whether its call takes it or not
    kwargs = {
        k: v for k, v in kwargs.items() if k in parameters or open_ended or k not in layer._call_context_args
    }
    try:
        given = dict(inspect.signature(layer.call).bind(*args, **kwargs).arguments)
    except TypeError as fault:
        raise UntraceableError(str(fault)) from fault
    words = dict(kwargs)
    if "training" in parameters and given.get("training") is None:
        words["training"] = False
    tensors = {k: v for k, v in given.items() if any(map(_is_argument, keras.tree.flatten(v)))}
    for name, value in tensors.items():
        argument = "mask" if len(tensors) == 1 else f"{name}_mask"
        if argument in parameters and given.get(argument) is None:
            words[argument] = keras.tree.map_structure(backend.get_keras_mask, value)
    return words


def _is_open(tree: Any) -> bool:
    """Whether a symbolic tensor has an axis of unknown size."""
    return any(None in tuple(t.shape) for t in keras.tree.flatten(tree) if _is_tensor(t))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor)


def _is_argument(value: Any) -> bool:
    """Whether a value is symbolic, or a tensor of TensorFlow."""
    return _is_tensor(value) or backend.is_tensor(value)


# -- what is put back --------------------------------------------------------------------------------
@contextmanager
def recording(layer: Any, nodes: list[Node], *, random: bool = False) -> Iterator[None]:
    """Collect every node that is created, and leave nothing of the run in the model or in Keras.

    Random numbers outside known layers are refused, unless `random`: they would become constants
    without an origin.
    """
    create = Node.__init__

    def recorded(
        node: Node, operation: Any, call_args: Any = None, call_kwargs: Any = None, outputs: Any = None
    ) -> None:
        # layers inside others may return None beside their tensors, which Keras allows there
        create(node, operation, call_args, call_kwargs, _tensors(outputs))
        nodes.append(node)
        if not any(x.sparse for x in node.arguments.keras_tensors):
            for x in node.outputs:  # Keras takes the product of a tensor and a number to be sparse
                x._sparse = False

    names = global_state.get_global_attribute("object_name_uids")
    names = None if names is None else names.copy()
    with ExitStack() as stack:
        stack.callback(_unlink, nodes)
        stack.callback(global_state.set_global_attribute, "object_name_uids", names)
        stack.enter_context(attributes_kept(layer))
        stack.enter_context(replaced(Node, __init__=recorded))
        building = stack.enter_context(_no_new_weights(layer))
        if not random:
            stack.enter_context(_no_random_numbers(building))
        stack.enter_context(_as_on_real_tensors())
        yield


def _unlink(nodes: list[Node]) -> None:
    ours = set(map(id, nodes))
    operations = {id(n.operation): n.operation for n in nodes}
    for node in nodes:
        for tensor in node.arguments.keras_tensors:
            operation = tensor._keras_history.operation
            if operation is not None:
                operations[id(operation)] = operation
    for operation in operations.values():
        for which in (operation._inbound_nodes, operation._outbound_nodes):
            which[:] = [n for n in which if id(n) not in ours]


@contextmanager
def _no_new_weights(layer: Any) -> Iterator[list[Any]]:
    """Refuse to build weights that the model's real calls never built; yields the layers in the making.

    A sublayer without weights (an Add) is built for a while: a model whose layer states its output shape
    itself never calls it.
    """
    existing = set(map(id, layer._flatten_layers()))
    building: list[Any] = []
    build = keras.layers.Layer._maybe_build

    def refuse(part: Any, call_spec: Any) -> None:
        new = not part.built and id(part) in existing and not python_utils.is_default(part.build)
        building.append(part)
        try:
            if not new:
                build(part, call_spec)
                return
            with _no_values():
                build(part, call_spec)
        finally:
            building.pop()
        if part.variables:
            raise UntraceableError(f"it calls {part.name!r}, which was never built")

    with replaced(keras.layers.Layer, _maybe_build=refuse):
        yield building


@contextmanager
def _no_values() -> Iterator[None]:
    """Let new variables have no values, and be forgotten."""
    key = "uninitialized_variables"
    kept = list(global_state.get_global_attribute(key, []))
    with keras.StatelessScope(initialize_variables=False):
        yield
    global_state.set_global_attribute(key, kept)


@contextmanager
def _no_calls_on_constants(recorded: Recorded) -> Iterator[None]:
    """Refuse layers with weights that are called on constants, whose outputs would be constants too.

    An Embedding of the numbers 0, 1, ... is its table.
    """
    call = keras.layers.Layer.__call__

    def guarded(layer: Any, *args: Any, **kwargs: Any) -> Any:
        constant = not any(map(_is_tensor, keras.tree.flatten([args, kwargs])))
        if symbolic_scope.in_symbolic_scope() or not constant or not layer.weights:
            return call(layer, *args, **kwargs)
        if type(layer) is keras.layers.Embedding and len(args) == 1:
            indices = np.asarray(args[0])
            if np.array_equal(indices.ravel(), np.arange(layer.input_dim)):
                table = symbolic(layer._embeddings, layer, recorded)
                return keras.ops.reshape(table, (*indices.shape, layer.output_dim))
        raise UntraceableError(f"it calls {layer.name!r} on constants")

    with replaced(keras.layers.Layer, __call__=guarded):
        yield


@contextmanager
def _as_on_real_tensors() -> Iterator[None]:
    """Let layers run on symbolic tensors wherever they run on real ones.

    Models take other input shapes than they were built for; a `compute_output_spec` that knows fewer
    arguments than `call` is not needed, nor one that knows fewer sizes (of an EinsumDense). A convolution
    may have groups, which the symbolic `keras.ops.conv` refuses.
    """
    infer = keras.layers.Layer.symbolic_call
    check = getattr(nn, "check_conv_input_channels", None)

    def inferred(layer: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            outputs = infer(layer, *args, **kwargs)
        except TypeError:
            return backend.compute_output_spec(layer.call, *args, **kwargs)
        if _is_open(outputs) and not _is_open([args, kwargs]):
            return backend.compute_output_spec(layer.call, *args, **kwargs)
        return outputs

    def checked(inputs: Any, kernel: Any, data_format: str) -> None:
        channels, each = inputs.shape[-1 if data_format == "channels_last" else 1], kernel.shape[-2]
        grouped = type(channels) is type(each) is int and channels % each == 0
        if check is not None and not (grouped and kernel.shape[-1] % (channels // each) == 0):
            check(inputs, kernel, data_format)

    with (
        replaced(Functional, _assert_input_compatibility=lambda *_: None),
        replaced(keras.layers.Layer, symbolic_call=inferred),
        nullcontext() if check is None else replaced(nn, check_conv_input_channels=checked),
    ):
        yield


@contextmanager
def _no_random_numbers(building: list[Any]) -> Iterator[None]:
    """Refuse random numbers outside known layers."""

    def guarded(name: str, draw: Any) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> Any:
            if building or symbolic_scope.in_symbolic_scope():  # to initialise, or inside a known layer
                return draw(*args, **kwargs)
            raise UntraceableError(f"it draws random numbers (keras.random.{name})")

        return refuse

    guards = {name: guarded(name, getattr(backend.random, name)) for name in RANDOM}
    with replaced(backend.random, **guards):
        yield


@contextmanager
def attributes_kept(layer: Any) -> Iterator[None]:
    """Put back every attribute that the layer's code sets, in it or in its sublayers.

    Also what is added to lists, dictionaries and sets among the attributes, such as losses.
    """
    parts = {id(part): part for part in (layer, *layer._flatten_layers())}.values()
    kept = [(vars(part), dict(vars(part))) for part in parts]
    filled = [(v, _copied(v)) for _, old in kept for v in old.values() if isinstance(v, list | dict | set)]
    try:
        yield
    finally:
        for attributes, old in kept:
            if any(attributes.get(k, kept) is not v for k, v in old.items()) or len(attributes) != len(old):
                attributes.clear()
                attributes.update(old)
        for container, copy in filled:
            if _copied(container) != copy:
                _refill(container, copy)


def _copied(container: Any) -> list[Any]:
    """What a container holds, as objects whose identity is compared."""
    items = container.items() if isinstance(container, dict) else [(i, v) for i, v in enumerate(container)]
    return [(key, _Same(value)) for key, value in items]


class _Same:
    """A value that equals only itself, whatever its class says of equality."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _refill(container: Any, copy: list[Any]) -> None:
    # methods of the plain classes: Keras's own containers track what they are given
    if isinstance(container, list):
        list.__setitem__(container, slice(None), [v.value for _, v in copy])
    elif isinstance(container, dict):
        dict.clear(container)
        dict.update(container, {k: v.value for k, v in copy})
    else:
        set.clear(container)
        set.update(container, [v.value for _, v in copy])


@contextmanager
def _symbolic_weights(layer: Any, recorded: Recorded, model: Mapping[int, Any]) -> Iterator[None]:
    """Symbolic tensors in place of the layer's own variables.

    Attributes that hold variables hold the tensors meanwhile, so that arithmetic on weights alone is
    recorded; in a `StatelessScope` every other way to the value of one of the model's variables fails,
    and no assignment reaches the variable.
    """
    variables = [*layer._trainable_variables, *layer._non_trainable_variables]
    variables += [generator.state for generator in layer._seed_generators]
    tensors = {id(v): symbolic(v, layer, recorded) for v in variables}
    attributes = vars(layer)
    changed = {}
    for name, value in attributes.items():
        if name in _KERAS_LISTS:
            continue
        new = _with_tensors(value, tensors, depth=3)
        if new is not value:
            changed[name] = value, new
    with ExitStack() as stack:
        scope = stack.enter_context(keras.StatelessScope(initialize_variables=False))
        scope.state_mapping = StandIns(model, _refused)
        scope.state_mapping.update(tensors)
        stack.callback(lambda: attributes.update({name: old for name, (old, _) in changed.items()}))
        attributes.update({name: new for name, (_, new) in changed.items()})
        yield
    recorded.assigned = any(scope.state_mapping.get(k) is not t for k, t in tensors.items()) or len(
        scope.state_mapping
    ) > len(tensors)


def _refused(variable: Any) -> Any:
    raise UntraceableError(f"it reads the weight {variable.path!r} of another layer")


def _with_tensors(value: Any, tensors: Mapping[int, Any], depth: int) -> Any:
    """The value with its variables replaced; the same object if it holds none."""
    if isinstance(value, keras.Variable):
        return tensors.get(id(value), value)
    if depth == 0 or not isinstance(value, list | tuple | dict):
        return value
    items = value.values() if isinstance(value, dict) else value
    new = [_with_tensors(v, tensors, depth - 1) for v in items]
    if all(a is b for a, b in zip(new, items, strict=True)):
        return value
    return dict(zip(value, new, strict=True)) if isinstance(value, dict) else new
