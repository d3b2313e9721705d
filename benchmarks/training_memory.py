"""Training memory as counted, against what a training step of real Keras allocates.

    python benchmarks/training_memory.py [NAME ...]

Each network trains in a separate process, on the CPU, in the traced graph that `fit` uses. TensorFlow's
own allocator counts: the most bytes of tensors that a whole step has alive, variables included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

# network, input, batch: activations are large compared with what TensorFlow itself allocates
CASES = {
    "VGG16": ("keras:VGG16", None, 4),
    "ResNet50": ("keras:ResNet50", None, 4),
    "DenseNet121": ("keras:DenseNet121", None, 4),
    "MobileNetV2": ("keras:MobileNetV2", None, 4),
    "EfficientNetB0": ("keras:EfficientNetB0", None, 4),
    "InceptionV3": ("keras:InceptionV3", None, 4),
    "Xception": ("keras:Xception", None, 4),
    "ConvNeXtTiny": ("keras:ConvNeXtTiny", None, 4),
    "unet": ("examples/unet.json", None, 1),
    "sequence": ("tests/conventions/networks/sequence.json", None, 512),
}
ROOT = Path(__file__).parents[1]
MIB = 2**20


def measure(name: str) -> None:
    """Train in this process, and print the counted and the allocated bytes."""
    import numpy as np
    import tensorflow as tf

    import archcalc

    source, values, batch = CASES[name]
    graph = archcalc.load(source, symbols=values)
    totals = archcalc.analyze(graph, batch=batch).totals
    model = archcalc.to_keras(graph)
    model.compile("adam", "mse", jit_compile=False)
    rng = np.random.default_rng(0)
    inputs = [
        rng.integers(0, 2, (batch, *x.shape[1:]))
        if "int" in x.dtype
        else rng.random((batch, *x.shape[1:]), "float32")
        for x in model.inputs
    ]
    outputs = [rng.random((batch, *y.shape[1:]), "float32") for y in model.outputs]
    data = (inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0])
    for _ in range(2):  # the first step also makes the optimiser's variables and traces
        tf.config.experimental.reset_memory_stats("CPU:0")
        model.train_on_batch(*data)
    held = tf.config.experimental.get_memory_info("CPU:0")["peak"]
    variables = sum(v.numpy().nbytes for v in [*model.variables, *model.optimizer.variables])
    print(json.dumps({
        "network": name, "batch": batch, "counted": totals.training_bytes,
        "activations": totals.training_activation_bytes, "gradients": totals.gradient_bytes,
        "variables": variables, "held": held,
    }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return
    counting = {
        "TF_CPU_ALLOCATOR_USE_BFC": "true", "TF_CPU_BFC_MEM_LIMIT_IN_MB": "12000",
        "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "",
        "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1",
    }  # fmt: skip
    print("| network | batch | counted MiB | Keras MiB | Keras / counted |\n|---|---|---|---|---|")
    for name in options.names or CASES:
        ran = subprocess.run(
            [sys.executable, __file__, "--one", name],
            env=os.environ | counting, cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        record = json.loads(ran.stdout.splitlines()[-1])
        held = record["held"]
        print(
            f"| {name} | {record['batch']} | {record['counted'] / MIB:,.0f} | {held / MIB:,.0f} "
            f"| {held / record['counted']:.2f} |",
            flush=True,
        )
        print(record, file=sys.stderr)


if __name__ == "__main__":
    main()
