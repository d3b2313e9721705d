"""The U-Net's skips, sizes and modes, and what reaches its encoder."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from experiments import segmentation
from experiments.common import backbones, prediction, unet
from experiments.common.errors import ExperimentError

FILTERS = (4, 4, 4, 4, 4)


@pytest.fixture(scope="module")
def whole() -> keras.Model:
    return unet.build(64, 3, FILTERS, momentum=0.9)


def test_skips_are_what_each_downsampling_reads(whole: keras.Model) -> None:
    """Found from the graph: the encoder's layers of stride 2, and the last activation on the way to each."""
    encoder = keras.applications.MobileNetV2(input_shape=(64, 64, 3), include_top=False, weights=None)
    read = []
    for layer in encoder.layers:
        if getattr(layer, "strides", (1, 1)) == (2, 2):
            source = layer
            while isinstance(source, keras.layers.ZeroPadding2D) or source is layer:
                source = source.input._keras_history.operation
            read.append(source.name)
    assert read[0] == encoder.layers[0].name  # the image itself
    assert tuple(read[1:]) == unet.BEFORE_DOWNSAMPLING[:-1]
    joined = [
        whole.get_layer(f"up{number}_skip").input[1]._keras_history.operation.name for number in range(1, 6)
    ]
    assert joined == ["image", *unet.BEFORE_DOWNSAMPLING[:-1]]


def test_every_block_doubles_the_size_and_the_output_has_the_inputs(whole: keras.Model) -> None:
    sizes = [whole.get_layer(f"up{number}_relu").output.shape[1] for number in range(5, 0, -1)]
    assert sizes == [4, 8, 16, 32, 64]
    assert whole.output.shape[1:] == (64, 64, 3)


@pytest.mark.parametrize("blocks", [1, 3])
def test_fewer_blocks_cut_the_encoder(blocks: int) -> None:
    model = unet.build(32, 2, FILTERS[:blocks])
    assert model.output.shape[1:] == (32, 32, 2)
    names = {layer.name for layer in model.layers}
    kept = set(unet.BEFORE_DOWNSAMPLING) & names
    assert kept == set(unet.BEFORE_DOWNSAMPLING[:blocks])


@pytest.mark.parametrize(
    ("size", "filters", "text"),
    [
        (100, FILTERS, "size=100: must be at least 32 and a multiple of 32"),
        (96, (), "decoder_filters has 0 blocks"),
        (96, (4,) * 6, "decoder_filters has 6 blocks"),
    ],
)
def test_what_cannot_be_built_is_refused(size: int, filters: tuple[int, ...], text: str) -> None:
    with pytest.raises(ExperimentError, match=text):
        unet.build(size, 2, filters)


def encoder_state(model: keras.Model) -> dict[str, np.ndarray]:
    return {
        weight.path: np.asarray(weight)
        for layer in model.layers
        if not layer.name.startswith(("up", "classes"))
        for weight in layer.weights
    }


@pytest.mark.parametrize(
    ("name", "kernels", "averages"),
    [
        (segmentation.FROZEN, False, False),
        (segmentation.TUNED, True, False),
        (segmentation.TRAINABLE, True, True),
        (segmentation.FIXED, False, False),
    ],
)
def test_each_condition_trains_what_it_says(
    name: str, kernels: bool, averages: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step on the real encoder: which of its weights move, and whether its averages do."""
    monkeypatch.setattr(backbones.stored, "give", lambda *_: None)  # weights of another kind play no part
    config = segmentation.SegmentationConfig("smoke", size=32, decoder_filters=(4,), weights="/some/file")
    keras.utils.set_random_seed(0)
    model = segmentation.build(config, 2, name)
    model.run_eagerly = True
    before = encoder_state(model)
    random = np.random.default_rng(0)
    model.fit(random.uniform(-1, 1, (4, 32, 32, 3)), random.integers(0, 2, (4, 32, 32)), epochs=1, verbose=0)
    moved = {path for path, value in encoder_state(model).items() if (value != before[path]).any()}
    assert any(path.endswith("/kernel") for path in moved) is kernels
    assert any("moving" in path for path in moved) is averages
    if name == segmentation.TRAINABLE:
        norms = [n for n in backbones.normalisations(model) if not n.name.startswith("up")]
        assert {norm.momentum for norm in norms} == {config.batchnorm_momentum}


def test_archcalc_and_keras_agree_on_it(whole: keras.Model) -> None:
    predicted = prediction.predict(whole)
    assert prediction.check(whole, predicted)["agrees"]
    field = predicted["layers"][-1]["receptive_field"]
    assert min(field["size"]) > 64  # every pixel of the output sees all of a small image
    assert predicted["layers"][-1]["output_shape"] == [64, 64, 3]


def test_memory_grows_with_the_batch_and_is_held_against_the_machines() -> None:
    model = unet.build(32, 2, (4,))
    model.compile("adam", "sparse_categorical_crossentropy")
    small, large = prediction.memory(model, 1), prediction.memory(model, 1_000_000)
    assert small["fits"] is True
    assert large["fits"] is False
    assert large["training_bytes"] > large["available_bytes"]
    per_image = (large["training_bytes"] - small["training_bytes"]) / 999_999
    weights = 4 * model.count_params() + 3 * 4 * sum(np.prod(w.shape) for w in model.trainable_weights)
    assert small["training_bytes"] == pytest.approx(per_image + weights, rel=0.02)
