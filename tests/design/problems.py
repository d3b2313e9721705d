"""Random small design problems, and their answers by looking at every configuration.

The answers come from `archcalc.analyze` of the spec with integers for its symbols: no closed form is used.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import archcalc
from archcalc.errors import ArchcalcError

WIDTHS = (
    *("w", "2*w", "w + v", "max(1, 12 - w)", "w % 5 + 1", "(w*v)//2 + 1", "8*((w + 7)//8)", "min(w, v)"),
    *("(w - v)**2 + 1", "v", "max(w, 2*v)", "4"),
)
TOTALS = (
    "parameters",
    "macs",
    "elementwise_operations",
    "activation_bytes",
    "peak_activation_bytes",
    "training_bytes",
)
FIGURES = (*TOTALS, "receptive_field@last", "output_size@last")
MOST = 400  # configurations of a problem


@dataclass
class Problem:
    spec: dict[str, Any]
    unknowns: dict[str, list[int]]
    asked: dict[str, Any]  # the same as `solve` is asked for them
    sign: int
    goal: str
    at_most: dict[str, int]
    at_least: dict[str, int]
    table: dict[tuple[int, ...], dict[str, int]]  # every configuration that is a network

    def met(self, row: Mapping[str, int]) -> bool:
        return all(row[n] <= x for n, x in self.at_most.items()) and all(
            row[n] >= x for n, x in self.at_least.items()
        )

    def best(self) -> tuple[int, tuple[int, ...]] | None:
        """The best value of the goal, and the configuration that has it (the least values among several)."""
        names = list(self.unknowns)
        scored = [
            (-self.sign * {**row, **dict(zip(names, point, strict=True))}[self.goal], point)
            for point, row in self.table.items()
            if self.met(row)
        ]
        return None if not scored else (-self.sign * min(scored)[0], min(scored)[1])

    def solve(self, **more: Any) -> Any:
        goal = {"maximize" if self.sign > 0 else "minimize": self.goal}
        return archcalc.solve(
            self.spec, self.asked, at_most=self.at_most, at_least=self.at_least, **goal, **more
        )


def problem(seed: int) -> Problem:
    draw = random.Random(seed)
    while True:
        spec, names = _network(draw)
        unknowns, asked = _unknowns(draw, names)
        table = _table(spec, unknowns)
        if table:
            return _question(draw, spec, unknowns, asked, table)


def _network(draw: random.Random) -> tuple[dict[str, Any], list[str]]:
    names = draw.sample(["w", "v", "k", "n", "H"], draw.randint(1, 3))
    kernel = "k" if "k" in names else draw.choice([1, 2, 3])
    width = draw.choice(WIDTHS)
    padding = draw.choice(["same", "valid"])
    conv = {"type": "Conv2D", "kernel_size": kernel, "padding": padding, "use_bias": draw.random() < 0.5}
    layers: list[dict[str, Any]] = [
        {"name": "a", **conv, "filters": draw.choice(WIDTHS), "strides": draw.choice([1, 2])}
    ]
    if "n" in names or draw.random() < 0.4:
        layers.append({"name": "wide", "type": "Conv2D", "filters": width, "kernel_size": 1})
        block = [{"name": "c", "type": "Conv2D", "filters": "f", "kernel_size": 3, "padding": "same"}]
        if draw.random() < 0.5:
            block += [{"name": "r", "type": "ReLU"}, {"name": "s", "type": "Add", "inputs": ["input", "r"]}]
        count = draw.choice(["n", "n - 1", "2*n", "(n + 1)//2"])
        layers.append({"name": "body", "block": "b", "f": width, "repeat": count})
        blocks = {"b": {"parameters": {"f": None}, "layers": block}}
    else:
        blocks = {}
    if draw.random() < 0.5:
        layers.append({"name": "pool", "type": "MaxPooling2D", "pool_size": 2})
    layers.append(
        {
            "name": "last",
            "type": "Conv2D",
            "filters": draw.choice(WIDTHS),
            "kernel_size": kernel,
            "padding": padding,
        }
    )
    if draw.random() < 0.2:
        layers.append({"name": "twice", "type": "Add", "inputs": ["last", "last"]})
    layers += [
        {"name": "gap", "type": "GlobalAveragePooling2D"},
        {"name": "out", "type": "Dense", "units": 3},
    ]
    symbols = {"w": 4, "v": 3, "k": 3, "n": 2, "H": 12}
    spec = {
        "archcalc": 1,
        "symbols": symbols,
        "inputs": {"x": ["H", "H", 3]},
        "blocks": blocks,
        "layers": layers,
    }
    return spec, names


def _unknowns(draw: random.Random, names: list[str]) -> tuple[dict[str, list[int]], dict[str, Any]]:
    each = int(MOST ** (1 / len(names)))
    unknowns, asked = {}, {}
    for name in names:
        start, step = draw.randint(1, 4), draw.choice([1, 1, 1, 2, 3])
        count = draw.randint(2, max(2, min(each, 24)))
        values = [start + step * i for i in range(count)]
        way = draw.randint(0, 2)
        if way == 0:
            values = sorted(draw.sample(values, max(2, count // 2)))
        unknowns[name] = values
        asked[name] = (
            values
            if way == 0
            else f"{start}:{values[-1]}:{step}"
            if way == 1
            else range(start, values[-1] + 1, step)
        )
    return unknowns, asked


def _table(spec: dict[str, Any], unknowns: dict[str, list[int]]) -> dict[tuple[int, ...], dict[str, int]]:
    table = {}
    for point in product(*unknowns.values()):
        try:
            report = archcalc.analyze(spec, dict(zip(unknowns, point, strict=True)))
        except ArchcalcError:
            continue
        row = report.layers["last"]
        table[point] = {
            **{name: getattr(report.totals, name) for name in TOTALS},
            "receptive_field@last": min(row.receptive_fields["x"].size),
            "output_size@last": min(row.output_shape[:-1]),
        }
    return table


def _question(
    draw: random.Random,
    spec: dict[str, Any],
    unknowns: dict[str, list[int]],
    asked: dict[str, Any],
    table: Any,
) -> Problem:
    goal = draw.choice([*FIGURES, *unknowns, *unknowns])
    at_most: dict[str, int] = {}
    at_least: dict[str, int] = {}
    rows = list(table.values())
    for figure in draw.sample(FIGURES, draw.randint(1, 3)):
        limit = draw.choice(rows)[figure] + draw.choice([-1, 0, 0, 1])
        (at_most if draw.random() < 0.6 else at_least)[figure] = limit
    return Problem(spec, unknowns, asked, draw.choice([1, -1]), goal, at_most, at_least, table)
