"""The blocks that a user names for recomputation: their layers, and an order in which each runs as one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archcalc.errors import ArchcalcError, did_you_mean
from archcalc.graph import Graph, Repeat
from archcalc.graph.blocks import block_of, separator
from archcalc.graph.graph import cycle, topological_order


class Block(NamedTuple):
    """Layers that are recomputed together; every copy of the repeats `around` has such a block of its own."""

    name: str
    nodes: tuple[int, ...]
    around: tuple[Repeat, ...] = ()


def blocks(graph: Graph, names: Sequence[str]) -> tuple[Block, ...]:
    """The blocks of these names, each copy of a repeated one for itself; the smallest block is a layer.

    Raises `ArchcalcError` for other names, for blocks that have layers in common, and for those between whose
    layers others run.
    """
    found: dict[str, tuple[int, ...]] = {}
    owner: dict[int, str] = {}
    for name in names:
        for block, nodes in _named(graph, name).items():
            other = next((owner[i] for i in nodes if i in owner), None)
            if other is not None:
                raise ArchcalcError(
                    f"checkpoint: {other!r} and {name!r} have layers in common; name one of them"
                )
            owner |= dict.fromkeys(nodes, name)
            found[block] = nodes
    made = tuple(Block(name, nodes, _around(graph, name, nodes)) for name, nodes in found.items())
    contiguous(graph, range(len(graph.nodes)), made)
    return made


def _named(graph: Graph, name: str) -> dict[str, tuple[int, ...]]:
    """The layers of each block that a name means: `body` means `body[1]`, `body[2]` and so on."""
    between = separator(node.name for node in graph.nodes)
    asked = name.split(between)
    inputs = set(graph.inputs)
    named: dict[str, tuple[int, ...]] = {}
    for i, node in enumerate(graph.nodes):
        whole = node.name.count(between) == len(asked) - 1
        block = node.name if whole else block_of(node.name, len(asked), between)
        parts = block.split(between)
        means = all(a in (part, _without_number(part)) for a, part in zip(asked, parts, strict=False))
        if i not in inputs and len(parts) == len(asked) and means:
            named[block] = (*named.get(block, ()), i)
    if name in graph.index():  # a layer dense, say, and not a block dense of dense_1_a and dense_1_b
        named = {name: named[name][:1]} if name in named else {}
    if not named:
        known = list(dict.fromkeys(_known(graph, between)))
        listed = f"the blocks are {', '.join(known[:LISTED])}{', ...' if len(known) > LISTED else ''}"
        raise ArchcalcError(
            f"checkpoint: no block is named {name!r}{did_you_mean(name, known, listed if known else '')}"
        )
    return named


LISTED = 8


def _without_number(part: str) -> str:
    return re.sub(r"\[[^]]*\]$", "", part)


def _known(graph: Graph, between: str) -> Iterator[str]:
    """The names of all blocks, the outer ones first, and then those of layers."""
    inputs = set(graph.inputs)
    names = [node.name for i, node in enumerate(graph.nodes) if i not in inputs]
    for depth in range(1, max((name.count(between) for name in names), default=0) + 1):
        for name in names:
            block = block_of(name, depth, between)
            if block:
                yield between.join(map(_without_number, block.split(between)))
    yield from names


def _around(graph: Graph, name: str, nodes: Sequence[int]) -> tuple[Repeat, ...]:
    """The repeats whose copies the name speaks of: `body[*]` is one copy of body."""
    outer_first = sorted(
        (r for r in reversed(graph.repeats) if r.first <= nodes[0] <= nodes[-1] <= r.last),
        key=lambda r: r.first - r.last,
    )
    return tuple(outer_first[: name.count("[*]")])


def contiguous(graph: Graph, order: Sequence[int], blocks: Sequence[Block]) -> Sequence[int]:
    """The order, changed where needed so that each block runs as one.

    Raises `ArchcalcError` where that is not possible.
    """
    if not blocks:
        return order
    number: dict[int, int] = {}  # of each node's unit: a block, or the node for itself
    units: list[list[int]] = []
    of_block = {i: block for block in blocks for i in block.nodes}
    for i in order:
        if i not in number:
            number |= dict.fromkeys(of_block[i].nodes if i in of_block else (i,), len(units))
            units.append([])
        units[number[i]].append(i)
    parents = [
        {number[t.node] for i in unit for t in graph.nodes[i].inputs} - {n} for n, unit in enumerate(units)
    ]
    ordered = topological_order(parents)
    new = [i for n in ordered for i in units[n]]
    if len(ordered) < len(units) or (graph.repeats and new != list(order)):
        loop = [] if len(ordered) == len(units) else cycle(parents)
        names = [of_block[i].name for n in loop for i in units[n][:1] if i in of_block]
        name = names[0] if names else blocks[0].name
        raise ArchcalcError(
            f"checkpoint: {name!r} cannot run as one, because layers outside of it run between its layers; "
            "name smaller blocks"
        )
    return new
