"""The site: every page of `docs/` and the README, as `make docs` builds it.

The source folder is the repository, so that links between pages are the same on the site and in a checkout.
The sections of docs/README.md, which lists every page, are the menu.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.ext.autodoc.mock import mock

from archcalc import __version__

ROOT = Path(__file__).parents[1]
INDEX = "docs/README"
EMBEDDED = "unet"  # an example, as a page

project = "archcalc"
author = "archcalc developers"
release = version = __version__

root_doc = INDEX
include_patterns = ["docs/**.md", "*.md", "benchmarks/README.md"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
# an aside of GitHub's, and code that shows what is refused
suppress_warnings = ["misc.highlighting_failure"]

# docstrings write `code` as Markdown does
default_role = "code"
napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# the API is read without TensorFlow; not by `autodoc_mock_imports`, since names are imported on first use
_without_keras = mock(["keras", "tensorflow", "tf_keras", "h5py"])
_without_keras.__enter__()

html_theme = "furo"
html_title = f"archcalc {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False

SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
PAGE = re.compile(r"\]\((\S+?)\.md\)")


def menu(_: Any, docname: str, source: list[str]) -> None:
    """Make a hidden table of contents of each section of the index."""
    if docname != INDEX:
        return
    start, *sections = SECTION.split(source[0])
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        pages = "\n".join(PAGE.findall(text))
        start += f"## {title}\n{text}\n```{{toctree}}\n:caption: {title}\n:hidden:\n\n{pages}\n```\n\n"
    source[0] = start


def direction(_: Any, page: str, __: str, context: dict[str, Any], ___: Any) -> None:
    """Set a page in Persian from right to left."""
    if page.endswith("-fa"):
        context["body"] = f'<div dir="rtl" lang="fa">{context["body"]}</div>'


def embedded(_: Any, page: str, __: str, context: dict[str, Any], ___: Any) -> None:
    """Show a page of `archcalc report` below what it is about."""
    if page == "docs/page":
        frame = f'<iframe src="../{EMBEDDED}.html" title="A page of archcalc report" class="report"></iframe>'
        context["body"] += f"<section><h2>One to try: {EMBEDDED}</h2>{frame}</section>"


def report(app: Any, problem: Exception | None) -> None:
    """The page that is embedded, as the command writes it."""
    if problem is None and app.builder.format == "html":
        from archcalc.cli import main

        source = str(ROOT / "examples" / f"{EMBEDDED}.json")
        if main(["report", source, "-o", str(Path(app.outdir) / f"{EMBEDDED}.html")]):
            raise RuntimeError(f"archcalc report {source} failed")


def first_page(app: Any, problem: Exception | None) -> None:
    """What a browser that opens the folder sees."""
    if problem is None and app.builder.format == "html":
        page = f'<!doctype html><meta http-equiv="refresh" content="0; url={INDEX}.html">\n'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Any) -> None:
    app.connect("source-read", menu)
    app.connect("html-page-context", direction)
    app.connect("html-page-context", embedded)
    app.connect("build-finished", first_page)
    app.connect("build-finished", report)
