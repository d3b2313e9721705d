"""What one network holds in this process, by TensorFlow's own CPU allocator.

    python -m benchmarks.step_memory.measure < NETWORK.json

prints the peaks of a forward pass and of a training step as JSON: the most bytes that tensors and variables
hold at once, each the median of five runs in the traced graphs that `predict` and `fit` use. For a network
with `batches` in place of `batch` it prints the peaks of two steps with each of them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

RUNS = 5
TRACING = 2  # runs that also trace, and make the optimizer's variables
REGION = 8 * 2**30  # bytes
ROOT = Path(__file__).parents[2]
COUNTING = {
    "TF_CPU_ALLOCATOR_USE_BFC": "true",
    "TF_CPU_BFC_MEM_LIMIT_IN_MB": "12000",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def measured(network: Mapping[str, Any], *, one_thread: bool = False) -> dict[str, int]:
    """The peaks of a network (`source`, `batch`, `dtype`) in a fresh process."""
    peaks: dict[str, int] = _in_a_process(network, one_thread)
    return peaks


def steps_measured(network: Mapping[str, Any]) -> list[list[int]]:
    """The peaks of two steps with each of the `batches` of a network, in a fresh process."""
    peaks: list[list[int]] = _in_a_process(network, False)
    return peaks


def _in_a_process(network: Mapping[str, Any], one_thread: bool) -> Any:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.step_memory.measure"],
        env=os.environ | COUNTING | (ONE_THREAD if one_thread else {}),
        cwd=ROOT, input=json.dumps(network), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(ran.stderr[-2000:])
    return json.loads(ran.stdout.splitlines()[-1])


def _peaks(run: Callable[[], Any], device: str, runs: int) -> list[int]:
    import tensorflow as tf

    peaks = []
    for _ in range(runs):
        tf.config.experimental.reset_memory_stats(device)
        run()
        peaks.append(int(tf.config.experimental.get_memory_info(device)["peak"]))
    return peaks


def main() -> None:
    network = json.load(sys.stdin)
    import keras
    import tensorflow as tf

    import archcalc

    device = "GPU:0" if tf.config.list_physical_devices("GPU") else "CPU:0"
    # one region from the start, as TensorFlow reserves it on a GPU: regions that grow by doubling would hold
    # up to twice what a few large tensors need. The pages are not touched
    tf.raw_ops.Empty(shape=[REGION // 2**20, 2**20], dtype=tf.uint8, init=False)
    keras.config.set_dtype_policy(network.get("dtype", "float32"))
    model = archcalc.to_keras(archcalc.load(network["source"]))
    model.compile("adam", "mse", jit_compile=False)

    def data(tensors: list[Any], batch: int) -> Any:
        drawn = [
            tf.random.uniform((batch, *t.shape[1:]), 0, 2, "int32")
            if "int" in t.dtype
            else tf.random.uniform((batch, *t.shape[1:]))
            for t in tensors
        ]
        return drawn if len(drawn) > 1 else drawn[0]

    def passes(batch: int) -> list[int]:
        x = data(model.inputs, batch)
        return _peaks(lambda: model.predict_on_batch(x), device, TRACING + RUNS)[TRACING:]

    def steps(batch: int, runs: int) -> list[int]:
        x, y = data(model.inputs, batch), data(model.outputs, batch)
        return _peaks(lambda: model.train_on_batch(x, y), device, runs)

    if "batches" in network:
        for few in (2, 3):  # a step is traced again for any batch where a second one differs
            steps(few, 1)
        print(json.dumps([steps(batch, 2) for batch in network["batches"]]))
        return
    batch = network["batch"]
    peaks = {"forward": passes(batch), "step": steps(batch, TRACING + RUNS)[TRACING:]}
    print(json.dumps({what: int(statistics.median(of)) for what, of in peaks.items()}))


if __name__ == "__main__":
    main()
