"""The wheel in an empty environment: every command with the light core, and what a missing extra answers."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from archcalc.cli.usage import EXAMPLES
from tests.shown import ROOT, Shown
from tests.test_usage import CODES, write_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `archcalc` of a new environment without Keras, and without this checkout."""
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run(pip, check=True, timeout=600)
    return programs / "archcalc"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_files(tmp_path)
    return tmp_path


def archcalc(program: Path, line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [program, *line.split()], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def light_examples() -> list[str]:
    """Those of every command that needs no extra; Keras code is text, which needs none either."""
    lines = [f"{command} {line}".rstrip() for command, shown in EXAMPLES.items() for line, _ in shown]
    light = [s for s in lines if s.startswith("convert ") or not Shown(f"archcalc {s}", 0, "").heavy]
    return [line for line in light if not line.startswith("sweep ") or " -o " not in line]


@pytest.mark.parametrize("line", light_examples())
def test_examples_run_with_the_light_core(line: str, installed: Path, folder: Path) -> None:
    done = archcalc(installed, line, folder)
    assert done.returncode == next((code for start, code in CODES.items() if line.startswith(start)), 0), done


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("verify net.json", "keras"),
        ("analyze keras:ResNet50?classes=10", "keras"),
        ("analyze python:json:loads", "keras"),
        ("convert net.json -o net.keras", "keras"),
        ("analyze net.json --gradients --plot plot.png", "plots"),
        ("analyze old.yaml", "yaml"),
        ("sweep net.json --over n=1:5 -o out.parquet", "sweep"),
        ("sweep net.json --over n=1:5 -o out.csv", "sweep"),
        ("sweep net.json --over n=1:5 --engine dask", "dask"),
        ("analyze weights.keras --gradients --weights actual", "keras"),
    ],
)
def test_a_missing_extra_answers_with_its_install_line(
    line: str, extra: str, installed: Path, folder: Path
) -> None:
    (folder / "old.yaml").write_text("class_name: Sequential\nconfig: []\n", encoding="utf-8")
    if "weights.keras" in line:
        import keras

        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(folder / "weights.keras")
    done = archcalc(installed, line, folder)
    assert done.returncode == 2, done.stdout
    assert f"pip install 'archcalc[{extra}]'" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) <= 2
