"""Random expressions as plain trees: evaluated by Python on integers, and by archcalc on symbols.

The integers are the oracle: `value` uses nothing but Python's own operators, max and min.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from archcalc import arith
from archcalc.arith.symbolic import symbol

NAMES = ("H", "W", "k")
SYMBOLS = {name: symbol(name) for name in NAMES}

Tree = Any  # an int, a name, or (operator, tree, tree or int)


def trees(names: tuple[str, ...] = NAMES, *, leaves: int = 8) -> st.SearchStrategy[Tree]:
    """Sums, products, floor quotients, remainders, extrema and small powers over symbols."""
    leaf = st.one_of(st.integers(-6, 12), st.sampled_from(names), st.sampled_from(names))

    def larger(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        return st.one_of(
            st.tuples(st.sampled_from(["+", "-", "+", "-", "*"]), inner, inner),
            st.tuples(st.sampled_from(["//", "//", "//", "%"]), inner, st.integers(1, 6)),
            st.tuples(st.just("//"), inner, st.sampled_from(names)),
            st.tuples(st.sampled_from(["max", "min"]), inner, inner),
            st.tuples(st.just("**"), inner, st.integers(0, 3)),
        )

    return st.recursive(leaf, larger, max_leaves=leaves)


def value(tree: Tree, at: Mapping[str, int]) -> int:
    """The tree's value in Python's arithmetic."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        return at[tree]
    operator, a, b = tree[0], value(tree[1], at), value(tree[2], at)
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "//":
            return a // b
        case "%":
            return a % b
        case "max":
            return max(a, b)
        case "min":
            return min(a, b)
    return a**b


def expression(tree: Tree, symbols: Mapping[str, Any] = SYMBOLS) -> Any:
    """The tree over symbols (or arrays), by archcalc's arithmetic."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        return symbols[tree]
    operator, a, b = tree[0], expression(tree[1], symbols), expression(tree[2], symbols)
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "//":
            return arith.floor_div(a, b)
        case "%":
            return a % b
        case "max":
            return arith.largest(a, b)
        case "min":
            return arith.smallest(a, b)
    return a**b


def points(names: tuple[str, ...] = NAMES, most: int = 40) -> st.SearchStrategy[dict[str, int]]:
    """Values of all symbols."""
    return st.fixed_dictionaries({name: st.integers(1, most) for name in names})


def holds(text: str, at: Mapping[str, int]) -> bool:
    """Whether an assumption, as it is printed, is true at a point."""
    answer = eval(text, {"__builtins__": {}, "min": min, "max": max}, dict(at))
    assert isinstance(answer, bool)
    return answer
