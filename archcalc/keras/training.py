"""What a live model is trained with: read from its `compile`, and given to a model that is built."""

from __future__ import annotations

from typing import Any

import keras

from archcalc.graph.compiled import OWN, Compile, Loss


def compile_config(model: Any) -> dict[str, Any]:
    """The entry `compile_config` of a live model's configuration; empty if it was not compiled."""
    if getattr(model, "optimizer", None) is None or not hasattr(model, "get_compile_config"):
        return {}
    try:
        stated = model.get_compile_config()
    except (NotImplementedError, TypeError, ValueError):  # objects of the user's own that Keras cannot write
        return {}
    return {"compile_config": stated} if isinstance(stated, dict) else {}


def compile_as_stated(model: Any, compiled: Compile | None) -> Any:
    """The model, compiled if an optimizer of Keras's is stated and no loss of the user's own.

    Metrics that Keras does not have are left out.
    """
    if compiled is None or any(loss and loss.name.startswith(OWN) for loss in compiled.losses):
        return model
    optimizer = _optimizer(compiled)
    if optimizer is not None:
        losses = list(map(_loss, compiled.losses))
        model.compile(
            optimizer=optimizer,
            loss=losses[0] if len(losses) == 1 else losses or None,
            metrics=[name for name in compiled.metrics if _is_metric(name)] or None,
        )
    return model


def _optimizer(compiled: Compile) -> Any:
    name, momentum = compiled.optimizer, compiled.momentum
    if name == "momentum":
        name, momentum = "sgd", momentum or 0.9
    config = {"learning_rate": compiled.learning_rate, "momentum": momentum}
    config |= dict.fromkeys(compiled.options, True)
    stated = {key: value for key, value in config.items() if value is not None}
    try:
        return keras.optimizers.get({"class_name": name, "config": stated}) if name else None
    except (TypeError, ValueError):
        return None


def _loss(loss: Loss | None) -> Any:
    if loss is None or not loss.from_logits:
        return None if loss is None else loss.name
    return getattr(keras.losses, "".join(map(str.capitalize, loss.name.split("_"))))(from_logits=True)


def _is_metric(name: str) -> bool:
    if name in ("accuracy", "acc", "crossentropy", "ce"):
        return True
    try:
        return keras.metrics.get(name) is not None
    except ValueError:
        return False
