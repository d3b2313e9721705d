"""The one list of modules whose import registers layer types."""

from archcalc.layers import convolution as convolution
