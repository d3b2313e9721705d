"""Layers that stand in another layer's arguments: cells, and what wrappers wrap."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

from archcalc.errors import LayerError
from archcalc.layers.base import Layer, Weight
from archcalc.layers.fields import FieldError, Kind
from archcalc.layers.registry import registered
from archcalc.layers.window import Blocks, Phases, Prefix, Read, Scattered, Section, Taps, Window


class Inner(NamedTuple):
    """A layer inside another, and its name, under which its weights stand."""

    layer: Layer
    name: str

    def weights(self, found: tuple[Weight, ...]) -> tuple[Weight, ...]:
        """Its weights, as the outer layer names them; none is trained where the inner layer is frozen."""
        return tuple(
            w._replace(name=f"{self.name}/{w.name}", trainable=w.trainable and self.layer.trainable)
            for w in found
        )


def of(layer: Layer, name: str | None = None) -> Inner:
    """A layer with the name that Keras gives to the first of its type."""
    return Inner(layer, name or keras_word(type(layer).__name__))


def with_inner(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Layers, and those inside them, at any depth."""
    for layer in layers:
        yield layer
        for name in layer.kinds:
            value = getattr(layer, name)
            parts = value if isinstance(value, tuple) and not isinstance(value, Inner) else (value,)
            yield from with_inner(part.layer for part in parts if isinstance(part, Inner))


def keras_word(class_name: str) -> str:
    """`ConvLSTM2D` as `conv_lstm2d`: Keras's `to_snake_case`."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


class InnerKind(Kind):
    """A layer, as an object or as its data: `{"type": "LSTM", "units": 4}`.

    `stackable`: a list of cells stands for StackedRNNCells of them; `sample`: a type that fits.
    """

    holds_layers = True

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
            return of(_made({"type": "StackedRNNCells", "cells": value}))
        return self._one(value)

    def _one(self, value: Any) -> Inner:
        if isinstance(value, Inner):
            return value
        if isinstance(value, Layer):
            return of(value)
        if isinstance(value, Mapping) and isinstance(value.get("type"), str):
            name = value.get("name")
            if name is not None and (not isinstance(name, str) or not name or "/" in name):
                raise FieldError(f"expected a name without '/', got {name!r}")
            return of(_made({k: v for k, v in value.items() if k != "name"}), name)
        raise FieldError(f'expected a layer such as {{"type": "LSTM", "units": 4}}, got {value!r:.60}')

    def schema(self, rank: int) -> dict[str, Any]:
        one: dict[str, Any] = {"type": "object", "required": ["type"]}
        several = {"type": "array", "items": one, "minItems": 1}
        options = [several] if self.several else [one, several] if self.stackable else [one]
        if self.optional:
            options.append({"type": "null"})
        return options[0] if len(options) == 1 else {"anyOf": options}


def _made(data: Mapping[str, Any]) -> Layer:
    kind = data["type"]
    cls = registered().get(kind)
    if cls is None:
        raise FieldError(f"unknown layer type {kind!r}")
    fields = {cls.spec_key(f.name): f for f in dataclasses.fields(cls)}
    given = {k: v for k, v in data.items() if k != "type"}
    for key in given:
        if key not in fields:
            raise FieldError(f"{kind} has no argument {key!r}")
    for key, f in fields.items():
        if key not in given and f.default is dataclasses.MISSING:
            raise FieldError(f"{kind} needs {key!r}")
    try:
        return cls(**{fields[k].name: v for k, v in given.items()})
    except LayerError as fault:
        raise FieldError(f"{kind}: {fault}") from None


def behind(window: Window, axes: int, rank: int) -> Window:
    """The window of a layer whose input and output get `axes` axes in front; `rank` is its output's."""
    return tuple(_behind(read, axes, rank) for read in window)


def _behind(read: Read, axes: int, rank: int) -> Read:
    if isinstance(read, Scattered):
        return Scattered(tuple(a + axes for a in (read.axes or range(rank))))
    if isinstance(read, Taps | Phases | Blocks | Section | Prefix):
        return dataclasses.replace(read, axis=read.axis + axes)
    return read


InnerLayer = Annotated[Any, InnerKind()]
OptionalInnerLayer = Annotated[Any, InnerKind(optional=True)]
InnerCell = Annotated[Any, InnerKind(stackable=True)]
InnerCells = Annotated[Any, InnerKind(several=True)]
