"""A rule: what a finding comes from, with its explanation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SEVERITIES = ("info", "warning", "error")


class Finding(NamedTuple):
    """Something a reader should know; `layer` is None where it concerns the whole network."""

    rule: str
    severity: str
    layer: str | None
    message: str
    suggestion: str

    def at_least(self, severity: str) -> bool:
        return SEVERITIES.index(self.severity) >= SEVERITIES.index(severity)


class Offence(NamedTuple):
    """Where a rule of `archcalc lint` is broken: a node (None: the whole network), and in what words."""

    node: int | None
    message: str
    suggestion: str


Check = Callable[[Any], Iterator[Offence]]


@dataclass(frozen=True, eq=False, repr=False)
class Rule:
    """One rule.

    Attributes
    ----------
    id, name
        `AC101` and `softmax-of-one-unit`; a user may say either.
    what, why, sure, source
        What it finds; why that is a fault; in which cases it is none; who says so.
    faulty, mended
        Specs; the rule finds something in the first, and nothing in the second. Empty where the source is
        no spec.
    options
        Those of `archcalc lint` with which it finds something in the faulty example.
    check
        What `archcalc lint` runs; None for a finding of `archcalc.analyze`.
    """

    id: str
    name: str
    severity: str
    what: str
    why: str
    sure: str
    source: str
    faulty: Mapping[str, Any] = field(default_factory=dict)
    mended: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    check: Check | None = None
