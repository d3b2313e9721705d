"""Source edits that live in a child process only: the working tree is never touched.

A child is forked for each mutant, imports archcalc afresh with one module's text replaced,
and compares its figures with the recorded ones (`replay`). No TensorFlow in the parent.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import pickle
import resource
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CPU_SECONDS = 40  # a mutant that computes longer hangs; processor time, as the machine may be busy
MEMORY = 6 << 30


@dataclass(frozen=True)
class Mutant:
    """One mistake: `old` becomes `new`, at `start` (a byte) or where `old` stands only once."""

    name: str
    file: str
    old: str
    new: str
    start: int | None = None

    def source(self) -> str:
        """The module's text with the mistake in it."""
        text = (ROOT / self.file).read_bytes()
        old, start = self.old.encode(), self.start
        if start is None:
            if text.count(old) != 1:
                raise ValueError(f"{self.name}: {self.file} holds {text.count(old)} times {self.old!r}")
            start = text.index(old)
        assert text[start : start + len(old)] == old
        return (text[:start] + self.new.encode() + text[start + len(old) :]).decode()

    @property
    def module(self) -> str:
        return self.file.removesuffix(".py").replace("/", ".")

    def __str__(self) -> str:
        line = ""
        if self.start is not None:
            line = f":{(ROOT / self.file).read_bytes()[: self.start].count(10) + 1}"
        return f"{self.file}{line}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"


class Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from another text."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.text = module, source

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.module:
            return None
        return importlib.util.spec_from_loader(name, self, origin=f"{name} (mutated)")

    def exec_module(self, module: Any) -> None:
        exec(compile(self.text, f"{self.module} (mutated)", "exec"), module.__dict__)


def forget() -> None:
    """Have archcalc, and what imports it, loaded anew; third-party modules stay."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("archcalc", "tests") and not name.startswith("tests.mutations"):
            del sys.modules[name]
    for name in ("tests.mutations.replay",):
        sys.modules.pop(name, None)


def killed_by(mutant: Mutant | None, check: Callable[[], str], cpu: int = CPU_SECONDS) -> str:
    """What tells the mutant from the truth, as text; empty if nothing does.

    `check` runs in a child of its own and gives the first difference it sees.
    """
    source = mutant.source() if mutant else ""
    if mutant and source:
        try:
            compile(source, mutant.file, "exec")
        except SyntaxError as fault:
            raise ValueError(f"{mutant.name} is no Python: {fault}") from fault
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            text = _in_child(mutant, source, check, cpu)
        except BaseException as fault:
            text = f"{type(fault).__name__}: {fault} {traceback.format_tb(fault.__traceback__)[-1]}"
        os.write(into, pickle.dumps(text[:2000]))
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return str(pickle.loads(answer)) if answer else "hangs, or takes all memory"


def _in_child(mutant: Mutant | None, source: str, check: Callable[[], str], cpu: int) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    if cpu == CPU_SECONDS:  # TensorFlow reserves more than it uses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.setrecursionlimit(3000)
    forget()
    if mutant:
        sys.meta_path.insert(0, Replaced(mutant.module, source))
    return check()
