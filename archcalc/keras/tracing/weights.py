"""Operations, some of whose operands are weights: these have no batch axis."""

from __future__ import annotations

import re
import string
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np

from archcalc.errors import LayerError
from archcalc.keras.tracing import entries
from archcalc.keras.tracing.entries import Entry, Shape, Value
from archcalc.keras.tracing.markers import EverySample, OneSample, UnknownOperator, hides_code
from archcalc.keras.tracing.recording import UntraceableError
from archcalc.layers.operations.contraction import Contraction
from archcalc.layers.operations.elementwise import Broadcasting, Unary
from archcalc.layers.operations.reduction import Reduction
from archcalc.layers.registry import keras_operation, registered

if TYPE_CHECKING:
    from archcalc.keras.tracing.network import Network

# operations that only look at the same elements in another shape, and those that change nothing
_VIEWS = ("Reshape", "ExpandDims", "Squeeze")
_UNCHANGED = ("ConvertToTensor", "Copy", "StopGradient")
_TRANSFORMS = ("FFT", "FFT2", "IFFT2")
_REPEATS = ("BroadcastTo", "Tile", "Repeat")


class Weight(NamedTuple):
    """A variable, its elements arranged in `shape`."""

    variable: Any
    shape: Shape
    dtype: str | None = None


class Operands:
    """One call of an operation, written with a batch axis for its weights where it needs one."""

    def __init__(self, network: Network, node: Any) -> None:
        self.network = network
        self.node = node
        self.operation = node.operation
        self.kind = type(node.operation).__name__
        # Keras numbers operations through the whole program; a traced call is a scope of its own
        name = node.operation.name
        self.name = re.sub(r"_\d+$", "", name) if network.traced else name
        self.values = [network.value(x) for x in operands(node.arguments)]

    def write(self) -> None:
        """Add the operation to the network.

        Raises `UntraceableError` for one that hides what it runs.
        """
        if self.kind in ("Cond", "Switch"):
            raise UntraceableError("it branches on a tensor's value")
        if hides_code(self.node):
            raise UntraceableError(f"{self.kind} hides what it runs")
        weights = [isinstance(v, Weight) or not v.batched for v in self.values]
        if isinstance(self.operation, UnknownOperator):
            self._unknown(batched=not all(weights))
        elif isinstance(self.operation, OneSample | EverySample):
            self._of_a_map()
        elif self.kind == "ConvertToTensor":
            self.network.values[id(self.node.outputs[0])] = self.values[0]
        elif self.kind == "DotProductAttention" and not any(weights):
            self._attention()
        elif not any(weights):
            self._plain()
        elif all(weights):
            self._on_weights_alone()
        else:
            self._mixed()

    # -- forms -------------------------------------------------------------------------------------
    def _plain(self) -> None:
        config = self._config()
        arguments = self.node.arguments
        args, kwargs = list(arguments.args), dict(arguments.kwargs)
        shape = tuple(self.node.outputs[0].shape)
        if not self.network.traced:
            pass
        elif self.kind == "Reshape" and all(n is not None for n in shape[1:]):
            config["newshape"] = [-1, *shape[1:]]
        elif self.kind == "Reshape" and config["newshape"][0] == self.network.context.batch:
            config["newshape"] = [None, *self._open(config["newshape"][1:])]
        else:
            config, args, kwargs = self._open((config, args, kwargs))
        if self.kind in _TRANSFORMS:
            args, kwargs = [self._real_parts(args[0] if args else kwargs["x"])], {}
        self._append(config, args, kwargs)

    def _real_parts(self, parts: Any) -> Any:
        """The parts of a transform, a constant imaginary part of zeros as a tensor."""
        first, second = parts
        if _is_operand(second) or not hasattr(second, "shape") or np.asarray(second).any():
            return parts
        zeros = keras.ops.zeros_like(first)
        (node,) = zeros._keras_history.operation._inbound_nodes
        self.network.add(node)
        return [first, zeros]

    def _append(self, config: Entry, args: Any, kwargs: Any, *, batched: bool = True) -> None:
        network = self.network
        name = network.unique(self.name)
        written = network.written(list(args)), network.written(kwargs)
        entry = entries.operation(self.kind, config, name, *written)
        network.append(entry, self.node, f"ops.{self.kind}", ())
        network.results(self.node, name, batched=batched)

    def _unknown(self, *, batched: bool) -> None:
        network = self.network
        batched = batched or self.node.outputs[0].shape[:1] == (network.context.batch,)
        network.opaque(self.node, network.unique(self.name), (), self.operation.reason, batched=batched)

    def _of_a_map(self) -> None:
        """A tensor without its batch axis, as the function of a map sees it, or with it again."""
        (value,), (output,) = self.values, self.node.outputs
        enters = isinstance(self.operation, OneSample)
        if isinstance(value, Weight):
            value = self.network.parameter(value, value.shape)
        if value.batched is not enters:
            raise UntraceableError("a map over a tensor that is the same for every sample")
        self.network.values[id(output)] = value._replace(shape=tuple(output.shape), batched=not enters)

    def _attention(self) -> None:
        """The two products of attention; what its softmax and masks cost is not stated."""
        query, key = (value.shape[1:] for value in self.values[:2])
        figures: Entry = {}
        if all(type(n) is int for n in (*query, *key)):
            figures["macs"] = 2 * prod(query) * key[0]
        reason = "keras.ops.dot_product_attention has no rule"
        self.network.opaque(self.node, self.network.unique(self.name), (), reason, **figures)

    def _opaque(self, **figures: Any) -> None:
        network = self.network
        reason = f"{self.kind} with a weight as an operand has no rule"
        name = network.unique(self.name)
        network.opaque(self.node, name, (), reason, **figures)

    def _config(self) -> Entry:
        try:
            config = entries.serialized(self.operation).get("config") or {}
        except NotImplementedError:  # of arguments that are not Python's own, such as numbers of numpy
            config = entries.attributes(self.operation)
        return {k: v for k, v in config.items() if k != "name"}

    def _open(self, tree: Any) -> Any:
        """The arguments with the batch's size left open; refuse other uses of it."""
        batch = self.network.context.batch
        if isinstance(tree, slice):
            parts = [self._open(None if v == batch else v) for v in (tree.start, tree.stop, tree.step)]
            return slice(*parts)
        if isinstance(tree, dict):
            return {k: self._open(v) for k, v in tree.items()}
        if isinstance(tree, list | tuple):
            return type(tree)(map(self._open, tree))
        if type(tree) is int and tree and tree % batch == 0:
            raise UntraceableError(f"{self.kind} depends on the batch's size")
        return tree

    # -- weights alone -----------------------------------------------------------------------------
    def _on_weights_alone(self) -> None:
        shape = tuple(self.node.outputs[0].shape)
        constants = [getattr(x, "shape", ()) for x in _constants(self.node.arguments)]
        if any(tuple(of[:1]) == (self.network.context.batch,) for of in constants):
            raise UntraceableError(f"{self.kind} of a weight and a constant with the batch axis has no rule")
        if len(self.node.outputs) > 1:
            raise UntraceableError(f"{self.kind} of a weight has no rule")
        first = self.values[0]
        if self.kind in _REPEATS and shape and shape[0] == self.network.context.batch:
            self._for_every_sample(first, shape)
        elif isinstance(first, Weight) and (self.kind in (*_VIEWS, "Cast", *_UNCHANGED)):
            dtype = self.node.outputs[0].dtype
            self.network.values[id(self.node.outputs[0])] = Weight(first.variable, shape, dtype)
        elif self.kind == "Identity":
            self.network.values[id(self.node.outputs[0])] = first
        else:
            self._with_batch_axis(shape)

    def _for_every_sample(self, value: Value | Weight, shape: Shape) -> None:
        """A weight that is repeated along the batch axis is a tensor like any other."""
        inner = value.shape[1:] if len(value.shape) == len(shape) else value.shape
        inner = (1,) * (len(shape) - 1 - len(inner)) + tuple(inner)
        if inner != shape[1:] or (len(value.shape) == len(shape) and value.shape[0] != 1):
            raise UntraceableError(f"{self.kind} repeats a weight along more than the batch axis")
        ready = self._arranged(value, inner)
        self.network.values[id(self.node.outputs[0])] = ready._replace(shape=shape, batched=True)

    def _with_batch_axis(self, shape: Shape) -> None:
        """The same operation on weights that have a batch axis first."""
        rank = len(self.values[0].shape)
        config = self._config()
        rule = keras_operation(self.kind)
        kwargs: Entry = {}
        if rule is not None and issubclass(rule, Broadcasting):
            args = self._aligned(len(shape))
        elif rule is not None and issubclass(rule, Reduction):
            config["axis"] = _axes(config.get("axis"), rank)
            args = self._plain_references()
        elif self.kind in _VIEWS:
            self.network.values[id(self.node.outputs[0])] = self._arranged(self.values[0], shape)
            return
        elif self.kind == "Transpose":
            axes = config.get("axes") or range(rank)[::-1]
            config["axes"] = [0, *(a % rank + 1 for a in axes)]
            args = self._plain_references()
        elif self.kind == "Slice":
            args = [*self._plain_references(), self._slices()]
            self._entry("GetItem", {}, args, {})
            return
        elif self.kind == "Take" and self.operation.axis is not None:
            self._rows(shape, rank)
            return
        elif self.kind == "GetItem":
            args, kwargs = [*self._plain_references(), self._key()], {}
        elif self.kind == "Concatenate" and not self._has_arrays():
            config["axis"] = _axes(config.get("axis", 0), rank)
            args = [self._plain_references()]
        elif (rule is not None and issubclass(rule, Unary)) or self.kind == "Matmul":
            args = self._plain_references()
            if "axis" in config:
                config["axis"] = _shifted(config["axis"])
            if self._has_arrays():
                raise UntraceableError(f"{self.kind} of a weight and a constant has no rule")
        else:
            raise UntraceableError(f"{self.kind} of weights alone has no rule")
        self._entry(self.kind, config, args, kwargs)

    def _has_arrays(self) -> bool:
        """Whether some operand is a constant array."""
        return any(hasattr(x, "shape") for x in _constants(self.node.arguments))

    def _entry(self, kind: str, config: Entry, args: list[Any], kwargs: Entry) -> None:
        network = self.network
        name = network.unique(self.name)
        entry = entries.operation(kind, config, name, args, kwargs)
        network.append(entry, self.node, f"ops.{kind}", ())
        part = network.parts[-1]
        network.results(self.node, name, batched=False)
        (output,) = self.node.outputs
        rule = keras_operation(kind)
        if not output.shape and not (rule is not None and issubclass(rule, Reduction)):
            # operands without axes were arranged as one unit
            value = network.value(output)
            network.values[id(output)] = value._replace(shape=(1,))
        part.shapes = [(None, *network.value(output).shape)]

    def _plain_references(self) -> list[Any]:
        return [self._arranged(v, v.shape).reference for v in self.values]

    def _rows(self, shape: Shape, rank: int) -> None:
        """Rows of a weight at constant indices, taken in one axis and then arranged; or at unknown ones."""
        arguments = self.node.arguments
        indices = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs["indices"]
        if _is_operand(indices):
            # which rows they are depends on values; that they are moved and seen by no input does not
            reason = "a weight says which rows of another one are taken"
            figures = {"macs": 0, "elementwise_ops": 0, "window": "whole"}
            name = self.network.unique(self.name)
            self.network.opaque(self.node, name, (), reason, batched=False, **figures)
            return
        numbers = [int(i) for i in np.asarray(indices).ravel()]
        axis = self.operation.axis % rank
        flat = (*self.values[0].shape[:axis], len(numbers), *self.values[0].shape[axis + 1 :])
        self._entry("Take", {"axis": axis + 1}, [*self._plain_references(), numbers], {})
        taken = self.network.value(self.node.outputs[0])
        self.network.parts[-1].shapes = [(None, *flat)]
        ready = self._arranged(taken._replace(shape=flat), shape)
        self.network.values[id(self.node.outputs[0])] = ready

    def _slices(self) -> Any:
        starts = self.node.arguments.args[1:] or [self.node.arguments.kwargs.get("start_indices")]
        sizes = self.operation.shape
        if not all(type(n) is int for n in (*starts[0], *sizes)):
            raise UntraceableError("Slice of a weight with open bounds has no rule")
        key = [slice(None), *(slice(a, a + n) for a, n in zip(starts[0], sizes, strict=True))]
        return entries.as_data(key)

    def _key(self) -> Any:
        arguments = self.node.arguments
        key = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs["key"]
        if any(isinstance(k, keras.KerasTensor) for k in keras.tree.flatten(key)):
            raise UntraceableError("a weight is indexed by a tensor")
        return entries.as_data([slice(None), *(key if isinstance(key, tuple | list) else (key,))])

    # -- weights and tensors -------------------------------------------------------------------------
    def _mixed(self) -> None:
        rule = keras_operation(self.kind)
        if rule is not None and issubclass(rule, Broadcasting):
            rank = len(self.node.outputs[0].shape) - 1
            self._written_with(self.kind, self._config(), self._aligned(rank))
        elif len(self.values) != 2 or not (
            self._as_layer() or (rule is not None and issubclass(rule, Contraction) and self._einsum(rule))
        ):
            self._opaque()

    def _written_with(self, kind: str, config: Entry, args: list[Any]) -> None:
        network = self.network
        name = network.unique(self.name)
        entry = entries.operation(kind, config, name, args, {})
        network.append(entry, self.node, f"ops.{kind}", ())
        network.results(self.node, name)

    def _aligned(self, rank: int) -> list[Any]:
        """The operands in order, the weights among them with `rank` axes besides the batch."""
        operands = []
        flat = iter(self.values)
        arguments = self.node.arguments
        for operand in (*arguments.args, *arguments.kwargs.values()):
            if not _is_operand(operand):
                operands.append(self.network.written(operand))
                continue
            value = next(flat)
            if isinstance(value, Value) and value.batched:
                operands.append(value.reference)
                continue
            shape = value.shape
            if len(shape) == rank + 1 and shape[0] == 1:
                shape = shape[1:]
            shape = (1,) * (rank - len(shape)) + tuple(shape)
            operands.append(self._arranged(value, shape).reference)
        return operands

    def _arranged(self, value: Value | Weight, shape: Shape) -> Value:
        """A weight, or the result of arithmetic on weights, as a tensor of this shape."""
        network = self.network
        if not shape:
            shape = (1,)
        if isinstance(value, Weight):
            return network.parameter(value, shape)
        if value.shape == shape:
            return value
        name = network.unique("reshape")
        entry = entries.operation("Reshape", {"newshape": [-1, *shape]}, name, [value.reference], {})
        network.layers.append(entry)
        return Value(name, 0, shape, value.dtype, batched=False)

    def _as_layer(self) -> bool:
        """Write the operation as the layer whose kernel the weight is; whether there is one."""
        x, w = self.values
        if self.kind == "Take":
            return self._embedding()
        if not (isinstance(x, Value) and x.batched):
            return False
        if self.kind in ("Conv", "DepthwiseConv"):
            self._convolution(x, w)
            return True
        if not isinstance(w, Weight) or w.shape != tuple(w.variable.shape):
            return False
        if self.kind in ("Matmul", "Dot") and len(w.shape) == 2:
            config: Entry = {"units": w.shape[1], "use_bias": False}
            self._weighted("Dense", config, x, w.variable)
            return True
        if self.kind == "Einsum":
            shape = list(self.node.outputs[0].shape[1:])
            config = {"equation": self.operation.subscripts, "output_shape": shape}
            self._weighted("EinsumDense", config, x, w.variable)
            return True
        return False

    def _convolution(self, x: Value, w: Value | Weight) -> None:
        """A convolution with a weight as its kernel, or with a kernel that is computed of weights."""
        rank = len(w.shape) - 2
        arguments = ("strides", "padding", "data_format", "dilation_rate")
        config = {k: v for k, v in self._config().items() if k in arguments and v is not None}
        config |= {"kernel_size": list(w.shape[:rank]), "use_bias": False}
        if self.kind == "DepthwiseConv":
            name = f"DepthwiseConv{rank}D"
            config["depth_multiplier"] = w.shape[-1]
        else:
            name = f"Conv{rank}D"
            channels = x.shape[1 if config.get("data_format") == "channels_first" else -1]
            config |= {"filters": w.shape[-1], "groups": channels // w.shape[-2]}
        if isinstance(w, Weight) and w.shape == tuple(w.variable.shape):
            self._weighted(name, config, x, w.variable)
            return
        layer: Any = registered()[name](**config)
        figures: Entry = {}
        if all(type(n) is int for n in x.shape[1:]):
            figures = {"macs": layer.macs(x.shape[1:]), "elementwise_ops": 0}
        if set(layer.dilation_rate) == {1} and config.get("data_format") != "channels_first":
            figures |= {"window": config["kernel_size"], "stride": list(layer.strides)}
        self._opaque(**figures)

    def _einsum(self, rule: type[Contraction]) -> bool:
        """A contraction with weights as an `einsum` in which they have the batch axis too."""
        config = {k: v for k, v in self._config().items() if k == "subscripts"}
        ranks = tuple(len(v.shape) for v in self.values)
        try:
            labels = rule(**config).labels(ranks)
        except LayerError:
            return False
        first = labels.output[:1]
        args, subscripts = [], []
        for value, letters in zip(self.values, labels.operands, strict=True):
            shape = value.shape
            if isinstance(value, Value) and value.batched:
                if letters[:1] != first:
                    return False
                args.append(value.reference)
            else:
                if letters[:1] == first and shape[0] == 1:
                    shape, letters = shape[1:], letters[1:]
                if first in letters:
                    return False
                args.append(self._arranged(value, shape).reference)
                letters = first + letters
            subscripts.append(letters)
        equation = _lowercase(f"{','.join(subscripts)}->{labels.output}")
        self._written_with("Einsum", {"subscripts": equation}, args)
        return True

    def _weighted(self, class_name: str, config: Entry, x: Value, variable: Any) -> None:
        self.network.write_weighted(self.node, self.name, class_name, config, x, variable)

    def _embedding(self) -> bool:
        w, x = self.values
        if self.kind != "Take" or not (isinstance(w, Weight) and isinstance(x, Value)):
            return False
        if self.operation.axis not in (0, None) or len(w.shape) != 2 or w.shape != tuple(w.variable.shape):
            return False
        config = {"input_dim": w.shape[0], "output_dim": w.shape[1]}
        self._weighted("Embedding", config, x, w.variable)
        return True


def _lowercase(equation: str) -> str:
    """The equation in letters that Keras reads."""
    letters = dict.fromkeys(c for c in equation if c.isalpha())
    return equation.translate({ord(c): string.ascii_lowercase[i] for i, c in enumerate(letters)})


def operands(arguments: Any) -> list[Any]:
    """The symbolic tensors and variables in the arguments of a call, in order."""
    return [x for x in keras.tree.flatten([arguments.args, arguments.kwargs]) if _is_operand(x)]


def _constants(arguments: Any) -> list[Any]:
    """The arguments of a call that are no operands."""
    return [x for x in keras.tree.flatten([arguments.args, arguments.kwargs]) if not _is_operand(x)]


def _is_operand(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor | keras.Variable)


def _shifted(axis: Any) -> Any:
    """The axis that a function of elements runs along, when a batch axis comes first."""
    if axis is None:
        raise UntraceableError("a weight is flattened")
    if isinstance(axis, list | tuple):
        return [_shifted(a) for a in axis]
    return axis + 1 if axis >= 0 else axis


def _axes(axis: Any, rank: int) -> Any:
    """A reduction's axes when a batch axis comes first."""
    if axis is None:
        return list(range(1, rank + 1))
    if isinstance(axis, list | tuple):
        return [a % rank + 1 for a in axis]
    return axis % rank + 1
