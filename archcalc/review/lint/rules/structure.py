"""AC6xx: how layers are joined."""

from __future__ import annotations

from archcalc.layers import primitives as prim
from archcalc.report.rule import Offence
from archcalc.review.lint.declare import Found, dense, layer, rule, spec
from archcalc.review.lint.network import KERNELS, Network, number


@rule(
    "AC601",
    "info",
    why="All that the layers after it learn must pass through a single number for each sample or position.",
    sure="Often; a code of one number may be meant.",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), 6.4.1 (width and what can be represented)",
    faulty=spec((8,), dense(1, "sigmoid"), dense(3)),
    mended=spec((8,), dense(8, "sigmoid"), dense(3)),
)
def hidden_layer_of_one_unit(net: Network) -> Found:
    """A hidden layer of one unit."""
    for part in net.kernels:
        narrow = number(net.shapes[part.node][0][-1]) == 1 and isinstance(part.primitive, prim.Matrix)
        if narrow and any(isinstance(p.primitive, KERNELS) for p in net.after(part)):
            yield Offence(part.node, "one unit, through which all that follows is computed", "more units")


@rule(
    "AC602",
    "warning",
    why="A sum of a tensor with itself is twice that tensor, a difference zero, a concatenation the "
    "same channels twice: one of the inputs was meant to be another.",
    sure="Nearly always. Products are left alone: a square may be meant.",
    source="Keras, documentation of merging layers, keras.io/api/layers/merging_layers",
    faulty=spec(
        (8,),
        dense(8, "relu", name="a"),
        dense(8, "relu", name="b"),
        layer("Add", inputs=["b", "b"]),
        dense(1),
    ),
    mended=spec(
        (8,),
        dense(8, "relu", name="a"),
        dense(8, "relu", name="b"),
        layer("Add", inputs=["a", "b"]),
        dense(1),
    ),
)
def merged_with_itself(net: Network) -> Found:
    """A merge that reads the same tensor twice."""
    for i in net.nodes:
        taps = net.graph.nodes[i].inputs
        merge = next((p.primitive for p in net.parts[i] or () if isinstance(p.primitive, prim.Merge)), None)
        kinds = ("add", "average", "maximum", "minimum", "concatenate")
        if merge is not None and merge.kind in kinds and len(set(taps)) < len(taps):
            twice = next(t for t in taps if taps.count(t) > 1)
            yield Offence(i, f"reads {net.name(twice.node)!r} twice", "the tensor that was meant")
