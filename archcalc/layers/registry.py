"""Layer types and operations by name; only the module that declares a type is imported when it is asked for.

`archcalc.layers.homes` says which module declares each of archcalc's own types, `archcalc.layers.plugins`
finds those of other packages. The modules import `archcalc.layers.base`, which imports this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from archcalc.errors import LayerError
from archcalc.layers.homes import LAYERS, OPERATIONS

if TYPE_CHECKING:
    from archcalc.layers.base import Layer
    from archcalc.layers.operations.base import Operation

L = TypeVar("L", bound="type[Layer]")

_layers: dict[str, type[Layer]] = {}
_operations: dict[str, type[Operation]] = {}
_by_class = {class_name: name for name, (_, class_name) in OPERATIONS.items()}


def register_layer(cls: L) -> L:
    """Register a layer type under its class name.

    Raises `TypeError` for a class that lacks rules, or that has the name of another type.
    """
    name = cls.__name__
    if cls.__abstractmethods__:
        raise TypeError(f"{name} lacks {', '.join(sorted(cls.__abstractmethods__))}")
    if name in LAYERS and cls.__module__ != f"archcalc.layers.{LAYERS[name]}":
        raise TypeError(f"archcalc has a layer type {name!r} of its own; give this one another name")
    if cls.keras_class and cls.keras_class.partition(":")[2] != name:
        raise TypeError(f"keras_class={cls.keras_class!r}: expected 'package.module:{name}'")
    _layers[name] = cls
    return cls


def register_operation(cls: type[Operation]) -> None:
    """Register an operation under its name, `ops.add`."""
    _operations[cls.__name__] = cls


def layer_type(name: str) -> type[Layer] | None:
    """The layer type of this name, archcalc's own or another package's; None if there is none.

    Raises `LayerError` if the other package cannot be imported.
    """
    if name in LAYERS:
        if name not in _layers:
            import_module(f"archcalc.layers.{LAYERS[name]}")
        return _layers[name]
    if name not in _layers:
        from archcalc.layers import plugins  # to import it and to search takes longer than an analysis

        declared = plugins.load(name)
        if declared is not None and _layers.get(name) is not declared:
            raise LayerError(f"{plugins.origin(name)} is not a class of this name with the decorator `layer`")
    return _layers.get(name)


def operation_type(name: str) -> type[Operation] | None:
    """The operation of this name (`ops.add`); None if there is none."""
    if name in OPERATIONS and name not in _operations:
        import_module(f"archcalc.layers.operations.{OPERATIONS[name][0]}")
    return _operations.get(name)


def keras_operation(class_name: str) -> type[Operation] | None:
    """The operation whose class has this name in Keras configs (`Add`); None if there is none."""
    return operation_type(_by_class.get(class_name, ""))


def type_names() -> list[str]:
    """Every name for which `layer_type` or `operation_type` has a type; none of them is imported."""
    from archcalc.layers import plugins

    return [*LAYERS, *(name for name in plugins.names() if name not in LAYERS), *OPERATIONS]


@cache
def registered() -> Mapping[str, type[Layer]]:
    """All of archcalc's own layer types by name."""
    return {name: cls for name in LAYERS if (cls := layer_type(name))}


@cache
def registered_operations() -> Mapping[str, type[Operation]]:
    """All operations by name (`ops.add`)."""
    return {name: cls for name in OPERATIONS if (cls := operation_type(name))}


def of_packages() -> Iterator[tuple[str, type[Layer] | LayerError]]:
    """The layer types of other packages by name, each with its class or with why it cannot be imported."""
    from archcalc.layers import plugins

    for name in plugins.names():
        try:
            declared = layer_type(name)
        except LayerError as fault:
            yield name, fault
            continue
        if declared is not None and name not in LAYERS:
            yield name, declared
