"""Modules that must not be imported: by `import archcalc`, `--help`, completion, and a plain analysis."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "sympy", "networkx", "pydantic", "rich", "tensorflow", "keras", "tf_keras", "matplotlib")
SPEC = {
    "archcalc": 1,
    "inputs": {"image": [32, 32, 3]},
    "layers": [
        {"name": "conv", "type": "Conv2D", "filters": 4, "kernel_size": 3},
        {"name": "norm", "type": "BatchNormalization"},
        {"name": "out", "type": "Dense", "units": 2},
    ],
}


def imported(code: str, **environment: str) -> set[str]:
    """Top-level modules that a fresh process holds after running some code."""
    report = "import sys as _s, atexit as _a; _a.register(lambda: print(*_s.modules, file=_s.stderr))"
    done = subprocess.run(
        [sys.executable, "-c", f"{report}\n{code}"],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.split()}


def run(*arguments: str) -> str:
    return f"from archcalc.cli import main\nassert main({list(arguments)!r}) == 0"


@pytest.mark.parametrize(
    "code",
    ["import archcalc", "import archcalc; archcalc.ArchcalcError", run("--help"), run("--version")]
    + [run(name, "--help") for name in ("analyze", "layers", "schema", "examples", "lint", "rules")],
)
def test_nothing_heavy(code: str) -> None:
    assert not imported(code) & set(HEAVY)


@pytest.mark.parametrize("words", ["archcalc ana", "archcalc analyze --dty", "archcalc analyze --dtype "])
def test_completion(words: str) -> None:
    # as a shell asks for completion: main() answers and exits
    code = "from archcalc.cli import main\nassert main([]) == 0"
    modules = imported(
        code,
        _ARCHCALC_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )
    assert not modules & set(HEAVY)


def answers(shell: str, words: str) -> list[str]:
    """What the shell would offer for the last of these words."""
    cursor = words.split(" ")[-1] if shell == "fish" else str(len(words.split(" ")) - 1)
    done = subprocess.run(
        [sys.executable, "-c", "from archcalc.cli import main; main([])"],
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "_ARCHCALC_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": cursor,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("archcalc analyze --dtype mixed", ["mixed_float16", "mixed_bfloat16"]),
        ("archcalc analyze keras:VGG", ["keras:VGG16", "keras:VGG19"]),
        ("archcalc verify keras:vgg", ["keras:VGG16", "keras:VGG19"]),
        ("archcalc layers LocallyC", ["LocallyConnected1D", "LocallyConnected2D"]),
        ("archcalc layers Conv2D lstm", ["LSTM", "LSTMCell"]),
        ("archcalc examples copy vg", ["vgg16", "vgg_family"]),
        ("archcalc analyze x.json --columns macs,fi", ["macs,field"]),
        ("archcalc rules AC70", ["AC701", "AC702"]),
        ("archcalc rules softmax-of", ["softmax-of-one-unit"]),
        ("archcalc lint x.json --select AC101,AC70", ["AC101,AC701", "AC101,AC702"]),
        ("archcalc explain --type LocallyConnected1", ["LocallyConnected1D"]),
        ("archcalc completion z", ["zsh"]),
        ("archcalc comp", ["completion"]),
    ],
)
def test_completion_answers(words: str, offered: list[str]) -> None:
    assert answers("bash", words) == [f"plain,{word}" for word in offered]
    assert [line.rpartition(",")[2] for line in answers("fish", words)][: len(offered)]


def test_files_are_completed_by_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernels.json").touch()
    assert answers("bash", "archcalc analyze ne") == ["file,ne"]
    assert answers("bash", "archcalc analyze ker")[-1] == "plain,kernels.json"
    assert "plain,keras:ResNet50" in answers("bash", "archcalc analyze ker")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "archcalc", "completion", shell],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert f"_ARCHCALC_COMPLETE={shell}_complete" in done.stdout
    assert ("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}" in done.stdout) == (shell == "bash")
    program = shutil.which(shell)
    if program is not None:  # the shell can read it
        read = subprocess.run([program, "-n"], input=done.stdout, capture_output=True, text=True, timeout=60)
        assert read.returncode == 0, read.stderr


@pytest.mark.parametrize("form", ["json", "csv", "markdown"])
def test_a_plain_analysis_needs_no_arrays_and_no_algebra(form: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(SPEC))
    modules = imported(run("analyze", str(path), "--format", form))
    assert not modules & (set(HEAVY) - {"pydantic"})


@pytest.mark.parametrize("color", ["never", "always"])
def test_a_terminal_table_needs_rich_for_colours_alone(color: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(SPEC))
    modules = imported(run("analyze", str(path), "--color", color))
    assert modules & set(HEAVY) == {"pydantic", *(["rich"] if color == "always" else [])}


def test_a_keras_config_needs_nothing_heavy(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    shape = {"name": "x", "batch_shape": [None, 8, 8, 3]}
    layers = [
        {"class_name": "InputLayer", "config": shape},
        {"class_name": "Flatten", "config": {"name": "y"}},
    ]
    path.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "net", "layers": layers}}))
    assert not imported(run("analyze", str(path))) & set(HEAVY)


def test_the_test_would_notice() -> None:
    assert {"numpy", "sympy"} <= imported("import numpy, sympy.core")
