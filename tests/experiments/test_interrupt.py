"""Ctrl-C says how to go on; memory is told before training; errors look like archcalc's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.common import console, forecast
from experiments.common.errors import ExperimentError, InterruptedRunError
from experiments.common.exits import code
from experiments.common.folders import locked

ROOT = Path(__file__).parents[2]


def test_ctrl_c_says_how_to_resume(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "experiments",
            "run",
            "image_classifier",
            "--profile",
            "smoke",
            "--out",
            str(tmp_path),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a process that ignores the signal, as those in the background do, hands that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list(tmp_path.glob("*/prediction.json")):
        assert process.poll() is None, "the run ended by itself"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    said, errors = process.communicate()
    (folder,) = tmp_path.iterdir()
    assert process.returncode == 130
    assert errors.splitlines() == [
        f"archcalc: interrupted; `python -m experiments resume {folder}` goes on where it stopped"
    ]
    assert "Traceback" not in said


def test_before_anything_can_be_resumed_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRunError, match="run it again"), locked(tmp_path):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("problem", "wanted", "text"),
    [
        (ExperimentError("x: wrong; do y"), 2, "archcalc: x: wrong; do y\n"),
        (InterruptedRunError("interrupted; resume"), 130, "archcalc: interrupted; resume\n"),
        (KeyboardInterrupt(), 130, "archcalc: interrupted before a run began; there is nothing to resume\n"),
    ],
)
def test_exit_codes_are_those_of_archcalc(
    problem: BaseException, wanted: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(problem) == wanted
    assert capsys.readouterr().err == text


def test_memory_is_told_before_training(capsys: pytest.CaptureFixture[str]) -> None:
    fits = {
        "small": {"training_bytes": 2**20, "batch_size": 8, "available_bytes": 2**30, "fits": True},
        "large": {"training_bytes": 2**31, "batch_size": 8, "available_bytes": 2**30, "fits": False},
        "odd": {"training_bytes": None, "batch_size": 8, "available_bytes": 2**30, "fits": None},
    }
    forecast.tell(fits)
    told = capsys.readouterr()
    assert "memory small: training takes 1 MiB at batch 8, of 1,024 MiB on this machine" in told.out
    assert "memory of odd: archcalc has no rule" in told.out
    assert "large does not fit into this machine's memory" in told.err
    many = {f"model {n}": {**fits["small"], "training_bytes": n * 2**20} for n in range(1, 9)}
    forecast.tell(many)
    assert capsys.readouterr().out.splitlines() == [
        "memory of 8 models; the largest:",
        "memory model 8: training takes 8 MiB at batch 8, of 1,024 MiB on this machine",
    ]
    assert console.err.stderr


def test_the_list_needs_no_tensorflow() -> None:
    text = (
        "import sys; from experiments.cli import cli; cli.main(['list'], standalone_mode=False); "
        "print([m for m in ('tensorflow', 'keras', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    *lines, loaded = ran.stdout.splitlines()
    assert loaded == "[]"
    assert all("Found: " in line and "smoke" in line for line in lines)
