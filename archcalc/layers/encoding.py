"""Encodings of categories, discretised numbers and hashes as integers or vectors.

They are look-ups and count no operations. Shapes are those that Keras infers; inputs for which its
call computes another shape are refused.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any

from archcalc.arith import Shape, Size, certainly, equal, require_at_least, require_equal
from archcalc.errors import LayerError
from archcalc.layers.base import Layer, NoMacs, Weightless, Window, family, identity, layer, one_input, show
from archcalc.layers.fields import (
    ChoiceKind,
    Count,
    CountKind,
    Flag,
    OptionalCount,
    OptionalReals,
    Untracked,
)
from archcalc.layers.primitives import Merge, Primitives, ZeroGradient
from archcalc.layers.window import Fixed, Whole, identity_read


def _refuse(owner: Layer, words: str) -> None:
    raise LayerError(f"{type(owner).__name__}: {words}")


@family
class Encoding(Weightless, NoMacs):
    """Integers encoded as vectors of `depth` entries, by `output_mode`.

    `one_hot` replaces a last axis of size 1 or else adds an axis; `multi_hot` and `count` encode
    all numbers of a sample in one vector; `int` keeps the integers.
    """

    output_mode: Annotated[str, ChoiceKind("int", "one_hot", "multi_hot", "count")] = "int"
    sparse: Untracked = False

    @property
    @abstractmethod
    def depth(self) -> Size:
        """The number of entries of a vector."""

    def check(self) -> None:
        if self.sparse and self.output_mode == "int":
            _refuse(self, "sparse=True with output_mode='int'")

    def replaced(self, x: Shape) -> bool:
        """Whether the vector replaces the last axis."""
        if self.output_mode != "one_hot":
            return True
        if len(x) == 0 or certainly(equal(x[-1], 1)):
            return len(x) > 0
        n = x[-1]
        require_at_least(n, 2, lambda: f"{type(self).__name__}: a last axis of {n} that may be 1")
        return False

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        if self.output_mode == "int":
            return x
        if len(x) != 1 and self.output_mode != "one_hot":
            _refuse(self, f"output_mode={self.output_mode!r} takes samples of one axis, got shape {show(x)}")
        return (*(x[:-1] if self.replaced(x) else x), self.depth)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        x = inputs[0]
        if self.output_mode == "int" or not self.replaced(x):
            return (identity(len(x)),)
        last = Fixed() if self.output_mode == "one_hot" else Whole()
        return ((*identity(len(x) - 1), last),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return (self.values(*inputs),)

    def values(self, *inputs: Shape) -> ZeroGradient:
        """The primitive, with the range of possible values."""
        largest = {"int": self.depth - 1, "count": inputs[0][0] if inputs[0] else 1}
        return ZeroGradient(0, largest.get(self.output_mode, 1))


@layer
class CategoryEncoding(Encoding):
    """Integers below `num_tokens` as vectors of zeros and ones, or counts."""

    num_tokens: OptionalCount = None
    output_mode: Annotated[str, ChoiceKind("one_hot", "multi_hot", "count")] = "multi_hot"

    def check(self) -> None:
        if self.num_tokens is None:
            raise LayerError("num_tokens must be given")

    @property
    def depth(self) -> Size:
        assert self.num_tokens is not None  # says `check`
        return self.num_tokens


@layer
class Discretization(Encoding):
    """The number of the bin that each value falls in, or a vector of it."""

    bin_boundaries: OptionalReals = None
    num_bins: OptionalCount = None
    epsilon: Untracked = 0.01

    def check(self) -> None:
        super().check()
        if (self.bin_boundaries is None) == (self.num_bins is None):
            raise LayerError("give either num_bins or bin_boundaries")

    @property
    def depth(self) -> Size:
        return len(self.bin_boundaries) + 1 if self.num_bins is None else self.num_bins

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        # unlike the other encodings, Keras gives these of several axes the shape that they have
        return (*x[1:], self.depth) if self._encodes_first(x) else super().output_shape(x)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        if not self._encodes_first(x):
            return super().window(x)
        return ((Whole(), *map(identity_read, range(len(x) - 1))),)

    def _encodes_first(self, x: Shape) -> bool:
        """Whether all numbers along the first axis are encoded in one vector."""
        return self.output_mode in ("multi_hot", "count") and len(x) > 1

    def result_dtype(self, compute: str, *inputs: str) -> str:
        return "int32" if self.output_mode == "int" else super().result_dtype(compute, *inputs)


@layer
class IntegerLookup(Encoding):
    """The index of each integer in a vocabulary, or a vector of it.

    Indices begin with one for the mask (`int` only) and `num_oov_indices` for integers that the
    vocabulary does not have.
    """

    output_mode: Annotated[str, ChoiceKind("int", "one_hot", "multi_hot", "count", "tf_idf")] = "int"
    vocabulary: Untracked = None
    vocabulary_size: OptionalCount = None
    max_tokens: OptionalCount = None
    num_oov_indices: Annotated[Any, CountKind(0)] = 1
    mask_token: Untracked = None
    oov_token: Untracked = -1
    vocabulary_dtype: Untracked = "int64"
    idf_weights: Untracked = None
    invert: Flag = False
    pad_to_max_tokens: Flag = False
    oov_method: Untracked = "floormod"
    salt: Untracked = None

    def check(self) -> None:
        super().check()
        if self.invert and self.output_mode != "int":
            _refuse(self, f"invert=True with output_mode={self.output_mode!r}")
        if self.output_mode != "int" and not isinstance(self._stated, int):
            _refuse(self, "the size of the vocabulary is not stated; give vocabulary or vocabulary_size")

    @property
    def _stated(self) -> Any:
        """The number of indices, from the first of these that is stated."""
        if self.pad_to_max_tokens and self.output_mode != "int":
            return self.max_tokens
        if self.vocabulary_size is not None:
            return self.vocabulary_size
        if isinstance(self.vocabulary, list | tuple):
            mask = int(self.mask_token is not None and self.output_mode == "int")
            return len(self.vocabulary) + self.num_oov_indices + mask
        return None

    @property
    def depth(self) -> Size:
        depth: Size = self._stated
        return depth

    def values(self, *inputs: Shape) -> ZeroGradient:
        """Any integers, if they are not indices of a known vocabulary."""
        return ZeroGradient() if self.invert or self._stated is None else super().values(*inputs)

    def result_dtype(self, compute: str, *inputs: str) -> str:
        return "int64" if self.output_mode == "int" else "float32"


@family
class Hashes(Encoding):
    """Bin numbers computed by a hash, as 64-bit integers with `output_mode` int."""

    num_bins: Count

    @property
    def depth(self) -> Size:
        return self.num_bins

    def result_dtype(self, compute: str, *inputs: str) -> str:
        return "int64" if self.output_mode == "int" else super().result_dtype(compute, *inputs)


@layer
class Hashing(Hashes):
    """Hashes of integers or strings in `num_bins` bins, or vectors of them."""

    mask_value: Untracked = None
    salt: Untracked = None

    def output_shape(self, *inputs: Shape) -> Shape:
        out = super().output_shape(*inputs)
        if self.output_mode == "one_hot":
            (x,) = inputs
            if len(x) == 0:
                _refuse(self, "output_mode='one_hot' of single numbers, for which Keras loses the batch")
            require_equal(
                x[-1],
                1,
                lambda: f"Hashing: output_mode='one_hot' of an axis of {x[-1]}, which Keras takes for 1",
            )
        return out

    def replaced(self, x: Shape) -> bool:
        return True


@layer
class HashedCrossing(Hashes):
    """A hash of two numbers together in `num_bins` bins, or a vector of it."""

    output_mode: Annotated[str, ChoiceKind("int", "one_hot")] = "int"

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs) != 2:
            _refuse(self, f"expected two inputs, got {len(inputs)}")
        x, y = inputs
        if len(x) > 1 or len(x) != len(y):
            _refuse(self, "the inputs must be single numbers, both with an axis of 1 or both without")
        for n in (*x, *y):
            require_equal(n, 1, lambda n=n: f"HashedCrossing: an axis of {n} where 1 is expected")
        return super().output_shape(x)

    def replaced(self, x: Shape) -> bool:
        return len(x) > 0

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return tuple(window for x in inputs for window in super(HashedCrossing, self).window(x))

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Merge("stop", (1, 1)), self.values(*inputs))
