"""Mutants are judged only if the unmutated code passes, and only by checks that run their function."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import mutate
from tests.mutations import loops, oracles, reach, work
from tests.mutations.general import every
from tests.mutations.mutants import ROOT, Mutant

DENSE: Any = ("Dense", {"units": 3}, ((5,),), 15)
MUTANT = next(iter(every("archcalc/layers/core.py")))


def oracle(products: list[Any]) -> dict[str, Any]:
    """A record with only these products."""
    return {"loops": None, "work": products, **{comparison: [] for comparison in oracles.ENTRIES}}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fork and no mistake: every mutant is the unchanged code."""
    monkeypatch.setattr(mutate, "in_child", lambda check, _=None: check())
    monkeypatch.setattr(work, "_by_hand", lambda: iter(()))
    monkeypatch.setattr(loops, "differences", lambda: iter(()))
    monkeypatch.setattr(oracles, "_load", lambda: None)


def test_nothing_is_judged_where_a_road_fails_without_any_mistake() -> None:
    assert list(mutate.judged([MUTANT], oracle([DENSE]), suite=False)) == [mutate.Verdict("", "")]
    with pytest.raises(mutate.UnsoundError, match=r"work: multiply-adds of Dense .* 15 for 16"):
        list(mutate.judged([MUTANT], oracle([(*DENSE[:3], 16)]), suite=False))


def test_nothing_is_judged_where_the_suite_fails_without_any_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = {"tests/a.py::one": {reach.function_of(MUTANT)}}
    monkeypatch.setattr(mutate, "heard_of", lambda *_: ("", reached))
    assert list(mutate.judged([MUTANT], oracle([]), suite=True)) == [mutate.Verdict("", "")]
    monkeypatch.setattr(mutate, "heard_of", lambda *_: ("tests/a.py::one", reached))
    with pytest.raises(mutate.UnsoundError, match="one fails"):
        list(mutate.judged([MUTANT], oracle([]), suite=True))


def test_the_command_says_so_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "oracle"
    file.write_bytes(pickle.dumps(oracle([(*DENSE[:3], 16)])))
    monkeypatch.setattr(mutate, "preload", lambda: None)
    monkeypatch.setattr(sys, "argv", ["mutate", "--general", "2", "--oracle", str(file)])
    assert mutate.main() == 2
    assert capsys.readouterr().out.startswith("nothing is judged: without any mistake, work: ")


# -- what runs a function -----------------------------------------------------------------------
def test_checks_reach_the_functions_that_they_call() -> None:
    from archcalc.layers.core import Dense
    from archcalc.layers.registry import registered

    layer = registered()["Dense"](units=3)
    code = Dense.output_shape.__code__
    here = (str(Path(code.co_filename).relative_to(ROOT)), code.co_firstlineno)
    assert here in reach.functions_run(lambda: layer.output_shape((5,)))
    assert here not in reach.functions_run(lambda: layer.weights((5,)))


def test_the_function_of_a_mutant_contains_it() -> None:
    file = "archcalc/layers/core.py"
    lines = (ROOT / file).read_text().splitlines()
    for mutant in every(file):
        position = reach.function_of(mutant)
        if position is not None:
            assert "def " in lines[position[1] - 1] or lines[position[1] - 1].lstrip().startswith("@")
            assert position[1] <= int(mutant.name.split(":")[1])
    window = "archcalc/layers/window.py"
    assert {reach.function_of(m) for m in every(window) if "Taps(axis)" in m.old} == {None}  # cached


def test_a_planted_mistake_has_a_function_too() -> None:
    mutant = Mutant("x", "archcalc/analyses/fields/index_sets.py", "position += 1", "position += 2")
    file, line = reach.function_of(mutant) or ("", 0)
    assert (ROOT / file).read_text().splitlines()[line - 1].startswith("def contains")
