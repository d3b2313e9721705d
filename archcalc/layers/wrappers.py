"""Wrappers of another layer: Bidirectional, TimeDistributed and SpectralNormalization."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from archcalc.arith import Shape, Size, prod, total
from archcalc.errors import LayerError
from archcalc.layers.base import Layer, Weight, Window, layer, one_input, show
from archcalc.layers.fields import ChoiceKind, Count
from archcalc.layers.inner import Inner, InnerKind, InnerLayer, OptionalInnerLayer, with_leading_axes
from archcalc.layers.primitives import Branches, Merge, Nested, PerStep, Primitives, TrainingNoise
from archcalc.layers.recurrent import WHOLE, Cell, Recurrent
from archcalc.layers.window import UnknownRead, identity_read

_SEVERAL = "two sequences come out, read from either end"


@layer
class Bidirectional(Layer):
    """A recurrent layer and a copy that reads from the end, combined by `merge_mode`."""

    call_style = "states"
    call_arguments = ("training",)
    reads_masks = True

    layer: InnerLayer
    merge_mode: Annotated[str | None, ChoiceKind("sum", "mul", "concat", "ave", optional=True)] = "concat"
    backward_layer: OptionalInnerLayer = None

    def check(self) -> None:
        for inner in (self.layer, self.backward_layer):
            if inner is not None and not isinstance(inner.layer, Recurrent):
                raise LayerError(f"a {type(inner.layer).__name__} is no recurrent layer")
        ahead, back = self.forward, self.backward
        if ahead.go_backwards == back.go_backwards:
            raise LayerError("the two layers must run in different directions (go_backwards)")
        for word in ("return_sequences", "return_state"):
            if getattr(ahead, word) != getattr(back, word):
                raise LayerError(f"the two layers differ in {word}")

    @property
    def forward(self) -> Recurrent:
        assert isinstance(self.layer.layer, Recurrent)
        return self.layer.layer

    @property
    def backward(self) -> Recurrent:
        if self.backward_layer is None:
            return dataclasses.replace(self.forward, go_backwards=True)
        assert isinstance(self.backward_layer.layer, Recurrent)
        return self.backward_layer.layer

    @property
    def inside(self) -> tuple[Inner, Inner]:
        """Both layers with the names that Keras gives them."""
        name: str = self.layer.name
        ahead = Inner(self.forward, f"forward_{name.removeprefix('forward_')}")
        if self.backward_layer is not None:
            return ahead, self.backward_layer
        return ahead, Inner(self.backward, f"backward_{name.removeprefix('backward_')}")

    def _halves(self, inputs: tuple[Shape, ...]) -> tuple[tuple[Shape, ...], tuple[Shape, ...]]:
        """The inputs of each direction: the sequence and half of the initial states."""
        if len(inputs) == 0:
            raise LayerError("Bidirectional takes a sequence, got no inputs")
        x, *states = inputs
        half = len(states) // 2
        return (x, *states[:half]), (x, *states[half:])

    def output_shapes(self, *inputs: Shape) -> tuple[Shape, ...]:
        ahead, back = self._halves(inputs)
        y, *states = self.forward.output_shapes(*ahead)
        z, *others = self.backward.output_shapes(*back)
        if self.merge_mode is None:
            return (y, z, *states, *others)
        if self.merge_mode == "concat":
            return ((*y[:-1], y[-1] + z[-1]), *states, *others)
        if len(y) != len(z):
            raise LayerError("the two layers' outputs differ in rank")
        return (y, *states, *others)

    def output_shape(self, *inputs: Shape) -> Shape:
        return self.output_shapes(*inputs)[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        x = inputs[0]
        return tuple(w for inner in self.inside for w in inner.weights(inner.layer.weights(x)))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        ahead, back = self._halves(inputs)
        (_, *rest), *states = self.forward.window(*ahead)
        _, *others = self.backward.window(*back)
        two_sequences = self.merge_mode is None and self.forward.return_sequences
        return ((UnknownRead(_SEVERAL) if two_sequences else WHOLE, *rest), *states, *others)

    def macs(self, *inputs: Shape) -> Size:
        return total(inner.layer.macs(inputs[0]) for inner in self.inside)

    def elementwise_ops(self, *inputs: Shape) -> Size:
        merged = {"sum": 1, "mul": 1, "ave": 2}.get(self.merge_mode or "", 0)
        ops = total(inner.layer.elementwise_ops(inputs[0]) for inner in self.inside)
        return ops + merged * prod(self.output_shape(*inputs))

    def primitives(self, *inputs: Shape) -> Primitives:
        chains = tuple(
            inner.layer.run(half, f"{inner.name}/")  # type: ignore[attr-defined]
            for inner, half in zip(self.inside, self._halves(inputs), strict=True)
        )
        axis = len(self.forward.output_shape(inputs[0])) - 1
        merge = {
            "sum": Merge("add", (1, 1), (1.0, 1.0)),
            "ave": Merge("average", (1, 1)),
            "mul": Merge("multiply", (1, 1)),
            "concat": Merge("concatenate", (1, 1), axis=axis),
        }.get(self.merge_mode or "")
        return (Branches(chains, merge),)


@layer
class TimeDistributed(Layer):
    """A layer on each step of a sequence, with the same weights."""

    call_arguments = ("training",)

    layer: InnerLayer

    def step(self, inputs: tuple[Shape, ...]) -> Shape:
        (x,) = one_input(self, inputs)
        if len(x) < 2:
            raise LayerError(f"TimeDistributed takes inputs of at least two axes, got shape {show(x)}")
        return x[1:]

    def result_dtype(self, compute: str, *inputs: str) -> str:
        return str(self.layer.layer.result_dtype(compute, *inputs))

    def output_shape(self, *inputs: Shape) -> Shape:
        shapes = self.layer.layer.output_shapes(self.step(inputs))
        if len(shapes) > 1:
            raise LayerError(f"TimeDistributed: a {type(self.layer.layer).__name__} of {len(shapes)} outputs")
        return (inputs[0][0], *shapes[0])

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        weights: tuple[Weight, ...] = self.layer.weights(self.layer.layer.weights(self.step(inputs)))
        return weights

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        step = self.step(inputs)
        inner = self.layer.layer
        (of_step,) = inner.window(step)
        return ((identity_read(0), *with_leading_axes(of_step, 1, len(inner.output_shape(step)))),)

    def macs(self, *inputs: Shape) -> Size:
        macs: Size = self.layer.layer.macs(self.step(inputs))
        return inputs[0][0] * macs

    def elementwise_ops(self, *inputs: Shape) -> Size:
        work: Size = self.layer.layer.elementwise_ops(self.step(inputs))
        return inputs[0][0] * work

    def primitives(self, *inputs: Shape) -> Primitives:
        return (PerStep(self.layer.name, self.layer.layer.primitives(self.step(inputs))),)


@layer
class SpectralNormalization(Layer):
    """A layer whose kernel is divided by an estimate of its 2-norm in training (arXiv 1802.05957).

    The estimate's vector is one more weight. Source: Miyato et al. 2018.
    """

    call_arguments = ("training",)

    keeps_integers = True  # the output is cast to the input's type

    layer: Annotated[Any, InnerKind(sample="Dense")]
    power_iterations: Count = 1

    def check(self) -> None:
        if isinstance(self.layer.layer, Cell):
            raise LayerError(f"a {type(self.layer.layer).__name__} takes more than one input")

    def output_shape(self, *inputs: Shape) -> Shape:
        (x,) = one_input(self, inputs)
        shape: Shape = self.layer.layer.output_shape(x)
        self.kernel(x)
        return shape

    def kernel(self, x: Shape) -> Weight:
        """The normalised weight; raises `LayerError` if the layer has none."""
        weights: tuple[Weight, ...] = self.layer.layer.weights(x)
        for weight in weights:
            if weight.name in ("kernel", "embeddings"):
                return weight
        raise LayerError(f"a {type(self.layer.layer).__name__} has no kernel and no embeddings")

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        kernel = self.kernel(x)
        vector = Weight("vector_u", (1, kernel.shape[-1]), False, "truncated_normal")
        others = tuple(w for w in self.layer.layer.weights(x) if w.name != kernel.name)
        return (*self.layer.weights((kernel,)), vector, *self.layer.weights(others))

    def window(self, *inputs: Shape) -> tuple[Window, ...]:
        window: tuple[Window, ...] = self.layer.layer.window(*inputs)
        return window

    def macs(self, *inputs: Shape) -> Size:
        macs: Size = self.layer.layer.macs(*inputs)
        return macs

    def elementwise_ops(self, *inputs: Shape) -> Size:
        work: Size = self.layer.layer.elementwise_ops(*inputs)
        return work

    def primitives(self, *inputs: Shape) -> Primitives:
        # training divides by an estimate of the norm, which may be far smaller than the norm
        return (TrainingNoise(("vector_u",)), Nested(self.layer.name, self.layer.layer.primitives(*inputs)))
