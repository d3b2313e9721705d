"""Plots by depth: what is drawn, and the error where nothing can be drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError
from archcalc.render.plots import PLOTS, field_plot, gradient_plot, memory_plot
from tests.analyses.mean_field.stacks import plain

pytest.importorskip("matplotlib")


def test_the_picture_names_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "gradients.svg"
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        report = analyze(plain("tanh", "glorot_uniform", 3, 8), gradients=True)
        gradient_plot(report, str(path), {"h0": 0.1})
    text = path.read_text(encoding="utf-8")
    for word in ("upper bound", "expected at initialisation", "90 % of initialisations", "measured", "h1"):
        assert word in text


def test_without_gradients_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ArchcalcError, match="--gradients"):
        gradient_plot(analyze(plain("tanh", "glorot_uniform", 3, 8)), str(tmp_path / "x.png"))


@pytest.mark.parametrize(
    ("name", "error"), [("x.txt", "ends in .png"), ("no/where.png", "cannot be written")]
)
def test_a_path_that_cannot_be_written(name: str, error: str, tmp_path: Path) -> None:
    report = analyze(plain("tanh", "glorot_uniform", 2, 8), gradients=True)
    with pytest.raises(ArchcalcError, match=error):
        gradient_plot(report, str(tmp_path / name))
    assert not any(tmp_path.iterdir())


def drawn(path: Path, plot: str, source: str) -> str:
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        PLOTS[plot](analyze(source), str(path))
    return path.read_text(encoding="utf-8")


def test_fields_have_the_inputs_size_marked(tmp_path: Path) -> None:
    text = drawn(tmp_path / "field.svg", "field", "keras:EfficientNetB0")
    for word in ("receptive field", "along the local path", "input_layer: 224"):
        assert word in text


def test_memory_has_its_peak_marked(tmp_path: Path) -> None:
    text = drawn(tmp_path / "memory.svg", "memory", "keras:ResNet50")
    assert "peak: 7.46 MiB at conv2_block1_0_conv" in text


def test_symbols_cannot_be_drawn(tmp_path: Path) -> None:
    inputs = {"inputs": {"x": ["H", "H", 3]}, "symbols": {"H": None}}
    spec = {"archcalc": 1, **inputs, "layers": [{"name": "a", "type": "ReLU"}]}
    with pytest.raises(ArchcalcError, match="--set"):
        memory_plot(analyze(spec), str(tmp_path / "x.png"))
    vector = {"archcalc": 1, "inputs": {"x": [3]}, "layers": [{"name": "a", "type": "ReLU"}]}
    with pytest.raises(ArchcalcError, match="no layer has a field"):
        field_plot(analyze(vector), str(tmp_path / "x.png"))


def test_curves_differ_without_colour(tmp_path: Path) -> None:
    """Dashes, dots and hatching, as SVG writes them."""
    report = analyze(plain("tanh", "glorot_uniform", 3, 8), gradients=True)
    gradient_plot(report, str(tmp_path / "g.svg"))
    text = (tmp_path / "g.svg").read_text(encoding="utf-8")
    assert "stroke-dasharray" in text
    assert "<pattern" in text
