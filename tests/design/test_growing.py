"""Closed forms over the copies of blocks that change their shape, against the networks written out."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

import pytest

import archcalc
from archcalc.design.figures import NAMES, Reader
from archcalc.design.forms import Forms
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.graph.substitution import with_values
from archcalc.report.options import AnalysisOptions
from tests.design.growing import Growing

SYMBOLS = ("H", "w", "n", "m")
# their peaks have no closed form; everything else has one
UNKNOWN = {"peak_activation_bytes", "best_peak_activation_bytes", "training_bytes"}
COUNTS = ("parameters", "macs", "elementwise_operations", "training_activation_bytes")


def opened(seed: int) -> tuple[dict[str, Any], Graph] | None:
    """A random network with all symbols open; None where its shapes follow no rule."""
    spec = Growing(seed).spec()
    try:
        return spec, archcalc.load(spec, symbols=dict.fromkeys(SYMBOLS))
    except ArchcalcError as fault:
        if "has no closed form over the copies" not in str(fault):
            raise
        return None


def written_out(spec: dict[str, Any], at: dict[str, int]) -> Reader | None:
    """The figures of the network with integers, whose copies are layers of their own."""
    try:
        return Reader(archcalc.load(spec, symbols=at), AnalysisOptions())
    except ArchcalcError:
        return None


def check(seed: int) -> bool:
    """Compare all figures at a few random points; False where the shapes follow no rule."""
    made = opened(seed)
    if made is None:
        return False
    spec, graph = made
    forms = Forms.of(graph, NAMES)
    assert set(forms.missing) <= UNKNOWN
    draw = random.Random(seed)
    for _ in range(4):
        at = {"H": draw.randint(40, 60), **{name: draw.randint(1, 4) for name in SYMBOLS[1:]}}
        found = forms.at(at)
        read = written_out(spec, at)
        if read is None or found is None:
            assert found is None, (seed, at)
            continue
        for name, value in found.items():
            assert value == read(name), (seed, at, name)
        rows_are_sums(graph, read, at, seed)
    return True


def rows_are_sums(graph: Graph, read: Reader, at: dict[str, int], seed: int) -> None:
    """The row of a block's layer has the figures of that layer in all copies together."""
    report = archcalc.analyze(graph)
    for figure in COUNTS:
        by_name: Counter[str] = Counter()
        for name, value in zip(read.of.name, getattr(read.of, figure), strict=True):
            by_name[name] += value
        for row in report.rows:
            pattern = re.escape(row.name).replace(r"\[\*\]", r"\[\d+\]")
            real = sum(v for name, v in by_name.items() if re.fullmatch(pattern, name))
            form: Any = getattr(row, figure)
            value = form if isinstance(form, int) else form.evaluate({n: at[n] for n in form.symbols})
            assert value == real, (seed, at, row.name, figure)


@pytest.mark.parametrize("seed", range(12))
def test_forms_are_those_of_the_network_written_out(seed: int) -> None:
    check(seed)


@pytest.mark.slow
def test_three_hundred_networks() -> None:
    assert sum(check(seed) for seed in range(1_000, 1_300)) > 250


def test_densenet_with_open_depths_is_that_of_keras() -> None:
    depths = dict.fromkeys(["d2", "d3", "d4", "d5"])
    total = archcalc.analyze("examples/densenet_family.json", depths).totals.parameters
    published = {(6, 12, 24, 16): 8_062_504, (6, 12, 32, 32): 14_307_880, (6, 12, 48, 32): 20_242_984}
    for values, parameters in published.items():
        assert total.evaluate(dict(zip(depths, values, strict=True))) == parameters


DOUBLED = {"layers": [{"name": "twice", "type": "Concatenate", "inputs": ["input", "input"]}]}
GROWN = {
    "layers": [
        {"name": "c", "type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"},
        {"name": "join", "type": "Concatenate", "inputs": ["input", "c"]},
    ]
}
VALID = {"layers": [{"name": "d", "type": "DepthwiseConv2D", "kernel_size": 3}]}


def net(*layers: Any, **blocks: Any) -> dict[str, Any]:
    symbols = {"n": None, "m": None}
    return {
        "archcalc": 1,
        "symbols": symbols,
        "inputs": {"x": [32, 32, 3]},
        "blocks": blocks,
        "layers": layers,
    }


def uses(block: str, name: str = "b", repeat: str = "n") -> dict[str, Any]:
    return {"name": name, "block": block, "repeat": repeat}


def test_a_geometric_sum() -> None:
    report = archcalc.analyze(net(uses("double"), {"name": "d", "type": "Dense", "units": 1}, double=DOUBLED))
    assert report.totals.parameters == report.layers["d"].parameters
    assert str(report.totals.parameters) == "3*(2**n) + 1"
    assert str(report.layers["b[*]/twice"].activation_bytes) == "24576*(2**n) - 24576"


def test_what_holds_for_every_copy_is_assumed_of_their_number() -> None:
    report = archcalc.analyze(net(uses("valid"), valid=VALID))
    assert report.assumptions == ("n <= 15",)
    assert report.to_dict()["model"]["outputs"] == ["b[*]/d"]
    assert "→ b[*]/d (-2·n+32)×(-2·n+32)×3" in report.to_text()


def test_the_numbers_of_copies_are_explained() -> None:
    report = archcalc.analyze(net(uses("grow"), uses("grow", "c", "m"), grow=GROWN))
    assert report.to_dict()["copy_numbers"] == {
        "i": {"block": "b[*]", "copies": "n"},
        "i2": {"block": "c[*]", "copies": "m"},
    }
    assert "i2 = 0, ..., m - 1 numbers the copies of c[*]" in report.to_text()
    assert "copy_numbers" not in archcalc.analyze("examples/resnet_depth_n.json", {"n": None}).to_dict()


def test_each_written_out_copy_of_an_outer_block_numbers_its_own_copies() -> None:
    outer = {"layers": [uses("grow", "inner", "n")]}
    graph = archcalc.load(net(uses("outer", "b", "m"), outer=outer, grow=GROWN))
    some = with_values(graph, {"m": 3})
    assert [repeat.index for repeat in some.repeats] == ["i", "i2", "i3"]
    whole = archcalc.analyze(graph).totals.parameters
    assert archcalc.analyze(some).totals.parameters == whole.subs(m=3)


def test_what_has_no_form_says_why() -> None:
    pool = {"name": "p", "type": "AveragePooling2D", "pool_size": 3, "strides": 1}
    report = archcalc.analyze(net(uses("pooled"), pooled={"layers": [*VALID["layers"], pool]}))
    assert "where the peak is depends on the number of copies" in report.totals.training_bytes.reason
    gate = {"name": "g", "type": "GlobalAveragePooling2D", "keepdims": True}
    product = {"name": "q", "type": "Multiply", "inputs": ["d", "g"]}
    report = archcalc.analyze(net(uses("gated"), gated={"layers": [*VALID["layers"], gate, product]}))
    (field,) = report.rows[-1].receptive_fields.values()
    assert "changes from copy to copy" in field.size[0].reason
    assert report.totals.macs.evaluate(n=3) == sum(3 * 9 * side**2 for side in (30, 28, 26))


@pytest.mark.parametrize(
    ("layers", "blocks", "reason"),
    [
        (
            [uses("down")],
            {"down": {"layers": [{"name": "p", "type": "MaxPooling2D", "pool_size": 2}]}},
            r"Axis 1 \(32, then 16\) has no closed form over the copies",
        ),
        (
            [uses("grouped")],
            {"grouped": {"layers": [{**GROWN["layers"][0], "groups": 3}, GROWN["layers"][1]]}},
            r"cannot take any size|in each copy i|divisible",
        ),
        (
            [uses("grow"), {"name": "c", "shared_with": "b", "inputs": ["x"]}],
            {"grow": GROWN},
            "shares the weights",
        ),
    ],
)
def test_what_follows_no_rule_is_refused(layers: list[Any], blocks: dict[str, Any], reason: str) -> None:
    with pytest.raises(ArchcalcError, match=reason):
        archcalc.analyze(net(*layers, **blocks))


def test_arrays_of_values_are_refused() -> None:
    import numpy as np

    graph = archcalc.load(net(uses("grow"), grow=GROWN))
    with pytest.raises(ArchcalcError, match="cannot have arrays of values: use sweep"):
        archcalc.analyze(graph, {"n": np.arange(1, 5)})
