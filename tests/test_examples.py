"""The examples that ship: figures by sums that do not use archcalc's rules, and by Keras."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from archcalc.analyze import analyze
from archcalc.arith import substitute
from archcalc.cli import shipped
from archcalc.errors import ArchcalcError
from archcalc.readers import load
from archcalc.review.audit import audit
from archcalc.review.sheets import read_claims


def report(name: str, **symbols: Any) -> Any:
    return analyze(load(shipped.available()[name], symbols=symbols))


def conv(k: int, cin: int, cout: int, *, bias: bool = True) -> int:
    return (k * k * cin + bias) * cout


def bn(c: int) -> int:
    return 4 * c


def dense(cin: int, cout: int) -> int:
    return (cin + 1) * cout


def test_what_the_issue_asks_for_is_there() -> None:
    assert set(shipped.available()) >= {
        *("inception_resnet_a", "conv_pair", "conv_then_local", "local_pair", "vgg16", "resnet50"),
        *("resnet50_v15", "resnet_depth_n", "unet", "cifar_cnn", "plain_sigmoid_n"),
    }


@pytest.mark.parametrize("name", sorted(shipped.available()))
def test_names_and_layout(name: str) -> None:
    text = shipped.text(name)
    assert json.loads(text)["name"] == name
    assert text.endswith("}\n")
    assert max(map(len, text.splitlines())) <= 125


def test_an_unknown_example() -> None:
    with pytest.raises(ArchcalcError, match="did you mean 'resnet50'"):
        shipped.text("resnet5")


# -- the small ones ----------------------------------------------------------------------------------
def test_conv_pair() -> None:
    result = report("conv_pair")
    assert [row.parameters for row in result.rows] == [0, 448, 4640]
    assert result.totals.parameters == 5088
    assert result.layers["second"].receptive_fields["image"].size == (5, 5)


@pytest.mark.parametrize("side", [5, 17, 32, 224])
def test_local_layers_in_closed_form(side: int) -> None:
    open_side, fixed = report("conv_then_local"), report("conv_then_local", H=side)
    local = 4640 * (side - 4) ** 2
    assert substitute(open_side.layers["local"].parameters, {"H": side}) == local
    assert fixed.layers["local"].parameters == local
    pair = report("local_pair", H=side)
    assert pair.totals.parameters == 448 * (side - 2) ** 2 + local


def test_conv_then_local_at_32() -> None:
    assert report("conv_then_local", H=32).layers["local"].parameters == 3_637_760


def test_inception_resnet_a() -> None:
    result = report("inception_resnet_a")
    assert result.totals.parameters == 77_248 == 3 * conv(1, 256, 32) + 3 * conv(3, 32, 32) + conv(1, 96, 256)
    assert result.layers["relu"].receptive_fields["grid"].size == (5, 5)
    data = json.loads(shipped.text("inception_resnet_a"))
    for layer in data["layers"]:
        if layer["type"] == "Conv2D":
            layer["use_bias"] = False
    assert analyze(load(data)).totals.parameters == 76_800


def test_cifar_cnn() -> None:
    blocks = [(3, 32), (32, 64), (64, 128)]
    total = sum(conv(3, cin, f) + conv(3, f, f) + bn(f) for cin, f in blocks)
    assert report("cifar_cnn").totals.parameters == total + dense(4 * 4 * 128, 128) + dense(128, 10)


def test_plain_sigmoid_is_linear_in_its_depth() -> None:
    result = report("plain_sigmoid_n")
    for n in (1, 7, 60):
        total = conv(3, 3, 16) + n * conv(3, 16, 16) + dense(16, 10)
        assert (
            substitute(result.totals.parameters, {"n": n})
            == total
            == report("plain_sigmoid_n", n=n).totals.parameters
        )


# -- the known ones ----------------------------------------------------------------------------------
def test_vgg16() -> None:
    channels = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    total = sum(conv(3, a, b) for a, b in itertools.pairwise(channels))
    total += dense(7 * 7 * 512, 4096) + dense(4096, 4096) + dense(4096, 1000)
    result = report("vgg16")
    assert result.totals.parameters == total == 138_357_544
    pool = result.layers["block5/pool"].receptive_fields["image"]
    assert (pool.size, pool.stride) == ((212, 212), (32, 32))


def bottleneck(cin: int, f: int, *, project: bool, bias: bool) -> int:
    total = conv(1, cin, f, bias=bias) + conv(3, f, f, bias=bias) + conv(1, f, 4 * f, bias=bias)
    total += 2 * bn(f) + bn(4 * f)
    return total + (conv(1, cin, 4 * f, bias=bias) + bn(4 * f) if project else 0)


def resnet(depths: tuple[int, ...], w: int, *, bias: bool) -> int:
    total = conv(7, 3, w, bias=bias) + bn(w)
    cin = w
    for stage, depth in enumerate(depths):
        f = w * 2**stage
        total += bottleneck(cin, f, project=True, bias=bias)
        total += (depth - 1) * bottleneck(4 * f, f, project=False, bias=bias)
        cin = 4 * f
    return total + dense(cin, 1000)


def test_resnet50() -> None:
    result = report("resnet50")
    assert result.totals.parameters == resnet((3, 4, 6, 3), 64, bias=True) == 25_636_712
    assert result.totals.macs == 3_857_973_248
    last = result.layers["conv5/next[2]/out"].receptive_fields["image"]
    assert (last.size, last.stride) == ((483, 483), (32, 32))


def test_resnet50_v15() -> None:
    result = report("resnet50_v15")
    assert result.totals.parameters == resnet((3, 4, 6, 3), 64, bias=False)
    assert result.totals.trainable_parameters == 25_557_032
    assert result.totals.macs == 4_089_184_256


@pytest.mark.parametrize(("depths", "total"), [((3, 4, 23, 3), 44_707_176), ((3, 8, 36, 3), 60_419_944)])
def test_deeper_resnets_by_symbols(depths: tuple[int, ...], total: int) -> None:
    """ResNet-101 and ResNet-152 of keras.applications."""
    symbols = dict(zip(("d2", "d3", "d4", "d5"), depths, strict=True))
    assert report("resnet50", **symbols).totals.parameters == total


def test_resnet50_with_open_width_and_depth() -> None:
    result = report("resnet50", w=None, d4=None)
    for w, d4 in ((64, 6), (64, 23), (96, 9)):
        at = substitute(result.totals.parameters, {"w": w, "d4": d4})
        assert at == resnet((3, 4, d4, 3), w, bias=True)


def test_resnet_of_depth_n() -> None:
    """Keras's ResNet-20 for CIFAR-10 (n = 3) has 274,442 parameters, 273,066 of them trainable."""
    result = report("resnet_depth_n")
    assert substitute(result.totals.parameters, {"n": 3}) == 274_442
    assert substitute(result.totals.trainable_parameters, {"n": 3}) == 273_066
    assert report("resnet_depth_n", n=3).totals.parameters == 274_442


def test_unet() -> None:
    result = report("unet")
    w = [64, 128, 256, 512, 1024]
    down = sum(conv(3, a, b) + conv(3, b, b) for a, b in zip([1, *w], w, strict=False))
    up = sum((2 * 2 * 2 * f + 1) * f + conv(3, 2 * f, f) + conv(3, f, f) for f in w[:4])
    assert result.totals.parameters == down + up + conv(1, 64, 2)
    assert result.rows[-1].output_shapes == ((388, 388, 2),)
    assert report("unet", H=188).rows[-1].output_shapes == ((4, 4, 2),)


# -- hand_count_audit ----------------------------------------------------------------------------------
WRITTEN, FOLLOWS = "written", "follows"
# network -> for each claim in order: right, or the slips of the first cause, or what it follows from
HAND_COUNT: dict[str, list[Any]] = {
    "inception_resnet_a": [
        {"bias_forgotten", "image_channels", "layer_as_filter"},
        (WRITTEN, 3456, FOLLOWS, 1),  # 96 for each of 32 filters
        (FOLLOWS, 2),
        {"bias_forgotten", "layer_as_filter"},
        (FOLLOWS, 4),
        (FOLLOWS, 5),
        {"bias_forgotten", "filters_twice"},
        {"bias_forgotten", "layer_as_filter"},
        (FOLLOWS, 8),
        (WRITTEN, 7_185_408, FOLLOWS, 2, 5, 7, 9),
        *["right"] * 4,
        "no known slip",  # 4×4
    ],
    "conv_pair": [*["right"] * 3, {"kernel_as_field"}, {"layer_too_many"}],
    "conv_then_local": ["right", "no known slip", (FOLLOWS, 2), {"kernel_as_field"}],
}


@pytest.mark.parametrize("name", HAND_COUNT)
def test_the_hand_count(name: str) -> None:
    """Every verdict, and every cause, of the exercise that ships with its author's figures."""
    network = load(shipped.available()[name])
    sheets = read_claims(shipped.claims()["hand_count_audit"], network=network)
    found: list[Any] = []
    for c in audit(network, sheets).checked:
        written = () if c.written is None else (WRITTEN, c.written)
        if c.follow_on is not None:
            found.append((*written, FOLLOWS, *c.follow_on.claims))
        elif c.causes.named:
            found.append(set(c.causes.named[0].slips))
        else:
            found.append("right" if c.verdict == "right" else c.explanation.rpartition("; ")[2])
    assert found == HAND_COUNT[name]


def test_written_sums_of_the_hand_count() -> None:
    """By plain arithmetic: what the author wrote, and what follows from what."""
    assert 96 * 36 == 3456 != 3072 == 96 * 32
    assert 9216 + 589_824 + 294_912 + 6_291_456 == 7_185_408 != 7_274_288
    assert 3 * 3072 == 9216
    assert 448 + 14_656 == 15_104


# -- claims ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(shipped.available()))
def test_stated_counts_are_right(name: str) -> None:
    """The parameters, shapes and fields that the examples' claims state; `audit` checks all of them."""
    result = report(name)
    for claim in load(shipped.available()[name]).claims:
        rows = [r for r in result.rows if not claim.layers or r.name.split("[")[0].startswith(claim.layers)]
        if claim.quantity == "parameters":
            assert sum(r.parameters for r in rows) == claim.value
        elif claim.quantity == "output_shape":
            assert rows[-1].output_shapes[0] == claim.value
        elif claim.quantity == "receptive_field":
            assert next(iter(rows[-1].receptive_fields.values())).size == claim.value


# -- against Keras -----------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize(("name", "application"), [("vgg16", "VGG16"), ("resnet50", "ResNet50")])
def test_examples_are_keras_applications_weight_for_weight(name: str, application: str) -> None:
    import keras

    model = getattr(keras.applications, application)(weights=None)
    theirs = sorted(tuple(w.shape) for w in model.weights)
    assert sorted(w.shape for row in report(name).rows for w in row.weights) == theirs


@pytest.mark.slow
def test_the_local_layer_is_that_of_keras_2() -> None:
    import tf_keras

    model = tf_keras.Sequential(
        [
            tf_keras.layers.Conv2D(16, 3, input_shape=(32, 32, 3)),
            tf_keras.layers.LocallyConnected2D(32, 3),
        ]
    )
    assert [layer.count_params() for layer in model.layers] == [448, 3_637_760]


# -- families ----------------------------------------------------------------------------------------
EFFICIENTNETS = (
    (10, 10, 224),
    (10, 11, 240),
    (11, 12, 260),
    (12, 14, 300),
    (14, 18, 380),
    (16, 22, 456),
    (18, 26, 528),
    (20, 31, 600),
)
PUBLISHED: list[tuple[str, dict[str, int], str]] = [
    ("resnet50", {}, "ResNet50"),
    ("resnet50", {"d4": 23}, "ResNet101"),
    ("resnet50", {"d3": 8, "d4": 36}, "ResNet152"),
    ("vgg_family", {}, "VGG16"),
    ("vgg_family", {"d": 4}, "VGG19"),
    ("mobilenet_family", {}, "MobileNet"),
    ("densenet_family", {}, "DenseNet121"),
    ("densenet_family", {"d4": 32, "d5": 32}, "DenseNet169"),
    ("densenet_family", {"d4": 48, "d5": 32}, "DenseNet201"),
    *(
        ("efficientnet_family", dict(zip("wdH", sizes, strict=True)), f"EfficientNetB{i}")
        for i, sizes in enumerate(EFFICIENTNETS)
    ),
]


@pytest.mark.parametrize(
    ("family", "symbols", "application"), PUBLISHED, ids=lambda x: x if isinstance(x, str) else ""
)
def test_families_are_keras_applications_at_the_published_settings(
    family: str, symbols: dict[str, int], application: str
) -> None:
    """Against the architectures of `keras.applications` that ship; a test compares them with Keras itself."""
    ours, theirs = report(family, **symbols), analyze(load(f"keras:{application}"))
    for figure in ("parameters", "trainable_parameters", "macs", "elementwise_operations"):
        assert getattr(ours.totals, figure) == getattr(theirs.totals, figure)
    weights = [sorted(w.shape for row in r.rows for w in row.weights) for r in (ours, theirs)]
    assert weights[0] == weights[1]
    assert ours.rows[-1].output_shape == theirs.rows[-1].output_shape
