"""Road: operations of `keras.ops`, read from the configurations that Keras writes of them.

Shapes and dependence are Keras's, products are counted as the nonzero slopes of a linear
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
    """What Keras makes of each case."""
    from tests.layers import test_operations as operations

    found = []
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
        found.append(entry)
    return found


def _products(case: Any) -> int:
    """Of each output unit as many as there are units of the first input that it moves with."""
    from itertools import product

    from tests.keras_oracle import gradient_support
    from tests.layers import test_operations as operations

    (shape,) = {tuple(y.shape[1:]) for y in operations.live(case).outputs}
    units = list(product(*map(range, shape)))
    support = gradient_support(lambda xs: case.call(*xs), case.shapes, units, dtype="float64")
    return int(support.inputs[0].sum())


# -- comparing ---------------------------------------------------------------------------------------
def differences(entries: list[Entry]) -> Iterator[str]:
    """What archcalc says otherwise than Keras."""
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
    found = [shapes[t.node][t.output] for t in graph.outputs]
    assert found == entry["outputs"], f"outputs {found} for {entry['outputs']}"
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
