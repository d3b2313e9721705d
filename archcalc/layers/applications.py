"""Layer types that are defined in `keras.applications`."""

from __future__ import annotations

from archcalc.arith import Shape, Size, broadcast, certainly, equal, prod
from archcalc.layers.base import NoMacs, Weight, Window, identity, layer, one_input, show
from archcalc.layers.fields import Count, Real
from archcalc.layers.merging import Merge, aligned, require_inputs
from archcalc.layers.primitives import Primitives, Scale, Upsample
from archcalc.layers.window import Shares


@layer
class LayerScale(NoMacs):
    """`x * gamma` with one trained gamma for each channel (Touvron et al. 2021, arXiv 2103.17239)."""

    keras_class = "keras.src.applications.convnext:LayerScale"

    init_values: Real
    projection_dim: Count

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)

        def misfit() -> str:
            return f"projection_dim={self.projection_dim} for an input of shape {show(x)}"

        return (*x[:-1], broadcast(x[-1], self.projection_dim, misfit))

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        start = {"class_name": "Constant", "config": {"value": self.init_values}}
        return (Weight("gamma", (self.projection_dim,), initializer=start),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        (x,) = inputs
        last = len(x) - 1
        return ((*identity(last), aligned(x[-1], self.output_shape(x)[-1], last)),)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return prod(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        (x,) = inputs
        last = len(x) - 1
        repeated = (Upsample(last, 1, self.projection_dim),) if certainly(equal(x[-1], 1)) else ()
        return (*repeated, Scale(weight="gamma", axes=(last,)))


@layer
class CustomScaleLayer(Merge):
    """`x + scale * y`, the scaled residual of Inception-ResNet (Szegedy et al. 2016, arXiv 1602.07261)."""

    keras_class = "keras.src.applications.inception_resnet_v2:CustomScaleLayer"

    scale: Real

    def output_shape(self, *inputs: Shape) -> Shape:
        return super().output_shape(*require_inputs(self, inputs, exactly=2))

    def shares(self, *inputs: Shape) -> Shares:
        return Shares((1, self.scale))

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 2 * prod(self.output_shape(*inputs))

    def merged(self, branches: int) -> tuple[str, tuple[float, ...]]:
        return "add", (1.0, self.scale)
