"""Budgets: limits of a network's figures, `max-parameters` and the like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from archcalc.errors import ArchcalcError
from archcalc.report.findings import memory_in_words
from archcalc.report.options import bytes_of
from archcalc.report.rule import Offence, Rule
from archcalc.review.lint.declare import conv, dense, layer, spec
from archcalc.review.lint.network import Network

_SMALL = spec((16, 16, 3), conv(8), layer("GlobalAveragePooling2D"), dense(3))
_LARGE = spec((16, 16, 3), conv(64), conv(64), layer("GlobalAveragePooling2D"), dense(3))
_SOURCE = "the project's own budgets"


class Measure(NamedTuple):
    """What a budget is about: its figure, and whether it is an amount of memory."""

    label: str
    figure: Callable[[Network], Any]
    memory: bool = False


def _field(net: Network) -> Any:
    return None if net.largest_field is None else net.largest_field[1]


def _stride(net: Network) -> Any:
    return max((step for _, step in net.strides), default=None)


MEASURES: Mapping[str, Measure] = {
    "parameters": Measure("parameters", lambda net: net.report.totals.parameters),
    "trainable-parameters": Measure("trained parameters", lambda net: net.report.totals.trainable_parameters),
    "macs": Measure("multiply-adds", lambda net: net.report.totals.macs),
    "flops": Measure("FLOPs", lambda net: net.report.totals.flops),
    "layers": Measure("layers", lambda net: len(net.nodes)),
    "weight-memory": Measure("weights", lambda net: net.report.totals.weight_bytes, True),
    "activation-memory": Measure(
        "activations at inference", lambda net: net.report.totals.peak_activation_bytes, True
    ),
    "training-memory": Measure("a training step", lambda net: net.report.totals.training_bytes, True),
    "receptive-field": Measure("the largest receptive field", _field),
    "stride": Measure("the effective stride", _stride),
}
NAMES = tuple(f"{end}-{name}" for name in MEASURES for end in ("max", "min"))

BUDGETS = (
    Rule(
        "AC701",
        "budget",
        "error",
        "A figure beyond a budget of the project: max-parameters, max-macs, max-training-memory, "
        "min-receptive-field and others.",
        "A budget says what the network may cost where it runs, and what it must see; a change beyond it "
        "should be seen before it is merged.",
        "Certain: figures are exact.",
        _SOURCE,
        _LARGE,
        _SMALL,
        {"max-parameters": 1000},
    ),
    Rule(
        "AC702",
        "budget-not-checked",
        "error",
        "A budget whose figure is not a number: it depends on open symbols, or on an unknown layer.",
        "A budget that cannot be checked is not kept.",
        "Certain.",
        _SOURCE,
        spec(("H", "H", 3), conv(8), symbols={"H": None}),
        _SMALL,
        {"max-macs": 10**9},
    ),
)


def limit(name: str, value: Any) -> int:
    """The number of a budget; raises `ArchcalcError` for what is none."""
    measure = MEASURES[name.partition("-")[2]]
    if measure.memory and isinstance(value, str):
        return bytes_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
        kind = "an amount such as 24GiB" if measure.memory else "a whole number such as 5000000 or 5e6"
        raise ArchcalcError(f"expected {kind}, got {value!r}")
    return int(value)


def check(net: Network, budgets: Mapping[str, int]) -> Iterator[tuple[str, Offence]]:
    """The ids of budget rules with what breaks them."""
    for name, bound in budgets.items():
        end, _, what = name.partition("-")
        measure = MEASURES[what]
        value = measure.figure(net)
        if type(value) is not int:
            shown = "unknown" if value is None or not str(value) else str(value)[:80]
            remedy = "give symbols values (--set), or describe the unknown layer"
            if value is None and not any(len(net.shapes[i][0]) > 1 for i in net.nodes):
                shown, remedy = (
                    "no layer has a feature map",
                    "this budget for networks with feature maps only",
                )
            yield (
                "AC702",
                Offence(None, f"{name}={bound:,} cannot be checked: {measure.label}: {shown}", remedy),
            )
        elif value > bound if end == "max" else value < bound:
            than = "more" if end == "max" else "less"
            has, may = _shown(value, measure), _shown(bound, measure)
            if has == may:
                has, may = f"{value:,} bytes", f"{bound:,} bytes"
            text = f"{measure.label}: {has}, {than} than {name}={may}"
            yield "AC701", Offence(None, text, "change the network, or the budget with a reason")


def _shown(value: int, measure: Measure) -> str:
    return memory_in_words(value) if measure.memory else f"{value:,}"
