"""Layers that only earlier generations of Keras had, and a wrapper of theirs for pruning.

Their figures follow `tf_keras` and `tensorflow_model_optimization`; Keras 3 cannot build them.
"""

from __future__ import annotations

from archcalc.arith import Shape, Size
from archcalc.layers.base import Layer, Weight, Window, layer
from archcalc.layers.fields import Untracked
from archcalc.layers.inner import InnerLayer
from archcalc.layers.primitives import Nested, Primitives, TrainingNoise
from archcalc.layers.recurrent import BuiltInCell, GRUGates, LSTMGates


@layer
class CuDNNLSTM(BuiltInCell, LSTMGates):
    """LSTM in cuDNN's layout: the products of the step and of the state have 4 * units biases each."""

    keras_class = ""  # Keras 3 has none
    cell_name = "lstm_cell"

    def bias_shape(self) -> Shape:
        return (2 * self.gates * self.units,)


@layer
class CuDNNGRU(BuiltInCell, GRUGates):
    """GRU in cuDNN's layout: the products of the step and of the state have 3 * units biases each."""

    keras_class = ""  # Keras 3 has none
    cell_name = "gru_cell"

    def bias_shape(self) -> Shape:
        return (2 * self.gates * self.units,)


@layer
class PruneLowMagnitude(Layer):
    """A layer whose smallest weights are set to zero in training (Zhu & Gupta 2017, arXiv 1710.01878).

    Each kernel has a mask of its shape and a threshold, and the layer a step counter, none of them
    trained. Source: tensorflow_model_optimization 0.8.
    """

    keras_class = ""  # Keras 3 has none

    layer: InnerLayer
    pruning_schedule: Untracked = None
    block_size: Untracked = None
    block_pooling_type: Untracked = None
    sparsity_m_by_n: Untracked = None

    def output_shape(self, *inputs: Shape) -> Shape:
        shape: Shape = self.layer.layer.output_shape(*inputs)
        return shape

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        inner: tuple[Weight, ...] = self.layer.weights(self.layer.layer.weights(*inputs))
        state: list[Weight] = []
        for weight in inner if type(self.layer.layer).__name__ not in NEVER_PRUNED else ():
            if weight.name.rpartition("/")[2] in PRUNED:
                state.append(Weight(f"{weight.name}/mask", weight.shape, False, "ones"))
                state.append(Weight(f"{weight.name}/threshold", (), False, "zeros"))
        return (*inner, *state, Weight("pruning_step", (), False))

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
        state = tuple(w.name for w in self.weights(*inputs) if w.name.endswith(STATE))
        return (TrainingNoise(state), Nested(self.layer.name, self.layer.layer.primitives(*inputs)))


PRUNED = ("kernel", "recurrent_kernel", "pointwise_kernel", "embeddings")
NEVER_PRUNED = ("DepthwiseConv1D", "DepthwiseConv2D")
STATE = ("/mask", "/threshold", "pruning_step")
