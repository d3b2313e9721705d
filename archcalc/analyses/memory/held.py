"""What one call of a layer holds during inference and during a training step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from archcalc.arith import Size, largest

# how an output, or the gradient of an input, comes to its buffer: a new one, that of the input (of the
# gradient of the output) if nothing else needs it, or that one in any case
NEW, REUSED, VIEW = "new", "reused", "view"


class Held(NamedTuple):
    """What a call holds, per sample: inputs by number, its output, units inside it, bytes of masks.

    The backward pass reads, and the forward pass therefore keeps: `inputs` for the gradients of the other
    inputs, `for_weights` and `copied` (units of a rearranged copy that replaces the input) for those of the
    layer's own weights only. `hidden` counts units in the type of activations. Where that is half precision,
    `float32_units` counts further units in float32, and with `upcast` inputs are copied to float32 and hidden
    units are float32.

    Working units are held while the call runs only: in `inference`, in the `forward` pass of training
    (beyond the output and what is kept), in the `backward` pass beyond the gradients of the output and of
    the inputs, and there `into` further ones where gradients of the inputs are computed; `early` in the
    backward pass, before gradients of the inputs are there. `rearranged` numbers are those of a copy of the
    weights, whatever the batch. `stops`: no gradient passes. `sparse`: the gradient of the weights is that of
    the output, with the rows that it belongs to.
    """

    inputs: tuple[int, ...] = ()
    for_weights: tuple[int, ...] = ()
    output: bool = False
    hidden: Size = 0
    masks: Size = 0
    copied: Size = 0
    float32_units: Size = 0
    upcast: bool = False
    inference: Size = 0
    forward: Size = 0
    backward: Size = 0
    into: Size = 0
    early: Size = 0
    rearranged: Size = 0
    value: str = NEW
    gradient: str = NEW
    stops: bool = False
    sparse: bool = False

    def times(self, count: Size) -> Held:
        """What so many calls hold together."""
        return self._replace(**{name: count * getattr(self, name) for name in COUNTS})


COUNTS = ("hidden", "masks", "copied", "float32_units", "inference", "forward", "backward", "into", "early")


class Call(NamedTuple):
    """What one call of a layer holds, in bytes of one sample.

    `outputs`, the part that is `saved` for the backward pass inside the call, and what is held while it runs;
    `gradients` are those of its trained weights, `copies` those of weights, in half precision say.
    `flows`: whether a gradient is computed for each input; `reads`: the inputs that the backward pass reads.
    """

    outputs: tuple[Size, ...]
    held: Held
    inference: Size = 0
    saved: Size = 0
    forward: Size = 0
    backward: Size = 0
    into: Size = 0
    early: Size = 0
    gradients: Size = 0
    copies: Size = 0
    trained: bool = False
    flows: tuple[bool, ...] = ()
    reads: tuple[int, ...] = ()

    @property
    def way(self) -> str:
        """How the output comes to its buffer."""
        return self.held.value if len(self.outputs) == 1 else NEW

    @property
    def has_gradient(self) -> bool:
        return self.trained or True in self.flows


class Link(NamedTuple):
    """A part of a chain: what it holds, and the units before and after it."""

    held: Held
    before: Size
    after: Size


def chained(links: Sequence[Link]) -> Held:
    """What parts hold that run one after the other on one tensor.

    A tensor between two parts is kept if one of them keeps it; else it is held from one to the other.
    """
    if not links:
        return Held(value=VIEW, gradient=VIEW)
    first, last = links[0].held, links[-1].held
    if len(links) == 1:
        return first
    between = [a.held.output or bool(b.held.inputs or b.held.for_weights) for a, b in pairwise(links)]
    kept = [link.held.hidden for link in links]
    for i, (link, is_kept) in enumerate(zip(links, between, strict=False)):
        kept[i] = kept[i] + (link.after if is_kept else 0)
    hidden = sum(kept[1:], kept[0])
    return first._replace(
        output=last.output,
        hidden=hidden,
        masks=sum((link.held.masks for link in links[1:]), first.masks),
        float32_units=sum((link.held.float32_units for link in links[1:]), first.float32_units),
        inference=_forward([(link.held.inference, 0) for link in links], links, [False] * len(between), 0),
        forward=_forward(
            [(link.held.forward, k) for link, k in zip(links, kept, strict=True)], links, between, hidden
        ),
        backward=first.backward,
        early=_early(links),
        stops=any(held.stops for held, _, _ in links),
        value=_all(held.value for held, _, _ in links),
        gradient=_all(held.gradient for held, _, _ in links),
    )


def _all(ways: Iterable[str]) -> str:
    words = set(ways)
    return NEW if NEW in words else REUSED if REUSED in words else VIEW


def _forward(
    working: Sequence[tuple[Size, Size]], links: Sequence[Link], between: Sequence[bool], hidden: Size
) -> Size:
    """The most units at once beyond the output and those that are kept in the end."""
    most: list[Size] = []
    so_far: Size = 0
    for i, (link, (inside, kept)) in enumerate(zip(links, working, strict=True)):
        own = kept - link.after if i < len(between) and between[i] else kept
        passing = link.before if i and not between[i - 1] else 0
        in_place = i > 0 and link.held.value != NEW and not between[i - 1]
        most.append(so_far + own + passing + (0 if in_place else link.after) + inside)
        so_far = so_far + kept
    return largest(*(each - hidden - links[-1].after for each in most), 0)


def _early(links: Sequence[Link]) -> Size:
    """The most units at once beyond the gradient of the output, before the first part's turn."""
    most: list[Size] = []
    output, shared = links[-1].after, True  # the gradient that flows; whether it is that of the output
    for i in range(len(links) - 1, 0, -1):
        link = links[i]
        own: Size = 0 if shared else output
        if link.held.gradient == NEW:
            most.append(own + link.before + link.held.backward)
            output, shared = link.before, False
        else:
            most.append(own + link.held.backward)
        most.append(own + link.held.early)
    if not shared:
        most.append(output + links[0].held.early)
    return largest(*most)
