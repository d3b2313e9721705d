"""A report of arrays: each element of each figure is what the analysis of that configuration gives."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.graph.quantities import SUMMED, TOTALS

WIDTHS, DEPTHS = np.arange(5, 9), np.array([2, 3, 7])


def element(figure: Any, at: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The figure of one configuration; containers element by element."""
    if isinstance(figure, np.ndarray):
        return np.broadcast_to(np.asarray(figure), shape)[at]
    if isinstance(figure, tuple):
        return tuple(element(f, at, shape) for f in figure)
    return figure


def assert_same(source: str, values: Mapping[str, Any], also: Mapping[str, int]) -> None:
    report = archcalc.analyze(archcalc.load(source), symbols={**values, **also})
    shape = np.broadcast_shapes(*(v.shape for v in values.values()))
    for at in product(*map(range, shape)):
        point = {name: int(element(v, at, shape)) for name, v in values.items()}
        try:
            one = archcalc.analyze(archcalc.load(source), symbols={**point, **also})
        except archcalc.ArchcalcError:
            assert not element(np.asarray(report.valid), at, shape), point
            continue
        assert element(np.asarray(report.valid), at, shape)
        for name in TOTALS:
            figure = getattr(report.totals, name)
            assert not isinstance(figure, Unknown)
            assert element(figure, at, shape) == getattr(one.totals, name), (name, point)
        for row in report.rows:
            other = one.layers.get(row.name)
            if other is None:  # a repeated block
                continue
            for name in (*SUMMED, "output_shape"):
                assert element(getattr(row, name), at, shape) == getattr(other, name), (row.name, name, point)
            for root, field in row.receptive_fields.items():
                fields = other.receptive_fields[root]
                for part in ("size", "min_size", "offset", "stride"):
                    if field is not None:
                        found = element(getattr(field, part), at, shape)
                        assert found == getattr(fields, part), (row.name, part, point)


def test_widths() -> None:
    assert_same("examples/resnet_depth_n.json", {"w": WIDTHS}, {"n": 3})


def test_depths_beside_widths() -> None:
    values = {"w": WIDTHS[:2].reshape(1, -1), "n": DEPTHS.reshape(-1, 1)}
    assert_same("examples/resnet_depth_n.json", values, {})


def test_sizes_of_the_image() -> None:
    assert_same("examples/unet.json", {"H": np.array([188, 189, 190, 204])}, {"w": 4})


def test_a_block_of_a_small_network() -> None:
    assert_same("examples/conv_then_local.json", {"H": np.arange(1, 12)}, {})


@pytest.mark.parametrize("argument", ["kernel_size", "dilation_rate"])
def test_a_spread_is_unknown_also_where_only_windows_are_arrays(argument: str) -> None:
    conv: dict[str, Any] = {"name": "c", "type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}
    layers = [{**conv, argument: "n"}]
    spec = {"archcalc": 1, "symbols": {"n": None}, "inputs": {"x": [8, 8, 3]}, "layers": layers}
    row = archcalc.analyze(spec, symbols={"n": np.array([1, 2, 3])}).layers["c"]
    assert row.receptive_field is not None
    assert row.effective_field is not None
    assert row.receptive_field.size[0].tolist() == ([1, 2, 3] if argument == "kernel_size" else [3, 5, 7])
    assert all(isinstance(entry, Unknown) for entry in row.effective_field.sigma)


def test_an_exact_quotient_is_masked() -> None:
    spec = {
        "archcalc": 1,
        "symbols": {"w": None},
        "inputs": {"x": [8, 8, 3]},
        "layers": [{"name": "c", "type": "Conv2D", "filters": "w/2", "kernel_size": 3}],
    }
    report = archcalc.analyze(spec, symbols={"w": np.arange(1, 7)})
    assert report.valid.tolist() == [False, True, False, True, False, True]
    assert report.totals.parameters.tolist()[1::2] == [28, 56, 84]


def test_beyond_int64() -> None:
    values = [3, 10**9, 3 * 10**9]
    network = archcalc.load("examples/plain_sigmoid_n.json", symbols={"n": 3, "w": None})
    formula = archcalc.analyze(network).totals.parameters
    report = archcalc.analyze(network, symbols={"w": np.array(values)})
    assert report.totals.parameters.tolist() == [formula.evaluate(w=w) for w in values]
    assert report.totals.parameters[2] > 2**64


def test_what_arrays_do_not_do() -> None:
    source = archcalc.load("examples/resnet_depth_n.json", symbols={"w": None})
    with pytest.raises(archcalc.ArchcalcError, match="n is open: with arrays of w every other symbol"):
        archcalc.analyze(source, symbols={"w": WIDTHS})
    report = archcalc.analyze(source, symbols={"w": WIDTHS, "n": 2})
    assert str(report) == f"Report('resnet_depth_n': {len(report.rows)} layers, figures of 4 configurations)"
    for show in (report.to_text, report.to_markdown, report.to_csv, report.to_latex):
        with pytest.raises(archcalc.ArchcalcError, match="make no table"):
            show()
    assert report.to_dict()["totals"]["parameters"] == report.totals.parameters.tolist()
