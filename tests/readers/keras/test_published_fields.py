"""Receptive fields that papers state for networks of keras.applications (size and stride, in pixels).

Araujo, Norris & Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks"
(Distill), the layer before the classifier's pooling. Squeeze-and-excite networks see the whole
image; their local path is stated as well.
"""

from __future__ import annotations

import pytest

from archcalc.analyze import analyze
from archcalc.readers.applications import read_application

PUBLISHED = {
    "VGG16": ("block5_pool", 212, 32),
    "ResNet50": ("conv5_block3_out", 483, 32),
    "ResNet101": ("conv5_block3_out", 1027, 32),
    "ResNet152": ("conv5_block3_out", 1507, 32),
    "InceptionV3": ("mixed10", 1311, 32),
    "InceptionResNetV2": ("conv_7b_ac", 3039, 32),
    "MobileNet": ("conv_pw_13_relu", 315, 32),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_field_and_stride_are_the_published_ones(name: str) -> None:
    layer, size, stride = PUBLISHED[name]
    (field,) = analyze(read_application(f"keras:{name}")).layers[layer].receptive_fields.values()
    assert field is not None
    assert field.size == field.min_size == field.local_size == (size, size)
    assert field.stride == (stride, stride)


@pytest.mark.parametrize(
    ("name", "layer", "local"),
    [("EfficientNetB0", "top_activation", 851), ("MobileNetV3Small", "activation_17", None)],
)
def test_squeeze_and_excite_sees_the_whole_image(name: str, layer: str, local: int | None) -> None:
    graph = read_application(f"keras:{name}", input_shape=(224, 224, 3))
    (field,) = analyze(graph).layers[layer].receptive_fields.values()
    assert field is not None
    assert field.is_global == (True, True)
    if local is not None:
        assert field.local_size == (local, local)
    assert all(size >= 224 for size in field.size)
    assert field.stride == (32, 32)
