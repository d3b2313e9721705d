"""`diff`: what changed between two architectures, layer by layer and in total."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from archcalc import arith
from archcalc.analyze import analyze
from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.compiled import Compile
from archcalc.readers import as_graph
from archcalc.report.report import Report
from archcalc.report.values import to_json_value
from archcalc.review.diff.align import Side, align

TOTALS = (
    *("parameters", "trainable_parameters", "macs", "elementwise_operations"),
    *("peak_activation_bytes", "training_bytes"),
)
KINDS = ("inserted", "removed", "moved", "renamed", "changed", "rewired")
# arguments by which a layer grows or shrinks
WIDTHS = ("units", "filters", "depth_multiplier", "num_heads", "output_dim")


class Change(NamedTuple):
    """One difference: a layer's name in A and in B (None: it is not there), its type, and in what words.

    `arguments` has (argument, value in A, value in B) where they differ; `parameters` what the layer has in B
    more than in A.
    """

    kind: str
    a: str | None
    b: str | None
    type: str
    text: str
    arguments: tuple[tuple[str, Any, Any], ...] = ()
    parameters: Any = 0

    def to_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = self._asdict()
        data["arguments"] = [{"argument": k, "a": _plain(x), "b": _plain(y)} for k, x, y in self.arguments]
        data["parameters"] = to_json_value(self.parameters)
        return data


class Total(NamedTuple):
    """A total of each network, and its difference between the first two: a number or a formula."""

    quantity: str
    values: tuple[Any, ...]
    difference: Any

    def to_dict(self) -> dict[str, Any]:
        values = [to_json_value(v) for v in self.values]
        data = {"quantity": self.quantity, "values": values, "difference": to_json_value(self.difference)}
        known = [to_json_value(v.known) if isinstance(v, AtLeast) else None for v in self.values]
        return data if known == [None] * len(known) else {**data, "at_least": known}


class Diff(NamedTuple):
    """The differences of two networks; of more than two the totals alone.

    `compiled` has (argument, value in A, value in B) of `model.compile` where they differ.
    """

    names: tuple[str, ...]
    totals: tuple[Total, ...]
    changes: tuple[Change, ...]
    layers: tuple[int, ...]
    unchanged: int
    compiled: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.changes or self.compiled) or any(differs(t) for t in self.totals)

    def failed(self, quantities: Sequence[str]) -> bool:
        """Whether one of these differs: `changed`, or a total."""
        differing = {t.quantity for t in self.totals if differs(t)}
        return ("changed" in quantities and self.changed) or bool(differing & set(quantities))

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "networks": list(self.names),
            "layers": list(self.layers),
            "changed": self.changed,
            "unchanged_layers": self.unchanged,
            "totals": [t.to_dict() for t in self.totals],
            "changes": [c.to_dict() for c in self.changes],
            "compiled": [{"argument": k, "a": _plain(x), "b": _plain(y)} for k, x, y in self.compiled],
        }


def differs(total: Total) -> bool:
    """Whether a total is not certainly the same everywhere."""
    first = total.values[0]
    return any(arith.certainly(arith.equal(first, other)) is not True for other in total.values[1:])


def diff(*networks: Any, symbols: Mapping[str, int | None] | None = None) -> Diff:
    """What changed from the first network to the second; of further ones the totals stand beside these.

    Parameters
    ----------
    networks
        At least two, each all that `archcalc.load` takes, or a graph from there.
    symbols
        Values of symbols, in every network that has them.

    Raises
    ------
    ArchcalcError
        Fewer than two networks, or one that cannot be read.
    """
    if len(networks) < 2:
        raise ArchcalcError("diff compares networks: give two or more")
    graphs = [as_graph(network) for network in networks]
    stated = symbols or {}
    reports = [analyze(g, {k: v for k, v in stated.items() if k in g.symbols}) for g in graphs]
    with arith.scope():
        totals = tuple(_total(quantity, reports) for quantity in TOTALS)
        changes: tuple[Change, ...] = ()
        unchanged = 0
        if len(graphs) == 2:
            sides = align(*(report._of for report in reports))
            changes = tuple(_changes(*sides, *reports))
            named = {c.b for c in changes}
            unchanged = sum(
                p is not None and sides[1].names[j] not in named for j, p in enumerate(sides[1].partner)
            )
    names = tuple(report.source or report.name for report in reports)
    compiled = tuple(_compiled(*graphs)) if len(graphs) == 2 else ()
    return Diff(names, totals, changes, tuple(len(r.rows) for r in reports), unchanged, compiled)


def _compiled(a: Graph, b: Graph) -> Iterator[tuple[str, Any, Any]]:
    """The arguments of `model.compile` that differ; none where one of the networks states no training."""
    if a.compiled is None or b.compiled is None:
        return
    for field in fields(Compile):
        before, after = (_stated(getattr(graph.compiled, field.name)) for graph in (a, b))
        if before != after:
            yield ("loss" if field.name == "losses" else field.name), before, after


def _stated(value: Any) -> Any:
    """An argument of `model.compile`; several losses or metrics as one text."""
    return ", ".join(map(str, value)) or None if isinstance(value, tuple) else value


def _total(quantity: str, reports: Sequence[Report]) -> Total:
    values = tuple(getattr(report.totals, quantity) for report in reports)
    unknown = any(isinstance(value, Unknown) for value in values)
    return Total(quantity, values, None if unknown else values[1] - values[0])


def _changes(a: Side, b: Side, of_a: Report, of_b: Report) -> Iterator[Change]:
    for i in a.open():
        yield Change("removed", a.names[i], None, a.types[i], _after(a, i), (), -of_a.rows[i].parameters)
    for j in b.open():
        yield Change("inserted", None, b.names[j], b.types[j], _after(b, j), (), of_b.rows[j].parameters)
    pairs = [(i, j) for j, i in enumerate(b.partner) if i is not None]
    moved = _moved(a, b, pairs)
    for i, j in pairs:
        yield from _of_pair(a, i, b, j, moved, of_b.rows[j].parameters - of_a.rows[i].parameters)


def _of_pair(a: Side, i: int, b: Side, j: int, moved: Moved, parameters: Any) -> Iterator[Change]:
    names = a.names[i], b.names[j]
    if j in moved.of_b:
        yield Change("moved", *names, b.types[j], f"from {_after(a, i)} to {_after(b, j)}")
    elif names[0] != names[1]:
        yield Change("renamed", *names, b.types[j], f"{names[0]} to {names[1]}")
    if a.labels[i] != b.labels[j]:
        differing = tuple(_differing(a, i, b, j))
        words = ", ".join(_argument(*each) for each in differing)
        if a.types[i] != b.types[j]:
            words = f"{a.types[i]} to {b.types[j]}{', ' * bool(words)}{words}"
        yield Change("changed", *names, b.types[j], words, differing, parameters)
    if j not in moved.of_b and _inputs(a, i, a.partner, moved.of_a) != _inputs(b, j, None, moved.of_b):
        before, after = ([side.names[t] for t in _read(side, n)] for side, n in ((a, i), (b, j)))
        text = f"reads {', '.join(after) or 'nothing'} in place of {', '.join(before) or 'nothing'}"
        yield Change("rewired", *names, b.types[j], text)


class Moved(NamedTuple):
    """Layers that are in another place, as nodes of either network."""

    of_a: set[int]
    of_b: set[int]


def _moved(a: Side, b: Side, pairs: Sequence[tuple[int, int]]) -> Moved:
    """The layers with one input that read another layer and are read by others than before.

    One after the other, past those found so far: of two that changed places one has moved.
    """
    moved = Moved(set(), set())
    for i, j in pairs:
        single = len(a.graph.nodes[i].inputs) == len(b.graph.nodes[j].inputs) == 1
        if (
            single
            and _inputs(a, i, a.partner, moved.of_a) != _inputs(b, j, None, moved.of_b)
            and _readers(a, i, a.partner, moved.of_a) != _readers(b, j, None, moved.of_b)
        ):
            moved.of_a.add(i)
            moved.of_b.add(j)
    return moved


def _differing(a: Side, i: int, b: Side, j: int) -> Iterator[tuple[str, Any, Any]]:
    layers = a.graph.nodes[i].layer, b.graph.nodes[j].layer
    stated = a.meanings[i].arguments, b.meanings[j].arguments
    for key in dict.fromkeys((*stated[0], *stated[1])):
        before, after = (
            said[key] if key in said else getattr(layer, type(layer).spec_names.get(key, key), _ABSENT)
            for layer, said in zip(layers, stated, strict=True)
        )
        if _ABSENT not in (before, after) and repr(before) != repr(after):
            yield key, before, after


_ABSENT = object()  # of a layer type without this argument


def _argument(key: str, before: Any, after: Any) -> str:
    """An argument's change in words."""
    text = f"{key} {shown(before)} to {shown(after)}"
    if key in WIDTHS and type(before) is int and type(after) is int:
        return f"{'widened' if after > before else 'narrowed'}: {text}"
    return text


def shown(value: Any) -> str:
    if isinstance(value, tuple) and value and all(type(n) is int for n in value):
        return str(value[0]) if len(set(value)) == 1 else "x".join(map(str, value))
    if isinstance(value, Mapping) and "class_name" in value:
        return str(value["class_name"])
    return str(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | bool) or value is None else shown(value)


def _read(side: Side, node: int) -> list[int]:
    return [t.node for t in side.graph.nodes[node].inputs]


def _inputs(
    side: Side, node: int, partner: Sequence[int | None] | None, moved: set[int]
) -> list[tuple[int | None, int]]:
    """What a node reads, as nodes of B, past layers that only one of the networks has, or that moved.

    `partner`: of A's nodes in B, where the node is one of A.
    """
    found = []
    for t in side.graph.nodes[node].inputs:
        source, output = t.node, t.output
        while (side.partner[source] is None or source in moved) and len(_read(side, source)) == 1:
            (tap,) = side.graph.nodes[source].inputs
            source, output = tap.node, tap.output
        known = side.partner[source] is not None
        found.append(((source if partner is None else partner[source]) if known else None, output))
    return found


def _readers(
    side: Side, node: int, partner: Sequence[int | None] | None, moved: set[int]
) -> set[tuple[int | None, int]]:
    """What reads a node, as nodes of B and which of their inputs, past the layers that `_inputs` passes.

    None: an output of the network.
    """
    found: set[tuple[int | None, int]] = {
        (None, k) for k, t in enumerate(side.graph.outputs) if t.node == node
    }
    for c in set(side.consumers[node]):
        if (side.partner[c] is None or c in moved) and len(_read(side, c)) == 1:
            found |= _readers(side, c, partner, moved)
        else:
            reader = c if partner is None else partner[c]
            found |= {(reader, k) for k, source in enumerate(_read(side, c)) if source == node}
    return found


def _after(side: Side, node: int) -> str:
    """Where a layer is, in words."""
    sources = [side.names[n] for n in _read(side, node)]
    return f"after {' and '.join(sources[:3])}" if sources else "as an input"
