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


def first_page(app: Any, problem: Exception | None) -> None:
    """What a browser that opens the folder sees."""
    if problem is None and app.builder.format == "html":
        page = f'<!doctype html><meta http-equiv="refresh" content="0; url={INDEX}.html">\n'
        (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Any) -> None:
    app.connect("source-read", menu)
    app.connect("html-page-context", direction)
    app.connect("build-finished", first_page)
