"""Values for the symbols of a graph; blocks whose repetition becomes a number are unrolled."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

from archcalc import arith
from archcalc.arith.symbolic import Expr, Symbol
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Graph, Node, Repeat, Tap
from archcalc.layers.base import Layer

FIRST_COPY = 1
EACH = "[*]"  # in names: every copy of a block that is repeated a symbolic number of times
MAX_NODES = 1_000_000


def with_values(graph: Graph, values: Mapping[str, Any]) -> Graph:
    """The graph with some of its symbols replaced by integers (or arrays, or expressions).

    Layers are constructed anew, so a value that contradicts an argument is refused as in a
    file. A block whose `repeat` becomes an integer turns into that many copies, named
    `body[1]/a`, `body[2]/a`, ...

    Raises
    ------
    ArchcalcError
        A name that is no symbol of the graph, or a value outside the symbol's range.
    NetworkError
        Layers that do not admit the values, all of them at once.
    """
    _check(graph, values)
    with arith.scope():
        return _with_values(graph, values)


def _with_values(graph: Graph, values: Mapping[str, Any]) -> Graph:
    faults: list[tuple[str, str]] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        try:
            layer = _layer_with(node.layer, values)
        except ArchcalcError as fault:
            faults.append((node.name, str(fault)))
            continue
        nodes.append(node if layer is node.layer else dataclasses.replace(node, layer=layer))
    if faults:
        raise NetworkError(faults)
    repeats = tuple(dataclasses.replace(r, count=arith.substitute(r.count, values)) for r in graph.repeats)
    graph = dataclasses.replace(
        graph, nodes=tuple(nodes), repeats=repeats, symbols={**graph.symbols, **values}
    )
    return unrolled(graph) if any(type(r.count) is int for r in repeats) else graph


def restate(graph: Graph) -> bool:
    """Note in the current `arith.scope` what layers and repeats need of the open symbols, if there are any.

    Constructing a layer states it too, but in the scope of whoever constructed it.
    Raises `NetworkError` where no values would do.
    """
    faults: list[tuple[str, str]] = []
    has_symbols = any(isinstance(repeat.count, Expr) for repeat in graph.repeats)
    seen: set[Layer] = set()
    for node in graph.nodes:
        if node.layer in seen:
            continue
        seen.add(node.layer)
        if _any_symbols(vars(node.layer).values()):
            has_symbols = True
            try:
                node.layer.restate()
            except LayerError as fault:
                faults.append((node.name, str(fault)))
    for repeat in graph.repeats:
        wanted = f"repeat must be a positive integer, got {repeat.count}"
        try:
            arith.require_integer(repeat.count, wanted)
            arith.require_at_least(repeat.count, 1, wanted)
        except LayerError as fault:
            faults.append((graph.nodes[repeat.first].name, str(fault)))
    if faults:
        raise NetworkError(faults)
    return has_symbols


# of most arguments; the sweep over all of them is a part of every analysis that shows
_PLAIN = frozenset({int, str, bool, float, type(None), dict})


def _any_symbols(values: Iterable[Any]) -> bool:
    """Whether an expression stands among arguments, or inside their tuples and layers."""
    for value in values:
        if type(value) in _PLAIN:
            continue
        if isinstance(value, Layer):
            value = tuple(getattr(value, f.name) for f in dataclasses.fields(cast(Any, value)))
        if isinstance(value, Expr) or (isinstance(value, tuple) and _any_symbols(value)):
            return True
    return False


def open_symbols(graph: Graph) -> dict[str, Symbol]:
    """The symbols that still stand in layers and repetitions, by name, with their ranges."""
    found: dict[str, Symbol] = {}
    for repeat in graph.repeats:
        if isinstance(repeat.count, Expr):
            found.update(repeat.count.symbols)
    for node in graph.nodes:
        for field in dataclasses.fields(cast(Any, node.layer)):
            _collect(getattr(node.layer, field.name), found)
    return dict(sorted(found.items()))


def _collect(value: Any, found: dict[str, Symbol]) -> None:
    if isinstance(value, Layer):
        value = tuple(getattr(value, f.name) for f in dataclasses.fields(cast(Any, value)))
    if isinstance(value, Expr):
        found.update(value.symbols)
    elif isinstance(value, tuple):
        for v in value:
            _collect(v, found)


def _check(graph: Graph, values: Mapping[str, Any]) -> None:
    known = open_symbols(graph)
    for name, value in values.items():
        if name not in known and name not in graph.symbols:
            declared = sorted({*known, *graph.symbols})
            raise ArchcalcError(
                f"{graph.source or graph.name}: no symbol is named {name!r}; "
                f"{'its symbols are ' + ', '.join(declared) if declared else 'it has none'}"
            )
        if isinstance(value, Expr) or arith.is_array(value):
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise ArchcalcError(f"{name}: a symbol stands for a positive integer, got {value!r}")
        symbol = known.get(name) or Symbol(name)
        if value < symbol.minimum or (symbol.maximum is not None and value > symbol.maximum):
            upper = "" if symbol.maximum is None else f" and at most {symbol.maximum}"
            raise ArchcalcError(f"{name}={value}: declared as at least {symbol.minimum}{upper}")


def _layer_with(layer: Layer, values: Mapping[str, Any]) -> Layer:
    changed = {}
    for field in dataclasses.fields(cast(Any, layer)):
        value = getattr(layer, field.name)
        new = _replaced(value, values)
        if new is not value:
            changed[field.name] = new
    return cast(Layer, dataclasses.replace(cast(Any, layer), **changed)) if changed else layer


def _replaced(value: Any, values: Mapping[str, Any]) -> Any:
    """The value with symbols replaced inside; the very same object where none stands in it."""
    if isinstance(value, Expr):
        return arith.substitute(value, values)
    if isinstance(value, Layer):
        return _layer_with(value, values)
    if isinstance(value, tuple):
        new = [_replaced(v, values) for v in value]
        if all(a is b for a, b in zip(new, value, strict=True)):
            return value
        return type(value)(*new) if hasattr(value, "_fields") else tuple(new)
    return value


# -- unrolling ---------------------------------------------------------------------------------
def unrolled(graph: Graph) -> Graph:
    """The graph with every repetition of known length written out."""
    return _Unroller(graph).run()


class _Unroller:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.repeats: list[Repeat] = []
        self.depth = 0  # regions around the node
        self.place: dict[int, int] = {}  # old node -> its newest copy
        self.redirected: dict[Tap, Tap] = {}  # old tap -> new tap, while a copy reads the one before
        self.starting: dict[int, list[Repeat]] = {}
        for repeat in sorted(graph.repeats, key=lambda r: r.last - r.first):
            self.starting.setdefault(repeat.first, []).append(repeat)

    def run(self) -> Graph:
        self._walk(0, len(self.graph.nodes) - 1, "", "")
        return dataclasses.replace(
            self.graph,
            nodes=tuple(self.nodes),
            inputs=tuple(self.place[i] for i in self.graph.inputs),
            outputs=tuple(map(self._tap, self.graph.outputs)),
            repeats=tuple(self.repeats),
        )

    def _tap(self, tap: Tap) -> Tap:
        return self.redirected.get(tap) or Tap(self.place[tap.node], tap.output)

    def _walk(self, first: int, last: int, old: str, new: str, inside: Repeat | None = None) -> None:
        """Copy nodes `first..last`; names that start with `old` start with `new` instead."""
        i = first
        while i <= last:
            here = self.starting.get(i, [])
            # of the regions that start here, the widest one that is not yet open
            rank = here.index(inside) if inside in here else len(here)
            if rank:
                self._region(here[rank - 1], old, new)
                i = here[rank - 1].last + 1
                continue
            self._copy(i, old, new)
            i += 1

    def _copy(self, i: int, old: str, new: str) -> None:
        node = self.graph.nodes[i]
        if len(self.nodes) >= MAX_NODES:
            raise ArchcalcError(
                f"{self.graph.source or self.graph.name}: repeats unroll to more than {MAX_NODES} layers"
            )
        owner = None if node.shared_with is None else self.place[node.shared_with]
        made = Node(
            new + node.name[len(old) :] if old else node.name,
            node.layer,
            tuple(map(self._tap, node.inputs)),
            owner,
        )
        self.place[i] = len(self.nodes)
        self.nodes.append(made)

    def _region(self, repeat: Repeat, old: str, new: str) -> None:
        self.depth += 1
        self._repeated(repeat, old, new)
        self.depth -= 1

    def _repeated(self, repeat: Repeat, old: str, new: str) -> None:
        source = self._tap(repeat.source)
        if type(repeat.count) is not int:
            start = len(self.nodes)
            self._walk(repeat.first, repeat.last, old, new, repeat)
            self.repeats.append(
                Repeat(start, len(self.nodes) - 1, source, self._tap(repeat.out), repeat.count)
            )
            return
        if repeat.count < 1:
            name = self.graph.nodes[repeat.first].name
            raise LayerError(f"layer {name!r}: repeat must be a positive integer, got {repeat.count}")
        prefix = block_name(self.graph, repeat, self.depth)
        stem = (new + prefix[len(old) :] if old else prefix).removesuffix(EACH)
        # inside the region the source stands for what the copy before gave
        before = self.redirected.get(repeat.source)
        for copy in range(repeat.count):
            self.redirected[repeat.source] = source if copy == 0 else self._tap(repeat.out)
            self._walk(repeat.first, repeat.last, prefix, f"{stem}[{FIRST_COPY + copy}]", repeat)
        if before is None:
            del self.redirected[repeat.source]
        else:
            self.redirected[repeat.source] = before


def block_name(graph: Graph, repeat: Repeat, depth: int) -> str:
    """The part of the names of a region's nodes that is the block's: `outer[*]/body[*]` at depth 2."""
    paths = [graph.nodes[i].name.split("/") for i in range(repeat.first, repeat.last + 1)]
    common = 0
    while all(len(p) > common and p[common] == paths[0][common] for p in paths):
        common += 1
    marked = [k for k in range(common) if paths[0][k].endswith(EACH)]
    return "/".join(paths[0][: marked[depth - 1] + 1 if len(marked) >= depth else common or 1])
