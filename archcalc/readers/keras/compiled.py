"""What a Keras file says about training: the optimizer that the model was compiled with."""

from __future__ import annotations

from typing import Any

from archcalc.readers.names import printable


def optimizer_name(data: dict[str, Any]) -> str | None:
    """The optimizer as archcalc names it; with arguments that add state; None where the file has none."""
    compiled, training = data.get("compile_config"), data.get("training_config")
    stated: Any = None
    if isinstance(compiled, dict):
        stated = compiled.get("optimizer")
    elif isinstance(training, dict):
        stated = training.get("optimizer_config")
    config: Any = {}
    # a loss scale wraps the optimizer that has the state
    for _ in range(3):
        if not isinstance(stated, dict):
            break
        config = stated.get("config")
        config = config if isinstance(config, dict) else {}
        name = stated.get("class_name")
        stated = config.get("inner_optimizer") or name
    if not isinstance(stated, str):
        return None
    name = printable(stated.rpartition(">")[2].lower())[:60]
    if name == "sgd" and config.get("momentum"):
        return "momentum"
    more = [key for key in ("amsgrad", "centered", "momentum") if config.get(key) and name != "sgd"]
    return f"{name} with {' and '.join(more)}" if more and name in _WITH_MORE else name


# optimizers that keep more state with these arguments than `optimizers.state` counts
_WITH_MORE = ("adam", "adamw", "rmsprop")
