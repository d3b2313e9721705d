"""Mistakes in fields, their spread, and memory."""

from __future__ import annotations

from tests.mutations.mutants import Mutant

SPATIAL = "archcalc/layers/spatial.py"
TRANSPOSED = "archcalc/layers/transposed.py"
LOCAL = "archcalc/layers/locally_connected.py"
POOLING = "archcalc/layers/pooling.py"
NORMAL = "archcalc/layers/normalization.py"
MERGING = "archcalc/layers/merging.py"
MARGINS = "archcalc/layers/padding.py"
MOVING = "archcalc/layers/reshaping.py"
ENLARGING = "archcalc/layers/upsampling.py"
LIFETIMES = "archcalc/analyses/memory/lifetimes.py"
RUN = "archcalc/analyses/memory/events.py"
OUTPUTS = "self.of(self.program.run.outputs)"
EVENTS = "archcalc/analyses/memory/training_step.py"
READS = "archcalc/analyses/fields/compose.py"
MAPS = "archcalc/analyses/fields/index_maps.py"
SLIDING = "archcalc/analyses/fields/sliding.py"
MOMENTS = "archcalc/analyses/fields/moments.py"
CLIPPING = "archcalc/analyses/fields/clipping.py"

FIELDS = [
    # fields
    Mutant(
        "odd zero before the axis",
        SPATIAL,
        "return floor_div(largest((ceil_div(n, s) - 1) * s + ke - n, 0), 2)",
        "return ceil_div(largest((ceil_div(n, s) - 1) * s + ke - n, 0), 2)",
    ),
    Mutant(
        "same pads half the kernel, whatever the stride",
        SPATIAL,
        "return floor_div(largest((ceil_div(n, s) - 1) * s + ke - n, 0), 2)",
        "return floor_div(ke - 1, 2)",
    ),
    Mutant("causal pads without dilation", SPATIAL, "return d * (k - 1)\n    ke", "return k - 1\n    ke"),
    Mutant("causal without padding", SPATIAL, 'if padding == "causal":', "if False:"),
    Mutant("stride not in the field", SPATIAL, "Taps(axis, s, -pad_before", "Taps(axis, 1, -pad_before"),
    Mutant("dilation not in the field", SPATIAL, "padding), k, d)", "padding), k, 1)"),
    Mutant("window in the wrong direction", SPATIAL, "Taps(axis, s, -pad_before", "Taps(axis, s, pad_before"),
    Mutant(
        "locally connected centred as TensorFlow does",
        LOCAL,
        "else floor_div(k, 2)",
        "else floor_div(k - 1, 2)",
    ),
    Mutant(
        "global pooling as a window of its unit",
        POOLING,
        "everything = (Whole(uniform=True),) * self.rank",
        "everything = (Taps(0),) * self.rank",
    ),
    Mutant("zero padding does not move", MARGINS, "Taps(axis, 1, -before)", "Taps(axis, 1, 0)"),
    Mutant("cropping moves the wrong way", MARGINS, "Taps(axis, 1, -before)", "Taps(axis, 1, before)"),
    Mutant("offset in a concatenation", MERGING, "            start = start + x[joined]\n", ""),
    Mutant(
        "upsampling as the identity", ENLARGING, "tuple(self.read(a, f) for a, f", "tuple(Taps(a) for a, f"
    ),
    Mutant(
        "transposed crop rounded up",
        TRANSPOSED,
        "return floor_div(largest(full",
        "return 1 + floor_div(largest(full",
    ),
    Mutant(
        "transposed kernel reversed",
        TRANSPOSED,
        "Taps(axis, 1, crop - d * (k - 1), k, d)",
        "Taps(axis, 1, crop, k, d)",
    ),
    Mutant("normalisation sees its own unit", NORMAL, "window = whole_along(window, axis)", "pass"),
    Mutant("permuted axes read as they stand", MOVING, "Taps(self.order.index(a))", "Taps(a)"),
    Mutant(
        "branches added, not maximised",
        MAPS,
        "w if v is None else v if w is None else pick(v, w)",
        "w if v is None else v if w is None else v + w",
    ),
    Mutant(
        "the last branch only",
        "archcalc/analyses/fields/intervals.py",
        "min(s.low for s in sliding), max(s.high for s in sliding)",
        "sliding[-1].low, sliding[-1].high",
    ),
    Mutant("offsets not scaled by the stride so far", SLIDING, "low = step * offset", "low = offset"),
    Mutant("reach not scaled by the stride so far", SLIDING, "low + step * reach", "low + reach"),
    Mutant(
        "the same of layers that read their axes differently",
        READS,
        "(hi * ends[1] + high,)",
        "(ends[1] + high,)",
    ),
    Mutant(
        "strides of layers not multiplied",
        SLIDING,
        "Sliding(axes, step * stride, low",
        "Sliding(axes, step, low",
    ),
    Mutant(
        "padding counted as pixels",
        "archcalc/analyses/fields/index_sets.py",
        "merged((max(a, 0), min(b, n)) for a, b in intervals if a < n and b > 0)",
        "merged(intervals)",
    ),
    Mutant("first position for the middle", CLIPPING, "((n // 2, n // 2 + 1),)", "((0, 1),)"),
    # spread and memory
    Mutant(
        "variance of k squared",
        MOMENTS,
        "dilation * dilation * (count * count - 1)",
        "dilation * dilation * count * count",
    ),
    Mutant("spread without dilation", MOMENTS, "step * step * dilation * dilation", "step * step"),
    Mutant("spread without strides", MOMENTS, "return step * step * dilation", "return dilation"),
    Mutant("mean of branches ignored", MOMENTS, "(v + apart * apart)", "v"),
    Mutant(
        "branches of a concatenation counted alike",
        MERGING,
        "return Shares(tuple(x[joined] for x in inputs), total(x[joined] for x in inputs))",
        "return Shares((1,) * len(inputs), len(inputs))",
    ),
    Mutant(
        "tensors freed before their last reader",
        LIFETIMES,
        "            last[value] = number",
        "            last[value] = last[value]",
    ),
    Mutant("outputs freed", RUN, f"[*self.given, *{OUTPUTS}]", "self.given"),
    Mutant("inputs freed", RUN, f"[*self.given, *{OUTPUTS}]", OUTPUTS),
    Mutant(
        "a buffer taken over that is read later",
        LIFETIMES,
        "if way == VIEW or freed[first] == self.born[value]:",
        "if True:",
    ),
    Mutant(
        "gradients of kernels freed before the optimizer runs",
        EVENTS,
        "gradients = [value for values in self.kernels.values() for value in values]",
        "gradients: list[int] = []",
    ),
]
