"""Inputs, and layers that act on the last axis or on each unit separately."""

from __future__ import annotations

from typing import Annotated, Any

from archcalc.arith import Shape, Size, prod, require_equal
from archcalc.errors import LayerError
from archcalc.layers.activations import activated, activation_ops
from archcalc.layers.base import (
    Elementwise,
    Layer,
    NoMacs,
    Weight,
    Weightless,
    family,
    identity,
    layer,
    one_input,
)
from archcalc.layers.dtypes import floating
from archcalc.layers.fields import (
    ActivationName,
    Count,
    Dimensions,
    Flag,
    Initializer,
    OptionalCount,
    Real,
    RealKind,
    Reals,
    Untracked,
)
from archcalc.layers.low_rank import adapted, adapter, refuse_quantized
from archcalc.layers.primitives import Lookup, Matrix, Offset, Pointwise, Primitives, Scale, Select
from archcalc.layers.spatial import WHOLE, KernelAndBias, bias_weight
from archcalc.layers.window import Window


@layer
class InputLayer(Weightless, NoMacs):
    """An input of the model; `shape` has no batch axis."""

    shape: Dimensions
    batch_size: Untracked = None
    sparse: Untracked = None
    ragged: Untracked = None
    optional: Untracked = False

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs) > 0:
            raise LayerError(f"InputLayer takes no inputs, got {len(inputs)}")
        return tuple(self.shape)

    def result_dtype(self, compute: str, *inputs: str) -> str:
        """The declared dtype if it is an integer type; floating-point inputs have the compute dtype."""
        return self.dtype if isinstance(self.dtype, str) and not floating(self.dtype) else compute

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return ()

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return ()


@layer
class Dense(KernelAndBias):
    """A matrix along the last axis: Cin * units weights and units biases."""

    units: Count
    activation: ActivationName = None
    use_bias: Flag = True
    lora_rank: OptionalCount = None
    lora_alpha: Untracked = None
    quantization_config: Untracked = None

    def check(self) -> None:
        refuse_quantized(self.dtype)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        if len(x) == 0:
            raise LayerError("Dense takes inputs of at least one axis (without the batch), got shape ()")
        return (*x[:-1], self.units)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        return adapted(
            self.lora_rank,
            Weight("kernel", (x[-1], self.units), initializer=self.kernel_initializer),
            *bias_weight(self.use_bias, (self.units,), self.bias_initializer),
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        return ((*identity(len(x) - 1), WHOLE),)

    def macs(self, *inputs: Shape) -> Size:
        (x,) = inputs
        return prod(x) * self.units

    def elementwise_ops(self, *inputs: Shape) -> Size:
        out = self.output_shape(*inputs)
        return prod(out) * int(self.use_bias) + activation_ops(self.activation, out)

    def primitives(self, *inputs: Shape) -> Primitives:
        bias = "bias" if self.use_bias else None
        matrix = Matrix("kernel", bias, adapter=adapter(self.lora_rank, self.lora_alpha))
        return (matrix, *activated(self.activation, self.output_shape(*inputs)))


@family
class EmbeddingTable(Layer):
    """A table of `input_dim` rows."""

    input_dim: Count
    output_dim: Count
    embeddings_initializer: Initializer = "uniform"
    embeddings_regularizer: Untracked = None
    embeddings_constraint: Untracked = None
    mask_zero: Untracked = False
    lora_rank: OptionalCount = None
    lora_alpha: Untracked = None
    quantization_config: Untracked = None

    @property
    def makes_mask(self) -> bool:
        return bool(self.mask_zero)

    def check(self) -> None:
        refuse_quantized(self.dtype)

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        return (*x, self.output_dim)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        table = (self.input_dim, self.output_dim)
        return adapted(self.lora_rank, Weight("embeddings", table, initializer=self.embeddings_initializer))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        return (identity(len(x)),)

    def macs(self, *inputs: Shape) -> Size:
        return 0

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return (self.lookup(),)

    def lookup(self, *others: str) -> Lookup:
        return Lookup("embeddings", adapter(self.lora_rank, self.lora_alpha), others)


@layer
class Embedding(EmbeddingTable):
    """A table of `input_dim` rows; each integer of the input is replaced by its row."""


@layer
class ReversibleEmbedding(EmbeddingTable):
    """An embedding that, called with `reverse`, takes vectors to a score for each row.

    The scores are products with the same table (Press & Wolf 2017, arXiv 1608.05859), or with
    another table if weights are not tied.
    """

    call_arguments = ("reverse",)

    tie_weights: Flag = True
    reverse_dtype: Untracked = None
    logit_soft_cap: Annotated[Any, RealKind(optional=True)] = None
    reverse: Flag = False

    def check(self) -> None:
        super().check()
        if self.lora_rank is not None and not self.tie_weights:
            raise LayerError(f"lora_rank={self.lora_rank} with tie_weights=False, which Keras cannot build")

    def output_shape(self, *inputs: Shape) -> Shape:
        if not self.reverse:
            return super().output_shape(*inputs)
        (x,) = one_input(self, inputs)
        if len(x) == 0:
            raise LayerError("ReversibleEmbedding: reverse takes vectors, got shape ()")
        n, m = x[-1], self.output_dim
        require_equal(n, m, lambda: f"ReversibleEmbedding: reverse takes vectors of output_dim={m}, got {n}")
        return (*x[:-1], self.input_dim)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        back = Weight(
            "reverse_embeddings", (self.output_dim, self.input_dim), initializer=self.embeddings_initializer
        )
        return (*super().weights(*inputs), *(() if self.tie_weights else (back,)))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        return ((*identity(len(x) - 1), WHOLE),) if self.reverse else super().window(x)

    def macs(self, *inputs: Shape) -> Size:
        return prod(inputs[0]) * self.input_dim if self.reverse else 0

    def elementwise_ops(self, *inputs: Shape) -> Size:
        """Three per score with `logit_soft_cap` (division, tanh, multiplication), else none."""
        if not self.reverse or self.logit_soft_cap is None:
            return 0
        return 3 * prod(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        if not self.reverse:
            return (self.lookup(*(() if self.tie_weights else ("reverse_embeddings",))),)
        if self.tie_weights:
            scores = Matrix("embeddings", adapter=adapter(self.lora_rank, self.lora_alpha), transposed=True)
        else:
            scores = Matrix("reverse_embeddings", unused_weights=("embeddings",))
        cap = self.logit_soft_cap
        if cap is None:
            return (scores,)
        return (scores, Scale(cap, reciprocal=True), Pointwise("tanh"), Scale(cap))


@layer
class Identity(Elementwise):
    """The input itself."""

    keeps_integers = True

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return ()


@layer
class Masking(Elementwise):
    """Zeroes (and masks) the steps whose features all equal `mask_value`."""

    keeps_integers = True
    mask_value: Real = 0.0

    @property
    def makes_mask(self) -> bool:
        return True

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 2 * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Select(),)


@layer
class Rescaling(Elementwise):
    """`x * scale + offset`."""

    scale: Reals
    offset: Reals = 0.0

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 2 * prod(inputs[0])

    def primitives(self, *inputs: Shape) -> Primitives:
        return Scale(self.scale), Offset(self.offset)
