"""In which copies of repeated blocks a tensor is held until the backward pass.

The last layer of a block is read by the next copy, and after the last copy by what follows: either may hold
it where the other does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcalc.analyses.memory.blocks import Block
from archcalc.arith import Size, total
from archcalc.arith.sums import at_copy, over_copies
from archcalc.graph import Graph, Tap

# the copies in which a tensor is held: of each block around it, by its number in `graph.repeats`, either the
# last one (True) or all others (False); all copies of the blocks that are left out
Copies = frozenset[tuple[int, bool]]
ALL: Copies = frozenset()


class HeldTensors:
    """The tensors that are held; `views` gives the tensor of which another one is a view."""

    def __init__(self, graph: Graph) -> None:
        self.views: dict[Tap, Tap] = {}
        self._repeats = graph.repeats
        self._held: dict[tuple[int, int], set[Copies]] = {}

    def around(self, node: int) -> list[int]:
        """The blocks around a node, the inner ones first."""
        around = [k for k, r in enumerate(self._repeats) if r.first <= node <= r.last]
        return sorted(around, key=lambda k: self._repeats[k].last - self._repeats[k].first)

    def hold(self, tap: Tap, reader: int | None = None, again: Block | None = None) -> None:
        """A tensor is held for the node that reads it; without one for the loss, which reads outputs.

        `again`: the block that runs again with the reader, so that what is inside it need not be held.
        """
        tap = self.views.get(tap, tap)
        if not self._repeats:
            self._held[tap] = {ALL}
            return
        own, inside = self.around(tap.node), [] if reader is None else self.around(reader)
        self._held.setdefault(tap, set()).add(frozenset((k, True) for k in own if k not in inside))
        for k in inside:
            repeat = self._repeats[k]
            if k not in own and self.views.get(repeat.source, repeat.source) == tap:
                out = self.views.get(repeat.out, repeat.out)  # which the next copy reads
                around = self.around(out.node)
                inside_again = again is not None and out.node in again.nodes and repeat not in again.around
                if k in around and not inside_again:
                    last_ones = ((j, True) for j in around[: around.index(k)])
                    self._held.setdefault(out, set()).add(frozenset([(k, False), *last_ones]))

    def in_other_copies(self, node: int, outputs: Sequence[Size], block: int) -> Size:
        """What a copy of this block, other than the last one, holds of a node's outputs.

        All copies of blocks inside it are included.
        """
        around = self.around(node)
        inner = around[: around.index(block)]
        of_tensors = ((self._held.get((node, k), set()), size) for k, size in enumerate(outputs))
        return total(
            self._over(inner, {h - {(block, False)} for h in held if (block, True) not in h}, size)
            for held, size in of_tensors
        )

    def bytes(self, node: int, outputs: Sequence[Size]) -> Size:
        """What all copies of a node's outputs hold, from the bytes of one copy of each."""
        if not self._repeats:
            return total([size for k, size in enumerate(outputs) if (node, k) in self._held])
        held = [(self._held[node, k], size) for k, size in enumerate(outputs) if (node, k) in self._held]
        return total(self._over(self.around(node), copies, size) for copies, size in held)

    def _over(self, around: Sequence[int], held: set[Copies], of_one: Size) -> Size:
        """The sum over the copies of these blocks."""
        if not held:
            return 0
        if not around:
            return of_one
        repeat, outer = self._repeats[around[0]], around[1:]
        last, others = (
            {h - {(around[0], is_last)} for h in held if (around[0], not is_last) not in h}
            for is_last in (True, False)
        )
        if last == others:
            return self._over(outer, last, over_copies(of_one, repeat.index, repeat.count))
        return self._over(outer, last, at_copy(of_one, repeat.index, repeat.count - 1)) + self._over(
            outer, others, over_copies(of_one, repeat.index, repeat.count - 1)
        )
