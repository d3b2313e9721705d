"""Compares expected gradients with those of real Keras models."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras")

from archcalc.analyses.mean_field.expectation import expected_gradients
from archcalc.analyses.shapes import infer
from archcalc.graph import Graph
from archcalc.keras.measure_gradients import gradient_runs
from archcalc.readers import load
from archcalc.report.verification import GRADIENT
from archcalc.verification.verify import verify
from tests.analyses.mean_field.stacks import network, plain


def block(channels: int, name: str, before: str) -> list[tuple[object, ...]]:
    conv = {"filters": channels, "kernel_size": 3, "padding": "same"}
    return [
        (f"{name}/conv", "Conv2D", conv, (before,)),
        (f"{name}/norm", "BatchNormalization", {}, (f"{name}/conv",)),
        (f"{name}/relu", "ReLU", {}, (f"{name}/norm",)),
        (f"{name}/depthwise", "DepthwiseConv2D", {"kernel_size": 3, "padding": "same"}, (f"{name}/relu",)),
        (f"{name}/norm2", "BatchNormalization", {}, (f"{name}/depthwise",)),
        (f"{name}/sum", "Add", {}, (before, f"{name}/norm2")),
    ]


def small_network() -> Graph:
    """Convolutions, pooling, normalisation, a gate, concatenation, upsampling."""
    return network(
        0,
        ("stem", "Conv2D", {"filters": 32, "kernel_size": 3, "activation": "relu"}, ("input",)),
        ("pool", "MaxPooling2D", {"pool_size": 2}, ("stem",)),
        *block(32, "one", "pool"),
        ("squeeze", "GlobalAveragePooling2D", {"keepdims": True}, ("one/sum",)),
        ("gate", "Conv2D", {"filters": 32, "kernel_size": 1, "activation": "sigmoid"}, ("squeeze",)),
        ("gated", "Multiply", {}, ("one/sum", "gate")),
        ("mean", "AveragePooling2D", {"pool_size": 2}, ("gated",)),
        (
            "low",
            "Conv2D",
            {"filters": 32, "kernel_size": 3, "padding": "same", "activation": "silu"},
            ("mean",),
        ),
        ("up", "UpSampling2D", {"size": 2}, ("low",)),
        ("both", "Concatenate", {}, ("up", "gated")),
        ("mix", "Conv2D", {"filters": 32, "kernel_size": 3, "activation": "tanh"}, ("both",)),
        ("flat", "Flatten", {}, ("mix",)),
        ("out", "Dense", {"units": 10, "activation": "softmax"}, ("flat",)),
        shape=(26, 26, 8),
    )


def test_a_network_of_many_parts() -> None:
    graph = small_network()
    rows = expected_gradients(graph, infer(graph), batch=8)
    measured = np.array(list(gradient_runs(graph, 6, batch=8))).mean(axis=0)
    assert all(row.log10 is not None for row in rows)
    off = measured - np.array([row.log10 for row in rows])
    # within a factor of 1.3 everywhere except inside the gate, whose gradient is a sum over positions
    outside = [i for i, node in enumerate(graph.nodes) if node.name not in ("squeeze", "gate")]
    assert np.abs(off[outside]).max() < np.log10(1.3)
    assert np.abs(off).max() < np.log10(2)


def mobile(channels: int, rate: float) -> Graph:
    """Blocks of pointwise and depthwise convolutions with swish, gates, and branches dropped by sample."""
    rows: list[tuple[object, ...]] = [
        ("stem", "Conv2D", {"filters": channels, "kernel_size": 3, "padding": "same"}, ("input",)),
        ("stem/norm", "BatchNormalization", {}, ("stem",)),
    ]
    before = "stem/norm"
    for b in "abcd":
        wide = 4 * channels
        for name, kind, arguments in (
            ("expand", "Conv2D", {"filters": wide, "kernel_size": 1}),
            ("norm", "BatchNormalization", {}),
            ("swish", "Activation", {"activation": "silu"}),
            ("depthwise", "DepthwiseConv2D", {"kernel_size": 3, "padding": "same"}),
            ("norm2", "BatchNormalization", {}),
            ("swish2", "Activation", {"activation": "silu"}),
            ("squeeze", "GlobalAveragePooling2D", {"keepdims": True}),
            ("reduce", "Conv2D", {"filters": 8, "kernel_size": 1, "activation": "silu"}),
            ("gate", "Conv2D", {"filters": wide, "kernel_size": 1, "activation": "sigmoid"}),
        ):
            rows.append((f"{b}/{name}", kind, arguments, (before if name == "expand" else rows[-1][0],)))
        rows += [
            (f"{b}/gated", "Multiply", {}, (f"{b}/swish2", f"{b}/gate")),
            (f"{b}/project", "Conv2D", {"filters": channels, "kernel_size": 1}, (f"{b}/gated",)),
            (f"{b}/norm3", "BatchNormalization", {}, (f"{b}/project",)),
            (f"{b}/drop", "Dropout", {"rate": rate, "noise_shape": [None, 1, 1, 1]}, (f"{b}/norm3",)),
            (f"{b}/sum", "Add", {}, (before, f"{b}/drop")),
        ]
        before = f"{b}/sum"
    rows += [
        ("pool", "GlobalAveragePooling2D", {}, (before,)),
        ("out", "Dense", {"units": 100, "activation": "softmax"}, ("pool",)),
    ]
    return network(0, *rows, shape=(9, 9, 16))


@pytest.mark.parametrize("batch", [4, 32])
def test_samples_that_differ_in_a_batch(batch: int) -> None:
    """Dropped branches make samples differ, swish even more, and the batch's statistics are divided out."""
    graph = mobile(32, 0.2)
    rows = expected_gradients(graph, infer(graph), batch=batch)
    measured = np.array(list(gradient_runs(graph, 8, batch=batch)))
    inside = [[r.low <= m <= r.high for r, m in zip(rows, run, strict=True)] for run in measured]  # type: ignore[operator]
    off = measured.mean(axis=0) - np.array([row.log10 for row in rows])
    assert np.mean(inside) >= 0.85
    gates = np.array([n.name.endswith(("squeeze", "reduce", "gate")) for n in graph.nodes])
    assert np.abs(off[~gates]).max() < np.log10(1.3)
    assert np.abs(off[gates]).max() < np.log10(1.5)


def test_verify_measures_beside_the_prediction() -> None:
    result = verify(plain("tanh", "glorot_uniform", 3, 64), gradients=8)
    checks = result.by_what()[GRADIENT]
    assert [c.layer for c in checks] == ["input", "h0", "h1", "h2"]
    assert result.agrees


def test_verify_notices_a_wrong_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    from archcalc.verification import expected_gradients as checks

    wrong = plain("sigmoid", "glorot_uniform", 3, 64)
    rows = expected_gradients(wrong, infer(wrong))
    monkeypatch.setattr(checks, "expected_gradients", lambda *_, **__: rows)
    result = verify(plain("tanh", "glorot_uniform", 3, 64), gradients=4)
    assert {c.layer for c in result.differences} == {"input", "h0", "h1"}


def test_verify_measures_no_gradients_unasked() -> None:
    assert GRADIENT not in verify(plain("tanh", "glorot_uniform", 2, 8)).by_what()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "EfficientNetB0"])
def test_applications(name: str) -> None:
    graph = load(f"keras:{name}")
    rows = expected_gradients(graph, infer(graph), batch=8)
    (measured,) = gradient_runs(graph, 1, batch=8)
    inside = [r.low <= m <= r.high for r, m in zip(rows, measured, strict=True)]  # type: ignore[operator]
    assert np.mean(inside) >= 0.9
