"""Findings as lines for people, and rules as pages."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from archcalc.render.text import printable
from archcalc.report.rule import SEVERITIES, Rule
from archcalc.review.lint.run import Judgement, Lint
from archcalc.writers.spec_text import spec_text

MOST = 3  # findings of one rule that are shown for one network


def lint_text(results: Sequence[Lint]) -> str:
    """A line for each finding, with what to do below it, and the sum at the end."""
    return "\n".join([*_lines(results), _summary(results)]) + "\n"


def _lines(results: Sequence[Lint]) -> Iterator[str]:
    for result in results:
        shown: Counter[str] = Counter()
        for finding in result.findings:
            shown[finding.rule.id] += 1
            if shown[finding.rule.id] <= MOST:
                yield from _finding(result.source, finding)
        for rule, count in shown.items():
            if count > MOST:
                yield f"{printable(result.source)}: {count - MOST:,} more of {rule} (--format json has all)"


def _finding(source: str, finding: Judgement) -> Iterator[str]:
    place = f"{source}:{finding.line}" if finding.line else source
    rule = finding.rule
    subject = "" if finding.layer is None else f"{finding.layer}: "
    yield printable(f"{place}: {rule.severity} {rule.id} [{rule.name}] {subject}{finding.message}")
    yield printable(f"    {finding.suggestion}")


def _summary(results: Sequence[Lint]) -> str:
    counts = Counter(f.rule.severity for result in results for f in result.findings)
    nouns = {"error": "error", "warning": "warning", "info": "note"}
    parts = [
        f"{counts[s]:,} {nouns[s]}{'s' * (counts[s] != 1)}" for s in reversed(SEVERITIES) if counts[s]
    ] or ["nothing found"]
    suppressed = sum(len(result.suppressed) for result in results)
    parts += [f"{suppressed:,} suppressed"] * bool(suppressed)
    networks = f"{len(results)} network{'s' * (len(results) != 1)}"
    return f"{networks}: {', '.join(parts)}" + "; archcalc rules ID explains a rule" * bool(counts)


# -- rules -------------------------------------------------------------------------------------------
def rules_text(rules: Iterable[Rule], width: int) -> str:
    """One line for each rule."""
    lines = []
    for rule in rules:
        head = f"{rule.id}  {rule.severity:<7}  "
        lines += textwrap.wrap(
            f"{rule.name}: {rule.what}", width, initial_indent=head, subsequent_indent=" " * 16
        )
    return "\n".join(lines) + "\n"


def rule_page(rule: Rule, width: int) -> str:
    """The explanation of one rule, with its examples."""
    lines = [f"{rule.id} {rule.name} ({rule.severity})", ""]
    parts = (("What", rule.what), ("Why", rule.why), ("How sure", rule.sure), ("Source", rule.source))
    for label, text in parts:
        indent = f"{label + ':':<10}"
        lines += textwrap.wrap(text, min(width, 100), initial_indent=indent, subsequent_indent=" " * 10)
    for label, example in (("Faulty", rule.faulty), ("Mended", rule.mended)):
        if example:
            lines += ["", f"{label}:{_with_options(rule)}", spec_text(example).rstrip()]
    return "\n".join(lines) + "\n"


def rules_markdown(rules: Iterable[Rule]) -> str:
    """The page of all rules, docs/lint-rules.md."""
    pieces = [
        "# The rules of lint\n\nWhat does each rule find, why, and how sure is it? "
        "`archcalc rules AC101` shows the same in a terminal.\nThis page is generated: "
        "`archcalc rules --format markdown -o docs/lint-rules.md`.\n"
    ]
    for rule in rules:
        pieces.append(f"## {rule.id} {rule.name}\n\n**{rule.severity}**. {_wrapped(rule.what)}\n")
        pieces.append(f"{_wrapped(rule.why)}\n\n{_wrapped('How sure: ' + rule.sure)}\n")
        pieces.append(f"{_wrapped('Source: ' + rule.source + '.')}\n")
        for label, example in (("Faulty", rule.faulty), ("Mended", rule.mended)):
            if example:
                pieces.append(f"{label}{_with_options(rule)}:\n\n```json\n{spec_text(example)}```\n")
    return "\n".join(pieces)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False))


def _with_options(rule: Rule) -> str:
    words = ", ".join(f"{key} = {value!r}" for key, value in rule.options.items())
    return f" (with {words})" if words else ""
