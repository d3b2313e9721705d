"""`analyze`: the options of an analysis, checked, and the report of a network under them."""

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
    """Everything that the architecture alone says about a network.

    Parameters
    ----------
    graph
        The network, from `archcalc.load` or `archcalc.from_keras`.
    symbols
        Values for open symbols; those left open stay in the figures as closed forms.
    batch
        Samples that memory is counted for; work is always that of one sample.
    dtype
        A Keras dtype policy: `float32`, `float16`, `bfloat16`, `float64`, `mixed_float16`,
        `mixed_bfloat16`.
    optimizer
        Whose state is counted in training memory, by Keras's name; `momentum` is SGD with it.
    memory
        Bytes, or an amount such as `24GiB`: `Report.fit` then says whether it fits, and the
        largest batch that does.
    convention
        Whose way of counting FLOPs: `archcalc`, or that of another tool (docs/flop-conventions.md).
    clipped
        Whether every row (not only the outputs) gets the field clipped to the pixels that exist.
    gradients
        Whether every row gets bounds of its gradient (docs/gradients.md), which the arguments below
        shape, and the gradient expected at initialisation (docs/gradients-expected.md).
    weights
        `symbolic`, `expected` (at initialisation), `actual` (read from the network's own `.keras` file),
        or arrays by node name and weight name, as `archcalc.read_weights` gives them.
    tier
        `symbolic`, `tight` or `centred`; the last two need the weights themselves.
    training
        Bounds of training (batch statistics, dropout) and not of inference.
    input_range
        The interval that all inputs lie in, where it is known.
    loss
        The loss whose gradient in kernels is bounded, by Keras's name: `categorical_crossentropy`,
        `sparse_categorical_crossentropy`, `binary_crossentropy` or `mean_squared_error`. Default: the
        cross-entropy that belongs to a softmax or a sigmoid at the end.

    Raises
    ------
    NetworkError
        Layers that do not fit together, every independent fault named.
    ArchcalcError
        An option that does not exist or a value out of range.
    """
    _choice(dtype, PRECISIONS, "dtype")
    _choice(optimizer, OPTIMIZERS, "optimizer")
    _choice(convention, CONVENTIONS, "convention")
    memory_bytes = None if memory is None else bytes_of(memory)
    if symbols:
        graph = with_values(graph, {name: _positive(value, name) for name, value in symbols.items()})
    asked = None
    if gradients:
        from archcalc.report.gradients import GradientOptions

        if weights == "actual":
            weights = _weights_of_file(graph)
        asked = GradientOptions(weights, tier, training, input_range, loss)
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
