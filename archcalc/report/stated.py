"""What a file says about precision and training, which options without a value follow."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator

from archcalc.analyses.memory.precision import OPTIMIZERS, PRECISIONS
from archcalc.graph import Graph
from archcalc.report.options import DTYPE, OPTIMIZER, AnalysisOptions
from archcalc.report.rule import Finding


def completed(asked: AnalysisOptions, graph: Graph) -> AnalysisOptions:
    """The options with the dtype policy and the optimizer of the file where the user chose none."""
    policies = _policies(graph).most_common(1)
    stated = graph.optimizer if graph.optimizer in OPTIMIZERS else None
    return dataclasses.replace(
        asked,
        dtype=asked.dtype or (policies[0][0] if policies else DTYPE),
        optimizer=asked.optimizer or stated or OPTIMIZER,
    )


def findings(asked: AnalysisOptions, used: AnalysisOptions, graph: Graph) -> Iterator[Finding]:
    """What the file says and the figures, of the options that are `used`, do not follow."""
    if graph.claims:
        number = len(graph.claims)
        yield Finding(
            "unchecked-claims",
            "info",
            None,
            f"the file states {number:,} {'claim' if number == 1 else 'claims'}, not checked here",
            "archcalc audit checks them",
        )
    policies = _policies(graph)
    if asked.dtype is None and len(policies) > 1:
        others = [n for n in graph.nodes if _policy(n.layer) not in (None, used.dtype)]
        yield Finding(
            "dtype-policies",
            "info",
            others[0].name,
            f"{len(others)} of {policies.total()} layers declare another dtype policy "
            f"({_policy(others[0].layer)}) than {used.dtype}; only their outputs are counted in it",
            "--dtype chooses the policy of all layers",
        )
    if asked.optimizer is None and graph.optimizer not in (None, used.optimizer):
        yield Finding(
            "optimizer",
            "info",
            None,
            f"the state of the file's optimizer, {graph.optimizer}, is not known; {used.optimizer} counts",
            "--optimizer chooses another one",
        )


def _policies(graph: Graph) -> Counter[str]:
    return Counter(filter(None, graph.each_layer(_policy)))


def _policy(layer: object) -> str | None:
    """The dtype policy that a layer declares; an input has a dtype, and no policy."""
    dtype = getattr(layer, "dtype", None)
    return (
        dtype
        if isinstance(dtype, str) and dtype in PRECISIONS and type(layer).__name__ != "InputLayer"
        else None
    )
