"""Finds where a network repeats itself: runs of layers that are alike become uses of blocks.

Layers are alike if they have the same types, arguments (sizes left out) and wiring. Consecutive
copies that also have the same sizes and feed one another become one `repeat`; others become uses
of one block with parameters. Layers are named after their block use and their name inside the
block (`block1_conv2` becomes `block1/conv2`).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from archcalc.graph import Graph, Tap
from archcalc.readers.names import fault_of_name
from archcalc.writers.arguments import Arguments
from archcalc.writers.bodies import (
    Body,
    Leaf,
    Use,
    free_name,
    free_use_name,
    legal_name,
    masks_form,
    outside_taps,
)

MAX_PERIOD = 400
MAX_ALIGNMENTS = 40
MAX_CANDIDATES = 300
MIN_SINGLE = 4  # single layers in a row that are worth a repeat
MIN_BLOCK = 3  # layers of a block whose uses are apart


@dataclass(frozen=True)
class Span:
    """Items `start..stop` of a body."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def fold(graph: Graph, body: Body, arguments: Sequence[Arguments | None]) -> None:
    """Fold a body and all bodies inside it, in place."""
    for item in body.items:
        if isinstance(item, Use):
            for copy in item.copies:
                fold(graph, copy, arguments)
    _Folding(graph, body, arguments).run()


class _Folding:
    def __init__(self, graph: Graph, body: Body, arguments: Sequence[Arguments | None]) -> None:
        self.graph = graph
        self.body = body
        self.arguments = arguments
        self.items = list(body.items)
        self.index = {item.node: k for k, item in enumerate(self.items) if isinstance(item, Leaf)}
        keys: dict[str, int] = {}
        self.keys = [self._key(item, k, keys) for k, item in enumerate(self.items)]
        self.free = [isinstance(item, Leaf) for item in self.items]
        self._forms: dict[Span, Hashable | None] = {}

    def _key(self, item: Leaf | Use, number: int, keys: dict[str, int]) -> int:
        """A number that is equal for layers that are alike; a block use equals nothing else."""
        arguments = self.arguments[item.node] if isinstance(item, Leaf) else None
        return -1 - number if arguments is None else keys.setdefault(arguments.pattern, len(keys))

    def run(self) -> None:
        runs = self._runs()
        classes: dict[Hashable, list[Span]] = {}
        for spans in runs:
            classes.setdefault(self.form(spans[0]), []).extend(spans)
        self._look_elsewhere(classes)
        self._rebuild(classes)

    # -- runs of copies ------------------------------------------------------------------------------
    def _runs(self) -> list[list[Span]]:
        """Runs of copies, chosen by their names and by the lines they save; marks their items as taken."""
        promising = sorted(self._candidates(), key=lambda c: -_gain(c[2] // c[1] + 1, c[1], 1))
        ranked = []
        for start, period, length in promising[:MAX_CANDIDATES]:
            spans = self._aligned(start, start + period + length, period)
            if spans:
                gain = _gain(len(spans), period, len(self._groups(spans)))
                ranked.append((self._together(spans) < len(spans), -gain, period, start, length))
        chosen: list[list[Span]] = []
        for _, _, period, start, length in sorted(ranked):
            # what earlier choices left of this run
            stretch = [k for k in range(start, start + period + length) if self.free[k]]
            for first, last in _stretches(stretch):
                spans = self._aligned(first, last + 1, period)
                if spans and self._worth(spans):
                    chosen.append(spans)
                    for span in spans:
                        self._take(span)
        return chosen

    def _together(self, spans: list[Span]) -> int:
        """How many copies have names with a common beginning that differs from the copy before."""
        prefixes = [self._prefix(span) for span in spans]
        return sum(bool(p) and (k == 0 or p != prefixes[k - 1]) for k, p in enumerate(prefixes))

    def _candidates(self) -> Iterator[tuple[int, int, int]]:
        """(start, period, number of items that equal the one a period later)."""
        n = len(self.items)
        for period in range(1, min(n // 2, MAX_PERIOD) + 1):
            length = 0
            for k in range(n - period + 1):
                if k < n - period and self._alike(k, k + period, period):
                    length += 1
                    continue
                if length >= period:
                    yield k - length, period, length
                length = 0

    def _alike(self, a: int, b: int, period: int) -> bool:
        if self.keys[a] != self.keys[b] or self.keys[a] < 0:
            return False
        first, second = self._distances(a), self._distances(b)
        return len(first) == len(second) and all(
            x == y or (x > period and y > period) for x, y in zip(first, second, strict=True)
        )

    def _distances(self, k: int) -> list[int]:
        """How many items back each input is: the body's first input precedes item 0, others are far away."""
        distances = []
        for tap in self.graph.nodes[self._node(k)].reads:
            before = -1 if self.body.inputs[:1] == [tap] else -(1 << 30)
            distances.append(k - self.index.get(tap.node, before))
        return distances

    def _node(self, k: int) -> int:
        item = self.items[k]
        assert isinstance(item, Leaf)
        return item.node

    def _aligned(self, start: int, stop: int, period: int) -> list[Span]:
        """The copies between start and stop, from the offset at which their names fit best."""
        best: list[Span] = []
        best_score = (-1, -1)
        for shift in range(min(period, stop - start - 2 * period + 1, MAX_ALIGNMENTS)):
            first = start + shift
            spans = [Span(k, k + period) for k in range(first, stop - period + 1, period)]
            spans = self._longest_alike(spans)
            if len(spans) < 2:
                continue
            score = (len(spans), self._together(spans))
            if score > best_score:
                best, best_score = spans, score
        return best

    def _longest_alike(self, spans: list[Span]) -> list[Span]:
        best: list[Span] = []
        current: list[Span] = []
        for span in spans:
            form = self.form(span)
            if form is None:
                current = []
            elif current and form == self.form(current[-1]):
                current.append(span)
            else:
                current = [span]
            if len(current) > len(best):
                best = list(current)
        return best

    def _worth(self, spans: list[Span]) -> bool:
        period = len(spans[0])
        if period == 1:
            return len(self._groups(spans)) == 1 and len(spans) >= MIN_SINGLE
        return len(spans) * period - period - len(self._groups(spans)) >= 1

    # -- the same block elsewhere ----------------------------------------------------------------------
    def _look_elsewhere(self, classes: dict[Hashable, list[Span]]) -> None:
        for form, spans in list(classes.items()):
            if len(spans[0]) >= MIN_BLOCK:
                spans.extend(self._occurrences(form, spans[0]))
        for first, last in _stretches([k for k, free in enumerate(self.free) if free]):
            gap = Span(first, last + 1)
            form = self.form(gap) if len(gap) >= MIN_BLOCK else None
            if form is None or form in classes or not all(self.free[first : last + 1]):
                continue
            self._take(gap)
            others = self._occurrences(form, gap)
            if others:
                classes[form] = [gap, *others]
            else:
                self.free[first : last + 1] = [True] * len(gap)

    def _occurrences(self, form: Hashable, like: Span) -> list[Span]:
        """Other free spans of the same form; marks their items as taken."""
        spans: list[Span] = []
        wanted = self.keys[like.start : like.stop]
        k = 0
        while k + len(like) <= len(self.items):
            span = Span(k, k + len(like))
            if (
                self.keys[k] == wanted[0]
                and all(self.free[k : span.stop])
                and self.keys[k : span.stop] == wanted
                and self.form(span) == form
            ):
                spans.append(span)
                self._take(span)
                k = span.stop
            else:
                k += 1
        return spans

    def _take(self, span: Span) -> None:
        self.free[span.start : span.stop] = [False] * len(span)

    # -- comparing ---------------------------------------------------------------------------------
    def form(self, span: Span) -> Hashable | None:
        """The wiring inside a span; None if it cannot be a block."""
        if span not in self._forms:
            self._forms[span] = self._form(span)
        return self._forms[span]

    def _form(self, span: Span) -> Hashable | None:
        inside = {self._node(k): k - span.start for k in range(span.start, span.stop)}
        outside: dict[Tap, int] = {}
        items: list[Hashable] = []
        for k in range(span.start, span.stop):
            node = self.graph.nodes[self._node(k)]
            if node.shared_with is not None and node.shared_with not in inside:
                return None
            owner = None if node.shared_with is None else inside[node.shared_with]
            reads = tuple(
                (0, inside[t.node], t.output)
                if t.node in inside
                else (1, outside.setdefault(t, len(outside)), 0)
                for t in node.reads
            )
            items.append((self.keys[k], reads, owner, str(masks_form(node))))
        return tuple(items) if outside else None

    def _sizes(self, span: Span) -> tuple[object, ...]:
        arguments = [self.arguments[self._node(k)] for k in range(span.start, span.stop)]
        return tuple(str(size) for layer in arguments if layer is not None for _, size in layer.sizes)

    def _groups(self, spans: list[Span]) -> list[list[Span]]:
        """Consecutive copies that one `repeat` can represent."""
        groups: list[list[Span]] = []
        for span in spans:
            if groups and self._continues(groups[-1], span):
                groups[-1].append(span)
            else:
                groups.append([span])
        return groups

    def _continues(self, group: list[Span], span: Span) -> bool:
        last = group[-1]
        if last.stop != span.start or self._sizes(last) != self._sizes(span):
            return False
        first_reads, reads = self._reads(group[0]), self._reads(span)
        links = [k for k, t in enumerate(reads) if t == Tap(self._node(last.stop - 1))]
        if len(links) != 1 or len(first_reads) != len(reads):
            return False
        return all(a == b for k, (a, b) in enumerate(zip(first_reads, reads, strict=True)) if k != links[0])

    def _reads(self, span: Span) -> list[Tap]:
        return outside_taps(self.graph, Body(self.items[span.start : span.stop]))

    # -- names, and the new items --------------------------------------------------------------------
    def _prefix(self, span: Span) -> str:
        """The common beginning of a span's names, up to a separator; may be empty."""
        names = [self.items[k].name for k in range(span.start, span.stop)]
        return _common_prefix(names) if len(names) > 1 else re.sub(r"[^_.\-]*$", "", names[0])

    def _rebuild(self, classes: dict[Hashable, list[Span]]) -> None:
        folded = {k for spans in classes.values() for span in spans for k in range(span.start, span.stop)}
        taken = {item.name for k, item in enumerate(self.items) if k not in folded}
        starting: dict[int, list[Span]] = {}
        names_of: dict[Span, list[str]] = {}
        for spans in classes.values():
            spans.sort(key=lambda span: span.start)
            names = self._inner_names(spans)
            for group in self._groups(spans):
                starting[group[0].start] = group
            names_of.update(dict.fromkeys(spans, names))
        items: list[Leaf | Use] = []
        k = 0
        while k < len(self.items):
            if k not in starting:
                items.append(self.items[k])
                k += 1
                continue
            group = starting[k]
            copies = [self._body(span, names_of[span]) for span in group]
            self._feed_first(group, copies)
            count = len(group) if len(group) > 1 else None
            items.append(Use(free_use_name(self._use_name(group), taken), copies, count))
            k = group[-1].stop
        self.body.items = items

    def _body(self, span: Span, names: list[str]) -> Body:
        leaves: list[Leaf | Use] = [
            Leaf(name, self._node(k)) for name, k in zip(names, range(span.start, span.stop), strict=True)
        ]
        return Body(leaves, self._reads(span))

    def _feed_first(self, group: list[Span], copies: list[Body]) -> None:
        """Put the input that the copy before feeds first, as `repeat` requires."""
        if len(copies) > 1:
            link = copies[1].inputs.index(Tap(copies[0].last))
            for copy in copies:
                copy.inputs.insert(0, copy.inputs.pop(link))

    def _inner_names(self, spans: list[Span]) -> list[str]:
        """Names inside the block: what follows the prefix, where it is the same in every span.

        Elsewhere it is that without a number at its end, or else the layer's type.
        """
        by_span = []
        for span in spans:
            prefix = self._prefix(span)
            by_span.append([self.items[k].name[len(prefix) :] for k in range(span.start, span.stop)])
        taken: set[str] = set()
        names = []
        for k, at in enumerate(zip(*by_span, strict=True)):
            kind = _snake(type(self.graph.nodes[self._node(spans[0].start + k)].layer).__name__)
            plain = {_unnumbered(name) for name in at}
            chosen = [*([at[0]] if len(set(at)) == 1 else []), *(plain if len(plain) == 1 else [])]
            names.append(free_name(next(filter(_usable, chosen), kind), taken))
        return names

    def _use_name(self, group: list[Span]) -> str:
        prefixes = [self._prefix(span) for span in group]
        if not all(prefixes):
            return "block"
        name = prefixes[0] if len(group) == 1 else _common_prefix(prefixes, digits=False) or prefixes[0]
        return legal_name(name.rstrip("_.- ") or "block")


def _gain(copies: int, period: int, groups: int) -> float:
    """Lines that a block saves, per line of its declaration."""
    return (copies * period - period - groups) / (period + 2)


def _stretches(numbers: list[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers as (first, last)."""
    stretches: list[tuple[int, int]] = []
    for n in numbers:
        if stretches and stretches[-1][1] == n - 1:
            stretches[-1] = (stretches[-1][0], n)
        else:
            stretches.append((n, n))
    return stretches


def _common_prefix(names: list[str], *, digits: bool = True) -> str:
    first, last = min(names), max(names)
    length = next((k for k, c in enumerate(first) if k >= len(last) or c != last[k]), len(first))
    prefix = first[:length]
    return re.sub(r"[^_.\-]*$", "", prefix) if digits else prefix.rstrip("0123456789_.-")


def _unnumbered(name: str) -> str:
    """A name without the number that Keras, or a person, put at its end."""
    return re.sub(r"[_.\-]*[0-9]+$", "", name)


def _usable(name: str) -> bool:
    return bool(name) and "/" not in name and fault_of_name(name) is None


def _snake(name: str) -> str:
    """`Conv2D` as `conv2d`, `BatchNormalization` as `batch_normalization`, `ops.add` as `add`."""
    plain = name.rpartition(".")[2]
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain).lower()
