"""Results in a notebook that is executed, converted as Jupyter shows it, and looked at in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbconvert = pytest.importorskip("nbconvert")
pytest.importorskip("ipykernel")

ROOT = Path(__file__).parents[3]
CELLS = [
    "import archcalc, json",
    f"graph = archcalc.load({str(ROOT / 'examples' / 'inception_resnet_a.json')!r})\ngraph",
    "report = archcalc.analyze(graph)\nreport",
    "report.layers['short_3x3'].derivation()",
    "from archcalc.report.verification import Check, Verification\n"
    "Verification('net', '', (Check('MACs', '<i>conv</i>', 5, 6, 'differs', 'why'),))",
    "archcalc.solve('examples/resnet50.json', 'w', at_most={'parameters': 10_000_000})",
    "archcalc.sweep('examples/resnet50.json', {'w': range(8, 65, 8)}, minimize=['macs'])",
]


@pytest.fixture(scope="module")
def executed() -> Any:
    from nbconvert.preprocessors import ExecutePreprocessor

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    ExecutePreprocessor(timeout=120, kernel_name="python3").preprocess(
        notebook, {"metadata": {"path": str(ROOT)}}
    )
    return notebook


def test_each_result_is_a_table(executed: Any) -> None:
    for cell, words in zip(
        executed.cells[1:],
        (
            *("11 layers; outputs: relu", "77,248", "kernel_size × kernel_size", "1 of 1 figures differ"),
            *("the largest w is 38", "8 configurations, 8 selected"),
        ),
        strict=True,
    ):
        (output,) = cell.outputs
        assert words in output.data["text/html"]
        assert "<table>" in output.data["text/html"]
        assert "<i>conv" not in json.dumps(output.data["text/html"])


def test_nothing_is_cut_off_in_a_browser(executed: Any, tmp_path: Path) -> None:
    from tests.render.page.test_browser import CHROMIUM, playwright

    html, _ = nbconvert.HTMLExporter(template_name="basic").from_notebook_node(executed)
    path = tmp_path / "notebook.html"
    path.write_text(f'<meta charset="utf-8">{html}', encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        page.goto(path.as_uri())
        assert page.locator("table").count() == 6
        assert page.evaluate("document.documentElement.scrollWidth") <= 1000
        assert page.locator("td i").count() == 0
        browser.close()
