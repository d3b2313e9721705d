"""Compares each layer's gradient bound with the Jacobian of the real layer: not below it, nor far above.

For each type some cells of the contract's grid, each alone in a network, with random weights in float64. The
norm is the largest over a few inputs, so that a bound which is attained has a ratio of 1. `LOOSE` limits the
ratio of other types; types in `UNBOUNDED` have no bound for some arguments, and then state why.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np
import pytest

from archcalc.analyses import shapes
from archcalc.analyses.gradient_bounds.gradients import gradients
from archcalc.arith import scope
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.keras.build import Built, build
from archcalc.keras.jacobians import draw_weights, jacobian_norms, random_inputs, weights_by_name
from archcalc.layers.registry import registered
from tests import contract
from tests.contract import Cell
from tests.layers.test_operations import EVERY, read
from tests.networks import made
from tests.test_contract import REAL_TYPES, declared, tracked

INPUTS, TRIED, WANTED, LARGEST = 3, 30, 4, 500
# windows that overlap, products of parts, normalisations (whose largest slope needs a nearly constant input),
# recurrences, and functions of several units
LOOSE = {
    **dict.fromkeys(["AdaptiveAveragePooling2D", "AdaptiveMaxPooling2D", "AveragePooling2D"], 1.6),
    **dict.fromkeys(
        ["AveragePooling1D", "Minimum", "Maximum", "LocallyConnected1D", "LocallyConnected2D"], 1.2
    ),
    **dict.fromkeys(["DepthwiseConv1D", "Normalization"], 1.5),
    # a softmax follows: its slope is 1/2 where two of its units are equal and the others small
    **dict.fromkeys(["Conv1D", "Conv2D", "Conv3D"], 3.0),
    **dict.fromkeys(["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"], 3.0),
    **dict.fromkeys(["SpectralNormalization", "TimeDistributed"], 1.1),
    **dict.fromkeys(
        ["DepthwiseConv2D", "Softmax", "Multiply", "LayerScale", "UpSampling2D", "UpSampling3D"], 2.3
    ),
    "Resizing": 4.0,  # what is cut away counts in the bound
    **dict.fromkeys(["SeparableConv1D", "SeparableConv2D"], 4.5),
    **dict.fromkeys(["GroupNormalization", "RMSNormalization"], 25.0),
    "LayerNormalization": 100.0,
    **dict.fromkeys(["SimpleRNN", "SimpleRNNCell"], 8.0),
    **dict.fromkeys(["LSTMCell", "GRUCell", "StackedRNNCells"], 300.0),
    "STFTSpectrogram": 200.0,
    # products of several steps, and slopes at inputs that are nearly zero
    **dict.fromkeys(["LSTM", "GRU", "RNN", "Bidirectional", "Dot", "UnitNormalization"], math.inf),
    **dict.fromkeys(["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"], math.inf),
}
UNBOUNDED = {
    *("AdditiveAttention", "Attention", "MultiHeadAttention", "GroupQueryAttention", "AutoContrast"),
    *("Resizing", "STFTSpectrogram"),
}
# no float64 kernels, no gradient by design, nothing that runs alone; an equation with an open shape
LEFT_OUT = {
    *("InputLayer", "AdaptiveAveragePooling3D", "AdaptiveMaxPooling3D", "AveragePooling3D"),
    *("MaxPooling3D", "HashedCrossing", "RandomCrop", "EinsumDense"),
}


pytestmark = pytest.mark.usefixtures("double_precision")


def alone(kind: str, cell: Cell) -> Graph:
    """The layer with inputs of its own."""
    types = registered()
    nodes: list[Any] = [(f"x{i}", types["InputLayer"](shape=s), ()) for i, s in enumerate(cell.inputs)]
    layer = declared(types[kind], cell.arguments)
    return Graph.of("alone", [*nodes, ("y", layer, [n for n, *_ in nodes])], ["y"])


def grid(kind: str) -> Iterator[Cell]:
    cls = registered()[kind]
    values = {a: v for a in tracked(cls) if (v := contract.candidates(cls, a)) is not None}
    yield from islice(contract.cells(cls, values), TRIED)


def measured(graph: Graph) -> tuple[Built, list[list[float | None]]]:
    """The network with its weights, and the norms of the Jacobians of each row for several inputs.

    Raises
    ------
        ArchcalcError: for what archcalc refuses; other errors for what Keras refuses.
    """
    with scope():
        shapes.infer(graph)
    built = build(graph)
    draw_weights(built, 0)
    return built, [jacobian_norms(built, random_inputs(built, s), largest=LARGEST) for s in range(INPUTS)]


def compared(
    graph: Graph, built: Built, norms: list[list[float | None]]
) -> Iterator[tuple[float, str | None]]:
    """For each input the ratio of bound and largest norm, infinite without a bound, and why."""
    values = weights_by_name(built)
    with scope():
        known = shapes.infer(graph)
        arguments: Any = {"weights": "actual", "values": values, "input_range": (-1.0, 1.0)}
        rows = gradients(graph, known, tier="tight", **arguments).rows
        centred = gradients(graph, known, tier="centred", **arguments).rows
    for row, nearer, *row_norms in zip(rows[:-1], centred[:-1], *(n[:-1] for n in norms), strict=True):
        largest = max(n or 0.0 for n in row_norms)
        if not nearer.unbounded and nearer.upper_log10 is not None:
            assert largest <= 10.0**nearer.upper_log10 * (1 + 1e-6)
            assert row.unbounded or nearer.upper_log10 <= row.upper_log10 + 1e-9
        if row.unbounded:
            yield math.inf, row.cause
        elif row.upper_log10 is None:
            assert largest == 0.0
        elif largest > 0:
            yield 10.0**row.upper_log10 / largest, None


# functions of keras.ops: of one unit on [-1, 1], where their slope may not reach its largest; reductions
# and products of several units
LOOSE_OPERATIONS = {
    **dict.fromkeys(["arcsinh", "arctan", "erf", "erfc", "sigmoid", "sin", "sinc", "tanh", "square"], 1.01),
    **dict.fromkeys(["cos", "exp", "exp2", "expm1", "gelu", "selu", "silu", "softsign", "sparse_plus"], 1.25),
    **dict.fromkeys(
        ["log_sigmoid", "softplus", "squareplus", "softmax", "logaddexp", "hypot", "multiply"], 1.5
    ),
    **dict.fromkeys(["median", "concatenate", "var", "pad", "average_pool", "depthwise_conv"], 1.6),
    **dict.fromkeys(["conv", "image.rgb_to_grayscale"], 1.2),
    **dict.fromkeys(["hard_silu", "sinh", "tanh_shrink", "split", "unstack", "matmul", "einsum", "dot"], 2.0),
    **dict.fromkeys(["tensordot", "sparsemax"], 2.6),
    "celu": 2.0,  # where its input is 0
    **dict.fromkeys(["cosh", "logsumexp", "log_softmax", "image.resize"], 4.2),
    **dict.fromkeys(["layer_normalization", "rms_normalization"], 2e3),
    "normalize": 1e8,
}
UNBOUNDED_OPERATIONS = {
    *("arccos", "arcsin", "arctanh", "cbrt", "erfinv", "log", "log10", "log1p", "log2", "reciprocal", "tan"),
    *("arctan2", "divide", "divide_no_nan", "fmod", "mod", "true_divide", "power", "prod", "norm", "cumprod"),
    *("arccosh", "sqrt", "rsqrt", "logaddexp2", "std", "image.extract_patches"),
    *("fft", "fft2", "ifft2", "moments"),  # of several outputs
}


@pytest.mark.parametrize("case", EVERY, ids=[str(i) for i in range(len(EVERY))])
def test_bounds_of_operations_are_attained_or_nearly(case: Any) -> None:
    graph = read(case)
    name = type(graph.nodes[-1].layer).__name__.removeprefix("ops.")
    keras.utils.clear_session(free_memory=False)
    try:
        ran = measured(graph)
    except np.linalg.LinAlgError:
        pytest.skip("outside of where the function is defined")
    except ArchcalcError as refused:
        pytest.skip(str(refused))
    for ratio, cause in compared(graph, *ran):
        assert ratio >= 1 - 1e-6
        if cause is None:
            assert ratio <= LOOSE_OPERATIONS.get(name, 1.0) * (1 + 1e-6)
        else:
            assert name in UNBOUNDED_OPERATIONS, cause


@pytest.mark.parametrize("kind", sorted(set(REAL_TYPES) - LEFT_OUT))
def test_bounds_are_attained_or_nearly(kind: str) -> None:
    ran, limit = 0, LOOSE.get(kind, 1.0)
    for cell in grid(kind):
        keras.utils.clear_session(free_memory=False)
        try:
            graph = alone(kind, cell)
            built, norms = measured(graph)
        except (ArchcalcError, ValueError, TypeError, NotImplementedError, LookupError):
            continue  # what the contract's grid refuses, or TensorFlow has no gradient for
        except Exception as fault:
            if type(fault).__module__.startswith("tensorflow"):
                continue
            raise
        ran += 1
        for ratio, cause in compared(graph, built, norms):
            assert ratio >= 1 - 1e-6, cell
            if cause is None:
                assert ratio <= limit * (1 + 1e-6), cell
            else:
                assert kind in UNBOUNDED, (cell, cause)
                assert cause.startswith("y: "), cause
        if ran == WANTED:
            break
    assert ran > 0


@pytest.mark.parametrize(
    "cells",
    [("SimpleRNNCell", "SimpleRNNCell"), ("SimpleRNNCell", "LSTMCell"), ("GRUCell", "SimpleRNNCell")],
)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("initial", [False, True])
def test_stacked_cells_are_bounded_one_after_the_other(
    cells: tuple[str, ...], sequences: bool, states: bool, initial: bool
) -> None:
    if initial and "LSTMCell" in cells:
        pytest.skip("Keras hands an LSTMCell among them one state where it needs two")
    stacked = {"type": "StackedRNNCells", "cells": [{"type": c, "units": 3} for c in cells]}
    layer = made("RNN", cell=stacked, return_sequences=sequences, return_state=states)
    inputs = [(4, 2), *[(3,)] * len(cells)][: 1 + initial * len(cells)]
    nodes: list[Any] = [(f"x{i}", made("InputLayer", shape=s), []) for i, s in enumerate(inputs)]
    graph = Graph.of("stacked", [*nodes, ("y", layer, [n for n, *_ in nodes])], ["y"])
    for ratio, _ in compared(graph, *measured(graph)):
        assert 1 - 1e-6 <= ratio < math.inf


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("SimpleRNN", {"units": 3}),
        ("SimpleRNN", {"units": 3, "return_sequences": True}),
        ("GRU", {"units": 3, "return_sequences": True}),
        ("LSTM", {"units": 3, "return_sequences": True, "return_state": True}),
        ("Bidirectional", {"layer": made("LSTM", units=3)}),
        ("GlobalAveragePooling1D", {}),
    ],
)
def test_hidden_steps_are_kept_in_view(kind: str, arguments: dict[str, Any]) -> None:
    """A masked step repeats the step before, and leaves fewer steps to a mean."""
    nodes = [("x", made("InputLayer", shape=(9, 4)), []), ("mask", made("Masking"), ["x"])]
    graph = Graph.of("hidden", [*nodes, ("y", made(kind, **arguments), ["mask"])], ["y"])
    built = build(graph)
    draw_weights(built, 3)
    for variable in built.layers[
        -1
    ].weights:  # small ones: what a step passes on is small against a repetition
        variable.assign(variable * (0.001 if variable.name == "recurrent_kernel" else 0.1))
    for seed in range(8):
        (x,) = random_inputs(built, seed)
        hidden = np.random.default_rng(seed).random(9) < 0.9
        hidden[seed] = False
        norms = jacobian_norms(built, [np.where(hidden[None, :, None], 0.0, x)])
        (ratio, _) = next(compared(graph, built, [norms]))
        assert ratio >= 1 - 1e-6


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cap", [None, 2.0])
def test_scores_of_a_table_are_a_matrix(tied: bool, cap: float | None) -> None:
    """The argument belongs to the call, so the contract's grid does not have it."""
    arguments = {"input_dim": 7, "output_dim": 3, "tie_weights": tied, "logit_soft_cap": cap}
    nodes: list[Any] = [("x", made("InputLayer", shape=(2, 3)), [])]
    graph = Graph.of(
        "scores", [*nodes, ("y", made("ReversibleEmbedding", reverse=True, **arguments), ["x"])], ["y"]
    )
    ((ratio, _),) = compared(graph, *measured(graph))
    assert 1 - 1e-6 <= ratio <= (1.0 if cap is None else 1.5) * (1 + 1e-6)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_table_hides_steps_where_it_is_told_to(hidden: bool) -> None:
    table = made("Embedding", input_dim=7, output_dim=3, mask_zero=hidden)
    nodes = [("x", made("InputLayer", shape=(9,)), []), ("table", table, ["x"])]
    graph = Graph.of("hidden", [*nodes, ("y", made("GlobalAveragePooling1D"), ["table"])], ["y"])
    with scope():
        row = gradients(graph, shapes.infer(graph), weights="symbolic").rows[1]
    assert row.upper_log10 == pytest.approx(0.0 if hidden else -math.log10(3))
