"""Recurrent and attention layers: work counted by hand, and models against real Keras."""

from __future__ import annotations

from typing import Any

import keras
import pytest

import archcalc
from archcalc.errors import ArchcalcError
from archcalc.layers.base import Layer
from archcalc.layers.registry import registered
from archcalc.readers.spec import read_spec

L = keras.layers


def made(kind: str, **arguments: Any) -> Layer:
    return registered()[kind](**arguments)


# -- work -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "arguments", "macs", "elementwise"),
    [
        # 5 steps of 3 features; sums of two products, biases, tanh
        ("SimpleRNN", {"units": 4}, 5 * (3 + 4) * 4, 5 * (4 + 4 + 4)),
        # four gates; three sigmoids, tanh of candidate and of c, f*c + i*g and o*tanh(c)
        ("LSTM", {"units": 4}, 5 * (3 + 4) * 16, 5 * (16 + 16 + 3 * 4 + 2 * 4 + 4 * 4)),
        # three gates with two biases; two sigmoids, tanh, r*h, z*h + (1 - z)*g
        ("GRU", {"units": 4}, 5 * (3 + 4) * 12, 5 * (12 + 24 + 2 * 4 + 4 + 5 * 4)),
        ("GRU", {"units": 4, "reset_after": False, "use_bias": False}, 5 * 7 * 12, 5 * (12 + 8 + 4 + 20)),
        ("Bidirectional", {"layer": {"type": "SimpleRNN", "units": 4}}, 2 * 140, 2 * 60),
        ("Bidirectional", {"layer": {"type": "SimpleRNN", "units": 4}, "merge_mode": "sum"}, 280, 120 + 4),
        ("TimeDistributed", {"layer": {"type": "Dense", "units": 4}}, 5 * 3 * 4, 5 * 4),
        (
            "RNN",
            {"cell": [{"type": "LSTMCell", "units": 4}, {"type": "SimpleRNNCell", "units": 2}]},
            5 * (7 * 16 + (4 + 2) * 2),
            5 * (68 + 6),
        ),
    ],
)
def test_work_of_a_sequence(kind: str, arguments: dict[str, Any], macs: int, elementwise: int) -> None:
    layer = made(kind, **arguments)
    assert layer.macs((5, 3)) == macs
    assert layer.elementwise_ops((5, 3)) == elementwise


def test_work_of_a_convolutional_lstm() -> None:
    layer = made("ConvLSTM2D", filters=3, kernel_size=2)
    positions = 4 * 5  # of a step of (5, 6, 2)
    assert layer.macs((7, 5, 6, 2)) == 7 * positions * (2 * 2) * (2 + 3) * (4 * 3)
    # the sum of two products, biases, three sigmoids and two tanh, f*c + i*g and o*tanh(c)
    assert layer.elementwise_ops((7, 5, 6, 2)) == 7 * positions * 3 * (4 + 4 + 3 + 2 + 4)


def test_work_of_a_wrapped_layer_is_the_layers() -> None:
    layer = made("SpectralNormalization", layer={"type": "Dense", "units": 4})
    assert layer.macs((5, 3)) == 5 * 3 * 4
    assert layer.elementwise_ops((5, 3)) == 5 * 4


def test_work_of_attention() -> None:
    query, value = (4, 6), (5, 7)
    layer = made("MultiHeadAttention", num_heads=2, key_dim=3, value_dim=8)
    projections = 4 * 6 * (2 * 3) + 5 * 7 * (2 * 3) + 5 * 7 * (2 * 8) + 4 * (2 * 8) * 6
    assert layer.macs(query, value) == projections + 2 * 4 * 5 * (3 + 8)
    biases = 4 * 6 + 5 * 6 + 5 * 16 + 4 * 6
    assert layer.elementwise_ops(query, value) == biases + 4 * 6 + 2 * 4 * 5
    causal = made("MultiHeadAttention", num_heads=2, key_dim=3, value_dim=8, use_causal_mask=True)
    assert causal.macs(query, value) == layer.macs(query, value)
    grouped = made("GroupQueryAttention", head_dim=3, num_query_heads=4, num_key_value_heads=2)
    assert grouped.macs((4, 6), (5, 6)) == 4 * 6 * 12 + 2 * 5 * 6 * 6 + 4 * 12 * 6 + 4 * 4 * 5 * (3 + 3)
    assert made("Attention").macs((4, 6), (5, 6)) == 4 * 5 * (6 + 6)
    assert made("AdditiveAttention").macs((4, 6), (5, 6)) == 4 * 5 * (6 + 6)
    gated = made("MultiHeadAttention", num_heads=2, key_dim=3, value_dim=8, use_gate=True)
    assert gated.macs(query, value) == layer.macs(query, value) + 4 * 6 * 16
    # a bias, a sigmoid and a product more for each unit of the gate
    assert gated.elementwise_ops(query, value) == layer.elementwise_ops(query, value) + 3 * 4 * 16


def test_work_of_attention_without_projections() -> None:
    query, value, key = (2, 4, 6), (2, 5, 7), (2, 5, 6)
    pairs = 2 * 4 * 5
    # the product with the scale, and the softmax, of each pair
    assert made("Attention").elementwise_ops(query, value, key) == pairs
    assert made("Attention", use_scale=True).elementwise_ops(query, value, key) == 2 * pairs
    # sum, tanh and sum over the features (each scaled), the weight of the sum, and the softmax
    concat = {"score_mode": "concat"}
    assert made("Attention", **concat).elementwise_ops(query, value, key) == pairs * (3 * 6 + 1 + 1)
    scaled = made("Attention", use_scale=True, **concat)
    assert scaled.elementwise_ops(query, value, key) == pairs * (4 * 6 + 1 + 1)
    assert made("Attention").macs(query, value, key) == pairs * (6 + 7)
    assert scaled.macs(query, value, key) == pairs * 7
    additive, unscaled = made("AdditiveAttention"), made("AdditiveAttention", use_scale=False)
    assert additive.macs(query, value, key) == pairs * (6 + 7)
    assert additive.elementwise_ops(query, value, key) == pairs * (2 * 6 + 1)
    assert unscaled.macs(query, value, key) == pairs * 7
    assert unscaled.elementwise_ops(query, value, key) == pairs * (3 * 6 + 1)


# -- models ---------------------------------------------------------------------------------------
def lstm_classifier() -> Any:
    x = keras.Input((12,), dtype="int32")
    y = L.LSTM(4, return_sequences=True)(L.Embedding(20, 5)(x))
    return keras.Model(x, L.Dense(2, activation="softmax")(L.LSTM(6)(y)))


def both_directions() -> Any:
    x = keras.Input((9, 4))
    y = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    return keras.Model(x, L.Bidirectional(L.GRU(3), merge_mode="ave")(y))


def backwards() -> Any:
    x = keras.Input((9, 4))
    return keras.Model(x, L.Conv1D(2, 3)(L.GRU(3, return_sequences=True, go_backwards=True)(x)))


def causal_convolutions() -> Any:
    x = y = keras.Input((14, 3))
    for rate in (1, 2, 4):
        y = L.Add()([L.Conv1D(3, 2, padding="causal", dilation_rate=rate, activation="relu")(y), y])
    return keras.Model(x, y)


def transformer() -> Any:
    x = keras.Input((9, 6))
    y = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 3)(x, x)]))
    z = L.Dense(6)(L.Dense(12, activation="gelu")(y))
    return keras.Model(x, L.LayerNormalization()(L.Add()([z, y])))


def decoder() -> Any:
    x, memory = keras.Input((9, 6)), keras.Input((5, 6))
    y = L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    y = L.Add()([y, L.GroupQueryAttention(3, 4, 2)(y, memory)])
    return keras.Model([x, memory], L.Attention()([y, memory]))


def from_encoder_to_decoder() -> Any:
    x, y = keras.Input((7, 6)), keras.Input((5, 3))
    _, h, c = L.LSTM(4, return_state=True)(x)
    return keras.Model([x, y], L.LSTM(4, return_sequences=True)(y, initial_state=[h, c]))


def frames() -> Any:
    x = keras.Input((6, 8, 8, 2))
    y = L.TimeDistributed(L.Flatten())(L.TimeDistributed(L.Conv2D(3, 3, strides=2))(x))
    return keras.Model(x, L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_sequences=True)(y))


def next_frames() -> Any:
    x = keras.Input((4, 8, 8, 1))
    y = L.ConvLSTM2D(3, 3, padding="same", return_sequences=True)(x)
    y = L.ConvLSTM2D(2, (1, 3), strides=(1, 2), dropout=0.1)(L.BatchNormalization()(y))
    return keras.Model(x, L.Conv2D(1, 3, padding="same", activation="sigmoid", name="frame")(y))


MODELS = [
    lstm_classifier,
    both_directions,
    backwards,
    causal_convolutions,
    transformer,
    decoder,
    from_encoder_to_decoder,
    frames,
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_sequence_models_verify(model: Any) -> None:
    verification = archcalc.verify(archcalc.from_keras(model()))
    assert not [c for c in verification.checks if c.verdict == "differs"]
    measured = [c for c in verification.checks if c.what.startswith("receptive field")]
    assert measured
    assert {c.verdict for c in measured} == {"agrees"}


def test_a_conv_lstm_verifies() -> None:
    """Everything except the receptive field, which grows with every step and is unknown."""
    graph = archcalc.from_keras(next_frames())
    verification = archcalc.verify(graph)
    assert not [c for c in verification.checks if c.verdict == "differs"]
    agreed = {c.what for c in verification.checks if c.verdict == "agrees"}
    assert agreed >= {"output shape", "parameters", "weights"}
    (row,) = (row for row in archcalc.analyze(graph).rows if row.name == "frame")
    assert "each step sees further" in row.unknown["receptive_field"]


def test_fields_of_sequences() -> None:
    rows = archcalc.analyze(archcalc.from_keras(lstm_classifier())).rows
    fields = {row.type: row.receptive_fields for row in rows}
    assert [f.size for f in fields["LSTM"].values() if f is not None] == [(12,)]
    causal = archcalc.analyze(archcalc.from_keras(causal_convolutions())).rows[-1]
    assert [f.size for f in causal.receptive_fields.values() if f is not None] == [(8,)]


# -- specs ----------------------------------------------------------------------------------------
def spec(**layer: Any) -> dict[str, Any]:
    return {
        "archcalc": 1,
        "symbols": {"u": 4, "T": None},
        "inputs": {"x": ["T", 3]},
        "layers": [{"name": "a", **layer}],
    }


def test_layers_inside_layers_in_a_spec() -> None:
    graph = read_spec(
        spec(type="Bidirectional", layer={"type": "LSTM", "units": "2*u", "return_sequences": True}),
        "net.json",
    )
    report = archcalc.analyze(graph)
    assert [str(n) for n in report.rows[-1].output_shape] == ["T", "16"]
    assert report.totals.parameters == 2 * 4 * (3 + 8 + 1) * 8
    assert [w.name for w in report.rows[-1].weights][:2] == [
        "forward_lstm/lstm_cell/kernel",
        "forward_lstm/lstm_cell/recurrent_kernel",
    ]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"type": "RNN", "cell": {"type": "LSTM", "units": 4}}, "a LSTM is no cell"),
        ({"type": "RNN", "cell": {"type": "LSTMCel", "units": 4}}, "did you mean 'LSTMCell'"),
        ({"type": "RNN", "cell": {"type": "LSTMCell", "unit": 4}}, "unit"),
        ({"type": "Bidirectional", "layer": {"type": "Dense", "units": 4}}, "a Dense is no recurrent layer"),
        ({"type": "TimeDistributed", "layer": 3}, "expected a layer such as"),
    ],
)
def test_layers_that_do_not_fit_inside(layer: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchcalcError) as caught:
        read_spec(spec(**layer), "net.json")
    assert message.replace("'", '"') in str(caught.value).replace("'", '"')


@pytest.mark.parametrize("kind", ["SimpleRNNCell", "LSTMCell", "GRUCell"])
def test_a_sequence_is_as_much_work_as_its_steps(kind: str) -> None:
    sequence = made("RNN", cell={"type": kind, "units": 3})
    assert sequence.macs((7, 4)) == 7 * made(kind, units=3).macs((4,)) > 0


def test_attention_over_two_axes_is_as_much_work_as_over_one_of_as_many_positions() -> None:
    layer = made("MultiHeadAttention", num_heads=2, key_dim=3, value_dim=4, use_gate=True)
    for count in (layer.macs, layer.elementwise_ops):
        assert count((3, 4, 8), (3, 4, 8)) == count((12, 8), (12, 8)) > 0
