"""Norms of real weights: exact 2-norms of matrices, and upper bounds of the 2-norms of convolutions.

A convolution with zero padding is a submatrix of the circular convolution on a torus that is large
enough for no window to wrap around, and a circular convolution decomposes into a small matrix for each
frequency. With stride s the matrices of the s^2 aliasing frequencies are concatenated and divided by
the square root of their number. A coarser grid of frequencies is enough: the largest magnitude of a
trigonometric polynomial of degree d is at most 1/cos(pi d / N) times that on N > 2d points (Ehlich &
Zeller 1964). Bounds without frequencies: the square root of the number of taps times the least norm of
four reshapes of the kernel (Singla & Feizi 2021, arXiv 1911.10258), and the sum over taps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, cos, pi, prod, sqrt
from typing import Any, TypeVar

import numpy as np

from archcalc.analyses.gradient_bounds.weight_norms import Norms
from archcalc.arith import ceil_div, integer, integers
from archcalc.layers.operand import Constant
from archcalc.layers.primitives import Adapter, Convolve, LocallyConnected, Matrix, SlidingWindow

T = TypeVar("T")

Array = np.ndarray
# a factor above the rounding errors of an eigenvalue
SAFE = 1 + 1e-12
# multiplications for the frequencies of one layer, and the numbers of frequencies to try
BUDGET = 2e10
GRIDS = (64, 48, 32, 24, 16, 12, 8, 6)
# larger matrices are bounded by powers of their Gram matrix
EXACT = 96
SQUARINGS = 6
# larger matrices of locally connected layers are bounded by row and column sums
DENSE = 4_000_000


def largest_singular(matrices: Array) -> float:
    """An upper bound of the largest singular value of a stack of matrices; exact for small matrices."""
    if matrices.size == 0:
        return 0.0
    stack = matrices.reshape(-1, *matrices.shape[-2:])
    if stack.shape[-2] > stack.shape[-1]:
        stack = stack.swapaxes(-1, -2)
    scale = float(np.abs(stack).max())
    if scale == 0.0 or not np.isfinite(scale):
        return scale
    stack = stack / scale
    gram = stack @ stack.conj().swapaxes(-1, -2)
    if gram.shape[-1] <= EXACT or len(gram) == 1:
        most = float(np.linalg.eigvalsh(gram)[..., -1].max())
    else:
        most = _by_powers(gram)
    return scale * sqrt(max(most, 0.0)) * SAFE


def _by_powers(gram: Array) -> float:
    """A bound of the largest eigenvalue: the p-th root of the Frobenius norm of the p-th power."""
    logs = np.zeros(len(gram))
    for k in range(SQUARINGS):
        norm = np.sqrt((np.abs(gram) ** 2).sum(axis=(-1, -2)))
        norm[norm == 0.0] = 1.0
        logs += np.log(norm) / 2**k
        gram = gram / norm[:, None, None]
        gram = gram @ gram
    last = np.sqrt((np.abs(gram) ** 2).sum(axis=(-1, -2)))
    with np.errstate(divide="ignore"):
        return float(np.exp(logs + np.log(last) / 2**SQUARINGS).max())


def convolution(kernel: Array, windows: tuple[SlidingWindow, ...]) -> float:
    """An upper bound of the 2-norm of a convolution; the kernel is (groups, taps..., channels in, out)."""
    grid = _grid(kernel, windows)
    without_frequencies = _without_frequencies(kernel)
    if grid is None:
        return without_frequencies
    groups, *taps, _, _ = kernel.shape
    hat: Array = kernel.astype(complex)
    factor = 1.0
    for axis, (slide, n) in enumerate(zip(windows, grid, strict=True)):
        degree = _degree(slide)
        wrapped = n >= _torus(slide)
        factor *= 1.0 if wrapped or degree == 0 else 1 / cos(pi * degree / n)
        phases = np.exp(
            -2j * pi * np.outer(np.arange(n), integer(slide.dilation) * np.arange(taps[axis])) / n
        )
        hat = np.moveaxis(np.tensordot(phases, hat, axes=(1, axis + 1)), 0, axis + 1)
    # aliasing frequencies w + a N/s on one axis
    strides = integers(s.stride for s in windows)
    shape = [groups]
    for n, s in zip(grid, strides, strict=True):
        shape += [s, n // s]
    hat = hat.reshape(*shape, *hat.shape[-2:])
    rank = len(windows)
    order = [
        0,
        *(2 + 2 * a for a in range(rank)),
        *(1 + 2 * a for a in range(rank)),
        1 + 2 * rank,
        2 + 2 * rank,
    ]
    hat = hat.transpose(order)
    # the kernel is real: the frequencies w and -w have the same norm
    half = hat.shape[1] // 2 + 1
    hat = hat[:, :half]
    matrices = hat.reshape(-1, prod(strides) * hat.shape[-2], hat.shape[-1])
    return min(without_frequencies, factor * largest_singular(matrices) / sqrt(prod(strides)))


def _degree(slide: SlidingWindow) -> int:
    return ceil(integer(slide.dilation) * (integer(slide.kernel) - 1) / 2)


def _torus(slide: SlidingWindow) -> int:
    """The smallest multiple of the stride on which no window wraps around."""
    reach = slide.stride * (slide.positions - 1) + slide.dilation * (slide.kernel - 1) + 1
    longest = max(integers((slide.size + slide.pad_before, reach)))
    return integer(ceil_div(longest, slide.stride) * slide.stride)


def _grid(kernel: Array, windows: tuple[SlidingWindow, ...]) -> tuple[int, ...] | None:
    """The number of frequencies along each axis, as large as `BUDGET` permits; None if none is."""
    groups, *_, cin, cout = kernel.shape
    strides = integers(s.stride for s in windows)
    aliases = prod(strides)
    small = min(cin * aliases, cout)
    cost = cin * aliases * cout * small + (SQUARINGS * small**3 if small > EXACT else 25 * small**3)
    for limit in GRIDS:
        sizes = []
        for slide, stride in zip(windows, strides, strict=True):
            least = 2 * _degree(slide) + 1
            n = 1 if least == 1 else max(limit, least + 1)
            n = -(-n // stride) * stride
            sizes.append(min(n, _torus(slide)) if least > 1 else stride)
        frequencies = groups * prod(n // s for n, s in zip(sizes, strides, strict=True))
        if frequencies * cost * 2 <= BUDGET:
            return tuple(sizes)
    return None


def _without_frequencies(kernel: Array) -> float:
    """The least of the sum of the taps' norms and sqrt(number of taps) times the least norm of a reshape."""
    groups, *taps, cin, cout = kernel.shape
    by_taps = kernel.reshape(groups, -1, cin, cout)
    count = by_taps.shape[1]
    sum_of_taps = sum(largest_singular(by_taps[:, t]) for t in range(count))
    planar = kernel if len(taps) == 2 else by_taps[:, :, None]
    return min(sum_of_taps, sqrt(count) * min(_reshape_norms(planar)))


def _reshape_norms(kernel: Array) -> list[float]:
    """Norms of the kernel as matrices: both axes of taps with the inputs, with the outputs, one with each."""
    groups, a, b, cin, cout = kernel.shape
    with_inputs = largest_singular(kernel.reshape(groups, a * b * cin, cout))
    with_outputs = largest_singular(kernel.transpose(0, 3, 1, 2, 4).reshape(groups, cin, a * b * cout))
    if b == 1:
        return [with_inputs, with_outputs]
    rows = largest_singular(kernel.transpose(0, 1, 3, 2, 4).reshape(groups, a * cin, b * cout))
    columns = largest_singular(kernel.transpose(0, 2, 3, 1, 4).reshape(groups, b * cin, a * cout))
    return [with_inputs, with_outputs, rows, columns]


class ActualNorms(Norms):
    """Norms of the arrays of one layer, by weight name."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._cache: dict[Any, Any] = {}

    def array(self, weight: Any, adapter: Adapter | None = None) -> Array | None:
        """A weight in double precision, its adapter included; None if its values are unknown."""
        if isinstance(weight, Constant):
            array = np.asarray(weight.value, float)
            return array if array.shape == weight.shape else None
        value = self.values.get(weight)
        if value is None:
            return None
        array = np.asarray(value, float)
        a, b = self.values.get(f"lora_{weight}_a"), self.values.get(f"lora_{weight}_b")
        if adapter is not None and a is not None and b is not None:
            rank = integer(adapter.rank)
            alpha = rank if adapter.alpha is None else adapter.alpha
            array = array + alpha / rank * (np.asarray(a, float) @ np.asarray(b, float))
        return array

    def _cached(self, key: Any, compute: Callable[[], T]) -> T:
        if key not in self._cache:
            self._cache[key] = compute()
        result: T = self._cache[key]
        return result

    # -- linear primitives ---------------------------------------------------------------------------------
    def matrices(self, primitive: Matrix) -> Array | None:
        """The weight as matrices (shared, inputs, outputs)."""
        weight = self.array(primitive.weight, primitive.adapter)
        if weight is None:
            return None
        shape = weight.shape
        ordered = weight.transpose(*primitive.shared_axes, *primitive.input_axes, *primitive.output_axes)
        inputs, outputs = (
            prod(shape[a] for a in primitive.input_axes),
            prod(shape[a] for a in primitive.output_axes),
        )
        matrices = ordered.reshape(-1, inputs, outputs)
        return matrices.swapaxes(-1, -2) if primitive.transposed else matrices

    def kernel(self, primitive: Convolve) -> Array | None:
        """The kernel (groups, taps..., channels in, channels out) of the convolution along the windows."""
        weight = self.array(primitive.weight, primitive.adapter)
        if weight is None:
            return None
        if primitive.depthwise:
            return np.moveaxis(weight, -2, 0)[..., None, :]
        *taps, cin, cout = weight.shape
        groups = integer(primitive.groups)
        grouped = weight.reshape(*taps, cin, groups, cout // groups)
        return np.moveaxis(grouped, -2, 0)

    def local(self, primitive: LocallyConnected) -> Array | None:
        """The weight (positions, inputs of a window, filters) of implementation 1; None for others."""
        weight = self.array(primitive.weight)
        return weight if weight is not None and primitive.implementation == 1 else None

    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        return self._cached(("spectral", primitive), lambda: self._spectral(primitive))

    def _spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        if isinstance(primitive, Matrix):
            matrices = self.matrices(primitive)
        elif isinstance(primitive, Convolve):
            matrices = self.kernel(primitive)
            if matrices is not None:
                matrices = matrices.reshape(len(matrices), -1, matrices.shape[-1])
        else:
            matrices = self.local(primitive)
        if matrices is not None:
            return largest_singular(matrices)
        return self.operator(primitive) if isinstance(primitive, LocallyConnected) else None

    def operator(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        return self._cached(("operator", primitive), lambda: self._operator(primitive))

    def _operator(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        if isinstance(primitive, Convolve):
            kernel = self.kernel(primitive)
            return None if kernel is None else convolution(kernel, primitive.windows)
        if isinstance(primitive, LocallyConnected):
            matrix = local_matrix(self.array(primitive.weight), primitive)
            if matrix is None:
                return None
            if matrix.size <= DENSE:
                return largest_singular(matrix[None])
            return sqrt(float(np.abs(matrix).sum(0).max()) * float(np.abs(matrix).sum(1).max()))
        return None

    def reach(self, primitive: Matrix | Convolve | LocallyConnected) -> tuple[float, float] | None:
        return self._cached(("reach", primitive), lambda: self._reach(primitive))

    def _reach(self, primitive: Matrix | Convolve | LocallyConnected) -> tuple[float, float] | None:
        if isinstance(primitive, Matrix):
            matrices = self.matrices(primitive)
        elif isinstance(primitive, Convolve):
            matrices = self.kernel(primitive)
            if matrices is not None and primitive.transposed:
                matrices = matrices.swapaxes(-1, -2)
            if matrices is not None:
                matrices = matrices.reshape(len(matrices), -1, matrices.shape[-1])
        else:
            matrix = local_matrix(self.array(primitive.weight), primitive)
            matrices = None if matrix is None else matrix[None]
        if matrices is None or matrices.size == 0:
            return None
        bias = 0.0 if primitive.bias is None else self.largest(primitive.bias)
        return None if bias is None else (float(np.abs(matrices).sum(-2).max()), bias)

    def smallest_singular_value(self, primitive: Matrix | Convolve | LocallyConnected) -> float:
        if not isinstance(primitive, Matrix):
            return 0.0
        matrices = self.matrices(primitive)
        if matrices is None or matrices.shape[-1] > matrices.shape[-2]:
            return 0.0
        return float(np.linalg.svd(matrices, compute_uv=False)[..., -1].min()) * (1 - 1e-9)

    # -- elements -----------------------------------------------------------------------------------------
    def largest(self, weight: str) -> float | None:
        array = self.array(weight)
        return None if array is None or array.size == 0 else float(np.abs(array).max())

    def smallest(self, weight: str) -> float | None:
        array = self.array(weight)
        return None if array is None or array.size == 0 else float(np.abs(array).min())

    def normalised(self, gamma: str | None, variance: Any, epsilon: float) -> tuple[float, float] | None:
        variances = self.array(variance)
        gammas = np.ones(1) if gamma is None else self.array(gamma)
        if variances is None or gammas is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.abs(gammas) / np.sqrt(variances + epsilon)
        return (float(scale.min()), float(scale.max()) * SAFE) if np.isfinite(scale).all() else None


def local_matrix(weight: Array | None, primitive: LocallyConnected) -> Array | None:
    """A locally connected layer as one matrix (input units, output units), channels last.

    None if the weight is unknown, a size is symbolic, or the matrix is too large.
    """
    if weight is None or not all(
        type(n) is int for s in primitive.windows for n in (s.size, s.positions, s.kernel, s.stride)
    ):
        return None
    sides = integers(s.size for s in primitive.windows)
    positions = integers(s.positions for s in primitive.windows)
    filters = integer(primitive.filters)
    if primitive.implementation == 2:
        rank = len(sides)
        first = primitive.channel_axis == 0
        channels_last = weight
        if first:
            channels_last = np.moveaxis(np.moveaxis(weight, 0, rank), rank + 1, -1)
        mask = _connected(primitive)
        cin, cout = channels_last.shape[rank], channels_last.shape[-1]
        masked: Array = channels_last * mask.reshape(*sides, 1, *positions, 1)
        return masked.reshape(prod(sides) * cin, prod(positions) * cout)
    mask = _connected(primitive).reshape(prod(sides), prod(positions))
    count = int(mask.sum())
    if primitive.implementation == 1:
        cin = weight.shape[1] // prod(integers(s.kernel for s in primitive.windows))
    else:
        cin = weight.size // (count * filters)
    if prod(sides) * cin * prod(positions) * filters > 16 * DENSE:
        return None
    matrix = np.zeros((prod(sides), cin, prod(positions), filters))
    if primitive.implementation == 1:
        for p in range(prod(positions)):
            inside = np.flatnonzero(mask[:, p])
            taps = len(inside)
            block = (
                weight[p].reshape(taps, cin, -1)
                if primitive.channel_axis
                else weight[p].reshape(cin, taps, -1).swapaxes(0, 1)
            )
            matrix[inside, :, p, :] = block
    else:
        # weights in the order of pairs (output unit, input unit), which depends on the data format
        flat = iter(weight.ravel())
        outs = [(p, f) for p in range(prod(positions)) for f in range(filters)]
        if primitive.channel_axis == 0:
            outs = [(p, f) for f in range(filters) for p in range(prod(positions))]
        for p, f in outs:
            inside = np.flatnonzero(mask[:, p])
            ins = [(j, c) for j in inside for c in range(cin)]
            if primitive.channel_axis == 0:
                ins = [(j, c) for c in range(cin) for j in inside]
            for j, c in ins:
                matrix[j, c, p, f] = next(flat)
    return matrix.reshape(prod(sides) * cin, prod(positions) * filters)


def _connected(primitive: LocallyConnected) -> Array:
    """Whether an output position reads an input unit, as an array (sides..., positions...)."""
    mask = np.ones([1] * (2 * len(primitive.windows)), bool)
    rank = len(primitive.windows)
    for axis, s in enumerate(primitive.windows):
        n, m, k, stride, before = integers((s.size, s.positions, s.kernel, s.stride, s.pad_before))
        start = stride * np.arange(m)[None, :] - before
        unit = np.arange(n)[:, None]
        along_axis = (unit >= start) & (unit < start + k)
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = along_axis.shape
        mask = mask & along_axis.reshape(shape)
    return mask
