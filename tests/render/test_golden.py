"""What users see, character by character: refreshed by `pytest --refresh-golden`, reviewed as a diff."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import archcalc
from archcalc.render.terminal import terminal_text

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"

CASES = [
    ("vgg16", 80, None),
    ("vgg16", 120, None),
    ("resnet50", 80, 1),
    ("resnet50", 120, 2),
    ("unet", 120, None),
    ("inception_resnet_a", 80, None),
    ("conv_then_local", 80, None),
    ("resnet_depth_n", 80, None),
    ("resnet_depth_n", 120, None),
    ("plain_sigmoid_n", 120, None),
]


def loaded(example: str) -> archcalc.Graph:
    """The example as a user in the checkout reads it, whatever directory the tests run in."""
    graph = archcalc.load(ROOT / "examples" / f"{example}.json")
    return dataclasses.replace(graph, source=f"examples/{example}.json")


@pytest.mark.parametrize(("example", "width", "depth"), CASES)
def test_tables(example: str, width: int, depth: int | None, request: pytest.FixtureRequest) -> None:
    text = terminal_text(archcalc.analyze(loaded(example)), width=width, depth=depth)
    expect(text, f"{example}-{width}{'' if depth is None else f'-depth{depth}'}.txt", request)


@pytest.mark.parametrize(
    ("form", "suffix"),
    [("to_markdown", "md"), ("to_csv", "csv"), ("to_latex", "tex"), ("_repr_html_", "html")],
)
def test_formats(form: str, suffix: str, request: pytest.FixtureRequest) -> None:
    report = archcalc.analyze(loaded("inception_resnet_a"))
    expect(getattr(report, form)(), f"inception_resnet_a.{suffix}", request)


def expect(text: str, name: str, request: pytest.FixtureRequest) -> None:
    """Compare with the golden file, or write it."""
    path = GOLDEN / name
    if request.config.getoption("--refresh-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    tables = {f"{e}-{w}{'' if d is None else f'-depth{d}'}.txt" for e, w, d in CASES}
    formats = {f"inception_resnet_a.{s}" for s in ("md", "csv", "tex", "html")}
    assert {path.name for path in GOLDEN.iterdir()} == tables | formats
