"""The README's first output is whole, and it shows every command; tests/test_shown.py runs what it shows.

`pytest --refresh-golden` renews the first output.
"""

from __future__ import annotations

import re

import pytest

from tests.shown import ROOT, run, shown, terminal, without_trailing_blanks

README = ROOT / "README.md"
SHOWN = [step for step in shown(README) if step.command.startswith("archcalc ")]


def test_the_first_output_is_whole(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer compares it with what `make demo` prints."""
    terminal(monkeypatch, ROOT)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    demo = re.search(r"^\t\$\(BIN\)/(archcalc .*)$", makefile, re.MULTILINE)
    assert demo is not None
    first = next(step for step in SHOWN if step.command == demo[1])
    printed = without_trailing_blanks(run(first.command).printed)
    if request.config.getoption("--refresh-golden"):
        text = README.read_text(encoding="utf-8")
        README.write_text(text.replace(first.output, printed + "\n", 1), encoding="utf-8")
        return
    assert without_trailing_blanks(first.output) == printed


def test_every_command_is_shown() -> None:
    from archcalc.cli import COMMANDS

    assert {s.command.split()[1] for s in SHOWN} >= set(COMMANDS)
