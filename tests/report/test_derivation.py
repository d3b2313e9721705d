"""Derivations: the arithmetic that is shown, worked out by Python, gives the figures of the report."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest

from archcalc.analyze import analyze
from archcalc.cli import main, shipped
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.layers.registry import registered
from archcalc.report.derivation import Derivation, Step
from archcalc.report.traced import Traced, written
from tests.contract.grid import candidates, cells, types
from tests.contract.table import ROWS
from tests.networks import conv_pair, made


def worked_out(step: Step) -> Any:
    """The value of the arithmetic in `numbers`, which holds digits and operators only."""
    if not step.numbers or not set(step.numbers) <= set("0123456789 +-×*/%()max,"):
        return step.value
    return eval(step.numbers.replace("×", "*"), {"__builtins__": {}, "max": max})


def require_true(derivation: Derivation, row: Any) -> None:
    for steps in derivation.figures.values():
        for step in steps:
            assert worked_out(step) == step.value, step
    figures = derivation.figures
    assert tuple(s.value for s in figures.get("output_shape", ())) == tuple(row.output_shape)
    if "parameters" in figures:
        assert figures["parameters"][-1].value == row.parameters
    if "macs" in figures:
        assert [s.value for s in figures["macs"]][-2:] == [row.macs, row.flops]
    for steps, size in zip([figures.get("receptive_field", ())], [row.receptive_field], strict=True):
        if steps and len(row.receptive_fields) == 1:
            assert [s.value for s in steps] == list(size.size)


@pytest.mark.parametrize("name", sorted(shipped.available()))
def test_examples(name: str) -> None:
    report = analyze(str(shipped.available()[name]))
    for row in report.rows:
        require_true(row.derivation(), row)


@pytest.mark.parametrize("kind", [t for t in types() if t in ROWS])
def test_every_layer_type(kind: str) -> None:
    """Over some cells of the contract test's grid; the figures are those of the plain rules."""
    cls = registered()[kind]
    values = {name: v for name in cls._defaults if (v := candidates(cls, name)) is not None}
    shown = 0
    for cell in islice(cells(cls, values), 12):
        inputs = [(f"x{i}", made("InputLayer", shape=shape), []) for i, shape in enumerate(cell.inputs)]
        try:
            layer = ("layer", made(kind, **cell.arguments), [n for n, _, _ in inputs])
            report = analyze(Graph.of("net", [*inputs, layer], ["layer"]))
        except (ArchcalcError, TypeError, ValueError):
            continue  # not a network of its own: a cell that Keras refuses too, one of a cell's states
        require_true(report.layers["layer"].derivation(), report.layers["layer"])
        shown += 1
    assert shown or kind in NOT_ALONE


# the grid has no arguments of these; others have none without an integer input or an inner layer
NOT_ALONE = {"EinsumDense", "Opaque", "Parameter", "PruneLowMagnitude"}


def test_a_convolution_step_by_step() -> None:
    steps = analyze(conv_pair()).layers["second"].derivation().figures
    kernel, bias, total = steps["parameters"]
    assert kernel.formula == "kernel_size × kernel_size × channels × filters"
    assert (kernel.numbers, kernel.value) == ("3 × 3 × 16 × 32", 4608)
    assert (bias.formula, bias.value, total.numbers) == ("filters", 32, "4608 + 32")
    assert steps["receptive_field"][0].numbers == "3 + (3 - 1) × 1 × 1"
    assert steps["macs"][0].numbers == "3 × 3 × 16 × 28 × 28 × 32"


def test_other_forms(capsys: pytest.CaptureFixture[str]) -> None:
    report = analyze(conv_pair())
    first = report.layers["first"].derivation()
    assert "3 × 3 × 3 × 16 = 432" in str(first)
    assert "| parameters | kernel | " in first.to_markdown()
    assert first._repr_html_().startswith("<div>")
    path = str(shipped.available()["conv_pair"])
    assert main(["explain", path, "--layer", "second", "--format", "json"]) == 0
    (layer,) = json.loads(capsys.readouterr().out)["layers"]
    assert layer["figures"]["parameters"][-1]["value"] == 4640
    assert main(["explain", path, "--layer", "secnd"]) == 2
    assert "did you mean 'second'" in capsys.readouterr().err


def test_traced_sizes_are_integers() -> None:
    k, c = Traced(3, "k"), Traced(16, "c")
    value = (c - k) // 2 + 1
    assert value == (16 - 3) // 2 + 1
    assert written(value, names=True) == "(c - k) // 2 + 1"
    assert written(k * (c + 1) * 1, names=False) == "3 × (16 + 1)"
    assert written(k * (c // 5), names=False) == "3 × (16 // 5)"
    assert written(20 - (c - k), names=False) == "20 - (16 - 3)"
    assert hash(k) == hash(3)


def test_open_symbols_are_shown_as_what_they_are() -> None:
    """The arithmetic is that of two points, with the expressions in place of their numbers."""
    report = analyze(str(shipped.available()["conv_then_local"]))
    figures = report.layers["local"].derivation().figures
    height, *_ = figures["output_shape"]
    assert height.numbers == "((H-2) - (3 - 1 + 1)) // 1 + 1"
    kernel, bias, _ = figures["parameters"]
    assert kernel.numbers == "(H-4) × (H-4) × 3 × 3 × 16 × 32"
    assert bias.formula == "output height × output width × filters"
    for step in (height, kernel, bias, figures["macs"][0]):
        arithmetic = step.numbers.replace("×", "*")
        for h in (9, 32, 101):
            assert eval(arithmetic, {"H": h}) == step.value.evaluate(H=h)
