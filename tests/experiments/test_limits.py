"""What `cnn_limits` predicts, against looking."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import archcalc
from experiments import cnn_limits
from experiments.common import limit_claims, limit_nets, limit_study
from experiments.common.downsampling import shifted

CONFIG = cnn_limits.PROFILES["smoke"]


def predicted(model: Any) -> dict[str, Any]:
    return {"model": archcalc.analyze(archcalc.from_keras(model)).to_dict()}


@pytest.mark.parametrize("stride", cnn_limits.FINDERS)
def test_the_share_of_spots_that_meet_a_unit(stride: int) -> None:
    """By gradient: which pixels the first map reads."""
    import tensorflow as tf

    model = limit_nets.finder(CONFIG, stride)
    shares = limit_claims.hit(predicted(model), "model")
    body = limit_study.features(model, limit_nets.FIRST)
    body.layers[-1].activation = tf.identity
    body.set_weights([np.abs(w) + 1 for w in body.get_weights()])
    x = tf.zeros((1, 32, 32, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(body(x))
    read = tape.gradient(total, x).numpy()[0, :, :, 0] > 0
    for size, share in zip(limit_nets.SIZES, shares, strict=True):
        corners = range(32 - size + 1)
        met = [read[r : r + size, c : c + size].any() for r in corners for c in corners]
        assert share == pytest.approx(np.mean(met), abs=0.1)


@pytest.mark.parametrize(("factor", "blurred"), cnn_limits.STRIDES)
def test_features_repeat_after_the_effective_stride(factor: int, blurred: bool) -> None:
    model = limit_nets.strided(CONFIG, factor, blurred=blurred)
    assert limit_claims.stride(predicted(model), "model") == factor
    wide = limit_nets.strided(CONFIG, factor, blurred=blurred, side=limit_nets.WIDE)
    wide.set_weights(model.get_weights())
    garments = np.random.default_rng(0).integers(0, 255, (2, 28, 28, 1), np.uint8)
    images = limit_nets.on_canvas(garments, limit_nets.WIDE)
    body = limit_study.features(wide)
    before = limit_study.answers(body, images)
    after = [limit_study.answers(body, shifted(images, 0, by)) for by in (factor, factor // 2)]
    gone = [limit_study.distance(before, features) for features in after]
    assert gone[0] < 1e-5
    assert gone[1] > 1e-3


def test_units_that_a_square_reaches() -> None:
    """Every position of the square, by the fields of the units as intervals of pixels."""
    field = {"size": [10, 10], "stride": [4, 4], "offset": [-3, -3]}
    shares = limit_study.changed_predicted(field, 7, 28)
    for side, share in zip(limit_study.COVERS, shares, strict=True):
        met = []
        for corner in range(28 - side + 1):
            square = set(range(corner, corner + side))
            met.append(sum(bool(square & set(range(4 * i - 3, 4 * i + 7))) for i in range(7)))
        assert share == pytest.approx((np.mean(met) / 7) ** 2)


def test_which_weights_depend_on_the_side() -> None:
    assert limit_claims.forbidding(limit_claims.opened(CONFIG, pooled=True)) == []
    assert limit_claims.forbidding(limit_claims.opened(CONFIG, pooled=False)) == [
        "classes (40*(H//4)**2 + 10)"
    ]


def test_scrambled_pictures_hold_the_same_quarters() -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 28, 28, 1), np.uint8)
    moved = limit_study.scrambled(images)
    np.testing.assert_array_equal(moved[:, :14, :14], images[:, 14:, 14:])
    np.testing.assert_array_equal(moved[:, 14:, :14], images[:, :14, 14:])
    np.testing.assert_array_equal(limit_study.scrambled(moved), images)


def test_a_period_is_the_first_shift_without_a_difference() -> None:
    assert limit_study.period([0, 1, 0.8, 1.2, 0.01, 1, 1, 1, 0]) == 4
    assert limit_study.period([0, 1, 1, 1, 1, 1, 1, 1, 1]) == float("inf")
