"""The data and heads of `defect_detection`."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from experiments import defect_detection
from experiments.common import defects
from experiments.common.data import defect48, garments
from experiments.common.data.splits import Split
from experiments.common.errors import ExperimentError

SMOKE = defect_detection.PROFILES["smoke"]


def test_what_is_known_of_a_test_image_is_what_is_drawn() -> None:
    data = defects.load(SMOKE, None)
    healthy = data.about["kind"] < 0
    np.testing.assert_array_equal(healthy, data.test.targets == 0)
    pictures, labels = garments.load("slice").test
    for number in np.flatnonzero(~healthy)[:5]:
        family = pictures[np.isin(labels, defect48.FAMILY)]
        whole = defect48.inspected(family[number], "test", int(number), 0).picture
        changed = (whole != data.test.images[number]).any(axis=-1).sum()
        assert 0.3 * data.about["pixels"][number] <= changed <= 4 * data.about["pixels"][number] + 2


def test_fresh_defects_are_new_and_repeat() -> None:
    first, again, other = (defects.fresh_defects("slice", number, 4) for number in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    known = {image.tobytes() for image in defects.load(SMOKE, None).test.images}
    assert not known & {image.tobytes() for image in (*first, *other)}
    assert len({image.tobytes() for image in (*first, *other)}) == 8


def test_rare_defects() -> None:
    targets = np.array([0, 1] * 100)
    split = defects.with_few_defects(Split(np.arange(200)[:, None, None, None], targets), 0.05)
    assert (split.targets == 0).sum() == 100
    assert split.targets.mean() == pytest.approx(0.05, abs=0.005)
    weights = defects.balanced_weights(split.targets)
    count = np.bincount(split.targets)
    assert weights[0] * count[0] == pytest.approx(weights[1] * count[1])


def pictures(folder: Path, classes: tuple[str, ...]) -> Path:
    from PIL import Image

    draw = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(12):
            image = Image.fromarray(draw.integers(0, 255, (20, 20, 3), np.uint8))
            image.save(folder / name / f"{number}.png")
    return folder


def test_ones_own_folders(tmp_path: Path) -> None:
    config = dataclasses.replace(
        SMOKE, dataset="images", healthy="good", train_images=16, validation_images=8, test_images=12
    )
    data = defects.load(config, pictures(tmp_path, ("bent", "good", "torn")))
    assert data.kinds == ("bent", "torn")
    assert data.test.images.shape == (12, 48, 48, 3)
    np.testing.assert_array_equal(data.about["kind"] >= 0, data.test.targets == 1)
    assert {*data.about["kind"]} <= {-1, 0, 1}


def test_a_folder_without_the_healthy_ones(tmp_path: Path) -> None:
    config = dataclasses.replace(SMOKE, dataset="images", train_images=8, validation_images=4, test_images=4)
    with pytest.raises(ExperimentError, match=r"healthy='healthy': no such class; .* bent, good"):
        defects.load(config, pictures(tmp_path, ("bent", "good")))


@pytest.mark.parametrize(
    ("changed", "text"),
    [({"rare": 1.0}, "must be shares"), ({"cost_miss": 0.0}, "above 0"), ({"activations": ("elu",)}, "relu")],
)
def test_settings_that_mean_nothing_are_refused(changed: dict[str, object], text: str) -> None:
    with pytest.raises(ExperimentError, match=text):
        dataclasses.replace(SMOKE, **changed)  # type: ignore[arg-type]


def test_the_metric_looks_at_the_last_unit() -> None:
    from sklearn.metrics import roc_auc_score

    from experiments.common.defect_metrics import ScoreAUC

    draw = np.random.default_rng(1)
    targets, scores = draw.integers(0, 2, 300), draw.uniform(0, 1, 300).astype(np.float32)
    for outputs in (scores[:, None], np.stack([1 - scores, scores], axis=1)):
        metric = ScoreAUC(num_thresholds=2_000)
        metric.update_state(targets, outputs)
        assert float(metric.result()) == pytest.approx(roc_auc_score(targets, scores), abs=2e-3)
