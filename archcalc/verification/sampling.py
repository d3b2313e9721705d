"""Random values to try for open symbols, with which the layers of the network fit together."""

from __future__ import annotations

import random
from collections.abc import Iterator

from archcalc import arith
from archcalc.analyses import shapes
from archcalc.arith.symbolic import Expr, Symbol
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import open_symbols, with_values

TRIES = 400
LARGEST = 512


def admissible_values(graph: Graph, count: int = 3, seed: int = 0) -> list[dict[str, int]]:
    """Up to `count` different assignments to the open symbols with which the network's layers fit together.

    Small values come first: they run fast and rarely hide a difference. One empty assignment if
    nothing is open. Raises `ArchcalcError` if none is found.
    """
    symbols = open_symbols(graph)
    if not symbols:
        return [{}]
    assignments: list[dict[str, int]] = []
    problem = ""
    for values in _attempts(graph, symbols, random.Random(seed)):
        if values in assignments:
            continue
        try:
            with arith.scope():
                shapes.infer(with_values(graph, values))
        except ArchcalcError as fault:
            problem = f"{', '.join(f'{k}={v}' for k, v in values.items())}: {str(fault).splitlines()[0]}"
            continue
        assignments.append(values)
        if len(assignments) == count:
            return assignments
    if not assignments:
        raise ArchcalcError(
            f"{graph.source or graph.name}: no values for {', '.join(symbols)} were found that fit "
            f"(the last tried, {problem}); give them with --set"
        )
    return assignments


def _attempts(graph: Graph, symbols: dict[str, Symbol], draw: random.Random) -> Iterator[dict[str, int]]:
    sizes, repeats = _symbols_of_inputs(graph), _symbols_of_repeats(graph)
    for attempt in range(TRIES):
        reach = min(16 * 2 ** (attempt // 80), LARGEST)
        yield {
            name: _value(symbol, 3 if name in repeats else 2 * reach if name in sizes else reach, draw)
            for name, symbol in symbols.items()
        }


def _value(symbol: Symbol, reach: int, draw: random.Random) -> int:
    high = symbol.minimum + reach - 1
    return draw.randint(symbol.minimum, high if symbol.maximum is None else min(high, symbol.maximum))


def _symbols_of_inputs(graph: Graph) -> set[str]:
    shapes = (getattr(graph.nodes[i].layer, "shape", ()) for i in graph.inputs)
    return {name for shape in shapes for n in shape if isinstance(n, Expr) for name in n.symbols}


def _symbols_of_repeats(graph: Graph) -> set[str]:
    return {name for r in graph.repeats if isinstance(r.count, Expr) for name in r.count.symbols}
