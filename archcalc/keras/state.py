"""The state of a layer that is built, which its constructor and its configuration do not hold.

Which weights are trained, down to single variables, and LoRA adapters inside attention layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from archcalc import arith
from archcalc.analyses import shapes
from archcalc.errors import LayerError
from archcalc.graph import Graph
from archcalc.layers.attention import PROJECTIONS
from archcalc.layers.base import Layer, Weight
from archcalc.layers.opaque import Opaque
from archcalc.layers.parameter import Parameter


def set_state(layer: Any, declared: Layer) -> None:
    """Bring a layer into its declared state, once it has weights; raises `LayerError` for unknown names."""
    for name, stated in (getattr(declared, "lora", None) or {}).items():
        rank, alpha = (stated["rank"], stated["alpha"]) if isinstance(stated, dict) else (stated, None)
        getattr(layer, PROJECTIONS[name]).enable_lora(rank, lora_alpha=alpha)
    if not declared.trainable:
        # set again: layers that are created inside another one when it is built do not have the flag
        # yet; and True first, because TensorFlow ignores an assignment of the same value
        layer.trainable = True
        layer.trainable = False
    if declared.trained:
        weights = {w.path.partition("/")[2] or w.name: w for w in layer.weights}
        for name, trained in declared.trained.items():
            if name not in weights:
                raise LayerError(f"trained: Keras's layer has no weight {name!r}, only {', '.join(weights)}")
            weights[name].trainable = trained


def adapters(layer: Any) -> dict[str, Any]:
    """The LoRA adapters of an attention layer's projections, as its declaration states them."""
    found = {}
    for name, attribute in PROJECTIONS.items():
        part: Any = getattr(layer, attribute, None)
        rank = getattr(part, "lora_rank", None)
        if rank:
            found[name] = {"rank": rank, "alpha": part.lora_alpha}
    return found


def with_flags(
    graph: Graph, variables: Mapping[int, Sequence[Any]], trained: set[int], *, resized: bool = False
) -> Graph | None:
    """The graph with the weights trained that are in the model; None where it declares other weights.

    `variables` holds those of each node's layer in Keras's order, `trained` the ids of all that the
    model trains. `resized`: the graph has another input, so that its weights have other sizes.
    """
    nodes = list(graph.nodes)
    with arith.scope():
        inferred = shapes.infer(graph)
        for i, found in variables.items():
            node = nodes[i]
            if node.shared_with is not None or isinstance(node.layer, Opaque | Parameter):
                continue
            # as they are trained by the rule: a built-in cell has the flag of its layer
            plain: Any = replace(node.layer, trainable=True, trained=None)
            declared = plain.weights(*graph.input_shapes(inferred, node))
            if not _agree(declared, found, resized):
                return None
            nodes[i] = replace(node, layer=_flagged(node.layer, declared, [id(v) in trained for v in found]))
    return replace(graph, nodes=tuple(nodes))


def _agree(declared: Sequence[Weight], found: Sequence[Any], resized: bool) -> bool:
    return len(declared) == len(found) and all(
        len(w.shape) == len(v.shape)
        and all(resized or type(n) is not int or n == m for n, m in zip(w.shape, v.shape, strict=True))
        for w, v in zip(declared, found, strict=True)
    )


def _flagged(layer: Any, declared: Sequence[Weight], flags: Sequence[bool]) -> Layer:
    """The layer with these flags: `trainable` for all of them, and `trained` for those that differ."""
    trainable = any(flags) or (layer.trainable and not any(w.trainable for w in declared))
    others = {
        w.name: flag for w, flag in zip(declared, flags, strict=True) if flag != (trainable and w.trainable)
    }
    if trainable == layer.trainable and (others or None) == layer.trained:
        return layer  # type: ignore[no-any-return]
    return replace(layer, trainable=trainable, trained=others or None)  # type: ignore[no-any-return]
