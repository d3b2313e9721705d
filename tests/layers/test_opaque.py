"""An Opaque layer has the stated figures; all others are unknown."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError
from archcalc.layers.opaque import Opaque
from archcalc.layers.window import Taps, UnknownRead, Whole

H = symbol("H")


def opaque(out: Any, **stated: Any) -> Opaque:
    """An Opaque from its spec keys."""
    return Opaque(stated_shape=out, **{Opaque.spec_names[k]: v for k, v in stated.items()})


def test_nothing_stated_is_nothing_known() -> None:
    layer = Opaque(stated_shape=[5], class_name="Lambda")
    x = (8, 8, 3)
    assert layer.output_shape(x) == (5,)
    (weight,) = layer.weights(x)
    for figure, word in (
        (weight.parameters, "weights"),
        (layer.macs(x), "macs"),
        (layer.elementwise_ops(x), "elementwise_ops"),
    ):
        assert isinstance(figure, Unknown)
        assert "Lambda" in figure.reason
        assert word in figure.reason
    (window,) = layer.window(x)
    assert len(window) == 3
    assert all(isinstance(r, UnknownRead) and "Lambda" in r.reason for r in window)


def test_stated_figures_are_returned() -> None:
    layer = opaque(
        [4, 4, 6],
        weights=[{"name": "a", "shape": [3, 6]}, {"name": "b", "shape": [H], "trainable": False}],
        macs=100,
        elementwise_ops=0,
        window=3,
    )
    a, b = layer.weights((4, 4, 3))
    assert (a.name, a.shape, a.trainable, a.parameters) == ("a", (3, 6), True, 18)
    assert (b.name, b.shape, b.trainable) == ("b", (H,), False)
    assert (layer.macs((4, 4, 3)), layer.elementwise_ops((4, 4, 3))) == (100, 0)
    assert layer.window((4, 4, 3)) == ((Taps(0, 1, -1, 3), Taps(1, 1, -1, 3), Whole()),)
    assert opaque([5], weights=[]).weights((3,)) == ()


@pytest.mark.parametrize(
    ("n", "out", "window", "stride", "read"),
    [
        (32, 32, 5, None, Taps(0, 1, -2, 5)),
        (32, 16, 3, None, Taps(0, 2, 0, 3)),  # as TF's `same`: an odd zero is added at the end
        (224, 112, 7, None, Taps(0, 2, -2, 7)),
        (15, 7, 3, None, Taps(0, 2, 0, 3)),  # only `valid` at stride 2 gives 7
        (9, 1, 9, None, Taps(0, 9, 0, 9)),
        (10, 2, 3, 5, Taps(0, 5, 0, 3)),
        (H, H, 3, None, Taps(0, 1, -1, 3)),
        (H, (H + 1) // 2, 3, 2, None),
    ],
)
def test_the_stride_follows_from_the_sizes(n: Any, out: Any, window: int, stride: Any, read: Any) -> None:
    (reads,) = opaque([out, 8], window=window, stride=stride).window((n, 3))
    assert reads[1] == Whole()
    if read is None:
        assert isinstance(reads[0], Taps)
        assert (reads[0].stride, reads[0].count) == (2, 3)
    else:
        assert reads[0] == read


def test_an_uncertain_stride_is_unstated() -> None:
    for n, out in ((10, 2), (H, symbol("W")), (4, 8)):
        (reads,) = opaque([out, 8], window=3).window((n, 3))
        assert isinstance(reads[0], UnknownRead)
        assert "stride" in reads[0].reason


def test_windows_per_axis_and_over_everything() -> None:
    (reads,) = opaque([8, 8, 4], window=[3, 1]).window((8, 8, 3))
    assert reads == (Taps(0, 1, -1, 3), Taps(1, 1, 0, 1), Whole())
    (reads,) = opaque([7], window="whole").window((8, 8, 3))
    assert reads == (Whole(), Whole(), Whole())
    (reads,) = opaque([8, 8, 4], window=[3, 1, 1]).window((8, 8, 3))
    assert all(isinstance(r, UnknownRead) for r in reads)
    (reads,) = opaque([7], window=3).window((8, 8, 3))
    assert all(isinstance(r, UnknownRead) for r in reads)


def test_every_input_has_a_window() -> None:
    first, second = opaque([8, 4], window=3).window((8, 3), (1,))
    assert first == (Taps(0, 1, -1, 3), Whole())
    assert all(isinstance(r, UnknownRead) for r in second)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"weights": 5}, "weights: expected a list of weights, got 5"),
        ({"weights": [{"name": "a"}]}, "weights: expected .*trainable"),
        ({"weights": [{"name": "a", "shape": [0]}]}, "weights: expected a positive integer, got 0"),
        ({"weights": [{"name": "a", "shape": [3], "dtype": "x"}]}, "weights: expected"),
        ({"macs": -1}, "macs: expected an integer >= 0, got -1"),
        ({"window": 0}, "window: expected a positive integer, got 0"),
        ({"window": "all"}, "window: expected a positive integer, got 'all'"),
        ({"stride": [2, "x"]}, "stride: expected"),
    ],
)
def test_faults_are_named_as_in_a_spec(stated: dict[str, Any], message: str) -> None:
    with pytest.raises(LayerError, match=message):
        opaque([4], **stated)
    with pytest.raises(LayerError, match=r"output_shape: expected a positive integer, got -1"):
        opaque([-1])


def test_a_spec_states_the_words_that_are_no_sizes() -> None:
    from archcalc import load

    stated = {"name": "o", "type": "Opaque", "output_shape": "same", "window": "whole"}
    layer = load({"archcalc": 1, "inputs": {"x": [8, 3]}, "layers": [stated]}).nodes[-1].layer
    assert layer.output_shape((8, 3)) == (8, 3)
    assert layer.window((8, 3)) == ((Whole(), Whole()),)
