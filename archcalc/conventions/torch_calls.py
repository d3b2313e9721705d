"""What runs in torch where a Keras layer stands: the modules and functions that torch's tools see.

A counterpart is written as one would write it by hand: a module of `torch.nn` for each layer
and for each activation that a layer names, the operators `+ - * /` for merging. Shapes have
no batch axis and channels come before space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archcalc.arith import Shape, Size, prod, total


class NoCounterpartError(Exception):
    """A layer that has no counterpart in torch; the text says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module or a function.

    `kind` is the module's class in `torch.nn`, or a function as it is written (`F.relu`,
    `torch.bmm`, `+`). `input` is the first input. `parameters` holds the shape of each
    parameter by its name in torch. `more` is what single kinds have besides.
    """

    kind: str
    input: Shape
    output: Shape
    parameters: Mapping[str, Shape] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> Size:
        """Units of the first input."""
        return prod(self.input)

    @property
    def out_units(self) -> Size:
        """Units of the output."""
        return prod(self.output)

    @property
    def affine(self) -> bool:
        """Whether a normalisation has a scale of its own."""
        return "weight" in self.parameters

    def count(self, name: str) -> Size:
        """Numbers in one parameter; 0 where there is none."""
        return prod(self.parameters[name]) if name in self.parameters else 0

    @property
    def macs(self) -> Size:
        """Multiply-adds as one would count them; 0 for kinds that multiply no matrices."""
        if self.kind.startswith("ConvTranspose"):
            return self.count("weight") * prod(self.input[1:])
        if self.kind.startswith("Conv"):
            return self.count("weight") * prod(self.output[1:])
        if self.kind == "Linear":
            return self.units * self.output[-1]
        if self.kind in ("torch.bmm", "torch.matmul"):
            return self.units * self.output[-1]
        if self.kind == "MultiheadAttention":
            return self.projected + self.attended
        return 0

    @property
    def biased(self) -> Size:
        """Units to which a bias is added."""
        return self.out_units if "bias" in self.parameters and self.macs != 0 else 0

    # -- of attention with projections -------------------------------------------------------
    @property
    def projected(self) -> Size:
        """Multiply-adds of the matrices for query, key, value and result."""
        width = self.more["width"]
        return 2 * (self.more["queries"] + self.more["keys"]) * width * width

    @property
    def attended(self) -> Size:
        """Multiply-adds of the scores and of the weighted sum."""
        return 2 * self.more["queries"] * self.more["keys"] * self.more["width"]


def parameters_of(call: Call) -> Size:
    """Numbers in all parameters."""
    return total(prod(shape) for shape in call.parameters.values())
