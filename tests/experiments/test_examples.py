"""The experiments' networks as examples: as the experiment builds them in Keras, and no warning of lint."""

from __future__ import annotations

import pytest

import archcalc
from experiments import examples


@pytest.mark.parametrize("name", examples.networks())
def test_an_example_is_the_network_that_is_trained(name: str) -> None:
    """Shapes of weights and outputs, by Keras's own count of the built network."""
    model = examples.networks()[name]()
    report = archcalc.analyze(archcalc.load(str(examples.FOLDER / f"{name}.json")))
    assert report.totals.parameters == model.count_params()
    ours = sorted(tuple(w.shape) for row in report.rows for w in row.weights)
    assert ours == sorted(tuple(weight.shape) for weight in model.weights if "seed" not in weight.path)
    assert report.rows[-1].output_shapes[0] == tuple(model.output_shape[1:])


@pytest.mark.parametrize("name", examples.networks())
def test_lint_warns_of_nothing(name: str) -> None:
    found = archcalc.lint(str(examples.FOLDER / f"{name}.json")).findings
    assert {f"{f.rule.id} {f.message}" for f in found if f.rule.severity != "info"} == set()


def test_long_lines_are_broken_and_mean_the_same() -> None:
    import json

    line = '    {"name": "conv", ' + ", ".join(f'"key{n}": {n}' for n in range(30)) + "}"
    text = examples.wrapped(line)
    assert max(map(len, text.splitlines())) <= examples.WIDTH
    assert json.loads(text) == json.loads(line)
