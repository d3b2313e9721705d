"""`analyze`, the main function: it checks the options and returns the report of a network."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, cast

from archcalc import arith
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.readers import as_graph
from archcalc.report.columns import Figures
from archcalc.report.elements import Elements
from archcalc.report.options import Options, documentation
from archcalc.report.report import Report

P = ParamSpec("P")


class _Analyze(Protocol[P]):
    def __call__(
        self, graph: Any, symbols: Mapping[str, Any] | None = None, *args: P.args, **kwargs: P.kwargs
    ) -> Report: ...


def _with_options(options: Callable[P, Any]) -> Callable[[Callable[..., Report]], _Analyze[P]]:
    """Declares the fields of a dataclass as a function's arguments, for type checkers and for `help`."""

    def declare(function: Callable[..., Report]) -> _Analyze[P]:
        own, ours = inspect.signature(function), inspect.signature(options)
        named = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        vars(function)["__signature__"] = own.replace(parameters=[*named, *ours.parameters.values()])
        entries = "\n    ".join(documentation())
        function.__doc__ = (function.__doc__ or "").replace("OPTIONS", entries)
        return cast(_Analyze[P], function)

    return declare


@_with_options(Options)
def analyze(graph: Any, symbols: Mapping[str, Any] | None = None, **options: Any) -> Report:
    """The report of a network: shapes, parameters, work, memory, receptive fields, gradient bounds.

    Parameters
    ----------
    graph
        The network: a live Keras model, a path, `keras:NAME`, decoded JSON (all that `archcalc.load`
        takes), or a graph from there.
    symbols
        Values of symbols, instead of those they have; None opens one. Figures are closed forms in the
        open ones. With arrays of integers, which numpy must be able to broadcast together, every figure that
        depends on them is an exact array of the same kind, and `report.valid` says where there is a network.
    OPTIONS

    Raises
    ------
    NetworkError
        Layers are incompatible; every independent error is named.
    ArchcalcError
        A value that an option or a symbol cannot take, or an option that would change nothing.
    """
    asked, gradients = Options(**options).split()
    source, graph = graph, as_graph(graph)
    elements, valid = None, True
    if symbols:
        graph, elements, valid = _with_symbols(graph, symbols)
    if gradients is not None and gradients.weights == "actual":
        gradients = dataclasses.replace(gradients, weights=_actual_weights(source, graph))
    report = Report(Figures(graph, asked, gradients, valid, elements))
    if report.has_symbols:
        report.work_out()
    return report


def _with_symbols(graph: Graph, symbols: Mapping[str, Any]) -> tuple[Graph, Elements | None, Any]:
    """The graph with these values; where some are arrays also the one without, and what is a network."""
    from archcalc.graph.substitution import open_symbols

    several = {name: value for name, value in symbols.items() if arith.is_array(value) and value.ndim}
    if not several:
        return with_values(graph, symbols), None, True
    from archcalc.arith.arrays import array

    exact = {name: array(value) for name, value in several.items()}
    opened = with_values(graph, {**symbols, **dict.fromkeys(exact)})
    with arith.scope() as made:
        graph = with_values(opened, exact)
    left = open_symbols(graph)
    if left:
        raise ArchcalcError(
            f"{', '.join(left)} {'is' if len(left) == 1 else 'are'} open: with arrays of {', '.join(exact)} "
            "every other symbol needs a value too"
        )
    return graph, Elements(opened, exact), made.valid


def _actual_weights(source: Any, graph: Graph) -> Mapping[str, Mapping[str, Any]]:
    """The weights of a live model, or of the file that a graph was read from."""
    with arith.scope():  # open axes of the input
        if not isinstance(source, Graph | str | Mapping | os.PathLike):
            from archcalc.keras import model_weights

            return model_weights(source, graph)
        from archcalc.readers.keras_weights import read_weights

        return read_weights(graph.source, graph)
