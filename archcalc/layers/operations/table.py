"""The one list of modules whose import registers operations."""

from archcalc.layers.operations import contraction as contraction
from archcalc.layers.operations import elementwise as elementwise
from archcalc.layers.operations import images as images
from archcalc.layers.operations import indexing as indexing
from archcalc.layers.operations import reduction as reduction
from archcalc.layers.operations import reshaping as reshaping
from archcalc.layers.operations import windowed as windowed
