"""Plots of gradients: what is drawn, and the error where nothing can be drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError
from archcalc.render.plots import gradient_plot
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
