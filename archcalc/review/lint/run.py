"""`lint`: every finding of a network that settings ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from archcalc import arith
from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.compiled import Suppression
from archcalc.readers import as_graph
from archcalc.report.rule import SEVERITIES, Offence, Rule
from archcalc.report.rules import RULES
from archcalc.review.lint import budgets
from archcalc.review.lint.catalogue import catalogue, rule_of
from archcalc.review.lint.network import Network
from archcalc.review.lint.positions import positions
from archcalc.review.lint.settings import Settings


class Judgement(NamedTuple):
    """A finding of lint: its rule, where, in what words; `suppression` if somebody says that it is meant."""

    rule: Rule
    layer: str | None
    message: str
    suggestion: str
    line: int | None = None
    suppression: Suppression | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "rule": self.rule.id,
            "name": self.rule.name,
            "severity": self.rule.severity,
            "layer": self.layer,
            "line": self.line,
            "message": self.message,
            "suggestion": self.suggestion,
        }


class Lint(NamedTuple):
    """The findings of one network, the worst first; `file` is the path where the source is a file."""

    source: str
    file: str | None
    findings: tuple[Judgement, ...]
    suppressed: tuple[Judgement, ...]
    fail_on: str

    @property
    def failed(self) -> bool:
        """Whether there is a finding of the level at which lint fails, or above."""
        level = SEVERITIES.index(self.fail_on)
        return any(SEVERITIES.index(f.rule.severity) >= level for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        suppressed = [
            {**f.to_dict(), "reason": f.suppression and f.suppression.reason} for f in self.suppressed
        ]
        return {
            "source": self.source,
            "findings": [f.to_dict() for f in self.findings],
            "suppressed": suppressed,
            "failed": self.failed,
            "fail_on": self.fail_on,
        }


def lint(source: Any, **words: Any) -> Lint:
    """What is wrong with a network, judged by every rule of `archcalc rules`.

    Parameters
    ----------
    source
        The network: all that `archcalc.load` takes, or a graph from there.
    words
        The keys of `[tool.archcalc.lint]` with `_` for `-`: `select`, `ignore`, `fail_on`, `loss`,
        `optimizer`, `learning_rate`, `labels`, `classes`, `max_parameters`, `largest_object` ... No file
        of settings is read.

    Raises
    ------
    ArchcalcError
        A key that lint does not have, a value that it cannot take, a source that cannot be read.
    """
    settings = Settings().with_words({k.replace("_", "-"): v for k, v in words.items()}, "lint")
    return lint_graph(as_graph(source), source if isinstance(source, str) else "", settings)


def lint_graph(
    graph: Graph, source: str, settings: Settings, symbols: Mapping[str, int | None] | None = None
) -> Lint:
    """The findings of a graph that was read from `source`, a path or a name."""
    compiled = settings.compiled(graph.compiled, len(graph.outputs))
    own = tuple(_known(graph, each) for each in graph.suppressions)
    report = analyze(graph, symbols, **settings.analysis)
    figures = report._of
    net = Network(report, figures, compiled, settings.given)
    found = list(_declared(net, settings))
    for finding in report.findings:
        rule = RULES[finding.rule]
        if settings.includes(rule.id):
            found.append(Judgement(rule, finding.layer, finding.message, finding.suggestion))
    file = source if os.path.isfile(source) else None
    if found and (place := positions(file)) is not None:
        found = [f if f.layer is None else f._replace(line=place.line(f.layer)) for f in found]
    meant = (*settings.suppressions, *own)
    judged = [_judged(f, meant) for f in _once(found)]
    judged.sort(key=lambda f: (-SEVERITIES.index(f.rule.severity), f.rule.id))
    return Lint(
        source or graph.source or graph.name,
        file,
        tuple(f for f in judged if f.suppression is None),
        tuple(f for f in judged if f.suppression is not None),
        settings.fail_on,
    )


def _declared(net: Network, settings: Settings) -> Iterator[Judgement]:
    """What the rules with a check, and the budgets, find."""
    rules = catalogue()
    with arith.scope(net.figures.scope):
        for rule in rules.values():
            if rule.check is not None and settings.includes(rule.id):
                yield from (_named(net, rule, offence) for offence in rule.check(net))
        for id, offence in budgets.check(net, settings.limits):
            if settings.includes(id):
                yield _named(net, rules[id], offence)


def _named(net: Network, rule: Rule, offence: Offence) -> Judgement:
    layer = None if offence.node is None else net.name(offence.node)
    return Judgement(rule, layer, offence.message, offence.suggestion)


def _once(found: list[Judgement]) -> list[Judgement]:
    return list({(f.rule.id, f.layer, f.message): f for f in found}.values())


def _known(graph: Graph, meant: Suppression) -> Suppression:
    """A suppression of the network's own file, which must name a rule and layers that there are."""
    rule = rule_of(meant.rule)
    if not any(meant.covers(node.name) for node in graph.nodes):
        raise ArchcalcError(f"lint.ignore: {rule.id}: no layer is named {', '.join(map(repr, meant.layers))}")
    return meant


def _judged(finding: Judgement, suppressions: tuple[Suppression, ...]) -> Judgement:
    meant = (s for s in suppressions if rule_of(s.rule).id == finding.rule.id and s.covers(finding.layer))
    return finding._replace(suppression=next(meant, None))
