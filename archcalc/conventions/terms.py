"""The terms of a FLOP count, and the types and common forms of a tool's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from archcalc.arith import Size
from archcalc.conventions.torch_calls import Call

MULTIPLY_ADDS = "multiply-adds"
BIAS = "bias"
NORMALISATION = "normalisation"
ACTIVATION = "activation"
POOLING = "pooling"
UPSAMPLING = "upsampling"
MERGING = "merging"
OTHER = "other"

TERMS = (MULTIPLY_ADDS, BIAS, NORMALISATION, ACTIVATION, POOLING, UPSAMPLING, MERGING, OTHER)

Counts = Mapping[str, Size]
Rule = Callable[[Call], Counts]
Rules = Mapping[str, Rule]

RANKS = (1, 2, 3)
# kinds of calls, for `each`
CONVOLUTIONS = "Conv*d ConvTranspose*d"
NORMS = "BatchNorm*d LayerNorm"
POOLS = "MaxPool*d AvgPool*d AdaptiveMaxPool*d AdaptiveAvgPool*d"
FUNCTIONS = "F.relu F.relu6 F.elu F.gelu F.silu F.softmax"
PRODUCTS = f"{CONVOLUTIONS} Linear torch.bmm torch.matmul"


class TorchTool(NamedTuple):
    """A tool for torch and its rules by kind of call; as in the tool, calls without a rule count nothing."""

    name: str
    version: str
    unit: str  # what the tool calls its figure
    per_mac: int  # what one multiply-add adds to it
    rules: Rules

    def terms(self, call: Call) -> Counts:
        """The terms of one call."""
        rule = self.rules.get(call.kind)
        return rule(call) if rule is not None else {}


def each(names: str, rule: Rule) -> Rules:
    """The same rule for several kinds of calls; `*` is replaced by 1, 2 and 3."""
    kinds = (name.replace("*", str(rank)) for name in names.split() for rank in RANKS)
    return dict.fromkeys(kinds, rule)


def per_unit(term: str, times: int = 1) -> Rule:
    """A rule that counts `times` for each unit of the input."""
    return lambda call: {term: times * call.units}


def per_output(term: str, times: int = 1) -> Rule:
    """A rule that counts `times` for each unit of the output."""
    return lambda call: {term: times * call.out_units}


def products(times: int) -> Rule:
    """A rule that counts `times` for each multiply-add."""
    return lambda call: {MULTIPLY_ADDS: times * call.macs}


def projections(times: int) -> Rule:
    """A rule that counts `times` for each multiply-add of the projections of attention."""
    return lambda call: {MULTIPLY_ADDS: times * call.projected}


def estimated_norm(call: Call) -> Counts:
    """The count of a normalisation that computes its statistics from its input."""
    return {NORMALISATION: (5 if call.affine else 4) * call.units}


def inference_norm(call: Call) -> Counts:
    """The count of a normalisation with stored statistics."""
    return {NORMALISATION: (2 if call.affine else 1) * call.units}
