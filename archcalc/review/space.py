"""The space of layer configurations that `explain` searches: what is varied for each type, and how far."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from archcalc.errors import ArchcalcError, did_you_mean

MOST = 4096  # channels, filters
LARGEST = 100_000  # channels and filters that may be asked for: each is tried where a layer has two kernels
KERNELS = tuple(range(1, 12))  # the same along all axes
GROUPS = (1, 2, 4, 8, 16, 32, 64)
MULTIPLIERS = tuple(range(1, 17))  # of depthwise convolutions
DILATIONS = tuple(range(1, 9))
POSITIONS = 32  # of a locally connected layer, along each axis


class Varied(NamedTuple):
    """What a type varies: its spatial axes, the argument that sets its width, and what else it has."""

    rank: int
    width: str  # empty: only the channels count
    groups: bool = False
    positions: bool = False
    bias: bool = True


TYPES = {
    "Conv2D": Varied(2, "filters", groups=True),
    "Dense": Varied(0, "units"),
    "DepthwiseConv2D": Varied(2, "depth_multiplier"),
    "SeparableConv2D": Varied(2, "filters"),
    "Conv1D": Varied(1, "filters", groups=True),
    "Conv3D": Varied(3, "filters", groups=True),
    "BatchNormalization": Varied(0, "", bias=False),
    "LocallyConnected2D": Varied(2, "filters", positions=True),
    "LocallyConnected1D": Varied(1, "filters", positions=True),
    "Conv1DTranspose": Varied(1, "filters"),
    "Conv2DTranspose": Varied(2, "filters"),
    "Conv3DTranspose": Varied(3, "filters"),
    "DepthwiseConv1D": Varied(1, "depth_multiplier"),
    "SeparableConv1D": Varied(1, "filters"),
}
USUAL = tuple(TYPES)[:7]  # without --type


@dataclasses.dataclass(frozen=True)
class Space:
    """A search space; each tuple lists the values that are tried.

    `kernel_sizes` holds one size for all axes, or a tuple with one per axis. `input_sizes` are those of
    locally connected layers, whose parameters depend on them; None: from the kernel's size on, `POSITIONS`
    of them. `receptive_field`: only windows of this extent, dilation included.
    """

    types: tuple[str, ...] = USUAL
    kernel_sizes: tuple[int | tuple[int, ...], ...] = KERNELS
    input_channels: tuple[int, int] = (1, MOST)
    filters: tuple[int, int] = (1, MOST)
    bias: tuple[bool, ...] = (True, False)
    groups: tuple[int, ...] = GROUPS
    implementations: tuple[int, ...] = (1, 2, 3)
    input_sizes: tuple[tuple[int, ...], ...] | None = None
    receptive_field: int | None = None

    def __post_init__(self) -> None:
        for part in (
            "types",
            "kernel_sizes",
            "input_channels",
            "filters",
            "bias",
            "groups",
            "implementations",
        ):
            require_tuple(part, getattr(self, part))
        for name in self.types:
            if name not in TYPES:
                hint = did_you_mean(name, TYPES, f"it knows {', '.join(TYPES)}")
                raise ArchcalcError(f"type: explain does not search for {name!r}{hint}")
        for what, ends in (("input_channels", self.input_channels), ("filters", self.filters)):
            if len(ends) != 2 or not 1 <= ends[0] <= ends[1] <= LARGEST:
                said = " to ".join(f"{n:,}" for n in ends)
                raise ArchcalcError(f"{what}: expected the least and the most, 1 to {LARGEST:,}, got {said}")
        if any(n < 1 for n in self.groups):
            raise ArchcalcError(f"groups: expected positive integers, got {min(self.groups)}")

    def with_inputs(self, sizes: Sequence[Any]) -> Space:
        """The same space with these input sizes, one number being the size along all axes."""
        ranks = {TYPES[name].rank for name in self.types if TYPES[name].positions}
        inputs = [(n,) * rank if isinstance(n, int) else n for n in sizes for rank in sorted(ranks)]
        return dataclasses.replace(self, input_sizes=tuple(inputs))

    def with_effect(self, chosen: bool) -> Space:
        """The space with those types only that have what narrows it; `chosen`: the types were asked for.

        Raises `ArchcalcError` if none of them has it.
        """
        usual = Space(types=self.types)
        has: dict[str, Callable[[Varied], Any]] = {
            "groups": lambda v: v.groups,
            "kernel_sizes": lambda v: any(_rank(k) in (v.rank, 0) for k in self.kernel_sizes) and v.rank,
            "bias": lambda v: v.bias,
            "filters": lambda v: v.width,
            "implementations": lambda v: v.positions,
            "input_sizes": lambda v: v.positions and any(len(n) == v.rank for n in self.input_sizes or ()),
        }
        types = self.types
        for part, acts in has.items():
            if getattr(self, part) == getattr(usual, part):
                continue
            types = tuple(name for name in types if acts(TYPES[name]))
            if not types:
                remedy = "leave it out" if chosen else "name another type (--type)"
                raise ArchcalcError(f"{part}: changes nothing for {', '.join(self.types)}; {remedy}")
        return dataclasses.replace(self, types=types)

    def described(self) -> list[str]:
        """The space in words, one line for what is varied."""
        parts = [f"type {_listed(self.types)}"]
        ranks = [TYPES[t] for t in self.types]
        if any(v.rank for v in ranks):
            parts.append(f"kernel {_listed(map(_sizes, self.kernel_sizes))}")
        parts.append(f"input channels {_span(self.input_channels)}")
        if any(v.width for v in ranks):
            parts.append(f"filters {_span(self.filters)}")
        if any(v.width == "depth_multiplier" for v in ranks):
            parts.append(f"depth multiplier {_span(self.multipliers())}")
        if any(v.bias for v in ranks):
            parts.append(f"bias {_listed('yes' if b else 'no' for b in self.bias)}")
        if any(v.groups for v in ranks):
            parts.append(f"groups {_listed(self.groups)}")
        if any(v.positions for v in ranks):
            sizes = (
                "the kernel's size and up to 31 more"
                if self.input_sizes is None
                else _listed(map(_sizes, self.input_sizes))
            )
            parts.append(f"input size {sizes}")
            parts.append(f"implementation {_listed(self.implementations)}, padding valid and same")
        if self.receptive_field is not None:
            parts.append(f"window of {self.receptive_field} with dilation 1 to {DILATIONS[-1]}")
        return parts

    def multipliers(self) -> tuple[int, int]:
        low, high = self.filters
        return (low, min(high, MULTIPLIERS[-1])) if (low, high) == (1, MOST) else (low, high)


def require_tuple(part: str, value: Any) -> None:
    """Raise `ArchcalcError` for one value in place of those that are to be tried."""
    if not isinstance(value, tuple) or not value:
        raise ArchcalcError(f"{part}: expected a tuple of the values to try, got {value!r}")


def _rank(size: int | tuple[int, ...]) -> int:
    """The axes of a kernel's size; 0 for one that fits any number of them."""
    return 0 if isinstance(size, int) else len(size)


def _listed(values: Any) -> str:
    texts = [str(v) for v in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _sizes(size: int | tuple[int, ...]) -> str:
    return "×".join(map(str, size)) if isinstance(size, tuple) else str(size)


def _span(ends: tuple[int, int]) -> str:
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]:,}"


class Frame(NamedTuple):
    """A configuration but for its input channels and its width: constructor arguments and input sides.

    `step`: what channels and width must be multiples of.
    """

    type: str
    arguments: dict[str, Any]
    sides: tuple[int, ...]
    step: int = 1


def frames(space: Space) -> Iterator[Frame]:
    """Every frame of the space."""
    for name in space.types:
        varied = TYPES[name]
        for kernel in _kernels(space, varied.rank):
            for bias in space.bias if varied.bias else (None,):
                arguments: dict[str, Any] = {} if bias is None else {"use_bias": bias}
                if kernel is not None:
                    arguments |= kernel
                yield from _of_type(space, name, varied, arguments)


def _kernels(space: Space, rank: int) -> Iterator[dict[str, Any] | None]:
    """Kernel sizes, with the dilations that give the receptive field where one is asked for."""
    if not rank:
        if space.receptive_field in (None, 1):
            yield None
        return
    for size in space.kernel_sizes:
        sizes = (size,) * rank if isinstance(size, int) else size
        if len(sizes) != rank:
            continue
        if space.receptive_field is None:
            yield {"kernel_size": sizes}
            continue
        for dilation in DILATIONS:
            if all(dilation * (k - 1) + 1 == space.receptive_field for k in sizes):
                yield {"kernel_size": sizes} | ({"dilation_rate": dilation} if dilation > 1 else {})
                if all(k == 1 for k in sizes):
                    break


def _of_type(space: Space, name: str, varied: Varied, arguments: dict[str, Any]) -> Iterator[Frame]:
    sizes = arguments.get("kernel_size", ())
    if varied.positions:
        if "dilation_rate" in arguments:
            return  # locally connected layers have none
        yield from _local(space, name, arguments, sizes)
    elif varied.groups:
        for groups in space.groups:
            yield Frame(name, arguments | ({"groups": groups} if groups > 1 else {}), sizes, groups)
    else:
        yield Frame(name, arguments, sizes)


def _local(space: Space, name: str, arguments: dict[str, Any], sizes: Sequence[int]) -> Iterator[Frame]:
    inputs = space.input_sizes
    if inputs is None:
        inputs = tuple(tuple(k + more for k in sizes) for more in range(POSITIONS))
    for sides in inputs:
        if len(sides) != len(sizes) or any(n < k for n, k in zip(sides, sizes, strict=True)):
            continue
        for implementation in space.implementations:
            for padding in ("valid",) if implementation == 1 else ("valid", "same"):
                yield Frame(
                    name, arguments | {"implementation": implementation, "padding": padding}, tuple(sides)
                )
