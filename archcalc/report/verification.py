"""The result of a comparison with the real model: one row per check, and its form as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from archcalc.arith.unknown import Unknown
from archcalc.report.values import stamp, to_json_value

# names of the checks of gradients
GRADIENT = "expected gradient"
JACOBIAN = "Jacobian"
JACOBIAN_FROM_BELOW = "Jacobian, from below"
AGREES, DIFFERS, CANNOT_RUN = "agrees", "differs", "cannot run here"
# (step, parts done, parts in all)
Progress = Callable[[str, int, int], None]
VERDICTS = (AGREES, DIFFERS, CANNOT_RUN)


@dataclass(frozen=True, slots=True)
class Check:
    """One figure: archcalc's prediction, and the value of the real model.

    `layer` is None where the check concerns the whole network; `reason` says why it cannot
    run here, or what differs. `symbols` holds the values given to open symbols.
    """

    what: str
    layer: str | None
    predicted: Any
    measured: Any
    verdict: str
    reason: str = ""
    symbols: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "layer": self.layer,
            "symbols": dict(self.symbols),
            "predicted": to_json_value(self.predicted),
            "measured": to_json_value(self.measured),
            "verdict": self.verdict,
            "reason": self.reason,
        }


def compare(what: str, layer: str | None, predicted: Any, measured: Any, reason: str = "") -> Check:
    """A check that agrees if both figures are equal; an unknown or non-finite figure equals nothing."""
    same = _is_figure(predicted) and to_json_value(predicted) == to_json_value(measured)
    return Check(what, layer, predicted, measured, AGREES if same else DIFFERS, "" if same else reason)


def _is_figure(value: Any) -> bool:
    return not isinstance(value, Unknown) and (not isinstance(value, float) or isfinite(value))


def cannot_run(what: str, layer: str | None, reason: str, predicted: Any = None) -> Check:
    """A check that cannot be made on this machine, or with this model."""
    return Check(what, layer, predicted, None, CANNOT_RUN, reason)


@dataclass(frozen=True)
class Verification:
    """Every check of one network against its real model.

    Attributes
    ----------
    name, source
        The network, and where it was read from.
    checks
        One row per figure.
    samples
        The values tried for open symbols; one empty dictionary if there are none.
    skipped
        What was left out, in words.
    seed
        The seed of sampled layers, positions, weights and symbol values.
    """

    name: str
    source: str
    checks: tuple[Check, ...]
    samples: tuple[Mapping[str, int], ...] = ({},)
    skipped: tuple[str, ...] = ()
    seed: int = 0

    @property
    def agrees(self) -> bool:
        """Whether nothing differs. Checks that could not run do not count, and are listed."""
        return not self.differences

    @property
    def differences(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.verdict == DIFFERS)

    def counts(self, checks: Iterable[Check] | None = None) -> dict[str, int]:
        """How many checks ended with each verdict."""
        counted = Counter(check.verdict for check in (self.checks if checks is None else checks))
        return {verdict: counted[verdict] for verdict in VERDICTS}

    def by_what(self) -> dict[str, list[Check]]:
        """The checks of each kind, in the order in which they were made."""
        groups: dict[str, list[Check]] = {}
        for check in self.checks:
            groups.setdefault(check.what, []).append(check)
        return groups

    def to_dict(self) -> dict[str, Any]:
        """JSON of `archcalc verify`."""
        return {
            **stamp(),
            "model": {"name": self.name, "source": self.source},
            "agrees": self.agrees,
            "verdicts": self.counts(),
            "samples": [dict(s) for s in self.samples],
            "seed": self.seed,
            "skipped": list(self.skipped),
            "checks": [check.to_dict() for check in self.checks],
        }

    def __str__(self) -> str:
        from archcalc.render.screen import only_ascii, screen_width
        from archcalc.render.verification import terminal_text

        return terminal_text(self, width=screen_width(), ascii=only_ascii()).rstrip("\n")

    def __rich__(self) -> Any:
        from archcalc.render.verification import table

        return table(self)

    def _repr_html_(self) -> str:
        from archcalc.render.notebook_tables import verification_html

        return verification_html(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {verdict}" for verdict, n in self.counts().items() if n)
        return f"Verification({self.name!r}: {counts or 'no checks'})"
