"""The contract of a layer type.

A layer class is a frozen declaration: its fields are the Keras constructor arguments
(except `name`), and its methods are rules in plain arithmetic over sizes that may be
integers, symbols or arrays. Shapes never include the batch axis.
"""

from __future__ import annotations

import dataclasses
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar, cast, dataclass_transform, get_type_hints

from archcalc.arith import Shape, Size, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.dtypes import floating, promoted
from archcalc.layers.fields import FieldError, Flag, Kind, Untracked, UntrackedKind
from archcalc.layers.primitives import Primitives
from archcalc.layers.registry import register_layer
from archcalc.layers.window import Shares, Window, identity

L = TypeVar("L", bound="type[Layer]")


class Weight(NamedTuple):
    """One weight: its path inside the layer, its shape, and how training starts it."""

    name: str
    shape: Shape
    trainable: bool = True
    initializer: Any = None

    @property
    def parameters(self) -> Size:
        return prod(self.shape)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Layer(ABC):
    """What every layer type declares; see docs/adding-a-layer.md."""

    rank: ClassVar[int] = 0  # number of spatial axes, where arguments are given per axis
    module: ClassVar[str] = "keras.layers"
    kinds: ClassVar[Mapping[str, Kind]] = {}
    # spec key -> field, where a key would hide a rule (Opaque's `output_shape`, `macs`)
    spec_names: ClassVar[Mapping[str, str]] = {}
    # fields that Keras takes when the layer is called, and not when it is made
    call_arguments: ClassVar[tuple[str, ...]] = ()
    # how a call takes several tensors: in one "list", "apart" (query, value, key), or the first
    # and then a list of all others ("states")
    call_style: ClassVar[str] = "list"
    # whether integers stay integers; layers bring everything else to the precision they compute in
    keeps_integers: ClassVar[bool] = False
    reads_masks: ClassVar[bool] = False  # whether hidden steps change what it makes of the others

    # arguments that every Keras layer takes; only `trainable` changes a figure
    trainable: Flag = True
    dtype: Untracked = None
    activity_regularizer: Untracked = None

    def __post_init__(self) -> None:
        for name, kind in self._normalised:
            value = getattr(self, name)
            try:
                normal = kind.normalise(value, self.rank)
            except FieldError as fault:
                raise LayerError(f"{self.spec_key(name)}: {fault}") from None
            if normal is not value:
                object.__setattr__(self, name, normal)
        self.check()

    _normalised: ClassVar[tuple[tuple[str, Kind], ...]] = ()

    @property
    def makes_mask(self) -> bool:
        """Whether it hides steps from the layers behind it."""
        return False

    def restate(self) -> None:
        """Require once more, in the current `arith.scope`, what the arguments need of symbols."""
        self.__post_init__()

    def check(self) -> None:  # noqa: B027  (most types have nothing to check)
        """Raise `LayerError` where arguments contradict each other; states both values."""

    # -- rules -----------------------------------------------------------------------------
    @abstractmethod
    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output, without the batch axis; raises `LayerError` if there is none."""

    @abstractmethod
    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        """Every weight, in Keras's order; parameter counts are derived from it."""

    @abstractmethod
    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        """For each input, what one output unit reads of each of its axes."""

    @abstractmethod
    def macs(self, *inputs: Shape) -> Size:
        """Multiply-adds of one sample's forward pass; bias and the like are not among them."""

    @abstractmethod
    def elementwise_ops(self, *inputs: Shape) -> Size:
        """Scalar operations of one sample outside multiply-adds (docs/conventions.md)."""

    @abstractmethod
    def primitives(self, *inputs: Shape) -> Primitives:
        """What the layer does, as a chain of primitives (archcalc.layers.primitives)."""

    def shares(self, *inputs: Shape) -> Shares | None:
        """How strongly the output depends on each input; None if the values decide.

        Used where branches meet in the effective field. One input counts fully; a type that
        takes several says how it weighs them.
        """
        return Shares((1,)) if len(inputs) == 1 else None

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """The type of the output's numbers; `compute` is the one that the model's layers compute in."""
        if self.keeps_integers and inputs and not any(map(floating, inputs)):
            return promoted(*inputs)
        return compute

    @classmethod
    def spec_key(cls, field: str) -> str:
        """What a spec calls this field."""
        return next((key for key, name in cls.spec_names.items() if name == field), field)

    # -- derived, final -----------------------------------------------------------------------
    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        """All outputs' shapes; types with several outputs override it."""
        return (self.output_shape(*inputs),)

    def keras_arguments(self) -> dict[str, Any]:
        """The arguments that differ from their defaults, by their names in Keras."""
        found = {}
        for f in dataclasses.fields(cast(Any, self)):
            value = getattr(self, f.name)
            if f.default is dataclasses.MISSING or value != self._default(f.name):
                found[self.spec_key(f.name)] = value
        return found

    @classmethod
    def _default(cls, name: str) -> Any:
        default = cls.__dataclass_fields__[name].default
        kind = cls.kinds.get(name)
        return default if kind is None or default is None else kind.normalise(default, cls.rank)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.keras_arguments().items())
        return f"{type(self).__name__}({arguments})"


def _kind(cls: type[Layer], field: str) -> Kind | None:
    """The kind in the annotation of a field, where the nearest class declares it."""
    owner = next(c for c in cls.__mro__ if field in vars(c).get("__annotations__", {}))
    if owner not in (cls, Layer):
        return cast("type[Layer]", owner).kinds.get(field)
    text = owner.__annotations__[field]
    names = vars(sys.modules[owner.__module__])
    # `get_type_hints` gives the same, of all fields of all parents anew
    hint = names[text] if text in names else get_type_hints(owner, include_extras=True)[field]
    return next((extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Kind)), None)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def family(cls: L) -> L:
    """Class decorator of an abstract base with fields of its own."""
    made: Any = cls
    # making a dataclass compiles code, and two hundred types are made at each start: one that adds no
    # field has its parent's constructor
    if "__annotations__" in vars(cls) or sum(map(dataclasses.is_dataclass, cls.__bases__)) > 1:
        made = dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)(cls)
    kinds: dict[str, Kind] = {}
    for f in dataclasses.fields(made):
        kind = _kind(made, f.name)
        if kind is not None:
            kinds[f.name] = kind
    made.kinds = kinds
    made._normalised = tuple((n, k) for n, k in kinds.items() if not isinstance(k, UntrackedKind))
    return cast(L, made)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def layer(cls: L) -> L:
    """Class decorator that makes a final layer type and registers it under its name."""
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
    """One input, and each output unit depends on the input unit at its place only."""

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return x

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (identity(len(inputs[0])),)


def one_input(owner: Layer, inputs: tuple[Shape, ...]) -> tuple[Shape]:
    """The only input's shape; raises `LayerError` if there are several."""
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
    """Where Keras's `axis` (0 is the batch, negative counts from the end) stands in our shapes.

    Raises `LayerError` for the batch axis and for axes that a tensor of `rank` axes has not.
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
