"""Networks of one kind of layer, each for a mechanism by which a step may hold more than is counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.step_memory.drawn import Drawn

Layers = list[dict[str, Any]]
HEAD: Layers = [{"type": "Flatten"}, {"type": "Dense", "units": 4}]


def _repeated(count: int, **layer: Any) -> Layers:
    return [dict(layer) for _ in range(count)]


# name -> shape of a sample, layers, batch
NETWORKS: dict[str, tuple[list[int], Layers, int]] = {
    "conv3d": (
        [16, 32, 32, 4],
        _repeated(3, type="Conv3D", filters=8, kernel_size=3, padding="same", activation="relu") + HEAD,
        40,
    ),
    "conv3d_transpose": (
        [8, 16, 16, 8],
        _repeated(1, type="Conv3DTranspose", filters=8, kernel_size=2, strides=2)
        + _repeated(1, type="Conv3D", filters=8, kernel_size=3, padding="same", activation="relu")
        + HEAD,
        40,
    ),
    "wide_kernels": (
        [150, 100, 3],
        _repeated(3, type="Conv2D", filters=100, kernel_size=3, padding="same", activation="relu") + HEAD,
        6,
    ),
    "large_kernels": (
        [96, 96, 16],
        _repeated(3, type="Conv2D", filters=16, kernel_size=11, padding="same", activation="relu") + HEAD,
        32,
    ),
    "depthwise": (
        [64, 64, 32],
        _repeated(3, type="DepthwiseConv2D", kernel_size=5, padding="same", activation="relu") + HEAD,
        64,
    ),
    "dilated": (
        [64, 64, 16],
        _repeated(3, type="Conv2D", filters=16, kernel_size=3, dilation_rate=4, padding="same") + HEAD,
        96,
    ),
    "conv_lstm": (
        [8, 24, 24, 4],
        _repeated(2, type="ConvLSTM2D", filters=8, kernel_size=3, padding="same", return_sequences=True)
        + HEAD,
        40,
    ),
    "embedding": (
        [200],
        [{"type": "Embedding", "input_dim": 20_000, "output_dim": 128}, *HEAD],
        300,
    ),
    "vocabulary": (
        [32, 64],
        [{"type": "Dense", "units": 8_000, "activation": "softmax"}],
        40,
    ),
    "group_normalization": (
        [64, 64, 16],
        2 * [
            {"type": "Conv2D", "filters": 16, "kernel_size": 1},
            {"type": "GroupNormalization", "groups": 4},
        ]
        + HEAD,
        96,
    ),
    "bicubic": (
        [48, 48, 8],
        [
            {"type": "Dense", "units": 8},
            {"type": "UpSampling2D", "size": 2, "interpolation": "bicubic"},
            *HEAD,
        ],
        96,
    ),
    "many_calls": (
        [128, 32],
        [{"name": "one", "type": "Dense", "units": 32, "activation": "relu"}]
        + [{"shared_with": "one"} for _ in range(63)]
        + HEAD,
        96,
    ),
}  # fmt: skip


def networks() -> Iterator[Drawn]:
    """All of them."""
    for name, (shape, layers, batch) in NETWORKS.items():
        named = [{"name": f"l{n}", **layer} for n, layer in enumerate(layers)]
        inputs: Any = {"shape": shape, "dtype": "int32"} if name == "embedding" else shape
        yield Drawn(name, {"archcalc": 1, "inputs": {"x": inputs}, "layers": named}, batch)
