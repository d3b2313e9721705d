"""Run folders: new ones never collide, living holders keep others out, dead ones do not."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.common import folders
from experiments.common.errors import ExperimentError

HOLD = """
import sys
from pathlib import Path
from experiments.common import folders
with folders.locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder's lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_new_folders_do_not_collide(out: Path) -> None:
    made = {folders.create(out, "x-smoke") for _ in range(5)}
    assert len(made) == 5
    assert all(folder.is_dir() for folder in made)


def test_a_living_holder_is_named(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(ExperimentError, match=f"process {holder.pid} is working on this run"),
        folders.locked(tmp_path),
    ):
        pass


def test_a_dead_holders_lock_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with folders.locked(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_locking_sweeps_up_after_the_dead(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / ".partial-x.keras").write_bytes(b"half")
    with folders.locked(tmp_path):
        assert not list(tmp_path.rglob(".partial-*"))


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ExperimentError, match=r"cannot make a run folder there .*choose --out"):
        folders.create(tmp_path / "file", "x")


def test_a_full_disk_is_refused_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folders.require_space(tmp_path, 1_000)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ExperimentError, match=r"cannot keep the run's 5 MB there \(No space left"):
        folders.require_space(tmp_path, 5_000_000)
    assert not list(tmp_path.iterdir())


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="not a run folder"):
        folders.existing(tmp_path)
