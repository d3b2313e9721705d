"""Beginnings of networks that rearrange the input's axes before the first layer that has a data format."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from archcalc.layers.registry import registered
from archcalc.testing.arguments import arguments

if TYPE_CHECKING:
    from archcalc.testing.strategies import Net

Beginning = Callable[["Net"], str]


def rearranged(net: Net) -> str:
    """An input, and a Reshape, Permute, TimeDistributed, ConvLSTM, Flatten or recurrence after it."""
    kinds: list[Beginning] = [unfolded, with_channels, permuted, step_by_step, recurrent_images, rows]
    kind: Beginning = net.draw(st.sampled_from(kinds))
    return kind(net)


def _sides(net: Net, rank: int) -> tuple[int, ...]:
    most = {1: 24, 2: 13, 3: 6}[rank]
    return tuple(net.draw(st.integers(2, most)) for _ in range(rank))


def _channels(net: Net) -> int:
    number: int = net.draw(st.integers(1, 5))
    return number


def unfolded(net: Net) -> str:
    """A vector that is reshaped into an image or a sequence."""
    shape = (*_sides(net, net.draw(st.integers(1, 2))), _channels(net))
    return net.make("Reshape", net.input((prod(shape),)), target_shape=shape)


def with_channels(net: Net) -> str:
    """Images or sequences without a channel axis, which is added."""
    sides = _sides(net, net.draw(st.integers(1, 3)))
    x = net.input(sides)
    if net.draw(st.booleans()):
        x = net.make("Activation", x, activation="tanh")
    return net.make("Reshape", x, target_shape=(*sides, 1))


def permuted(net: Net) -> str:
    """Axes in any order, the last of which the layers take for channels."""
    shape = (*_sides(net, net.draw(st.integers(1, 3))), _channels(net))
    order = net.draw(st.permutations(range(len(shape))))
    x = net.input(tuple(shape[a] for a in order))
    return net.make("Permute", x, dims=tuple(order.index(a) + 1 for a in range(len(shape))))


def step_by_step(net: Net) -> str:
    """A layer applied to each step of a sequence of vectors or images, channels first or last."""
    shape = (net.draw(st.integers(1, 4)), *_sides(net, net.draw(st.integers(1, 2))), _channels(net))
    x = net.input(shape)
    x = net.make("TimeDistributed", x, **arguments(net.draw, registered()["TimeDistributed"], (shape,)))
    if net.draw(st.booleans()) and len(net.shapes[x]) > 2:
        return net.make("Reshape", x, target_shape=(net.shapes[x][0], prod(net.shapes[x][1:])))
    return x


def recurrent_images(net: Net) -> str:
    """A convolutional LSTM over a sequence of images."""
    rank = net.draw(st.integers(1, 2))
    shape = (net.draw(st.integers(1, 4)), *_sides(net, rank), _channels(net))
    kind = f"ConvLSTM{rank}D"
    return net.make(kind, net.input(shape), **arguments(net.draw, registered()[kind], (shape,)))


def rows(net: Net) -> str:
    """An image that is flattened, or whose rows or columns are the steps of a recurrence."""
    sides = _sides(net, 2)
    x = net.input(sides)
    if net.draw(st.booleans()):
        x = net.make("Permute", x, dims=(2, 1))
    if net.draw(st.booleans()):
        return net.make("Flatten", x)
    kind = net.draw(st.sampled_from(["SimpleRNN", "GRU"]))
    return net.make(kind, x, units=net.draw(st.integers(1, 4)), return_sequences=net.draw(st.booleans()))
