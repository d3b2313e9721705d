"""Motifs on sequences: attention, recurrence, layers applied at each step, embeddings, crossings."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from archcalc.layers.registry import registered
from archcalc.testing.arguments import arguments

if TYPE_CHECKING:
    from archcalc.testing.strategies import Net


def sequence(net: Net, x: str) -> str:
    """The tensor as a sequence of vectors."""
    *sides, width = net.shapes[x]
    if not sides:
        return net.make("RepeatVector", x, n=net.draw(st.integers(2, 4)))
    return x if len(sides) == 1 else net.make("Reshape", x, target_shape=(prod(sides), width))


def _given(net: Net, kind: str, *inputs: str) -> dict[str, Any]:
    return arguments(net.draw, registered()[kind], tuple(net.shapes[x] for x in inputs))


def attention(net: Net, x: str) -> str:
    """A sequence that attends to itself or to another; often the block of a Transformer."""
    x = sequence(net, x)
    kind = net.draw(
        st.sampled_from(["MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"])
    )
    inputs = [x, x] if net.draw(st.booleans()) else [x, net.make("Dense", x, units=net.shapes[x][-1])]
    if net.draw(st.booleans()):
        inputs.append(net.make("Dense", x, units=net.shapes[x][-1]))
    attended = net.make(kind, *inputs, **_given(net, kind, *inputs))
    if net.shapes[attended] != net.shapes[x]:
        return attended
    y = net.make("LayerNormalization", net.make("Add", x, attended))
    if net.draw(st.booleans()):
        return y
    wide = net.make("Dense", y, units=net.draw(st.integers(1, 6)), activation="gelu")
    return net.make("Add", y, net.make("Dense", wide, units=net.shapes[y][-1]))


def recurrence(net: Net, x: str) -> str:
    """A recurrent layer over a sequence of vectors, or of images if there are enough axes."""
    rank = len(net.shapes[x]) - 1
    if rank == 3 or (1 <= rank < 3 and net.draw(st.booleans())):
        x = _images(net, x)
        kind = f"ConvLSTM{len(net.shapes[x]) - 2}D"
    else:
        x = sequence(net, x)
        kind = net.draw(st.sampled_from(["SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional"]))
    return net.make(kind, x, **_given(net, kind, x))


def _images(net: Net, x: str) -> str:
    """The tensor as a sequence of images: its first axis is the steps, or is divided into steps."""
    first, *rest = net.shapes[x]
    if len(rest) > 1 and net.draw(st.booleans()):
        return x
    steps = net.draw(st.sampled_from([n for n in range(1, first + 1) if first % n == 0]))
    return net.make("Reshape", x, target_shape=(steps, first // steps, *rest))


def step_by_step(net: Net, x: str) -> str:
    """A layer that is applied to every step of the first axis."""
    if len(net.shapes[x]) < 2:
        x = sequence(net, x)
    return net.make("TimeDistributed", x, **_given(net, "TimeDistributed", x))


def scores(net: Net, x: str) -> str:
    """A reversed embedding: a score for each row of its table."""
    rows, width = net.draw(st.integers(2, 6)), net.shapes[x][-1]
    chosen = _given(net, "ReversibleEmbedding", x)
    return net.make(
        "ReversibleEmbedding", x, **chosen | {"input_dim": rows, "output_dim": width, "reverse": True}
    )


def crossing(net: Net, x: str) -> str:
    """Two more inputs, hashed together and concatenated with a vector; other tensors are unchanged."""
    if len(net.shapes[x]) != 1:
        return net.make("Identity", x)
    mode = net.draw(st.sampled_from(["int", "one_hot"]))
    bins = net.draw(st.integers(2, 6))
    inputs = [net.input((1,), dtype="int32"), net.input((1,), dtype="int32")]
    crossed = net.make("HashedCrossing", *inputs, num_bins=bins, output_mode=mode)
    if mode == "int":
        crossed = net.make("Rescaling", crossed, scale=1.0)
    return net.make("Concatenate", x, crossed)
