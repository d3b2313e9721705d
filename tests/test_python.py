"""Python as people type it: every function takes any source, results print, figures calculate."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archcalc
from archcalc.arith import largest
from archcalc.arith.symbolic import symbol
from archcalc.errors import ArchcalcError, ExpressionError, SourceError
from archcalc.report.verification import Verification, compare

SPEC: dict[str, Any] = {
    "archcalc": 1,
    "name": "net",
    "inputs": {"image": [8, 8, 3]},
    "layers": [
        {"name": "conv", "type": "Conv2D", "filters": 4, "kernel_size": 3},
        {"name": "out", "type": "Dense", "units": 2},
    ],
}
PARAMETERS = 3 * 3 * 3 * 4 + 4 + 4 * 2 + 2
TAKES: dict[str, Callable[[Any], Any]] = {
    "analyze": archcalc.analyze,
    "compare_conventions": archcalc.compare_conventions,
    "to_keras": archcalc.to_keras,
    "to_spec": archcalc.to_spec,
    "keras_code": archcalc.keras_code,
    "convert": archcalc.convert,
    "verify": lambda source: archcalc.verify(source, sample=1),
}


# -- any source ---------------------------------------------------------------------------------
def as_source(kind: str, folder: Path) -> Any:
    graph = archcalc.load(SPEC)
    match kind:
        case "graph":
            return graph
        case "model":
            return archcalc.to_keras(graph)
        case "mapping":
            return SPEC
        case "keras_mapping":
            return json.loads(archcalc.to_keras(graph).to_json())
    path = folder / "net.json"
    path.write_text(json.dumps(SPEC), encoding="utf-8")
    return path if kind == "path" else os.fspath(path)


@pytest.mark.parametrize("kind", ["graph", "model", "mapping", "keras_mapping", "path", "text"])
@pytest.mark.parametrize("function", TAKES)
def test_every_function_takes_every_source(function: str, kind: str, tmp_path: Path) -> None:
    result = TAKES[function](as_source(kind, tmp_path))
    match function:
        case "analyze":
            assert result.totals.parameters == PARAMETERS
        case "compare_conventions":
            assert result.macs == archcalc.analyze(SPEC).totals.macs
        case "to_keras":
            assert result.count_params() == PARAMETERS
        case "to_spec":
            assert archcalc.analyze(result).totals.parameters == PARAMETERS
        case "keras_code":
            assert "def build(" in result
        case "convert":
            assert json.loads(result)["archcalc"] == 1
        case "verify":
            assert result.agrees


@pytest.mark.parametrize("suffix", ["json", "py", "keras"])
def test_convert_writes_the_file_whole_or_not_at_all(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"net.{suffix}"
    assert archcalc.convert(SPEC, target) is None
    if suffix == "py":
        namespace: dict[str, Any] = {}
        exec(target.read_text(encoding="utf-8"), namespace)
        target = namespace["build"]()
    assert archcalc.analyze(target).totals.parameters == PARAMETERS
    with pytest.raises(ArchcalcError):
        archcalc.convert({**SPEC, "layers": []}, tmp_path / f"broken.{suffix}")
    assert [p.suffix for p in tmp_path.iterdir()] == [f".{suffix}"]


def test_what_convert_refuses(tmp_path: Path) -> None:
    for arguments, reason in (
        ({"form": "keras"}, r"^a \.keras archive needs a file"),
        ({"form": "spek"}, "^form: expected one of spec, python, keras, got 'spek'$"),
        ({"output": tmp_path / "net.txt"}, "is not clear from the name"),
    ):
        with pytest.raises(ArchcalcError, match=reason):
            archcalc.convert(SPEC, **arguments)


def test_a_name_of_keras_is_a_source() -> None:
    assert archcalc.analyze("keras:MobileNetV2").totals.parameters == 3_538_984


def test_actual_weights_of_a_live_model() -> None:
    model = archcalc.to_keras(SPEC)
    report = archcalc.analyze(model, gradients=True, weights="actual")
    kernel = np.asarray(model.get_layer("out").kernel)
    bound = report.layers["conv"].gradient.upper_log10
    assert bound == pytest.approx(np.log10(np.linalg.norm(kernel, 2)), abs=1e-6)


@pytest.mark.parametrize("what", [42, None, [1, 2], object()])
def test_what_is_no_network(what: Any) -> None:
    with pytest.raises(ArchcalcError, match=r"^expected a Keras model, the path of a file, 'keras:NAME', "):
        archcalc.analyze(what)


def test_a_module_of_pytorch_is_named() -> None:
    module = type("Net", (), {"__module__": "torch.nn"})()
    with pytest.raises(ArchcalcError, match="got a PyTorch module"):
        archcalc.load(module)


def test_json_text_is_to_be_decoded() -> None:
    with pytest.raises(SourceError) as raised:
        archcalc.load(json.dumps(SPEC))
    assert str(raised.value) == (
        "the given text: is JSON, and no path; decode it first: archcalc.load(json.loads(text))"
    )


def test_a_model_that_was_never_built_gets_pythons_remedy() -> None:
    import keras

    model = keras.Sequential([keras.layers.Dense(3)], name="net")
    with pytest.raises(SourceError) as raised:
        archcalc.analyze(model)
    assert str(raised.value) == (
        "live model 'net': this Sequential was never built, so the shape of its input is not known; "
        "build it first: model.build((None, 32, 32, 3)), where None is the batch"
    )
    model.build((None, 5))
    assert archcalc.analyze(model).totals.parameters == model.count_params()


def test_a_mapping_without_a_name_is_a_network() -> None:
    unnamed = {key: value for key, value in SPEC.items() if key != "name"}
    assert archcalc.analyze(unnamed).name == "network"


# -- results print ------------------------------------------------------------------------------
def test_print_shows_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    report = archcalc.analyze(SPEC)
    print(report)  # noqa: T201
    shown = capsys.readouterr().out
    assert shown == report.to_text(80)
    assert max(map(len, shown.splitlines())) <= 80
    assert "conv" in shown


def test_print_keeps_to_ascii_where_nothing_else_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    checks = (compare("parameters", "größe", 1, 1),)
    for result in (
        archcalc.analyze(SPEC),
        archcalc.compare_conventions(SPEC),
        Verification("net", "net.json", checks),
    ):
        assert str(result).isascii()
        assert "net" in str(result)


# -- figures calculate --------------------------------------------------------------------------
H, W = symbol("H"), symbol("W")


@pytest.mark.parametrize(
    ("expression", "values", "number"),
    [
        (4640 * H**2 - 37120 * H + 74240, {"H": 32}, 4640 * 32**2 - 37120 * 32 + 74240),
        (H // 3 * W, {"H": 11, "W": 4}, 12),
        (largest(H, W, 5), {"H": 2, "W": 3}, 5),
        (2 * H / 3 + 1, {"H": 1}, Fraction(5, 3)),
        (H**W, {"H": 2, "W": 10}, 1024),
        (6 / H, {"H": 3}, 2),
        (+H, {"H": np.int64(3)}, 3),
    ],
)
def test_expressions_have_values(expression: Any, values: dict[str, Any], number: Any) -> None:
    assert expression.evaluate(**values) == number
    assert expression.evaluate(values) == number
    in_steps = expression
    for name, value in values.items():
        in_steps = in_steps.subs(name, value)
    assert in_steps == number or in_steps.constant == number


def test_symbols_are_replaced_by_expressions() -> None:
    assert (H * W).subs(W=H + 1) == H**2 + H
    assert str(largest(H, W, 5).subs(H=7)) == "max(7, W)"
    assert H * Fraction(1, 2) == H / 2
    assert H * Fraction(1, 1000) == H / 1e3
    assert int((3 * H / 3).subs(H=4)) == 4


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: (H * W).evaluate(H=2), ExpressionError, "2*W is not a number: W needs a value"),
        (lambda: H.subs(w=2), ExpressionError, "H has no symbol w; its symbols are H"),
        (lambda: H.subs(H="3"), ExpressionError, "H: expected an integer or an expression, got '3'"),
        (lambda: H.subs(H=True), ExpressionError, "H: expected an integer or an expression, got True"),
        (
            lambda: int(H + 1),
            TypeError,
            "H + 1 is not a number before its symbols have values: evaluate(H=...)",
        ),
        (lambda: int(H / 3 + Fraction(1, 3) - H / 3), TypeError, "1/3 is not an integer"),
    ],
)
def test_what_is_no_value(wrong: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        wrong()
    assert str(raised.value) == message


def test_sympy_understands_figures() -> None:
    sympy = pytest.importorskip("sympy")
    h = sympy.Symbol("H", integer=True, positive=True)
    figure = archcalc.analyze("examples/conv_then_local.json").layers["local"].parameters
    assert sympy.expand(sympy.sympify(figure) - (4640 * h**2 - 37120 * h + 74240)) == 0
    assert sympy.diff(figure, h) == 9280 * h - 37120
    assert (h * figure).subs(h, 32) == 32 * figure.evaluate(H=32)
