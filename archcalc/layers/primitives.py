"""What a layer does to a tensor, as a chain of a few primitives: the type that `Layer.primitives` returns.

Gradient analyses interpret the primitives alone, so a layer that declares its primitives needs
nothing more. A chain acts on one tensor; a layer of several inputs begins with a primitive that
brings them together (`Merge`, `Contract`, `Unbounded`). An empty chain is the identity. Axes are
those of a sample, counted from 0 and without the batch; weights go by their names in
`Layer.weights`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, dataclass_transform

from archcalc.arith import Shape, Size

S = TypeVar("S", bound="type[PrimitiveBase]")


class PrimitiveBase:
    """What all primitives share: equal fields make equal primitives.

    Written once and not generated for each class, which would cost every start 20 ms.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({fields})"


@dataclass_transform(frozen_default=True)
def declared(cls: S) -> S:
    """Class decorator of a primitive, whose fields do not change."""
    return dataclass(eq=False, repr=False)(cls)  # type: ignore[return-value]


# -- linear maps with weights -----------------------------------------------------------------------
@declared
class Adapter(PrimitiveBase):
    """`alpha / rank * A @ B` joins a weight (LoRA); A and B are `lora_<weight>_a` and `_b`."""

    alpha: float | None  # None: the rank
    rank: Size


@declared
class Matrix(PrimitiveBase):
    """A matrix along the last axis, or where `equation` (without the batch) says in einsum's notation.

    `inputs`, `outputs` and `shared` are the weight's axes: summed over, made, and both; each entry of the
    shared ones has a matrix of its own.
    """

    weight: str
    bias: str | None = None
    inputs: tuple[int, ...] = (0,)
    outputs: tuple[int, ...] = (1,)
    shared: tuple[int, ...] = ()
    equation: str | None = None
    adapter: Adapter | None = None
    transposed: bool = False  # the matrix is the weight turned over (tied embeddings)
    others: tuple[str, ...] = ()  # further weights, which the product does not read


@declared
class SlidingWindow(PrimitiveBase):
    """A window along `axis`: place i reads the units `stride*i + dilation*t - before`, t < kernel.

    There are `size` units and `positions` positions. What lies outside is zero (or not there, for pooling).
    """

    axis: int
    size: Size
    positions: Size
    kernel: Size
    stride: Size = 1
    dilation: Size = 1
    before: Size = 0


@declared
class AdaptiveWindow(PrimitiveBase):
    """`positions` windows of nearly equal size over an axis of `size` units.

    Window i reaches from floor(i*size/positions) to ceil((i+1)*size/positions).
    """

    axis: int
    size: Size
    positions: Size


@declared
class Convolve(PrimitiveBase):
    """A convolution. The weight (a name, or a constant) is (kernel..., channels in / groups, channels out).

    `depthwise`: it is (kernel..., channels, multiplier), each channel by itself. `transposed`: the
    map is the adjoint of the convolution that the windows describe, which leads from the
    output (`size`) to the input (`positions`); the weight is (kernel..., channels out, channels in).
    """

    weight: Any
    windows: tuple[SlidingWindow, ...]
    channel_axis: int
    bias: str | None = None
    groups: Size = 1
    depthwise: bool = False
    transposed: bool = False
    adapter: Adapter | None = None
    alike: bool = False  # depthwise with one kernel for all channels


@declared
class LocallyConnected(PrimitiveBase):
    """A convolution whose positions have kernels of their own (LocallyConnected, its `implementation`)."""

    weight: str
    windows: tuple[SlidingWindow, ...]
    channel_axis: int
    filters: Size
    implementation: int
    bias: str | None = None


@declared
class Lookup(PrimitiveBase):
    """Each integer becomes a row of a table (its last axis is new); no gradient reaches the integers."""

    weight: str
    adapter: Adapter | None = None
    others: tuple[str, ...] = ()  # further weights, which a look-up does not read


# -- functions of each unit ---------------------------------------------------------------------------
@declared
class Pointwise(PrimitiveBase):
    """A function of each unit, by its name in `archcalc.layers.activations`.

    `parameters` are the arguments that shape it; `weight` is one that has a weight's values
    (PReLU's alpha), which broadcasts against a sample.
    """

    function: str
    parameters: tuple[tuple[str, Any], ...] = ()
    weight: str | None = None


@declared
class Scale(PrimitiveBase):
    """Each unit times a constant: numbers that broadcast against a sample, or a weight along `axes`."""

    value: Any = 1.0
    weight: str | None = None
    axes: tuple[int, ...] = ()
    reciprocal: bool = False


@declared
class Offset(PrimitiveBase):
    """A constant added; moves no gradient."""

    value: Any = None
    weight: str | None = None


@declared
class ZeroGradient(PrimitiveBase):
    """A function whose derivative is zero wherever it has one: no gradient passes.

    Its values lie between `low` and `high`, where these are known.
    """

    low: Size | None = None
    high: Size | None = None


@declared
class TrainingNoise(PrimitiveBase):
    """The identity at inference; a change of the input in training, of which no bound is known."""

    others: tuple[str, ...] = ()  # weights of that change, which inference does not read


@declared
class Dropout(PrimitiveBase):
    """Dropout: in training units are zeroed at a rate and the rest scaled; noise multiplies without bound.

    `noise`: multiplied by Gaussian noise around 1 instead. `alpha`: AlphaDropout. `whole`: a sample is
    zeroed or kept as a whole (stochastic depth, arXiv 1603.09382).
    """

    rate: float
    noise: bool = False
    alpha: bool = False
    whole: bool = False


# -- normalisation -------------------------------------------------------------------------------------
@declared
class BatchStandardise(PrimitiveBase):
    """By moving statistics at inference, by those of the batch in training; then gamma and beta.

    All weights lie along `axes`. `floor`: the deviation is not the root of variance + epsilon but at
    least epsilon (the Normalization layer). `variance` may be constant values.
    """

    axes: tuple[int, ...]
    epsilon: float
    mean: Any = None
    variance: Any = None
    gamma: str | None = None
    beta: str | None = None
    floor: bool = False
    inverse: bool = False
    moving: bool = True  # whether training uses the batch's own statistics
    others: tuple[str, ...] = ()  # further weights, which inference does not read


@declared
class Standardise(PrimitiveBase):
    """Of each sample over `axes` (within `groups` along the last of them): mean 0 and variance 1.

    Without `centre` the root mean square becomes 1. gamma and beta lie along `weight_axes`.
    """

    axes: tuple[int, ...]
    epsilon: float
    centre: bool = True
    gamma: Any = None
    beta: Any = None
    weight_axes: tuple[int, ...] = ()
    groups: Size = 1
    count: Size | None = None  # how many units share a mean


@declared
class DivideByStd(PrimitiveBase):
    """Divided by the deviation over `axes` (of variance + epsilon), the mean kept; then gamma along them."""

    axes: tuple[int, ...]
    epsilon: float
    gamma: Any = None


@declared
class Normalise(PrimitiveBase):
    """Divided by the norm of this order over `axes`, or by `epsilon` where that is larger."""

    axes: tuple[int, ...]
    order: float
    epsilon: float


# -- windows and axes without weights -------------------------------------------------------------------
@declared
class Pool(PrimitiveBase):
    """The `max` or the `average` of each window, of what is inside the input."""

    kind: str
    windows: tuple[SlidingWindow | AdaptiveWindow, ...]


@declared
class Reduce(PrimitiveBase):
    """One number out of all `count` units along `axes`: `mean`, `sum`, `max`, `min`, or another function."""

    kind: str
    axes: tuple[int, ...]
    count: Size
    keepdims: bool = False


@declared
class Cumulative(PrimitiveBase):
    """Each unit is the `sum` (or `product`) of those up to it along an axis of `size`."""

    kind: str
    axis: int
    size: Size


@declared
class Upsample(PrimitiveBase):
    """An axis of `size` becomes `factor` times as long by an `interpolation` (half-pixel centres)."""

    axis: int
    size: Size
    factor: Size
    interpolation: str = "nearest"


@declared
class Resample(PrimitiveBase):
    """Along an axis of `size`, `positions` units interpolated in another way than by a whole factor."""

    axis: int
    size: Size
    positions: Size
    interpolation: str


@declared
class Blend(PrimitiveBase):
    """A constant matrix along an axis: rows of weights, one row for each output unit."""

    axis: int
    rows: tuple[tuple[float, ...], ...]


# -- units moved ------------------------------------------------------------------------------------------
@declared
class Permute(PrimitiveBase):
    """Output axis j is input axis `order[j]`."""

    order: tuple[int, ...]


@declared
class Reshape(PrimitiveBase):
    """The same units in row-major order under another shape."""

    shape: Shape


@declared
class Pad(PrimitiveBase):
    """Zeros added (negative: units taken) before and after each axis."""

    pairs: tuple[tuple[Size, Size], ...]


@declared
class Select(PrimitiveBase):
    """Each input unit goes to at most one place of all outputs, and each position is one unit or zero."""


@declared
class Copies(PrimitiveBase):
    """Each unit stands `count` times (at most) in the output."""

    count: Size


# -- couplings ----------------------------------------------------------------------------------------------
@declared
class Softmax(PrimitiveBase):
    """Normalised exponentials over `axes`, `count` units together; `log`: their logarithms."""

    axes: tuple[int, ...]
    count: Size
    log: bool = False


@declared
class Sparsemax(PrimitiveBase):
    """What Keras computes as sparsemax of `count` units along `axes`.

    Each unit less a threshold, or 0. The threshold should be (s_k - 1)/k, s_k the sum of the k largest units
    (Martins & Astudillo 2016, arXiv 1602.02068). Keras 3.15 has (s_1 + ... + s_k - 1)/k: no projection, and
    no distribution.
    """

    axes: tuple[int, ...]
    count: Size


@declared
class Merge(PrimitiveBase):
    """Several tensors unit by unit, axes matched from the last, or one behind the other.

    kind: `add` (with `coefficients`), `average`, `multiply`, `divide`, `maximum`, `minimum`, `choose` (a
    condition, then two tensors of which each unit is one), `concatenate` along `axis`, `stack` along a
    new one, `stop` (no gradient passes), or the name of a function of two units. `copies`: how many
    positions one unit of each input reaches.
    """

    kind: str
    copies: tuple[Size, ...]
    coefficients: tuple[float, ...] = ()
    axis: int | None = None


@declared
class Contract(PrimitiveBase):
    """Sums of products of tensors and constants by einsum's `equation`, the batch axis included.

    `constants` has an array for each constant operand and None for each tensor; each output unit sums
    `count` products. `normalised`: operands are first scaled to norm 1 along the summed axis.
    """

    equation: str
    constants: tuple[Any, ...]
    count: Size
    normalised: bool = False


# -- layers inside layers ---------------------------------------------------------------------------------
@declared
class PerStep(PrimitiveBase):
    """The inner primitives on every entry of the first axis alike; their weights stand below `prefix`."""

    prefix: str
    inner: Primitives


@declared
class Nested(PrimitiveBase):
    """The inner primitives; their weights stand below `prefix`."""

    prefix: str
    inner: Primitives


@declared
class Branches(PrimitiveBase):
    """Chains side by side on the same inputs, brought together by `merge`; None: several outputs."""

    chains: tuple[Primitives, ...]
    merge: Merge | None


@declared
class Recur(PrimitiveBase):
    """A cell of `kind` (`simple`, `lstm`, `gru`) over `steps` steps, on the products of step and state.

    `units`: of a state; `sequence`: whether every step's output leaves; `state`: whether the last
    states do. Further inputs are initial states.
    """

    kind: str
    steps: Size
    units: Size
    kernel: Matrix | Convolve
    recurrent: Matrix | Convolve
    bias: str | None
    activation: Primitives
    gate: Primitives | None
    sequence: bool
    state: bool
    reset_after: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0

    @property
    def name(self) -> str:
        """What the weights' names begin with."""
        return str(self.kernel.weight).rpartition("/")[0]

    @property
    def states(self) -> int:
        """How many states there are."""
        return 2 if self.kind == "lstm" else 1


@declared
class Stacked(PrimitiveBase):
    """Recurrences one behind the other, of which the sequence of the last leaves and states of each may.

    Further inputs are the initial states of each in their order.
    """

    cells: tuple[Recur, ...]


@declared
class Unbounded(PrimitiveBase):
    """A function whose slope has no bound, or none that is known; `reason` says why.

    Its values may have bounds all the same: they lie within those that the chain `values` makes of the
    `of`-th input, or between the two of `beside`.
    """

    reason: str
    weights: tuple[str, ...] = ()
    of: int | None = None
    values: Primitives = ()
    beside: tuple[float, float] | None = None


Primitive: TypeAlias = (
    Matrix
    | Convolve
    | LocallyConnected
    | Lookup
    | Pointwise
    | Scale
    | Offset
    | ZeroGradient
    | TrainingNoise
    | Dropout
    | BatchStandardise
    | Standardise
    | DivideByStd
    | Normalise
    | Pool
    | Reduce
    | Cumulative
    | Upsample
    | Resample
    | Blend
    | Permute
    | Reshape
    | Pad
    | Select
    | Copies
    | Softmax
    | Sparsemax
    | Merge
    | Contract
    | PerStep
    | Nested
    | Branches
    | Recur
    | Stacked
    | Unbounded
)
Primitives: TypeAlias = tuple[Primitive, ...]

# primitives that take several tensors
JOINING = (Merge, Contract, Recur, Stacked, Branches, Unbounded)


def weights_of(primitives: Primitives) -> Iterator[str]:
    """The names of all weights that a chain mentions."""
    for primitive in primitives:
        match primitive:
            case PerStep(prefix, inner) | Nested(prefix, inner):
                yield from (f"{prefix}/{name}" for name in weights_of(inner))
            case Branches(chains):
                for chain in chains:
                    yield from weights_of(chain)
            case Recur():
                yield from weights_of((primitive.kernel, primitive.recurrent))
                yield from filter(None, (primitive.bias,))
            case Stacked(cells):
                yield from weights_of(cells)
            case Unbounded():
                yield from primitive.weights
            case _:
                for slot in ("weight", "bias", "mean", "variance", "gamma", "beta"):
                    value = getattr(primitive, slot, None)
                    if isinstance(value, str):
                        yield value
                yield from getattr(primitive, "others", ())
                adapter = getattr(primitive, "adapter", None)
                if adapter is not None:
                    weight = primitive.weight  # type: ignore[union-attr]
                    yield from (f"lora_{weight}_a", f"lora_{weight}_b")
