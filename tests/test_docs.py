"""Documentation that cannot rot unnoticed: examples run, links lead somewhere, quotations are verbatim."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
# <!-- from archcalc/layers/convolution.py -->, then a fenced block of lines of that file
QUOTATION = re.compile(r"<!-- from (\S+) -->\n+```\w*\n(.*?)```", re.DOTALL)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_give_what_they_show(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parser = doctest.DocTestParser()
    # the closing fence of a block is no part of the expected output
    text = page.read_text(encoding="utf-8").replace("\n```", "\n\n```")
    test = parser.get_doctest(text, {}, page.name, str(page), 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        goal = page.parent / path if path else page
        assert goal.exists(), f"{name(page)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", goal.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{name(page)} links to {target}"


def slug(heading: str) -> str:
    """The anchor that renderers give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_quotations_are_verbatim(page: Path) -> None:
    for source, quoted in QUOTATION.findall(page.read_text(encoding="utf-8")):
        code = (ROOT / source).read_text(encoding="utf-8")
        # a quoted method or entry stands without the indentation it has there
        asides = [textwrap.indent(quoted.strip("\n"), indent) for indent in ("", "    ")]
        assert any(a in code for a in asides), f"{name(page)} quotes what {source} does not hold:\n{quoted}"


def test_a_layer_of_another_package(tmp_path: Path) -> None:
    """The declaration that docs/adding-a-layer.md gives for a package of one's own, installed and used."""
    page = (ROOT / "docs" / "adding-a-layer.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- entry point: (\w+) -->\n```python\n(.*?)```", page, re.DOTALL)
    declared = re.search(r'entry-points\."(.*?)"\]\n(.*?)```', page, re.DOTALL)
    assert found is not None
    assert declared is not None
    (tmp_path / f"{found[1]}.py").write_text(found[2], encoding="utf-8")
    info = tmp_path / f"{found[1]}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {found[1]}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{declared[1]}]\n{declared[2].replace(chr(34), '')}")
    layers = [{"name": "scale", "type": "ChannelScale"}]
    (tmp_path / "net.json").write_text(
        json.dumps({"archcalc": 1, "inputs": {"x": [8, 8, 3]}, "layers": layers})
    )
    done = subprocess.run(
        [sys.executable, "-m", "archcalc", "analyze", "net.json", "--format", "json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)["layers"][-1]
    assert (row["parameters"], row["elementwise_operations"]) == (3, 8 * 8 * 3)
