"""The differences of two networks as a person would sum them up: equal changes together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.graph.quantities import TABLE
from archcalc.render.text import UNICODE, Glyphs, formula
from archcalc.report.findings import memory_in_words
from archcalc.review.diff.compare import KINDS, Change, Diff, Total, differs

BYTES = {q.name for q in TABLE if q.unit == "bytes"}
LABELS = {
    "parameters": "Parameters",
    "trainable_parameters": "Trainable",
    "macs": "MACs",
    "elementwise_operations": "Elementwise",
    "peak_activation_bytes": "Activations",
    "training_bytes": "Training",
}
NAMES = 3  # of layers that are named


def figure(value: object, quantity: str, glyphs: Glyphs = UNICODE) -> str:
    """A total as text: exact, bytes in their unit, a formula as it is."""
    if isinstance(value, AtLeast):
        return f"at least {figure(value.known, quantity, glyphs)}"
    if value is None or isinstance(value, Unknown):
        return "unknown"
    if isinstance(value, Expr):
        return formula(value, glyphs)
    if quantity in BYTES and isinstance(value, int):
        return "-" * (value < 0) + memory_in_words(abs(value))
    return f"{value:,}"


def difference(total: Total, glyphs: Glyphs = UNICODE) -> str:
    """The difference with its sign, and its share where that is a number."""
    value = total.difference
    if not differs(total):
        return "same"
    text = figure(value, total.quantity, glyphs)
    if isinstance(value, int):
        sign = "+" if value > 0 else ""
        first = total.values[0]
        share = f" ({100 * value / first:+.1f} %)" if isinstance(first, int) and first else ""
        return f"{sign}{text}{share}"
    return text


def statements(diff: Diff) -> Iterator[str]:
    """A sentence for each kind of change, the layers that it concerns together."""
    groups: dict[tuple[str, str, str], list[Change]] = {}
    for change in diff.changes:
        text = change.text if change.kind == "changed" else ""
        groups.setdefault((change.kind, change.type, text), []).append(change)
    ordered = sorted(groups.items(), key=lambda item: (KINDS.index(item[0][0]), -len(item[1])))
    for (kind, type_, text), changes in ordered:
        yield f"{_count(changes, type_)} {kind}{f' ({text})' if text else ''}: {_places(kind, changes)}"
    if diff.compiled:
        said = (
            f"{key} {'not stated' if a is None else a} to {'not stated' if b is None else b}"
            for key, a, b in diff.compiled
        )
        yield f"trained with other arguments: {', '.join(said)}"


def _count(changes: Sequence[Change], type_: str) -> str:
    return f"{len(changes)} {type_}" if len(changes) > 1 else type_


def _places(kind: str, changes: Sequence[Change]) -> str:
    texts = []
    for change in changes[:NAMES]:
        name = change.b or change.a or ""
        if kind == "renamed":
            name = f"{change.a} → {change.b}"
        elif kind in ("inserted", "removed") and len(changes) == 1:
            name += f" {change.text}"
        elif kind in ("moved", "rewired"):
            name += f" {change.text}" if len(changes) == 1 else ""
        texts.append(name)
    more = len(changes) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")
