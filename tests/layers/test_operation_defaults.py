"""The defaults of operations in a spec are those of Keras's functions."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
from keras import ops

from archcalc.layers.fields import UntrackedKind
from archcalc.layers.registry import registered_operations
from archcalc.layers.window import Taps

OPERATIONS = registered_operations()


def function(kind: str) -> Any:
    function: Any = ops
    for name in kind.removeprefix("ops.").split("."):
        function = getattr(function, name, None)
    return function


def plain(value: Any) -> Any:
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("kind", [kind for kind in sorted(OPERATIONS) if function(kind)])
def test_defaults_are_those_of_keras(kind: str) -> None:
    parameters = inspect.signature(function(kind)).parameters
    for field in dataclasses.fields(OPERATIONS[kind]):  # type: ignore[arg-type]
        # a figure depends on it, and both sides have a default
        real = parameters.get(field.name)
        tracked = not isinstance(OPERATIONS[kind].kinds.get(field.name), UntrackedKind)
        if real is not None and tracked and None not in (field.default, real.default):
            stated = field.default is not dataclasses.MISSING and real.default is not inspect.Parameter.empty
            assert not stated or plain(field.default) == plain(real.default), field.name


def test_where_the_axes_of_one_hot_numbers_go() -> None:
    for axis, positions in ((1, (1, 2)), (2, (0, 2)), (-1, (0, 1))):
        layer = OPERATIONS["ops.one_hot"](num_classes=5, axis=axis)
        assert layer.window((3, 4)) == (tuple(map(Taps, positions)),)
