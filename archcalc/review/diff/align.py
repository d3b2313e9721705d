"""Which layers of two networks are the same: by what they read, by what reads them, by name and type.

Two layers have the same history if they are of equal type and arguments and read layers of the same history;
the same future if their readers have the same. After a single edit every layer but the edited one has the
history or the future of its partner, whatever its name. Between several edits layers are aligned from their
aligned neighbours on, and by name and type.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence, Sized

from archcalc.graph import Graph
from archcalc.report.columns import Figures, type_name
from archcalc.review.diff.meaning import Meaning, meaning

Key = Hashable
STEPS, MOST = 3, 20  # of a search for the next layer of a type


class Side:
    """One network: for each node its label, history and future, as numbers that both networks share."""

    def __init__(self, figures: Figures, numbers: dict[Key, int]) -> None:
        self.graph = graph = figures.graph
        self.names = [node.name for node in graph.nodes]
        self.consumers = graph.consumers()
        self.types = [type_name(node.layer) for node in graph.nodes]
        self.meanings = _meanings(graph, figures.output_shapes)
        self.labels = _labels(self.meanings, numbers)
        self.histories = self._histories(numbers)
        self.futures = self._futures(numbers)
        self.partner: list[int | None] = [None] * len(graph.nodes)

    def _histories(self, numbers: dict[Key, int]) -> list[int]:
        found: list[int] = []
        for i, node in enumerate(self.graph.nodes):
            inputs = tuple((found[t.node], t.output) for t in node.inputs)
            # calls of one layer are not calls of equal layers
            owner = None if node.shared_with is None else found[node.shared_with]
            found.append(_number(("history", self.labels[i], inputs, owner), numbers))
        return found

    def _futures(self, numbers: dict[Key, int]) -> list[int]:
        found = [0] * len(self.graph.nodes)
        outputs = defaultdict(list)
        for position, tap in enumerate(self.graph.outputs):
            outputs[tap.node].append((position, tap.output))
        for i in reversed(range(len(self.graph.nodes))):
            readers = tuple(
                sorted(
                    (found[c], position, t.output)
                    for c in set(self.consumers[i])
                    for position, t in enumerate(self.graph.nodes[c].inputs)
                    if t.node == i
                )
            )
            key = ("future", self.labels[i], readers, tuple(outputs.get(i, ())))
            found[i] = _number(key, numbers)
        return found

    def open(self) -> Iterator[int]:
        """The nodes that have no partner yet."""
        return (i for i, partner in enumerate(self.partner) if partner is None)


def _number(key: Key, numbers: dict[Key, int]) -> int:
    return numbers.setdefault(key, len(numbers))


def _meanings(graph: Graph, shapes: Sequence[Sequence[Sized]]) -> list[Meaning]:
    """What each node is; readers make one object of equal layers, so that each is read once."""
    known: dict[tuple[int, int | None], Meaning] = {}
    found = []
    for node in graph.nodes:
        taps = node.inputs
        rank = len(shapes[taps[0].node][taps[0].output]) + 1 if taps else None
        key = id(node.layer), rank
        if key not in known:
            known[key] = meaning(node.layer, rank)
        found.append(known[key])
    return found


def _labels(meanings: list[Meaning], numbers: dict[Key, int]) -> list[int]:
    known: dict[int, int] = {}
    for each in meanings:
        if id(each) not in known:
            text = each.type, repr(sorted(each.arguments.items(), key=lambda pair: pair[0]))
            known[id(each)] = _number(("label", text), numbers)
    return [known[id(each)] for each in meanings]


def align(a: Figures, b: Figures) -> tuple[Side, Side]:
    """Both networks with the partners of their nodes."""
    numbers: dict[Key, int] = {}
    sides = Side(a, numbers), Side(b, numbers)
    by_history: Callable[[Side, int], Key] = lambda side, i: side.histories[i]  # noqa: E731
    by_future: Callable[[Side, int], Key] = lambda side, i: side.futures[i]  # noqa: E731
    for with_name in (True, False):
        for key in (by_history, by_future):
            _pair(*sides, key, with_name=with_name)
    by_label: Callable[[Side, int], Key] = lambda side, i: side.labels[i]  # noqa: E731
    by_type: Callable[[Side, int], Key] = lambda side, i: side.meanings[i].type  # noqa: E731
    for key in (by_label, by_type):
        _pair(*sides, key, with_name=True)
        _grow(*sides, key, _next)
    _pair(*sides, lambda side, i: i in side.graph.inputs, with_name=True)
    _replaced(*sides)
    _grow(*sides, by_type, _reachable)
    return sides


def _pair(a: Side, b: Side, key: Callable[[Side, int], Key], *, with_name: bool) -> None:
    """Pair open nodes of equal keys, in order; `with_name`: and of equal names.

    Else those are left out that have an equal layer of the same name on the other side.
    """
    named = [{(side.labels[i], side.names[i]) for i in side.open()} for side in (a, b)]
    both = set() if with_name else named[0] & named[1]
    waiting: dict[Key, list[int]] = defaultdict(list)
    for i in b.open():
        if (b.labels[i], b.names[i]) not in both:
            waiting[(key(b, i), b.names[i] if with_name else None)].append(i)
    for candidates in waiting.values():
        candidates.reverse()
    for i in list(a.open()):
        if (a.labels[i], a.names[i]) in both:
            continue
        candidates = waiting.get((key(a, i), a.names[i] if with_name else None), [])
        if candidates:
            _join(a, i, b, candidates.pop())


Near = Callable[[Side, int, bool], list[int]]


def _grow(a: Side, b: Side, key: Callable[[Side, int], Key], near: Near) -> None:
    """Pair open nodes of equal keys that are `near` partners, on and on."""
    todo = [(i, p) for i, p in enumerate(a.partner) if p is not None]
    while todo:
        i, j = todo.pop()
        for forward in (True, False):
            for n in near(a, i, forward):
                candidates = near(b, j, forward) if a.partner[n] is None else []
                candidates = [m for m in candidates if key(b, m) == key(a, n)]
                if candidates:
                    m = max(candidates, key=lambda m: _likeness(a, n, b, m))
                    _join(a, n, b, m)
                    todo.append((n, m))


def _likeness(a: Side, n: int, b: Side, m: int) -> int:
    """How many arguments two nodes have in common."""
    ours, theirs = a.meanings[n].arguments, b.meanings[m].arguments
    return sum(key in theirs and repr(theirs[key]) == repr(value) for key, value in ours.items())


def _next(side: Side, node: int, forward: bool) -> list[int]:
    """The open readers of a node, or the open nodes that it reads."""
    nodes = side.consumers[node] if forward else [t.node for t in side.graph.nodes[node].inputs]
    return [n for n in nodes if side.partner[n] is None]


def _reachable(side: Side, node: int, forward: bool) -> list[int]:
    """The open nodes within a few steps through open nodes."""
    found = reached = _next(side, node, forward)
    for _ in range(STEPS):
        reached = [m for n in reached for m in _next(side, n, forward) if m not in found][:MOST]
        found = found + reached
    return found


def _replaced(a: Side, b: Side) -> None:
    """Pair open nodes that read partners and are read by partners, whatever their types."""
    places = {place: j for j in b.open() if (place := _place(b, j, None)) is not None}
    for i in list(a.open()):
        j = places.get(_place(a, i, a.partner))
        if j is not None and b.partner[j] is None and not {i, j} & {*a.graph.inputs, *b.graph.inputs}:
            _join(a, i, b, j)


def _place(side: Side, node: int, partner: list[int | None] | None) -> Key | None:
    """The aligned nodes, as nodes of B, that a node reads and is read by; None if some are not aligned."""
    around = [[t.node for t in side.graph.nodes[node].inputs], sorted(set(side.consumers[node]))]
    if any(side.partner[n] is None for nodes in around for n in nodes) or not all(around):
        return None
    return tuple(tuple(n if partner is None else partner[n] for n in nodes) for nodes in around)


def _join(a: Side, i: int, b: Side, j: int) -> None:
    a.partner[i], b.partner[j] = j, i
