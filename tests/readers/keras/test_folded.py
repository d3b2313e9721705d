"""Parts of a sample along the batch: figures are those of the same network with an axis for the parts."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops

import archcalc
from archcalc.errors import SourceError
from archcalc.readers.keras_config import read_keras


def windows(x: Any, size: int) -> Any:
    """(batch, H, W, C) as (batch * windows, size * size, C), as in Swin."""
    _, h, w, c = x.shape
    x = ops.reshape(x, (-1, h // size, size, w // size, size, c))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, size * size, c))


def joined(x: Any, size: int, h: int, w: int) -> Any:
    c = x.shape[-1]
    x = ops.reshape(x, (-1, h // size, w // size, size, size, c))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, h, w, c))


def swin() -> Any:
    image = keras.Input((8, 8, 3), name="image")
    x = windows(kl.Conv2D(6, 1, name="stem")(image), 4)
    x = y = kl.LayerNormalization(name="norm")(x)
    y = kl.MultiHeadAttention(2, 3, name="attention")(y, y)
    y = kl.Dense(6, activation="gelu", name="mlp")(x + y)
    y = joined(y, 4, 8, 8)
    return keras.Model(image, kl.Conv2D(2, 1, name="out")(y))


def by_hand() -> Any:
    """Swin's attention written out over heads, as custom code does it."""
    image = keras.Input((8, 8, 6), name="image")
    x = windows(image, 4)
    qkv = ops.transpose(ops.reshape(kl.Dense(18, name="qkv")(x), (-1, 16, 3, 2, 3)), (0, 2, 3, 1, 4))
    q, k, v = ops.unstack(qkv, 3, axis=1)
    scores = ops.softmax(ops.matmul(q * 0.5, ops.transpose(k, (0, 1, 3, 2))), axis=-1)
    y = ops.reshape(ops.transpose(ops.matmul(scores, v), (0, 2, 1, 3)), (-1, 16, 6))
    y = ops.mean(y, axis=1, keepdims=True) + y
    return keras.Model(image, joined(kl.Dense(6, name="proj")(y), 4, 8, 8))


def sliced() -> Any:
    """Parts that are cut by position and by channel, as in YOLOv12."""
    x = keras.Input((8, 6), name="x")
    y = kl.Dense(6, name="dense")(ops.reshape(x, (-1, 4, 6)))
    y = ops.concatenate([y[:, 2:], y[:, :2] * 2.0], axis=1)[..., ::2]
    return keras.Model(x, ops.reshape(y, (-1, 8 * 3)))


def read(model: Any) -> archcalc.Report:
    return archcalc.analyze(read_keras(json.loads(model.to_json()), "net.json"))


def test_windows_of_an_image_along_the_batch() -> None:
    model, report = swin(), read(swin())
    assert report.totals.parameters == model.count_params()
    assert report.layers["attention"].output_shape == (4, 16, 6)
    assert report.layers["out"].output_shape == (8, 8, 2)
    stem, out, mlp = 64 * 3 * 6, 64 * 6 * 2, 64 * 6 * 6
    attention = 4 * (4 * 16 * 6 * 6 + 2 * 16 * 16 * 6)
    assert report.totals.macs == stem + out + mlp + attention


def test_attention_that_is_written_out() -> None:
    model, report = by_hand(), read(by_hand())
    assert report.totals.parameters == model.count_params()
    assert report.totals.macs == 64 * 6 * 18 + 64 * 6 * 6 + 4 * 2 * (16 * 16 * 3 * 2)


@pytest.mark.parametrize("make", [swin, by_hand, sliced])
def test_the_spec_of_it_computes_what_the_model_does(make: Any) -> None:
    model = make()
    graph = read_keras(json.loads(model.to_json()), "net.json")
    rebuilt = archcalc.to_keras(graph)
    rebuilt.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:])).astype("float32")
    np.testing.assert_allclose(np.array(rebuilt(x)), np.array(model(x)), atol=1e-5)


def test_what_has_no_rule_on_parts_is_named() -> None:
    image = keras.Input((8, 8, 3), name="image")
    x = windows(image, 4)
    model = keras.Model(image, joined(ops.cumsum(x, axis=1), 4, 8, 8))
    with pytest.raises(SourceError, match=r"ops\.cumsum of parts of a sample"):
        read(model)
    with pytest.raises(SourceError, match=r"the output 'reshape_.' holds parts of one sample"):
        read(keras.Model(image, windows(image, 4)))


def test_samples_that_are_joined_are_refused_as_before() -> None:
    x = keras.Input((4, 3), name="x")
    model = keras.Model(x, ops.reshape(x, (-1, 2, 4, 3)))
    with pytest.raises(archcalc.ArchcalcError, match="does not hold"):
        read(model)
