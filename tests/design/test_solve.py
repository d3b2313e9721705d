"""`solve` against looking at every configuration, and on the questions that it is made for."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

import archcalc
from archcalc.cli import main, shipped
from archcalc.design import search
from archcalc.design.schema_solve import solve as solve_schema
from archcalc.errors import ArchcalcError
from tests.design.growing import HALVING
from tests.design.problems import problem
from tests.test_examples import EFFICIENTNETS


def example(name: str) -> Any:
    return archcalc.load(shipped.available()[name])


def check(seed: int) -> str:
    asked = problem(seed)
    found, wanted = asked.solve(), asked.best()
    assert found.outside == 0
    if wanted is None:
        assert found.status == "infeasible"
        check_conflict(asked, found)
    else:
        assert found.status == "solved"
        assert (found.objective, tuple(found.values[n] for n in asked.unknowns)) == wanted
        row = asked.table[tuple(found.values[n] for n in asked.unknowns)]
        assert found.figures == {name: row[name] for name in found.figures}
    return str(found.status)


def check_conflict(asked: Any, found: Any) -> None:
    """The budgets named exclude each other, no fewer do, and each is as near as it can come."""
    named = [n.budget for n in found.conflict]
    rows = asked.table.values()
    assert named
    assert not any(all(b.met(row[b.figure]) for b in named) for row in rows)
    for nearest in found.conflict:
        others = [b for b in named if b != nearest.budget]
        values = [row[nearest.budget.figure] for row in rows if all(b.met(row[b.figure]) for b in others)]
        assert values
        assert nearest.value == (min if nearest.budget.kind == "at_most" else max)(values)


@pytest.mark.parametrize("seed", range(12))
def test_answers_are_those_of_every_configuration(seed: int) -> None:
    check(seed)


@pytest.mark.parametrize("seed", range(12, 16))
def test_answers_from_arrays_are_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MANY", 0)
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("boxes", [0, search.MANY])
def test_three_hundred_problems(boxes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MANY", boxes)
    found = [check(seed) for seed in range(300)]
    assert found.count("solved") > 150
    assert found.count("infeasible") > 30


def test_the_widest_resnet50_below_ten_million_parameters() -> None:
    found = archcalc.solve(example("resnet50"), "w", at_most={"parameters": 10e6})
    count = {w: archcalc.analyze(example("resnet50"), {"w": w}).totals.parameters for w in (38, 39)}
    assert (found["w"], found.figures["parameters"]) == (38, count[38])
    assert count[38] <= 10_000_000 < count[39]
    (beyond,) = [n for n in found.neighbours if n.better]
    assert (beyond.values, beyond.figures["parameters"]) == ({"w": 39}, count[39])
    assert beyond.broken == found.binding == found.budgets
    assert (
        archcalc.solve(example("resnet50"), "w", at_most={"parameters": 10e6}, multiples={"w": 8})["w"] == 32
    )


BASE, *PUBLISHED = EFFICIENTNETS


def test_compound_scaling() -> None:
    """EfficientNet: the published triple with the largest image for twice the multiply-adds of B0."""
    family = example("efficientnet_family")
    macs = {
        t: archcalc.analyze(family, dict(zip("wdH", t, strict=True))).totals.macs for t in [BASE, *PUBLISHED]
    }
    budget = 2 * macs[10, 10, 224]
    found = archcalc.solve(family, {"w,d,H": PUBLISHED}, maximize="H", at_most={"macs": budget})
    wanted = max((t for t in PUBLISHED if macs[t] <= budget), key=lambda t: t[2])
    assert tuple(found.values.values()) == wanted == (10, 11, 240)
    # one number drives width, depth and image
    driven = archcalc.solve(
        family,
        {"phi": range(7)},
        at_most={"macs": budget},
        let={"w": "10 + phi", "d": "10 + phi", "H": "224 + 16*phi"},
    )
    by_hand = [
        archcalc.analyze(family, {"w": 10 + p, "d": 10 + p, "H": 224 + 16 * p}).totals.macs for p in range(7)
    ]
    assert driven["phi"] == max(p for p, n in enumerate(by_hand) if n <= budget)
    assert driven.symbols == {"w": 10 + driven["phi"], "d": 10 + driven["phi"], "H": 224 + 16 * driven["phi"]}


@pytest.mark.slow
def test_every_admissible_triple() -> None:
    family = example("efficientnet_family")
    budget = 2 * archcalc.analyze(family).totals.macs
    sizes = {"w": [10, 11, 12, 14], "d": [10, 11, 12, 14, 18], "H": range(224, 321, 16)}
    found = archcalc.solve(family, sizes, maximize="H", at_most={"macs": budget})
    every = [
        (h, -w, -d)
        for w in sizes["w"]
        for d in sizes["d"]
        for h in sizes["H"]
        if archcalc.analyze(family, {"w": w, "d": d, "H": h}).totals.macs <= budget
    ]
    assert (found["H"], -found["w"], -found["d"]) == max(every)


def test_an_unknown_that_cannot_be_left_open_is_sampled() -> None:
    found = archcalc.solve(HALVING, {"n": "1:4", "w": "4:32:4"}, maximize="w", at_most={"parameters": 15e3})
    table = {
        (n, w): archcalc.analyze(HALVING, {"n": n, "w": w}).totals.parameters
        for n in range(1, 5)
        for w in range(4, 33, 4)
    }
    widest = max(w for (_, w), count in table.items() if count <= 15e3)
    assert found["w"] == widest
    assert found["n"] == min(n for (n, w), count in table.items() if w == widest and count <= 15e3)


def test_a_depth_that_changes_widths() -> None:
    family = example("densenet_family")
    found = archcalc.solve(family, {"d5": "1:20", "k": [8, 32]}, maximize="d5", at_most={"parameters": 7e6})
    fits = [
        (d, -k)
        for d in range(1, 21)
        for k in (8, 32)
        if archcalc.analyze(family, {"d5": d, "k": k}).totals.parameters <= 7e6
    ]
    assert (found["d5"], -found["k"]) == max(fits)


def test_configurations_outside_the_conditions() -> None:
    found = archcalc.solve(example("unet"), {"H": "188:230"}, at_most={"peak_activation_bytes": "25MiB"})
    sizes = {}
    for side in range(188, 231):
        try:
            sizes[side] = archcalc.analyze(example("unet"), {"H": side}).totals.peak_activation_bytes
        except ArchcalcError:
            continue
    assert found["H"] == max(h for h, n in sizes.items() if n <= 25 * 2**20)
    assert found.outside == 0
    many = archcalc.solve(example("unet"), "H", at_most={"peak_activation_bytes": "25MiB"})
    assert (many["H"], many.outside, many.assumptions) == (found["H"], None, ("H % 16 == 12",))


def test_the_time_is_over() -> None:
    found = archcalc.solve(example("resnet50"), "w", at_most={"parameters": 1e7}, time_limit=1e-9)
    assert (found.status, found.proved, found.values) == ("unproved", False, {})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"unknowns": "w"}, "w has no upper bound, and no budget limits it while the largest w is sought"),
        ({"unknowns": "q"}, "no symbol is named 'q'"),
        ({"unknowns": "w,w"}, "list the values that they take together"),
        ({"unknowns": {"w": "8:4"}}, "w: there is no value to choose from"),
        ({"unknowns": {"w": "8:16:0"}}, "w: a step of 0"),
        ({"unknowns": {"w": "wide"}}, "w=wide: expected 8:512:8, or 8,16,32"),
        ({"unknowns": {"d2": "1:4"}}, "d2: declared as at least 2; got 1:4"),
        ({"unknowns": {"w": [1.5]}}, "w: 'float' object cannot be interpreted as an integer"),
        ({"unknowns": "w", "maximize": "macs", "minimize": "w"}, "either maximize or minimize"),
        ({"unknowns": ["w", "d2"]}, "say what to maximize or minimize: w, d2, or a figure"),
        ({"unknowns": "w", "maximize": "mac"}, "no figure is named 'mac'; did you mean 'macs'"),
        ({"unknowns": "w", "at_most": {"parameters": "x"}}, "parameters at most: expected a number"),
        (
            {"unknowns": "w", "at_most": {"parameters": float("inf")}},
            "parameters at most: expected a number below",
        ),
        ({"unknowns": "w", "let": {"w": "2*w"}}, "w is an unknown; it cannot follow"),
        ({"unknowns": "w", "multiples": {"d2": 8}}, "d2 is no unknown; multiples are for unknowns"),
        ({"unknowns": "w", "symbols": {"w": 8}}, "w is solved for, so it has no value of its own"),
        ({"unknowns": "w", "symbols": {"H": None}, "at_most": {"macs": 1e9}}, "H has no value; give it one"),
        ({"unknowns": "w", "batch": 8, "at_most": {"macs": 1e9}}, "batch changes no figure of this question"),
        ({"unknowns": "w", "clipped": True}, "clipped: not an option here"),
        ({"unknowns": {}}, "what is to be solved for"),
    ],
)
def test_faults(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchcalcError, match=message):
        archcalc.solve(example("resnet50"), **asked)


def test_unknown_layers_are_no_figures() -> None:
    spec = {
        "archcalc": 1,
        "symbols": {"w": 3},
        "inputs": {"x": ["w", 4]},
        "layers": [{"name": "a", "type": "Opaque", "output_shape": [3]}],
    }
    with pytest.raises(ArchcalcError, match="macs is unknown: "):
        archcalc.solve(spec, {"w": "1:3"}, at_most={"macs": 10})


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    source = str(shipped.available()["resnet50"])
    budgets = {"10e6": 0, "1000": 1, "many": 2}
    for budget, code in budgets.items():
        assert main(["solve", source, "--for", "w", "--parameters-at-most", budget, "--ascii"]) == code
    assert main(["solve", source, "--for", "w", "--parameters-at-most", "1e7", "--time-limit", "1e-9"]) == 4
    out, err = capsys.readouterr()
    assert "the largest w is 38" in out
    assert "parameters 10,041,862, 41,862 over the budget" in out
    assert "parameters at most 1,000: the least is 40,946 with w = 1" in out
    assert err.splitlines() == [
        "archcalc: parameters at most: expected a number, as in 5e6, or 5000000; got 'many'"
    ]


@pytest.mark.parametrize("limit", ["10e6", "1000"])
def test_the_json_fits_its_schema(limit: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = solve_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for time_limit in (60, 1e-9):
        found = archcalc.solve(example("resnet50"), "w", at_most={"parameters": limit}, time_limit=time_limit)
        jsonschema.validate(json.loads(json.dumps(found.to_dict())), schema)


def test_notebooks_and_rich_show_the_answer() -> None:
    found = archcalc.solve(example("resnet50"), "w", at_most={"parameters": 1e7})
    assert str(found).splitlines()[0].strip() == "resnet50: the largest w is 38"
    console = Console(width=60, file=io.StringIO())
    console.print(found)
    assert "the largest w is 38" in console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, found.to_text(60).splitlines())) <= 60
