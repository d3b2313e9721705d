"""A weight as a tensor: what custom layers add, multiply or concatenate without a layer around it."""

from __future__ import annotations

from archcalc.arith import Shape, prod, require_equal
from archcalc.layers.base import NoMacs, Weight, layer, one_input, show
from archcalc.layers.fields import Dimensions, OptionalDimensions
from archcalc.layers.primitives import Offset, Primitives, ZeroGradient
from archcalc.layers.window import Phases, Window


@layer
class Parameter(NoMacs):
    """A weight of this `shape`, the same for every sample of the batch.

    `target_shape` arranges its elements in another shape, as `Reshape` does. The layer takes one
    input, of which it reads nothing: it has the batch's size.
    """

    keras_class = "archcalc.keras:Parameter"
    registered_name = "archcalc>Parameter"

    shape: Dimensions
    target_shape: OptionalDimensions = None

    def output_shape(self, *inputs: Shape) -> Shape:
        one_input(self, inputs)
        target = self.target_shape
        if target is None:
            return tuple(self.shape)
        require_equal(
            prod(target),
            prod(self.shape),
            lambda: f"target_shape {show(target)} does not hold the units of {show(self.shape)}",
        )
        return tuple(target)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return (Weight("value", tuple(self.shape)),)

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        return (tuple(Phases(0, 1, ((),)) for _ in inputs[0]),)

    def elementwise_ops(self, *inputs: Shape) -> int:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return ZeroGradient(0, 0), Offset(weight="value")
