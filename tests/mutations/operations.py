"""Comparison of operations of `keras.ops`, read from Keras configs, with real Keras.

Shapes and dependence are Keras's; the number of products is that of nonzero slopes of a linear
function. The cases and checks are those of `tests.layers.test_operations`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Entry = dict[str, Any]
CONTRACTIONS = {"ops.matmul", "ops.einsum", "ops.dot", "ops.tensordot"}


# -- recording ---------------------------------------------------------------------------------------
def record() -> list[Entry]:
    """Keras's config, output shapes and dependence of each case."""
    from tests.layers import test_operations as operations

    entries = []
    for number, case in enumerate(operations.EVERY):
        model = operations.live(case)
        entry = {
            "case": number,
            "config": model.to_json(),
            "outputs": [tuple(y.shape[1:]) for y in model.outputs],
            "dependence": None,
            "products": None,
        }
        if case.single and case.measured and case is not operations.STACKED:
            entry["dependence"] = operations.dependence(case)
        if case.single and type(operations.operation_of(case)).__name__ in CONTRACTIONS:
            entry["products"] = _products(case)
        entries.append(entry)
    return entries


def _products(case: Any) -> int:
    """The number of products: for each output unit the units of the first input that it depends on."""
    from itertools import product

    from tests.keras_oracle import gradient_support
    from tests.layers import test_operations as operations

    (shape,) = {tuple(y.shape[1:]) for y in operations.live(case).outputs}
    units = list(product(*map(range, shape)))
    support = gradient_support(lambda xs: case.call(*xs), case.shapes, units, dtype="float64")
    return int(support.inputs[0].sum())


# -- comparing ---------------------------------------------------------------------------------------
def differences(entries: list[Entry]) -> Iterator[str]:
    """The differences between archcalc and Keras."""
    for entry in entries:
        try:
            _check(entry)
        except AssertionError as fault:
            yield f"operation {entry['case']}: {fault}"


def _check(entry: Entry) -> None:
    from archcalc.analyses.shapes import infer
    from archcalc.readers.keras_config import read_keras
    from tests.layers import test_operations as operations

    case = operations.EVERY[entry["case"]]
    graph = read_keras(json.loads(entry["config"]), "model.json")
    shapes = infer(graph)
    outputs = [shapes[t.node][t.output] for t in graph.outputs]
    assert outputs == entry["outputs"], f"outputs {outputs} for {entry['outputs']}"
    if not case.single:
        return
    (node,) = [n for n in graph.nodes if n.inputs]
    inputs = tuple(case.shapes[int(graph.nodes[t.node].name[1:])] for t in node.inputs)
    operations.check_numbers(node.layer, inputs)
    if entry["dependence"] is not None:
        operations.check_windows(case, graph, *entry["dependence"])
    if entry["products"] is not None:
        macs = node.layer.macs(*inputs)
        assert macs == entry["products"], f"{node.layer}: {macs} multiply-adds for {entry['products']}"
