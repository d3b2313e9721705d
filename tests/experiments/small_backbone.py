"""A backbone of two convolutions in MobileNetV2's place, so that whole runs take seconds."""

from __future__ import annotations

from typing import Any

import keras
import pytest

from experiments.common import backbones, unet, weights

CHANNELS = 6


def application(input_tensor: Any, include_top: bool, weights: None) -> keras.Model:
    """Stride 2, where the U-Net's first skip ends, then down to the 32nd of the size."""
    assert not include_top
    assert weights is None
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="conv1")(input_tensor)
    x = keras.layers.BatchNormalization(name="norm1")(x)
    x = keras.layers.ReLU(name=unet.BEFORE_DOWNSAMPLING[0])(x)
    x = keras.layers.AveragePooling2D(16, name="pool")(x)
    x = keras.layers.Conv2D(CHANNELS, 1, name="conv2")(x)
    x = keras.layers.BatchNormalization(name="norm2")(x)
    return keras.Model(input_tensor, x, name="small")


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put it in place, and leave weights as they were drawn."""
    entry = backbones.Backbone("Small", "mobilenet_v2", CHANNELS, "none")
    monkeypatch.setitem(backbones.BACKBONES, "mobilenetv2", entry)
    monkeypatch.setattr(keras.applications, "Small", application, raising=False)
    monkeypatch.setattr(weights, "give", lambda *_: None)
