"""Calls of torch modules and functions, to which tools for torch assign FLOPs.

A Keras layer's counterpart is written as by hand: a module of `torch.nn` for each layer and for each
activation that a layer names, the operators `+ - * /` for merging. Shapes have no batch axis and are
channels-first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archcalc.arith import Shape, Size, prod, total


class NoCounterpartError(Exception):
    """A layer has no counterpart in torch; the text is the reason."""


# kinds that only move units, but may be in the counterpart of a layer that computes
MOVES = {
    *("Flatten", "Unflatten", "permute", "expand", "slice"),
    *("torch.cat", "torch.reshape", "torch.transpose", "torch.concatenate", "torch.split", "torch.stack"),
    *("torch.squeeze", "torch.unsqueeze", "torch.swapaxes", "torch.moveaxis", "torch.unbind", "F.pad"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a module or a function.

    `kind` is the module's class in `torch.nn`, or a function as it is written (`F.relu`,
    `torch.bmm`, `+`). `input` is the first input. `parameters` holds the shape of each
    parameter by its name in torch, `more` further properties of some kinds. `times`: how many
    samples of such shapes the call takes for each sample of the network.
    """

    kind: str
    input: Shape
    output: Shape
    parameters: Mapping[str, Shape] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    times: Size = 1

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
        """Whether a normalisation has a learned scale."""
        return "weight" in self.parameters

    def count(self, name: str) -> Size:
        """The number of elements of one parameter; 0 if the call has no such parameter."""
        return prod(self.parameters[name]) if name in self.parameters else 0

    @property
    def macs(self) -> Size:
        """The multiply-adds that the call performs; 0 for kinds that are no convolution or product."""
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
        if self.kind == "torch.einsum":
            macs: Size = self.more["macs"]
            return macs
        if self.recurrent:
            return self.steps * (self.count("weight_ih") + self.count("weight_hh"))
        return 0

    @property
    def biased(self) -> Size:
        """Units to which a bias is added."""
        if self.recurrent:
            return self.steps * (self.count("bias_ih") + self.count("bias_hh"))
        return self.out_units if "bias" in self.parameters and self.macs != 0 else 0

    # -- of recurrent modules and their cells --------------------------------------------------
    @property
    def recurrent(self) -> bool:
        """Whether this is a recurrent module or a cell."""
        return self.kind.removesuffix("Cell") in ("RNN", "LSTM", "GRU")

    @property
    def steps(self) -> Size:
        """The steps of a recurrent module; 1 for a cell."""
        return 1 if self.kind.endswith("Cell") else self.input[0]

    # -- of MultiheadAttention ---------------------------------------------------------------
    @property
    def projected(self) -> Size:
        """Multiply-adds of the projections of query, key, value and output."""
        width, rows = self.more["width"], self.more["queries"] + self.more["keys"]
        return 2 * prod((rows, width, width))

    @property
    def attended(self) -> Size:
        """Multiply-adds of the scores and of the weighted sum of values."""
        return 2 * prod(self.more[side] for side in ("queries", "keys", "width"))


def parameters_of(call: Call) -> Size:
    """The number of elements of all parameters of a call."""
    return total(prod(shape) for shape in call.parameters.values())
