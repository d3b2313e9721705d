"""`analyze`, the main function: it checks the options and returns the report of a network."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, cast

from archcalc import arith
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.report.columns import Figures
from archcalc.report.options import Options, documentation
from archcalc.report.report import Report

P = ParamSpec("P")


class _Analyze(Protocol[P]):
    def __call__(
        self, graph: Graph, symbols: Mapping[str, int | None] | None = None, *args: P.args, **kwargs: P.kwargs
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
def analyze(graph: Graph, symbols: Mapping[str, int | None] | None = None, **options: Any) -> Report:
    """The report of a network: shapes, parameters, work, memory, receptive fields, gradient bounds.

    Parameters
    ----------
    graph
        The network, from `archcalc.load` or `archcalc.from_keras`.
    symbols
        Values of symbols, instead of those they have; None opens one. Figures are closed forms in the
        open ones.
    OPTIONS

    Raises
    ------
    NetworkError
        Layers are incompatible; every independent error is named.
    ArchcalcError
        A value that an option or a symbol cannot take, or an option that would change nothing.
    """
    asked, gradients = Options(**options).split()
    if symbols:
        graph = with_values(graph, symbols)
    if gradients is not None and gradients.weights == "actual":
        gradients = dataclasses.replace(gradients, weights=_weights_of_file(graph))
    report = Report(Figures(graph, asked, gradients))
    if report.has_symbols:
        report.work_out()
    return report


def _weights_of_file(graph: Graph) -> Mapping[str, Mapping[str, Any]]:
    from archcalc.readers.keras_weights import read_weights

    with arith.scope():  # open axes of the input
        return read_weights(graph.source, graph)
