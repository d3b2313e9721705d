"""Inputs: their shapes, with a symbol for every axis that the file leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcalc.arith import integer
from archcalc.arith.expressions import is_symbol_name
from archcalc.arith.symbolic import symbol
from archcalc.layers.base import Layer
from archcalc.layers.base import show as show_shape
from archcalc.layers.core import InputLayer
from archcalc.readers.keras.declare import dtype_name
from archcalc.readers.keras.reading import Reading
from archcalc.readers.names import show

_AXES = {1: "T", 2: "TC", 3: "HWC", 4: "DHWC"}
_AXES_CHANNELS_FIRST = {3: "CHW", 4: "CDHW"}


def axis_names(shape: tuple[int | None, ...]) -> list[str]:
    """Letters for the axes of a sample, chosen by their number and by which sizes are known."""
    first = bool(shape) and shape[0] is not None and shape[-1] is None
    letters = (_AXES_CHANNELS_FIRST if first else {}).get(len(shape)) or _AXES.get(len(shape))
    return list(letters) if letters else [f"N{i + 1}" for i in range(len(shape))]


def input_layer(config: dict[str, Any], path: str, reading: Reading) -> Layer | None:
    """The input layer that a configuration describes; None, with a fault noted, if its shape is invalid."""
    key = next((k for k in ("batch_shape", "batch_input_shape", "shape") if config.get(k) is not None), None)
    if key is None:
        reading.fault(path, "the input has no batch_shape")
        return None
    shape = batch_free(config[key], f"{path}.{key}", reading, has_batch=key != "shape")
    if shape is None:
        return None
    sizes = open_axes(shape, f"{path}.{key}", reading)
    return None if sizes is None else InputLayer(shape=sizes, dtype=dtype_name(config.get("dtype")))


def batch_free(
    value: Any, path: str, reading: Reading, *, has_batch: bool = True
) -> tuple[int | None, ...] | None:
    """A shape's sizes without the batch axis; None, with a fault noted, if it is not a shape."""
    if not isinstance(value, list | tuple) or (has_batch and not value):
        reading.fault(path, f"expected a shape, got {show(value)}")
        return None
    sizes = list(value)[1:] if has_batch else list(value)
    for i, n in enumerate(sizes):
        if n is not None and (type(n) is not int or n < 1):
            at = i + 1 if has_batch else i
            reading.fault(f"{path}[{at}]", f"expected a positive integer or null, got {show(n)}")
            return None
    return tuple(sizes)


def open_axes(shape: tuple[int | None, ...], path: str, reading: Reading) -> tuple[Any, ...] | None:
    """The sizes of an input: those of `--input-shape`; else open axes have a value, or stay symbolic."""
    input_shape = reading.input_shape
    if input_shape is not None:
        if len(input_shape) != len(shape):
            # the option is at fault, not a place in the file
            reading.fault("", f"{_given(input_shape)} has another number of axes than {_show(shape)}")
            return None
        reading.replaced[path] = shape
        return input_shape
    return tuple(
        _open(name, reading) if n is None else n for n, name in zip(shape, axis_names(shape), strict=True)
    )


def check_inputs(reading: Reading) -> None:
    """Note a shape that was given for inputs of several shapes, and values of symbols that do not exist."""
    if reading.reshaped and len(set(reading.replaced.values())) > 1:
        shapes = ", ".join(map(_show, dict.fromkeys(reading.replaced.values())))
        reading.fault(
            "",
            f"{_given(reading.input_shape or ())} is one shape, and the inputs have several ({shapes}); "
            "change them in the file",
        )
    if reading.faults:
        return
    for name in reading.symbols:
        if name not in reading.open_symbols:
            known = ", ".join(reading.open_symbols)
            has = f"its symbols are {known}" if known else "its inputs have fixed sizes"
            reading.fault("", f"no symbol is named {show(name)}; {has} (--input-shape 32,32,3 gives others)")


def check_values(reading: Reading) -> None:
    """Note values of symbols that are no sizes."""
    for name, value in reading.symbols.items():
        if value is not None and (type(value) is not int or value < 1):
            reading.fault("", f"{name}: expected a positive integer, got {show(value)}")


def given_shape(entries: Sequence[int | str], reading: Reading) -> tuple[Any, ...]:
    """The sizes of `--input-shape`: positive integers, and names of symbols for open axes."""
    sizes: list[Any] = []
    for n in entries:
        if isinstance(n, str) and is_symbol_name(n):
            sizes.append(_named(n, reading))
            continue
        try:
            size = int(n) if isinstance(n, str) else integer(n)
        except (TypeError, ValueError):
            size = 0
        if size < 1:
            reading.fault("", f"input shape: expected positive integers or names of symbols, got {show(n)}")
            return tuple(entries)
        sizes.append(size)
    return tuple(sizes)


def _open(letter: str, reading: Reading) -> Any:
    name = letter
    while name in reading.open_symbols:
        number = reading.letters[letter] = reading.letters.get(letter, 1) + 1
        name = f"{letter}{number}"
    return _named(name, reading)


def _named(name: str, reading: Reading) -> Any:
    value = reading.open_symbols[name] = reading.symbols.get(name)
    return symbol(name) if value is None else value


def _given(shape: tuple[Any, ...]) -> str:
    return f"input shape {','.join(map(str, shape))}"


def _show(shape: tuple[int | None, ...]) -> str:
    return show_shape(tuple("any" if n is None else n for n in shape))
