"""Closed forms against the analysis of integers: `python -m scripts.check_forms [POINTS [EXAMPLE ...]]`.

For each example with symbols (the families among them) all symbols are opened that can be left open; each
figure with a closed form is compared at as many random points, drawn where the form says that it holds.
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress
from typing import Any

from archcalc.cli import shipped
from archcalc.design.figures import NAMES, Reader
from archcalc.design.forms import Forms
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import open_symbols, with_values
from archcalc.readers import load
from archcalc.report.options import AnalysisOptions

LARGEST = {"H": 420, "classes": 50, "a": 130, "m": 3, "w": 80, "k": 40}  # of other symbols: a depth
DEPTH, ATTEMPTS = 12, 50


def opened(path: Any) -> Graph:
    """The graph with every symbol open that can be."""
    graph = load(path)
    for name in graph.symbols:
        with suppress(ArchcalcError):
            graph = with_values(graph, {name: None})
    return graph


def check(name: str, points: int) -> str:
    path = shipped.available()[name]
    graph = opened(path)
    if not open_symbols(graph):
        return f"{name}: no symbols"
    forms = {figure: Forms.of(graph, [figure]) for figure in NAMES}
    known = {figure: form for figure, form in forms.items() if not form.missing}
    left = dict.fromkeys(known, points)
    draw = random.Random(name)
    for _ in range(ATTEMPTS * points):
        symbols = {n: s for form in known.values() for n, s in form.symbols.items()}
        at = {n: _value(draw, n, s) for n, s in symbols.items()}
        found = {f: known[f].at(at) for f, n in left.items() if n}
        if any(value is not None for value in found.values()):
            fixed = {n: v for n, v in graph.symbols.items() if isinstance(v, int)}
            read = Reader(load(path, symbols=at | fixed), AnalysisOptions())
            for figure, value in found.items():
                if value is not None:
                    assert value[figure] == read(figure), (name, figure, at, value[figure], read(figure))
                    left[figure] -= 1
        if not any(left.values()):
            break
    short = {f: points - n for f, n in left.items() if n}
    missing = (
        f"; without a closed form: {', '.join(forms.keys() - known.keys())}"
        if len(known) < len(forms)
        else ""
    )
    fewer = f"; fewer: {short}" if short else ""
    return f"{name} ({', '.join(symbols)}): {len(known)} figures at {points} points each{fewer}{missing}"


def _value(draw: random.Random, name: str, symbol: Any) -> int:
    most = LARGEST.get(name, DEPTH if name != "d" else 31)
    return draw.randint(symbol.minimum, max(symbol.minimum, symbol.maximum or most))


if __name__ == "__main__":
    chosen = sys.argv[2:] or sorted(shipped.available())
    for example in chosen:
        print(check(example, int(sys.argv[1]) if sys.argv[1:] else 200), flush=True)
