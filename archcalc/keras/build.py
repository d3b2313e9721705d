"""Graph -> live Keras model, in the functional API."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, cast

import keras

from archcalc import arith
from archcalc.arith.symbolic import Expr
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Graph, Node, Tap
from archcalc.graph.substitution import open_symbols, with_values
from archcalc.keras import parameter
from archcalc.keras.calls import call_node, one_or_all
from archcalc.keras.operations import OperationCall
from archcalc.keras.state import set_state
from archcalc.layers.activations import LAYERS
from archcalc.layers.base import Layer
from archcalc.layers.fields import NamedKind
from archcalc.layers.inner import Inner
from archcalc.layers.keras_names import to_keras_name
from archcalc.layers.operand import Constant
from archcalc.layers.operations.base import Operation
from archcalc.layers.parameter import Parameter
from archcalc.readers import as_graph

Initializers = Literal["keras", "zeros"]


def keras_layer(layer: Layer, name: str | None = None, *, initializers: Initializers = "keras") -> Any:
    """The real Keras layer that a declaration describes; for an operation, a callable of its tensors.

    `initializers="zeros"` initialises every weight to zero, which builds large networks several
    times faster where values do not matter. Raises `LayerError` for a type that Keras lacks.
    """
    arguments = layer.keras_arguments()
    for field, value in list(arguments.items()):
        if _symbols(value):
            raise LayerError(f"{field}={value}: {', '.join(_symbols(value))} needs a value")
        if isinstance(value, Constant):
            arguments[field] = value.value
        elif field in (*layer.call_arguments, *layer.state_fields):
            del arguments[field]
        else:
            arguments[field] = _with_inner(value, initializers)
    if isinstance(layer, Operation):
        return OperationCall(layer, name)
    if initializers == "zeros":
        arguments |= {
            field: "zeros"
            for field, kind in layer.kinds.items()
            if isinstance(kind, NamedKind) and kind.what == "initializer"
        }
    # set as an attribute, since not every constructor takes the argument (SpatialDropout2D refuses it)
    trainable = arguments.pop("trainable", True)
    if layer.keras_class and layer.lacking:
        raise LayerError(layer.lacking)
    built = _keras_class(layer)(**arguments, **({"name": name} if name else {}))
    if not trainable:
        built.trainable = False
    return built


def _with_inner(value: Any, initializers: Initializers) -> Any:
    """The value with declared layers inside it, and activations with arguments, replaced by real ones."""
    if isinstance(value, dict) and value.get("class_name") in LAYERS and value.get("config"):
        return getattr(keras.layers, LAYERS[value["class_name"]])(**value["config"])
    if isinstance(value, Inner):
        return keras_layer(value.layer, value.name, initializers=initializers)
    if isinstance(value, tuple) and any(isinstance(v, Inner) for v in value):
        return [_with_inner(v, initializers) for v in value]
    return value


def _keras_class(layer: Layer) -> Any:
    module, _, name = layer.keras_class.partition(":")
    try:
        cls = getattr(importlib.import_module(module), name, None) if module else None
    except Exception as fault:  # whatever the code of another package raises
        raise LayerError(f"{layer.keras_class} cannot be imported: {reason(fault)}") from fault
    if cls is None and module and not module.startswith("keras."):
        raise LayerError(f"{module} has no class {name!r}, which the layer type states as its `keras_class`")
    if cls is None:
        raise LayerError(f"Keras {keras.__version__} has no layer {type(layer).__name__!r} to build")
    return cls


@dataclasses.dataclass(frozen=True)
class Built:
    """A graph with the real Keras layer and tensors of every node.

    `layers` holds None for inputs, and the same layer again where a node shares weights;
    `tensors` the symbolic outputs of each node.
    """

    graph: Graph
    layers: tuple[Any, ...]
    tensors: tuple[tuple[Any, ...], ...]

    @property
    def model(self) -> Any:
        """The `keras.Model` from the graph's inputs to its outputs."""
        return self._model(self.graph.outputs)

    @property
    def whole(self) -> Any:
        """Like `model`, with every unread tensor as an output too: Keras drops what leads to no output."""
        read = {t for node in self.graph.nodes for t in node.reads}
        ends = [t for i, outputs in enumerate(self.tensors) for t in (Tap(i, k) for k in range(len(outputs)))]
        return self._model([t for t in ends if t not in read] or self.graph.outputs)

    def _model(self, outputs: Sequence[Tap]) -> Any:
        inputs = [self.tensors[i][0] for i in self.graph.inputs]
        tensors = [self.tensors[t.node][t.output] for t in outputs]
        name = to_keras_name(self.graph.name) if self.graph.name else None
        return keras.Model(one_or_all(inputs), one_or_all(tensors), name=name)

    def run(
        self,
        inputs: Sequence[Any],
        scope: Callable[[int], AbstractContextManager[Any]] | None = None,
        failures: dict[int, str] | None = None,
        *,
        training: bool = False,
    ) -> Iterator[tuple[Any, ...]]:
        """Yield every node's outputs in turn, each computed inside `scope(node)`.

        With `failures`, a node that does not run here yields no outputs, and its reason is stored
        there; so do the nodes after it.
        """
        values: list[tuple[Any, ...]] = []
        by_node = dict(zip(self.graph.inputs, inputs, strict=True))
        for i, node in enumerate(self.graph.nodes):
            if i in by_node:
                values.append((by_node[i],))
            elif failures and any(t.node in failures for t in node.reads):
                failures[i] = failures[next(t.node for t in node.reads if t.node in failures)]
                values.append(())
            else:
                try:
                    with scope(i) if scope else nullcontext():
                        values.append(call_node(self.layers[i], node, values, training=training))
                except Exception as fault:
                    if failures is None:
                        raise
                    failures[i] = reason(fault)
                    values.append(())
            yield values[-1]


def to_keras(
    graph: Any, symbols: Mapping[str, int] | None = None, *, initializers: Initializers = "keras"
) -> Any:
    """The real `keras.Model` that a graph describes.

    Names are mapped by `archcalc.layers.keras_names`, because Keras and TensorFlow refuse some of
    archcalc's; a layer that is called several times is one Keras layer. A symbol that is the whole
    size of an input's axis, and appears nowhere else, may stay open: that axis becomes `None`.

    Parameters
    ----------
    graph
        A graph, or anything that `archcalc.load` takes.
    symbols
        Values of symbols, positive integers, instead of those they have.
    initializers
        `"keras"` initialises weights as the layers declare, `"zeros"` all of them to zero (faster).

    Raises
    ------
    ArchcalcError
        Symbols that need a value.
    NetworkError
        Layers that Keras refuses or does not have.
    """
    graph = as_graph(graph)
    if symbols:
        graph = with_values(graph, symbols)
    _require_values(graph)
    return build(graph, initializers=initializers).model


def build(graph: Graph, *, initializers: Initializers = "keras") -> Built:
    """Every node as a real Keras layer.

    Raises `NetworkError` for the first layer that Keras refuses or does not have.
    """
    tensors: list[tuple[Any, ...]] = []
    layers: list[Any] = []
    for node in graph.nodes:
        try:
            if type(node.layer).__name__ == "InputLayer":
                layers.append(None)
                tensors.append((_input(node),))
                continue
            if node.shared_with is None:
                layer = keras_layer(node.layer, to_keras_name(node.name), initializers=initializers)
                layers.append(layer)
            else:
                layers.append(shared(node, layers[node.shared_with]))
            tensors.append(call_node(layers[-1], node, tensors))
            if node.shared_with is None:
                set_state(layers[-1], node.layer)
        except Exception as fault:
            raise NetworkError([(node.name, refusal(fault))]) from fault
    return Built(graph, tuple(layers), tuple(tensors))


def shared(node: Node, owner: Any) -> Any:
    """The layer of a node that shares the weights of an earlier one's."""
    if not isinstance(node.layer, Parameter):
        return owner
    shape: Any = node.layer.output_shape(())
    return parameter.Tied(owner, shape, name=to_keras_name(node.name))


def _input(node: Node) -> Any:
    arguments = node.layer.keras_arguments()
    arguments["shape"] = tuple(None if isinstance(n, Expr) else n for n in arguments["shape"])
    return keras.Input(**arguments, name=to_keras_name(node.name))


def _require_values(graph: Graph) -> None:
    """Raise unless every open symbol is just an axis of an input."""
    inside = {i for i, node in enumerate(graph.nodes) if type(node.layer).__name__ == "InputLayer"}
    needed = set(
        open_symbols(
            dataclasses.replace(graph, nodes=tuple(n for i, n in enumerate(graph.nodes) if i not in inside))
        )
    )
    for i in inside:
        for n in cast(Any, graph.nodes[i].layer).shape:
            if isinstance(n, Expr) and str(n) not in n.symbols:
                needed |= n.symbols.keys()
    if needed:
        names = sorted(needed)
        example = ", ".join(f"{name!r}: 32" for name in names)
        raise ArchcalcError(
            f"{graph.source or graph.name}: to build the real model, {' and '.join(names)} "
            f"need{'s' if len(names) == 1 else ''} a value (symbols={{{example}}}, or --set {names[0]}=32)"
        )


def _symbols(value: Any) -> list[str]:
    if isinstance(value, Expr):
        return list(value.symbols)
    if isinstance(value, tuple):
        return [name for v in value for name in _symbols(v)]
    if arith.is_array(value):
        return ["an array"]
    return []


def refusal(fault: Exception) -> str:
    """Keras's objection to a layer, in one line."""
    return str(fault) if isinstance(fault, ArchcalcError) else f"Keras refuses it: {reason(fault)}"


def reason(fault: Exception) -> str:
    """The line of a Keras or TensorFlow error that says what is wrong.

    Callers catch `Exception`, because these errors have no common base class, and turn each into a
    verdict.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(fault))
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("Exception encountered when calling")]
    return (telling or lines or [type(fault).__name__])[0]
