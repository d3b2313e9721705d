"""What `stride_vs_pooling` is made of: kernels, pixels skipped, shifts, outlines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from experiments.common import downsampling, prediction
from experiments.common.downsampling import METHODS
from experiments.stride_vs_pooling import PROFILES, StrideVsPooling, TwoSets

SMOKE = PROFILES["smoke"]


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_a_blur_is_a_triangle_of_sum_one(factor: int) -> None:
    kernel = downsampling.blur_kernel(factor, 3)
    assert kernel.shape == (2 * factor - 1, 2 * factor - 1, 3, 1)
    np.testing.assert_allclose(kernel.sum(axis=(0, 1)), 1, rtol=1e-6)
    if factor == 2:
        np.testing.assert_allclose(kernel[1, :, 0, 0] * 2, [0.25, 0.5, 0.25], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [2, 4])
def test_pixels_skipped_are_as_predicted(method: str, factor: int) -> None:
    model = downsampling.classifier(method, factor, (32, 32, 3), 10, 2)
    predicted = downsampling.skipped_predicted(prediction.predict(model))
    assert downsampling.skipped_measured(model) == pytest.approx(predicted, abs=0.01)
    assert predicted == (pytest.approx(7 / 16) if (method, factor) == ("stride", 4) else 0)


@pytest.mark.parametrize("method", METHODS)
def test_all_train_the_same_number_of_weights(method: str) -> None:
    models = [downsampling.classifier(name, 3, (32, 32, 3), 10, 4) for name in ("stride", method)]
    assert len({sum(np.prod(v.shape) for v in m.trainable_variables) for m in models}) == 1


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_masks_come_out_as_large_as_the_image_and_see_about_as_much(factor: int) -> None:
    model = downsampling.segmenter("stride", factor, (96, 96, 3), 2, 2)
    assert model.output.shape[1:] == (96, 96, 2)
    field = prediction.predict(model)["layers"][-1]["receptive_field"]["size"]
    assert 115 <= min(field) <= max(field) <= 140


def test_shifted_images_move_and_repeat_their_border() -> None:
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    moved = downsampling.shifted(image, 1, 0)[0, ..., 0]
    assert moved.tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]


def test_masks_that_move_along_agree_wholly() -> None:
    random = np.random.default_rng(0)
    before = random.integers(0, 2, (4, 8, 8))
    after = downsampling.shifted(before[..., None], 1, 1)[..., 0]
    assert downsampling.agreement(before, after, 1, 1) == 1.0
    assert downsampling.agreement(before, before, 1, 1) < 0.8


def test_classes_agree_by_their_share() -> None:
    assert downsampling.agreement(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 0]), 1, 0) == 0.75


def test_an_outline_is_a_band_of_two_pixels_to_either_side() -> None:
    mask = np.zeros((1, 12, 12), int)
    mask[:, :, 6:] = 1
    near = downsampling.near_outline(mask)[0]
    assert near[5].tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_a_checksum_covers_both_sets() -> None:
    experiment = StrideVsPooling()
    first = experiment.load(SMOKE, None)
    other = experiment.load(dataclasses.replace(SMOKE, mask_test=5), None)
    assert isinstance(first, TwoSets)
    assert first.second.name == "seg96"
    assert first.checksum() != other.checksum()
