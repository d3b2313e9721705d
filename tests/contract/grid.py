"""The grid of a row's arguments: all pairs of values, or all combinations."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

from archcalc.layers.base import Layer
from archcalc.layers.registry import registered
from tests.contract.rows import (
    COMMON,
    Cell,
)
from tests.contract.table import ROWS


def candidates(cls: type[Layer], argument: str) -> Sequence[Any] | None:
    """The values of an argument in the grid; None if no table has it."""
    row = ROWS[cls.__name__]
    if argument in row.values:
        return row.values[argument]
    common = COMMON.get(argument)
    return common.get(cls.rank) if isinstance(common, dict) else common


def cells(cls: type[Layer], arguments: Mapping[str, Sequence[Any]], *, full: bool = False) -> Iterator[Cell]:
    """Cells that cover every pair of values, and some more (`full`: up to a few hundred)."""
    factors: dict[str, Sequence[Any]] = {**arguments, "inputs": ROWS[cls.__name__].inputs}
    for chosen in _some_of_all(factors, 400) if full else [*pairwise(factors), *_some_of_all(factors, 15)]:
        inputs = chosen.pop("inputs")
        yield Cell(chosen, inputs)
    for stated, inputs in ROWS[cls.__name__].also:
        yield Cell({name: stated.get(name, values[0]) for name, values in arguments.items()}, inputs)


def pairwise(factors: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """A greedy covering array: each pair of values of two factors occurs in some combination."""
    choose = random.Random(0)
    names = list(factors)
    sizes = [len(factors[n]) for n in names]
    open_pairs = {
        (i, a, j, b)
        for i, j in combinations(range(len(names)), 2)
        for a, b in product(range(sizes[i]), range(sizes[j]))
    }
    if len(names) < 2:
        yield from ({names[0]: v} for v in factors[names[0]])
        return

    def gain(picks: Sequence[int]) -> int:
        return sum((i, picks[i], j, picks[j]) in open_pairs for i, j in combinations(range(len(names)), 2))

    while open_pairs:
        i, a, j, b = min(open_pairs)
        tries = []
        for _ in range(30):
            picks = [choose.randrange(n) for n in sizes]
            picks[i], picks[j] = a, b
            tries.append(picks)
        best = max(tries, key=gain)
        open_pairs -= {(i, best[i], j, best[j]) for i, j in combinations(range(len(names)), 2)}
        yield {name: factors[name][k] for name, k in zip(names, best, strict=True)}


def _some_of_all(factors: Mapping[str, Sequence[Any]], limit: int) -> Iterator[dict[str, Any]]:
    everything = [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]
    yield from random.Random(1).sample(everything, min(limit, len(everything)))


def types() -> list[str]:
    """Every registered type, by name."""
    return sorted(registered())
