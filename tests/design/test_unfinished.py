"""Sweeps that are killed, or whose disk is full: nothing that looks whole, and `--resume` continues."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import archcalc

pytest.importorskip("pyarrow")

RESNET = "examples/resnet_depth_n.json"
OVER = {"w": "3:402", "n": "2:501"}
# small boxes; told how many parts to write before it dies by its own hand, and how large a file may become
CHILD = """
import os, resource, signal, sys
import archcalc
from archcalc.design import sweep, unfinished
sweep.BOX = 10_000
output, parts, size, resume = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "resume"
if size:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
write = unfinished.Unfinished.write
def counted(self, number, rows):
    write(self, number, rows)
    if parts and len(self.done()) >= parts:
        os.kill(os.getpid(), signal.SIGKILL)
unfinished.Unfinished.write = counted
try:
    archcalc.sweep("examples/resnet_depth_n.json", {"w": "3:402", "n": "2:501"}, output=output, resume=resume)
except archcalc.ArchcalcError as problem:
    sys.exit(str(problem))
"""


def child(output: Path, *, parts: int = 0, size: int = 0, resume: bool = False) -> tuple[int, str]:
    arguments = [str(output), str(parts), str(size), "resume" if resume else "new"]
    done = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "out.parquet"
    assert child(file) == (0, "")
    return file.read_bytes()


def test_killed(tmp_path: Path, whole: bytes) -> None:
    file = tmp_path / "out.parquet"
    assert child(file, parts=7)[0] == -signal.SIGKILL
    part = tmp_path / "out.parquet.part"
    assert not file.exists()
    done = {p.name: p.stat().st_mtime_ns for p in part.glob("0*.parquet")}
    assert len(done) >= 7
    # another sweep does not touch it, and is told what to do
    code, said = child(file)
    assert code == 1
    assert "parts of an unfinished sweep; --resume continues it" in said
    # killed again, later: what was done is not done again
    assert child(file, parts=12, resume=True)[0] == -signal.SIGKILL
    assert done.items() <= {p.name: p.stat().st_mtime_ns for p in part.glob("0*.parquet")}.items()
    assert child(file, resume=True) == (0, "")
    assert file.read_bytes() == whole
    assert not part.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out.parquet"]


def test_a_full_disk(tmp_path: Path, whole: bytes) -> None:
    """The final file exceeds the largest size that the process may write; the parts do not."""
    file = tmp_path / "out.parquet"
    code, said = child(file, size=len(whole) // 2)
    assert (code, file.exists()) == (1, False)
    assert (
        f"cannot write {file}: File too large; what is done is in {file}.part, and --resume continues it"
        in said
    )
    assert not list(tmp_path.glob(".partial-*"))
    assert child(file, resume=True) == (0, "")
    assert file.read_bytes() == whole


def test_a_full_disk_in_the_middle(tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    code, said = child(file, size=2_000)  # less than one part
    assert (code, file.exists()) == (1, False)
    assert "File too large" in said
    assert not list(tmp_path.iterdir()), "nothing was done, so nothing is left"


def test_only_the_same_sweep_continues(tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    assert child(file, parts=2)[0] == -signal.SIGKILL
    with pytest.raises(archcalc.ArchcalcError, match="of another sweep: over differ"):
        archcalc.sweep(RESNET, {**OVER, "n": "2:9"}, output=str(file), resume=True)
    with pytest.raises(archcalc.ArchcalcError, match="where differ"):
        archcalc.sweep(RESNET, OVER, where="w > 5", output=str(file), resume=True)
    with pytest.raises(archcalc.ArchcalcError, match="networks, over differ"):
        archcalc.sweep("examples/plain_sigmoid_n.json", {"n": "2:5"}, output=str(file), resume=True)
    (tmp_path / "out.parquet.part" / "sweep.json").write_text("{")
    with pytest.raises(archcalc.ArchcalcError, match=r"sweep\.json: cannot be read"):
        archcalc.sweep(RESNET, OVER, output=str(file), resume=True)
    with pytest.raises(archcalc.ArchcalcError, match="no unfinished sweep to resume"):
        archcalc.sweep(RESNET, OVER, output=str(tmp_path / "other.parquet"), resume=True)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    assert child(file, parts=2)[0] == -signal.SIGKILL
    import fcntl

    with (tmp_path / "out.parquet.part" / "sweep.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(archcalc.ArchcalcError, match="another process is at work in it"):
            archcalc.sweep(RESNET, OVER, output=str(file), resume=True)


def test_an_earlier_file_stays_until_the_end(tmp_path: Path) -> None:
    file = tmp_path / "out.parquet"
    file.write_bytes(b"before")
    assert child(file, parts=2)[0] == -signal.SIGKILL
    assert file.read_bytes() == b"before"
