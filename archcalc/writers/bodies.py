"""A graph as bodies: layers, and uses of blocks that have bodies of their own.

Names say which nodes belong together: `stem/a` and `stem/b` are the block use `stem`,
`body[1]/a`, `body[2]/a` two copies of a block that is repeated, `body[*]/a` one that is
repeated a symbolic number of times. What a spec cannot express is taken apart again, and a dot
replaces the slash in its names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from archcalc.graph import Graph, Node, Repeat, Tap
from archcalc.graph.substitution import EACH
from archcalc.readers.names import fault_of_name

# blocks inside blocks; the reader stops at 16
MAX_DEPTH = 12

_COPY = re.compile(r"(.*)\[([1-9][0-9]*)\]", re.DOTALL)


@dataclass
class Leaf:
    """One node, under its name inside the body."""

    name: str
    node: int


@dataclass
class Use:
    """A block use: one body, or the bodies of all copies; `count` is None, an integer or symbolic.

    `twin` is the earlier use with which this one shares all its weights.
    """

    name: str
    copies: list[Body]
    count: Any = None
    twin: Use | None = None


@dataclass
class Body:
    """Items in order, and the outside tensors that they read.

    In a repeat the first input of a copy is the output of the copy before.
    """

    items: list[Leaf | Use] = field(default_factory=list)
    inputs: list[Tap] = field(default_factory=list)

    def nodes(self) -> Iterator[int]:
        """Every node inside, in order."""
        for item in self.items:
            if isinstance(item, Leaf):
                yield item.node
            else:
                for copy in item.copies:
                    yield from copy.nodes()

    @property
    def last(self) -> int:
        """The node that a reference to the whole body means."""
        item = self.items[-1]
        return item.node if isinstance(item, Leaf) else item.copies[-1].last


def bodies(graph: Graph) -> Body:
    """The whole network as a body, whose inputs are the graph's."""
    inputs = set(graph.inputs)
    nodes = [i for i in range(len(graph.nodes)) if i not in inputs]
    grouping = _Grouping(graph)
    body = Body(grouping.items([(graph.nodes[i].name, i) for i in nodes]), [Tap(i) for i in graph.inputs])
    grouping.settle(body)
    return body


class _Grouping:
    """Groups nodes by their names; a group that a spec cannot express becomes single layers again."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # of regions with the same nodes the inner one comes first
        self.regions: dict[tuple[int, int], list[Repeat]] = {}
        for region in graph.repeats:
            self.regions.setdefault((region.first, region.last), []).append(region)

    # -- by name ---------------------------------------------------------------------------------
    def items(self, named: Sequence[tuple[str, int]], depth: int = 0) -> list[Leaf | Use]:
        """The layers and block uses of one body, from names."""
        runs: list[tuple[str, list[tuple[str, int]]]] = []
        for name, node in named:
            head, slash, rest = name.partition("/")
            if slash and runs and runs[-1][0] == f"{head}/":
                runs[-1][1].append((rest, node))
            else:
                runs.append((f"{head}/" if slash else name, [(rest if slash else name, node)]))
        heads = [head.removesuffix("/") for head, _ in runs]
        counts = Counter(heads)
        taken: set[str] = set()
        items: list[Leaf | Use] = []
        for (head, members), plain in zip(runs, heads, strict=True):
            once = counts[plain] == 1 and fault_of_name(plain) is None
            if once and head.endswith("/") and depth < MAX_DEPTH:
                body = Body(self.items(members, depth + 1))
                items.append(Use(plain, [body]))
                taken.add(plain)
            else:
                for rest, node in members:
                    name = rest if head == rest else f"{head}{rest}"
                    items.append(Leaf(free_name(legal_name(name), taken), node))
        return self._copies(items)

    def _copies(self, items: list[Leaf | Use]) -> list[Leaf | Use]:
        """Uses named `body[1]`, `body[2]`, ... in a row, merged into one use; `settle` checks it."""
        merged: list[Leaf | Use] = []
        for item in items:
            match = _COPY.fullmatch(item.name) if isinstance(item, Use) else None
            before = merged[-1] if merged else None
            if match and isinstance(item, Use) and match[2] == "1" and _free(match[1], items):
                merged.append(Use(match[1], list(item.copies), 1))
            elif (
                match
                and isinstance(item, Use)
                and isinstance(before, Use)
                and before.count == int(match[2]) - 1
                and before.name == match[1]
            ):
                before.copies += item.copies
                before.count += 1
            else:
                merged.append(item)
        return merged

    # -- what a spec can express -------------------------------------------------------------------
    def settle(self, body: Body) -> None:
        """Set the inputs of every body inside; take apart what a spec cannot express."""
        while True:
            wrong = self._first_wrong(body)
            if wrong is None:
                return
            self._take_apart(body, wrong)

    def _first_wrong(self, body: Body) -> Use | None:
        before: list[Use] = []
        for item in body.items:
            if isinstance(item, Leaf):
                continue
            for copy in item.copies:
                wrong = self._first_wrong(copy)
                if wrong is not None:
                    return wrong
                copy.inputs = outside_taps(self.graph, copy)
            if not self._is_sound(item, before):
                return item
            before.append(item)
        return None

    def _is_sound(self, use: Use, before: Sequence[Use]) -> bool:
        if not all(copy.inputs for copy in use.copies):
            return False
        if not _repeats_soundly(self.graph, use, self.regions):
            return False
        return self._shares_soundly(use, before)

    def _shares_soundly(self, use: Use, before: Sequence[Use]) -> bool:
        """Whether weights are shared only inside each copy, or all of them with one earlier use."""
        nodes = [i for copy in use.copies for i in copy.nodes()]
        inside = set(nodes)
        owners = [self.graph.nodes[i].shared_with for i in nodes]
        if all(owner is None or owner in inside for owner in owners):
            return all(self._shares_inside(copy) for copy in use.copies)
        for other in before:
            if other.twin is None and owners == self._owners(other) and same_form(self.graph, use, other):
                use.twin = other
                return True
        return False

    def _owners(self, use: Use) -> list[int]:
        nodes = [i for copy in use.copies for i in copy.nodes()]
        owners = [self.graph.nodes[i].shared_with for i in nodes]
        return [i if owner is None else owner for i, owner in zip(nodes, owners, strict=True)]

    def _shares_inside(self, body: Body) -> bool:
        inside = set(body.nodes())
        return all(
            self.graph.nodes[i].shared_with is None or self.graph.nodes[i].shared_with in inside
            for i in body.nodes()
        )

    def _take_apart(self, body: Body, wrong: Use) -> None:
        """Replace a use by its contents, under longer names."""
        for item in list(body.items):
            if isinstance(item, Leaf):
                continue
            if item is not wrong:
                for copy in item.copies:
                    self._take_apart(copy, wrong)
                continue
            index = body.items.index(item)
            taken = {i.name for i in body.items if i is not item}
            contents: list[Leaf | Use] = []
            if len(item.copies) > 1 or item.count == 1:
                # copies that differ become separate uses
                contents = [
                    Use(free_name(f"{item.name}[{k}]", taken), [copy])
                    for k, copy in enumerate(item.copies, start=1)
                ]
            else:
                for inner in item.copies[0].items:
                    inner.name = free_name(f"{item.name}.{inner.name}", taken)
                    contents.append(inner)
            body.items[index : index + 1] = contents


def _free(name: str, items: Iterable[Leaf | Use]) -> bool:
    """Whether a use may have this name: its copies are then called `name[1]`, `name[2]`, ..."""
    return fault_of_name(name) is None and all(
        item.name != name and not (isinstance(item, Leaf) and item.name.startswith(f"{name}["))
        for item in items
    )


def _repeats_soundly(graph: Graph, use: Use, regions: dict[tuple[int, int], list[Repeat]]) -> bool:
    """Whether copies are equal and each reads the one before as one input; moves that input to the front."""
    first = use.copies[0]
    nodes = list(first.nodes())
    around = regions.get((nodes[0], nodes[-1]), []) if use.name.endswith(EACH) else []
    if around:
        region = around[0]
        if region.source not in first.inputs or region.out != Tap(first.last):
            return False
        around.pop(0)
        first.inputs.remove(region.source)
        first.inputs.insert(0, region.source)
        use.name, use.count = use.name.removesuffix(EACH), region.count
        return True
    if use.count is None or len(use.copies) == 1:
        return True
    links = []
    for before, copy in zip(use.copies, use.copies[1:], strict=False):
        if Tap(before.last) not in copy.inputs:
            return False
        links.append(copy.inputs.index(Tap(before.last)))
    link = links[0]
    if any(k != link for k in links):
        return False
    for copy in use.copies:
        if len(copy.inputs) <= link:
            return False
        copy.inputs.insert(0, copy.inputs.pop(link))
    return all(
        copy.inputs[1:] == first.inputs[1:] and same_body(graph, first, copy) for copy in use.copies[1:]
    )


# -- comparing -----------------------------------------------------------------------------------
def outside_taps(graph: Graph, body: Body) -> list[Tap]:
    """The outside tensors that a body's nodes read, in order of first use."""
    inside = set(body.nodes())
    return list(dict.fromkeys(t for i in body.nodes() for t in graph.nodes[i].reads if t.node not in inside))


def same_form(graph: Graph, a: Use, b: Use) -> bool:
    """Whether two uses differ only in their names, their inputs and the owners of weights."""
    return (
        len(a.copies) == len(b.copies)
        and str(a.count) == str(b.count)
        and all(
            form(graph, x, owners=False) == form(graph, y, owners=False)
            for x, y in zip(a.copies, b.copies, strict=True)
        )
    )


def same_body(graph: Graph, a: Body, b: Body) -> bool:
    """Whether two bodies have the same items, names, arguments and wiring."""
    return bool(form(graph, a) == form(graph, b))


def form(graph: Graph, body: Body, *, owners: bool = True) -> Any:
    """A body's items with references numbered inside it: equal for equal bodies."""
    index = {node: k for k, node in enumerate(body.nodes())}
    outside = {tap: k for k, tap in enumerate(body.inputs)}

    def read(tap: Tap) -> Any:
        if tap.node in index:
            return ("in", index[tap.node], tap.output)
        return ("out", outside.get(tap, -1))

    def owner(node: int | None) -> int | None:
        return index.get(node, -1) if owners and node is not None else None

    def items(inner: Body) -> Any:
        forms: list[Any] = []
        for item in inner.items:
            if isinstance(item, Leaf):
                node = graph.nodes[item.node]
                reads = tuple(map(read, node.reads))
                forms.append(
                    (item.name, _arguments(node.layer), reads, owner(node.shared_with), masks_form(node))
                )
            else:
                copies = tuple(items(copy) for copy in item.copies)
                forms.append((item.name, str(item.count), copies))
        return tuple(forms)

    return items(body)


def masks_form(node: Node) -> Any:
    """The masks of a call without their tensors, which follow its inputs in `node.reads`."""
    return [[m.argument, [t is None for t in m.taps], m.several] for m in node.masks]


def _arguments(layer: Any) -> str:
    return f"{type(layer).__name__} {sorted((k, repr(v)) for k, v in layer.keras_arguments().items())}"


# -- names ---------------------------------------------------------------------------------------
def legal_name(name: str) -> str:
    """A name that a spec accepts: dots for slashes, no outer spaces, only printable characters."""
    legal = name.replace("/", ".").strip()
    if fault_of_name(legal) is None:
        return legal
    legal = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in legal)
    legal = legal[:200].strip()
    return legal if fault_of_name(legal) is None else "layer"


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the first of `name_2`, `name_3`, ... that is free; adds it to `taken`."""
    free, number = name, 2
    while free in taken:
        free = f"{name}_{number}"
        number += 1
    taken.add(free)
    return free


def free_use_name(name: str, taken: set[str]) -> str:
    """Like `free_name`, for a use whose copies will be called `name[1]`, `name[2]`, ..."""
    free, number = name, 2
    while free in taken or any(other.startswith(f"{free}[") for other in taken):
        free = f"{name}_{number}"
        number += 1
    taken.add(free)
    return free
