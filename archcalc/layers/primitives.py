"""The primitives: the elementary operations that `Layer.primitives` composes a layer of.

Gradient analyses need only the primitives, so a layer that declares them gets its bounds without
further code. A chain acts on one tensor; the chain of a layer with several inputs begins with a
primitive that combines them (`Merge`, `Contract`, `Unbounded`). An empty chain is the identity.
Axes are those of a sample, counted from 0 without the batch; weights are referred to by their
names in `Layer.weights`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from archcalc.arith import Shape, Size
from archcalc.layers.records import Record, declared


class PrimitiveBase(Record):
    """Base class of all primitives."""


# -- linear maps with weights -----------------------------------------------------------------------
@declared
class Adapter(PrimitiveBase):
    """A LoRA adapter adds `alpha / rank * A @ B` to a weight; A and B are `lora_<weight>_a` and `_b`."""

    alpha: float | None  # None: alpha = rank
    rank: Size


@declared
class Matrix(PrimitiveBase):
    """A product with a matrix along the last axis, or as `equation` says (einsum, without the batch).

    `input_axes`, `output_axes` and `shared_axes` are axes of the weight: summed over, axes of the
    output, and axes of both input and output (one matrix for each index along them).
    """

    weight: str
    bias: str | None = None
    input_axes: tuple[int, ...] = (0,)
    output_axes: tuple[int, ...] = (1,)
    shared_axes: tuple[int, ...] = ()
    equation: str | None = None
    adapter: Adapter | None = None
    transposed: bool = False  # the matrix is the transposed weight (tied embeddings)
    unused_weights: tuple[str, ...] = ()  # further weights of the layer, which the product does not use


@declared
class SlidingWindow(PrimitiveBase):
    """A sliding window along `axis`: output i reads inputs `stride*i + dilation*t - pad_before`, t < kernel.

    `size` inputs, `positions` outputs. Inputs outside the axis are zero (pooling ignores them).
    """

    axis: int
    size: Size
    positions: Size
    kernel: Size
    stride: Size = 1
    dilation: Size = 1
    pad_before: Size = 0


@declared
class AdaptiveWindow(PrimitiveBase):
    """`positions` windows of nearly equal size over an axis of `size` units.

    Window i is the range from floor(i*size/positions) to ceil((i+1)*size/positions), exclusive.
    """

    axis: int
    size: Size
    positions: Size


@declared
class Convolve(PrimitiveBase):
    """A convolution with a weight (a name, or a constant) of shape (kernel..., in / groups, out).

    `depthwise`: the weight is (kernel..., channels, multiplier), applied to each channel separately.
    `transposed`: the map is the adjoint of the convolution that the windows describe, so that `size`
    is the size of the output and `positions` that of the input; the weight is (kernel..., out, in).
    """

    weight: Any
    windows: tuple[SlidingWindow, ...]
    channel_axis: int
    bias: str | None = None
    groups: Size = 1
    depthwise: bool = False
    transposed: bool = False
    adapter: Adapter | None = None
    shared_kernel: bool = False  # depthwise with the same kernel for all channels


@declared
class LocallyConnected(PrimitiveBase):
    """A convolution with a separate kernel at every position, stored as Keras's `implementation` says."""

    weight: str
    windows: tuple[SlidingWindow, ...]
    channel_axis: int
    filters: Size
    implementation: int
    bias: str | None = None


@declared
class Lookup(PrimitiveBase):
    """Replaces each integer by a row of a table, along a new last axis; integers have no gradient."""

    weight: str
    adapter: Adapter | None = None
    unused_weights: tuple[str, ...] = ()  # further weights of the layer, which a look-up does not use


# -- functions of each unit ---------------------------------------------------------------------------
@declared
class Pointwise(PrimitiveBase):
    """A function of each unit, by its name in `archcalc.layers.activations`.

    `parameters` are its arguments by name; `weight` is an argument that is a weight (PReLU's
    alpha), broadcast against a sample.
    """

    function: str
    parameters: tuple[tuple[str, Any], ...] = ()
    weight: str | None = None


@declared
class Scale(PrimitiveBase):
    """Multiplies by a constant (broadcast against a sample) or by a weight along `axes`."""

    value: Any = 1.0
    weight: str | None = None
    axes: tuple[int, ...] = ()
    reciprocal: bool = False


@declared
class Offset(PrimitiveBase):
    """Adds a constant or a weight, which does not change the gradient."""

    value: Any = None
    weight: str | None = None


@declared
class ZeroGradient(PrimitiveBase):
    """A function whose derivative is zero wherever it exists, so that no gradient passes.

    Its values lie between `low` and `high`, if these are known.
    """

    low: Size | None = None
    high: Size | None = None


@declared
class TrainingNoise(PrimitiveBase):
    """The identity at inference; in training a change of the input without a known bound."""

    unused_weights: tuple[str, ...] = ()  # weights that only training uses


@declared
class Dropout(PrimitiveBase):
    """Dropout: in training, units are zeroed with probability `rate` and the others scaled up.

    `noise`: units are multiplied by Gaussian noise of mean 1 instead, which is unbounded. `alpha`:
    AlphaDropout. `per_sample`: all units of a sample are dropped together (stochastic depth,
    arXiv 1603.09382).
    """

    rate: float
    noise: bool = False
    alpha: bool = False
    per_sample: bool = False


# -- normalisation -------------------------------------------------------------------------------------
@declared
class BatchStandardise(PrimitiveBase):
    """Normalises by moving statistics (inference) or those of the batch (training), then gamma and beta.

    All weights are along `axes`. `floor`: divides by max(std, epsilon) instead of the root of
    variance + epsilon (the Normalization layer). `variance` may be constant values.
    """

    axes: tuple[int, ...]
    epsilon: float
    mean: Any = None
    variance: Any = None
    gamma: str | None = None
    beta: str | None = None
    floor: bool = False
    inverse: bool = False
    batch_statistics: bool = True  # whether training uses the statistics of the batch
    unused_weights: tuple[str, ...] = ()  # further weights of the layer, which inference does not use


@declared
class Standardise(PrimitiveBase):
    """Scales each sample to mean 0 and variance 1 over `axes` (in `groups` along the last of them).

    Without `centre` the mean is not subtracted and the root mean square becomes 1. gamma and beta
    are along `weight_axes`.
    """

    axes: tuple[int, ...]
    epsilon: float
    centre: bool = True
    gamma: Any = None
    beta: Any = None
    weight_axes: tuple[int, ...] = ()
    groups: Size = 1
    count: Size | None = None  # of units over which one mean is taken


@declared
class DivideByStd(PrimitiveBase):
    """Divides by sqrt(variance + epsilon) over `axes` without subtracting the mean; then gamma."""

    axes: tuple[int, ...]
    epsilon: float
    gamma: Any = None


@declared
class Normalise(PrimitiveBase):
    """Divides by the larger of `epsilon` and the norm of this order over `axes`."""

    axes: tuple[int, ...]
    order: float
    epsilon: float


# -- windows and axes without weights -------------------------------------------------------------------
@declared
class Pool(PrimitiveBase):
    """The `max` or the `average` (`kind`) of the units in each window; padding does not count."""

    kind: str
    windows: tuple[SlidingWindow | AdaptiveWindow, ...]


@declared
class Reduce(PrimitiveBase):
    """Reduces the `count` units along `axes` to one: `mean`, `sum`, `max`, `min` or another function."""

    kind: str
    axes: tuple[int, ...]
    count: Size
    keepdims: bool = False


@declared
class Cumulative(PrimitiveBase):
    """The cumulative `sum` or `product` along an axis of `size`."""

    kind: str
    axis: int
    size: Size


@declared
class Upsample(PrimitiveBase):
    """Enlarges an axis of `size` by an integer `factor` with an `interpolation` (half-pixel centres)."""

    axis: int
    size: Size
    factor: Size
    interpolation: str = "nearest"


@declared
class Resample(PrimitiveBase):
    """Interpolates an axis of `size` to `positions` units, by a factor that need not be an integer."""

    axis: int
    size: Size
    positions: Size
    interpolation: str


@declared
class ConstantMatrix(PrimitiveBase):
    """A product with a constant matrix along an axis; `rows` has one row for each output unit."""

    axis: int
    rows: tuple[tuple[float, ...], ...]


# -- units moved ------------------------------------------------------------------------------------------
@declared
class Permute(PrimitiveBase):
    """Output axis j is input axis `order[j]`."""

    order: tuple[int, ...]


@declared
class Reshape(PrimitiveBase):
    """The same units in row-major order in another shape."""

    shape: Shape


@declared
class Pad(PrimitiveBase):
    """Adds zeros (negative: removes units) before and after each axis."""

    pairs: tuple[tuple[Size, Size], ...]


@declared
class Select(PrimitiveBase):
    """Every output unit is an input unit or zero, and no input unit is used twice."""


@declared
class Repeat(PrimitiveBase):
    """Every output unit is an input unit, and each input unit occurs at most `count` times."""

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
    """Sparsemax of `count` units along `axes`, as Keras computes it.

    Each unit minus a threshold, or 0. The threshold should be (s_k - 1)/k, s_k the sum of the k largest
    units (Martins & Astudillo 2016, arXiv 1602.02068). Keras 3.15 uses (s_1 + ... + s_k - 1)/k, so that
    the result is neither a projection onto the simplex nor a distribution.
    """

    axes: tuple[int, ...]
    count: Size


@declared
class Merge(PrimitiveBase):
    """Combines several tensors: unit by unit with broadcasting, by concatenation or by stacking.

    kind: `add` (with `coefficients`), `average`, `multiply`, `divide`, `maximum`, `minimum`, `choose`
    (`where`: a condition, then two tensors), `concatenate` along `axis`, `stack` along a new axis,
    `stop` (no gradient passes), or the name of a function of two units. `repeats`: for each input, how
    many output units each of its units is broadcast to.
    """

    kind: str
    repeats: tuple[Size, ...]
    coefficients: tuple[float, ...] = ()
    axis: int | None = None


@declared
class Contract(PrimitiveBase):
    """Sums of products of tensors and constants by einsum's `equation`, which includes the batch axis.

    `constants` has an array for each constant operand and None for each tensor; each output unit is
    a sum of `count` products. `normalised`: operands are first scaled to norm 1 along the summed axis.
    """

    equation: str
    constants: tuple[Any, ...]
    count: Size
    normalised: bool = False


# -- layers inside layers ---------------------------------------------------------------------------------
@declared
class PerStep(PrimitiveBase):
    """The inner primitives at every step of the first axis; their weights are named `prefix/...`."""

    prefix: str
    inner: Primitives


@declared
class Nested(PrimitiveBase):
    """The inner primitives; their weights are named `prefix/...`."""

    prefix: str
    inner: Primitives


@declared
class Branches(PrimitiveBase):
    """Parallel chains on the same inputs, combined by `merge`; None: each chain is an output."""

    chains: tuple[Primitives, ...]
    merge: Merge | None


@declared
class Recur(PrimitiveBase):
    """A cell of `kind` (`simple`, `lstm`, `gru`) run over `steps` steps.

    `kernel` and `recurrent` are the products with the step and the state, `units` the number of units
    of a state; `return_sequences` and `return_state` as in Keras. Further inputs are initial states.
    """

    kind: str
    steps: Size
    units: Size
    kernel: Matrix | Convolve
    recurrent: Matrix | Convolve
    bias: str | None
    activation: Primitives
    gate_activation: Primitives | None
    return_sequences: bool
    return_state: bool
    reset_after: bool = True
    dropout: float = 0.0
    recurrent_dropout: float = 0.0

    @property
    def name(self) -> str:
        """The common prefix of the weights' names."""
        return str(self.kernel.weight).rpartition("/")[0]

    @property
    def states(self) -> int:
        """The number of states: 2 for LSTM, else 1."""
        return 2 if self.kind == "lstm" else 1


@declared
class Stacked(PrimitiveBase):
    """Stacked recurrences: each reads the sequence of the one before; outputs are those of the last.

    Final states are those of every cell. Further inputs are the initial states, cell by cell.
    """

    cells: tuple[Recur, ...]


@declared
class Unbounded(PrimitiveBase):
    """A function whose slope is unbounded or has no known bound; `reason` says why.

    Its values may still be bounded: by the range of input number `input_index` after the chain
    `value_map`, extended by the interval `extra_range`.
    """

    reason: str
    weights: tuple[str, ...] = ()
    input_index: int | None = None
    value_map: Primitives = ()
    extra_range: tuple[float, float] | None = None


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
    | ConstantMatrix
    | Permute
    | Reshape
    | Pad
    | Select
    | Repeat
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

# primitives that may take several tensors
MULTI_INPUT = (Merge, Contract, Recur, Stacked, Branches, Unbounded)


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
                yield from getattr(primitive, "unused_weights", ())
                adapter = getattr(primitive, "adapter", None)
                if adapter is not None:
                    weight = primitive.weight  # type: ignore[union-attr]
                    yield from (f"lora_{weight}_a", f"lora_{weight}_b")
