"""The same layers as archcalc's declarations."""

from __future__ import annotations

from archcalc.arith import Shape, Size, exact_div
from archcalc.layers import primitives as prim
from archcalc.layers.base import Elementwise, NoMacs, Weightless, Window, layer, one_input, require_rank, show
from archcalc.layers.fields import Count, Fraction01
from archcalc.layers.window import Blocks, Scattered


@layer
class StochasticDepth(Elementwise):
    """Drops whole samples of a residual branch in training (Huang et al. 2016, arXiv 1603.09382)."""

    keras_class = "extralayers.keras_layers:StochasticDepth"
    registered_name = "extralayers>StochasticDepth"

    rate: Fraction01 = 0.1

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        return (prim.Dropout(self.rate, per_sample=True),)


@layer
class PixelShuffle(Weightless, NoMacs):
    """(H, W, C) becomes (H * factor, W * factor, C / factor**2) (Shi et al. 2016, arXiv 1609.05158)."""

    keras_class = "extralayers.keras_layers:PixelShuffle"

    factor: Count

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        require_rank(self, x, 3)
        return (x[0] * self.factor, x[1] * self.factor, self.channels(x))

    def channels(self, x: Shape) -> Size:
        return exact_div(
            x[2], self.factor**2, lambda: f"factor={self.factor} for an input of shape {show(x)}"
        )

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return ((Blocks(0, self.factor, 1), Blocks(1, self.factor, 1), Scattered()),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> prim.Primitives:
        (x,) = inputs
        parts = (x[0], x[1], self.factor, self.factor, self.channels(x))
        return prim.Reshape(parts), prim.Permute((0, 2, 1, 3, 4)), prim.Reshape(self.output_shape(x))
