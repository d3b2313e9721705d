"""What an entry of a configuration is; its names are only compared with tables, never imported.

The tables are archcalc's own, and the names of the layer types that installed packages offer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from archcalc.errors import LayerError
from archcalc.layers.homes import LAYERS
from archcalc.layers.refusals import REFUSALS
from archcalc.layers.registry import keras_operation, layer_type
from archcalc.readers.keras.generations import current
from archcalc.readers.keras.reading import Reading, printable
from archcalc.readers.names import show as brief

# classes that Keras 2 wraps around functions of TensorFlow
TF_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda")
GRAPHS = ("Functional", "Model")


class Identity(NamedTuple):
    """`kind` is input, functional, sequential, layer, operation, function, operator, described or unknown."""

    kind: str
    name: str  # the class, as archcalc calls it
    reason: str = ""  # why it is unknown
    config: Any = None  # the arguments, where an earlier Keras wrote other ones
    rule: Any = None  # that describes the class, of kind described


def identify(entry: dict[str, Any], path: str, reading: Reading) -> Identity | None:
    """What a serialised object is; None, with a fault noted, if it does not say."""
    identity = _identified(entry, path, reading)
    if identity is None or identity.kind != "unknown":
        return identity
    from archcalc.readers.keras.statements import meaning

    return meaning(identity, entry, reading)


def _identified(entry: dict[str, Any], path: str, reading: Reading) -> Identity | None:
    name = reading.text(entry.get("class_name"), f"{path}.class_name", "the name of a class")
    if name is None:
        return None
    if not is_keras(entry):
        return _of_another_package(entry, name)
    if "keras.src.ops" in str(entry.get("module")) or str(entry.get("module")).startswith("keras.ops"):
        if keras_operation(name):
            return Identity("operation", name)
        return Identity(
            "unknown", f"ops.{printable(name)}", f"the operation {name}, which archcalc has no rule for"
        )
    if name in TF_FUNCTIONS:
        return Identity("function", name)
    if name == "TensorFlowOpLayer":
        return Identity("operator", name)
    if name == "InputLayer":
        return Identity("input", name)
    if name == "Sequential":
        return Identity("sequential", name)
    if name in GRAPHS:
        return Identity("functional", name)
    stated = entry.get("config")
    name, config, reason = current(name, stated if isinstance(stated, dict) else {}, reading.version)
    if reason:
        return Identity("unknown", printable(name), reason)
    if name in LAYERS:
        return Identity("layer", name, config=config if isinstance(stated, dict) else stated)
    if name in REFUSALS:
        return Identity("unknown", name, REFUSALS[name].described(name))
    return Identity("unknown", printable(name), f"of the class {brief(name)}, which archcalc has no rule for")


def is_keras(entry: dict[str, Any]) -> bool:
    """Whether the entry names one of Keras's own classes, judged by module and registered name.

    Keras 2 up to 2.12 wrote neither, so their absence proves nothing. Layers inside Keras's own
    applications are registered as `Custom>`, like a user's.
    """
    registered_name, name = entry.get("registered_name"), entry.get("class_name")
    expected = (None, name, f"Custom>{name}" if ".applications." in str(entry.get("module")) else None)
    if registered_name not in expected:
        return False
    if "module" not in entry:
        return ">" not in str(name)
    module = entry["module"]
    if not isinstance(module, str):
        return False
    if name == "PruneLowMagnitude" and module.startswith("tensorflow_model_optimization."):
        return True
    package = module.split(".")[0]
    return package in ("keras", "tf_keras", "keras_core") or module.startswith(
        ("tensorflow.keras", "tensorflow.python.keras")
    )


def _of_another_package(entry: dict[str, Any], class_name: str) -> Identity:
    """A layer of another package whose type states this class or its registered name, or an unknown one."""
    registered_name = entry.get("registered_name") or class_name  # Keras 2 writes `package>Name` as the class
    name = class_name.rpartition(">")[2]
    reason = f"of the class {_origin(entry)}, which is not Keras's own"
    try:
        cls = layer_type(name)
    except LayerError as fault:
        return Identity("unknown", printable(name), f"{reason}, and {fault}")
    if cls is not None and cls.registered_name == registered_name:
        return Identity("layer", name)
    # a class of Keras's own module that is registered by others is theirs
    if cls is not None and name not in LAYERS and cls.keras_class == f"{entry.get('module')}:{name}":
        return Identity("layer", name)
    return Identity("unknown", printable(class_name), reason)


def _origin(entry: dict[str, Any]) -> str:
    registered_name, module = entry.get("registered_name"), entry.get("module")
    if isinstance(registered_name, str) and ">" in registered_name:
        return brief(printable(registered_name))
    return brief(
        printable(f"{module}.{entry['class_name']}" if isinstance(module, str) else entry["class_name"])
    )
