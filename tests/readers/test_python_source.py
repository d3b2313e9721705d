"""`python:PACKAGE.MODULE:NAME` runs code only when asked to, and survives whatever that code does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.cli import main
from archcalc.errors import SourceError

pytestmark = pytest.mark.keras

HOSTILE = '''
"""A module of somebody's own."""
import os
import sys

import keras

print("a message on stdout")
os.write(1, b"a message past Python\\n")


def build():
    x = keras.Input((8, 8, 3), name="x")
    return keras.Model(x, keras.layers.Lambda(lambda v: v * 2, name="twice")(x), name="own")


class Nets:
    model = build()


class Exits(keras.layers.Layer):
    calls = 0

    def call(self, x):
        Exits.calls += 1
        if Exits.calls > 1:
            sys.exit("from a layer")
        return x


class Rude(BaseException):
    pass


def late():
    x = keras.Input((4,))
    return keras.Model(x, Exits()(x))


def leaves():
    sys.exit(0)


def fails():
    raise ValueError("first line\\nsecond line")


def rude():
    raise Rude


def asks(width):
    return build()


def wrong():
    return [1, 2]


async def later():
    return build()


def closes():
    sys.stdout.close()
    return build()


number = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "somebodys.py").write_text(HOSTILE)
    (tmp_path / "broken.py").write_text("import no_such_package\n")
    (tmp_path / "torn.py").write_text("def build(:\n")
    # neither stands in for the package that it is named after
    (tmp_path / "keras.py").write_text("raise RuntimeError('this is not Keras')\n")
    (tmp_path / "rich.py").write_text("raise RuntimeError('this is not rich')\n")
    monkeypatch.chdir(tmp_path)
    for name in ("somebodys", "broken", "torn"):
        sys.modules.pop(name, None)
    return "somebodys"


@pytest.mark.parametrize("name", ["build", "Nets.model"])
def test_a_model_and_a_function_are_read(module: str, name: str) -> None:
    path = list(sys.path)
    graph = archcalc.load(f"python:{module}:{name}", allow_code=True)
    assert [n.name for n in graph.nodes] == ["x", "twice/multiply"]
    assert graph.source == f"python:{module}:{name}"
    assert sys.path == path


REFUSED = {
    "somebodys:leaves": "its code ended the program (exit code 0)",
    "somebodys:fails": "its code raised ValueError: first line second line",
    "somebodys:rude": "its code raised Rude",
    "somebodys:late": "its code ended the program (exit code 'from a layer')",
    "somebodys:asks": "asks is called without arguments, and missing a required argument: 'width'",
    "somebodys:wrong": "wrong() returned list, not a keras.Model",
    "somebodys:later": "later() returned coroutine, not a keras.Model",
    "somebodys:number": "number is of type int, neither a model nor a function",
    "somebodys:biuld": "somebodys has no 'biuld'; did you mean 'build'?",
    "somebodys:Nets.modle": "did you mean 'model'?",
    "nowhere.at.all:build": "no module is named 'nowhere'",
    "broken:build": "its code raised ModuleNotFoundError: No module named 'no_such_package'",
    "torn:build": "its code raised SyntaxError",
    "somebodys": "expected python:PACKAGE.MODULE:NAME",
    "somebodys:": "expected python:PACKAGE.MODULE:NAME",
    ":build": "expected python:PACKAGE.MODULE:NAME",
    "somebodys:build()": "expected python:PACKAGE.MODULE:NAME",
    "../somebodys:build": "expected python:PACKAGE.MODULE:NAME",
    "somebodys:build\nimport os": "expected python:PACKAGE.MODULE:NAME",
}


@pytest.mark.parametrize("rest", REFUSED)
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
@pytest.mark.usefixtures("module")
def test_whatever_goes_wrong_is_one_line(rest: str) -> None:
    path, out = list(sys.path), sys.stdout
    with pytest.raises(SourceError) as caught:
        archcalc.load(f"python:{rest}", allow_code=True)
    assert REFUSED[rest] in str(caught.value)
    assert len(caught.value.faults) == 1
    assert "\n" not in str(caught.value.faults[0])
    assert (sys.path, sys.stdout) == (path, out)


def test_what_the_code_prints_goes_to_stderr(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", f"python:{module}:build", "--format", "json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["model"]["name"] == "own"
    assert "a message on stdout" in err
    assert "a message past Python" in err


def test_the_command_line_ends_with_2(module: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", f"python:{module}:leaves"]) == 2
    assert (
        capfd.readouterr()
        .err.splitlines()[-1]
        .startswith("archcalc: python:somebodys:leaves: its code ended")
    )


def test_load_runs_code_only_when_asked_to(module: str) -> None:
    with pytest.raises(SourceError, match=r"only with allow_code=True"):
        archcalc.load(f"python:{module}:build")
    assert module not in sys.modules


def test_a_file_of_that_name_wins(module: str, tmp_path: Path) -> None:
    spec = {"archcalc": 1, "inputs": {"x": [4]}, "layers": [{"name": "a", "type": "Dense", "units": 3}]}
    (tmp_path / f"python:{module}:build").write_text(json.dumps(spec))
    for allow_code in (False, True):
        graph = archcalc.load(f"python:{module}:build", allow_code=allow_code)
        assert [n.name for n in graph.nodes] == ["x", "a"]
    assert module not in sys.modules


def test_no_file_can_name_code(module: str, tmp_path: Path) -> None:
    for text in (f'"python:{module}:build"', f'{{"class_name": "python:{module}:build", "config": {{}}}}'):
        (tmp_path / "net.json").write_text(text)
        with pytest.raises(SourceError):
            archcalc.load("net.json", allow_code=True)
    assert module not in sys.modules


@pytest.mark.usefixtures("module")
def test_an_interrupt_stays_one(tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("def build():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        archcalc.load("python:torn:build", allow_code=True)
