"""Classes in `keras.layers` that archcalc does not support, with the reason and an alternative."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a class is not supported, as a relative clause after its name, and what to use instead."""

    reason: str
    remedy: str

    def described(self, name: str) -> str:
        """The class with the reason: `a Lambda, whose Python code is never run`."""
        return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}, {self.reason}"


_OPAQUE = "describe what it makes as Opaque"
_FOREIGN = "export what it holds to a Keras model, or describe what it makes as Opaque"
_BEFORE = "leave it out of the network and start from the integers that it makes"

REFUSALS: Mapping[str, Refusal] = {
    "Lambda": Refusal("whose Python code is never run", "use operations such as ops.add, or Opaque"),
    "TorchModuleWrapper": Refusal("whose PyTorch module no configuration describes", _FOREIGN),
    "JaxLayer": Refusal("whose JAX function no configuration describes", _FOREIGN),
    "FlaxLayer": Refusal("whose Flax module no configuration describes", _FOREIGN),
    "TFSMLayer": Refusal("whose figures are in the SavedModel that it loads", _FOREIGN),
    "StringLookup": Refusal("which maps strings by a vocabulary, and strings have no size here", _BEFORE),
    "TextVectorization": Refusal("which maps text by a vocabulary, and text has no size here", _BEFORE),
    "MelSpectrogram": Refusal(
        "whose fast Fourier transform is no sum of multiply-adds, and whose decibels depend on the batch",
        f"use STFTSpectrogram, or {_OPAQUE}",
    ),
    "ContrastLimitedAdaptiveHistogramEqualization": Refusal(
        "whose work and reach depend on the histograms of its tiles", _OPAQUE
    ),
    "MaxNumBoundingBoxes": Refusal(
        "which takes dictionaries of bounding boxes, and not tensors", "leave it to the data pipeline"
    ),
    "Pipeline": Refusal(
        "which holds a list of layers and is no model",
        "write its layers one after another (in Keras: a Sequential)",
    ),
    "Layer": Refusal(
        "which is the base of all layers and computes nothing", "name the class that derives from it"
    ),
    "Wrapper": Refusal("which is the base of all wrappers and computes nothing", "name the wrapper itself"),
    "InputSpec": Refusal(
        "which states what a layer accepts and is no layer", "declare inputs under `inputs`"
    ),
}
