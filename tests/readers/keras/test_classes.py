"""Classes of other packages: each rule that ships, against what the real class says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.readers.keras.classes import shipped

FACTS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("foreign_classes.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["name"])
def test_a_rule_that_ships_agrees_with_the_real_class(fact: dict[str, Any]) -> None:
    graph = archcalc.load(fact["config"])
    report = archcalc.analyze(graph)
    for figure in ("parameters", "trainable_parameters"):
        assert getattr(report.totals, figure) == fact[figure]
    outputs = [report.layers[graph.nodes[t.node].name].output_shapes[t.output] for t in graph.outputs]
    for shape, stated in zip(outputs, fact["output_shapes"], strict=True):
        assert [n if m is not None else None for n, m in zip(shape, stated, strict=True)] == stated
    if fact.get("macs") is not None:
        assert report.totals.macs == fact["macs"]


def test_every_rule_is_tried() -> None:
    tried = {e for fact in FACTS for e in _classes(fact["config"])}
    assert set(shipped()) <= tried


def _classes(config: Any) -> Any:
    for entry in config["config"]["layers"]:
        names = (
            entry.get("registered_name"),
            f"{entry.get('module')}:{entry['class_name']}",
            entry["class_name"],
        )
        yield from names


def test_rules_that_ship_know_every_argument_of_their_class() -> None:
    for rule in shipped().values():
        assert all("parameters" in a.entry for a in rule.alternatives), rule.name


def test_what_is_known_of_a_class_is_used_without_an_option() -> None:
    assert not any(isinstance(fact.get("macs"), Unknown) for fact in FACTS)
