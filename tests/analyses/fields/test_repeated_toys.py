"""Fields and spreads of toy blocks that are repeated n times, against the copies written out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from math import isclose
from typing import Any, NamedTuple

from hypothesis import given, note
from hypothesis import strategies as st

from archcalc import arith
from archcalc.analyses.fields.effective_field import effective_fields
from archcalc.analyses.fields.receptive_field import fields
from archcalc.analyses.shapes import infer
from archcalc.arith import substitute
from archcalc.arith.symbolic import Expr, symbol
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Repeat, Tap
from archcalc.layers.core import InputLayer
from archcalc.layers.window import Taps, Whole, Window
from tests.analyses.fields.toy import Toy, a_read, elementwise

# fields of a block that reads a whole axis are exact from its second copy on
COPIES = (2, 3, 5)
FIGURES = ("size", "min_size", "local_size", "offset", "stride", "is_global")


class Row(NamedTuple):
    """A layer whose inputs are earlier layers of its part; -1 is the input of the part."""

    out: tuple[int, ...]
    reads: tuple[Window, ...]
    inputs: tuple[int, ...]


class Drawn(NamedTuple):
    """A network of three parts, the second of which is repeated; `steady`: with windows of stride 1 only."""

    shape: tuple[int, ...]
    before: list[Row]
    block: list[Row]
    after: list[Row]
    steady: bool

    def graph(self, copies: int) -> tuple[Graph, list[str]]:
        """The network with this number of copies, and the names of the layers from the last copy on."""
        nodes: list[Any] = [("x", InputLayer(shape=self.shape), [])]

        def put(part: str, rows: Sequence[Row]) -> list[str]:
            names = [nodes[-1][0]]
            for k, row in enumerate(rows):
                names.append(f"{part}{k}")
                nodes.append(
                    (names[-1], Toy(out=row.out, reads=row.reads), [names[i + 1] for i in row.inputs])
                )
            return names[1:]

        put("before", self.before)
        for copy in range(copies):
            last = put(f"block{copy}_", self.block)
        after = put("after", self.after)
        return Graph.of("toy", nodes, [nodes[-1][0]]), [*last, *after]

    def repeated(self) -> Graph:
        """The network with n copies, represented by one."""
        graph, _ = self.graph(1)
        first = 1 + len(self.before)
        last = first + len(self.block) - 1
        repeat = Repeat(first, last, Tap(first - 1), Tap(last), symbol("n"))
        return dataclasses.replace(graph, repeats=(repeat,), symbols={"n": None})


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    rank = draw(st.sampled_from([1, 1, 2]))
    sides = tuple(draw(st.integers(1, 9)) for _ in range(rank))
    steady = draw(st.booleans())

    def taps(axis: int) -> Taps:
        count, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        return Taps(axis, 1, draw(st.integers(-3, 3)), count, dilation)

    def part(size: int, before: tuple[int, ...], end: tuple[int, ...] | None, *, plain: bool) -> list[Row]:
        rows: list[Row] = []
        for k in range(size):
            inputs = [k - 1]
            if k and draw(st.booleans()):
                inputs.append(draw(st.integers(-1, k - 1)))
            if len(inputs) == 1 and not draw(st.integers(0, 3)):
                same = before if k == 0 else rows[k - 1].out[:-1]
                rows.append(Row((*same, 1), (elementwise(rank + 1),), (k - 1,)))
                continue
            out = tuple(draw(st.integers(1, 8)) for _ in range(rank)) if end is None else end
            windows = []
            for i in inputs:
                read_from = before if i < 0 else rows[i].out[:-1]
                reads = [
                    taps(a)
                    if plain or draw(st.integers(0, 3))
                    else a_read(read_from[a], a, out[a], False, False, False)
                    for a in range(rank)
                ]
                windows.append((*(r if isinstance(r, Taps) else draw(r) for r in reads), Whole()))
            rows.append(Row((*out, 1), tuple(windows), tuple(inputs)))
        return rows

    before = part(draw(st.integers(0, 2)), sides, None, plain=False)
    read = before[-1].out[:-1] if before else sides
    block = part(draw(st.integers(1, 3)), read, read, plain=steady)
    after = part(draw(st.integers(0, 2)), read, None, plain=False)
    network = Drawn((*sides, 1), before, block, after, steady)
    note("\n".join(f"{n.name} {getattr(n.layer, 'reads', '')}" for n in network.graph(1)[0].nodes))
    return network


def at(figure: Any, n: int) -> Any:
    return substitute(figure, {"n": n}) if isinstance(figure, Expr) else figure


@given(drawn())
def test_fields_are_those_of_the_last_copy(network: Drawn) -> None:
    general = network.repeated()
    with arith.scope():
        rows = fields(general, infer(general), "none")[1 + len(network.before) :]
    for n in (1, *COPIES) if network.steady else COPIES:
        graph, names = network.graph(n)
        plain = dict(
            zip([node.name for node in graph.nodes], fields(graph, infer(graph), "none"), strict=True)
        )
        for k, (name, row) in enumerate(zip(names, rows, strict=True)):
            symbolic, copied = row["x"], plain[name]["x"]
            assert (symbolic is None) == (copied is None)
            if symbolic is None or copied is None:
                continue
            for figure in FIGURES:
                for value, expected in zip(getattr(symbolic, figure), getattr(copied, figure), strict=True):
                    if isinstance(value, Unknown):
                        assert not (network.steady and not network.before and k < len(network.block)), figure
                    elif value is not None or figure not in ("is_global", "stride"):
                        assert at(value, n) == expected, (figure, name)


@given(drawn())
def test_spreads_are_those_of_the_last_copy(network: Drawn) -> None:
    general = network.repeated()
    with arith.scope():
        rows = effective_fields(general, infer(general))[1 + len(network.before) :]
    for n in COPIES:
        graph, names = network.graph(n)
        shapes = infer(graph)
        plain = dict(zip([node.name for node in graph.nodes], effective_fields(graph, shapes), strict=True))
        for name, row in zip(names, rows, strict=True):
            symbolic, copied = row["x"], plain[name]["x"]
            if symbolic is None or copied is None:
                assert symbolic is copied
                continue
            for value, expected in zip(symbolic.variance, copied.variance, strict=True):
                if isinstance(value, Unknown):
                    continue
                if isinstance(value, Expr):
                    value = at(value * value.denominator, n) / value.denominator
                assert not isinstance(expected, Unknown)
                assert isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9), name
