"""The documentation agrees with the code: examples run, links, paths and names exist, quotations match."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from archcalc.errors import MissingExtraError
from scripts import reference_pages

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *DOCS]
# the changelog names what no longer exists
GUIDES = [
    *(page for page in PAGES if page.name != "CHANGELOG.md"),
    *(ROOT / "benchmarks" / "README.md", ROOT / "experiments" / "data" / "README.md"),
]
LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
TOP = "archcalc|benchmarks|docs|examples|experiments|scripts|tests"
PATH = re.compile(rf"(?<![\w/.~-])(?:{TOP})/[\w./-]*")
MODULE = re.compile(
    r"(?<![\w/.~-])(?:archcalc|benchmarks|experiments|scripts|tests)(?:\.[A-Za-z_]\w*)+(?![\w/-])"
)
SOURCE = re.compile(r"`(\w+\.py)`")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
WIDTH = 120
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


def missing(text: str) -> Iterator[str]:
    """Paths of files, modules and their members that the text names and that do not exist."""
    for path in PATH.findall(text):
        if not (ROOT / path.rstrip(".")).exists():
            yield path
    for dotted in MODULE.findall(text):
        # a file's name (`experiments.md`), or the group of entry points that bring data, not a module's
        if not dotted.endswith(".md") and dotted != "archcalc.classes" and not resolves(dotted):
            yield dotted
    for source in SOURCE.findall(FENCE.sub("", text)):
        if not any(any((ROOT / top).rglob(source)) for top in TOP.split("|")):
            yield source


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module, or a member of one."""
    parts = dotted.split(".")
    depth = len(parts)
    while not any(ROOT.joinpath(*parts[:depth]).with_suffix(suffix).exists() for suffix in ("", ".py")):
        depth -= 1
    if depth == len(parts):
        return True
    value = importlib.import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        try:
            value = getattr(value, part)
        except AttributeError:
            return False
        except MissingExtraError:  # as far as one can see without Keras
            return part in value.__all__
    return True


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_what_a_page_names_exists(page: Path) -> None:
    assert not list(missing(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "text",
    [
        "see `archcalc/layers/families.py`",
        "`tests/layers/` and tests/nowhere/test_x.py.",
        "`archcalc.layers.families` registers",
        "`archcalc.no_such_function(graph)`",
        "rules are in `module_tools.py`",
    ],
)
def test_a_name_without_an_object_is_seen(text: str) -> None:
    assert len(list(missing(text))) == 1


def pages_named_in_code() -> Iterator[tuple[str, str]]:
    """Pages of `docs/` that docstrings, messages and settings refer to, and the files that do."""
    for top in ("archcalc", "benchmarks", "experiments", "scripts", "tests", "pyproject.toml", "Makefile"):
        for path in [ROOT / top] if (ROOT / top).is_file() else sorted((ROOT / top).rglob("*.py")):
            for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
                yield page, name(path)


def test_pages_that_the_code_names_exist() -> None:
    named = list(pages_named_in_code())
    assert ("docs/limits.md", "archcalc/readers/limits.py") in named
    assert not [(page, file) for page, file in named if not (ROOT / page).exists()]


def wide_lines(text: str) -> list[str]:
    """Lines of prose beyond the width; tables and blocks of code may be wider."""
    return [
        line for line in FENCE.sub("", text).splitlines() if len(line) > WIDTH and not line.startswith("|")
    ]


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_prose_is_no_wider_than_a_window(page: Path) -> None:
    assert not wide_lines(page.read_text(encoding="utf-8"))


def test_wide_prose_is_seen() -> None:
    long = "x " * 61
    assert wide_lines(f"{long}\n| {long} |\n```\n{long}\n```\n{long}") == [long, long]


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link).resolve() for link in LINK.findall(index.read_text(encoding="utf-8"))}
    assert set(DOCS) - {index} <= listed


@pytest.mark.parametrize("page", ["layers.md", "spec-reference.md"])
def test_generated_pages_are_current(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert text == reference_pages.pages()[page], "python -m scripts.reference_pages"


def test_every_key_of_a_spec_is_described() -> None:
    """Editors show the descriptions too."""
    rows = [line for line in reference_pages.pages()["spec-reference.md"].splitlines() if line[:3] == "| `"]
    assert len(rows) > 40
    assert not [row for row in rows if row.endswith("|  |")]


def test_the_reference_has_every_public_name() -> None:
    import archcalc
    from archcalc import keras

    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\.\. auto\w+:: (\S+)$", page, re.MULTILINE))
    ours = {f"archcalc.{name}" for name in archcalc.__all__ if name != "__version__"}
    ours -= {"archcalc.from_keras", "archcalc.to_keras"}  # of archcalc.keras
    ours |= {f"archcalc.keras.{name}" for name in keras.__all__}
    assert listed >= ours


def test_a_layer_of_another_package(tmp_path: Path) -> None:
    """The layer type of another package in docs/adding-a-layer.md, installed and used."""
    page = (ROOT / "docs" / "adding-a-layer.md").read_text(encoding="utf-8")
    example = re.search(r"<!-- entry point: (\w+) -->\n```python\n(.*?)```", page, re.DOTALL)
    declared = re.search(r'entry-points\."(.*?)"\]\n(.*?)```', page, re.DOTALL)
    assert example is not None
    assert declared is not None
    (tmp_path / f"{example[1]}.py").write_text(example[2], encoding="utf-8")
    info = tmp_path / f"{example[1]}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {example[1]}\nVersion: 1.0\n")
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
