"""Substitution of values for symbols of a graph; blocks repeated a known number of times are unrolled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from itertools import chain, count
from typing import Any, cast

from archcalc import arith
from archcalc.arith.symbolic import Expr, Symbol
from archcalc.errors import ArchcalcError, LayerError, NetworkError
from archcalc.graph import Graph, Node, Origin, Repeat, Tap
from archcalc.layers.base import Layer

FIRST_COPY = 1
EACH = "[*]"  # in names: all copies of a block that is repeated a symbolic number of times
MAX_NODES = 1_000_000


def with_values(graph: Graph, values: Mapping[str, Any]) -> Graph:
    """The graph with some of its symbols replaced by integers (or arrays, or expressions).

    Layers are constructed again, so that arguments are validated with the values; elements of arrays for
    which they are invalid are masked in the current `arith.scope`. A block whose
    `repeat` becomes an integer is replaced by that many copies, named `body[1]/a`, `body[2]/a`, ...
    A symbol that has a value gets the new one; None opens it.

    Raises
    ------
    ArchcalcError
        A name that is no symbol of the graph, or a value outside the symbol's range.
    NetworkError
        Layers whose arguments become invalid, all of them in one error.
    """
    values = {name: _plain(value, name) for name, value in values.items()}
    _check(graph, values)
    new = {name: value for name, value in values.items() if not _same(value, graph.symbols.get(name))}
    if not new:
        return graph
    origin = graph.origin if graph.origin is not None and graph.origin.nodes is graph.nodes else None
    fixed = [name for name in new if graph.symbols.get(name) is not None]
    if fixed:
        if origin is None:
            raise ArchcalcError(
                f"{graph.source or graph.name}: {fixed[0]} has the value {graph.symbols[fixed[0]]} in this "
                f"graph, which holds no open {fixed[0]}; build the graph with the other value"
            )
        new = {**graph.symbols, **new}
        graph = origin.read({name: v if isinstance(v, int) else None for name, v in new.items()})
        new = {name: v for name, v in new.items() if v is not None and not isinstance(v, int)}
    if new:
        with arith.scope() as made:
            graph = _with_values(graph, new)
        arith.exclude(made.valid)
    return graph if origin is None else dataclasses.replace(graph, origin=Origin(graph.nodes, origin.read))


def _plain(value: Any, name: str) -> Any:
    """A value for a symbol, an integer of any type as int; None, expressions and arrays as they are."""
    if value is None or isinstance(value, Expr) or arith.is_array(value):
        return value
    try:
        return arith.integer(value)
    except TypeError:
        raise ArchcalcError(f"{name}: expected a positive integer for a symbol, got {value!r}") from None


def _same(value: Any, current: Any) -> bool:
    """Whether a symbol has this value already."""
    return value is current or (isinstance(value, int) and isinstance(current, int) and value == current)


def _with_values(graph: Graph, values: Mapping[str, Any]) -> Graph:
    faults: list[tuple[str, str]] = []
    nodes: list[Node] = []
    for node in graph.nodes:
        try:
            layer = _layer_with(node.layer, values)
        except ArchcalcError as fault:
            faults.append((node.name, str(fault)))
            continue
        nodes.append(node if layer is node.layer else node.with_layer(layer))
    if faults:
        raise NetworkError(faults)
    repeats = tuple(dataclasses.replace(r, count=arith.substitute(r.count, values)) for r in graph.repeats)
    graph = dataclasses.replace(
        graph, nodes=tuple(nodes), repeats=repeats, symbols={**graph.symbols, **values}
    )
    return unrolled(graph) if any(type(r.count) is int for r in repeats) else graph


def restate(graph: Graph) -> bool:
    """Record in the current `arith.scope` what layers and repeats require of open symbols.

    Returns whether the graph has open symbols. (Constructing a layer records its requirements too,
    but in the scope of that time.) Raises `NetworkError` if no values meet them.
    """
    faults: list[tuple[str, str]] = []
    has_symbols = any(isinstance(repeat.count, Expr) for repeat in graph.repeats)
    first: dict[Layer, Node] = {}
    for node in graph.nodes:
        first.setdefault(node.layer, node)
    for node in first.values():
        if _any(_varies, vars(node.layer).values()):
            # arrays are values: what does not hold for them is masked
            has_symbols = has_symbols or _any(arith.is_symbolic, vars(node.layer).values())
            try:
                node.layer.restate()
            except LayerError as fault:
                faults.append((node.name, str(fault)))
    for repeat in graph.repeats:
        wanted = f"repeat must be a positive integer, got {repeat.count}"
        try:
            arith.require_integer(repeat.count, wanted)
            arith.require_at_least(repeat.count, repeat.least, wanted)
        except LayerError as fault:
            faults.append((graph.nodes[repeat.first].name, str(fault)))
    if faults:
        raise NetworkError(faults)
    return has_symbols


# types that hold no expression; the search through all arguments takes a measurable part of an analysis
_PLAIN = frozenset({int, str, bool, float, type(None), dict})


def _varies(value: Any) -> bool:
    return isinstance(value, Expr) or arith.is_array(value)


def _any(kind: Callable[[Any], bool], values: Iterable[Any]) -> bool:
    """Whether any argument is, or contains in tuples and layers, something of a kind."""
    for value in values:
        if type(value) in _PLAIN or (type(value) is tuple and _PLAIN.issuperset(map(type, value))):
            continue
        if isinstance(value, Layer):
            value = tuple(getattr(value, f.name) for f in dataclasses.fields(cast(Any, value)))
        if kind(value) or (isinstance(value, tuple) and _any(kind, value)):
            return True
    return False


def open_symbols(graph: Graph) -> dict[str, Symbol]:
    """The symbols without a value in layers and repeats, by name, with their ranges."""
    symbols: dict[str, Symbol] = {}
    for repeat in graph.repeats:
        if isinstance(repeat.count, Expr):
            symbols.update(repeat.count.symbols)
    for node in graph.nodes:
        for field in dataclasses.fields(cast(Any, node.layer)):
            _collect(getattr(node.layer, field.name), symbols)
    return dict(sorted(symbols.items()))


def _collect(value: Any, symbols: dict[str, Symbol]) -> None:
    if isinstance(value, Layer):
        value = tuple(getattr(value, f.name) for f in dataclasses.fields(cast(Any, value)))
    if isinstance(value, Expr):
        symbols.update(value.symbols)
    elif isinstance(value, tuple):
        for v in value:
            _collect(v, symbols)


def _check(graph: Graph, values: Mapping[str, Any]) -> None:
    known = open_symbols(graph)
    for name, value in values.items():
        if name not in known and name not in graph.symbols:
            declared = sorted({*known, *graph.symbols})
            raise ArchcalcError(
                f"{graph.source or graph.name}: no symbol is named {name!r}; "
                f"{'its symbols are ' + ', '.join(declared) if declared else 'it has none'}"
            )
        if not isinstance(value, int):
            continue
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
    """The value with its symbols replaced; the same object if it has none."""
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
    """The graph with every block of known `repeat` replaced by its copies."""
    return _Unroller(graph).run()


def with_first_copies(graph: Graph, repeats: Container[Repeat]) -> tuple[Graph, list[int]]:
    """The graph in which the first copies of these blocks are nodes of their own, before the other copies.

    With it, of each node, the one in this graph that it is, or is a copy of.
    """
    unroller = _Unroller(graph, repeats)
    return unroller.run(), unroller.origin


class _Unroller:
    def __init__(self, graph: Graph, first_apart: Container[Repeat] = ()) -> None:
        self.graph = graph
        self.first_apart = first_apart  # blocks of which only the first copy is written out
        self.nodes: list[Node] = []
        self.origin: list[int] = []
        self.repeats: list[Repeat] = []
        self.depth = 0  # of nested repeats around the node
        self.newest_copy: dict[int, int] = {}  # by old node
        self.redirected: dict[Tap, Tap] = {}  # old tap -> new tap, while a copy reads the previous copy

    def run(self) -> Graph:
        self._walk(self.graph.parts(), "", "")
        return dataclasses.replace(
            self.graph,
            nodes=tuple(self.nodes),
            inputs=tuple(self.newest_copy[i] for i in self.graph.inputs),
            outputs=tuple(map(self._tap, self.graph.outputs)),
            repeats=tuple(self.repeats),
        )

    def _tap(self, tap: Tap) -> Tap:
        return self.redirected.get(tap) or Tap(self.newest_copy[tap.node], tap.output)

    def _walk(self, parts: Iterable[int | Repeat], old: str, new: str) -> None:
        """Copy these nodes; in their names the prefix `old` is replaced by `new`."""
        for part in parts:
            if isinstance(part, Repeat):
                self._region(part, old, new)
            else:
                self._copy(part, old, new)

    def _copy(self, i: int, old: str, new: str) -> None:
        node = self.graph.nodes[i]
        if len(self.nodes) >= MAX_NODES:
            raise ArchcalcError(
                f"{self.graph.source or self.graph.name}: repeats unroll to more than {MAX_NODES} layers"
            )
        owner = None if node.shared_with is None else self.newest_copy[node.shared_with]
        copy = Node(
            new + node.name[len(old) :] if old else node.name,
            node.layer,
            tuple(map(self._tap, node.inputs)),
            owner,
            tuple(mask.moved(self._tap) for mask in node.masks),
        )
        self.newest_copy[i] = len(self.nodes)
        self.nodes.append(copy)
        self.origin.append(i)

    def _region(self, repeat: Repeat, old: str, new: str) -> None:
        self.depth += 1
        self._repeated(repeat, old, new)
        self.depth -= 1

    def _repeated(self, repeat: Repeat, old: str, new: str) -> None:
        source, outer = self._tap(repeat.source), self.redirected.get(repeat.source)
        if type(repeat.count) is not int:
            count, least = repeat.count, repeat.least
            if repeat in self.first_apart:
                self._written_out(repeat, FIRST_COPY, old, new)
                source = self.redirected[repeat.source] = self._tap(repeat.out)
                count, least = count - 1, least - 1
            start = len(self.nodes)
            self._walk(self._inside(repeat), old, new)
            place = start, len(self.nodes) - 1, source, self._tap(repeat.out)
            self.repeats.append(Repeat(*place, count, self._index(), least))
            self._redirect(repeat.source, outer)
            return
        if repeat.count < 0:
            name = self.graph.nodes[repeat.first].name
            raise LayerError(f"layer {name!r}: repeat must be a number of copies, got {repeat.count}")
        # inside a copy, the source is the output of the previous copy
        for copy in range(repeat.count):
            self.redirected[repeat.source] = source if copy == 0 else self._tap(repeat.out)
            self._written_out(repeat, FIRST_COPY + copy, old, new)
        self._redirect(repeat.source, outer)
        if repeat.count == 0:  # what reads the block reads what it would have read
            self.redirected[repeat.out] = source

    def _inside(self, repeat: Repeat) -> Iterator[int | Repeat]:
        return self.graph.parts(repeat.first, repeat.last, repeat)

    def _written_out(self, repeat: Repeat, copy: int, old: str, new: str) -> None:
        """One copy of a block, with its number in the names."""
        prefix = block_name(self.graph, repeat, self.depth)
        stem = (new + prefix[len(old) :] if old else prefix).removesuffix(EACH)
        self._walk(self._inside(repeat), prefix, f"{stem}[{copy}]")

    def _redirect(self, source: Tap, to: Tap | None) -> None:
        if to is None:
            self.redirected.pop(source, None)
        else:
            self.redirected[source] = to

    def _index(self) -> str:
        """A name for the number of a block's copy, of its own in each copy of what is around the block."""
        return index_name({other.index for other in self.repeats} | self.graph.symbols.keys())


def index_name(taken: Container[str]) -> str:
    """A name for the number of a block's copy: `i`, `i2`, `i3`, ..."""
    return next(name for name in chain(["i"], (f"i{n}" for n in count(2))) if name not in taken)


def block_name(graph: Graph, repeat: Repeat, depth: int) -> str:
    """The name of a repeated block, a common prefix of its nodes' names: `outer[*]/body[*]` at depth 2."""
    paths = [graph.nodes[i].name.split("/") for i in range(repeat.first, repeat.last + 1)]
    common = 0
    while all(len(p) > common and p[common] == paths[0][common] for p in paths):
        common += 1
    marked = [k for k in range(common) if paths[0][k].endswith(EACH)]
    return "/".join(paths[0][: marked[depth - 1] + 1 if len(marked) >= depth else common or 1])
