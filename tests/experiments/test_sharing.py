"""What `conv_vs_local` is made of: the examples' networks with heads, shifts, summaries."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.common import sharing
from experiments.common.sharing import AVERAGE, EXAMPLES, FLAT, NAMES, PAIRS


@pytest.mark.parametrize("name", NAMES)
def test_bodies_are_those_of_the_examples(name: str) -> None:
    model = sharing.build(name, FLAT, (16, 32), 10)
    said = sharing.predicted(name)["layers"]
    layers = PAIRS.get(name) or ("point", "short_3x3", "long_3x3_b", "linear")
    for layer in layers:
        assert model.get_layer(layer).count_params() == said[layer]


@pytest.mark.parametrize("name", NAMES)
def test_archcalc_keras_and_tf_keras_agree(name: str) -> None:
    predicted, measured = sharing.predicted(name), sharing.measured(name)
    assert measured["keras"] == measured["tf_keras"] == predicted["parameters"]
    assert measured["field"] == predicted["field"] == [5, 5]


def test_sharing_costs_no_multiply_adds() -> None:
    assert len({sharing.predicted(name)["macs"] for name in PAIRS}) == 1


def test_the_claims_of_the_example_hold() -> None:
    claims = json.loads((EXAMPLES / "conv_pair.json").read_text(encoding="utf-8"))["claims"]
    total = next(c["value"] for c in claims if c["quantity"] == "parameters" and "layer" not in c)
    assert sharing.predicted("conv_pair")["parameters"] == total


@pytest.mark.parametrize(("down", "right"), [(0, 0), (4, -4), (-4, 2)])
def test_garments_move_whole(down: int, right: int) -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 28, 28, 1), np.uint8)
    field = sharing.placed(images, down, right)
    assert field.shape == (2, 36, 36, 3)
    assert field.sum() == pytest.approx(3 * images.sum() / 255, rel=1e-5)
    np.testing.assert_array_equal(
        np.round(field[:, 4 + down : 32 + down, 4 + right : 32 + right, 1] * 255), images[..., 0]
    )


def test_convolutions_under_a_mean_do_not_see_a_shift() -> None:
    model = sharing.build("conv_pair", AVERAGE, (4, 4), 10)
    images = np.random.default_rng(0).integers(0, 255, (2, 28, 28, 1), np.uint8)
    images[:, :2] = images[:, -2:] = 0  # windows that leave the field would see the border otherwise
    images[:, :, :2] = images[:, :, -2:] = 0
    moved = [np.asarray(model(sharing.placed(images, *move))) for move in ((0, 0), (2, -2))]
    np.testing.assert_allclose(*moved, atol=1e-5)
