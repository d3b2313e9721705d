"""Findings for machines: JSON, GitHub's annotations, SARIF 2.1.0, JUnit's XML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from archcalc.render.json import json_text
from archcalc.report.rule import Rule
from archcalc.review.lint.run import Judgement, Lint

MOST = 5_000  # results of a SARIF file that GitHub shows
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def json_format(results: Sequence[Lint]) -> str:
    from archcalc import __version__

    data: dict[str, Any] = {"schema_version": 1, "tool": {"name": "archcalc", "version": __version__}}
    data["failed"] = any(result.failed for result in results)
    data["sources"] = [result.to_dict() for result in results]
    return json_text(data)


# -- GitHub ------------------------------------------------------------------------------------------
def github(results: Sequence[Lint]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    lines = []
    for result in results:
        for finding in result.findings:
            places = {"file": _uri_path(result.file) if result.file else None, "line": finding.line}
            places |= {"title": f"{finding.rule.id} {finding.rule.name}"}
            properties = ",".join(f"{k}={_property(v)}" for k, v in places.items() if v is not None)
            text = f"{_subject(result, finding)}{finding.message}; {finding.suggestion}"
            lines.append(f"::{_GITHUB_LEVELS[finding.rule.severity]} {properties}::{_data(text)}\n")
    return "".join(lines)


def _subject(result: Lint, finding: Judgement) -> str:
    source = "" if result.file else f"{result.source}: "
    return source + ("" if finding.layer is None else f"{finding.layer}: ")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: Any) -> str:
    return _data(str(value)).replace(":", "%3A").replace(",", "%2C")


# -- SARIF -------------------------------------------------------------------------------------------
def sarif(results: Sequence[Lint]) -> str:
    """Static Analysis Results Interchange Format 2.1.0 (OASIS), one run, the worst results first."""
    from archcalc import __version__

    found = [(result, f) for result in results for f in (*result.findings, *result.suppressed)]
    found.sort(key=lambda pair: ("error", "warning", "info").index(pair[1].rule.severity))
    shown = found[:MOST]
    rules = {f.rule.id: f.rule for _, f in sorted(shown, key=lambda pair: pair[1].rule.id)}
    numbers = {id: i for i, id in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "archcalc",
                "semanticVersion": __version__,
                "rules": [_descriptor(rule) for rule in rules.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(result, finding, numbers) for result, finding in shown],
    }
    if len(found) > MOST:
        text = f"{len(found) - MOST:,} further results are left out (limit {MOST:,})"
        notice = {"level": "warning", "message": {"text": text}}
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": [notice]}]
    return json_text({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why} How sure: {rule.sure} Source: {rule.source}."},
        "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
    }


def _result(result: Lint, finding: Judgement, numbers: dict[str, int]) -> dict[str, Any]:
    named = result.source if finding.layer is None else f"{result.source}/{finding.layer}"
    logical = {"name": finding.layer or result.source, "fullyQualifiedName": named, "kind": "object"}
    location: dict[str, Any] = {"logicalLocations": [logical]}
    if result.file is not None:
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(_uri_path(result.file))}}
        if finding.line is not None:
            physical["region"] = {"startLine": finding.line}
        location["physicalLocation"] = physical
    data: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": numbers[finding.rule.id],
        "level": _SARIF_LEVELS[finding.rule.severity],
        "message": {"text": f"{finding.message}; {finding.suggestion}"},
        "locations": [location],
    }
    if finding.suppression is not None:
        data["suppressions"] = [{"kind": "external", "justification": finding.suppression.reason}]
    return data


def _uri_path(path: str) -> str:
    """The path below the working directory, as in a repository; an absolute one stays."""
    relative = os.path.relpath(path) if os.path.isabs(path) else os.path.normpath(path)
    return (path if relative.startswith("..") else relative).replace(os.sep, "/")


# -- JUnit -------------------------------------------------------------------------------------------
def junit(results: Sequence[Lint]) -> str:
    """A test suite for each network, a failed test for each finding at which lint fails."""
    suites = [_suite(result) for result in results]
    return (
        "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", *suites, "</testsuites>"]) + "\n"
    )


def _suite(result: Lint) -> str:
    cases = [_case(result, f) for f in result.findings] or [
        f'  <testcase classname={_attribute(result.source)} name="archcalc lint"/>'
    ]
    failures = sum("<failure" in case for case in cases)
    head = (
        f'<testsuite name={_attribute(result.source)} tests="{len(cases)}" failures="{failures}" errors="0">'
    )
    return "\n".join([head, *cases, "</testsuite>"])


def _case(result: Lint, finding: Judgement) -> str:
    name = " ".join(filter(None, (finding.rule.id, finding.rule.name, finding.layer)))
    head = f"  <testcase classname={_attribute(result.source)} name={_attribute(name)}>"
    text = f"{finding.message}; {finding.suggestion}"
    if not result._replace(findings=(finding,)).failed:
        return f"{head}<system-out>{escape(_plain(text))}</system-out></testcase>"
    kind = f"type={_attribute(finding.rule.severity)} message={_attribute(text)}"
    return f"{head}<failure {kind}>{escape(_plain(text))}</failure></testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_plain(text))


def _plain(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c == " " else "?" for c in text)


FORMATS = {"json": json_format, "github": github, "sarif": sarif, "junit": junit}
