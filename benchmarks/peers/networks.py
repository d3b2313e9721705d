"""Whole networks in torch; `tests/conventions/networks` holds the same as archcalc's specs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from layers import Distributed, Einsum, Recurrent, SelfAttention, Twin, attend, resized
from resnet import ResNet50
from torch import nn

F = nn.functional


def conv_bn(cin: int, cout: int, k: int, *, rank: int = 2, activation: Callable[[], nn.Module] = nn.ReLU,
            **more: int) -> nn.Sequential:  # fmt: skip
    """A convolution without bias, its normalisation and an activation."""
    conv, norm = getattr(nn, f"Conv{rank}d"), getattr(nn, f"BatchNorm{rank}d")
    return nn.Sequential(conv(cin, cout, k, bias=False, **more), norm(cout), activation())


class Grouped(nn.Module):
    """Two blocks of grouped convolutions around identity shortcuts (as in ResNeXt)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(3, 32, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                conv_bn(32, 16, 1, activation=nn.SiLU),
                conv_bn(16, 16, 3, padding=1, groups=4, activation=nn.SiLU),
                nn.Conv2d(16, 32, 1, bias=False),
                nn.BatchNorm2d(32),
            )
            for _ in range(2)
        )
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(2))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block, relu in zip(self.blocks, self.relus, strict=True):
            x = relu(block(x) + x)
        return self.head(x)


class Dilated(nn.Module):
    """Three rates side by side, joined (as in DeepLab's pyramid)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ELU(), nn.AvgPool2d(2))
        self.rates = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 6, 3, padding=d, dilation=d), nn.LeakyReLU(0.3)) for d in (1, 2, 3)
        )
        self.join = nn.Sequential(nn.Conv2d(18, 4, 1), nn.Softmax(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.join(torch.cat([rate(x) for rate in self.rates], 1))


class Transposed(nn.Module):
    """Down with pooling, up with transposed convolutions and with interpolation (as in U-Net)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.middle = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU())
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.merge = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.PReLU(8))
        self.more = nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.wide = nn.Upsample(scale_factor=2, mode="bilinear")
        self.out = nn.Sequential(nn.Conv2d(4, 1, 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down(x)
        y = self.up(self.middle(self.pool(x)))
        return self.out(self.wide(self.more(self.merge(torch.cat([x, y], 1)))))


class Mobile(nn.Module):
    """Inverted residuals with depthwise convolutions and a squeeze-and-excite gate."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(3, 8, 3, stride=2, padding=1, activation=nn.Hardswish)
        self.expand = conv_bn(8, 24, 1, activation=nn.ReLU6)
        self.depthwise = conv_bn(24, 24, 5, padding=2, groups=24, activation=nn.ReLU6)
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Sequential(nn.Conv2d(24, 6, 1), nn.ReLU(), nn.Conv2d(6, 24, 1), nn.Hardsigmoid())
        self.project = nn.Sequential(nn.Conv2d(24, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.depthwise(self.expand(x))
        y = y * self.gate(self.squeeze(y))
        return self.head(self.project(y) + x)


class Sequence(nn.Module):
    """One-dimensional, with causal padding and a separable convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.ConstantPad1d((4, 0), 0.0), nn.Conv1d(6, 12, 3, dilation=2), nn.Tanh(), nn.MaxPool1d(2)
        )
        self.second = nn.Sequential(
            nn.Conv1d(12, 12, 3, padding=1, groups=12, bias=False), nn.Conv1d(12, 16, 1), nn.GELU()
        )
        self.norm = nn.BatchNorm1d(16)
        self.pool = nn.AvgPool1d(2)
        self.head = nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 5), nn.Softmax(-1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.norm(self.second(self.first(x)))))


class Encoder(nn.Module):
    """One block of a transformer's encoder after an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.attention = SelfAttention(16, 4)
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.feed = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.head = nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        x = self.norm1(x + self.attention(x, x))
        return self.head(self.norm2(x + self.feed(x)))


class Attending(nn.Module):
    """Projections by dense layers, and attention written as products of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.value = nn.Linear(8, 12), nn.Linear(8, 12, bias=False)
        self.out = nn.Linear(12, 4)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.out(attend(self.query(x), self.value(y)))


class Volume(nn.Module):
    """A residual network over three axes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(1, 4, 3, rank=3, padding=1)
        self.branch = nn.Sequential(
            conv_bn(4, 4, 3, rank=3, padding=1), nn.Conv3d(4, 4, 3, padding=1), nn.BatchNorm3d(4)
        )
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool3d(2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head(self.pool(self.relu(x + self.branch(x))))


class Shared(nn.Module):
    """One convolution, and its normalisation, called three times."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 1)
        self.conv, self.norm, self.relu = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for _ in range(3):
            x = self.relu(self.norm(self.conv(x)))
        return x


class Tagger(nn.Module):
    """Recurrent in both directions, and a layer on each step."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 8)
        self.both = Recurrent("LSTM", 8, 6, bidirectional=True, every=True)
        self.each = Distributed(nn.Sequential(nn.Linear(12, 10), nn.ReLU()))
        self.norm = nn.LayerNorm(10)
        self.last = Recurrent("GRU", 10, 5)
        self.out = nn.Sequential(nn.Linear(5, 3), nn.Softmax(-1))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.out(self.last(self.norm(self.each(self.both(self.embedding(tokens))))))


class Video(nn.Module):
    """A convolution, normalised in groups, on each frame; then an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Distributed(nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU()))
        self.norm = Distributed(nn.GroupNorm(3, 6))
        self.pool = Distributed(nn.MaxPool2d(2))
        self.gap = Distributed(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
        self.lstm, self.out = Recurrent("LSTM", 6, 7), nn.Linear(7, 2)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.out(self.lstm(self.gap(self.pool(self.norm(self.conv(frames))))))


class Prepared(nn.Module):
    """Resized, standardised, and residual with normalisation in groups."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm1, self.silu = nn.GroupNorm(4, 8), nn.SiLU()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(8, 8)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d((3, 5)), nn.Flatten(), nn.Linear(120, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (resized(20, 24, mode="bilinear")(x) - 0.5) / 0.3
        x = self.silu(self.norm1(self.conv1(x)))
        return self.head(x + self.norm2(self.conv2(x)))


class Projected(nn.Module):
    """Projections to heads and back, written as einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = Einsum("abc,cde->abde", (12, 3, 4), (3, 4))
        self.join = Einsum("abcd,cde->abe", (3, 4, 12), (12,))
        self.norm = nn.RMSNorm(12)
        self.feed = nn.Sequential(Einsum("abc,cd->abd", (12, 40)), nn.GELU(), nn.Linear(40, 12))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.feed(self.norm(x + self.join(self.heads(x))))


NETWORKS: dict[str, Twin] = {
    "resnet50_torchvision": (lambda: ResNet50(keras_form=False), [(3, 224, 224)]),
    "resnet50_keras": (lambda: ResNet50(keras_form=True), [(3, 224, 224)]),
    "grouped": (Grouped, [(3, 32, 32)]),
    "dilated": (Dilated, [(3, 20, 24)]),
    "transposed": (Transposed, [(1, 16, 16)]),
    "mobile": (Mobile, [(3, 32, 32)]),
    "sequence": (Sequence, [(6, 40)]),
    "encoder": (Encoder, [(10,)]),
    "attending": (Attending, [(10, 8), (7, 8)]),
    "volume": (Volume, [(1, 8, 10, 12)]),
    "tagger": (Tagger, [(12,)]),
    "video": (Video, [(4, 3, 20, 24)]),
    "prepared": (Prepared, [(3, 40, 48)]),
    "projected": (Projected, [(10, 12)]),
    "shared": (Shared, [(3, 12, 12)]),
}
