"""Compares FLOPs with TensorFlow's profiler, and activation bytes with the real tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archcalc.arith import Size
from archcalc.conventions import tf_profiler
from archcalc.keras.build import reason
from archcalc.keras.measure import outputs
from archcalc.keras.profile import profiled_flops
from archcalc.layers.pooling import GlobalAveragePooling1D
from archcalc.report.verification import Check, cannot_run, compare

if TYPE_CHECKING:
    from archcalc.graph import Node
    from archcalc.verification.case import Case

FLOPS = "FLOPs (tf-profiler)"
MASKED = "a mask reaches this layer, and the profiler counts the mask's sum"


def checks(case: Case) -> Iterator[Check]:
    """The checks of FLOPs, then those of activation bytes."""
    yield from _flops(case)
    yield from _tensors(case)


def _flops(case: Case) -> Iterator[Check]:
    try:
        measured = profiled_flops(case.built)
    except Exception as fault:
        yield cannot_run(FLOPS, None, f"the profiler refuses this model: {reason(fault)}")
        return
    total: Size = 0
    exempt = []
    for i, node in enumerate(case.graph.nodes):
        inputs = case.graph.input_shapes([row.output_shapes for row in case.report.rows], node)
        why = MASKED if _is_masked(case, node) else tf_profiler.exemption(node.layer)
        predicted = tf_profiler.flops(node.layer, *inputs)
        if predicted is None or why is MASKED:
            exempt.append(node.name)
            yield cannot_run(FLOPS, node.name, str(why))
            total += measured[i]
        else:
            total += predicted
            yield compare(FLOPS, node.name, predicted, measured[i])
    if not exempt:
        yield compare(FLOPS, None, total, sum(measured))


def _is_masked(case: Case, node: Node) -> bool:
    """Whether a mean is taken only over the steps that a mask keeps."""
    tensors = [case.built.tensors[t.node][t.output] for t in node.inputs]
    return isinstance(node.layer, GlobalAveragePooling1D) and any(
        getattr(tensor, "_keras_mask", None) is not None for tensor in tensors
    )


def _tensors(case: Case) -> Iterator[Check]:
    """Each layer's outputs for one sample, as arrays in memory."""
    failures: dict[int, str] = {}
    steps = len(case.graph.nodes)
    for i, arrays in enumerate(outputs(case.built, failures, case.seed)):
        case.progress("running the model", i, steps)
        row = case.report.rows[i]
        if i in failures:
            yield cannot_run("activation bytes", row.name, failures[i], row.activation_bytes)
            continue
        if row.type != "Parameter":  # whose tensor is its weight; the layer built here copies it
            yield compare("activation bytes", row.name, row.activation_bytes, sum(y.nbytes for y in arrays))
        shapes = [y.shape[1:] for y in arrays]
        if shapes != list(row.output_shapes):
            yield compare("tensor shape", row.name, list(row.output_shapes), shapes)
