"""Sweeps against the analysis of each configuration by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.design import rows, variants
from archcalc.design import sweep as module
from archcalc.design.figures import Reader
from archcalc.design.forms import Forms
from archcalc.design.space import span
from archcalc.report.options import AnalysisOptions
from tests.design.growing import HALVING

pytest.importorskip("pyarrow")

RESNET = "examples/resnet_depth_n.json"


def one(source: Any, point: Mapping[str, int], figures: tuple[str, ...]) -> dict[str, int] | None:
    """The figures of a configuration by the analysis of integers; None if it is no network."""
    try:
        read = Reader(archcalc.load(source, symbols=dict(point)), AnalysisOptions())
        values = {name: read(name) for name in figures}
    except archcalc.ArchcalcError:
        return None
    assert all(type(v) is int for v in values.values()), values
    return values


def rows_of(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    return [
        {name: int(v) if name != "source" else v for name, v in row.items()}
        for row in parquet.read_table(path).to_pylist()
    ]


def assert_each(source: Any, over: Mapping[str, str], tmp_path: Path, **more: Any) -> archcalc.Sweep:
    figures = more.pop("figures", ("parameters", "macs", "receptive_field"))
    file = tmp_path / "out.parquet"
    result = archcalc.sweep(source, over, figures=figures, output=str(file), **more)
    expected, invalid = [], 0
    for values in product(*map(span, over.values())):
        point = dict(zip(over, values, strict=True))
        found = one(source, {**point, **more.get("symbols", {})}, figures)
        invalid += found is None
        expected += [] if found is None else [{**point, **found}]
    key = list(over)
    assert sorted(rows_of(file), key=lambda r: [r[k] for k in key]) == sorted(
        expected, key=lambda r: [r[k] for k in key]
    )
    assert (result.selected, result.invalid, result.unmatched) == (len(expected), invalid, 0)
    for name in figures:
        column = [row[name] for row in expected]
        assert result.figures[name] == (min(column), max(column))
    return result


def test_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BOX", 5)
    assert_each(RESNET, {"n": "2:4", "w": "3:15:4"}, tmp_path)


def test_a_block_that_is_left_out(tmp_path: Path) -> None:
    source = "examples/efficientnet_family.json"
    result = assert_each(source, {"d": "9:11", "w": "3"}, tmp_path, symbols={"H": 64})
    assert result.structural == ()


def test_a_symbol_that_changes_the_structure(tmp_path: Path) -> None:
    result = assert_each(HALVING, {"w": "4,6", "n": "1:3"}, tmp_path)
    assert result.structural == ("n",)


def test_a_depth_that_changes_widths(tmp_path: Path) -> None:
    source = "examples/densenet_family.json"
    result = assert_each(source, {"k": "4,6", "d2": "5:6", "d4": "1:3"}, tmp_path, symbols={"H": 64})
    assert result.structural == ()


def test_memory_by_closed_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "FEW", 6)  # exceptions that stand alone, and configurations without forms
    monkeypatch.setattr(rows, "MAX_APART", 6)
    figures = ("peak_activation_bytes", "training_bytes", "training_activation_bytes")
    assert_each(RESNET, {"n": "2:9", "w": "3:15:4"}, tmp_path, figures=figures)


def test_memory_of_copies_that_differ(tmp_path: Path) -> None:
    source, figures = "examples/densenet_family.json", ("parameters", "peak_activation_bytes")
    result = assert_each(source, {"k": "4,6", "d2": "1:2"}, tmp_path, symbols={"H": 64}, figures=figures)
    assert result.structural == ("d2",)


SPEC = {
    "archcalc": 1,
    "symbols": {"H": {"min": 3}, "w": None, "g": None},
    "inputs": {"x": ["H", "H", "w"]},
    "layers": [
        {"name": "c", "type": "Conv2D", "filters": "w/2", "kernel_size": 3, "groups": "g"},
        {"name": "p", "type": "MaxPooling2D", "pool_size": 2},
        {"name": "f", "type": "Flatten"},
        {"name": "d", "type": "Dense", "units": 3},
    ],
}


def test_what_is_no_network_is_left_out(tmp_path: Path) -> None:
    figures = ("parameters", "macs", "activation_bytes")
    result = assert_each(SPEC, {"w": "1:12", "g": "1:4", "H": "3:7"}, tmp_path, figures=figures)
    assert result.invalid > 0


def test_beyond_int64(tmp_path: Path) -> None:
    network = archcalc.load(RESNET, symbols={"w": None, "n": None})
    formulas = archcalc.analyze(network).totals
    file = tmp_path / "out.parquet"
    over = {"w": [5, 2 * 10**9, 9 * 10**18], "n": [2, 10**6]}
    archcalc.sweep(network, over, figures=("parameters", "macs"), output=str(file))
    rows = rows_of(file)
    assert [(row["w"], row["n"]) for row in rows] == list(product(*over.values()))
    for row in rows:
        point = {"w": row["w"], "n": row["n"]}
        assert row["parameters"] == formulas.parameters.evaluate(point)
        assert row["macs"] == formulas.macs.evaluate(point)
    assert rows[-1]["macs"] > 10**38  # wider than any decimal, and written as text


def test_forms_and_rules_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over = {"w": "3:40", "n": "2:9"}
    archcalc.sweep(RESNET, over, output=str(tmp_path / "forms.parquet"))
    by_rules = Forms.of

    def without_forms(graph: Any, names: Any, options: Any) -> Any:
        forms = by_rules(graph, names, options)
        return type(forms)(forms.symbols, {}, dict.fromkeys(names, "on trial"), forms.conditions)

    monkeypatch.setattr(Forms, "of", without_forms)
    archcalc.sweep(RESNET, over, output=str(tmp_path / "rules.parquet"))
    assert rows_of(tmp_path / "forms.parquet") == rows_of(tmp_path / "rules.parquet")


def test_where_and_front() -> None:
    over, condition = (
        {"w": "3:60", "n": "2:9"},
        "parameters < 1e6 and 100 <= receptive_field < 250 and w != 20",
    )
    objectives = {"minimize": ["macs"], "maximize": ["receptive_field", "w"]}
    result = archcalc.sweep(RESNET, over, where=condition, **objectives)
    network = archcalc.load(RESNET, symbols={"w": None, "n": None})
    read = Reader(network, AnalysisOptions())
    forms = {name: read(name) for name in ("parameters", "macs", "receptive_field")}
    points = [{"w": w, "n": n} for w, n in product(range(3, 61), range(2, 10))]
    points = [
        {**p, **{name: f.subs(**{k: v for k, v in p.items() if k in f.symbols}) for name, f in forms.items()}}
        for p in points
    ]
    selected = [
        p for p in points if p["parameters"] < 10**6 and 100 <= p["receptive_field"] < 250 and p["w"] != 20
    ]
    assert (result.selected, result.unmatched) == (len(selected), len(points) - len(selected))

    def better(a: Mapping[str, int], b: Mapping[str, int]) -> bool:
        pairs = [(-a["macs"], -b["macs"]), (a["receptive_field"], b["receptive_field"]), (a["w"], b["w"])]
        return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)

    front = [p for p in selected if not any(better(q, p) for q in selected)]
    found = [{k: v for k, v in row.items() if k != "ties"} for row in result.front]
    assert sorted(found, key=str) == sorted(front, key=str)


def test_several_networks_and_dependent_symbols(tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    for file, units in ((a, "w"), (b, "f")):
        layer = {"name": "d", "type": "Dense", "units": units}
        spec = {"archcalc": 1, "symbols": {units: None}, "inputs": {"x": [4]}, "layers": [layer]}
        file.write_text(json.dumps(spec))
    file = tmp_path / "out.parquet"
    result = archcalc.sweep(
        [str(a), str(b)], {"w": "1:5"}, let={"f": "(w + 1)/2"}, figures=["parameters"], output=str(file)
    )
    # (w + 1)/2 has to be an integer, in both
    assert rows_of(file) == [
        {
            "source": name,
            "w": w,
            "f": (w + 1) // 2,
            "parameters": 5 * (w if name == "a.json" else (w + 1) // 2),
        }
        for name in ("a.json", "b.json")
        for w in (1, 3, 5)
    ]
    assert result.invalid == 4


@pytest.mark.parametrize("suffix", ["csv", "arrow"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"out.{suffix}"
    archcalc.sweep(RESNET, {"w": "3:5", "n": "2:3"}, output=str(file))
    archcalc.sweep(RESNET, {"w": "3:5", "n": "2:3"}, output=str(tmp_path / "out.parquet"))
    if suffix == "csv":
        import csv

        with file.open() as stream:
            rows = [{k: int(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    else:
        from pyarrow import ipc

        rows = ipc.open_file(file).read_all().to_pylist()
    assert rows == rows_of(tmp_path / "out.parquet")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("over", "more", "fault"),
    [
        ({}, {}, "nothing to sweep over"),
        (
            {"w": "1:1000000", "n": "2:1000001"},
            {},
            "1,000,000,000,000 configurations .* nothing was computed",
        ),
        ({"v": "1:3"}, {}, "no symbol is named 'v'"),
        ({"n": "1:3"}, {}, "n=1: declared as at least 2"),
        ({"w": "1:3"}, {}, "n has no value: --over n="),
        ({"w": "3:1", "n": "2"}, {}, "w: .* write 1:3"),
        ({"w": "1:3", "n": "2"}, {"let": {"w": "3"}}, "w has values .* and an expression"),
        ({"w": "1:3"}, {"let": {"n": "w +"}}, "n: expected a number"),
        ({"w": "1:3", "n": "2"}, {"where": "parameters <"}, "where: expected a number"),
        ({"w": "1:3", "n": "2"}, {"figures": ["parametres"]}, "did you mean 'parameters'"),
        ({"w": "1:3", "n": "2"}, {"minimize": ["macs"], "maximize": ["macs"]}, "leave one out"),
        ({"w": "1:3", "n": "2"}, {"output": "out.txt"}, "ends in .parquet, .csv"),
        ({"w": "1:3", "n": "2"}, {"resume": True}, "no file to continue"),
        ({"w": "1:3", "n": "2"}, {"engine": "spark"}, "expected one of local, dask"),
        ({"w": "1:3", "n": "2"}, {"scheduler": "tcp://x:1"}, "only for the engine dask"),
        ({"w": "1:3", "n": "2"}, {"engine": "dask"}, "--scheduler tcp://HOST:PORT"),
    ],
)
def test_faults(over: dict[str, str], more: dict[str, Any], fault: str) -> None:
    with pytest.raises(archcalc.ArchcalcError, match=fault):
        archcalc.sweep(RESNET, over, **more)


def test_where_a_closed_form_does_not_hold(tmp_path: Path) -> None:
    """At H = 188 some phase of an upsampling has no unit; memory depends on which sizes are equal."""
    figures = ("parameters", "receptive_field@up2/pair/conv1", "training_bytes", "best_peak_activation_bytes")
    assert_each("examples/unet.json", {"H": "188:220:8", "w": "3"}, tmp_path, figures=figures)
