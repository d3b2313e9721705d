"""The report: figures as data, sums, unknowns, symbols, reprs."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

import archcalc
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.report.report import Finding
from tests.networks import chain, conv_pair, made, residual, tower, with_unknown

TOTALS = (
    "parameters",
    "trainable_parameters",
    "non_trainable_parameters",
    "weight_bytes",
    "macs",
    "flops",
    "elementwise_operations",
    "peak_activation_bytes",
    "training_activation_bytes",
    "optimizer_bytes",
    "training_bytes",
)
ROW = (
    "name",
    "type",
    "inputs",
    "output_shape",
    "shared_with",
    "parameters",
    "trainable_parameters",
    "weights",
    "macs",
    "flops",
    "elementwise_operations",
    "activation_bytes",
    "receptive_field",
    "effective_receptive_field_sigma",
)
FIELD = ("size", "min_size", "stride", "offset", "global", "local_size", "clipped_size")


def data(graph: Any, **options: Any) -> dict[str, Any]:
    """The report as a script gets it: through JSON text."""
    report: dict[str, Any] = json.loads(
        json.dumps(archcalc.analyze(graph, **options).to_dict(), allow_nan=False)
    )
    return report


def test_the_keys_of_the_contract_are_there() -> None:
    report = data(residual())
    assert {
        "schema_version",
        "tool",
        "model",
        "symbols",
        "assumptions",
        "conventions",
        "totals",
        "layers",
        "formulas",
        "verdicts",
        "findings",
    } <= report.keys()
    assert report["schema_version"] == 1
    assert report["tool"] == {"name": "archcalc", "version": archcalc.__version__}
    assert {"name", "source", "format", "inputs", "outputs"} <= report["model"].keys()
    assert set(TOTALS) <= report["totals"].keys()
    for row in report["layers"]:
        assert set(ROW) <= row.keys()
        assert set(FIELD) <= row["receptive_field"].keys()
    assert "gradient" not in report["layers"][0]  # only with --gradients


def test_figures_of_conv_pair() -> None:
    report = data(conv_pair(), batch=2, dtype="mixed_float16")
    assert [row["parameters"] for row in report["layers"]] == [0, 448, 4640]
    assert report["totals"]["parameters"] == 5088
    second = report["layers"][2]
    assert second["inputs"] == ["first"]
    assert second["output_shape"] == [28, 28, 32]
    assert second["weights"] == [
        {"name": "kernel", "shape": [3, 3, 16, 32], "trainable": True},
        {"name": "bias", "shape": [32], "trainable": True},
    ]
    assert second["receptive_field"]["size"] == [5, 5]
    assert second["receptive_field"]["clipped_size"] == [5, 5]
    assert report["layers"][1]["receptive_field"]["clipped_size"] is None
    assert second["macs"] * 2 == second["flops"] == 2 * 28 * 28 * 32 * 9 * 16
    assert second["activation_bytes"] == 2 * 2 * 28 * 28 * 32
    assert report["model"]["inputs"] == {"image": [32, 32, 3]}
    assert report["conventions"]["batch"] == 2
    assert report["conventions"]["dtype"] == "mixed_float16"


def test_training_memory_adds_up() -> None:
    totals = archcalc.analyze(conv_pair(), batch=4, dtype="mixed_float16", optimizer="adam").totals
    activations = 4 * 2 * (32 * 32 * 3 + 30 * 30 * 16 + 28 * 28 * 32)
    assert totals.weight_bytes == totals.gradient_bytes == 4 * 5088
    assert totals.optimizer_bytes == 2 * 4 * 5088
    assert totals.training_activation_bytes == activations
    # the backward pass adds gradients of activations, and copies of the kernels in half precision
    assert totals.training_bytes > 3 * 4 * 5088 + activations
    # the caller holds the batch, and the layer a copy of its weights in half precision
    assert totals.peak_activation_bytes == activations + 2 * (3 * 3 * 16 * 32 + 32)
    assert totals.peak_activation_layer == "second"


def test_frozen_parameters_have_no_gradient_and_no_state() -> None:
    frozen = chain("x", (4, 4, 3), ("conv", made("Conv2D", filters=2, kernel_size=3, trainable=False)))
    totals = archcalc.analyze(frozen).totals
    assert (totals.parameters, totals.trainable_parameters, totals.non_trainable_parameters) == (56, 0, 56)
    assert (totals.gradient_bytes, totals.optimizer_bytes) == (0, 0)


@pytest.mark.parametrize("graph", [conv_pair(), residual(), tower(3), conv_pair(symbol("H"))])
def test_columns_add_up_to_the_totals(graph: Any) -> None:
    report = archcalc.analyze(graph)
    for figure in ("parameters", "trainable_parameters", "macs", "flops", "elementwise_operations"):
        summed: Any = 0
        for row in report.rows:
            summed = summed + getattr(row, figure)
        assert summed == getattr(report.totals, figure)


# -- symbols ---------------------------------------------------------------------------------------
def test_closed_forms_and_what_they_assume() -> None:
    report = data(conv_pair(symbol("H")))
    assert report["symbols"] == {"H": None}
    assert report["assumptions"] == ["H >= 5"]
    assert report["layers"][2]["output_shape"] == ["H - 4", "H - 4", 32]
    assert report["totals"]["parameters"] == 5088
    assert report["formulas"]["macs"] == report["totals"]["macs"] == "5040*H**2 - 38592*H + 75456"
    assert "parameters" not in report["formulas"]


def test_values_for_symbols() -> None:
    open_report = archcalc.analyze(conv_pair(symbol("H")))
    report = archcalc.analyze(conv_pair(symbol("H")), {"H": np.int32(40)})  # type: ignore[dict-item]
    assert report.totals.macs == archcalc.analyze(conv_pair(40)).totals.macs
    assert report.symbols == {"H": 40}
    assert type(report.totals.macs) is int
    assert report.formulas == {}
    assert open_report.formulas


def test_depth_is_linear_in_a_symbolic_repeat() -> None:
    report = data(tower())
    assert report["totals"]["parameters"] == "148*n + 122"
    assert {row["name"]: row["copies"] for row in report["layers"]}["body/a"] == "n"
    assert archcalc.analyze(tower(), {"n": 5}).totals.parameters == 5 * 148 + 122


def test_refused_options_name_the_choice() -> None:
    with pytest.raises(ArchcalcError, match="batch: expected a positive integer, got 0"):
        archcalc.analyze(conv_pair(), batch=0)
    with pytest.raises(ArchcalcError, match=r"batch: expected a positive integer, got 1\.5"):
        archcalc.analyze(conv_pair(), batch=1.5)  # type: ignore[arg-type]
    with pytest.raises(ArchcalcError, match=r"dtype: expected one of float32, .*got 'float8'"):
        archcalc.analyze(conv_pair(), dtype="float8")
    with pytest.raises(ArchcalcError, match=r"optimizer: expected one of adam, .*got 'adamm'"):
        archcalc.analyze(conv_pair(), optimizer="adamm")
    with pytest.raises(ArchcalcError, match="no symbol is named 'w'"):
        archcalc.analyze(conv_pair(symbol("H")), {"w": 3})


def test_numpy_numbers_do_not_get_in() -> None:
    report = archcalc.analyze(conv_pair(np.int16(32)), batch=np.int8(100))
    assert report.totals.training_activation_bytes == 100 * 4 * (32 * 32 * 3 + 30 * 30 * 16 + 28 * 28 * 32)
    json.dumps(report.to_dict())


# -- unknown ---------------------------------------------------------------------------------------
def test_what_depends_on_an_unknown_layer_is_unknown_and_never_zero() -> None:
    report = archcalc.analyze(with_unknown())
    plain = data(with_unknown())
    rows = {row["name"]: row for row in plain["layers"]}
    for figure in ("parameters", "macs", "flops", "elementwise_operations"):
        assert rows["secret"][figure] is None
        assert "nothing states" in rows["secret"]["unknown"][figure]
        assert plain["totals"][figure] is None
        assert "'secret'" in plain["totals"]["unknown"][figure]
    assert rows["conv"]["unknown"] == {}
    assert rows["conv"]["parameters"] == 112
    assert rows["last"]["parameters"] == 10  # its input shape is stated
    assert "receptive_field" in rows["last"]["unknown"]
    for figure in ("weight_bytes", "training_bytes", "optimizer_bytes"):
        assert plain["totals"][figure] is None
    assert isinstance(report.totals.parameters, Unknown)
    assert isinstance(report.layers["secret"].macs, Unknown)
    assert plain["formulas"] == {}


def test_one_finding_for_each_layer_that_hides_something() -> None:
    (finding,) = archcalc.analyze(with_unknown()).findings
    assert finding.layer == "secret"
    assert finding.severity == "warning"
    assert finding.at_least("info")
    assert finding.at_least("warning")
    assert not finding.at_least("error")
    assert "parameters, macs, elementwise operations, receptive field" in finding.message
    assert finding.suggestion
    assert archcalc.analyze(conv_pair()).findings == ()


def test_two_unknown_layers_of_one_type_are_two_findings() -> None:
    graph = chain(
        "x",
        (4, 4, 3),
        ("one", made("Opaque", stated_shape=(4, 4, 3))),
        ("two", made("Opaque", stated_shape=(4, 4, 3))),
    )
    report = archcalc.analyze(graph)
    assert [f.layer for f in report.findings] == ["one", "two"]
    assert "'one', 'two'" in report.totals.unknown["macs"]


def test_a_finding_is_five_plain_values() -> None:
    finding = Finding("rule", "info", None, "message", "suggestion")
    assert list(finding._asdict()) == ["rule", "severity", "layer", "message", "suggestion"]


# -- Python ------------------------------------------------------------------------------------------
def test_rows_by_name() -> None:
    report = archcalc.analyze(residual())
    assert report.layers["body/a"].parameters == 148
    assert list(report.layers) == [row.name for row in report.rows]
    with pytest.raises(KeyError, match="did you mean 'body/norm'"):
        report.layers["body/nrm"]


def test_rows_totals_and_report_are_frozen() -> None:
    report: Any = archcalc.analyze(conv_pair())
    for owner, name in (
        (report.rows[0], "macs"),
        (report, "name"),
        (report, "layers"),
        (report.totals, "macs"),
    ):
        with pytest.raises(AttributeError, match=name):
            setattr(owner, name, 1)
        with pytest.raises(AttributeError, match=name):
            delattr(owner, name)


def test_equal_networks_have_equal_reports() -> None:
    report, again, other = (archcalc.analyze(conv_pair(side)) for side in (32, 32, 33))
    assert (report, report.totals, report.rows) == (again, again.totals, again.rows)
    assert report != other
    assert report.totals != other.totals
    assert report.rows[1] != other.rows[1]


# -- figures on demand -----------------------------------------------------------------------------
def test_a_report_of_parameters_computes_no_field(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("fields were not requested")

    monkeypatch.setattr("archcalc.report.columns.windows", never)
    report = archcalc.analyze(conv_pair())
    assert (report.totals.parameters, report.layers["second"].macs) == (5_088, 3_612_672)
    with pytest.raises(AssertionError, match="not requested"):
        str(report.rows[1].receptive_field)


def test_figures_do_not_depend_on_what_was_read_before() -> None:
    graph = conv_pair(symbol("H"))
    whole = archcalc.analyze(graph).to_dict()
    for first in ("optimizer_bytes", "peak_activation_bytes", "parameters"):
        report = archcalc.analyze(graph)
        getattr(report.totals, first)
        assert report.to_dict() == whole


def test_a_report_can_be_sent_to_another_process() -> None:
    report = archcalc.analyze(residual())
    assert pickle.loads(pickle.dumps(report)) == report


def test_reprs_say_what_it_is() -> None:
    report = archcalc.analyze(conv_pair())
    assert repr(report) == "Report('conv_pair': 3 layers, 5,088 parameters, 4,001,472 MACs)"
    assert repr(report.rows[1]) == "Row('first', Conv2D, 30×30×16, 448 parameters)"
    assert "parameters=5,088" in repr(report.totals)
    assert repr(report.layers) == "<3 layers: image, first, second>"


def test_the_function_survives_the_import_of_its_module() -> None:
    import importlib

    importlib.import_module("archcalc.analyze")
    assert archcalc.analyze(conv_pair()).totals.parameters == 5088
    assert callable(archcalc.load)


def test_every_public_name_exists() -> None:
    for name in archcalc.__all__:
        if name not in ("from_keras", "to_keras"):  # those two import Keras
            assert getattr(archcalc, name) is not None
    assert set(archcalc.__all__) <= set(dir(archcalc))
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        archcalc.analyse  # noqa: B018


def test_effective_fields_are_there_and_unknown_ones_say_why() -> None:
    report = archcalc.analyze(conv_pair())
    # two 3x3 convolutions: variance 2 * (9 - 1)/12 (Luo et al. 2016)
    assert report.layers["second"].effective_receptive_field_sigma == pytest.approx((1.154701, 1.154701))
    gated = Graph.of(
        "gated",
        [
            ("image", made("InputLayer", shape=(8, 8, 3)), []),
            ("a", made("Conv2D", filters=2, kernel_size=3), ["image"]),
            ("b", made("Conv2D", filters=2, kernel_size=3), ["image"]),
            ("gate", made("Multiply"), ["a", "b"]),
        ],
        ["gate"],
    )
    plain = data(gated)
    (gate,) = [row for row in plain["layers"] if row["name"] == "gate"]
    assert gate["effective_receptive_field_sigma"] == [None, None]
    assert "effective_receptive_field_sigma" in gate["unknown"]
    assert plain["findings"] == []  # a property of the network; no layer is unknown


def test_several_inputs_have_a_field_each() -> None:
    graph = Graph.of(
        "two",
        [
            ("left", made("InputLayer", shape=(8, 8, 3)), []),
            ("right", made("InputLayer", shape=(8, 8, 3)), []),
            ("narrow", made("Conv2D", filters=2, kernel_size=3, padding="same"), ["left"]),
            ("wide", made("Conv2D", filters=2, kernel_size=5, padding="same"), ["right"]),
            ("sum", made("Add"), ["narrow", "wide"]),
        ],
        ["sum"],
    )
    rows = {row["name"]: row for row in data(graph)["layers"]}
    assert rows["sum"]["receptive_field"]["size"] == [3, 3]
    assert {n: f["size"] for n, f in rows["sum"]["receptive_fields"].items()} == {
        "left": [3, 3],
        "right": [5, 5],
    }
    assert set(rows["sum"]["effective_receptive_field_sigmas"]) == {"left", "right"}
    assert rows["wide"]["receptive_field"] is None
    assert rows["wide"]["receptive_fields"]["right"]["size"] == [5, 5]


def test_formulas_have_values_at_the_defaults() -> None:
    source = {
        "archcalc": 1,
        "symbols": {"C_in": 32, "C_out": 128, "n": {"default": 2}},
        "inputs": {"x": [8, 8, "C_in"]},
        "blocks": {
            "b": {"layers": [{"name": "r", "type": "Dense", "units": "C_out"}, {"name": "s", "type": "ReLU"}]}
        },
        "layers": [
            {"name": "c", "type": "Conv2D", "filters": "C_out", "kernel_size": 3, "use_bias": False},
            {"name": "body", "block": "b", "repeat": "n"},
        ],
    }
    figures = archcalc.analyze(source, {"C_in": None, "C_out": None})
    assert figures.defaults == {"C_in": 32, "C_out": 128}
    assert figures.formula_values["parameters"] == archcalc.analyze(source).totals.parameters
    alone = archcalc.analyze({**source, "layers": source["layers"][:1]}, {"C_in": None, "C_out": None})
    assert "9·C_in·C_out = 36,864" in alone.to_text(100)
    assert r"\text{parameters} &= 9 C_{in} C_{out} = 36{,}864" in alone.to_latex()
    # the memory of a training step holds from four copies on, and two is the default
    copies = archcalc.analyze(source, {"n": None})
    assert copies.formula_conditions["training_bytes"] == ("n >= 4",)
    assert "training_bytes" not in copies.formula_values
    assert "for n >= 4" in copies.to_text(100)
    assert copies.formula_values["macs"] == archcalc.analyze(source).totals.macs
