"""Operations of `keras.ops` as nodes of a network; the table is `registered_operations()`."""

from archcalc.layers.operations.base import Operation as Operation
from archcalc.layers.operations.base import keras_operations as keras_operations
from archcalc.layers.operations.base import registered_operations as registered_operations
from archcalc.layers.operations.operand import Constant as Constant
