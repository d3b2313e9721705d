"""Which block uses share one block, and which sizes become its parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.arith.expressions import is_symbol_name
from archcalc.graph import Graph, Tap
from archcalc.writers.arguments import Arguments, states_arguments
from archcalc.writers.bodies import Body, Leaf, Use, masks_form

MAX_PARAMETERS = 6
RESERVED = ("name", "block", "inputs", "masks", "repeat", "type", "shared_with")


@dataclass
class Block:
    """One block: a body that represents all its uses.

    `columns` has the key of every size inside, `rows` the sizes of each use, and `written` what the
    spec writes in each column: a size, or an expression of the parameters.
    """

    name: str
    body: Body
    inputs: list[str]
    columns: list[str]
    rows: list[list[Any]] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    written: list[Any] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)  # the column whose size each parameter takes


class Blocks:
    """All blocks of a network; a block comes after the blocks inside it."""

    def __init__(self, graph: Graph, arguments: Sequence[Arguments | None], symbols: Iterable[str]) -> None:
        self.graph = graph
        self.arguments = arguments
        self.symbols = set(symbols)
        self.ordered: list[Block] = []
        self.of_body: dict[int, tuple[Block, list[Any]]] = {}  # by id of the body
        self._by_form: dict[str, Block] = {}
        self._names: set[str] = set()
        self._literal: set[str] = set()

    def collect(self, body: Body) -> None:
        """Find the blocks of all uses inside a body, and choose their parameters."""
        while True:
            self._scan(body)
            crowded = [f for f, block in self._by_form.items() if _groups(block) > MAX_PARAMETERS]
            if not crowded:
                break
            # uses that have too little in common: each set of sizes gets its own block
            self._literal.update(crowded)
            self.ordered, self.of_body, self._by_form, self._names = [], {}, {}, set()
        for block in self.ordered:
            _settle(block, self.symbols)

    def _scan(self, body: Body) -> None:
        for item in body.items:
            if isinstance(item, Use) and item.twin is None:
                self._scan(item.copies[0])
                self._add(item)

    def _add(self, use: Use) -> None:
        body = use.copies[0]
        form, columns, row = self._described(body)
        key = json.dumps(form, sort_keys=True, default=str)
        if key in self._literal:
            key += json.dumps(row, default=str)
        block = self._by_form.get(key)
        if block is None:
            block = Block(self._name(use), body, input_names(body), columns)
            self._by_form[key] = block
            self.ordered.append(block)
        block.rows.append(row)
        self.of_body[id(body)] = (block, row)

    def _described(self, body: Body) -> tuple[Any, list[str], list[Any]]:
        """A body without its sizes; the key of each size; the sizes."""
        index = {node: k for k, node in enumerate(body.nodes())}
        outside = {tap: k for k, tap in enumerate(body.inputs)}
        columns: list[str] = []
        row: list[Any] = []

        def read(tap: Tap) -> Any:
            if tap.node in index:
                return ["in", index[tap.node], tap.output]
            return ["out", outside[tap]]

        form: list[Any] = [len(body.inputs)]
        for item in body.items:
            if isinstance(item, Leaf):
                node = self.graph.nodes[item.node]
                arguments = self.arguments[item.node]
                assert arguments is not None
                owner = None if node.shared_with is None else index[node.shared_with]
                reads = [read(t) for t in node.reads]
                form.append([item.name, arguments.pattern, reads, owner, masks_form(node)])
                if states_arguments(self.graph, node):
                    columns.extend(key for key, _ in arguments.sizes)
                    row.extend(size for _, size in arguments.sizes)
                continue
            inner = item.copies[0]
            if item.twin is not None:
                twin = next(k for k, other in enumerate(body.items) if other is item.twin)
                form.append([item.name, "twin", twin, [read(t) for t in inner.inputs]])
                continue
            block, sizes = self.of_body[id(inner)]
            count = str(item.count)
            form.append([item.name, id(block), count, [read(t) for t in inner.inputs]])
            columns.extend(block.columns)
            row.extend(sizes)
        return form, columns, row

    def _name(self, use: Use) -> str:
        """A block's name: that of its first use, without numbers."""
        plain = re.sub(r"\[[^\]]*\]|[0-9]+$", "", use.name).rstrip("_.- ") or "block"
        name, number = plain, 2
        while name in self._names:
            name = f"{plain}_{number}"
            number += 1
        self._names.add(name)
        return name


def input_names(body: Body) -> list[str]:
    """Names for a block's inputs: `input`, then `skip`, `skip_2`, ..."""
    taken = {item.name for item in body.items}
    names: list[str] = []
    for k in range(len(body.inputs)):
        plain = "input" if k == 0 else "skip"
        name, number = plain, 2
        while name in taken:
            name = f"{plain}_{number}"
            number += 1
        taken.add(name)
        names.append(name)
    return names


# -- parameters ----------------------------------------------------------------------------------
def _varying(block: Block) -> dict[tuple[str, ...], list[int]]:
    """Columns whose sizes differ among uses, grouped where they always agree."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for k in range(len(block.columns)):
        column = tuple(str(row[k]) for row in block.rows)
        if len(set(column)) > 1:
            groups.setdefault(column, []).append(k)
    return groups


def _groups(block: Block) -> int:
    return len(_varying(block))


def _settle(block: Block, symbols: set[str]) -> None:
    """Name the parameters, smallest sizes first, and express every column by them."""
    block.written = list(block.rows[0])
    groups = _varying(block)
    taken = {*symbols, *RESERVED}
    bases: list[tuple[str, list[int]]] = []  # parameter, its sizes in all uses

    def order(columns: list[int]) -> tuple[int, int]:
        size = block.rows[0][columns[0]]
        return (size if isinstance(size, int) else 0, columns[0])

    for columns in sorted(groups.values(), key=order):
        sizes = [row[columns[0]] for row in block.rows]
        text = _multiple(sizes, bases)
        if text is None:
            text = _parameter(block.columns[columns[0]], taken)
            block.parameters.append(text)
            block.sources.append(columns[0])
            bases.append((text, sizes))
        for k in columns:
            block.written[k] = text


def _multiple(sizes: list[Any], bases: list[tuple[str, list[int]]]) -> str | None:
    """`4*filters` if all sizes are the same multiple of a parameter, else None."""
    for name, base in bases:
        if not all(
            isinstance(n, int) and isinstance(b, int) and b > 0 and n % b == 0
            for n, b in zip(sizes, base, strict=True)
        ):
            continue
        factors = {n // b for n, b in zip(sizes, base, strict=True)}
        if len(factors) == 1 and 1 < next(iter(factors)) <= 64:
            return f"{factors.pop()}*{name}"
    return None


def _parameter(key: str, taken: set[str]) -> str:
    plain = key if is_symbol_name(key) else "size"
    name, number = plain, 2
    while name in taken:
        name = f"{plain}_{number}"
        number += 1
    taken.add(name)
    return name
