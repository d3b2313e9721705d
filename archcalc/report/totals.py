"""Sums over all rows, each computed when it is first read."""

from __future__ import annotations

from typing import Any

from archcalc.arith import Scope, Size, total
from archcalc.arith.unknown import Unknown
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
    def training_bytes(self) -> Size:
        activations = self.training_activation_bytes
        return self.weight_bytes + self.gradient_bytes + self.optimizer_bytes + activations

    @property
    def unknown(self) -> dict[str, str]:
        """The totals that are unknown, each with the reason."""
        return reasons(self, TOTALS)

    def to_dict(self) -> dict[str, Any]:
        totals = {name: to_json_value(getattr(self, name)) for name in TOTALS}
        return totals | {"peak_activation_layer": self.peak_activation_layer, "unknown": self.unknown}

    def _sum(self, figure: str) -> Size:
        """A column's sum; if any row is unknown, unknown, with the names of those layers."""
        column = getattr(self._of, figure)
        hidden = [i for i, value in enumerate(column) if isinstance(value, Unknown)]
        if hidden:
            names = ", ".join(repr(self._of.name[i]) for i in hidden[:3]) + (", …" if len(hidden) > 3 else "")
            return Unknown(f"depends on {names}: {column[hidden[0]].reason}")
        return total(column)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Totals):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in (*TOTALS, "peak_activation_layer"))

    __hash__ = None  # type: ignore[assignment]  # arrays may be among the figures

    def __repr__(self) -> str:
        return f"Totals({', '.join(f'{n}={thousands(getattr(self, n))}' for n in TOTALS)})"


def _summed(name: str) -> once[Size]:
    figure: once[Size] = once(lambda totals: totals._sum(name))
    figure.__set_name__(Totals, name)
    return figure


for _name in SUMMED:
    setattr(Totals, _name, _summed(_name))
