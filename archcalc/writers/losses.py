"""What a conversion cannot keep, in words, and which layers it names anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcalc.graph import Graph

# their layers inside are hidden from the configuration, so that Keras's reader of an archive has them trained
_HIDE_LAYERS = ("MultiHeadAttention", "GroupQueryAttention", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")


def losses(graph: Graph, form: str) -> list[str]:
    """One sentence for each thing that `spec`, `python` or `keras` is without."""
    found = [f"not kept: {what}" for what in graph.left_out]
    if form == "spec":
        return found
    inputs = set(graph.inputs)
    leading = graph.leading_to_outputs() | inputs
    dead = [node.name for i, node in enumerate(graph.nodes) if i not in leading]
    if dead:
        found.append(
            f"{_named(dead)} to no output: Keras's model is without {'it' if len(dead) == 1 else 'them'}"
        )
    if form == "python":
        return found
    flags = [n.name for n in graph.nodes if n.layer.trained and n.shared_with is None]
    if flags:
        found.append(f"an archive does not hold which single weights are trained (of {_listed(flags)})")
    adapted = [n.name for n in graph.nodes if getattr(n.layer, "lora", None) and n.shared_with is None]
    if adapted:
        found.append(f"an archive does not hold adapters inside attention (of {_listed(adapted)})")
    frozen = [n.name for n in graph.nodes if not n.layer.trainable and type(n.layer).__name__ in _HIDE_LAYERS]
    if frozen:
        found.append(
            f"Keras reads the weights inside {_listed(frozen)} as trained: set its trainable to False again"
        )
    return found


def renamed(names: Mapping[str, str]) -> str:
    """Which layers have other names than before; empty if none has."""
    changed = [(old, new) for old, new in names.items() if old != new]
    if not changed:
        return ""
    old, new = changed[0]
    return f"{len(changed)} of {len(names)} layers have new names ({old} is {new})"


def _named(names: Sequence[str]) -> str:
    return f"{_listed(names)} lead{'s' if len(names) == 1 else ''}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more
