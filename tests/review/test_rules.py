"""Every rule of lint: what it finds in its faulty example, and nothing in the mended one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.errors import ArchcalcError
from archcalc.report.rule import SEVERITIES, Rule
from archcalc.review.lint.catalogue import catalogue, ids_of, rule_of
from archcalc.review.lint.declare import conv, dense, layer, spec, trained

RULES = list(catalogue().values())
EXAMPLES = [rule for rule in RULES if rule.faulty]
# a spec states all shapes and windows; estimates and recomputation are questions to `analyze`
WITHOUT = {"AC902", "AC910", "AC911", "AC912"}


def found(source: Any, **words: Any) -> set[str]:
    return {f.rule.id for f in archcalc.lint(source, **words).findings}


def words(rule: Rule) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in rule.options.items()}


@pytest.mark.parametrize("rule", EXAMPLES, ids=lambda rule: rule.id)
def test_the_faulty_example_has_the_fault_and_the_mended_one_has_not(rule: Rule) -> None:
    assert rule.id in found(dict(rule.faulty), **words(rule))
    assert rule.id not in found(dict(rule.mended), **words(rule))


def test_rules_are_explained() -> None:
    assert len(RULES) >= 30
    assert {rule.id for rule in RULES if not rule.faulty} == WITHOUT
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"AC\d{3}", rule.id)
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
        assert rule.severity in SEVERITIES
        for text in (rule.what, rule.why, rule.sure):
            assert text.endswith(".")
        assert rule.source


def test_the_page_of_rules_is_the_one_that_is_generated() -> None:
    from archcalc.render.lint.text import rules_markdown

    page = (Path(__file__).parents[2] / "docs" / "lint-rules.md").read_text(encoding="utf-8")
    assert page == rules_markdown(RULES), "archcalc rules --format markdown -o docs/lint-rules.md"


def test_rules_are_found_by_id_name_and_beginning() -> None:
    assert rule_of("ac101") is rule_of("softmax-of-one-unit")
    assert rule_of("unread-input").id == "AC904"
    assert ids_of(["AC9"]) == {rule.id for rule in RULES if rule.id.startswith("AC9")}
    with pytest.raises(ArchcalcError, match="did you mean 'softmax-of-one-unit'"):
        rule_of("softmax-of-one-units")


# -- what a rule must leave alone -----------------------------------------------------------------------
def chain(*layers: dict[str, Any], shape: tuple[Any, ...] = (16, 16, 8), **sections: Any) -> dict[str, Any]:
    return spec(shape, *layers, **sections)


AUTOENCODER = chain(dense(4, "relu"), dense(16, "sigmoid"), shape=(16,), **trained("mse"))
SEPARABLE = chain(layer("DepthwiseConv2D", kernel_size=3), layer("BatchNormalization"), conv(8, 1))
BOTTLENECK = chain(conv(8, 1, None), layer("BatchNormalization"), conv(48, 1))
LOW_RANK = chain(dense(4), dense(64, "relu"), dense(1), shape=(32,))
# 32 to 8 in each of eight heads to 64
HEADS = chain(dense(64), layer("Reshape", target_shape=[8, 8]), dense(64, "relu"), dense(1), shape=(32,))
FACTORED = chain(
    layer("Conv2D", filters=8, kernel_size=[1, 3], padding="same"),
    layer("Conv2D", filters=8, kernel_size=[3, 1], padding="same", activation="relu"),
    dense(1),
)
SHORTCUT = chain(
    conv(8, 3, strides=2, name="main", inputs=["x"]),
    conv(8, 1, None, strides=2, name="shortcut", inputs=["x"]),
    layer("Add", name="sum", inputs=["main", "shortcut"]),
)
ATTENTION = chain(
    dense(8, name="q", inputs=["x"]),
    layer("Softmax", name="weights"),
    layer("Multiply", name="gated", inputs=["weights", "x"]),
    dense(3),
    shape=(8,),
)
THRESHOLD = chain(dense(8, "relu"), layer("ReLU", threshold=1.0), dense(1), shape=(8,))
ZERO_BRANCH = chain(
    dense(8, "relu", name="a"),
    dense(8, name="branch", kernel_initializer="zeros"),
    layer("Add", name="sum", inputs=["a", "branch"]),
    dense(3),
    shape=(8,),
)
CRITIC = chain(dense(8, "relu"), dense(8, "relu", trainable=False), dense(1, trainable=False), shape=(8,))
EXTRACTOR = chain(dense(8, "relu", trainable=False), dense(8, "relu"), dense(1), shape=(8,))
HEADLESS = chain(dense(8, "relu"), layer("Dropout", rate=0.5), shape=(8,))
COUNTS = chain(dense(8, "relu"), dense(1, "softplus"), shape=(8,), **trained("poisson"))
TIED_SIZES = chain(conv(8, 3), conv(8, 3), shape=("H", "H", 3), symbols={"H": None})
REGRESSION = chain(dense(8, "relu"), dense(1, "sigmoid"), shape=(8,), **trained("mse", labels="real"))
BLUR = layer("DepthwiseConv2D", kernel_size=3, strides=2, padding="same", trainable=False)
BLURRED = chain(conv(8), BLUR, conv(8), conv(8), conv(8))
ADAPTED = chain(
    dense(64, "relu", name="before"),
    dense(64, trainable=False, name="frozen"),
    dense(4, name="down", inputs=["before"]),
    dense(64, name="up"),
    layer("Add", name="sum", inputs=["frozen", "up"]),
    layer("ReLU"),
    dense(64, "relu"),
    dense(3),
    shape=(64,),
)
SCORES_UPSAMPLED = chain(
    conv(64, strides=2),
    conv(5, 1, None),
    layer("Conv2DTranspose", filters=5, kernel_size=4, strides=2, padding="same", activation="softmax"),
)
RESIDUAL_OUTPUT = chain(
    conv(8, name="a"),
    conv(8, 3, None, name="residual"),
    layer("Add", inputs=["x", "residual"]),
    layer("Activation", activation="sigmoid"),
)
BOX_AND_CLASS = chain(
    dense(16, "relu", name="seen"),
    dense(3, "softmax", name="class", inputs=["seen"]),
    dense(4, "sigmoid", name="box", inputs=["seen"]),
    shape=(8,),
    outputs=["class", "box"],
    compile={"loss": ["categorical_crossentropy", "mse"]},
)
BETWEEN_BLOCKS = chain(
    *(conv(32, 3, None, use_bias=False), layer("BatchNormalization"), layer("ReLU")),
    layer("Dropout", rate=0.3),
    *(conv(64, 3, None, use_bias=False), layer("BatchNormalization"), layer("ReLU")),
)
# a learned vector of positions is added, which is no branch of the path that it is added to
POSITIONS = chain(
    dense(8, "relu", name="patches", inputs=["x"]),
    layer("Parameter", name="positions", shape=[16, 8], inputs=["patches"]),
    layer("Add", name="sum", inputs=["patches", "positions"]),
    layer("Dropout", rate=0.1),
    dense(3, "relu"),
    shape=(16, 4),
)
# of 18 units the last is read by no window; with one zero less at the end all would be
PADDED = chain(
    layer("ZeroPadding2D", padding=1), conv(8, strides=2, padding="valid"), layer("Flatten"), dense(3)
)


@pytest.mark.parametrize(
    ("network", "rules"),
    [
        (BLURRED, {"AC304", "AC301", "AC302"}),
        (ADAPTED, {"AC304"}),
        (SCORES_UPSAMPLED, {"AC201"}),
        (RESIDUAL_OUTPUT, {"AC206"}),
        (BOX_AND_CLASS, {"AC105"}),
        (BETWEEN_BLOCKS, {"AC502"}),
        (AUTOENCODER, {"AC105"}),
        (SEPARABLE, {"AC201", "AC302"}),
        (BOTTLENECK, {"AC201"}),
        (LOW_RANK, {"AC201"}),
        (HEADS, {"AC201"}),
        (FACTORED, {"AC201"}),
        (SHORTCUT, {"AC401"}),
        (ATTENTION, {"AC115"}),
        (THRESHOLD, {"AC207"}),
        (ZERO_BRANCH, {"AC301"}),
        (CRITIC, {"AC304"}),
        (EXTRACTOR, {"AC304"}),
        (HEADLESS, {"AC117", "AC106", "AC107"}),
        (COUNTS, {"AC119", "AC107"}),
        (TIED_SIZES, {"AC401", "AC407", "AC408"}),
        (REGRESSION, {"AC105"}),
        (POSITIONS, {"AC206"}),
        (PADDED, {"AC408"}),
    ],
)
def test_what_is_meant_so_is_left_alone(network: dict[str, Any], rules: set[str]) -> None:
    assert not found(network) & rules


FROZEN = chain(conv(8), conv(8, trainable=False), conv(8), conv(8))
GATED_LSTM = chain(dense(8, "softmax"), layer("LSTM", units=4), dense(1), shape=(10, 4))
DECODER = chain(
    conv(32, 3, None),
    layer("Conv2DTranspose", filters=16, kernel_size=4, strides=2),
    conv(1, 1),
    shape=(8, 8, 64),
)
DROPPED = chain(
    dense(32, "relu"),
    layer("Dropout", rate=0.5),
    dense(32),
    layer("BatchNormalization"),
    dense(3),
    shape=(16,),
)
BLOCKED = chain(
    *(conv(8, name="a"), conv(8, 3, None, name="b"), layer("Add", inputs=["a", "b"])),
    *(layer("Activation", activation="tanh"), conv(8)),
)


@pytest.mark.parametrize(
    ("network", "rule"),
    [(FROZEN, "AC304"), (GATED_LSTM, "AC115"), (DECODER, "AC201"), (DROPPED, "AC502"), (BLOCKED, "AC206")],
)
def test_what_is_near_to_it_is_found(network: dict[str, Any], rule: str) -> None:
    assert rule in found(network)


def test_taps_that_never_reach_the_input_are_counted_by_brute_force() -> None:
    """Against a convolution of an input of ones: a tap that is never multiplied by one is idle."""
    from archcalc.layers.primitives import SlidingWindow
    from archcalc.review.lint.rules.geometry import Window

    for size in (1, 2, 3, 7):
        for kernel in (1, 2, 3, 5):
            for stride in (1, 2, 3):
                for dilation in (1, 2, 5):
                    for pad in (0, 1, 4):
                        extent = dilation * (kernel - 1) + 1
                        positions = max((size + 2 * pad - extent) // stride + 1, 0)
                        if positions < 1:
                            continue
                        window = Window(SlidingWindow(0, size, positions, kernel, stride, dilation, pad))
                        reads = [
                            (t, stride * i + dilation * t - pad)
                            for i in range(positions)
                            for t in range(kernel)
                        ]
                        inside = [(t, at) for t, at in reads if 0 <= at < size]
                        assert window.idle_taps == kernel - len({t for t, _ in inside})
                        last = max((at for _, at in reads), default=-1)
                        assert window.unread == max(size - 1 - last, 0)


def test_an_unknown_layer_makes_rules_silent_and_is_found() -> None:
    network = chain(dense(8), layer("Opaque", output_shape=[8]), dense(1, "sigmoid"), shape=(8,))
    assert "AC901" in found(network)
    assert "AC201" not in found(network)


@pytest.mark.parametrize(
    ("labels", "classes", "units", "rules"),
    [
        ("one_hot", 3, 1, {"AC111"}),
        ("one_hot", 3, 4, {"AC111"}),
        ("one_hot", 3, 3, set()),
        ("integer", 3, 2, {"AC111", "AC112"}),
        ("binary", None, 1, set()),
        ("binary", 2, 1, set()),
        (None, 2, 1, set()),
        (None, 3, 1, {"AC111"}),
    ],
)
def test_units_for_classes(labels: Any, classes: Any, units: int, rules: set[str]) -> None:
    head = dense(units, "sigmoid" if units == 1 else "softmax")
    loss = "binary_crossentropy" if units == 1 else "categorical_crossentropy"
    given = {k: v for k, v in (("labels", labels), ("classes", classes)) if v is not None}
    assert found(spec((8,), head), loss=loss, **given) & {"AC111", "AC112"} == rules


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.05])
def test_usual_learning_rates_are_left_alone(rate: float) -> None:
    network = spec((64,), dense(64, "relu"), dense(3))
    for optimizer in ("sgd", "adam", "rmsprop", "momentum"):
        assert "AC303" not in found(network, optimizer=optimizer, learning_rate=rate)
    assert "AC303" in found(network, optimizer="sgd", learning_rate=5.0)
    assert "AC303" in found(network, optimizer="adadelta", learning_rate=0.001)
    assert "AC303" in found(network, optimizer="adam", learning_rate=1e-8)
