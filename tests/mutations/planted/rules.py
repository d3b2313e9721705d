"""Mistakes in sizes, weights and work."""

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
CORE = "archcalc/layers/core.py"
PARAMETERS = "archcalc/analyses/parameters.py"

_GROUPED = """        kernel = (*self.kernel_size, self.group_channels(x), self.filters)"""
_DENSE_KERNEL = """Weight("kernel", (x[-1], self.units), initializer=self.kernel_initializer),
            *bias_weight(self.use_bias, (self.units,), self.bias_initializer)"""
_LORA = "        main._replace(trainable=False),\n"

RULES = [
    # sizes
    Mutant("same counted as valid", SPATIAL, 'if padding != "valid":', 'if padding == "causal":'),
    Mutant("valid counted as same", SPATIAL, 'if padding != "valid":', "if True:"),
    Mutant("dilation ignored", SPATIAL, "    return d * (k - 1) + 1", "    return k"),
    Mutant("dilation times kernel", SPATIAL, "    return d * (k - 1) + 1", "    return d * k"),
    Mutant("size off by one", SPATIAL, "floor_div(n - ke, s) + 1", "floor_div(n - ke, s)"),
    Mutant("ceiling where the floor stands", SPATIAL, "floor_div(n - ke, s) + 1", "ceil_div(n - ke, s) + 1"),
    Mutant("floor where the ceiling stands", SPATIAL, "return ceil_div(n, s)", "return floor_div(n, s)"),
    Mutant("ceiling off by one", "archcalc/arith/sizes.py", "return (a + b - 1) // b", "return (a + b) // b"),
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
        "transposed kernel with swapped channels",
        TRANSPOSED,
        "kernel = (*self.kernel_size, self.filters, self.channels(x))",
        "kernel = (*self.kernel_size, self.channels(x), self.filters)",
    ),
    Mutant(
        "locally connected weights as a convolution's",
        LOCAL,
        "return (positions, prod(self.kernel_size) * self.channels(x), self.filters)",
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
        "shape = (x[axis_index(self, self.axis, len(x))],)\n        mean, variance",
        "shape = (x[-1],)\n        mean, variance",
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
        "            by_node.append(())\n",
        "            by_node.append(of_layer)\n",
    ),
    Mutant(
        "trainable=False ignored",
        PARAMETERS,
        "node.shared_with is None and layer.trainable and not layer.trained",
        "node.shared_with is None",
    ),
    Mutant(
        "frozen weights among the trained",
        PARAMETERS,
        "total(compress(sizes, trained))",
        "total(sizes)",
    ),
    # work
    Mutant(
        "multiply-adds with all channels of groups",
        CONVOLUTION,
        "prod(self.kernel_size) * self.group_channels(x) * prod(self.output_shape(x))",
        "prod(self.kernel_size) * self.channels(x) * prod(self.output_shape(x))",
    ),
    Mutant(
        "multiply-adds at every input position",
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
        "dense multiply-adds of one position",
        CORE,
        "return prod(x) * self.units",
        "return x[-1] * self.units",
    ),
]
