"""Where a run ran: versions, processor, threads; and TensorFlow set up so that bits repeat."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("archcalc", "tensorflow", "keras", "numpy", "scikit-learn", "matplotlib", "pillow")


def prepare() -> None:
    """Quiet and deterministic TensorFlow; before anything else touches it.

    Op determinism makes TensorFlow's kernels repeat their bits on the same machine with the same
    number of threads; nobody promises that across processors or versions.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _silent_stderr():
        import keras
        import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        from experiments.common.errors import ExperimentError

        raise ExperimentError(
            f"KERAS_BACKEND={keras.backend.backend()}: the experiments need tensorflow; unset it"
        )
    tf.get_logger().setLevel("ERROR")  # a model for each condition is many traces, and no fault
    tf.config.experimental.enable_op_determinism()


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep TensorFlow's start-up messages, which its own log level does not reach, off the terminal."""
    kept = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            messages.seek(0)
            os.write(kept, messages.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def describe() -> dict[str, Any]:
    """What environment.json holds."""
    return {
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "threads": {k: v for k, v in os.environ.items() if k.startswith("TF_NUM_")},
        "commit": _commit(),
    }


# a difference here may change bits; the rest is for the reader
BITS_DEPEND_ON = ("python", "packages", "processor", "cores", "onednn", "threads")


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What has changed since a run began and may keep its bits from repeating."""
    found = []
    for key in BITS_DEPEND_ON:
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += [
                f"{k} {old.get(k)} -> {new.get(k)}"
                for k in sorted(set(old) | set(new))
                if old.get(k) != new.get(k) and k != "archcalc"
            ]
        elif old != new:
            found.append(f"{key} {old} -> {new}")
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _commit() -> str | None:
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
