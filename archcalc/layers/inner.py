"""Layers as arguments of other layers: the cells of RNN, the layers inside wrappers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple

from archcalc.errors import LayerError
from archcalc.layers.base import Layer, Weight
from archcalc.layers.fields import FieldError, Kind
from archcalc.layers.registry import layer_type
from archcalc.layers.window import Blocks, Phases, Prefix, Read, Scattered, Section, Taps, Window


class Inner(NamedTuple):
    """A layer inside another one, and its name, which prefixes the names of its weights."""

    layer: Layer
    name: str

    def weights(self, weights: tuple[Weight, ...]) -> tuple[Weight, ...]:
        """The weights as the outer layer names them; not trainable if the inner layer is frozen."""
        return tuple(
            w._replace(name=f"{self.name}/{w.name}", trainable=w.trainable and self.layer.trainable)
            for w in weights
        )


def inner_of(layer: Layer, name: str | None = None) -> Inner:
    """A layer as an `Inner`; the default name is the one that Keras gives the first layer of its type."""
    return Inner(layer, name or snake_case(type(layer).__name__))


def with_inner(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The layers and all layers inside them, at any depth."""
    for layer in layers:
        yield layer
        for name in _holding_layers(type(layer)):
            value = getattr(layer, name)
            parts = value if isinstance(value, tuple) and not isinstance(value, Inner) else (value,)
            yield from with_inner(part.layer for part in parts if isinstance(part, Inner))


@cache
def _holding_layers(cls: type[Layer]) -> tuple[str, ...]:
    """The fields of a type that hold layers."""
    return tuple(name for name, kind in cls.kinds.items() if isinstance(kind, InnerKind))


def snake_case(class_name: str) -> str:
    """A class name as Keras's `to_snake_case` writes it: `ConvLSTM2D` becomes `conv_lstm2d`."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


class InnerKind(Kind):
    """A layer, as an object or as data: `{"type": "LSTM", "units": 4}`.

    `stackable`: a list of cells becomes a StackedRNNCells. `sample`: a layer type that is accepted.
    """

    def __init__(
        self, *, optional: bool = False, stackable: bool = False, several: bool = False, sample: str = "GRU"
    ) -> None:
        self.sample = sample
        self.optional = optional
        self.stackable = stackable
        self.several = several

    def normalise(self, value: Any, rank: int) -> Any:
        if value is None and self.optional:
            return None
        if self.several:
            if not isinstance(value, list | tuple) or isinstance(value, Inner):
                raise FieldError(f"expected a list of layers, got {value!r}")
            return tuple(self._one(v) for v in value)
        if self.stackable and isinstance(value, list | tuple) and not isinstance(value, Inner):
            return inner_of(_layer_from({"type": "StackedRNNCells", "cells": value}))
        return self._one(value)

    def _one(self, value: Any) -> Inner:
        if isinstance(value, Inner):
            return value
        if isinstance(value, Layer):
            return inner_of(value)
        if isinstance(value, Mapping) and isinstance(value.get("type"), str):
            name = value.get("name")
            if name is not None and (not isinstance(name, str) or not name or "/" in name):
                raise FieldError(f"expected a name without '/', got {name!r}")
            return inner_of(_layer_from({k: v for k, v in value.items() if k != "name"}), name)
        raise FieldError(f'expected a layer such as {{"type": "LSTM", "units": 4}}, got {value!r:.60}')

    def schema(self, rank: int) -> dict[str, Any]:
        item: dict[str, Any] = {"type": "object", "required": ["type"]}
        several = {"type": "array", "items": item, "minItems": 1}
        options = [several] if self.several else [item, several] if self.stackable else [item]
        if self.optional:
            options.append({"type": "null"})
        return options[0] if len(options) == 1 else {"anyOf": options}


def _layer_from(data: Mapping[str, Any]) -> Layer:
    kind = data["type"]
    cls = layer_type(kind)
    if cls is None:
        raise FieldError(f"unknown layer type {kind!r}")
    fields = {cls.spec_key(f.name): f for f in dataclasses.fields(cls)}
    arguments = {k: v for k, v in data.items() if k != "type"}
    for key in arguments:
        if key not in fields:
            raise FieldError(f"{kind} has no argument {key!r}")
    for key, f in fields.items():
        if key not in arguments and f.default is dataclasses.MISSING:
            raise FieldError(f"{kind} needs {key!r}")
    try:
        return cls(**{fields[k].name: v for k, v in arguments.items()})
    except LayerError as fault:
        raise FieldError(f"{kind}: {fault}") from None


def with_leading_axes(window: Window, axes: int, rank: int) -> Window:
    """The window after `axes` leading axes are added to input and output; `rank` is the old output's."""
    return tuple(_moved(read, axes, rank) for read in window)


def _moved(read: Read, axes: int, rank: int) -> Read:
    if isinstance(read, Scattered):
        return dataclasses.replace(read, axes=tuple(a + axes for a in (read.axes or range(rank))))
    if isinstance(read, Taps | Phases | Blocks | Section | Prefix):
        return dataclasses.replace(read, axis=read.axis + axes)
    return read


InnerLayer = Annotated[Any, InnerKind()]
OptionalInnerLayer = Annotated[Any, InnerKind(optional=True)]
InnerCell = Annotated[Any, InnerKind(stackable=True)]
InnerCells = Annotated[Any, InnerKind(several=True)]
