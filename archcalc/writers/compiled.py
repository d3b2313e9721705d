"""What a network is trained with, as the arguments of `model.compile` in Keras code."""

from __future__ import annotations

from collections.abc import Iterator

from archcalc.analyses.memory.precision import OPTIMIZERS
from archcalc.graph.compiled import OWN, Compile, Loss

# Keras's classes whose names are not their lower-case names with a capital
_CLASSES = {
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "sgd": "SGD",
    "schedulefreeadamw": "ScheduleFreeAdamW",
}


def compile_code(compiled: Compile | None) -> str:
    """`model.compile(...)`; empty without an optimizer; a comment where code of the user's is needed."""
    if compiled is None or compiled.optimizer is None:
        return ""
    needed = [loss.name for loss in compiled.losses if loss and loss.name.startswith(OWN)]
    needed += [compiled.optimizer] * (compiled.optimizer not in OPTIMIZERS)
    if needed:
        return f"# compile the model with {' and '.join(map(ascii, needed))}, which Keras does not have"
    return f"model.compile({', '.join(_arguments(compiled))})"


def _arguments(compiled: Compile) -> Iterator[str]:
    yield f"optimizer={_optimizer(compiled)}"
    losses = [_loss(loss) for loss in compiled.losses]
    if losses:
        yield f"loss={losses[0] if len(losses) == 1 else '[' + ', '.join(losses) + ']'}"
    if compiled.metrics:
        yield f"metrics={list(compiled.metrics)!r}"


def _optimizer(compiled: Compile) -> str:
    name, momentum = str(compiled.optimizer), compiled.momentum
    if name == "momentum":
        name, momentum = "sgd", momentum or 0.9
    stated = {"learning_rate": compiled.learning_rate, "momentum": momentum}
    stated |= dict.fromkeys(compiled.options, True)
    arguments = ", ".join(f"{key}={value!r}" for key, value in stated.items() if value is not None)
    return f"keras.optimizers.{_CLASSES.get(name, name.capitalize())}({arguments})"


def _loss(loss: Loss | None) -> str:
    if loss is None or not loss.from_logits:
        return repr(None if loss is None else loss.name)
    return f"keras.losses.{''.join(map(str.capitalize, loss.name.split('_')))}(from_logits=True)"
