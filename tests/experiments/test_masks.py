"""Metrics, baselines and pictures of masks."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from experiments.common import baselines, equal_time, masks
from experiments.common.data.splits import Data, Split
from experiments.common.segmentation_metrics import per_image, segmentation

RANDOM = np.random.default_rng(0)


def test_iou_and_dice_are_those_of_keras_and_of_their_definition() -> None:
    truths, guesses = RANDOM.integers(0, 3, (2, 4, 9, 9))
    measured = segmentation(truths, guesses.astype(np.uint8), 3)
    for number in range(3):
        metric = keras.metrics.IoU(3, [number])
        metric.update_state(truths, guesses)
        assert measured["class_iou"][number] == pytest.approx(float(metric.result()))
        both = ((truths == number) & (guesses == number)).sum()
        dice = 2 * both / ((truths == number).sum() + (guesses == number).sum())
        assert measured["class_dice"][number] == pytest.approx(dice)
    assert measured["iou"] == pytest.approx(np.mean(measured["class_iou"][1:]))
    assert measured["mean_iou"] == pytest.approx(np.mean(measured["class_iou"]))
    assert sum(map(sum, measured["confusion_matrix"])) == truths.size


def test_a_class_that_never_occurs_has_no_value() -> None:
    truth = np.array([[[0, 1], [1, 1]]])
    measured = segmentation(truth, truth, 3)
    assert measured["class_iou"] == [1.0, 1.0, None]
    assert measured["class_dice"] == [1.0, 1.0, None]
    assert measured["iou"] == 1.0
    missed = segmentation(truth, np.zeros_like(truth), 3)
    assert missed["class_iou"][1] == 0.0


def test_iou_of_each_image() -> None:
    truth = np.array([[[0, 1]], [[2, 1]], [[0, 0]]])
    found = np.array([[[1, 1]], [[1, 1]], [[0, 0]]])
    assert per_image(truth, found).tolist() == [0.5, 1.0, 1.0]


def bright_squares(count: int) -> Split:
    """Bright squares, always inside the middle."""
    images, targets = np.zeros((count, 16, 16, 3), np.uint8), np.zeros((count, 16, 16), np.int64)
    for image, target in zip(images, targets, strict=True):
        row, column = RANDOM.integers(3, 7, 2)
        target[row : row + 6, column : column + 6] = 1
        image[target == 1] = 200
    return Split(images, targets)


def test_baselines_do_what_they_say() -> None:
    data = Data("x", ("background", "square"), bright_squares(40), bright_squares(2), bright_squares(30), {})
    found = baselines.baselines(data)
    share = float((data.test.targets == 1).mean())
    assert found["all foreground"]["iou"] == pytest.approx(share)
    assert found["logistic regression per pixel"]["iou"] == pytest.approx(1.0)  # brightness tells
    assert share < found["commonest class of each place"]["iou"] < 1.0


def test_the_picture_of_an_error_shows_each_kind() -> None:
    picture = masks.error(np.array([[0, 1, 0, 1, 1]]), np.array([[0, 1, 1, 0, 2]]))
    assert [tuple(p) for p in picture[0, 2:]] == [masks.INVENTED, masks.MISSED, masks.CONFUSED]
    assert len({tuple(p) for p in picture[0]}) == 5


def test_strips_are_whole_pictures(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    masks.save_strip(images, np.ones((3, 8, 8)), tmp_path / "new" / "epoch-0001.png")
    with Image.open(tmp_path / "new" / "epoch-0001.png") as found:
        assert found.size == (24, 8)
    figure = masks.progress([tmp_path / "new" / "epoch-0001.png"] * 2)
    assert len(figure.axes) == 2


def test_equal_time_gives_the_slower_one_fewer_epochs() -> None:
    """a: 4 epochs of 2 s; b: 4 of 5 s; the first epochs trace and do not count."""
    keys = [("a", 0), ("b", 0)]
    histories = {key: [{"m": 10.0 * n + place} for n in range(1, 5)] for place, key in enumerate(keys)}
    seconds = {("a", 0): [30.0, 2.0, 2.0, 2.0], ("b", 0): [40.0, 5.0, 5.0, 5.0]}
    found = equal_time.compare(histories, seconds, ("a", "b"), "m")
    assert found.seconds == pytest.approx(8.0)
    assert found.epochs == (4, 1)
    assert found.values == ([40.0], [11.0])
    turned = equal_time.compare(histories, seconds, ("b", "a"), "m")
    assert turned.epochs == (1, 4)
