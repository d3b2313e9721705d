"""The terms of a FLOP count, and the types and common forms of a tool's rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from archcalc.arith import Size
from archcalc.conventions.torch_calls import Call, NoCounterpartError

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
RECURRENT = "RNN LSTM GRU RNNCell LSTMCell GRUCell"
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
    of_batch: tuple[str, ...] = ()  # kinds whose rule gives the figure of all `times` samples at once

    def terms(self, call: Call) -> Counts:
        """The terms of one call."""
        rule = self.rules.get(call.kind)
        if rule is None:
            return {}
        times = 1 if call.kind in self.of_batch else call.times
        return {term: times * count for term, count in rule(call).items()}


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


def gated(bias: int, others: Mapping[str, int]) -> Rule:
    """A rule for recurrent modules: products, `bias` times the biases, `others` per unit of a state."""
    return lambda call: {
        MULTIPLY_ADDS: call.macs,
        BIAS: bias * call.biased,
        OTHER: others[call.kind.removesuffix("Cell")] * call.steps * call.output[-1],
    }


def einsum_by_numpy(call: Call) -> int:
    """The operations of an einsum as numpy's `einsum_path` prints them, with four digits."""
    products, summed = call.times * call.macs, 2 if call.more["contracted"] else 1
    if not isinstance(products, int):
        raise NoCounterpartError("the figure of an einsum is rounded to four digits, which needs sizes")
    return int(float(f"{summed * products + 1:.3e}"))


def estimated_norm(call: Call) -> Counts:
    """The count of a normalisation that computes its statistics from its input."""
    return {NORMALISATION: (5 if call.affine else 4) * call.units}


def inference_norm(call: Call) -> Counts:
    """The count of a normalisation with stored statistics."""
    return {NORMALISATION: (2 if call.affine else 1) * call.units}
