"""The blocks of code of README and docs/, and how their commands are run.

A `console` block shows commands, after `$`, and what they print: `...` means any lines, and `# exit code N`
after a command its exit code (otherwise 0). A line that ends with a backslash goes on in the next. An `sh`
block holds commands alone. A block under `<!-- NAME -->` is the content of a file that the commands of its
page read.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from archcalc.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(
    r"^(?:<!-- (?P<about>[^\n]+?) -->\n+)?```(?P<language>[\w{}-]*)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
FILE = re.compile(r"[\w-]+\.(json|csv|toml|yaml|py)")
# what needs Keras or matplotlib
HEAVY = re.compile(r" verify | --plot |keras:\w+\?|python:|\.keras\b|convert .*\.py")


class Block(NamedTuple):
    """A fenced block, and the comment directly above it."""

    language: str
    text: str
    about: str

    @property
    def is_file(self) -> bool:
        return FILE.fullmatch(self.about) is not None


class Shown(NamedTuple):
    """One command, and the output below it."""

    command: str
    code: int
    output: str

    @property
    def heavy(self) -> bool:
        return HEAVY.search(f" {self.command} ") is not None


class Done(NamedTuple):
    """What a command did."""

    code: int
    printed: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(m["language"], m["text"], m["about"] or "") for m in BLOCK.finditer(text)]


def shown(page: Path) -> Iterator[Shown]:
    """The commands of a page, in order."""
    for block in blocks(page):
        if block.language == "console":
            text = re.sub(r" \\\n +", " ", block.text)
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                yield _shown(command, output)
        elif block.language == "sh":
            for line in block.text.replace("\\\n", " ").splitlines():
                if line.strip() and not line.startswith("#"):
                    yield _shown(line, "")


def _shown(command: str, output: str) -> Shown:
    code = re.search(r"#.*\bexit code (\d+)", command)
    bare = re.sub(r"\s+#.*", "", command).strip()
    return Shown(bare, int(code[1]) if code else 0, output)


def prepare(folder: Path, page: Path) -> None:
    """A folder with the examples and the files that a page shows."""
    (folder / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    for block in blocks(page):
        if block.is_file:
            (folder / block.about).write_text(block.text, encoding="utf-8")


def terminal(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """80 columns without colours, in this folder."""
    for name in ("FORCE_COLOR", "LC_ALL", "LC_CTYPE", "ARCHCALC_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": "80", "NO_COLOR": "1", "LANG": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)


def run(command: str) -> Done:
    """Run one command of archcalc in this process."""
    program, *arguments = shlex.split(command)
    assert program == "archcalc", f"another program: {command}"
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n") for _ in range(2)]
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        code = main(arguments)
    printed = ""
    for stream in streams:
        stream.flush()
        printed += stream.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
    return Done(code, printed)


def without_trailing_blanks(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def matches(expected: str, actual: str) -> bool:
    """Whether the lines agree, where `...` is any number of lines."""
    expected, actual = map(without_trailing_blanks, (expected, actual))
    pieces = [re.escape(piece) for piece in re.split(r"^\.\.\.$\n?", f"{expected}\n", flags=re.MULTILINE)]
    return re.fullmatch(r"(?:.*\n)*?".join(pieces), f"{actual}\n") is not None


def complaint(step: Shown) -> str | None:
    """How what a command does differs from what is shown."""
    done = run(step.command)
    if done.code != step.code:
        return f"$ {step.command}\nexit code {done.code}, shown {step.code}\n{done.printed}"
    if step.output.strip() and not matches(step.output, done.printed):
        return f"$ {step.command}\n--- printed\n{done.printed}--- shown\n{step.output}"
    return None
