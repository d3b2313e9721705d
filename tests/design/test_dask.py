"""The Dask engine against a real scheduler and worker processes on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import archcalc
from archcalc.design import sweep as module

pytest.importorskip("pyarrow")
pytest.importorskip("distributed")

RESNET = "examples/resnet_depth_n.json"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(archcalc.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


class Cluster:
    """A scheduler and two workers, each a process."""

    def __init__(self) -> None:
        port = free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = started("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
        self.workers = [
            started("worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard")
            for _ in range(2)
        ]

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        from distributed import Client

        with Client(cluster.address, timeout=60) as client:
            client.wait_for_workers(2, timeout=120)
        yield cluster
    finally:
        cluster.close()


def test_no_scheduler() -> None:
    start = time.monotonic()
    with pytest.raises(archcalc.ArchcalcError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:"):
        archcalc.sweep(
            RESNET,
            {"w": "3:5", "n": "2"},
            engine="dask",
            scheduler=f"tcp://127.0.0.1:{free_port()}",
        )
    assert time.monotonic() - start < 60  # 5 on an idle machine


@pytest.mark.slow
def test_a_worker_dies(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BOX", 5_000)
    over = {"w": "3:1002", "n": "2:1001"}
    objectives = {"minimize": ["parameters"], "maximize": ["receptive_field"]}
    here = archcalc.sweep(RESNET, over, output=str(tmp_path / "here.parquet"), **objectives)
    killed_at: list[int] = []

    def kill(_: str, done: int, steps: int) -> None:
        if not killed_at and done > steps // 3:
            cluster.workers[0].send_signal(signal.SIGKILL)
            killed_at.append(done)

    there = archcalc.sweep(
        RESNET,
        over,
        output=str(tmp_path / "there.parquet"),
        engine="dask",
        scheduler=cluster.address,
        progress=kill,
        **objectives,
    )
    assert killed_at
    assert cluster.workers[0].wait() == -signal.SIGKILL
    assert cluster.workers[1].poll() is None
    assert (tmp_path / "there.parquet").read_bytes() == (tmp_path / "here.parquet").read_bytes()
    assert there._replace(output=None, density=None) == here._replace(output=None, density=None)
    assert there.selected == 1_000_000
