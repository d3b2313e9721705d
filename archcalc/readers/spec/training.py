"""The sections of a spec that change no figure of the forward pass: `compile` and `lint`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from archcalc.errors import ArchcalcError
from archcalc.graph.compiled import Compile, Labels, Loss, Suppression
from archcalc.readers.names import did_you_mean, show
from archcalc.readers.spec.declaration import Declaration
from archcalc.readers.spec.faults import Faults, Severity

MOST = 1_000  # outputs, metrics, suppressions


def _losses(stated: Any) -> Any:
    """One loss, a list with one for each output (null: not stated), or an object by the outputs' names."""
    each = stated.values() if isinstance(stated, dict) else stated if isinstance(stated, list) else [stated]
    if len(each) > MOST:
        raise ValueError(f"{len(each):,} losses (limit {MOST:,})")
    for loss in each:
        if not isinstance(loss, str) and (loss is not None or each == [None]):
            raise ValueError(f"expected the name of a loss, as in 'mse', got {show(loss)}")
        if loss is not None:
            try:
                Loss.of(loss)
            except ArchcalcError as problem:
                raise ValueError(str(problem)) from None
    return stated


class CompileDeclaration(Declaration):
    loss: Annotated[Any, AfterValidator(_losses)] = None
    optimizer: Annotated[str | None, Field(min_length=1, max_length=60)] = None
    learning_rate: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    momentum: Annotated[float | None, Field(ge=0, lt=1)] = None
    amsgrad: bool = False
    centered: bool = False
    labels: Labels | None = None
    classes: Annotated[int | None, Field(ge=1)] = None
    metrics: Annotated[list[str], Field(max_length=MOST)] = []

    def read(self, outputs: Sequence[str], faults: Faults) -> Compile:
        """As the graph has it; `outputs` are the names by which the file calls the network's outputs."""
        stated = self.loss
        if isinstance(stated, dict):
            for name in stated:
                if name not in outputs:
                    hint = did_you_mean(name, outputs, f"the outputs are {', '.join(outputs[:20])}")
                    faults.add(Severity.NAMES, "$.compile.loss", f"no output is named {show(name)}{hint}")
            stated = [stated.get(name) for name in outputs]
        elif isinstance(stated, list) and len(stated) != len(outputs):
            text = f"{len(stated)} losses for {len(outputs)} outputs"
            faults.add(Severity.STRUCTURE, "$.compile.loss", text)
        losses = stated if isinstance(stated, list) else [] if stated is None else [stated]
        return Compile(
            losses=tuple(None if loss is None else Loss.of(loss) for loss in losses),
            optimizer=None if self.optimizer is None else self.optimizer.strip().lower(),
            learning_rate=self.learning_rate,
            momentum=self.momentum or None,
            options=tuple(key for key in ("amsgrad", "centered") if getattr(self, key)),
            labels=self.labels,
            classes=self.classes,
            metrics=tuple(self.metrics),
        )


class IgnoreDeclaration(Declaration):
    rule: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    layers: list[str] = []

    def read(self) -> Suppression:
        return Suppression(self.rule, self.reason, tuple(self.layers))


class LintDeclaration(Declaration):
    ignore: Annotated[list[IgnoreDeclaration], Field(max_length=MOST)] = []
