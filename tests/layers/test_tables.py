"""Tables of phases against real resizing and the definition of a transposed convolution."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.arith.symbolic import symbol
from archcalc.layers.interpolation import INTERPOLATIONS, phase_table, phases
from archcalc.layers.tables import fitting_stride, transposed_phases


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", sorted(INTERPOLATIONS))
def test_interpolation_weights_are_those_of_keras(kind: str, factor: int) -> None:
    n, middle = 24, 12
    impulses = np.eye(n, dtype="float32").reshape(n, n, 1, 1)
    resized = keras.ops.image.resize(impulses, (n * factor, 1), interpolation=kind)
    matrix = np.asarray(resized)[:, :, 0, 0].T  # output pixel, input pixel
    for r, taps in enumerate(phases(INTERPOLATIONS[kind], factor)):
        row = np.zeros(n)
        for offset, weight in taps:
            row[middle + offset] = weight
        # TensorFlow normalises Lanczos, and tabulates the cubic in steps of 1/1024
        assert np.allclose(row / row.sum(), matrix[middle * factor + r], atol=1e-3)
        assert all(weight != 0 for _, weight in taps)


@given(st.integers(1, 7), st.integers(1, 5), st.integers(1, 3), st.integers(0, 3), st.integers(1, 9))
def test_transposed_phases_are_what_reaches_a_unit(k: int, s: int, d: int, crop: int, q: int) -> None:
    table = transposed_phases(k, s, d, crop)
    assert table is not None
    for r, row in enumerate(table):
        unit = s * q + r
        reaching = [j for j in range(-40, 40) for t in range(k) if s * j + d * t - crop == unit]
        assert [q + o for o, _ in row] == sorted(reaching)
    assert transposed_phases(symbol("k"), s, d, crop) is None


def test_tables_too_long_to_be_worth_having_are_not_made() -> None:
    assert transposed_phases(3, 10**9, 1, 0) is None
    assert transposed_phases(10**9, 2, 1, 0) is None
    for kind in INTERPOLATIONS.values():
        assert phase_table(kind, 10**9) is None
        assert phase_table(kind, symbol("f")) is None
        assert phase_table(kind, 3) == phases(kind, 3)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 12))
def test_a_fitting_stride_is_the_only_one(n: int, s: int, k: int) -> None:
    for m in {-(-n // s), (n - k) // s + 1 if n >= k else -(-n // s)}:
        fitting = {c for c in range(1, n + 1) if -(-n // c) == m or (n >= k and (n - k) // c + 1 == m)}
        stride = fitting_stride(n, m, k)
        if n == m:
            assert stride == 1
        elif m == 1:
            assert stride == n  # with one window every stride is possible
        elif len(fitting) == 1:
            assert stride == fitting.pop()
        else:
            assert stride is None
