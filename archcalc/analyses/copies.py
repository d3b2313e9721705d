"""Copies of a block that changes its input's shape: the shapes that they read.

After an axis of x in copy i may come one of a*x + b(i) in the next, with an integer a: x + k in a dense
block, x - 2 after a valid convolution of 3, 2*x where a tensor is concatenated with itself, 16 * 2**i with
as many filters. Then the axis is a sum, or a geometric sum, over the copies before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archcalc.arith import Shape, Size, certainly, equal, is_array, scope
from archcalc.arith.sums import at_copy, over_copies, power
from archcalc.arith.symbolic import Expr, divide, symbol
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, Repeat, Shapes
from archcalc.layers.base import show

FRESH = "?"  # in names of symbols that stand for the axes of any copy's input; no spec can declare them
OfCopy = Callable[[Any], Size]  # an axis's size in the copy of a number


def shape_of_copy(
    repeat: Repeat, source: Shape, first: Shape, run: Callable[[Shape], Shape]
) -> Callable[[Any], Shape] | None:
    """The shape that a copy of a block reads, by its number from 0 on; None if all read that of the first.

    `first` is the output of a copy that reads `source`, as the first one does; `run` gives the output of a
    copy that reads any shape. Raises `ArchcalcError` where the shapes of copies follow no known rule.
    """
    if len(source) != len(first):
        raise ArchcalcError(f"{_taken(repeat, source, first)}, so it cannot read its own output")
    changed = [n for n, (a, b) in enumerate(zip(source, first, strict=True)) if not certainly(equal(a, b))]
    differing = [n for n in changed if _never_equal(source[n], first[n], repeat.index)]
    if not changed or not (differing or any(_is_symbolic(source[n], first[n]) for n in changed)):
        return None
    fresh = {n: symbol(f"{FRESH}{n}") for n in changed}
    any_copy = tuple(fresh.get(n, size) for n, size in enumerate(source))
    try:
        with scope():
            following = run(any_copy)
    except ArchcalcError as fault:
        if not differing:
            return None
        raise ArchcalcError(
            f"{_taken(repeat, source, first)}, and it cannot take any size: {fault}"
        ) from None
    rules = {n: _rule(source[n], fresh[n], following[n], repeat.index) for n in changed}
    strange = [n for n in differing if rules[n] is None]
    if strange:
        raise ArchcalcError(f"{_taken(repeat, source, first)}. {_why(source, first, strange[0])}")
    if not any(rules.values()):
        return None

    def shape(copy: Any) -> Shape:
        return tuple(rule(copy) if (rule := rules.get(n)) else size for n, size in enumerate(source))

    return shape


def refuse_arrays(repeat: Repeat, source: Shape, first: Shape) -> None:
    """Raise where an axis is never the same after a copy of a block: symbols cannot have arrays of values."""
    answers = [equal(a, b) for a, b in zip(source, first, strict=False)]
    if len(source) != len(first) or any(not a.any() if is_array(a) else a is False for a in answers):
        text = "where that differs from copy to copy, symbols cannot have arrays of values: use sweep"
        raise ArchcalcError(f"{_taken(repeat, source, first)}; {text}")


def last_copies(graph: Graph, shapes: Shapes) -> Shapes:
    """The shapes of the last copies of blocks that change theirs: the fields of a block's rows are theirs."""
    if not shapes.indices:
        return shapes
    last = Shapes(shapes)
    for repeat in sorted(graph.repeats, key=lambda r: r.last - r.first):
        for i in range(repeat.first, repeat.last + 1) if repeat.index in shapes.indices else ():
            last[i] = tuple(
                tuple(at_copy(n, repeat.index, repeat.count - 1) for n in shape) for shape in last[i]
            )
    return last


def _never_equal(size: Size, following: Size, index: str) -> bool:
    answer = equal(size, following)
    return answer is False or (isinstance(following, Expr) and index in following.symbols)


def _is_symbolic(*sizes: Size) -> bool:
    return any(isinstance(size, Expr) for size in sizes)


def _rule(size: Size, of_any: Expr, following: Size, index: str) -> OfCopy | None:
    """How an axis follows: the first copy reads `size`, and after one that reads `of_any` comes `following`.

    None where it is no such sum, or does not depend on the copy before at all.
    """
    ((name, _),) = of_any.symbols.items()
    a, b = _linear(following, name)
    if not isinstance(a, int) or any(n.startswith(FRESH) for n in getattr(b, "symbols", ())):
        return None
    varies = isinstance(b, Expr) and index in b.symbols
    if a == 0 and varies:
        # the first copy has to be like the others
        return (
            (lambda copy: at_copy(b, index, copy - 1)) if equal(at_copy(b, index, -1), size) is True else None
        )
    if a == 1:
        return lambda copy: size + over_copies(b, index, copy)
    if a > 1 and not varies:
        return lambda copy: power(a, copy) * size + b * divide(power(a, copy) - 1, a - 1)
    return None


def _linear(x: Size, name: str) -> tuple[Any, Any]:
    """(a, b) of `a * name + b`, where `b` may still hold the symbol."""
    if not isinstance(x, Expr):
        return 0, x
    a = next((c for m, c in x.terms.items() if [(atom.key, e) for atom, e in m] == [(name, 1)]), 0)
    return a, x - symbol(name) * a


def _taken(repeat: Repeat, source: Shape, first: Shape) -> str:
    return (
        f"the block from here on is repeated {repeat.count} times, and it takes {show(source)} and gives "
        f"{show(first)}"
    )


def _why(source: Shape, first: Shape, axis: int) -> str:
    return (
        f"Axis {axis + 1} ({source[axis]}, then {first[axis]}) has no closed form over the copies: an axis "
        "may stay, grow or shrink by the same number, or be multiplied. Put a layer with strides, or a first "
        "copy that differs, outside of the block, or give the number of copies a value"
    )
