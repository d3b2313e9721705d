"""Closed forms equal the analysis of the network with integers, wherever they say that they hold."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from archcalc.cli import shipped
from archcalc.design.figures import NAMES, Reader, checked
from archcalc.design.forms import Forms
from archcalc.errors import ArchcalcError
from archcalc.readers import load
from archcalc.report.options import AnalysisOptions

OPEN = {
    "conv_pair": ("H",),
    "local_pair": ("H",),
    "plain_sigmoid_n": ("n", "w"),
    "resnet_depth_n": ("n", "w"),
}


def forms(name: str, *names: str) -> Forms:
    graph = load(shipped.available()[name], symbols=dict.fromkeys(OPEN[name]))
    return Forms.of(graph, names or NAMES)


def by_integers(name: str, values: dict[str, int], names: Any = NAMES) -> dict[str, Any]:
    read = Reader(load(shipped.available()[name], symbols=values), AnalysisOptions())
    return {each: read(each) for each in names}


@pytest.mark.parametrize("name", OPEN)
def test_forms_equal_the_analysis_of_integers(name: str) -> None:
    closed, draw = forms(name), random.Random(name)
    held = 0
    for _ in range(12):
        values = {
            s.name: draw.randint(s.minimum, 9 if s.name == "n" else 60) for s in closed.symbols.values()
        }
        found = closed.at(values)
        if found is not None:
            held += 1
            assert found == by_integers(name, values, found), values
    assert held


def test_figures_of_a_layer() -> None:
    found = forms("resnet_depth_n", "receptive_field", "output_size", "receptive_field@half2/relu").at(
        {"n": 3, "w": 8}
    )
    assert found == {"receptive_field": 28 * 3 - 3, "output_size": 8, "receptive_field@half2/relu": 4 * 3 + 9}


def test_where_a_form_holds() -> None:
    closed = forms("conv_pair", "parameters", "output_size")
    assert closed.at({"H": 4}) is None
    assert closed.at({"H": 5}) is not None
    assert closed.holds({"H": np.array([3, 4, 5, 6])}).tolist() == [False, False, True, True]
    # memory of a training step needs copies between the first and the last ones; parameters do not
    assert forms("plain_sigmoid_n", "training_bytes").at({"n": 2, "w": 8}) is None
    assert forms("plain_sigmoid_n", "parameters").at({"n": 1, "w": 8}) is not None


def test_faults() -> None:
    graph = load(shipped.available()["conv_pair"])
    for name, message in {
        "parameter": "no figure is named 'parameter'; did you mean 'parameters'",
        "macs@first": "macs is a figure of the whole network; leave out @first",
        "output_size@frist": "no layer is named 'frist'; did you mean",
    }.items():
        with pytest.raises(ArchcalcError, match=message):
            checked(name, graph)
    assert checked("receptive-field", graph) == "receptive_field"
    with pytest.raises(ArchcalcError, match="H needs a value"):
        forms("conv_pair", "macs").at({})
