"""Totals of a network with unknown layers: what is known counts as "at least", and the others are named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.graph import Graph
from tests.hostile.running import run_here
from tests.networks import chain, conv_pair, made, with_unknown


def test_the_known_part_is_that_of_the_other_layers() -> None:
    totals = archcalc.analyze(with_unknown()).totals
    conv, last = 3 * 3 * 3 * 4 + 4, 4 * 2 + 2
    assert isinstance(totals.parameters, AtLeast)
    data = totals.to_dict()
    assert (data["parameters"], data["parameters_at_least"]) == (None, conv + last)
    assert data["macs_at_least"] == 6 * 6 * (3 * 3 * 3 * 4) + 6 * 6 * 4 * 2
    assert data["unknown_layers"] == list(totals.unknown_layers) == ["secret"]


def test_a_layer_after_an_unknown_size_counts_what_it_knows() -> None:
    channels = Unknown("the file leaves it open")
    graph = chain(
        "open",
        (8, 8, 3),
        ("secret", made("Opaque", stated_shape=(8, 8, channels), stated_weights=())),
        ("conv", made("Conv2D", filters=4, kernel_size=3)),
        ("frozen", made("Conv2D", filters=2, kernel_size=1, trainable=False)),
    )
    totals = archcalc.analyze(graph).totals
    assert totals.at_least["parameters_at_least"] == 4 + (4 * 2 + 2)  # conv's bias, all of the last layer
    assert totals.at_least["trainable_parameters_at_least"] == 4
    assert totals.unknown_layers == ("secret", "conv")


def test_nothing_is_added_where_all_is_known() -> None:
    totals = archcalc.analyze(conv_pair()).totals
    assert totals.at_least == {}
    assert not {"parameters_at_least", "unknown_layers"} & set(totals.to_dict())


def test_a_known_part_in_symbols() -> None:
    w = symbol("w")
    secret = ("secret", made("Opaque", stated_shape=(5,)))
    graph: Graph = chain("open", (3,), ("a", made("Dense", units=w)), secret)
    assert archcalc.analyze(graph).totals.to_dict()["parameters_at_least"] == "4*w"


def test_arithmetic_on_it_has_no_known_part() -> None:
    figure = AtLeast("why", 5, ("a",))
    for result in (figure + 1, 2 * figure, figure - figure):
        assert type(result) is Unknown
        assert result.reason == "why"


def test_a_comparison_of_conventions_states_the_known_part() -> None:
    data = archcalc.compare_conventions(with_unknown()).to_dict()
    ours = next(row for row in data["conventions"] if row["convention"] == "archcalc")
    assert (ours["flops"], ours["flops_at_least"]) == (None, 2 * 36 * (3 * 3 * 3 * 4 + 4 * 2))


def test_documents_state_it() -> None:
    report = archcalc.analyze(with_unknown())
    assert "**≥ 122**" in report.to_markdown()
    assert r"$\geq$ 122" in report.to_latex()
    assert "≥ 122" in report._repr_html_()


# -- every command and format --------------------------------------------------------------------------
def config(units: int = 2) -> dict[str, Any]:
    """40 known parameters before a class without a rule, 9 for each unit after it; 32 and 8 multiply-adds."""
    layers = [
        ("InputLayer", {"name": "x", "batch_shape": [None, 4]}),
        ("Dense", {"name": "a", "units": 8}),
        ("Mine", {"name": "mine"}),
        ("Dense", {"name": "b", "units": units}),
    ]
    entries: list[dict[str, Any]] = [{"class_name": name, "config": stated} for name, stated in layers]
    entries[2] |= {"module": "p", "registered_name": "p>Mine", "build_config": {"input_shape": [None, 8]}}
    entries[3] |= {"build_config": {"input_shape": [None, 8]}}
    return {
        "class_name": "Sequential", "keras_version": "3.15.0", "config": {"name": "m", "layers": entries}
    }  # fmt: skip


CLAIMS = [
    {"quantity": "parameters", "value": 58},
    {"quantity": "parameters", "layer": "mine", "value": 0},
    {"quantity": "macs", "value": 48},
    {"quantity": "parameters", "layer": "a", "value": 40},
]
ROW = "mine,Mine,a,8,,1,unknown,unknown,unknown,unknown,unknown"
SAID: dict[str, tuple[str, list[str]]] = {
    "table": (
        "analyze NET --width 120",
        [r"Total +>= 58 +>= 48 +>= 96 +>= 10", "at least 58, unknown in mine"],
    ),
    "markdown": (
        "analyze NET --format markdown",
        [r"\*\*≥ 58\*\* \| \*\*≥ 48", "at least 58, unknown in mine"],
    ),
    "latex": ("analyze NET --format latex", [r"\\geq\$ 58 & \$\\geq\$ 48", "Unknown: mine"]),
    "csv": ("analyze NET --format csv", [ROW]),
    "json": (
        "analyze NET --format json",
        ['"parameters": null', '"parameters_at_least": 58', r'"unknown_layers": \["mine"\]'],
    ),
    "a convention": ("analyze NET --convention thop", [">= 48", "at least 48, unknown in mine"]),
    "conventions": (
        "analyze NET --compare-conventions",
        [">= 48 multiply-adds", r"archcalc +>= 96 +depends on 'mine'", r"multiply-adds twice \(96\)"],
    ),
    "conventions, csv": (
        "analyze NET --compare-conventions --format csv", [r"archcalc,archcalc,FLOPs,2,unknown,.*,96\n"],
    ),
    "conventions, json": (
        "analyze NET --compare-conventions --format json", ['"flops": null, "flops_at_least": 96'],
    ),
    "fail-on": ("analyze NET --fail-on warning", ["unknown-layer"]),
    "audit": ("audit NET --claims CLAIMS", ["1 of 4 right", "1 right, 3 not judged"]),
    "audit, csv": ("audit NET --claims CLAIMS --format csv", ["1,parameters,,,58,,not judged"]),
    "explain": ("explain NET --layer mine", ["unstated +unknown", "multiply-adds +unknown"]),
    "convert": ("convert NET", ['"name": "mine", "type": "Opaque", "output_shape": \\[8\\]']),
    "convert to code": ("convert NET -o OUT.py", ["'mine'"]),
    "diff": ("diff NET OTHER", ["at least 58", "at least 67", "at least 48", "unknown"]),
    "diff, json": ("diff NET OTHER --format json", [r'"values": \[null, null\].*"at_least": \[58, 67\]']),
    "diff, markdown": ("diff NET OTHER --format markdown", [r"at least 58 \| at least 67 \| unknown"]),
    "lint": ("lint NET", ["unknown-layer"]),
    "lint, a budget": ("lint NET --config BUDGET", ["budget-not-checked"]),
}  # fmt: skip
FAIL = {"fail-on": 1, "lint": 1, "lint, a budget": 1, "convert to code": 2}


@pytest.mark.parametrize("name", SAID)
def test_no_command_counts_an_unknown_layer_as_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, said = SAID[name]
    files = {"NET": config(), "OTHER": config(3), "CLAIMS": {"claims": CLAIMS}}
    for file, data in files.items():
        (tmp_path / file).with_suffix(".json").write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "BUDGET.toml").write_text("[tool.archcalc.lint]\nmax-parameters = 100\n", encoding="utf-8")
    places = {**{f: f"{f}.json" for f in files}, "BUDGET": "BUDGET.toml", "OUT.py": "OUT.py"}
    arguments = [places.get(a, a) for a in command.split()]
    ran = run_here([*arguments, "--allow-unknown"])
    text = ran.out + ran.err
    assert ran.code == FAIL.get(name, 0), text
    for words in said:
        assert re.search(words, text), text
