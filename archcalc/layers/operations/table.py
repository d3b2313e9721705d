"""The one list of modules whose import registers operations."""

import archcalc.layers.operations.contraction
import archcalc.layers.operations.elementwise
import archcalc.layers.operations.images
import archcalc.layers.operations.indexing
import archcalc.layers.operations.reduction
import archcalc.layers.operations.reshaping
import archcalc.layers.operations.windowed  # noqa: F401
