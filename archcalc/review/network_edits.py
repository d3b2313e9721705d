"""The network as somebody reads it who overlooks its padding, strides, dilation, pooling or groups.

The edited network is analysed like any other, so that every figure after the edit follows from it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.layers.base import Layer
from archcalc.report.columns import Figures
from archcalc.review.slips.catalogue import Slip, slip

Change = Callable[[Layer], Layer | None]
MOST_SINGLE = 40  # layers that are edited one by one


def _changed(layer: Layer, **arguments: Any) -> Layer | None:
    """The layer with other arguments; None where they are its own."""
    if all(getattr(layer, name) == value for name, value in arguments.items()):
        return None
    twin = copy.copy(layer)
    twin.__dict__.update(arguments)
    return twin


def _padding(to: str) -> Change:
    def change(layer: Layer) -> Layer | None:
        has = (
            getattr(layer, "padding", None) in ("valid", "same") and getattr(layer, "implementation", 2) != 1
        )
        return _changed(layer, padding=to) if has else None

    return change


def _ones(name: str, *, pooling: bool | None = None) -> Change:
    """The argument becomes 1 along all axes."""

    def change(layer: Layer) -> Layer | None:
        value = getattr(layer, name, None)
        if not isinstance(value, tuple) or (pooling is not None and hasattr(layer, "pool_size") != pooling):
            return None
        return _changed(layer, **{name: (1,) * len(value)})

    return change


def _no_pool(layer: Layer) -> Layer | None:
    size = getattr(layer, "pool_size", None)
    if not isinstance(size, tuple):
        return None
    return _changed(layer, pool_size=(1,) * len(size), strides=(1,) * len(size))


def _one_axis(layer: Layer) -> Layer | None:
    strides = getattr(layer, "strides", None)
    if not isinstance(strides, tuple) or len(strides) < 2 or hasattr(layer, "pool_size"):
        return None
    return _changed(layer, strides=(strides[0], *(1,) * (len(strides) - 1)))


def _no_margin(layer: Layer) -> Layer | None:
    if type(layer).__name__ not in ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"):
        return None
    padding: Any = getattr(layer, "padding")  # noqa: B009 - the pairs of any rank
    none = (0, 0) if isinstance(padding[0], int) else tuple((0, 0) for _ in padding)
    return _changed(layer, padding=none)


EDITS: tuple[tuple[Slip, Change], ...] = (
    (slip("padding_ignored", "there were no padding", 0.6), _padding("valid")),
    (slip("padding_assumed", "the padding kept the size", 0.7), _padding("same")),
    (slip("margin_ignored", "the layer that pads did nothing", 1.2), _no_margin),
    (slip("stride_ignored", "the stride were 1", 0.6), _ones("strides", pooling=False)),
    (slip("stride_along_one_axis", "the stride held along one axis only", 1.3), _one_axis),
    (slip("dilation_ignored", "there were no dilation", 0.6), _ones("dilation_rate")),
    (slip("pooling_ignored", "there were no pooling", 0.7), _no_pool),
    (slip("pooling_stride_ignored", "pooling had the stride 1", 1.1), _ones("strides", pooling=True)),
)


def edited_figures(of: Figures, nodes: Sequence[int]) -> Iterator[tuple[Slip, str, Figures]]:
    """The figures of each edited network: edited in all layers, and in single ones that matter."""
    before = sorted(_ancestors(of.graph, nodes))
    for edit, change in EDITS:
        changed = {i: twin for i in before if (twin := change(of.graph.nodes[i].layer)) is not None}
        if not changed:
            continue
        sets = [_with_shared(of.graph, changed)]
        if 1 < len(changed) <= MOST_SINGLE:
            sets += [_with_shared(of.graph, {i: twin}) for i, twin in changed.items()]
        for chosen in sets:
            figures = _figures(of, chosen)
            if figures is not None:
                single = chosen is not sets[0]
                yield edit, of.name[next(iter(chosen))] if single else "", figures


def _with_shared(graph: Graph, changed: dict[int, Layer]) -> dict[int, Layer]:
    """The same for the calls that share these layers: one layer is not read in two ways."""
    layers = dict(changed)
    for i, twin in changed.items():
        owner = graph.nodes[i].shared_with
        layers[i if owner is None else owner] = twin
    for j, node in enumerate(graph.nodes):
        if node.shared_with is not None and node.shared_with in layers:
            layers[j] = layers[node.shared_with]
    return layers


def _figures(of: Figures, changed: dict[int, Layer]) -> Figures | None:
    nodes = tuple(
        node.with_layer(changed[i]) if i in changed else node for i, node in enumerate(of.graph.nodes)
    )
    try:
        return Figures(replace(of.graph, nodes=nodes, origin=None), of.asked)
    except ArchcalcError:
        return None


def _ancestors(graph: Graph, nodes: Sequence[int]) -> set[int]:
    found = set(nodes)
    for i in reversed(range(len(graph.nodes))):
        if i in found:
            found |= {t.node for t in graph.nodes[i].inputs}
    return found
