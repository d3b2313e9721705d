"""The one place where data may come from the network: soon, or an error that says what else to do."""

from __future__ import annotations

import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.common.errors import ExperimentError

# what Keras's loaders ask, and what we therefore knock at first
HOSTS = {
    "cifar10": "https://www.cs.toronto.edu/",
    "fashion_mnist": "https://storage.googleapis.com/",
    "applications": "https://storage.googleapis.com/",
}
KNOCK_SECONDS = 5.0
STALL_SECONDS = 30.0  # without a byte during the download itself


def keras_cache() -> Path:
    """Where Keras keeps the data sets that it downloads."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "datasets"


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """No socket opened inside waits longer than this for its next byte."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def unreachable(url: str, seconds: float = KNOCK_SECONDS) -> str | None:
    """Why `url` does not answer within `seconds`, or None where it does (with any status).

    In a thread of its own, because the resolver heeds no timeout.
    """
    verdict: list[str | None] = []

    def knock() -> None:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                answer.read(1)
            verdict.append(None)
        except urllib.error.HTTPError:
            verdict.append(None)  # somebody is there
        except Exception as fault:
            verdict.append(str(getattr(fault, "reason", fault)))

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(seconds + 1)
    return verdict[0] if verdict else f"no answer within {seconds:g} s"


def guarded(host: str, call: Callable[[], Any], what: str, otherwise: str, *, cached: bool = False) -> Any:
    """`call()`, which has Keras download from `host`, unless it is `cached` already.

    Raises ExperimentError within seconds where the server does not answer, and after `STALL_SECONDS`
    where it stops answering; the text ends with `otherwise`, the ways that need no network.
    """
    reason = None if cached else unreachable(HOSTS[host], KNOCK_SECONDS)
    if reason is None:
        try:
            with socket_timeout(STALL_SECONDS):
                return call()
        except Exception as fault:  # Keras raises a bare Exception
            reason = str(fault)
    raise ExperimentError(f"{what} is not on this machine and cannot be downloaded ({reason}).\n{otherwise}")


def download(loader: str, what: str, otherwise: str) -> Any:
    """`keras.datasets.<loader>.load_data()`, guarded."""

    def load() -> Any:
        import keras

        return getattr(keras.datasets, loader).load_data()

    return guarded(loader, load, what, otherwise)
