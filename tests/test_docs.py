"""Documentation that cannot rot unnoticed: examples run, links lead somewhere, quotations are verbatim."""

from __future__ import annotations

import doctest
import re
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
def test_examples_give_what_they_show(page: Path) -> None:
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
        assert quoted.strip("\n") in textwrap.dedent(code), f"{name(page)} no longer quotes {source}"
