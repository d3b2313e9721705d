"""What a network is trained with, in Keras's words: the arguments of `model.compile`, and the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple, get_args

from archcalc.errors import ArchcalcError, did_you_mean

Labels = Literal["one_hot", "integer", "binary", "real"]
LABELS: tuple[str, ...] = get_args(Labels)
LOGITS = "(from_logits=True)"
OWN = "custom:"  # before the name of a loss that is not Keras's

# Keras's losses -> their short names; the classes are the same words in another case
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "mean_squared_error": ("mse",),
    "mean_absolute_error": ("mae",),
    "mean_absolute_percentage_error": ("mape",),
    "mean_squared_logarithmic_error": ("msle",),
    "huber": ("huber_loss",),
    "log_cosh": ("logcosh",),
    "cosine_similarity": ("cosine_proximity",),
    "binary_crossentropy": ("bce",),
    "binary_focal_crossentropy": (),
    "categorical_crossentropy": (),
    "categorical_focal_crossentropy": (),
    "sparse_categorical_crossentropy": (),
    "kl_divergence": ("kld", "kullback_leibler_divergence"),
    "poisson": (),
    "hinge": (),
    "squared_hinge": (),
    "categorical_hinge": (),
    "ctc": (),
    "dice": (),
    "tversky": (),
    "circle": (),
    "categorical_generalized_cross_entropy": (),
}
LOSSES = tuple(_ALIASES)
_BY_WORD = {
    word.replace("_", ""): name for name, aliases in _ALIASES.items() for word in (name, *aliases)
} | {"bincrossentropy": "binary_crossentropy"}


class Loss(NamedTuple):
    """A loss by its name in Keras (`custom:NAME`: none of Keras's), and whether it takes logits."""

    name: str
    from_logits: bool = False

    @classmethod
    def of(cls, text: str) -> Loss:
        """The loss of `mse`, `MeanSquaredError`, `CategoricalCrossentropy(from_logits=True)`, `custom:mine`.

        Raises `ArchcalcError` for any other word.
        """
        word = text.strip()
        logits = word.replace(" ", "").endswith(LOGITS)
        word = word.partition("(")[0].strip() if logits else word
        if word.startswith(OWN) and len(word) > len(OWN):
            return cls(word, logits)
        name = _BY_WORD.get(word.lower().replace("_", ""))
        if name is None:
            known = [*LOSSES, *(alias for aliases in _ALIASES.values() for alias in aliases)]
            hint = did_you_mean(word, known, "Keras's are mse, binary_crossentropy, ...")
            raise ArchcalcError(f"unknown loss {word!r}{hint} ({OWN}NAME for one of your own)")
        return cls(name, logits)

    def __str__(self) -> str:
        return self.name + LOGITS * self.from_logits


@dataclass(frozen=True, slots=True)
class Compile:
    """The arguments of `model.compile`, and what the labels are; None where nothing is stated.

    Attributes
    ----------
    losses
        The loss of each output, in the model's order; one is that of every output. Empty: not stated.
    optimizer
        Its name in Keras, in lower case; `options` are its arguments that are on and add state (`amsgrad`).
    learning_rate
        A number; None also for a schedule.
    labels, classes
        `one_hot`, `integer`, `binary` or `real`; the number of classes.
    """

    losses: tuple[Loss | None, ...] = ()
    optimizer: str | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    options: tuple[str, ...] = ()
    labels: str | None = None
    classes: int | None = None
    metrics: tuple[str, ...] = ()

    def loss(self, output: int) -> Loss | None:
        """The loss of an output, if it is stated."""
        if len(self.losses) == 1:
            return self.losses[0]
        return self.losses[output] if output < len(self.losses) else None

    @property
    def state(self) -> str | None:
        """The optimizer as the table of optimizers' state names it: `momentum` is SGD with momentum."""
        if self.optimizer == "sgd":
            return "momentum" if self.momentum else "sgd"
        more = [*self.options, *(["momentum"] if self.momentum else ())]
        more = more if self.optimizer in _WITH_MORE else []
        return f"{self.optimizer} with {' and '.join(more)}" if more else self.optimizer

    def with_optimizer(self, name: str | None) -> Compile:
        """The same with the optimizer of an option; the file's learning rate is not that optimizer's."""
        if name is None or name == self.state:
            return self
        words: dict[str, Any] = {"optimizer": name, "learning_rate": None, "momentum": None, "options": ()}
        if name == "momentum":
            words |= {"optimizer": "sgd", "momentum": 0.9}
        return replace(self, **words)


# optimizers that keep more state with these arguments than `optimizers.state` counts
_WITH_MORE = ("adam", "adamw", "rmsprop")


class Suppression(NamedTuple):
    """A finding that is meant: its rule, the layers (names with `*`; empty: all), and why."""

    rule: str
    reason: str
    layers: tuple[str, ...] = ()

    def covers(self, layer: str | None) -> bool:
        return not self.layers or any(fnmatchcase(layer or "", pattern) for pattern in self.layers)
