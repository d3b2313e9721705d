"""Slips in the count of one layer's parameters or multiply-adds: factors exchanged, dropped, repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import NamedTuple

from archcalc.review.slips.catalogue import Slip, slip
from archcalc.review.terms import (
    CHANNELS,
    CONSTANT,
    FILTERS,
    KERNEL,
    MULTIPLIER,
    POSITIONS,
    LayerCount,
    Operand,
    Term,
)

Edit = Callable[[LayerCount], Iterator[LayerCount]]
PARAMETERS, WORK = "parameters", "work"


class CountSlip(NamedTuple):
    """A slip with its edits of a layer's count; `of`: counts of which kind it can happen in."""

    slip: Slip
    of: tuple[str, ...]
    edit: Edit


COUNT_SLIPS: list[CountSlip] = []


def _edits(name: str, says: str, *of: str, oddity: float = 1.0) -> Callable[[Edit], Edit]:
    def enter(edit: Edit) -> Edit:
        COUNT_SLIPS.append(CountSlip(slip(name, says, oddity), of, edit))
        return edit

    return enter


def _is_bias(term: Term) -> bool:
    return term.name.rpartition("/")[2] == "bias"


def _kernels(count: LayerCount) -> bool:
    return any(t.of(KERNEL) for t in count.terms)


# -- biases --------------------------------------------------------------------------------------------
@_edits("bias_forgotten", "the biases were left out", PARAMETERS, oddity=0.5)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.bias and len(count.terms) > 1:
        yield count.having(t for t in count.terms if not _is_bias(t))


def _with_bias(count: LayerCount, *factors: Operand) -> LayerCount:
    return count.having(
        t.without(*{f.role for f in t.factors}).times(*factors) if _is_bias(t) else t for t in count.terms
    )


@_edits("bias_once", "the layer had one bias, not one for each filter", PARAMETERS, oddity=1.2)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.bias:
        yield _with_bias(count)


@_edits("bias_per_position", "each position had a separate bias", PARAMETERS, oddity=1.5)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.bias and count.kernel and not any(t.of(POSITIONS) for t in count.terms):
        places = [Operand(POSITIONS, n) for n in count.positions]
        yield count.having(t.times(*places) if _is_bias(t) else t for t in count.terms)


@_edits("bias_per_input_channel", "each filter had a bias for every input channel", PARAMETERS, oddity=1.3)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.bias:
        yield count.having(
            t.times(Operand(CHANNELS, count.channels // count.groups)) if _is_bias(t) else t
            for t in count.terms
        )


@_edits("bias_per_weight", "every weight had a bias", PARAMETERS, oddity=2.0)
def _(count: LayerCount) -> Iterator[LayerCount]:
    kernel = sum(t.value for t in count.terms if not _is_bias(t))
    if count.bias:
        yield _with_bias(count, Operand(CONSTANT, kernel))


@_edits(
    "bias_of_inputs", "there was a bias for each input channel, not for each filter", PARAMETERS, oddity=1.5
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.bias:
        yield _with_bias(count, Operand(CHANNELS, count.channels))


@_edits("bias_added", "the layer had biases, but it has none", PARAMETERS, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if not count.bias and any(t.of(CHANNELS) or t.of(KERNEL) for t in count.terms) and len(count.terms) < 3:
        yield count.having((*count.terms, Term("bias", (Operand(FILTERS, count.filters),))))


@_edits("bias_in_macs", "adding the biases were multiply-adds", WORK, oddity=1.2)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.terms and count.filters > 1:
        places = [Operand(POSITIONS, n) for n in count.positions]
        yield count.having((*count.terms, Term("bias", (Operand(FILTERS, count.filters), *places))))


# -- filters and channels ------------------------------------------------------------------------------
@_edits("filters_twice", "the number of filters were multiplied in twice", PARAMETERS, WORK, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any(t.of(FILTERS) for t in count.terms if not _is_bias(t)):
        more = Operand(FILTERS, count.filters)
        yield count.having(t if _is_bias(t) else t.times(more) for t in count.terms)
        if count.bias:
            yield count.having(t.times(more) for t in count.terms)


@_edits("filters_forgotten", "the figure of one filter were that of the layer", PARAMETERS, WORK, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.filters > 1 and any(t.of(FILTERS) for t in count.terms):
        yield count.having(t.without(FILTERS) for t in count.terms)
        if count.bias:
            yield count.having(t if _is_bias(t) else t.without(FILTERS) for t in count.terms)


def _with_channels(count: LayerCount, channels: int) -> LayerCount:
    return count.having(t.exchanged(CHANNELS, channels) if t.of(CHANNELS) else t for t in count.terms)


@_edits(
    "image_channels", "the input had the image's channels, not those of the layer before", PARAMETERS, WORK
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if _kernels(count) or not count.around.image_channels:
        for channels in count.around.image_channels:
            if channels != count.channels:
                yield _with_channels(count, channels)


@_edits("channels_forgotten", "the input had one channel", PARAMETERS, WORK, oddity=0.9)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.channels > 1:
        yield _with_channels(count, 1)


@_edits("channels_twice", "the input channels were multiplied in twice", PARAMETERS, WORK, oddity=1.6)
def _(count: LayerCount) -> Iterator[LayerCount]:
    yield count.having(
        t.times(Operand(CHANNELS, count.channels)) if t.of(CHANNELS) else t for t in count.terms
    )


@_edits("channels_added", "filters and channels were added, not multiplied", PARAMETERS, WORK, oddity=2.0)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any(t.of(CHANNELS) and t.of(FILTERS) for t in count.terms):
        yield count.having(
            t.without(CHANNELS, FILTERS).times(Operand(CONSTANT, sum(t.of(CHANNELS) + t.of(FILTERS))))
            if t.of(CHANNELS) and t.of(FILTERS)
            else t
            for t in count.terms
        )


@_edits(
    "filters_as_channels",
    "the input had as many channels as the layer has filters",
    PARAMETERS,
    WORK,
    oddity=1.4,
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.filters != count.channels:
        yield _with_channels(count, count.filters)


@_edits(
    "branch_channels", "the input had the channels of one branch, not of all", PARAMETERS, WORK, oddity=1.2
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    for channels in count.around.branches:
        yield _with_channels(count, channels)


@_edits("neighbour_channels", "the channels of another layer were put in", PARAMETERS, WORK, oddity=2.0)
def _(count: LayerCount) -> Iterator[LayerCount]:
    for channels in count.around.neighbours:
        if channels not in (count.channels, count.filters, *count.around.image_channels):
            yield _with_channels(count, channels)


@_edits(
    "groups_ignored", "the filters read all channels, not those of their group", PARAMETERS, WORK, oddity=0.6
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.groups > 1:
        yield _with_channels(count, count.channels)


@_edits("groups_twice", "the groups divided the filters too", PARAMETERS, WORK, oddity=1.5)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.groups > 1:
        yield count.having(
            t.exchanged(FILTERS, count.filters // count.groups) if t.of(CHANNELS) else t for t in count.terms
        )


@_edits("depthwise_ignored", "each filter read all channels, not one", PARAMETERS, WORK, oddity=0.7)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any(t.of(MULTIPLIER) for t in count.terms) or count.type.startswith("DepthwiseConv"):
        more = Operand(CHANNELS, count.channels)
        yield count.having(t.times(more) if t.of(KERNEL) else t for t in count.terms)


@_edits("multiplier_forgotten", "the depth multiplier were 1", PARAMETERS, WORK)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any(n > 1 for t in count.terms for n in t.of(MULTIPLIER)):
        yield count.having(t.without(MULTIPLIER) for t in count.terms)


# -- kernels and positions -----------------------------------------------------------------------------
def _with_kernel(count: LayerCount, *sizes: int) -> LayerCount:
    return count.having(t.exchanged(KERNEL, *sizes) if t.of(KERNEL) else t for t in count.terms)


@_edits("kernel_one_axis", "the kernel had one axis", PARAMETERS, WORK, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if len(count.kernel) > 1 and _kernels(count):
        for size in dict.fromkeys(count.kernel):
            yield _with_kernel(count, size)


@_edits("kernel_added", "the sides of the kernel were added, not multiplied", PARAMETERS, WORK, oddity=1.4)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if len(count.kernel) > 1 and _kernels(count):
        yield _with_kernel(count, sum(count.kernel))


@_edits("kernel_forgotten", "the kernel had one element", PARAMETERS, WORK, oddity=1.2)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if prod(count.kernel) > 1 and _kernels(count):
        yield _with_kernel(count, 1)


@_edits("kernel_axis_more", "the kernel had one more axis", PARAMETERS, WORK, oddity=1.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.kernel and _kernels(count):
        yield _with_kernel(count, *count.kernel, count.kernel[-1])


@_edits("positions_multiplied", "each position had separate weights", PARAMETERS, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.kernel and _kernels(count) and not any(t.of(POSITIONS) for t in count.terms):
        places = [Operand(POSITIONS, n) for n in count.positions]
        yield count.having(t.times(*places) for t in count.terms)
        if count.bias:
            yield count.having(t if _is_bias(t) else t.times(*places) for t in count.terms)


@_edits(
    "input_positions_multiplied",
    "each position of the input had separate weights",
    PARAMETERS,
    oddity=1.5,
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    local = any(t.of(POSITIONS) for t in count.terms)
    if count.kernel and _kernels(count) and not local and count.input_sides != count.positions:
        places = [Operand(POSITIONS, n) for n in count.input_sides]
        yield count.having(t.times(*places) for t in count.terms)
        if count.bias:
            yield count.having(t if _is_bias(t) else t.times(*places) for t in count.terms)


@_edits("positions_forgotten", "the positions did not count", PARAMETERS, WORK, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any(prod(t.of(POSITIONS)) > 1 for t in count.terms):
        yield count.having(t.without(POSITIONS) for t in count.terms)


@_edits("positions_one_axis", "the positions along one axis were all", PARAMETERS, WORK, oddity=1.2)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if len(count.positions) > 1 and any(len(t.of(POSITIONS)) > 1 for t in count.terms):
        for side in dict.fromkeys(count.positions):
            yield count.having(t.exchanged(POSITIONS, side) if t.of(POSITIONS) else t for t in count.terms)


@_edits("input_positions", "the output had as many positions as the input", PARAMETERS, WORK, oddity=0.7)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.input_sides != count.positions and len(count.input_sides) == len(count.positions):
        yield count.having(
            t.exchanged(POSITIONS, *count.input_sides) if t.of(POSITIONS) else t for t in count.terms
        )


@_edits("stride_one_axis", "the stride held along one axis only", WORK, oddity=1.2)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if len(count.positions) == 2 and len(count.input_sides) == 2 and count.input_sides != count.positions:
        for sides in (
            (count.input_sides[0], count.positions[1]),
            (count.positions[0], count.input_sides[1]),
        ):
            yield count.having(t.exchanged(POSITIONS, *sides) if t.of(POSITIONS) else t for t in count.terms)


# -- parts of a layer ------------------------------------------------------------------------------------
def _without_weight(count: LayerCount, part: str) -> Iterator[LayerCount]:
    if any(part in t.name for t in count.terms) and len(count.terms) > 1:
        yield count.having(t for t in count.terms if part not in t.name)


@_edits(
    "pointwise_forgotten", "the 1×1 convolution of the separable one were missing", PARAMETERS, oddity=0.9
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    yield from _without_weight(count, "pointwise")


@_edits(
    "depthwise_forgotten",
    "the depthwise part of the separable convolution were missing",
    PARAMETERS,
    oddity=1.1,
)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any("pointwise" in t.name for t in count.terms):
        yield from _without_weight(count, "depthwise")


@_edits("separable_as_full", "the separable convolution were an ordinary one", PARAMETERS, oddity=0.9)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any("pointwise" in t.name for t in count.terms):
        kernel = Term(
            "kernel",
            (
                *(Operand(KERNEL, k) for k in count.kernel),
                Operand(CHANNELS, count.channels),
                Operand(FILTERS, count.filters),
            ),
        )
        yield count.having([kernel, *(t for t in count.terms if _is_bias(t))])


@_edits("statistics_left_out", "the moving statistics did not count", PARAMETERS, oddity=0.6)
def _(count: LayerCount) -> Iterator[LayerCount]:
    yield from _without_weight(count, "moving_")


@_edits("statistics_trainable", "weights that are not trained were trained", PARAMETERS, oddity=0.6)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.left_out:
        yield count.having((*count.terms, *count.left_out))


@_edits("norm_one_weight", "the normalisation had one weight for each channel", PARAMETERS, oddity=1.2)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any("gamma" in t.name for t in count.terms) and len(count.terms) > 1:
        yield count.having(count.terms[:1])


@_edits("gates_forgotten", "the recurrent layer had one gate", PARAMETERS, WORK, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if any("recurrent" in t.name for t in count.terms) or count.type in ("LSTM", "GRU"):
        yield count.having(t.without(CONSTANT) for t in count.terms)


@_edits("recurrence_forgotten", "the state had no weights", PARAMETERS, oddity=0.9)
def _(count: LayerCount) -> Iterator[LayerCount]:
    yield from _without_weight(count, "recurrent")


@_edits("one_bias_set", "the recurrent layer had one set of biases", PARAMETERS)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if count.type == "GRU" and count.bias:
        yield _with_bias(count, Operand(CONSTANT, 3), Operand(FILTERS, count.filters))


@_edits("flatten_ignored", "the dense layer read one value for each channel", PARAMETERS, WORK, oddity=0.8)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if len(count.around.flattened) > 1:
        yield _with_channels(count, count.around.flattened[-1])


@_edits("flatten_without_channels", "the flattened map had one channel", PARAMETERS, WORK, oddity=1.2)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if len(count.around.flattened) > 1:
        yield _with_channels(count, prod(count.around.flattened[:-1]))


@_edits("flatten_one_axis", "the flattened map had one spatial axis", PARAMETERS, WORK, oddity=1.3)
def _(count: LayerCount) -> Iterator[LayerCount]:
    if len(count.around.flattened) > 2:
        yield _with_channels(count, count.around.flattened[0] * count.around.flattened[-1])
