"""Every block of code in README and docs/ is what happens: commands, outputs, files, settings, Python.

tests/shown.py says how blocks are written. Doctests are run in tests/test_docs.py, the generated page of
lint's rules in tests/review/test_rules.py.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from archcalc.readers import load
from archcalc.readers.schema import schema
from tests.shown import BLOCK, PAGES, ROOT, Block, Shown, blocks, complaint, matches, prepare, shown, terminal

GENERATED = {"lint-rules.md"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# programs of `sh` blocks that are not run here, and what must exist for them to run
OTHERS = re.compile(
    r"(\.venv/bin/)?(make (?P<target>[\w-]+)"
    r"|(?:python3? -m )?pip install (?P<install>.*)"
    r"|python3? -m (?P<module>[\w.]+)( .*)?"
    r"|eval .*|tensorboard .*|dask (scheduler|worker).*)"
)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def ours(page: Path, *, heavy: bool) -> list[Shown]:
    """The commands of archcalc on a page; with the heavy ones those that copy their files."""
    steps = [s._replace(command=s.command.removeprefix(".venv/bin/")) for s in shown(page)]
    # neither what writes the shell's files nor what needs a cluster
    steps = [s for s in steps if s.command.startswith("archcalc ") and not re.search(" > |tcp://", s.command)]
    if not heavy:
        return [s for s in steps if not s.heavy]
    copies = [s for s in steps if s.command.startswith("archcalc examples copy ")]
    chosen = [s for s in steps if s.heavy]
    return [*copies, *chosen] if chosen else []


def with_commands(*, heavy: bool) -> list[Path]:
    return [page for page in PAGES if ours(page, heavy=heavy)]


def check(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *, heavy: bool) -> None:
    prepare(folder, page)
    terminal(monkeypatch, folder)
    complaints = [c for step in ours(page, heavy=heavy) if (c := complaint(step))]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("page", with_commands(heavy=False), ids=name)
def test_commands_do_what_is_shown(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(page, tmp_path, monkeypatch, heavy=False)


@pytest.mark.keras
@pytest.mark.parametrize("page", with_commands(heavy=True), ids=name)
def test_commands_with_keras_do_what_is_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(page, tmp_path, monkeypatch, heavy=True)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_fit_a_page(page: Path) -> None:
    text = "".join(block.text for block in blocks(page) if block.language == "console")
    assert not [line for line in text.splitlines() if line.startswith("$ ") and len(line) > 120]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_other_commands_exist(page: Path) -> None:
    """What is not run here: targets of the Makefile, modules (whose names test_docs.py checks), extras."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = set(PROJECT["optional-dependencies"])
    for step in shown(page):
        command = step.command.removeprefix(".venv/bin/")
        if command.startswith("archcalc "):
            continue
        other = OTHERS.fullmatch(command)
        assert other, f"{name(page)} shows a command that nothing checks: {command}"
        if other["target"]:
            assert re.search(rf"^{other['target']}:", makefile, re.MULTILINE), command
        named = re.findall(r"\[([\w,]+)\]", other["install"] or "")
        assert {extra for group in named for extra in group.split(",")} <= extras, command


# -- files, specs and settings ---------------------------------------------------------------------
def in_blocks(*languages: str) -> list[Any]:
    found = []
    for page in PAGES:
        if page.name not in GENERATED:
            chosen = [b for b in blocks(page) if b.language in languages]
            found += [pytest.param(b, id=f"{name(page)}-{i}") for i, b in enumerate(chosen, 1)]
    return found


@cache
def specs() -> Any:
    """What judges a spec, as an editor would."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


@pytest.mark.parametrize("block", in_blocks("json"))
def test_json_is_a_spec_or_a_part_of_one(block: Block) -> None:
    if block.is_file:  # its page's commands read it
        json.loads(block.text)
        return
    text = block.text.strip()
    data = json.loads(text if text.startswith("{") else f"{{{text}}}")
    if "archcalc" in data:
        load(data)
        return
    whole = specs()
    if "type" in data:
        part = {"layers": [data]}
    elif data.keys() <= whole.schema["properties"].keys():
        part = data
    else:  # rules for classes
        assert all("type" in rule or "layers" in rule for rule in data.values()), data
        return
    filled = {"archcalc": 1, "inputs": {"x": [8, 8, 3]}, "layers": [{"name": "a", "type": "ReLU"}]} | part
    whole.validate(filled)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_reader_is_told_which_file_a_block_is(page: Path) -> None:
    """The comment above the block, which names the file for these tests, is not shown to readers."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        if block.is_file:
            before = BLOCK.sub("", text.partition(f"<!-- {block.about} -->")[0])
            paragraph = before.rstrip().rpartition("\n\n")[2]
            assert f"`{block.about}`" in paragraph, f"{name(page)} does not say to save {block.about}"


@pytest.mark.parametrize("block", in_blocks("toml"))
def test_settings_are_settings(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tomllib.loads(block.text)
    if "tool" in data:
        (tmp_path / "settings.toml").write_text(block.text, encoding="utf-8")
        (tmp_path / "net.json").write_bytes((ROOT / "examples" / "conv_pair.json").read_bytes())
        terminal(monkeypatch, tmp_path)
        step = Shown("archcalc lint net.json --set H=32 --config settings.toml", 0, "")
        assert "exit code 2" not in (complaint(step) or "")


@pytest.mark.parametrize("block", in_blocks("yaml"))
def test_workflows_use_what_there_is(block: Block) -> None:
    """Inputs that the action has, and a hook that is declared."""
    import yaml

    data = yaml.safe_load(block.text)
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    text = json.dumps(data)
    assert "archcalc" in text
    for step in steps_of(data):
        if "/archcalc@" in str(step.get("uses", "")):
            assert set(step["with"]) <= set(action["inputs"])
    for repository in data.get("repos", ()) if isinstance(data, dict) else ():
        assert {hook["id"] for hook in repository["hooks"]} <= {hook["id"] for hook in hooks}


def steps_of(data: Any) -> list[dict[str, Any]]:
    """The steps of a workflow, or of a part of one."""
    if isinstance(data, list):
        return data
    return [step for job in data.get("jobs", {}).values() for step in job["steps"]]


def test_every_language_is_checked() -> None:
    """A block of another language would be shown without a test."""
    checked = {"console", "sh", "json", "toml", "yaml", "python", "csv", "text", "{eval-rst}", ""}
    found = {block.language for page in PAGES for block in blocks(page)}
    assert found <= checked


# -- Python ----------------------------------------------------------------------------------------
def programs() -> list[Any]:
    """Python that is neither a doctest nor a quotation nor a layer of another package: page, code, output."""
    found = []
    for page in PAGES:
        for block, following in pairwise([*blocks(page), Block("", "", "")]):
            if block.language == "python" and ">>>" not in block.text and not block.about:
                output = following.text if following.language == "text" else ""
                found.append(
                    pytest.param(block.text, output, id=f"{name(page)}: {block.text.splitlines()[0]}")
                )
    return found


@pytest.mark.keras
@pytest.mark.parametrize(("code", "output"), programs())
def test_programs_print_what_is_shown(
    code: str,
    output: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import keras

    keras.backend.clear_session()  # layers are numbered from the start, as in a program of its own
    keras.utils.set_random_seed(1)  # which random operations need once another test asked for determinism
    terminal(monkeypatch, tmp_path)
    exec(compile(code, "page", "exec"), {"__name__": "page"})
    printed = capsys.readouterr().out
    assert matches(output, printed) if output else True, printed


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a\n...\nc", "a\nb\nc", True),
        ("...\nc", "a\nb\nc", True),
        ("a\n...", "a\nb", True),
        ("a\n...\nc", "a\nc", True),
        ("a\n...\nc", "a\nb\nd", False),
        ("...\nb", "a\nb\nc", False),
        ("a", "a\nb", False),
    ],
)
def test_dots_match_any_lines(expected: str, actual: str, same: bool) -> None:
    assert matches(expected, actual) == same
