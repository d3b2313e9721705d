"""The rows of the contract test: how each layer type is tested against real Keras.

A row lists input shapes, and values of the constructor arguments that are not in the common table.
Everything else is derived: the arguments and their defaults from Keras's signatures, the grid by
covering all pairs of values. tests/test_contract.py describes the checks.
"""

from tests.contract.grid import candidates, cells, pairwise, types
from tests.contract.rows import AT_THE_CALL, INTERNAL_ARGUMENTS, LAYER_ARGUMENTS, Cell, Inputs, Row, Shape
from tests.contract.table import ROWS

__all__ = [
    "AT_THE_CALL",
    "INTERNAL_ARGUMENTS",
    "LAYER_ARGUMENTS",
    "ROWS",
    "Cell",
    "Inputs",
    "Row",
    "Shape",
    "candidates",
    "cells",
    "pairwise",
    "types",
]
