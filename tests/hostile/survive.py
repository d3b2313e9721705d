"""What becomes of any source: a network whose figures can be shown, or a proper refusal."""

from __future__ import annotations

from pathlib import Path

from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError
from archcalc.readers import load
from archcalc.render.json import json_text
from archcalc.report.report import Report
from archcalc.writers.convert import as_text

MAX_LAYERS = 500


def outcome(raw: bytes, path: Path, *, allow_unknown: bool = False, classes: bytes | None = None) -> str:
    """Read these bytes from `path`, analyse, and write in one format: "network" or "refused".

    `classes` are the bytes of a file of rules for the classes of the source.

    Exceptions other than archcalc's own are not caught, and neither is a refusal that no terminal
    should get. The format depends on the bytes alone, so that an outcome can be repeated.
    """
    path.write_bytes(raw)
    rules = None
    if classes is not None:
        rules = path.with_suffix(".classes")
        rules.write_bytes(classes)
    try:
        graph = load(str(path), allow_unknown=allow_unknown, max_layers=MAX_LAYERS, classes=rules)
        report = analyze(graph)
        _write(report, len(raw) % 5)
        if len(raw) % 3 == 0:
            as_text(graph, ("spec", "python")[len(raw) % 2])
    except ArchcalcError as refusal:
        _check(str(refusal))
        return "refused"
    return "network"


def _write(report: Report, form: int) -> None:
    if form == 0:
        report.to_csv()
    elif form == 1:
        report.to_markdown()
    elif form == 2:
        report.to_latex()
    else:
        json_text(report.to_dict()).encode("utf-8")


def _check(text: str) -> None:
    lines = text.split("\n")
    assert 1 <= len(lines) <= 21, text[:1000]
    for line in lines:
        assert len(line) < 1_500, line[:1000]
        assert line.isprintable(), ascii(line[:1000])
