"""Mistakes that somebody computing such figures really makes, planted one at a time."""

from __future__ import annotations

from tests.mutations.mutants import Mutant

SPATIAL = "archcalc/layers/spatial.py"
CONVOLUTION = "archcalc/layers/convolution.py"
TRANSPOSED = "archcalc/layers/transposed.py"
LOCAL = "archcalc/layers/locally_connected.py"
POOLING = "archcalc/layers/pooling.py"
NORMAL = "archcalc/layers/normalization.py"
MERGING = "archcalc/layers/merging.py"
MARGINS = "archcalc/layers/padding.py"
MOVING = "archcalc/layers/reshaping.py"
ENLARGING = "archcalc/layers/upsampling.py"
CORE = "archcalc/layers/core.py"
PARAMETERS = "archcalc/analyses/parameters.py"
MEMORY = "archcalc/analyses/memory.py"
READS = "archcalc/analyses/field_reads.py"
MAPS = "archcalc/analyses/field_maps.py"
MOMENTS = "archcalc/analyses/moments.py"
CLIPPING = "archcalc/analyses/clipping.py"

_GROUPED = """        kernel = (*self.kernel_size, self.group_channels(x), self.filters)"""
_DENSE_KERNEL = """Weight("kernel", (x[-1], self.units), initializer=self.kernel_initializer),
            *bias_weight(self.use_bias, (self.units,), self.bias_initializer)"""
_LORA = "        main._replace(trainable=False),\n"

PLANTED = [
    # sizes
    Mutant("same counted as valid", SPATIAL, 'if padding != "valid":', 'if padding == "causal":'),
    Mutant("valid counted as same", SPATIAL, 'if padding != "valid":', "if True:"),
    Mutant("dilation ignored", SPATIAL, "    return d * (k - 1) + 1", "    return k"),
    Mutant("dilation times kernel", SPATIAL, "    return d * (k - 1) + 1", "    return d * k"),
    Mutant("size off by one", SPATIAL, "floor_div(n - ke, s) + 1", "floor_div(n - ke, s)"),
    Mutant("ceiling where the floor stands", SPATIAL, "floor_div(n - ke, s) + 1", "ceil_div(n - ke, s) + 1"),
    Mutant("floor where the ceiling stands", SPATIAL, "return ceil_div(n, s)", "return floor_div(n, s)"),
    Mutant("ceiling off by one", "archcalc/arith.py", "return (a + b - 1) // b", "return (a + b) // b"),
    Mutant(
        "strides of pooling default to 1",
        POOLING,
        "self.pool_size if self.strides is None else self.strides",
        "(1,) * self.rank if self.strides is None else self.strides",
    ),
    Mutant(
        "transposed size off by one",
        TRANSPOSED,
        "return (n - 1) * s + (largest(ke, s)",
        "return n * s + (largest(ke, s)",
    ),
    Mutant(
        "transposed kernel below its stride", TRANSPOSED, "largest(ke, s) if p is None", "ke if p is None"
    ),
    Mutant("output padding ignored", TRANSPOSED, "(n - 1) * s + ke % 2 + p", "(n - 1) * s + ke % 2"),
    Mutant("padding on one side only", MARGINS, "tuple(n + before + after for", "tuple(n + before for"),
    Mutant("cropping as padding", MARGINS, "(-before, -after) for before", "(before, after) for before"),
    Mutant("joined axis not added up", MERGING, "out[joined] = total(x[joined] for x in inputs)", "pass"),
    Mutant("axes not permuted", MOVING, "return tuple(x[a] for a in self.order)", "return tuple(x)"),
    Mutant("flattened without the channels", MOVING, "return (prod(x),)", "return (prod(x[:-1]),)"),
    Mutant("channels first ignored", SPATIAL, 'self.data_format == "channels_first"', "False"),
    # weights
    Mutant(
        "bias forgotten",
        SPATIAL,
        'return (Weight("bias", shape, initializer=initializer),) if use_bias else ()',
        "return ()",
    ),
    Mutant("bias without use_bias", SPATIAL, "if use_bias else ()", "if True else ()"),
    Mutant("groups ignored", CONVOLUTION, _GROUPED, _GROUPED.replace("self.group_channels(x)", "x[-1]")),
    Mutant(
        "filters divided by groups too",
        CONVOLUTION,
        _GROUPED,
        _GROUPED.replace("filters)", "filters // self.groups)"),
    ),
    Mutant(
        "depthwise as a full convolution",
        CONVOLUTION,
        "kernel = (*self.kernel_size, self.channels(x), self.depth_multiplier)",
        "kernel = (*self.kernel_size, self.channels(x), self.output_channels(x))",
    ),
    Mutant(
        "depth multiplier forgotten",
        CONVOLUTION,
        "        return self.channels(x) * self.depth_multiplier\n\n    def channel_read",
        "        return self.channels(x)\n\n    def channel_read",
    ),
    Mutant(
        "pointwise weights without the multiplier",
        CONVOLUTION,
        "return self.channels(x) * self.depth_multiplier\n\n    def weights",
        "return self.channels(x)\n\n    def weights",
    ),
    Mutant(
        "transposed kernel turned",
        TRANSPOSED,
        "kernel = (*self.kernel_size, self.filters, self.channels(x))",
        "kernel = (*self.kernel_size, self.channels(x), self.filters)",
    ),
    Mutant(
        "locally connected weights as a convolution's",
        LOCAL,
        "return (places, prod(self.kernel_size) * self.channels(x), self.filters)",
        "return (*self.kernel_size, self.channels(x), self.filters)",
    ),
    Mutant(
        "locally connected bias shared",
        LOCAL,
        "(*self.output_sides(x), self.filters), self.bias_initializer",
        "(self.filters,), self.bias_initializer",
    ),
    Mutant(
        "existing connections as a masked kernel",
        LOCAL,
        "return (prod(per_axis) * self.channels(x) * self.filters,)",
        "return (prod(x) * prod(self.output_shape(x)),)",
    ),
    Mutant("connections into the padding", LOCAL, "return m * k - _overhang(reach, s, m)", "return m * k"),
    Mutant(
        "moving statistics trained", NORMAL, "Weight(name, shape, trainable=False,", "Weight(name, shape,"
    ),
    Mutant("no moving statistics", NORMAL, "for name, start in moving", "for name, start in moving[:0]"),
    Mutant(
        "gamma of the wrong axis",
        NORMAL,
        "shape = (x[axis_index(self, self.axis, len(x))],)",
        "shape = (x[-1],)",
    ),
    Mutant("adapter on a trained weight", "archcalc/layers/low_rank.py", _LORA, "        main,\n"),
    Mutant(
        "dense on the flattened input",
        CORE,
        _DENSE_KERNEL,
        _DENSE_KERNEL.replace("x[-1]", "prod(x)"),
    ),
    Mutant(
        "shared weights counted twice",
        PARAMETERS,
        "            found.append(())\n",
        "            found.append(own)\n",
    ),
    Mutant("trainable=False ignored", PARAMETERS, "elif node.layer.trainable:", "elif True:"),
    Mutant(
        "frozen weights among the trained",
        PARAMETERS,
        "times * total(s for s, t in sizes if t)",
        "times * total(s for s, t in sizes)",
    ),
    # work
    Mutant(
        "multiply-adds with all channels of groups",
        CONVOLUTION,
        "prod(self.kernel_size) * self.group_channels(x) * prod(self.output_shape(x))",
        "prod(self.kernel_size) * self.channels(x) * prod(self.output_shape(x))",
    ),
    Mutant(
        "multiply-adds at every input place",
        CONVOLUTION,
        "return prod(self.kernel_size) * prod(self.output_shape(*inputs))",
        "return prod(self.kernel_size) * prod(inputs[0]) * self.depth_multiplier",
    ),
    Mutant(
        "pointwise multiply-adds forgotten",
        CONVOLUTION,
        "(prod(self.kernel_size) + self.filters)",
        "prod(self.kernel_size)",
    ),
    Mutant(
        "transposed multiply-adds by the output",
        TRANSPOSED,
        "return prod(self.kernel_size) * self.filters * prod(x)",
        "return prod(self.kernel_size) * self.channels(x) * prod(self.output_shape(x))",
    ),
    Mutant(
        "dense multiply-adds of one place", CORE, "return prod(x) * self.units", "return x[-1] * self.units"
    ),
    # fields
    Mutant(
        "odd zero in front",
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
        "archcalc/analyses/field_hulls.py",
        "tuple(join_all(seen) for seen in",
        "tuple(seen[-1] for seen in",
    ),
    Mutant("offsets not scaled by the stride so far", READS, "(lo * ends[0] + low,)", "(ends[0] + low,)"),
    Mutant("reach not scaled by the stride so far", READS, "(hi * ends[1] + high,)", "(ends[1] + high,)"),
    Mutant("strides of layers not multiplied", READS, "Edge(lo * stride,", "Edge(lo,"),
    Mutant(
        "padding counted as pixels",
        "archcalc/analyses/runs.py",
        "merged((max(a, 0), min(b, n)) for a, b in runs if a < n and b > 0)",
        "merged(runs)",
    ),
    Mutant("first place for the middle", CLIPPING, "((n // 2, n // 2 + 1),)", "((0, 1),)"),
    # spread and memory
    Mutant(
        "variance of k squared",
        MOMENTS,
        "dilation * dilation * (count * count - 1)",
        "dilation * dilation * count * count",
    ),
    Mutant("spread without dilation", MOMENTS, "step * step * dilation * dilation", "step * step"),
    Mutant("spread without strides", MOMENTS, "square = step * step * dilation", "square = dilation"),
    Mutant("mean of branches ignored", MOMENTS, "(v + apart * apart)", "v"),
    Mutant(
        "branches of a concatenation counted alike",
        MERGING,
        "return Shares(tuple(x[joined] for x in inputs), total(x[joined] for x in inputs))",
        "return Shares((1,) * len(inputs), len(inputs))",
    ),
    Mutant(
        "tensors freed before their last reader",
        MEMORY,
        "            last[tap] = number",
        "            last.setdefault(tap, number)",
    ),
    Mutant("outputs freed", MEMORY, "            if tap not in kept:", "            if True:"),
    Mutant(
        "inputs not in memory",
        MEMORY,
        "alive: Size = total(size for i in graph.inputs for size in made[i])",
        "alive: Size = 0",
    ),
]
