"""Fourier transforms of a complex tensor, given as its real and its imaginary part."""

from __future__ import annotations

from typing import Any, ClassVar

from archcalc.arith import Shape, Size, prod, require_equal, total
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError
from archcalc.layers.base import Window, family, show
from archcalc.layers.operations.base import Operation, operation
from archcalc.layers.primitives import Primitives, Unbounded
from archcalc.layers.window import Taps, Whole

ALGORITHM = Unknown(
    "the work of a Fourier transform is counted for lengths that are powers of two; for others it depends on "
    "the algorithm"
)


def _doublings(length: Any) -> int | None:
    """How often 1 is doubled to give a length; None for one that is no power of two, or no number."""
    return length.bit_length() - 1 if type(length) is int and length.bit_count() == 1 else None


@family
class Transform(Operation):
    """A transform along the last axes: two tensors of one shape give two of that shape.

    A length n that is a power of two costs n/2 log2(n) butterflies (Cooley and Tukey 1965): a complex
    product, a sum and a difference, 10 real operations.
    """

    takes_list = True

    along: ClassVar[int] = 1  # how many axes

    def _of_parts(self, inputs: tuple[Shape, ...]) -> Shape:
        name = type(self).__name__
        if len(inputs) != 2:
            raise LayerError(f"{name} takes the real and the imaginary part, got {len(inputs)} tensors")
        real, imaginary = inputs
        if len(real) != len(imaginary) or len(real) < self.along:
            raise LayerError(f"{name}: parts of shapes {show(real)} and {show(imaginary)}")
        for n, m in zip(real, imaginary, strict=True):
            require_equal(n, m, lambda: f"{name}: parts of shapes {show(real)} and {show(imaginary)}")
        return real

    def output_shape(self, *inputs: Shape) -> Shape:
        return self._of_parts(inputs)

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        return (self._of_parts(inputs),) * 2

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        kept = len(self._of_parts(inputs)) - self.along
        reads: Window = (*map(Taps, range(kept)), *(Whole() for _ in range(self.along)))
        return (reads, reads)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        x = self._of_parts(inputs)
        doublings = [_doublings(n) for n in x[len(x) - self.along :]]
        return ALGORITHM if None in doublings else total(5 * prod(x) * (k or 0) for k in doublings)

    def primitives(self, *inputs: Shape) -> Primitives:
        return (Unbounded(f"no rule bounds {type(self).__name__}"),)


@operation("fft", "FFT")
class FFT(Transform):
    """The Fourier transform along the last axis."""


@operation("fft2", "FFT2")
class FFT2(Transform):
    """The Fourier transform along the last two axes."""

    along = 2


@operation("ifft2", "IFFT2")
class IFFT2(Transform):
    """The inverse Fourier transform along the last two axes."""

    along = 2
