"""Run every case that needs no limits under an audit hook; prints what the interpreter did.

A program, not a test: an audit hook cannot be removed from a process.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.hostile.cases import cases
from tests.hostile.running import run_here

COMMANDS = ("analyze", "convert", "verify")


def run() -> None:
    seen: list[tuple[str, str, str]] = []
    at = ""
    runs = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if at and not event.startswith(("object.", "gc.", "builtins.id", "sys._getframe")):
            seen.append((at, event, ascii(arguments[:1])[:200]))

    known = [case for case in cases() if not case.harsh]
    with tempfile.TemporaryDirectory() as top:
        sources = []
        for i, case in enumerate(known):
            folder = Path(top) / str(i)
            folder.mkdir()
            sources.append(case.make(folder))
        for watched in (False, True):  # the first round imports what reading needs
            if watched:
                sys.addaudithook(hook)
            for case, source in zip(known, sources, strict=True):
                for command in COMMANDS:
                    at = f"{case.name}: {source}" if watched else ""
                    run_here([command, source], case.stdin)
                    at = ""
                    runs += 1
    sys.stdout.write(json.dumps([runs, [[name, event, what] for name, event, what in seen]]))


if __name__ == "__main__":
    run()
