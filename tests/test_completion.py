"""Completion as somebody types it: real shells on a terminal, the tabulator after a beginning of a word."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pexpect = pytest.importorskip("pexpect")

ROOT = Path(__file__).parents[1]
# what is typed before the tabulator -> what stands there after it
TYPED = {
    "ana": "analyze",
    "analyze --grad": "analyze --gradients",
    "analyze --format j": "analyze --format json",
    "analyze --columns macs,fi": "analyze --columns macs,field",
    "analyze ne": "analyze net.json",
    "analyze two": "analyze two words.json",
    "analyze folder/de": "analyze folder/deep.json",
    "analyze ker": "analyze keras:",
    "diff net.json keras:InceptionR": "diff net.json keras:InceptionResNetV2",
    "layers Conv2DT": "layers Conv2DTranspose",
    "examples copy une": "examples copy unet",
    "rules softmax-of": "rules softmax-of-one-unit",
}
START = {
    "bash": ("--norc", "-i"),
    "zsh": ("-f", "-i"),
    "fish": ("--no-config", "-i"),
}
SETTINGS = {
    "bash": 'eval "$(archcalc completion bash)"',
    "zsh": 'autoload -Uz compinit && compinit -u -D && eval "$(archcalc completion zsh)"',
    "fish": "archcalc completion fish | source",
}
BEGIN, END = "\x01", "\x05"  # the keys that go to the begin and to the end of a line


@pytest.fixture(scope="module", params=list(START))
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A shell that has just read its completion, in a folder with files."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "folder").mkdir()
    for name in ("net.json", "two words.json", "folder/deep.json"):
        (folder / name).touch()
    bin = folder / "bin"
    bin.mkdir()
    script = bin / "archcalc"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archcalc "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    env = {n: v for n, v in os.environ.items() if n not in ("COLUMNS", "PS1")}
    env |= {"PATH": f"{bin}:{env['PATH']}", "HOME": str(folder), "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    child = pexpect.spawn(
        program, list(START[request.param]), env=env, cwd=folder, encoding="utf-8", dimensions=(40, 160)
    )
    child.sendline(f'{SETTINGS[request.param]}; echo SET""TLED')
    child.expect("SETTLED", timeout=60)
    yield child
    child.close(force=True)


@pytest.mark.parametrize(("typed", "completed"), TYPED.items(), ids=list(TYPED))
def test_a_word_is_completed(shell: Any, typed: str, completed: str) -> None:
    # the finished line is printed by the shell itself, which undoes quotation marks
    shell.send(f"archcalc {typed}\t")
    shell.send(f'{BEGIN}echo LI""NE: {END}\r')
    shell.expect(r"LINE: ([^\r\n]*)", timeout=60)
    line = re.sub(r"\x1b[\[(][0-9;?]*\w", "", shell.match[1]).strip()
    assert line == f"archcalc {completed}"
