"""Norms of real weights: exact 2-norms of matrices, and upper bounds of the 2-norms of convolutions.

A convolution with zero padding is a part of the same one on a torus that is large enough for
nothing to wrap around; on a torus it falls apart into one small matrix for each frequency. With
stride s the s^2 frequencies that alias stand side by side, divided by the root of their number. A
coarser grid of frequencies is enough: the largest magnitude of a trigonometric polynomial of
degree d is at most 1/cos(pi d / N) times that on N > 2d points (Ehlich & Zeller 1964). Cheap
bounds: the kernel as a matrix times the root of the cover; the root of the number of taps times
the least of its reshapings (Singla & Feizi 2021, arXiv 1911.10258); the sum over taps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, cos, pi, prod, sqrt
from typing import Any, TypeVar

import numpy as np

from archcalc.analyses.gradient_bounds.weight_norms import Norms
from archcalc.layers.operand import Constant
from archcalc.layers.primitives import Adapter, Convolve, LocallyConnected, Matrix, SlidingWindow

T = TypeVar("T")

Array = np.ndarray
# relative: above the rounding of an eigenvalue
SAFE = 1 + 1e-12
# multiplications that one layer's frequencies may take; grids tried, finest first
BUDGET = 2e10
GRIDS = (64, 48, 32, 24, 16, 12, 8, 6)
# larger matrices are bounded by powers of their Gram matrix
EXACT = 96
SQUARINGS = 6
# a locally connected layer of more elements is bounded by its positions alone
DENSE = 4_000_000


def largest_singular(matrices: Array) -> float:
    """An upper bound of the largest singular value in a stack of matrices; exact if they are small."""
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
    """The largest eigenvalue is at most the Frobenius norm of a power, to the inverse power."""
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
    cheap = _cheap(kernel)
    if grid is None:
        return cheap
    groups, *taps, _, _ = kernel.shape
    hat: Array = kernel.astype(complex)
    factor = 1.0
    for axis, (slide, n) in enumerate(zip(windows, grid, strict=True)):
        degree = _degree(slide)
        wrapped = n >= _torus(slide)
        factor *= 1.0 if wrapped or degree == 0 else 1 / cos(pi * degree / n)
        phases = np.exp(-2j * pi * np.outer(np.arange(n), slide.dilation * np.arange(taps[axis])) / n)
        hat = np.moveaxis(np.tensordot(phases, hat, axes=(1, axis + 1)), 0, axis + 1)
    # aliases side by side: frequency w + a N/s
    strides = [s.stride for s in windows]
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
    # real kernels: a frequency and its mirror image have the same norm
    half = hat.shape[1] // 2 + 1
    hat = hat[:, :half]
    matrices = hat.reshape(-1, prod(strides) * hat.shape[-2], hat.shape[-1])
    return min(cheap, factor * largest_singular(matrices) / sqrt(prod(strides)))


def _degree(slide: SlidingWindow) -> int:
    return ceil(int(slide.dilation) * (int(slide.kernel) - 1) / 2)


def _torus(slide: SlidingWindow) -> int:
    """The least size on which no window wraps around, a multiple of the stride."""
    last = slide.stride * (slide.positions - 1) + slide.dilation * (slide.kernel - 1) - slide.before
    return int(-(-(max(slide.size, last + 1) + slide.before) // slide.stride) * slide.stride)


def _grid(kernel: Array, windows: tuple[SlidingWindow, ...]) -> tuple[int, ...] | None:
    """Frequencies along each axis: as many as the budget admits."""
    groups, *_, cin, cout = kernel.shape
    aliases = prod(s.stride for s in windows)
    small = min(cin * aliases, cout)
    each = cin * aliases * cout * small + (SQUARINGS * small**3 if small > EXACT else 25 * small**3)
    for limit in GRIDS:
        sizes = []
        for slide in windows:
            least = 2 * _degree(slide) + 1
            n = 1 if least == 1 else max(limit, least + 1)
            n = -(-n // slide.stride) * slide.stride
            sizes.append(min(n, _torus(slide)) if least > 1 else slide.stride)
        frequencies = groups * prod(n // s.stride for n, s in zip(sizes, windows, strict=True))
        if frequencies * each * 2 <= BUDGET:
            return tuple(sizes)
    return None


def _cheap(kernel: Array) -> float:
    """Bounds without frequencies: the sum over taps, and the root of their number times a reshaping."""
    groups, *taps, cin, cout = kernel.shape
    by_taps = kernel.reshape(groups, -1, cin, cout)
    count = by_taps.shape[1]
    tap_norms = sum(largest_singular(by_taps[:, t]) for t in range(count))
    planar = kernel if len(taps) == 2 else by_taps[:, :, None]
    return min(tap_norms, sqrt(count) * min(_reshapings(planar)))


def _reshapings(kernel: Array) -> list[float]:
    """Norms of the kernel as matrices: taps with the inputs, with the outputs, one axis with each."""
    groups, a, b, cin, cout = kernel.shape
    together = largest_singular(kernel.reshape(groups, a * b * cin, cout))
    apart = largest_singular(kernel.transpose(0, 3, 1, 2, 4).reshape(groups, cin, a * b * cout))
    if b == 1:
        return [together, apart]
    rows = largest_singular(kernel.transpose(0, 1, 3, 2, 4).reshape(groups, a * cin, b * cout))
    columns = largest_singular(kernel.transpose(0, 2, 3, 1, 4).reshape(groups, b * cin, a * cout))
    return [together, apart, rows, columns]


class Actual(Norms):
    """Norms of the arrays of one layer, by weight name."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._known: dict[Any, Any] = {}

    def array(self, weight: Any, adapter: Adapter | None = None) -> Array | None:
        """A weight in double precision, with its adapter."""
        if isinstance(weight, Constant):
            found = np.asarray(weight.value, float)
            return found if found.shape == weight.shape else None
        value = self.values.get(weight)
        if value is None:
            return None
        found = np.asarray(value, float)
        a, b = self.values.get(f"lora_{weight}_a"), self.values.get(f"lora_{weight}_b")
        if adapter is not None and a is not None and b is not None:
            alpha = adapter.rank if adapter.alpha is None else adapter.alpha
            found = found + alpha / adapter.rank * (np.asarray(a, float) @ np.asarray(b, float))
        return found

    def _remembered(self, key: Any, compute: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = compute()
        found: T = self._known[key]
        return found

    # -- linear primitives ---------------------------------------------------------------------------------
    def matrices(self, primitive: Matrix) -> Array | None:
        """(shared, inputs, outputs)."""
        found = self.array(primitive.weight, primitive.adapter)
        if found is None:
            return None
        shape = found.shape
        turned = found.transpose(*primitive.shared, *primitive.inputs, *primitive.outputs)
        inputs, outputs = prod(shape[a] for a in primitive.inputs), prod(shape[a] for a in primitive.outputs)
        turned = turned.reshape(-1, inputs, outputs)
        return turned.swapaxes(-1, -2) if primitive.transposed else turned

    def kernel(self, primitive: Convolve) -> Array | None:
        """(groups, taps..., channels in, channels out) of the convolution that the windows describe."""
        found = self.array(primitive.weight, primitive.adapter)
        if found is None:
            return None
        if primitive.depthwise:
            return np.moveaxis(found, -2, 0)[..., None, :]
        *taps, cin, cout = found.shape
        grouped = found.reshape(*taps, cin, primitive.groups, cout // primitive.groups)
        return np.moveaxis(grouped, -2, 0)

    def local(self, primitive: LocallyConnected) -> Array | None:
        """(positions, inputs of a place, filters) where it is stored so, else None."""
        found = self.array(primitive.weight)
        return found if found is not None and primitive.implementation == 1 else None

    def spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        return self._remembered(("spectral", primitive), lambda: self._spectral(primitive))

    def _spectral(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        if isinstance(primitive, Matrix):
            found = self.matrices(primitive)
        elif isinstance(primitive, Convolve):
            found = self.kernel(primitive)
            if found is not None:
                found = found.reshape(len(found), -1, found.shape[-1])
        else:
            found = self.local(primitive)
        if found is not None:
            return largest_singular(found)
        return self.operator(primitive) if isinstance(primitive, LocallyConnected) else None

    def operator(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        return self._remembered(("operator", primitive), lambda: self._operator(primitive))

    def _operator(self, primitive: Matrix | Convolve | LocallyConnected) -> float | None:
        if isinstance(primitive, Convolve):
            kernel = self.kernel(primitive)
            return None if kernel is None else convolution(kernel, primitive.windows)
        if isinstance(primitive, LocallyConnected):
            found = local_matrix(self.array(primitive.weight), primitive)
            if found is None:
                return None
            if found.size <= DENSE:
                return largest_singular(found[None])
            return sqrt(float(np.abs(found).sum(0).max()) * float(np.abs(found).sum(1).max()))
        return None

    def reach(self, primitive: Matrix | Convolve | LocallyConnected) -> tuple[float, float] | None:
        return self._remembered(("reach", primitive), lambda: self._reach(primitive))

    def _reach(self, primitive: Matrix | Convolve | LocallyConnected) -> tuple[float, float] | None:
        if isinstance(primitive, Matrix):
            found = self.matrices(primitive)
        elif isinstance(primitive, Convolve):
            found = self.kernel(primitive)
            if found is not None and primitive.transposed:
                found = found.swapaxes(-1, -2)
            if found is not None:
                found = found.reshape(len(found), -1, found.shape[-1])
        else:
            found = local_matrix(self.array(primitive.weight), primitive)
            found = None if found is None else found[None]
        if found is None or found.size == 0:
            return None
        bias = 0.0 if primitive.bias is None else self.largest(primitive.bias)
        return None if bias is None else (float(np.abs(found).sum(-2).max()), bias)

    def smallest_singular_value(self, primitive: Matrix | Convolve | LocallyConnected) -> float:
        if not isinstance(primitive, Matrix):
            return 0.0
        found = self.matrices(primitive)
        if found is None or found.shape[-1] > found.shape[-2]:
            return 0.0
        return float(np.linalg.svd(found, compute_uv=False)[..., -1].min()) * (1 - 1e-9)

    # -- elements -----------------------------------------------------------------------------------------
    def largest(self, weight: str) -> float | None:
        found = self.array(weight)
        return None if found is None or found.size == 0 else float(np.abs(found).max())

    def smallest(self, weight: str) -> float | None:
        found = self.array(weight)
        return None if found is None or found.size == 0 else float(np.abs(found).min())

    def normalised(self, gamma: str | None, variance: Any, epsilon: float) -> tuple[float, float] | None:
        spread = self.array(variance)
        top = np.ones(1) if gamma is None else self.array(gamma)
        if spread is None or top is None:
            return None
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.abs(top) / np.sqrt(spread + epsilon)
        return (float(scale.min()), float(scale.max()) * SAFE) if np.isfinite(scale).all() else None


def local_matrix(weight: Array | None, primitive: LocallyConnected) -> Array | None:
    """A locally connected layer as one matrix (units in, units out), channels last."""
    if weight is None or not all(
        type(n) is int for s in primitive.windows for n in (s.size, s.positions, s.kernel, s.stride)
    ):
        return None
    sides = [s.size for s in primitive.windows]
    positions = [s.positions for s in primitive.windows]
    if primitive.implementation == 2:
        rank = len(sides)
        first = primitive.channel_axis == 0
        back = weight
        if first:
            back = np.moveaxis(np.moveaxis(weight, 0, rank), rank + 1, -1)
        mask = _connected(primitive)
        cin, cout = back.shape[rank], back.shape[-1]
        masked: Array = back * mask.reshape(*sides, 1, *positions, 1)
        return masked.reshape(prod(sides) * cin, prod(positions) * cout)
    mask = _connected(primitive).reshape(prod(sides), prod(positions))
    count = int(mask.sum())
    if primitive.implementation == 1:
        cin = weight.shape[1] // prod(s.kernel for s in primitive.windows)
    else:
        cin = weight.size // (count * primitive.filters)
    if prod(sides) * cin * prod(positions) * primitive.filters > 16 * DENSE:
        return None
    made = np.zeros((prod(sides), cin, prod(positions), primitive.filters))
    if primitive.implementation == 1:
        for p in range(prod(positions)):
            inside = np.flatnonzero(mask[:, p])
            taps = len(inside)
            block = (
                weight[p].reshape(taps, cin, -1)
                if primitive.channel_axis
                else weight[p].reshape(cin, taps, -1).swapaxes(0, 1)
            )
            made[inside, :, p, :] = block
    else:
        # sorted pairs of (unit out, unit in), which order differs between the two layouts
        flat = iter(weight.ravel())
        outs = [(p, f) for p in range(prod(positions)) for f in range(primitive.filters)]
        if primitive.channel_axis == 0:
            outs = [(p, f) for f in range(primitive.filters) for p in range(prod(positions))]
        for p, f in outs:
            inside = np.flatnonzero(mask[:, p])
            ins = [(j, c) for j in inside for c in range(cin)]
            if primitive.channel_axis == 0:
                ins = [(j, c) for c in range(cin) for j in inside]
            for j, c in ins:
                made[j, c, p, f] = next(flat)
    return made.reshape(prod(sides) * cin, prod(positions) * primitive.filters)


def _connected(primitive: LocallyConnected) -> Array:
    """Which unit each position reads: (sides..., positions...)."""
    made = np.ones([1] * (2 * len(primitive.windows)), bool)
    rank = len(primitive.windows)
    for axis, s in enumerate(primitive.windows):
        start = s.stride * np.arange(s.positions)[None, :] - s.before
        unit = np.arange(s.size)[:, None]
        one = (unit >= start) & (unit < start + s.kernel)
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = one.shape
        made = made & one.reshape(shape)
    return made
