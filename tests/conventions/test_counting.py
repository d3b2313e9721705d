"""Conventions over whole graphs: symbols, copies, and layers without a counterpart in torch."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest

import archcalc
from archcalc import arith
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.conventions import NAMES
from archcalc.conventions.torch_counterparts import NONE, RULES
from archcalc.errors import ArchcalcError
from archcalc.layers.operand import Constant
from archcalc.layers.registry import registered
from tests.networks import chain, conv_pair, made, residual, tower, with_unknown

OTHERS = [name for name in NAMES if name != "archcalc"]


def flops(graph: Any, convention: str, **symbols: int) -> Any:
    return archcalc.analyze(graph, symbols, convention=convention).totals.flops


@pytest.mark.parametrize("convention", NAMES)
def test_symbolic_figures_at_a_point_are_those_of_the_integers(convention: str) -> None:
    layers = [
        ("conv", made("Conv2D", filters=6, kernel_size=3, strides=2, padding="same", activation="relu")),
        ("norm", made("BatchNormalization")),
        ("pool", made("MaxPooling2D", pool_size=2, padding="same")),
        ("up", made("Conv2DTranspose", filters=4, kernel_size=3, strides=2, padding="same")),
        ("wide", made("UpSampling2D", interpolation="bilinear")),
        ("gap", made("GlobalAveragePooling2D")),
        ("out", made("Dense", units=3, activation="softmax")),
    ]
    closed = flops(chain("x", (symbol("H"), symbol("W"), 3), *layers), convention)
    for h, w in ((7, 12), (16, 9)):
        figure = flops(chain("x", (h, w, 3), *layers), convention)
        assert isinstance(figure, int)
        assert arith.substitute(closed, {"H": h, "W": w}) == figure


@pytest.mark.parametrize("convention", NAMES)
def test_a_symbolic_repeat_counts_each_copy(convention: str) -> None:
    assert arith.substitute(flops(tower(), convention), {"n": 5}) == flops(tower(), convention, n=5)


@pytest.mark.parametrize("convention", OTHERS)
def test_layers_without_a_counterpart_are_unknown_with_a_reason(convention: str) -> None:
    report = archcalc.analyze(with_unknown(), convention=convention)
    unknown = [row for row in report.rows if isinstance(row.flops, Unknown)]
    assert [row.type for row in unknown] == ["Mystery"] or unknown[0].type == "Opaque"
    assert isinstance(report.totals.flops, Unknown)
    assert unknown[0].name in report.totals.unknown["flops"]
    assert convention in unknown[0].unknown["flops"]


NO_COUNTERPART = [
    (
        "LocallyConnected2D",
        {"filters": 2, "kernel_size": 2},
        [(5, 5, 2)],
        "separate weights at every position",
    ),
    ("LSTM", {"units": 3, "activation": "relu"}, [(5, 2)], "tanh and sigmoid only"),
    ("SimpleRNN", {"units": 3, "activation": "gelu"}, [(5, 2)], "tanh or relu"),
    ("GRU", {"units": 3, "reset_after": False}, [(5, 2)], "after the product"),
    ("Bidirectional", {"layer": {"type": "GRU", "units": 3, "reset_after": False}}, [(5, 2)], "reset_after"),
    (
        "RNN",
        {"cell": [{"type": "LSTMCell", "units": 3, "recurrent_activation": "tanh"}]},
        [(5, 2)],
        "sigmoid",
    ),
    ("ConvLSTM1D", {"filters": 3, "kernel_size": 2}, [(4, 5, 2)], "no convolutional LSTM"),
    ("TimeDistributed", {"layer": {"type": "ReLU", "threshold": 0.5}}, [(5, 2)], "threshold"),
    ("SpectralNormalization", {"layer": {"type": "Dense", "units": 3}}, [(5,)], "in every pass"),
    ("RMSNormalization", {"axis": 1}, [(2, 2)], "the last axes only"),
    ("Resizing", {"height": 2, "width": 2, "interpolation": "area"}, [(4, 4, 1)], "area interpolation"),
    (
        "Resizing",
        {"height": 2, "width": 2, "interpolation": "nearest", "antialias": True},
        [(4, 4, 1)],
        "smooths",
    ),
    ("PReLU", {}, [(5, 5, 2)], "one slope per channel"),
    ("ReLU", {"max_value": 2.0}, [(5,)], "a maximum other than 6"),
    ("ReLU", {"threshold": 0.5}, [(5,)], "threshold"),
    ("Softmax", {"axis": (1, 2)}, [(5, 5, 2)], "along one axis"),
    ("LayerNormalization", {"axis": 1}, [(5, 2)], "the last axes only"),
    ("BatchNormalization", {"renorm": True}, [(5, 2)], "renormalisation"),
    ("BatchNormalization", {}, [(2, 3, 4, 5, 6)], "three axes of space"),
    ("UpSampling2D", {"interpolation": "lanczos3"}, [(5, 5, 2)], "Lanczos"),
    ("Dense", {"units": 2, "activation": "squareplus"}, [(5,)], "squareplus"),
    ("Dense", {"units": 2, "lora_rank": 2}, [(5,)], "low-rank"),
    ("Dot", {"axes": 1, "normalize": True}, [(4,), (4,)], "normalise"),
    ("Dot", {"axes": 1}, [(4,), (4,)], "multiplies matrices"),
    ("Attention", {"use_causal_mask": True}, [(4, 3), (4, 3)], "plain dot-product"),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, [(4, 8), (4, 8)], "num_heads times key_dim"),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 4, "use_causal_mask": True}, [(4, 8)] * 2, "a mask"),
    ("ops.matmul", {"x2": Constant.of([[1.0, 2.0]] * 4)}, [(5, 4)], "with constants"),
    ("AdditiveAttention", {}, [(4, 3), (4, 3)], "no counterpart of AdditiveAttention"),
]


@pytest.mark.parametrize(("kind", "arguments", "inputs", "reason"), NO_COUNTERPART, ids=str)
def test_reasons(kind: str, arguments: dict[str, Any], inputs: list[tuple[int, ...]], reason: str) -> None:
    from tests.conventions.test_tf_profiler import graph_of

    report = archcalc.analyze(graph_of(kind, arguments, inputs), convention="fvcore")
    assert reason in report.totals.unknown["flops"]


def test_reasons_are_given_for_registered_types_without_a_rule() -> None:
    assert not set(NONE) & set(RULES)
    assert set(NONE) <= set(registered())


def test_an_einsum_over_open_axes_is_unknown_where_it_is_rounded() -> None:
    dense = made("EinsumDense", equation="abc,cd->abd", partial_shape=(None, 3))
    graph = chain("x", (symbol("T"), 4), ("dense", dense))
    for convention in ("fvcore", "calflops"):
        report = archcalc.analyze(graph, convention=convention)
        assert "four digits" in report.totals.unknown["flops"]
    assert arith.substitute(flops(graph, "torch"), {"T": 5}) == 2 * 5 * 4 * 3


def test_groupnormalization_has_a_counterpart() -> None:
    graph = chain("x", (8, 8, 4), ("y", made("GroupNormalization", groups=2)))
    rows = {row.name: row for row in archcalc.compare_conventions(graph).rows}
    # fvcore and calflops: 5 a unit; ptflops: 2; torchinfo: the parameters; thop has no hook for GroupNorm
    figures = {"torchinfo": 8, "fvcore": 1280, "ptflops": 512, "thop": 0, "calflops": 1280, "torch": 0}
    assert {name: rows[name].flops for name in figures} == figures


def test_a_layer_on_each_step_counts_all_steps() -> None:
    inner = {"type": "Conv2D", "filters": 4, "kernel_size": 3}
    graph = chain("x", (symbol("T"), 8, 9, 3), ("each", made("TimeDistributed", layer=inner)))
    for name in OTHERS:
        assert arith.substitute(flops(graph, name), {"T": 5}) == flops(graph, name, T=5)
        assert flops(graph, name, T=5) == 5 * flops(graph, name, T=1)


def test_the_comparison_shows_activations() -> None:
    comparison = archcalc.compare_conventions(conv_pair())
    rows = {row["convention"]: row for row in comparison.to_dict()["conventions"]}
    products = [row for row in archcalc.analyze(conv_pair()).rows if row.macs]
    assert rows["fvcore"]["activations"] == sum(prod(row.output_shape) for row in products)
    assert rows["torch"]["activations"] is None
    assert "activations: units that convolutions" in comparison.to_text()


def test_the_report_names_the_convention_and_what_it_leaves_out() -> None:
    report = archcalc.analyze(residual(), convention="fvcore")
    assert report.conventions["flops"] == "fvcore"
    assert report.conventions["flops_tool"] == "fvcore 0.1.5.post20221221"
    assert report.conventions["flops_per_mac"] == 1
    assert report.conventions["flops_not_counted"] == ["Add"]
    assert report.totals.flops == sum(row.flops for row in report.rows)
    assert "FLOPs (fvcore)" in report.to_markdown()
    assert "FLOPs (fvcore)" in report.to_latex()
    assert "FLOPs (fvcore)" in report._repr_html_()
    assert all(line.endswith(",fvcore") for line in report.to_csv().splitlines()[1:])


def test_archcalc_is_the_default_convention() -> None:
    report = archcalc.analyze(conv_pair())
    assert report.conventions["flops"] == "archcalc"
    assert all(row.flops == 2 * row.macs for row in report.rows)
    with pytest.raises(ArchcalcError, match="convention: expected one of archcalc, torchinfo"):
        archcalc.analyze(conv_pair(), convention="deepspeed")
