"""A torch counterpart for each layer that is compared on its own: how to build it, and its inputs.

Inputs are written as torch takes them, channels before space, without the batch axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Twin = tuple[Callable[[], nn.Module], list[tuple[int, ...]]]

IMAGE, SEQUENCE, VOLUME = (4, 9, 8), (4, 9), (4, 5, 6, 7)
ACTIVATIONS = (
    *("ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign"),
    *("Sigmoid", "LogSigmoid", "Tanh", "Tanhshrink", "Hardsigmoid", "Hardswish", "Hardtanh"),
    *("Hardshrink", "Softshrink"),
)
FUNCTIONS = ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "softplus", "softmax",
             "hardsigmoid", "hardswish", "log_softmax", "softsign")  # fmt: skip
UNARY = ("sigmoid", "tanh", "exp", "log", "sqrt", "square", "abs", "neg")
BINARY: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "maximum": lambda a, b: torch.maximum(a, b),
    "minimum": lambda a, b: torch.minimum(a, b),
}
OTHERS: dict[str, Callable[..., Any]] = {
    "mean": lambda x: x.mean((2, 3)),
    "sum": lambda x: x.sum((2, 3)),
    "max": lambda x: x.amax((2, 3)),
    "min": lambda x: x.amin((2, 3)),
    "reshape": lambda x: x.reshape(1, 4, -1),
    "transpose": lambda x: x.transpose(2, 3),
    "get_item": lambda x: x[:, :, 1:],
}
# layers of training only
NOTHING = (
    "identity",
    "noise",
    "gaussian dropout",
    "alpha dropout",
    "regularization",
    "flip",
    "rotation",
    "translation",
)


class Call(nn.Module):
    """A function of the inputs, as a module; tools patch torch's functions, so it looks them up late."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


class SelfAttention(nn.Module):
    """torch's own attention of a sequence with itself, or with another."""

    def __init__(self, width: int, heads: int, *, bias: bool = True) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, bias=bias, batch_first=True)

    def forward(self, query: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return self.attention(query, value, value, need_weights=False)[0]


def attend(query: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Dot products of queries and values weigh the values, without any matrices."""
    scores = torch.nn.functional.softmax(torch.bmm(query, value.transpose(1, 2)), -1)
    return torch.bmm(scores, value)


def _functional(name: str) -> Callable[[], nn.Module]:
    arguments = {"dim": -1} if "softmax" in name else {}
    return lambda: Call(lambda x: getattr(nn.functional, name)(x, **arguments))


def _tensor(name: str) -> Callable[[], nn.Module]:
    return lambda: Call(lambda x: getattr(torch, name)(x))


def after(module: Callable[[], nn.Module], *more: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Modules in a row."""
    return lambda: nn.Sequential(module(), *(m() for m in more))


def _spatial(rank: int, shape: tuple[int, ...]) -> dict[str, Twin]:
    """The layers that exist over one, two and three axes."""

    def of(name: str) -> Any:
        return getattr(nn, name.replace("*", str(rank)))

    return {
        f"conv{rank}": (lambda: of("Conv*d")(4, 6, 3), [shape]),
        f"conv{rank} no bias": (lambda: of("Conv*d")(4, 6, 2, stride=2, bias=False), [shape]),
        f"conv{rank} same": (lambda: of("Conv*d")(4, 6, 3, padding=1), [shape]),
        f"conv{rank} groups": (lambda: of("Conv*d")(4, 6, 3, groups=2), [shape]),
        f"conv{rank} dilated": (lambda: of("Conv*d")(4, 6, 2, dilation=2), [shape]),
        f"transposed{rank}": (lambda: of("ConvTranspose*d")(4, 5, 4, stride=3), [shape]),
        f"transposed{rank} same": (
            lambda: of("ConvTranspose*d")(4, 5, 3, stride=2, padding=1, output_padding=1),
            [shape],
        ),
        f"batchnorm{rank}": (lambda: of("BatchNorm*d")(4), [shape]),
        f"batchnorm{rank} bare": (lambda: of("BatchNorm*d")(4, affine=False), [shape]),
        f"maxpool{rank}": (lambda: of("MaxPool*d")(2), [shape]),
        f"maxpool{rank} same": (lambda: of("MaxPool*d")(3, stride=1, padding=1), [shape]),
        f"avgpool{rank}": (lambda: of("AvgPool*d")(3, stride=2), [shape]),
        f"globalavg{rank}": (after(lambda: of("AdaptiveAvgPool*d")(1), nn.Flatten), [shape]),
        f"globalmax{rank}": (after(lambda: of("AdaptiveMaxPool*d")(1), nn.Flatten), [shape]),
        f"upsample{rank}": (lambda: nn.Upsample(scale_factor=2), [shape]),
        f"zeropad{rank}": (lambda: of("ZeroPad*d")(1), [shape]),
        f"dropout{rank}": (lambda: of("Dropout*d")(0.5), [shape]),
    }


LAYERS: dict[str, Twin] = {
    **_spatial(1, SEQUENCE),
    **_spatial(2, IMAGE),
    **_spatial(3, VOLUME),
    "conv2 odd same": (after(lambda: nn.ZeroPad2d((0, 1, 0, 1)), lambda: nn.Conv2d(4, 6, 2)), [IMAGE]),
    "maxpool2 odd same": (lambda: nn.MaxPool2d(2, padding=(1, 0)), [IMAGE]),
    "maxpool2 even same": (after(lambda: nn.ZeroPad2d((0, 1, 0, 1)), lambda: nn.MaxPool2d(2, 1)), [IMAGE]),
    "transposed2 dilated": (lambda: nn.ConvTranspose2d(4, 5, 3, dilation=2), [IMAGE]),
    "depthwise2": (lambda: nn.Conv2d(4, 8, 3, groups=4), [IMAGE]),
    "depthwise1": (lambda: nn.Conv1d(4, 4, 3, groups=4, bias=False), [SEQUENCE]),
    "separable2": (
        after(lambda: nn.Conv2d(4, 8, 3, groups=4, bias=False), lambda: nn.Conv2d(8, 5, 1)),
        [IMAGE],
    ),
    "conv2 relu": (after(lambda: nn.Conv2d(4, 6, 3), nn.ReLU), [IMAGE]),
    "dense": (lambda: nn.Linear(5, 7), [(5,)]),
    "dense no bias": (lambda: nn.Linear(5, 7, bias=False), [(5,)]),
    "dense softmax": (after(lambda: nn.Linear(5, 7), lambda: nn.Softmax(-1)), [(5,)]),
    "dense of a sequence": (lambda: nn.Linear(5, 7), [(6, 5)]),
    "dense of a sequence no bias": (lambda: nn.Linear(5, 7, bias=False), [(6, 5)]),
    "dense of an image": (lambda: nn.Linear(5, 7), [(3, 6, 5)]),
    "embedding": (lambda: nn.Embedding(11, 3), [(6,)]),
    "batchnorm of a vector": (lambda: nn.BatchNorm1d(7), [(7,)]),
    "layernorm": (lambda: nn.LayerNorm(5), [(6, 5)]),
    "layernorm no shift": (lambda: nn.LayerNorm(5, bias=False), [(6, 5)]),
    "layernorm bare": (lambda: nn.LayerNorm(5, elementwise_affine=False), [(6, 5)]),
    "layernorm of two axes": (lambda: nn.LayerNorm((6, 5)), [(3, 6, 5)]),
    "rmsnorm": (lambda: nn.RMSNorm(5), [(6, 5)]),
    **{name.lower(): (getattr(nn, name), [IMAGE]) for name in ACTIVATIONS},
    "softmax": (lambda: nn.Softmax(-1), [(6, 5)]),
    "softmax of another axis": (lambda: nn.Softmax(1), [(6, 5)]),
    "logsoftmax": (lambda: nn.LogSoftmax(-1), [(6, 5)]),
    "prelu": (lambda: nn.PReLU(4), [IMAGE]),
    "upsample2 bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), [IMAGE]),
    "upsample2 bicubic": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), [IMAGE]),
    "upsample2 unequal": (lambda: nn.Upsample(scale_factor=(2, 3)), [IMAGE]),
    "dropout": (lambda: nn.Dropout(0.5), [IMAGE]),
    "add": (lambda: Call(lambda a, b, c: a + b + c), [IMAGE] * 3),
    "subtract": (lambda: Call(lambda a, b: a - b), [IMAGE] * 2),
    "multiply": (lambda: Call(lambda a, b: a * b), [IMAGE, (4, 1, 1)]),
    "maximum": (lambda: Call(torch.maximum), [IMAGE] * 2),
    "average": (lambda: Call(lambda a, b: (a + b) / 2), [IMAGE] * 2),
    "concatenate": (lambda: Call(lambda a, b: torch.cat([a, b], 1)), [IMAGE] * 2),
    "rescaling": (lambda: Call(lambda x: x * 2.0 + 1.0), [IMAGE]),
    "dot": (lambda: Call(lambda a, b: torch.bmm(a, b)), [(5, 4), (4, 3)]),
    "matmul": (lambda: Call(lambda a, b: torch.matmul(a, b)), [(5, 4), (4, 3)]),
    "matmul of batches": (lambda: Call(lambda a, b: torch.matmul(a, b)), [(2, 5, 4), (2, 4, 3)]),
    **{f"functional {name}": (_functional(name), [IMAGE]) for name in FUNCTIONS},
    **{f"tensor {name}": (_tensor(name), [IMAGE]) for name in UNARY},
    **{f"tensor {name}": (lambda f=f: Call(f), [IMAGE] * 2) for name, f in BINARY.items()},
    **{f"tensor {name}": (lambda f=f: Call(f), [IMAGE]) for name, f in OTHERS.items()},
    "tensor concatenate": (lambda: Call(lambda a, b: torch.cat([a, b], 1)), [IMAGE] * 2),
    "minimum": (lambda: Call(torch.minimum), [IMAGE] * 2),
    "flatten": (nn.Flatten, [IMAGE]),
    "reshape": (lambda: nn.Unflatten(1, (2, 2)), [IMAGE]),
    "permute": (lambda: Call(lambda x: x.permute(0, 2, 1)), [SEQUENCE]),
    "repeat": (lambda: Call(lambda x: x[:, None].expand(-1, 3, -1)), [(5,)]),
    "cropping1": (lambda: Call(lambda x: x[:, :, 1:-1]), [SEQUENCE]),
    "cropping2": (lambda: Call(lambda x: x[:, :, 1:-1, 1:-1]), [IMAGE]),
    "cropping3": (lambda: Call(lambda x: x[:, :, 1:-1, 1:-1, 1:-1]), [VOLUME]),
    "layer scale": (lambda: Call(lambda x: x * 0.1), [IMAGE]),
    "custom scale": (lambda: Call(lambda a, b: a + b * 0.5), [IMAGE] * 2),
    **{name: (nn.Identity, [IMAGE]) for name in NOTHING},
    "attention": (lambda: Call(attend), [(6, 5), (7, 5)]),
    "multihead": (lambda: SelfAttention(8, 2), [(6, 8), (6, 8)]),
    "multihead no bias": (lambda: SelfAttention(8, 2, bias=False), [(6, 8), (6, 8)]),
    "multihead across": (lambda: SelfAttention(8, 2), [(6, 8), (5, 8)]),
}
