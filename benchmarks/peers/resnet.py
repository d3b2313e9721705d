"""ResNet-50 in torch, with its stride where torchvision puts it and where Keras puts it."""

from __future__ import annotations

import torch
from torch import nn

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut, which is a convolution where the shape changes."""

    def __init__(self, cin: int, width: int, stride: int, *, on_3x3: bool, bias: bool, project: bool) -> None:
        super().__init__()
        first, second = (1, stride) if on_3x3 else (stride, 1)
        self.conv1 = nn.Conv2d(cin, width, 1, first, bias=bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(cin, 4 * width, 1, stride, bias=bias), nn.BatchNorm2d(4 * width))
            if project
            else nn.Identity()
        )
        self.relu3 = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        return self.relu3(self.bn3(self.conv3(y)) + self.shortcut(x))


class ResNet50(nn.Module):
    """torchvision's form (`keras_form` False), or that of `keras.applications`.

    Keras pads with layers, gives its convolutions biases, strides on the 1x1 and ends in a softmax.
    """

    def __init__(self, keras_form: bool) -> None:
        super().__init__()
        pad = 0 if keras_form else 3
        self.before = nn.ZeroPad2d(3) if keras_form else nn.Identity()
        self.conv = nn.Conv2d(3, 64, 7, 2, padding=pad, bias=keras_form)
        self.bn = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.between = nn.ZeroPad2d(1) if keras_form else nn.Identity()
        self.pool = nn.MaxPool2d(3, 2, padding=0 if keras_form else 1)
        blocks: list[nn.Module] = []
        channels = 64
        for width, count, stride in STAGES:
            for i in range(count):
                blocks.append(
                    Bottleneck(
                        channels,
                        width,
                        stride if i == 0 else 1,
                        on_3x3=not keras_form,
                        bias=keras_form,
                        project=i == 0,
                    )
                )
                channels = 4 * width
        self.blocks = nn.Sequential(*blocks)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, 1000)
        self.softmax = nn.Softmax(-1) if keras_form else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.between(self.relu(self.bn(self.conv(self.before(x))))))
        return self.softmax(self.fc(torch.flatten(self.gap(self.blocks(x)), 1)))
