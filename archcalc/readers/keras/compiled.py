"""What a Keras file says about training: the arguments of the model's `compile`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from archcalc.errors import ArchcalcError
from archcalc.graph.compiled import OWN, Compile, Loss
from archcalc.readers.names import printable

MOST = 60  # characters of a name


def read_compile(data: dict[str, Any], outputs: Sequence[str]) -> Compile | None:
    """The `compile` of a Keras configuration; `outputs` are the names that a dictionary of losses may have.

    None where the file has none. What it does not say in a known form is left out.
    """
    compiled, training = data.get("compile_config"), data.get("training_config")
    optimizer: Any = None
    if isinstance(compiled, dict):
        stated, optimizer = compiled, compiled.get("optimizer")
    elif isinstance(training, dict):
        stated, optimizer = training, training.get("optimizer_config")
    else:
        return None
    name, config = _optimizer(optimizer)
    read = Compile(
        losses=_losses(stated.get("loss"), outputs),
        optimizer=name,
        learning_rate=_number(config.get("learning_rate", config.get("lr"))),
        momentum=_number(config.get("momentum")) or None,
        options=tuple(key for key in ("amsgrad", "centered") if config.get(key)),
        metrics=tuple(_names(stated.get("metrics"))),
    )
    return None if read == Compile() else read


def _optimizer(stated: Any) -> tuple[str | None, dict[str, Any]]:
    """The name and the arguments of the optimizer; a loss scale wraps the one that has the state."""
    config: Any = {}
    for _ in range(3):
        if not isinstance(stated, dict):
            break
        config = stated.get("config")
        config = config if isinstance(config, dict) else {}
        name = stated.get("class_name")
        stated = config.get("inner_optimizer") or name
    if not isinstance(stated, str):
        return None, {}
    return printable(stated.rpartition(">")[2].lower())[:MOST], config


def _losses(stated: Any, outputs: Sequence[str]) -> tuple[Loss | None, ...]:
    if isinstance(stated, list):
        return tuple(map(_loss, stated[:1000]))
    if isinstance(stated, dict) and "class_name" not in stated:
        return tuple(_loss(stated.get(name)) for name in outputs)
    loss = _loss(stated)
    return () if loss is None else (loss,)


def _loss(stated: Any) -> Loss | None:
    """A loss as a name, an object, or a function's configuration."""
    config: Any = stated.get("config") if isinstance(stated, dict) else None
    name = _name(stated)
    if name is None:
        return None
    logits = isinstance(config, dict) and config.get("from_logits") is True
    try:
        return Loss.of(name)._replace(from_logits=logits)
    except ArchcalcError:
        return Loss(OWN + name, logits)


def _name(stated: Any) -> str | None:
    """The name of a serialised function or class, or the text itself."""
    if isinstance(stated, dict):
        stated = stated.get("config" if stated.get("class_name") == "function" else "class_name")
    return printable(stated.rpartition(">")[2])[:MOST] if isinstance(stated, str) and stated else None


def _names(stated: Any, depth: int = 3) -> Iterator[str]:
    name = _name(stated)
    if name is not None:
        yield name
    elif isinstance(stated, list | dict) and depth:
        for each in (list(stated.values()) if isinstance(stated, dict) else stated)[:1000]:
            yield from _names(each, depth - 1)


def _number(stated: Any) -> float | None:
    """A positive number, as it was before Keras made it float32; None for a schedule."""
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not 0 < stated < math.inf:
        return None
    return float(f"{stated:.7g}")
