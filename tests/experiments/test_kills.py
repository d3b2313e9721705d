"""Real runs, really killed (`kill -9`), really resumed: the same bits as without.

The default suite kills once; `pytest -m slow tests/experiments/test_kills.py` kills twenty runs with
augmentation at random moments, some of them twice (KILLS=3 for three, KILL_SEED for the same moments).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.experiments.deaths import bits

ROOT = Path(__file__).parents[2]
# both train in traced graphs, as the larger profiles do; test_training.py does so without
ONE = ("run", "image_classifier", "--profile", "smoke")
MANY = ("run", "augmentation", "--profile", "smoke", "--set", "eager=false")


def start(*words: str) -> subprocess.Popen[bytes]:
    """An experiments command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def complete(*words: str) -> None:
    process = start(*words)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


def run_folder(out: Path) -> Path | None:
    """The folder of the one run, once it can be resumed."""
    found = list(out.glob("*/config.json"))
    return found[0].parent if found else None


def undisturbed(out: Path, words: tuple[str, ...]) -> tuple[dict[str, bytes], float]:
    """The bits of a run that nobody killed, and how long it took from its folder on."""
    process = start(*words, "--out", str(out))
    while run_folder(out) is None and process.poll() is None:
        time.sleep(0.05)
    began = time.monotonic()
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    folder = run_folder(out)
    assert folder is not None
    return bits(folder), time.monotonic() - began


def killed_at(out: Path, words: tuple[str, ...], seconds: float) -> Path:
    """Start a run, kill it that long after its folder appeared; returns the folder."""
    process = start(*words, "--out", str(out))
    while run_folder(out) is None:
        assert process.poll() is None, "the run died by itself"
        time.sleep(0.02)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill(process)
    else:
        process.communicate()
    folder = run_folder(out)
    assert folder is not None
    return folder


def test_a_killed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    wanted, seconds = undisturbed(tmp_path / "undisturbed", ONE)
    folder = killed_at(tmp_path / "killed", ONE, 0.6 * seconds)
    complete("resume", str(folder))
    assert bits(folder) == wanted


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted, seconds = undisturbed(tmp_path / "undisturbed", MANY)
    seed = int(os.environ.get("KILL_SEED", str(time.time_ns() % 10**6)))
    chosen = random.Random(seed)
    for number in range(int(os.environ.get("KILLS", "20"))):
        out = tmp_path / str(number)
        moment = chosen.uniform(0, seconds)
        folder = killed_at(out, MANY, moment)
        state = sorted(p.name for p in folder.glob("checkpoints/*/*"))
        kills = 1
        if chosen.random() < 0.3:  # and once more while it resumes
            process = start("resume", str(folder))
            try:
                process.wait(chosen.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                kill(process)
                kills = 2
        complete("resume", str(folder))
        assert bits(folder) == wanted, f"KILL_SEED={seed}, run {number}, killed after {moment:.2f} s"
        with capsys.disabled():
            print(f"\nseed {seed} run {number}: killed {kills}x, first at {moment:.1f} s, {state}")  # noqa: T201


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["segmentation", "transfer", "gradient_flow", "conv_vs_local", "stride_vs_pooling"]
)
def test_the_other_experiments_survive_a_kill_too(name: str, tmp_path: Path) -> None:
    words = ("run", name, "--profile", "smoke")
    wanted, seconds = undisturbed(tmp_path / "undisturbed", words)
    folder = killed_at(tmp_path / "killed", words, 0.4 * seconds)
    complete("resume", str(folder))
    assert bits(folder) == wanted
    if name in {"segmentation", "transfer"}:
        assert (folder / "figures/over_time.png").stat().st_size  # shows a clock's times
