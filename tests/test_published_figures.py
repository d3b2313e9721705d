"""Fields and work of the packaged examples as papers, a pencil and real Keras give them.

Parameters by sums stand in tests/test_examples.py. No expectation here was read off archcalc.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.cli import shipped
from archcalc.report.report import Report


def report(name: str, **symbols: int | None) -> Report:
    """The analysis of an example, with other values for its symbols (None: left open)."""
    return archcalc.analyze(archcalc.load(shipped.available()[name], symbols=symbols))


# example, its symbols' values, a layer, that layer's field and step on both axes
FIELDS: list[tuple[str, dict[str, int], str, int, int]] = [
    ("conv_pair", {"H": 32}, "second", 5, 1),
    ("conv_then_local", {"H": 32}, "local", 5, 1),
    ("local_pair", {"H": 32}, "second", 5, 1),
    # Szegedy et al. 2016, arXiv 1602.07261, figure 10: the longest branch is 1x1, 3x3, 3x3
    ("inception_resnet_a", {}, "relu", 5, 1),
    # Araujo, Norris & Sim, Distill 2019
    ("vgg16", {}, "block5/pool", 212, 32),
    ("resnet50", {}, "conv5/next[2]/out", 483, 32),
    ("resnet50", {"d4": 23}, "conv5/next[2]/out", 1027, 32),  # ResNet-101
    ("resnet50", {"d3": 8, "d4": 36}, "conv5/next[2]/out", 1507, 32),  # ResNet-152
    # by hand. With the stride on the 3x3, a stage's first 3x3 steps as the stage before it:
    # 35 behind conv2, then (8 + 3*16) + (16 + 5*32) + (32 + 2*64)
    ("resnet50_v15", {}, "conv5/next[2]/out", 427, 32),
    # two 3x3 and a pool a level: 5 6 | 14 16 | 32 36 | 68 76 | 140
    ("unet", {}, "bottom/conv2", 140, 16),
    ("vgg_family", {}, "block5/pool", 212, 32),
    ("mobilenet_family", {}, "block13/to/pw_relu", 315, 32),  # Araujo et al.
    # 11 after the first pool, then 6, 12, 24 and 16 of 3x3, and a pool of 2 between
    ("densenet_family", {}, "relu", 11 + 8 * 6 + 4 + 16 * 12 + 8 + 32 * 24 + 16 + 64 * 16, 32),
    ("cifar_cnn", {}, "block3/bn", 36, 8),
    # each 3x3 widens the field by 2
    ("plain_sigmoid_n", {"n": 7}, "plain[7]/conv", 3 + 2 * 7, 1),
    # two 3x3 a block at steps 1, 2, 4; a halving block's first one steps as the stage before it
    ("resnet_depth_n", {"n": 3}, "stage3[2]/relu", 3 + 3 * 4 + (2 + 4) + 2 * 8 + (4 + 8) + 2 * 16, 4),
]


@pytest.mark.parametrize(("name", "symbols", "layer", "size", "stride"), FIELDS)
def test_fields(name: str, symbols: dict[str, int], layer: str, size: int, stride: int) -> None:
    field = report(name, **symbols).layers[layer].receptive_field
    assert field is not None
    assert (field.size, field.stride) == ((size, size), (stride, stride))


def test_every_example_has_a_field_stated() -> None:
    """Those of the experiments are held to the networks that these train, by tests/experiments."""
    text = (Path(__file__).parents[1] / "experiments" / "examples.py").read_text(encoding="utf-8")
    of_experiments = set(re.findall(r'^ +"(\w+)": ', text, re.MULTILINE))
    stated = {name for name, *_ in FIELDS} | {"efficientnet_family"}
    assert not stated & of_experiments
    assert stated | of_experiments == set(shipped.available())


def test_the_field_of_efficientnet_beside_its_gates() -> None:
    """By hand: 3x3 and 5x5 kernels at steps 2, 4, 8, 16 and 32; gates see the whole image."""
    field = report("efficientnet_family").layers["top_activation"].receptive_field
    assert field is not None
    assert field.is_global == (True, True)
    steps = [3, 2 * 2, 2 * 2, 2 * 4, 4 * 4, 4 * 8, 2 * 8, 2 * 16 * 2, 4 * 16 * 3, 4 * 16, 4 * 32 * 3, 2 * 32]
    assert field.local_size == (sum(steps), sum(steps))


def test_work_of_vgg16() -> None:
    """k*k*Cin*Cout at every place of thirteen convolutions, and three matrices."""
    sides = [(3, 64, 224), (64, 64, 224), (64, 128, 112), (128, 128, 112), (128, 256, 56), (256, 256, 56)]
    sides += [(256, 256, 56), (256, 512, 28), (512, 512, 28), (512, 512, 28)] + 3 * [(512, 512, 14)]
    convolutions = sum(9 * cin * cout * n * n for cin, cout, n in sides)
    assert report("vgg16").totals.macs == convolutions + 25_088 * 4096 + 4096 * 4096 + 4096 * 1000


def test_the_closed_form_and_what_it_assumes() -> None:
    """One 3*3*16*32 kernel and 32 biases at each of (H - 4)**2 places: 4,640 H**2 - 8*4,640 H + 16*4,640."""
    found = report("conv_then_local")
    assert str(found.layers["local"].parameters) == "4640*H**2 - 37120*H + 74240"
    assert found.assumptions == ("H >= 5",)


@pytest.mark.parametrize("name", ["resnet50", "resnet50_v15"])
def test_everything_of_a_resnet_may_stay_open(name: str) -> None:
    letters = {"H", "w", "d2", "d3", "d4", "d5", "classes"}
    totals = report(name, **dict.fromkeys(letters)).totals
    assert set(totals.parameters.symbols) == letters - {"H"}
    assert set(totals.macs.symbols) == letters


def test_shapes_of_unet_are_those_of_its_figure() -> None:
    """Ronneberger, Fischer & Brox 2015, arXiv 1505.04597, figure 1."""
    layers = report("unet").layers
    assert layers["down4/conv2"].output_shape == (64, 64, 512)
    assert layers["bottom/conv2"].output_shape == (28, 28, 1024)
    assert layers["up1/concat"].output_shape == (392, 392, 128)


# -- real Keras -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "application"), [("vgg16", "VGG16"), ("resnet50", "ResNet50")])
def test_counts_of_keras_applications(name: str, application: str) -> None:
    import keras

    model = getattr(keras.applications, application)(weights=None)
    totals = report(name).totals
    assert totals.parameters == model.count_params()
    assert totals.trainable_parameters == sum(w.shape.num_elements() for w in model.trainable_weights)


def test_local_weights_of_tf_keras() -> None:
    from tf_keras import Sequential, layers

    model = Sequential([layers.Input((32, 32, 3)), layers.Conv2D(16, 3), layers.LocallyConnected2D(32, 3)])
    found = report("conv_then_local", H=32)
    assert found.layers["local"].parameters == model.layers[-1].count_params() == 3_637_760
    assert found.totals.parameters == model.count_params()


def test_inception_in_keras() -> None:
    from keras import Model, layers

    def relu(filters: int, kernel: int, x: Any) -> Any:
        return layers.Conv2D(filters, kernel, padding="same", activation="relu")(x)

    grid = layers.Input((35, 35, 256))
    branches = [
        relu(32, 1, grid),
        relu(32, 3, relu(32, 1, grid)),
        relu(32, 3, relu(32, 3, relu(32, 1, grid))),
    ]
    residual = layers.Conv2D(256, 1)(layers.Concatenate()(branches))
    model = Model(grid, layers.ReLU()(layers.Add()([grid, residual])))
    found = report("inception_resnet_a")
    assert found.totals.parameters == model.count_params() == 77_248
    assert found.rows[-1].output_shape == model.output_shape[1:]


def test_cifar_cnn_in_keras() -> None:
    from keras import Sequential, layers

    model = Sequential([layers.Input((32, 32, 3))])
    for f in (32, 64, 128):
        model.add(layers.Conv2D(f, 3, padding="same", activation="relu"))
        model.add(layers.Conv2D(f, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
        model.add(layers.BatchNormalization())
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    rows = report("cifar_cnn").rows[1:]
    assert [row.parameters for row in rows] == [layer.count_params() for layer in model.layers]
    assert [row.output_shape for row in rows] == [layer.output.shape[1:] for layer in model.layers]
