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
    "split": lambda x: torch.split(x, [2, 2], 1),
    "unstack": lambda x: torch.unbind(x, 1),
    "pad": lambda x: nn.functional.pad(x, (0, 0, 1, 1)),
    "squeeze": lambda x: torch.squeeze(x[:, :, :1], 2),
    "expand_dims": lambda x: torch.unsqueeze(x, 2),
    "swapaxes": lambda x: torch.swapaxes(x, 2, 3),
    "moveaxis": lambda x: torch.moveaxis(x, 2, 3),
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


class Recurrent(nn.Module):
    """A recurrent module of torch whose outputs are those of all steps, or the last one."""

    def __init__(self, kind: str, width: int, units: int, *, every: bool = False, **more: Any) -> None:
        super().__init__()
        self.inner = getattr(nn, kind)(width, units, batch_first=True, **more)
        self.every = every

    def forward(self, x: torch.Tensor) -> Any:
        outputs = self.inner(x)[0]
        return outputs if self.every else outputs[:, -1]


class BothWays(nn.Module):
    """Two LSTMs, one of them from the end, whose outputs are added, multiplied or averaged."""

    def __init__(self, width: int, units: int, merge: Callable[..., Any]) -> None:
        super().__init__()
        self.ahead, self.back = (nn.LSTM(width, units, batch_first=True) for _ in range(2))
        self.merge = merge

    def forward(self, x: torch.Tensor) -> Any:
        return self.merge(self.ahead(x)[0], self.back(x.flip(1))[0].flip(1))


class Cell(nn.Module):
    """A cell of torch, from a step and the states to the next states."""

    def __init__(self, kind: str, width: int, units: int, **more: Any) -> None:
        super().__init__()
        self.inner = getattr(nn, kind)(width, units, **more)

    def forward(self, x: torch.Tensor, *states: torch.Tensor) -> Any:
        return self.inner(x, states if len(states) > 1 else states[0])


class Einsum(nn.Module):
    """An einsum with a parameter, and a bias."""

    def __init__(self, equation: str, kernel: tuple[int, ...], bias: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.equation = equation
        self.weight = nn.Parameter(torch.rand(kernel))
        self.bias = None if bias is None else nn.Parameter(torch.rand(bias))

    def forward(self, x: torch.Tensor) -> Any:
        y = torch.einsum(self.equation, x, self.weight)
        return y if self.bias is None else y + self.bias


class Distributed(nn.Module):
    """A module on each step of a sequence: all steps are one batch."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> Any:
        return self.inner(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def resized(*size: int, **more: Any) -> Callable[[torch.Tensor], Any]:
    """A function that interpolates images to this size."""
    return lambda x: nn.functional.interpolate(x, size=size, **more)


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
        f"adaptiveavg{rank}": (lambda: of("AdaptiveAvgPool*d")(3), [shape]),
        f"adaptivemax{rank}": (lambda: of("AdaptiveMaxPool*d")(2), [shape]),
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
    "rmsnorm layer": (lambda: nn.RMSNorm(5), [(6, 5)]),
    "groupnorm": (lambda: nn.GroupNorm(2, 4), [IMAGE]),
    "groupnorm bare": (lambda: nn.GroupNorm(2, 4, affine=False), [IMAGE]),
    "groupnorm of a sequence": (lambda: nn.GroupNorm(1, 4), [SEQUENCE]),
    "instancenorm": (lambda: nn.GroupNorm(4, 4), [VOLUME]),
    "unitnorm": (lambda: Call(lambda x: nn.functional.normalize(x, dim=-1)), [(6, 5)]),
    "normalization": (lambda: Call(lambda x: (x - 0.5) / 0.3), [IMAGE]),
    "normalization inverted": (lambda: Call(lambda x: x * 0.3 + 0.5), [IMAGE]),
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
    "tensor stack": (lambda: Call(lambda a, b: torch.stack([a, b], 2)), [IMAGE] * 2),
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
    "resizing": (lambda: Call(resized(18, 5, mode="bilinear")), [IMAGE]),
    "resizing nearest": (lambda: Call(resized(4, 16, mode="nearest-exact")), [IMAGE]),
    "resizing by a function": (lambda: Call(resized(4, 16, mode="nearest-exact")), [IMAGE]),
    "resizing bicubic": (lambda: Call(resized(12, 3, mode="bicubic")), [IMAGE]),
    "resizing smoothed": (lambda: Call(resized(4, 4, mode="bilinear", antialias=True)), [IMAGE]),
    "resizing cropped": (
        lambda: Call(lambda x: resized(4, 4, mode="bilinear")(x[:, :, :8])),
        [IMAGE],
    ),
    "resizing padded": (
        lambda: Call(lambda x: resized(4, 4, mode="bilinear")(nn.functional.pad(x, (0, 1, 0, 0)))),
        [IMAGE],
    ),
    "einsum": (lambda: Einsum("abc,cd->abd", (5, 7), (7,)), [(6, 5)]),
    "einsum no bias": (lambda: Einsum("abc,cde->abde", (5, 2, 3)), [(6, 5)]),
    "einsum rounded": (lambda: Einsum("abc,cde->abde", (31, 4, 13), (4, 13)), [(7, 31)]),
    "einsum unnamed": (lambda: Einsum("...x,xy->...y", (5, 7), (7,)), [(3, 6, 5)]),
    "einsum summed": (lambda: Einsum("abc,cd->ad", (5, 7)), [(6, 5)]),
    "einsum outer": (lambda: Einsum("ab,c->abc", (7,)), [(6,)]),
    "einsum elementwise": (lambda: Einsum("abc,c->abc", (5,), (5,)), [(6, 5)]),
    "einsum over one": (lambda: Einsum("abc,cd->abd", (1, 7)), [(6, 1)]),
    "einsum softmax": (after(lambda: Einsum("ab,bc->ac", (5, 7), (7,)), lambda: nn.Softmax(-1)), [(5,)]),
    **{kind.lower(): (lambda k=kind: Recurrent(k, 3, 4), [(5, 3)]) for kind in ("RNN", "LSTM", "GRU")},
    **{
        f"{kind.lower()} no bias": (lambda k=kind: Recurrent(k, 3, 4, bias=False, every=True), [(5, 3)])
        for kind in ("RNN", "LSTM", "GRU")
    },
    "rnn relu": (lambda: Recurrent("RNN", 3, 4, nonlinearity="relu"), [(5, 3)]),
    "rnn of a cell": (lambda: Recurrent("GRU", 3, 4), [(5, 3)]),
    "rnn of cells": (
        after(lambda: Recurrent("LSTM", 3, 4, every=True), lambda: Recurrent("GRU", 4, 2)),
        [(5, 3)],
    ),
    "rnncell": (lambda: Cell("RNNCell", 3, 4), [(3,), (4,)]),
    "lstmcell": (lambda: Cell("LSTMCell", 3, 4), [(3,), (4,), (4,)]),
    "lstmcell no bias": (lambda: Cell("LSTMCell", 3, 4, bias=False), [(3,), (4,), (4,)]),
    "grucell": (lambda: Cell("GRUCell", 3, 4), [(3,), (4,)]),
    "bidirectional": (lambda: Recurrent("LSTM", 3, 4, bidirectional=True), [(5, 3)]),
    "bidirectional gru": (lambda: Recurrent("GRU", 3, 4, bidirectional=True, every=True), [(5, 3)]),
    "bidirectional sum": (lambda: BothWays(3, 4, lambda a, b: a + b), [(5, 3)]),
    "bidirectional mul": (lambda: BothWays(3, 4, lambda a, b: a * b), [(5, 3)]),
    "bidirectional ave": (lambda: BothWays(3, 4, lambda a, b: (a + b) / 2), [(5, 3)]),
    "distributed dense": (lambda: Distributed(nn.Linear(3, 4)), [(5, 3)]),
    "distributed conv": (lambda: Distributed(nn.Conv2d(3, 4, 3)), [(5, 3, 8, 9)]),
    "distributed transposed": (lambda: Distributed(nn.ConvTranspose2d(3, 4, 3, stride=2)), [(5, 3, 8, 9)]),
    "distributed batchnorm": (lambda: Distributed(nn.BatchNorm2d(3)), [(5, 3, 8, 9)]),
    "distributed layernorm": (lambda: Distributed(nn.LayerNorm(3)), [(5, 6, 3)]),
    "distributed pooling": (
        lambda: Distributed(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())),
        [(5, 3, 8, 9)],
    ),
    "distributed upsampling": (lambda: Distributed(nn.Upsample(scale_factor=2)), [(5, 3, 8, 9)]),
    "distributed resizing": (lambda: Distributed(Call(resized(4, 4, mode="bilinear"))), [(5, 3, 8, 9)]),
    "distributed embedding": (lambda: Distributed(nn.Embedding(11, 3)), [(5, 6)]),
    "distributed einsum": (lambda: Distributed(Einsum("abc,cd->abd", (31, 47))), [(5, 13, 31)]),
    "distributed lstm": (lambda: Distributed(Recurrent("LSTM", 3, 4)), [(6, 5, 3)]),
    "distributed gru": (lambda: Distributed(Recurrent("GRU", 3, 4, every=True)), [(6, 5, 3)]),
    "distributed twice": (lambda: Distributed(Distributed(nn.Linear(3, 4))), [(2, 5, 3)]),
    "multihead": (lambda: SelfAttention(8, 2), [(6, 8), (6, 8)]),
    "multihead no bias": (lambda: SelfAttention(8, 2, bias=False), [(6, 8), (6, 8)]),
    "multihead across": (lambda: SelfAttention(8, 2), [(6, 8), (5, 8)]),
}
