"""archcalc: cost, receptive fields and gradient bounds of neural networks from the architecture alone.

    report = archcalc.analyze("net.json", batch=32)  # or a live Keras model, "keras:ResNet50", decoded JSON
    print(report)
    report.totals.parameters

Public names are imported on first use, so that `import archcalc` stays fast.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcalc.analyze import analyze as analyze
    from archcalc.design.solution import Solution as Solution
    from archcalc.design.solve import solve as solve
    from archcalc.design.sweep import sweep as sweep
    from archcalc.design.sweep_result import Sweep as Sweep
    from archcalc.errors import ArchcalcError as ArchcalcError
    from archcalc.errors import ExpressionError as ExpressionError
    from archcalc.errors import LayerError as LayerError
    from archcalc.errors import MissingExtraError as MissingExtraError
    from archcalc.errors import NetworkError as NetworkError
    from archcalc.errors import SourceError as SourceError
    from archcalc.graph import Graph as Graph
    from archcalc.keras import from_keras as from_keras
    from archcalc.keras import to_keras as to_keras
    from archcalc.readers import load as load
    from archcalc.readers.keras_weights import read_weights as read_weights
    from archcalc.report.comparison import Comparison as Comparison
    from archcalc.report.comparison import compare_conventions as compare_conventions
    from archcalc.report.report import Report as Report
    from archcalc.report.verification import Verification as Verification
    from archcalc.review.audit import audit as audit
    from archcalc.review.diff.compare import Diff as Diff
    from archcalc.review.diff.compare import diff as diff
    from archcalc.review.explain import explain as explain
    from archcalc.review.explain_field import explain_field as explain_field
    from archcalc.review.lint.run import Lint as Lint
    from archcalc.review.lint.run import lint as lint
    from archcalc.review.sheets import read_claims as read_claims
    from archcalc.verification.verify import verify as verify
    from archcalc.writers.convert import convert as convert
    from archcalc.writers.keras_code import keras_code as keras_code
    from archcalc.writers.spec import to_spec as to_spec

__version__ = "0.2.0"

_HOMES = {
    "ArchcalcError": "archcalc.errors",
    "Comparison": "archcalc.report.comparison",
    "Diff": "archcalc.review.diff.compare",
    "ExpressionError": "archcalc.errors",
    "Graph": "archcalc.graph",
    "LayerError": "archcalc.errors",
    "Lint": "archcalc.review.lint.run",
    "MissingExtraError": "archcalc.errors",
    "NetworkError": "archcalc.errors",
    "Report": "archcalc.report.report",
    "Solution": "archcalc.design.solution",
    "SourceError": "archcalc.errors",
    "Sweep": "archcalc.design.sweep_result",
    "Verification": "archcalc.report.verification",
    "analyze": "archcalc.analyze",
    "audit": "archcalc.review.audit",
    "compare_conventions": "archcalc.report.comparison",
    "convert": "archcalc.writers.convert",
    "diff": "archcalc.review.diff.compare",
    "explain": "archcalc.review.explain",
    "explain_field": "archcalc.review.explain_field",
    "from_keras": "archcalc.keras",
    "keras_code": "archcalc.writers.keras_code",
    "lint": "archcalc.review.lint.run",
    "load": "archcalc.readers",
    "read_claims": "archcalc.review.sheets",
    "read_weights": "archcalc.readers.keras_weights",
    "solve": "archcalc.design.solve",
    "sweep": "archcalc.design.sweep",
    "to_keras": "archcalc.keras",
    "to_spec": "archcalc.writers.spec",
    "verify": "archcalc.verification.verify",
}
_ROOMS = {"keras", "testing"}  # public packages, used as in `archcalc.keras.LocallyConnected2D`

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"archcalc.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'archcalc' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})


class _Package(ModuleType):
    """The package; `archcalc.analyze` stays the function when the module of that name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
