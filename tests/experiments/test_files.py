"""Files are whole or absent, whatever goes wrong while they are written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.common import files
from experiments.common.errors import ExperimentError


def test_a_fault_leaves_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"epoch": 1})

    def half(partial: Path) -> None:
        partial.write_text('{"epoch"', encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.write_whole(path, half)
    assert files.read_json(path) == {"epoch": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_the_temporary_neighbour_keeps_the_suffix(tmp_path: Path) -> None:
    seen = []
    files.write_whole(tmp_path / "m.keras", lambda partial: seen.append(partial.suffix) or partial.touch())
    assert seen == [".keras"]


def test_json_refuses_what_json_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"history": [')
    with pytest.raises(ExperimentError, match=r"state\.json: damaged, not JSON any more"):
        files.read_json(tmp_path / "state.json")


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """A process that rewrites a file as fast as it can is killed; the file is one of its versions, whole."""
    path = tmp_path / "a.txt"
    code = (
        "import sys; from pathlib import Path; from experiments.common import files\n"
        "n = 0\n"
        "while True:\n"
        "    files.write_text(Path(sys.argv[1]), str(n % 10) * 1_000_000); n += 1\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2])
    try:
        while not path.exists():
            assert writer.poll() is None, "the writer died by itself"
            time.sleep(0.01)
        for _ in range(20):
            text = path.read_text(encoding="utf-8")
            assert text == text[0] * 1_000_000
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    text = path.read_text(encoding="utf-8")
    assert text == text[0] * 1_000_000
    files.remove_partials(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
