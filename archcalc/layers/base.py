"""The base class of layer types, and bases and helpers that layer types share.

A layer object is immutable: its fields are the Keras constructor arguments (except `name`), and
its methods are rules in plain arithmetic on sizes that may be integers, symbols or arrays. Shapes
never include the batch axis.
"""

from __future__ import annotations

import dataclasses
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, TypeVar, cast, dataclass_transform, get_type_hints

from archcalc.arith import Shape, Size, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.dtypes import floating, promoted
from archcalc.layers.fields import FieldError, Flag, Flags, Kind, Untracked, UntrackedFlag, UntrackedKind
from archcalc.layers.primitives import Primitives
from archcalc.layers.records import Record, collect
from archcalc.layers.registry import register_layer
from archcalc.layers.window import Shares, Window, identity

L = TypeVar("L", bound="type[Layer]")


class Weight(NamedTuple):
    """A weight: its path inside the layer, shape, whether it is trained (None: unknown), initialiser."""

    name: str
    shape: Shape
    trainable: bool | None = True
    initializer: Any = None

    @property
    def parameters(self) -> Size:
        return prod(self.shape)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def family(cls: L) -> L:
    """Class decorator of an abstract layer class that declares fields."""
    if "__annotations__" in vars(cls) or sum(map(dataclasses.is_dataclass, cls.__bases__)) > 1:
        collect(cls)
        cls.kinds = _kinds(cls)
        cls._activations = tuple(n for n, k in cls.kinds.items() if getattr(k, "what", "") == "activation")
        cls._normalised = tuple((n, k) for n, k in cls.kinds.items() if not isinstance(k, UntrackedKind))
    return cls


def _kinds(cls: type[Layer]) -> dict[str, Kind]:
    """The kinds in the annotations of a class and, for the other fields, of its parents."""
    kinds: dict[str, Kind | None] = {}
    for parent in reversed(cls.__mro__[1:]):
        kinds |= vars(parent).get("kinds", {})
    own, names = vars(cls).get("__annotations__", {}), vars(sys.modules[cls.__module__])
    spelt_out = {name: hint for name, hint in own.items() if hint not in names and name in cls._defaults}
    hints = get_type_hints(SimpleNamespace(__annotations__=spelt_out), names, include_extras=True)
    for name in own:
        extras = getattr(hints.get(name, names.get(own[name])), "__metadata__", ())
        kinds[name] = next((extra for extra in extras if isinstance(extra, Kind)), None)
    return {name: kind for name in cls._defaults if (kind := kinds.get(name)) is not None}


@family
class Layer(Record, ABC):
    """Base class of all layer types; see docs/adding-a-layer.md."""

    rank: ClassVar[int] = 0  # number of spatial axes, for arguments that are given per axis
    # the class that Keras runs, `package.module:Name`; `layer` fills in `keras.layers` for archcalc's own
    # types. Empty: Keras has none, so the type cannot be built, verified or written as code
    keras_class: ClassVar[str] = ""
    registered_name: ClassVar[str] = ""  # under which that class is registered with Keras: `package>Name`
    kinds: ClassVar[Mapping[str, Kind]] = {}
    # spec key -> field, for keys that are names of rules (Opaque's `output_shape`, `macs`)
    spec_names: ClassVar[Mapping[str, str]] = {}
    # fields that are arguments of Keras's `call`, not of its constructor
    call_arguments: ClassVar[tuple[str, ...]] = ()
    # fields that are neither: Keras has them as the state of a layer that is built
    state_fields: ClassVar[tuple[str, ...]] = ("trained",)
    # how a call takes several tensors: as one "list", as "separate" arguments (query, value, key), or
    # the first tensor and then a list of the others ("states")
    call_style: ClassVar[str] = "list"
    fewest_inputs: ClassVar[int] = 1  # that make sense; a spec with fewer is refused
    # whether integer inputs give integer outputs; else they are converted to the compute dtype
    keeps_integers: ClassVar[bool] = False
    reads_masks: ClassVar[bool] = False  # whether masked steps change the outputs at other steps

    # arguments of every Keras layer; only `trainable` changes a figure
    trainable: Flag = True
    dtype: Untracked = None
    activity_regularizer: Untracked = None
    # the weights whose own flag is another than the layer's rule and `trainable` say, by name
    trained: Flags = None
    # the argument of a call that fixes one behaviour, as `base(x, training=False)` does for a frozen base;
    # only where `call_arguments` names it, and no figure depends on it
    training: UntrackedFlag = None

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.normalise()

    __eq__ = object.__eq__  # two layers are two, even with equal arguments
    __hash__ = object.__hash__

    def normalise(self) -> None:
        """Replace each argument by its normal form; raises `LayerError` for invalid ones."""
        for name, kind in self._normalised:
            value = getattr(self, name)
            try:
                normal = kind.normalise(value, self.rank)
            except FieldError as fault:
                raise LayerError(f"{self.spec_key(name)}: {fault}") from None
            if normal is not value:
                self.__dict__[name] = normal
        if self.training is not None and "training" not in self.call_arguments:
            raise LayerError("training: the layer does the same in training and at inference")
        self.check()

    _normalised: ClassVar[tuple[tuple[str, Kind], ...]] = ()
    _activations: ClassVar[tuple[str, ...]] = ()  # the arguments that name one

    @property
    def makes_mask(self) -> bool:
        """Whether the layer computes a mask for the layers after it."""
        return False

    def restate(self) -> None:
        """Record again, in the current `arith.scope`, what the arguments require of symbols."""
        self.normalise()

    def check(self) -> None:
        """Raise `LayerError`, with both values, if arguments contradict each other."""

    # -- rules -----------------------------------------------------------------------------
    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output, without the batch axis; raises `LayerError` for invalid inputs."""

    @abstractmethod
    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """All weights, in Keras's order; parameter counts are derived from them."""

    @abstractmethod
    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        """For each input and each of its axes, which units one output unit reads."""

    @abstractmethod
    def macs(self, *inputs: Shape) -> Size:
        """Multiply-adds of the forward pass of one sample, without biases and activations."""

    @abstractmethod
    def elementwise_ops(self, *inputs: Shape) -> Size:
        """Scalar operations of one sample other than multiply-adds (docs/conventions.md)."""

    @abstractmethod
    def primitives(self, *inputs: Shape) -> Primitives:
        """The layer as a chain of primitives (archcalc.layers.primitives)."""

    def shares(self, *inputs: Shape) -> Shares | None:
        """The weight of each input in the effective field; None if it depends on the values.

        A single input has weight 1; layer types with several inputs override this.
        """
        return Shares((1,)) if len(inputs) == 1 else None

    def not_runnable(self, *inputs: Shape) -> str:
        """Why TensorFlow cannot run the layer, though Keras infers its shape; empty if it can."""
        return ""

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """The dtype of the output; `compute` is the compute dtype of the model's dtype policy."""
        if self.keeps_integers and inputs and not any(map(floating, inputs)):
            return promoted(*inputs)
        return compute

    @property
    def lacking(self) -> str:
        """Why Keras cannot run the layer; empty if it can."""
        if not self.keras_class:
            return f"Keras has no layer {type(self).__name__!r}"
        if self.has_foreign_activation:
            return f"the activation of this {type(self).__name__} is a function that archcalc does not know"
        return ""

    @property
    def has_foreign_activation(self) -> bool:
        """Whether an activation is a function of another package, of which nothing but its place is known."""
        return any(getattr(self, name) == "unknown" for name in self._activations)

    @classmethod
    def spec_key(cls, field: str) -> str:
        """The key of this field in a spec."""
        return next((key for key, name in cls.spec_names.items() if name == field), field)

    # -- derived, final -----------------------------------------------------------------------
    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """The shapes of all outputs; layer types with several outputs override this."""
        return (self.output_shape(*inputs),)

    def keras_arguments(self) -> dict[str, Any]:
        """The arguments that differ from their defaults, by their Keras names."""
        arguments = {}
        for f in dataclasses.fields(cast(Any, self)):
            value = getattr(self, f.name)
            if f.default is dataclasses.MISSING or value != self._default(f.name):
                arguments[self.spec_key(f.name)] = value
        return arguments

    @classmethod
    def _default(cls, name: str) -> Any:
        default = cls.__dataclass_fields__[name].default
        kind = cls.kinds.get(name)
        return default if kind is None or default is None else kind.normalise(default, cls.rank)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.keras_arguments().items())
        return f"{type(self).__name__}({arguments})"


@dataclass_transform(frozen_default=True, kw_only_default=True)
def layer(cls: L) -> L:
    """Class decorator of a final layer type, which is registered under its name."""
    if "keras_class" not in vars(cls):
        ours = cls.__module__.startswith("archcalc.layers.")
        cls.keras_class = f"keras.layers:{cls.__name__}" if ours else ""
    return register_layer(family(cls))


# -- bases that share rules by name ------------------------------------------------------------


class Weightless(Layer):
    """A layer without weights."""

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return ()


class NoMacs(Layer):
    """A layer without multiply-adds."""

    def macs(self, *inputs: Shape) -> Size:
        return 0


class Elementwise(Weightless, NoMacs):
    """A layer with one input whose output units depend only on the input unit at the same position."""

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return x

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (identity(len(inputs[0])),)


def one_input(owner: Layer, inputs: tuple[Shape, ...]) -> tuple[Shape]:
    """The shape of the only input, in a tuple; raises `LayerError` if there is not exactly one."""
    if len(inputs) != 1:
        raise LayerError(f"{type(owner).__name__} takes one input, got {len(inputs)}")
    return (inputs[0],)


def require_rank(owner: Layer, shape: Shape, rank: int) -> None:
    """Raise `LayerError` unless the shape has `rank` axes (batch excluded)."""
    if len(shape) != rank:
        raise LayerError(
            f"{type(owner).__name__} takes inputs of {rank} axes (without the batch), got shape {show(shape)}"
        )


def axis_index(owner: Layer, axis: int, rank: int) -> int:
    """The index in shapes without the batch of Keras's `axis` (0 is the batch, -1 the last).

    Raises `LayerError` for the batch axis and for axes that a tensor of `rank` axes does not have.
    """
    index = axis - 1 if axis >= 0 else axis + rank
    if not 0 <= index < rank:
        what = "is the batch axis" if axis in (0, -rank - 1) else "does not exist"
        raise LayerError(
            f"{type(owner).__name__}: axis {axis} {what} (the input has {rank} axes besides the batch)"
        )
    return index


def show(shape: Shape) -> str:
    """A shape as text: `(32, H, 3)`."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


Rule = Callable[..., Any]
__all__ = [
    "Elementwise",
    "Layer",
    "NoMacs",
    "Primitives",
    "Weight",
    "Weightless",
    "Window",
    "axis_index",
    "family",
    "identity",
    "layer",
    "one_input",
    "require_equal",
    "require_rank",
    "show",
]
