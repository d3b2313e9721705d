"""The registry of layer types and operations, and the modules that declare them.

These modules are imported when the types are first asked for: they import `archcalc.layers.base`,
which does not import them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from archcalc.layers.base import Layer
    from archcalc.layers.operations.base import Operation

L = TypeVar("L", bound="type[Layer]")

# tests/layers/test_registry.py compares both lists with the files
LAYER_MODULES = (
    *("activation_layers", "adaptive", "applications", "attention", "augmentation", "colour_augmentation"),
    *("conv_recurrent", "convolution", "core", "einsum", "encoding", "former", "images", "locally_connected"),
    *("merging", "normalization", "opaque", "padding", "pooling", "preprocessing", "recurrent"),
    *("regularization", "reshaping", "spectrogram", "transposed", "upsampling", "wrappers"),
)
OPERATION_MODULES = (
    *("images", "contraction", "elementwise", "indexing", "reduction", "reshaping", "windowed"),
)

_layers: dict[str, type[Layer]] = {}
_operations: dict[str, type[Operation]] = {}
_operations_by_keras_class: dict[str, type[Operation]] = {}
_loaded: set[str] = set()


def register_layer(cls: L) -> L:
    """Register a layer type under its class name."""
    _layers[cls.__name__] = cls
    return cls


def register_operation(cls: type[Operation]) -> None:
    """Register an operation under its name, `ops.add`, and its class name in Keras configs, `Add`."""
    _operations[cls.__name__] = cls
    _operations_by_keras_class[cls.keras_class] = cls


def registered() -> Mapping[str, type[Layer]]:
    """All layer types by Keras class name, including those of other packages (entry points)."""
    if "layers" not in _loaded:
        _loaded.add("layers")
        for name in LAYER_MODULES:
            import_module(f"archcalc.layers.{name}")
        from importlib.metadata import entry_points  # takes 10 ms to import

        for point in entry_points(group="archcalc.layers"):
            point.load()
    return _layers


def registered_operations() -> Mapping[str, type[Layer]]:
    """All operations by name (`ops.add`)."""
    _load_operations()
    return _operations


def keras_operations() -> Mapping[str, type[Operation]]:
    """All operations by their class name in Keras configs (`Add`)."""
    _load_operations()
    return _operations_by_keras_class


def _load_operations() -> None:
    if "operations" not in _loaded:
        _loaded.add("operations")
        for name in OPERATION_MODULES:
            import_module(f"archcalc.layers.operations.{name}")
