"""Calls of real Keras layers as their declarations say."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import keras

from archcalc.graph import Node, Tap
from archcalc.keras import crashing_calls
from archcalc.keras.operations import OperationCall
from archcalc.layers.base import Layer
from archcalc.layers.recurrent import Cell


def call_node(
    layer: Any, node: Node, values: Sequence[Sequence[Any]], *, training: bool | None = None
) -> tuple[Any, ...]:
    """The outputs of a node's layer, called with the outputs of the nodes before it; see `call`."""

    def of(tap: Tap | None) -> Any:
        return None if tap is None else values[tap.node][tap.output]

    masks = {m.argument: [of(t) for t in m.taps] if m.several else of(m.taps[0]) for m in node.masks}
    return call(layer, [of(t) for t in node.inputs], node.layer, training=training, masks=masks)


def call(
    layer: Any,
    inputs: list[Any],
    declared: Layer,
    *,
    training: bool | None = None,
    masks: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Any, ...]:
    """The outputs of a Keras layer, called with inputs, masks and arguments as its declaration requires.

    `training` is passed on where the layer accepts it; without it augmentation layers assume training.
    """
    if training is not None:
        crashing_calls.refuse(layer, inputs)
    values = declared.keras_arguments()
    words = {**{k: values[k] for k in declared.call_arguments if k in values}, **masks}
    if training is not None and _takes_training(layer.__class__):
        words["training"] = training
    if isinstance(layer, OperationCall):
        outputs = layer(inputs)
    elif declared.call_style == "separate":
        outputs = layer(*inputs, **words)
    elif declared.call_style == "states" and len(inputs) > 1:
        states = declared.nested(inputs[1:]) if isinstance(declared, Cell) else inputs[1:]
        outputs = layer(inputs[0], states, **words)
    else:
        outputs = layer(one_or_all(inputs), **words)
    return tuple(keras.tree.flatten(outputs))


@cache
def _takes_training(kind: type) -> bool:
    return "training" in inspect.signature(getattr(kind, "call", kind.__call__)).parameters


def one_or_all(tensors: list[Any]) -> Any:
    """The only tensor, or the list of several."""
    return tensors[0] if len(tensors) == 1 else tensors
