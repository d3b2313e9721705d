"""Conventions over whole graphs: symbols, copies, and layers without a counterpart in torch."""

from __future__ import annotations

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
    ("LSTM", {"units": 3}, [(5, 2)], "recurrent"),
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
