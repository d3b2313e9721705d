"""Mutants: source edits that exist only in a child process and never change the working tree.

A child is forked for each mutant, imports archcalc and the tests again with the text of one module
replaced, and runs a check. The parent loads third-party modules once and computes nothing, because
TensorFlow survives a fork only if it has not run.
"""

from __future__ import annotations

import importlib
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
CPU_SECONDS = 900  # upper limit; each comparison has a lower one
MEMORY = 4 << 30  # in addition to what is mapped at the start
THIRD_PARTY = ("click", "hypothesis", "keras", "networkx", "numpy", "pydantic", "pytest", "rich", "sympy")


@dataclass(frozen=True)
class Mutant:
    """One mistake: `old` becomes `new`, at byte `start`, or at the only occurrence of `old`."""

    name: str
    file: str
    old: str
    new: str
    start: int | None = None

    def source(self) -> str:
        """The module's text with the mistake; raises `ValueError` if it is not valid Python."""
        text = (ROOT / self.file).read_bytes()
        old, start = self.old.encode(), self.start
        if start is None:
            if text.count(old) != 1:
                raise ValueError(f"{self.name}: {self.file} holds {text.count(old)} times {self.old!r}")
            start = text.index(old)
        assert text[start : start + len(old)] == old
        source = (text[:start] + self.new.encode() + text[start + len(old) :]).decode()
        try:
            compile(source, self.file, "exec")
        except SyntaxError as fault:
            raise ValueError(f"{self.name} is no Python: {fault}") from fault
        return source

    @property
    def module(self) -> str:
        return self.file.removesuffix(".py").replace("/", ".")

    def __str__(self) -> str:
        line = ""
        if self.start is not None:
            line = f":{(ROOT / self.file).read_bytes()[: self.start].count(10) + 1}"
        return f"{self.file}{line}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"


class Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """An importer that loads one module from another text."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.text = module, source

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.module:
            return None
        return importlib.util.spec_from_loader(name, self, origin=f"{name} (mutated)")

    def exec_module(self, module: Any) -> None:
        exec(compile(self.text, f"{self.module} (mutated)", "exec"), module.__dict__)


def preload() -> None:
    """Import the modules that all children share."""
    importlib.import_module("tests.conftest")  # settings of TensorFlow
    for name in (*THIRD_PARTY, "tensorflow", "tf_keras"):
        importlib.import_module(name)


class LostError(Exception):
    """The child ended without a result: it exceeded its time or memory."""


def in_child(check: Callable[[], Any], mutant: Mutant | None = None) -> Any:
    """The result of `check` in a child process, with the mistake in archcalc.

    Raises `LostError` if there is no result, and `RuntimeError` if `check` raises an exception.
    """
    source = mutant.source() if mutant else ""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            _limit()
            _forget()
            if mutant:
                sys.meta_path.insert(0, Replaced(mutant.module, source))
            answer = (True, check())
        except BaseException as fault:
            where = traceback.format_tb(fault.__traceback__)[-1]
            answer = (False, f"{type(fault).__name__}: {fault} {where}")
        with os.fdopen(into, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    if not data:
        raise LostError("no answer: too much time, or too much memory")
    well, answer = pickle.loads(data)
    if not well:
        raise RuntimeError(answer)
    return answer


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    sys.setrecursionlimit(3000)


def _forget() -> None:
    """Unload archcalc and the tests, so that they are imported again; third-party modules stay."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("archcalc", "tests") and name != __name__:
            del sys.modules[name]
