"""Mistakes in operations of `keras.ops`."""

from __future__ import annotations

from tests.mutations.mutants import Mutant

CONTRACTION = "archcalc/layers/operations/contraction.py"
ELEMENTWISE = "archcalc/layers/operations/elementwise.py"
IMAGES = "archcalc/layers/operations/images.py"
INDEXING = "archcalc/layers/operations/indexing.py"
REDUCTION = "archcalc/layers/operations/reduction.py"
MOVING = "archcalc/layers/operations/reshaping.py"
WINDOWED = "archcalc/layers/operations/windowed.py"

_KEPT = "            return tuple(1 if a in reduced else n for a, n in enumerate(x))\n"

OPERATIONS = [
    Mutant(
        "shape of the last operand", ELEMENTWISE, "out = x if out is None else self._meet(out, x)", "out = x"
    ),
    Mutant(
        "a constant never stretches",
        ELEMENTWISE,
        "out = self._meet(out, self._constant_shape(x, len(out)))",
        "pass",
    ),
    Mutant(
        "stretched axes read position by position",
        ELEMENTWISE,
        "aligned(n, out[axis], axis)",
        "aligned(out[axis], out[axis], axis)",
    ),
    Mutant("keepdims ignored", REDUCTION, _KEPT, "            pass\n"),
    Mutant(
        "a reduction reads one unit",
        REDUCTION,
        "self.read if a in reduced else",
        "Taps(0) if a in reduced else",
    ),
    Mutant("a running sum reads all", REDUCTION, "Prefix(a) if a in running", "Whole() if a in running"),
    Mutant(
        "a softmax unit by unit",
        REDUCTION,
        "            window = whole_along(window, axis)\n",
        "            pass\n",
    ),
    Mutant(
        "a product without the summed axis",
        CONTRACTION,
        "prod(n for n in sizes.values() if n is not BATCH)",
        "prod(self.output_shape(*inputs))",
    ),
    Mutant("a product reads one column", CONTRACTION, "output.count(label) != 1", "output.count(label) > 1"),
    Mutant("matrices multiplied the other way", CONTRACTION, 'outer + "XZ"', 'outer + "ZX"'),
    Mutant(
        "the step of a slice ignored",
        INDEXING,
        "return start, ceil_div(stop - start, step)",
        "return start, stop - start",
    ),
    Mutant(
        "the start of a slice ignored",
        INDEXING,
        "1 if part.step is None else part.step, start)",
        "1 if part.step is None else part.step, 0)",
    ),
    Mutant(
        "a negative end from the front",
        INDEXING,
        "return largest(n + end, 0) if end < 0 else",
        "return smallest(-end, n) if end < 0 else",
    ),
    Mutant(
        "a single index keeps its axis",
        INDEXING,
        "(len(self.indices),) if several else ()",
        "(len(self.indices),) if several else (1,)",
    ),
    Mutant(
        "transposed axes read as they stand",
        MOVING,
        "return (tuple(Taps(order.index(a)) for a in range(len(x))),)",
        "return (tuple(Taps(a) for a in range(len(x))),)",
    ),
    Mutant(
        "a flip that does nothing", MOVING, "Taps(a, -1, n - 1) if a in flipped", "Taps(a) if a in flipped"
    ),
    Mutant("repeated units as tiles", MOVING, "Blocks(axis, self.repeats, 1)", "Taps(axis)"),
    Mutant(
        "stacked tensors joined",
        MOVING,
        "return (*first[:position], len(inputs), *first[position:])",
        "return (*first[:-1], len(inputs) * first[-1])",
    ),
    Mutant(
        "equal parts as indices",
        MOVING,
        "lengths: tuple[Size, ...] = (part,) * cut",
        "lengths: tuple[Size, ...] = (cut, x[axis] - cut)",
    ),
    Mutant(
        "padding after forgotten",
        MOVING,
        "tuple(n + before + after for n, (before, after) in",
        "tuple(n + before for n, (before, after) in",
    ),
    Mutant("padding does not move", MOVING, "return Taps(axis, 1, -before)", "return Taps(axis)"),
    Mutant(
        "strides of a pool forgotten",
        WINDOWED,
        "pool_size=self.pool_size, strides=self.strides,",
        "pool_size=self.pool_size, strides=1,",
    ),
    Mutant("padding of a convolution forgotten", WINDOWED, '"padding": self.padding', '"padding": "valid"'),
    Mutant(
        "interpolation reads one pixel",
        "archcalc/layers/resizing.py",
        "UpSampling2D(interpolation=self.interpolation)",
        "UpSampling2D()",
    ),
]
