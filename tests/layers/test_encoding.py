"""Encodings of integers and their refusals, and layers as arguments of layers."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc import analyze
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError
from archcalc.graph import Graph
from archcalc.layers.registry import registered, registered_operations
from tests.networks import made


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((1,),), "expected two inputs, got 1"),
        (((1,), (1,), (1,)), "expected two inputs, got 3"),
        (((1,), ()), "both with an axis of 1 or both without"),
        (((1, 1), (1, 1)), "both with an axis of 1 or both without"),
        (((1,), (2,)), "an axis of 2 where 1 is expected"),
    ],
)
def test_a_crossing_takes_two_single_numbers(shapes: tuple[tuple[int, ...], ...], words: str) -> None:
    with pytest.raises(LayerError, match=words):
        made("HashedCrossing", num_bins=4).output_shape(*shapes)


def test_a_crossing_of_numbers_with_and_without_an_axis() -> None:
    layer = made("HashedCrossing", num_bins=4, output_mode="one_hot")
    assert layer.output_shape((1,), (1,)) == (4,)
    assert layer.output_shape((), ()) == (4,)


@pytest.mark.parametrize(("shape", "out"), [((1,), (3,)), ((2,), (2, 3)), ((5,), (5, 3)), ((4, 1), (4, 3))])
def test_one_hot_takes_the_place_of_an_axis_of_one(shape: tuple[int, ...], out: tuple[int, ...]) -> None:
    assert made("CategoryEncoding", num_tokens=3, output_mode="one_hot").output_shape(shape) == out


def test_a_layer_may_be_given_as_it_is() -> None:
    inner = made("LSTM", units=3, return_sequences=True)
    both = registered()["Bidirectional"](layer=inner)  # type: ignore[call-arg]
    assert both.output_shape((5, 2)) == (5, 6)
    named: Any = both
    assert named.layer.layer is inner
    stacked = registered()["RNN"](cell=[made("GRUCell", units=2), made("LSTMCell", units=4)])  # type: ignore[call-arg]
    assert stacked.output_shape((5, 2)) == (4,)


@pytest.mark.parametrize("function", ["multiply", "divide", "power"])
def test_how_a_product_weighs_its_inputs_depends_on_values(function: str) -> None:
    types, conv = registered(), made("Conv1D", filters=2, kernel_size=3)
    other: Any = registered_operations()[f"ops.{function}"]
    nodes: list[Any] = [("x", types["InputLayer"](shape=(9, 2)), ()), ("a", conv, ["x"]), ("b", conv, ["x"])]  # type: ignore[call-arg]
    by_tensor = Graph.of("two", [*nodes, ("y", other(), ["a", "b"])], ["y"], shared={"b": "a"})
    rows = {row.name: row for row in analyze(by_tensor).rows}
    sigma = rows["y"].effective_receptive_field_sigma
    assert sigma is None or all(isinstance(s, Unknown) for s in sigma)
    # a constant factor does not change the distribution over units
    by_number = Graph.of("one", [*nodes[:2], ("y", other(x2=2.0), ["a"])], ["y"])
    rows = {row.name: row for row in analyze(by_number).rows}
    assert rows["y"].effective_receptive_field_sigma == rows["a"].effective_receptive_field_sigma
    assert rows["a"].effective_receptive_field_sigma == pytest.approx((0.816497,), rel=1e-5)


def test_an_index_in_words() -> None:
    item: Any = registered_operations()["ops.get_item"]
    assert item(key=("...", 0)).output_shape((4, 5)) == (4,)
    assert item(key=([None, None, None], "...", 1)).output_shape((4, 5)) == (4,)


def test_flash_attention_drops_nothing() -> None:
    arguments = {"num_heads": 2, "key_dim": 3, "flash_attention": True}
    assert made("MultiHeadAttention", **arguments).output_shape((4, 5), (4, 5)) == (4, 5)
    with pytest.raises(LayerError, match="needs dropout=0"):
        made("MultiHeadAttention", **arguments, dropout=0.5)


@pytest.mark.parametrize(
    ("noise_shape", "together"),
    [
        ([None, 1, 1], True),
        ((None, 1, 1), True),
        ([8, 1, 1], True),
        ((1, 1, 1), False),
        ([None, 1, 4], False),
        ([None, 1], False),
        ([None, [1], {}], False),
        ("none", False),
        (None, False),
    ],
)
def test_all_units_of_a_sample_may_be_dropped_together(noise_shape: Any, together: bool) -> None:
    (dropout,) = made("Dropout", rate=0.5, noise_shape=noise_shape).primitives((3, 4))
    assert dropout.per_sample is together


def test_categories_need_their_number() -> None:
    with pytest.raises(LayerError, match="num_tokens must be given"):
        made("CategoryEncoding")


def test_two_directions_need_a_sequence() -> None:
    layer = made("Bidirectional", layer=made("LSTM", units=2))
    with pytest.raises(LayerError, match="takes a sequence, got no inputs"):
        layer.output_shapes()


@pytest.mark.parametrize("kind", ["Embedding", "ReversibleEmbedding"])
def test_quantized_tables_are_refused(kind: str) -> None:
    with pytest.raises(LayerError, match="int8"):
        made(kind, input_dim=7, output_dim=3, dtype="int8_from_float32")


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
@pytest.mark.parametrize(
    "more", [{}, {"num_oov_indices": 3}, {"mask_token": 0}, {"max_tokens": 9, "pad_to_max_tokens": True}]
)
@pytest.mark.parametrize("shape", [(1,), (4,)])
def test_a_lookup_of_integers_is_that_of_keras(
    mode: str, more: dict[str, Any], shape: tuple[int, ...]
) -> None:
    import keras

    if "pad_to_max_tokens" in more and mode == "int":
        pytest.skip("Keras pads vectors only")
    vocabulary = [12, 36, 1138, 42]
    real = keras.layers.IntegerLookup(vocabulary=vocabulary, output_mode=mode, **more)
    out = real(keras.Input(shape, dtype="int64"))
    ours = made("IntegerLookup", vocabulary=vocabulary, output_mode=mode, **more)
    assert ours.output_shape(shape) == tuple(out.shape[1:])
    assert ours.result_dtype("float32", "int64") == out.dtype
    assert ours.weights(shape) == ()
    if "pad_to_max_tokens" not in more:
        assert (
            made("IntegerLookup", vocabulary_size=real.vocabulary_size(), output_mode=mode).depth
            == ours.depth
        )


def test_a_lookup_whose_vocabulary_is_unknown() -> None:
    assert made("IntegerLookup").output_shape((4,)) == (4,)
    with pytest.raises(LayerError, match="size of the vocabulary is not stated"):
        made("IntegerLookup", output_mode="one_hot", vocabulary="/etc/passwd")
