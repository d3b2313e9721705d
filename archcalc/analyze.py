"""`analyze`, the main function: it checks the options and returns the report of a network."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from archcalc import arith
from archcalc.analyses.memory.precision import OPTIMIZERS, PRECISIONS
from archcalc.conventions import NAMES as CONVENTIONS
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.report.columns import Figures, Options
from archcalc.report.fit import bytes_of
from archcalc.report.report import Report


def analyze(
    graph: Graph,
    symbols: Mapping[str, int] | None = None,
    *,
    batch: int = 1,
    dtype: str = "float32",
    optimizer: str = "adam",
    memory: str | int | None = None,
    convention: str = "archcalc",
    clipped: bool = False,
    gradients: bool = False,
    weights: str | Mapping[str, Mapping[str, Any]] = "expected",
    tier: str | None = None,
    training: bool = False,
    input_range: tuple[float, float] | None = None,
    loss: str | None = None,
) -> Report:
    """The report of a network: shapes, parameters, work, memory, receptive fields, gradient bounds.

    Parameters
    ----------
    graph
        The network, from `archcalc.load` or `archcalc.from_keras`.
    symbols
        Values of symbols, instead of those they have; None opens one. Figures are closed forms in the
        open ones.
    batch
        The number of samples for memory figures; MACs and FLOPs are always per sample.
    dtype
        A Keras dtype policy: `float32`, `float16`, `bfloat16`, `float64`, `mixed_float16`,
        `mixed_bfloat16`.
    optimizer
        The optimizer whose state counts in training memory, by its Keras name; `momentum` is SGD
        with momentum.
    memory
        The memory available, in bytes or as text such as `24GiB`; `Report.fit` then says whether
        training fits and the largest batch that does.
    convention
        How to count FLOPs: `archcalc`, or as another tool does (docs/flop-conventions.md).
    clipped
        Whether every row (not only the outputs) gets its receptive field clipped to the input.
    gradients
        Whether every row gets bounds of its gradient (docs/gradients.md), computed with the arguments
        below, and the gradient expected at initialisation (docs/gradients-expected.md).
    weights
        `symbolic`, `expected` (at initialisation), `actual` (read from the network's own `.keras` file),
        or arrays by node name and weight name, as `archcalc.read_weights` gives them.
    tier
        The kind of bound: `symbolic`, `tight` or `centred`; the last two need the values of the weights.
    training
        Whether to bound gradients in training (batch statistics, dropout) instead of inference.
    input_range
        The interval of all input values, if known.
    loss
        The loss whose gradient with respect to kernels is bounded, by its Keras name:
        `categorical_crossentropy`, `sparse_categorical_crossentropy`, `binary_crossentropy` or
        `mean_squared_error`. Default: the cross-entropy that matches a final softmax or sigmoid.

    Raises
    ------
    NetworkError
        Layers are incompatible; every independent error is named.
    ArchcalcError
        An unknown option or a value out of range.
    """
    _choice(dtype, PRECISIONS, "dtype")
    _choice(optimizer, OPTIMIZERS, "optimizer")
    _choice(convention, CONVENTIONS, "convention")
    memory_bytes = None if memory is None else bytes_of(memory)
    if symbols:
        graph = with_values(graph, symbols)
    asked = None
    if gradients:
        from archcalc.report.gradients import GradientOptions

        if weights == "actual":
            weights = _weights_of_file(graph)
        asked = GradientOptions(weights, tier, training, input_range, loss)
    elif (weights, tier, training, input_range, loss) != ("expected", None, False, None, None):
        raise ArchcalcError(
            "weights, tier, training, input_range and loss change gradients only, which were not requested: "
            "add gradients=True (--gradients)"
        )
    options = Options(_positive(batch, "batch"), dtype, optimizer, convention, clipped, asked)
    figures = Figures(graph, options)
    report = Report(figures, memory_bytes)
    if figures.has_symbols:
        report.work_out()
    return report


def _weights_of_file(graph: Graph) -> Mapping[str, Mapping[str, Any]]:
    from archcalc.readers.keras_weights import read_weights

    with arith.scope():  # open axes of the input
        return read_weights(graph.source, graph)


def _positive(value: Any, what: str) -> int:
    try:
        plain = arith.integer(value)
    except TypeError:
        raise ArchcalcError(f"{what}: expected a positive integer, got {value!r}") from None
    if plain < 1:
        raise ArchcalcError(f"{what}: expected a positive integer, got {plain}")
    return plain


def _choice(name: str, known: Collection[str], what: str) -> None:
    if name not in known:
        raise ArchcalcError(f"{what}: expected one of {', '.join(known)}, got {name!r}")
