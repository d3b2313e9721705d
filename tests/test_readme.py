"""The README shows what happens: its commands run, and its outputs and files are the real ones.

In a `console` block `...` means any lines, and `# exit code N` after a command its exit code
(otherwise 0). A `json` block under `<!-- NAME -->` is the content of a file that later commands read.
`pytest --refresh-golden` renews the first output.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
FIRST = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
FILE = re.compile(r"<!-- (\S+\.json) -->\n```json\n(.*?)```", re.DOTALL)
ENVIRONMENT = {"COLUMNS": "80", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_COLOR": "1"}


class Shown(NamedTuple):
    """One command of the README, and the output below it."""

    command: str
    code: int
    output: str


def shown() -> list[Shown]:
    commands = []
    for block in BLOCK.findall(TEXT):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            code = re.search(r"# exit code (\d+)", command)
            commands.append(Shown(command.partition("#")[0].strip(), int(code[1]) if code else 0, output))
    return commands


SHOWN = shown()


def step(shown: Shown) -> Any:
    """What pytest makes of it; `verify` runs Keras."""
    marks = [pytest.mark.keras] if " verify " in shown.command else []
    return pytest.param(shown, id=shown.command, marks=marks)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples and the files that the README shows."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    for name, content in FILE.findall(TEXT):
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program, *arguments = shlex.split(command)
    assert program == "archcalc", f"the README shows another program: {command}"
    return subprocess.run(
        [sys.executable, "-m", "archcalc", *arguments],
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def without_trailing_blanks(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def matches(expected: str, actual: str) -> bool:
    """Whether the lines agree, where `...` is any number of lines."""
    pieces = [re.escape(piece) for piece in re.split(r"^\.\.\.$\n?", f"{expected}\n", flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*?".join(pieces), f"{actual}\n") is not None


@pytest.mark.keras
def test_the_first_lines_print_what_is_shown() -> None:
    """A model of Keras, and its table."""
    code, shown = FIRST.findall(TEXT)[0]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | ENVIRONMENT | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert matches(without_trailing_blanks(shown), without_trailing_blanks(done.stdout)), done.stdout


@pytest.mark.parametrize("step", [step(s) for s in SHOWN])
def test_commands_do_what_is_shown(step: Shown, checkout: Path) -> None:
    done = run(step.command, checkout)
    assert done.returncode == step.code, done.stderr
    if step.output.strip():
        actual = without_trailing_blanks(done.stdout + done.stderr)
        assert matches(without_trailing_blanks(step.output), actual), actual


def test_the_first_output_is_whole(request: pytest.FixtureRequest, checkout: Path) -> None:
    """A newcomer compares it with what `make demo` prints."""
    first = SHOWN[0]
    printed = without_trailing_blanks(run(first.command, checkout).stdout)
    if request.config.getoption("--refresh-golden"):
        README.write_text(TEXT.replace(first.output, printed + "\n", 1), encoding="utf-8")
        return
    assert without_trailing_blanks(first.output) == printed
    demo = re.search(
        r"^\t\$\(BIN\)/(archcalc .*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert demo is not None
    assert demo[1] == first.command


def test_every_command_is_shown() -> None:
    from archcalc.cli import COMMANDS

    assert {s.command.split()[1] for s in SHOWN} >= set(COMMANDS)


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a\n...\nc", "a\nb\nc", True),
        ("...\nc", "a\nb\nc", True),
        ("a\n...", "a\nb", True),
        ("a\n...\nc", "a\nc", True),
        ("a\n...\nc", "a\nb\nd", False),
        ("...\nb", "a\nb\nc", False),
        ("a", "a\nb", False),
    ],
)
def test_dots_match_any_lines(expected: str, actual: str, same: bool) -> None:
    assert matches(expected, actual) == same
