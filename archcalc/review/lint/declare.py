"""How a rule is declared: a function with its explanation, and short ways to write its examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from archcalc.report.rule import Offence, Rule
from archcalc.review.lint.network import Network

Found: TypeAlias = Iterator[Offence]
DECLARED: list[Rule] = []


def rule(
    id: str,
    severity: str,
    *,
    why: str,
    sure: str,
    source: str,
    faulty: Mapping[str, Any],
    mended: Mapping[str, Any],
    **options: Any,
) -> Callable[[Callable[[Network], Found]], Callable[[Network], Found]]:
    """Declares a rule: the function's name is the rule's, its documentation what the rule finds.

    `options` are those of `archcalc lint` that the examples need.
    """

    def declare(check: Callable[[Network], Found]) -> Callable[[Network], Found]:
        name = check.__name__.replace("_", "-")
        what = " ".join((check.__doc__ or "").split())
        given = {key.replace("_", "-"): value for key, value in options.items()}
        DECLARED.append(Rule(id, name, severity, what, why, sure, source, faulty, mended, given, check))
        return check

    return declare


# -- examples --------------------------------------------------------------------------------------------
def spec(shape: tuple[Any, ...], *layers: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A spec of layers that follow one another; names are made where none are given."""
    named = [
        {"name": f"{entry.get('type', 'layer').lower()}_{i}", **entry} for i, entry in enumerate(layers, 1)
    ]
    return {"archcalc": 1, "inputs": {"x": list(shape)}, "layers": named, **sections}


def layer(type: str, **arguments: Any) -> dict[str, Any]:
    return {"type": type, **arguments}


def dense(units: int, activation: str | None = None, **arguments: Any) -> dict[str, Any]:
    named = {} if activation is None else {"activation": activation}
    return layer("Dense", units=units, **named, **arguments)


def conv(
    filters: int, kernel_size: int = 3, activation: str | None = "relu", **arguments: Any
) -> dict[str, Any]:
    named = {} if activation is None else {"activation": activation}
    given = {"padding": "same", **arguments}
    return layer("Conv2D", filters=filters, kernel_size=kernel_size, **named, **given)


def trained(loss: str, **more: Any) -> dict[str, Any]:
    """The section `compile` of an example."""
    return {"compile": {"loss": loss, **more}}
