"""Compares shapes, weights and parameters with the real model, and with its printed summary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from archcalc.keras.build import reason
from archcalc.report.rows import Row
from archcalc.report.verification import Check, cannot_run, compare
from archcalc.verification import summaries
from archcalc.verification.case import Case
from archcalc.verification.summaries import printed_summary

LOCALLY_CONNECTED = ("LocallyConnected1D", "LocallyConnected2D")


def checks(case: Case) -> Iterator[Check]:
    """The checks of shapes, weights, parameters and the printed summary."""
    yield from _shapes(case)
    yield from _weights(case)
    yield from summaries.checks(case)


def _shapes(case: Case) -> Iterator[Check]:
    for row, tensors in zip(case.report.rows, case.built.tensors, strict=True):
        real = [tuple(tensor.shape[1:]) for tensor in tensors]
        predicted = list(row.output_shapes)
        real = [
            # Keras leaves axes open that it could infer
            tuple(m if n is None else n for n, m in zip(b, a, strict=True)) if len(a) == len(b) else b
            for a, b in zip_longest(predicted, real, fillvalue=())
        ][: len(real)]
        if len(predicted) == len(real) == 1:
            yield compare("output shape", row.name, predicted[0], real[0])
        else:
            yield compare("output shape", row.name, predicted, real)


def _weights(case: Case) -> Iterator[Check]:
    for i, row in enumerate(case.report.rows):
        layer = case.built.layers[i]
        if row.shared_with is not None or layer is None:
            continue
        tensors = getattr(layer, "weights", [])
        real = [_in_words(_path(w), tuple(w.shape), bool(w.trainable)) for w in tensors]
        named = len(tensors) == len(row.weights)
        predicted = [
            _in_words(_path(t) if named and _unnamed(t) else w.name, w.shape, w.trainable)
            for w, t in zip_longest(row.weights, tensors)
            if w is not None
        ]
        yield compare("weights", row.name, predicted, real)
        count = layer.count_params() if hasattr(layer, "count_params") else 0
        yield compare("parameters", row.name, row.parameters, count)
        if row.type in LOCALLY_CONNECTED:
            yield from _against_tf_keras(case, i, row)
    model = case.built.whole
    yield compare("parameters", None, case.report.totals.parameters, model.count_params())
    as_built = case.report.totals.as_built
    if as_built:
        yield compare("parameters, as built", None, as_built["parameters"], case.built.model.count_params())


def _path(weight: Any) -> str:
    return str(weight.path.split("/", 1)[1] if "/" in weight.path else weight.name)


def _unnamed(weight: Any) -> bool:
    """Whether the layer's author left the name to Keras, which then numbers it (`variable_3`)."""
    return re.fullmatch(r"variable(_\d+)?", weight.name) is not None


def _in_words(name: str, shape: tuple[Any, ...], trainable: bool | None) -> str:
    sizes = "×".join(map(str, shape))
    return f"{name} {sizes}{'' if trainable else ' (not trained)'}".replace(" ×", " ")


def _against_tf_keras(case: Case, node: int, row: Row) -> Iterator[Check]:
    """Keras 3 has no such layer, so the layer of `tf_keras` is the reference."""
    try:
        import tf_keras
    except ImportError:
        yield cannot_run("tf_keras", row.name, "tf_keras is not installed: pip install tf_keras")
        return
    declared = case.graph.nodes[node]
    left_out = ("activity_regularizer", *declared.layer.state_fields)
    arguments = {k: v for k, v in declared.layer.keras_arguments().items() if k not in left_out}
    source = declared.inputs[0]
    shape = case.report.rows[source.node].output_shapes[source.output]
    try:
        layer = getattr(tf_keras.layers, row.type)(**arguments)
        model = tf_keras.Sequential([tf_keras.layers.InputLayer(shape), layer])
    except Exception as fault:
        yield cannot_run("tf_keras", row.name, f"tf_keras refuses it: {reason(fault)}")
        return
    layer.trainable = declared.layer.trainable
    trained = {id(w) for w in layer.trainable_weights}
    real = [
        _in_words(w.name.split("/")[-1].removesuffix(":0"), tuple(w.shape), id(w) in trained)
        for w in layer.weights
    ]
    yield compare("tf_keras, output shape", row.name, row.output_shape, tuple(model.output_shape[1:]))
    yield compare(
        "tf_keras, weights", row.name, [_in_words(w.name, w.shape, w.trainable) for w in row.weights], real
    )
    yield compare("tf_keras, parameters", row.name, row.parameters, layer.count_params())
    printed = printed_summary(model)
    yield compare("tf_keras, summary", row.name, row.parameters, printed.layers.get(layer.name))
