"""The comparison of conventions: its sums, its words, its formats."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from rich.cells import cell_len

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.cli import main
from archcalc.conventions import NAMES
from tests.networks import chain, made, residual, tower, with_unknown

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def resnet() -> archcalc.Comparison:
    return archcalc.compare_conventions(archcalc.load("keras:ResNet50"))


def test_terms_add_up_to_what_analyze_says(resnet: archcalc.Comparison) -> None:
    assert [row.name for row in resnet.rows] == list(NAMES)
    graph = archcalc.load("keras:ResNet50")
    for row in resnet.rows:
        assert sum(row.terms.values()) == row.flops
        assert archcalc.analyze(graph, convention=row.name).totals.flops == row.flops


def test_words_follow_the_terms(resnet: archcalc.Comparison) -> None:
    words = {row.name: row.words for row in resnet.rows}
    assert "multiply-adds once (3,857,973,248)" in words["fvcore"]
    assert "21,174,272 for normalisation (2 a unit of BatchNorm2d)" in words["fvcore"]
    assert "4 a unit of BatchNorm2d" in words["thop"]
    assert "ReLU 2 a unit, Softmax 1 a unit" in words["ptflops"]
    assert "10,588,136 for bias (1 a unit of Conv2d, Linear)" in words["torchinfo"]
    assert "multiply-adds twice" in words["torch"]
    assert "without bias, AdaptiveAvgPool2d, BatchNorm2d" in words["torch"]
    assert "everything else counts separately" in words["archcalc"]


def test_other_networks_get_other_words() -> None:
    """The words follow from the figures: nothing is said about what a network does not have."""
    (fvcore,) = (
        row
        for row in archcalc.compare_conventions(
            chain("x", (6, 6, 2), ("conv", made("Conv2D", filters=3, kernel_size=3, use_bias=False)))
        ).rows
        if row.name == "fvcore"
    )
    assert fvcore.words == "multiply-adds once (864)"


@pytest.mark.parametrize(
    ("source", "moved", "macs"),
    [("resnet50", 4_089_184_256, 3_857_973_248), ("resnet50_v15", 3_857_973_248, 4_089_184_256)],
)
def test_the_strides_position_explains_3_8_against_4_1(source: str, moved: int, macs: int) -> None:
    compared = archcalc.compare_conventions(archcalc.load(EXAMPLES / f"{source}.json"))
    assert compared.macs == macs
    assert any(f"{moved:,} multiply-adds instead of {macs:,}" in note for note in compared.notes)


def test_no_stride_no_note() -> None:
    assert not any("architecture" in note for note in archcalc.compare_conventions(residual()).notes)


def test_an_unknown_row_makes_its_convention_unknown() -> None:
    for row in archcalc.compare_conventions(with_unknown()).rows:
        assert isinstance(row.flops, Unknown)
        assert row.to_dict()["flops"] is None
        assert "depends on" in row.words


def test_symbols_stay_or_get_values() -> None:
    assert "n" in str(archcalc.compare_conventions(tower()).rows[0].flops)
    assert isinstance(archcalc.compare_conventions(tower(), {"n": 3}).rows[0].flops, int)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_text_fits_its_width(resnet: archcalc.Comparison, width: int) -> None:
    assert all(cell_len(line) <= width for line in resnet.to_text(width).splitlines())
    assert resnet.to_text(width, ascii=True).isascii()


def test_forms(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, resnet: archcalc.Comparison
) -> None:
    def shown(*options: str) -> str:
        assert main(["analyze", "keras:ResNet50", "--compare-conventions", *options]) == 0
        return capsys.readouterr().out

    assert json.loads(shown("--format", "json")) == json.loads(json.dumps(resnet.to_dict()))
    rows = list(csv.DictReader(shown("--format", "csv").splitlines()))
    assert {row["convention"]: int(row["flops"]) for row in rows} == {r.name: r.flops for r in resnet.rows}
    assert shown("--format", "markdown") == resnet.to_markdown()
    assert shown("--width", "90") == resnet.to_text(90)
    monkeypatch.setenv("COLUMNS", "120")
    assert f"{resnet}\n" == resnet.to_text()


def test_no_latex(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "keras:ResNet50", "--compare-conventions", "--format", "latex"]) == 2
    assert "table, json, csv, markdown" in capsys.readouterr().err


def test_the_convention_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    source = str(EXAMPLES / "resnet50.json")
    for width in ("60", "80", "120"):
        assert main(["analyze", source, "--convention", "thop", "--width", width, "--depth", "1"]) == 0
        out = capsys.readouterr().out
        assert "FLOPs (thop)" in out
        assert "as thop 0.1.1.post2209072238 counts (MACs)" in " ".join(out.split())
    assert main(["analyze", source, "--convention", "torch", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["conventions"]["flops"] == "torch"
    assert data["totals"]["flops"] == sum(row["flops"] for row in data["layers"])
