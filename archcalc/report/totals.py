"""Sums over all rows, each computed when it is first read."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any

from archcalc.arith import Scope, Size, concrete, total
from archcalc.arith.assumptions import Assumptions, Condition
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.graph.quantities import SUMMED, TOTALS
from archcalc.report.columns import Figures, once
from archcalc.report.values import Frozen, reasons, thousands, to_json_value


class Totals(Frozen):
    """Sums over all rows; work of one sample, bytes of the whole batch."""

    _of: Figures
    # sums of the quantities of `graph.quantities`, set below
    parameters: Size
    trainable_parameters: Size
    macs: Size
    flops: Size
    elementwise_operations: Size
    activation_bytes: Size
    training_activation_bytes: Size

    def __init__(self, of: Figures) -> None:
        vars(self).update(_of=of)

    @property
    def scope(self) -> Scope:
        return self._of.scope

    @property
    def non_trainable_parameters(self) -> Size:
        return self.parameters - self.trainable_parameters

    @property
    def weight_bytes(self) -> Size:
        return self._of.options.precision.weight * self.parameters

    @property
    def peak_activation_bytes(self) -> Size:
        """In Keras's order of the layers."""
        return self._of.peaks.usual.bytes

    @property
    def best_peak_activation_bytes(self) -> Size:
        """In the best order found."""
        return self._of.peaks.best.bytes

    @property
    def peak_activation_layer(self) -> str | None:
        """The layer at whose step the peak occurs."""
        node = self._of.peaks.usual.node
        return None if node is None else self._of.name[node]

    @property
    def gradient_bytes(self) -> Size:
        return self._of.options.precision.weight * self.trainable_parameters

    @property
    def optimizer_bytes(self) -> Size:
        return self._of.optimizer_bytes

    @once
    def training_macs(self) -> Size:
        """Of one sample's forward and backward pass."""
        return self._sum("training_macs")

    @once
    def training_bytes(self) -> Size:
        """The most that a training step holds at once."""
        kept = self.training_activation_bytes
        return kept if isinstance(kept, Unknown) else self._of.training.at(self._of.options.batch)

    @property
    def training_peak(self) -> str:
        """Where in a training step its peak occurs, in words; empty if that depends on symbols."""
        moment = self._of.training.moment(self._of.options.batch)
        if moment is None or not moment.phase:
            return ""
        if moment.phase in ("loss", "update"):
            return f"at the {moment.phase}"
        name = None if moment.node is None else self._of.name[moment.node]
        return f"in the {moment.phase} pass" + (f" of {name}" if name else "")

    def premises(self, name: str) -> list[Condition]:
        """What the closed form of a total assumes of symbols, beyond what all figures assume.

        Bytes are those of blocks with so many copies that there are some between the first and the last,
        and of sizes that differ where equal ones would share a buffer.
        """
        if name not in ("peak_activation_bytes", "training_bytes") or not isinstance(
            getattr(self, name), Expr
        ):
            return []
        course = self._of.training if name == "training_bytes" else self._of.peaks.course
        needed = Assumptions()
        for count, least in course.least_copies.items():
            more: Any = count - least
            if isinstance(more, Expr) and needed.sign(more)[0] is not True:
                needed.state_nonnegative(more, f"{count} >= {least}", f"fewer than {least} copies")
        unequal = [Condition(f"{a} != {b}", (a - b) ** 2 - 1) for a, b in course.different]
        return [*needed.conditions(), *unequal]

    @once
    def as_built(self) -> dict[str, Size]:
        """Those totals of the model that Keras builds, without layers that lead to no output.

        Empty if there are no such layers.
        """
        nodes, leading = self._of.graph.nodes, self._of.leading
        if all(i in leading or i in self._of.graph.inputs for i in range(len(nodes))):
            return {}
        # weights that a layer shares are counted at the first call, which may itself lead to no output
        owners = {i if nodes[i].shared_with is None else nodes[i].shared_with for i in leading}
        counted = {"parameters": owners, "trainable_parameters": owners}
        return {name: self._sum(name, counted.get(name, leading)) for name in AS_BUILT}

    @property
    def unknown(self) -> dict[str, str]:
        """The totals that are unknown, each with the reason."""
        return reasons(self, TOTALS)

    def to_dict(self) -> dict[str, Any]:
        totals = {name: to_json_value(getattr(self, name)) for name in TOTALS}
        built = {name: to_json_value(value) for name, value in self.as_built.items()}
        return {
            **totals,
            **{name: to_json_value(value) for name, value in self.at_least.items()},
            **({"unknown_layers": list(self.unknown_layers)} if self.unknown_layers else {}),
            "peak_activation_layer": self.peak_activation_layer,
            "unknown": self.unknown,
            **({"as_built": built} if built else {}),
        }

    def _sum(self, figure: str, of: Set[int | None] | None = None) -> Size:
        """A column's sum, over all rows or these; unknown, with the names of those layers, if any is."""
        every: tuple[Any, ...] = tuple(getattr(self._of, figure))
        if of is None and concrete(every):  # as in most networks
            return sum(every)
        column = {i: value for i, value in enumerate(every) if of is None or i in of}
        hidden = tuple(i for i, value in column.items() if isinstance(value, Unknown))
        known = total(value for value in column.values() if not isinstance(value, Unknown))
        if not hidden:
            return known
        if figure in ("parameters", "trainable_parameters"):
            known = known + self._known_weights(hidden, trained=figure == "trainable_parameters")
        layers = tuple(self._of.name[i] for i in hidden)
        names = ", ".join(map(repr, layers[:3])) + (", …" if len(layers) > 3 else "")
        return AtLeast(f"depends on {names}: {column[hidden[0]].reason}", known, layers)

    def _known_weights(self, nodes: Iterable[int], *, trained: bool) -> Size:
        """Parameters of the weights whose shapes are known, in layers of which other weights are unknown."""
        return total(
            self._of.copies[i] * w.parameters
            for i in nodes
            for w in self._of.weights[i]
            if not isinstance(w.parameters, Unknown) and (w.trainable or not trained)
        )

    @property
    def at_least(self) -> dict[str, Size]:
        """The known part of each total that is unknown because some layers are."""
        sums = ((name, getattr(self, name)) for name in COUNTED)
        return {f"{name}_at_least": value.known for name, value in sums if isinstance(value, AtLeast)}

    @property
    def unknown_layers(self) -> tuple[str, ...]:
        """The layers whose parameters or multiply-adds are unknown, in order."""
        hidden = {n for s in COUNTED if isinstance(v := getattr(self, s), AtLeast) for n in v.layers}
        return tuple(name for name in self._of.name if name in hidden)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Totals):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in (*TOTALS, "peak_activation_layer"))

    __hash__ = None  # type: ignore[assignment]  # arrays may be among the figures

    def __repr__(self) -> str:
        return f"Totals({', '.join(f'{n}={thousands(getattr(self, n))}' for n in TOTALS)})"


COUNTED = ("parameters", "trainable_parameters", "macs")
AS_BUILT = ("parameters", "trainable_parameters", "macs", "elementwise_operations", "activation_bytes")


def _summed(name: str) -> once[Size]:
    figure: once[Size] = once(lambda totals: totals._sum(name))
    figure.__set_name__(Totals, name)
    return figure


for _name in SUMMED:
    setattr(Totals, _name, _summed(_name))
