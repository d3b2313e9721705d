"""Every hostile case, through the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archcalc import analyze, load
from tests.hostile.cases import PAINTING, Case, call, cases, dumped, functional, input_layer, spec
from tests.hostile.running import ROOT, check, run_apart, run_here

CASES = cases()
GENTLE = [case for case in CASES if not case.harsh]
# a separate process each: every kind by default, the same bytes by another way in the long suite
HARSH = [
    pytest.param(case, marks=[pytest.mark.slow] if case.stdin or "Keras 2" in case.name else [], id=case.name)
    for case in CASES
    if case.harsh
]


def test_names_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 150


@pytest.mark.parametrize("case", GENTLE, ids=lambda case: case.name)
def test_is_refused(case: Case, tmp_path: Path) -> None:
    source = case.make(tmp_path)
    before = sorted(tmp_path.iterdir())
    check(case, source, run_here(["analyze", source], case.stdin))
    out = tmp_path / "out.json"
    check(case, source, run_here(["convert", source, "-o", str(out)], case.stdin))
    assert sorted(tmp_path.iterdir()) == before  # nothing half-written


@pytest.mark.parametrize("case", HARSH)
def test_is_refused_within_limits(case: Case, tmp_path: Path) -> None:
    """The limits are 1 GiB of address space and five seconds of CPU, for the whole process."""
    source = case.make(tmp_path)
    check(case, source, run_apart(["analyze", source, "--format", "json"], case.stdin))


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text("{}")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    check(Case("unreadable", str, "ermission"), str(path), run_here(["analyze", str(path)]))


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    for target in (tmp_path, tmp_path / "none" / "out.json", Path("/proc/none"), Path("/dev/full")):
        for command in ("analyze", "convert"):
            ran = run_here([command, "examples/conv_pair.json", "-o", str(target)])
            assert ran.code == 2, (command, target, ran)
            assert len(ran.err.splitlines()) == 1
            assert str(target) in ran.err


DATA = ROOT / "archcalc" / "data"
LISTED = (
    str(ROOT / "examples"),
    str(DATA),
)  # archcalc's examples and the names in keras.applications, for hints


def test_nothing_that_a_file_names_is_opened_imported_or_run() -> None:
    """An audit hook sees every open, import, compilation, socket and process of the interpreter."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.watch"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    runs, events = json.loads(done.stdout)
    assert runs == 2 * 3 * len(GENTLE)
    opened = 0
    for name, event, what in events:
        if event in ("pathlib.Path.glob", "os.scandir", "os.listdir") and any(f in what for f in LISTED):
            continue
        if (event, what) == ("open", f"({str(DATA / 'applications.json.xz')!r},)"):
            continue
        source = name.rpartition(": ")[2]
        # of a file that is not there, the folder, for a hint
        beside = f"({str(Path(source).parent)!a},)"
        if not Path(source).exists() and event in ("os.scandir", "os.listdir") and what == beside:
            continue
        # the source itself, by its name and then by its descriptor
        assert event == "open", (name, event, what)
        assert what == f"({source!a},)" or re.fullmatch(r"\(\d+,\)", what), (name, event, what)
        opened += 1
    assert opened > len(GENTLE)


MARKUP = ["[red]x[/red]", "<script>alert(1)</script>", "\\input{/etc/passwd}", "{0.__class__}", "=1+1", "a|b"]
FORMATS = ["table", "json", "csv", "markdown", "latex"]


@pytest.mark.parametrize("name", MARKUP)
def test_markup_in_names_is_text(name: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    named = {"class_name": "ReLU", "module": "keras.layers"}
    layer = call("ReLU", name, "x", legacy=False, module=named["module"])
    path.write_bytes(functional([input_layer(), layer], name))
    ran = run_here(["analyze", str(path), "--width", "200"])
    assert ran.code == 0
    assert name in ran.out
    page = analyze(load(str(path)))._repr_html_()
    assert "<script>" not in page
    latex = run_here(["analyze", str(path), "--format", "latex"]).out
    assert "\\input{" not in latex
    assert json.loads(run_here(["analyze", str(path), "--format", "json"]).out)["layers"][1]["name"] == name


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("painting", [k for k in PAINTING if k != "a lone surrogate"])
def test_names_that_paint_never_reach_a_terminal(painting: str, form: str, tmp_path: Path) -> None:
    """Configurations may hold such names; specs are refused."""
    name = PAINTING[painting]
    path = tmp_path / "net.json"
    path.write_bytes(
        functional([input_layer(), call("ReLU", name, "x", legacy=False, module="keras.layers")], name)
    )
    ran = run_here(["analyze", str(path), "--format", form, "--color", "never"])
    assert ran.code == 0
    assert all(line.isprintable() for line in ran.out.splitlines())


def test_a_spec_says_what_it_found_in_a_valid_network(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(b"\xef\xbb\xbf" + spec({"name": "a", "type": "ReLU"}))
    assert run_here(["analyze", str(path)]).code == 0  # a byte order mark does no harm
    path.write_bytes(dumped({"archcalc": 1}))
    assert run_here(["analyze", str(path)]).code == 2
