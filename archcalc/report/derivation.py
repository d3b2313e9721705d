"""How each figure of a layer comes about, step by step: the layer's own rules, run on named numbers.

Nothing is computed a second time by another formula. The rules that declare weights, shapes and
multiply-adds run on integers that remember their arithmetic (`report.traced`); a field's step is shown
only where the declared window leads to the figure of the analysis.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archcalc import arith
from archcalc.analyses.work import FLOPS_PER_MAC
from archcalc.arith import Shape, prod
from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import Unknown
from archcalc.errors import LayerError
from archcalc.layers.base import Layer
from archcalc.layers.window import Taps, Whole, Window
from archcalc.report.traced import (
    CLOSED,
    Point,
    Traced,
    axis_names,
    traced_inputs,
    traced_layer,
    with_outputs,
    written,
)
from archcalc.report.values import stamp, to_json_value


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `part` of a figure, its arithmetic with names and with numbers, its value.

    `formula` and `numbers` are empty where the rule states the value itself; `note` says why.
    """

    part: str
    formula: str
    numbers: str
    value: Any
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "part": self.part,
            "formula": self.formula,
            "numbers": self.numbers,
            "value": to_json_value(self.value),
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Derivation:
    """The steps of every figure of one layer call, by quantity."""

    layer: str
    type: str
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    figures: dict[str, tuple[Step, ...]]

    def only(self, figures: Collection[str]) -> Derivation:
        """The steps of these figures only."""
        return replace(self, figures={q: steps for q, steps in self.figures.items() if q in figures})

    def to_dict(self) -> dict[str, Any]:
        """JSON of `archcalc explain SOURCE --layer NAME`, one member of its `layers`."""
        return {
            "layer": self.layer,
            "type": self.type,
            "input_shapes": to_json_value(self.input_shapes),
            "output_shape": to_json_value(self.output_shape),
            "figures": {q: [s.to_dict() for s in steps] for q, steps in self.figures.items()},
        }

    def to_markdown(self) -> str:
        from archcalc.render.derivation import markdown

        return markdown(self)

    def __str__(self) -> str:
        from archcalc.render.derivation import text
        from archcalc.render.screen import only_ascii

        return text(self, ascii=only_ascii()).rstrip("\n")

    def _repr_html_(self) -> str:
        from archcalc.render.derivation import html

        return html(self)


def as_data(name: str, source: str, derivations: Sequence[Derivation]) -> dict[str, Any]:
    """JSON of `archcalc explain SOURCE`."""
    return {
        **stamp(),
        "model": {"name": name, "source": source},
        "layers": [d.to_dict() for d in derivations],
    }


def derivation(of: Any, node: int) -> Derivation:
    """The derivation of one row; `of` are the columns of its report (`report.columns.Figures`)."""
    graph = of.graph
    layer = graph.nodes[node].layer
    inputs = graph.input_shapes(of.output_shapes, graph.nodes[node])
    with arith.scope(of.scope):
        runs = [_ruled(of, node, inputs, point) for point in _points(of, node, inputs)]
        figures = {name: _agreed([run[name] for run in runs]) for name in runs[0]}
        figures["receptive_field"] = tuple(_field(of, node, layer.window(*inputs) if inputs else ()))
    return Derivation(
        of.name[node],
        of.type[node],
        inputs,
        of.output_shapes[node][0],
        {name: steps for name, steps in figures.items() if steps},
    )


def _points(of: Any, node: int, inputs: Sequence[Shape]) -> list[Point]:
    """Where the rules run: anywhere if no symbol is open, else at two points, for what both show."""
    layer = of.graph.nodes[node].layer
    held = (getattr(layer, name) for name, kind in layer.kinds.items() if kind.holds_sizes)
    symbols = dict(_symbols((tuple(held), tuple(inputs), of.output_shapes[node])))
    return of.scope.assumptions.samples(symbols)[5:7] if symbols else [CLOSED]


def _symbols(sizes: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(sizes, tuple):
        for size in sizes:
            yield from _symbols(size)
    elif isinstance(sizes, Expr):
        yield from sizes.symbols.items()


def _ruled(of: Any, node: int, inputs: Sequence[Shape], point: Point) -> dict[str, tuple[Step, ...]]:
    """The steps of what a layer's rules compute, with open symbols at one point."""
    layer, shape = of.graph.nodes[node].layer, of.output_shapes[node][0]
    twin, named = traced_layer(layer, point), traced_inputs(layer, inputs, point)
    sides = tuple(_shape(twin, named, shape, point))
    with_outputs(twin, shape, point)
    return {
        "output_shape": sides,
        "parameters": tuple(_parameters(of, node, twin, named, point)),
        "macs": tuple(_macs(of, node, twin, named, point)),
    }


def _agreed(runs: Sequence[tuple[Step, ...]]) -> tuple[Step, ...]:
    """The steps that have the same arithmetic at every point; of others the value alone."""
    return tuple(
        steps[0]
        if len({(s.formula, s.numbers) for s in steps}) == 1
        else replace(steps[0], formula="", numbers="")
        for steps in zip(*runs, strict=True)
    )


def _step(part: str, traced: Any, value: Any, point: Point, note: str = "") -> Step:
    """A step from a traced value, if it is the figure at this point."""
    at = arith.substitute(value, point) if point else value
    if not isinstance(traced, Traced) or not _is(int(traced), at):
        return Step(part, "", "", value, note)
    return Step(part, written(traced, names=True), written(traced, names=False), value, note)


def _shape(twin: Layer, named: Sequence[Shape], known: Shape, point: Point) -> Iterator[Step]:
    try:
        shape = twin.output_shape(*named)
    except (ArithmeticError, LayerError, LookupError, TypeError, ValueError):
        shape = known  # a rule that takes only plain integers, or another point
    note = getattr(twin, "padding", "")
    names = axis_names(twin, len(shape))
    for name, size, value in zip(names, shape, known, strict=True):
        padded = name != "channels" and isinstance(note, str) and note
        yield _step(name, size, value, point, f"padding {note}" if padded else "")


def _parameters(of: Any, node: int, twin: Layer, named: Sequence[Shape], point: Point) -> Iterator[Step]:
    owner = of.shared_with[node]
    if owner is not None:
        yield Step("all weights", "", "", of.parameters[node], f"shared with {owner}, where they are counted")
        return
    counts = []
    for traced, weight in zip(twin.weights(*named), of.weights[node], strict=True):
        note = "" if weight.trainable else "not trained"
        counts.append(weight.parameters)
        yield _step(weight.name, traced.parameters, weight.parameters, point, note)
    once = type(of.copies[node]) is int and of.copies[node] == 1
    if len(counts) > 1 or not once:
        numbers = " + ".join(map(str, counts)) or "0"
        yield Step("sum", "", numbers if once else _of_all_copies(of, node, numbers), of.parameters[node])


def _of_all_copies(of: Any, node: int, of_one: str) -> str:
    """The figure of all copies of a repeated block in words, from that of one."""
    around = [r for r in of.graph.repeats if r.first <= node <= r.last]
    numbered = [r for r in around if re.search(rf"\b{r.index}\b", of_one)]
    alike = prod(r.count for r in around if r not in numbered)
    text = of_one if type(alike) is int and alike == 1 else f"{alike} copies × ({of_one})"
    for repeat in numbered:
        last = repeat.count - 1
        text = f"sum over {repeat.index} = 0, ..., {last} of ({text})"
    return text


def _macs(of: Any, node: int, twin: Layer, named: Sequence[Shape], point: Point) -> Iterator[Step]:
    if type(of.macs[node]) is int and of.macs[node] == 0:
        return
    graph = of.graph
    inputs = graph.input_shapes(of.output_shapes, graph.nodes[node])
    of_one = graph.nodes[node].layer.macs(*inputs)
    yield _step("multiply-adds", twin.macs(*named), of_one, point)
    copies = of.copies[node]
    if not (type(copies) is int and copies == 1):
        yield Step("sum", "", _of_all_copies(of, node, str(of_one)), of.macs[node])
    convention = of.options.convention
    if convention == "archcalc":
        numbers = f"{FLOPS_PER_MAC} × {of.macs[node]}" if type(of.macs[node]) is int else ""
        yield Step("FLOPs", f"{FLOPS_PER_MAC} × MACs", numbers, of.flops[node])
    else:
        yield Step("FLOPs", "", "", of.flops[node], f"as {convention} counts")


# -- fields --------------------------------------------------------------------------------------------
def _field(of: Any, node: int, windows: Sequence[Window]) -> Iterator[Step]:
    """The field along each axis of each model input: from the fields of the layer's inputs and its window."""
    graph = of.graph
    sources = [of.receptive_fields[t.node] for t in graph.nodes[node].inputs]
    for name, field in of.receptive_fields[node].items():
        if field is None or node in graph.inputs:
            continue
        before = [source.get(name) for source in sources]
        for k, value in enumerate(field.size):
            axis = field.axes[k]
            names = axis_names(graph.nodes[node].layer, len(of.output_shapes[graph.index()[name]][0]))
            part = names[axis] if len(of.receptive_fields[node]) == 1 else f"{names[axis]} of {name}"
            yield _of_axis(part, value, [(f, k) for f in before], windows)


def _of_axis(part: str, value: Any, before: Sequence[tuple[Any, int]], windows: Sequence[Window]) -> Step:
    parts = [
        None if field is None else _composed(field, k, window)
        for (field, k), window in zip(before, windows, strict=True)
    ]
    known = [p for p in parts if p is not None]
    if isinstance(value, Unknown):
        return Step(part, "", "", value, value.reason)
    if len(known) == 1 and _is(known[0].value, value):
        return Step(part, known[0].formula, known[0].numbers, value, known[0].note)
    if len(known) > 1 and all(_is(p.value, value) or type(p.value) is int for p in known):
        numbers = ", ".join(str(p.value) for p in known)
        if type(value) is int and max(int(p.value) for p in known) == value:
            return Step(part, "the largest of the branches", f"max({numbers})", value)
    return Step(part, "", "", value, "composed interval by interval (docs/receptive-field.md)")


def _is(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _composed(field: Any, k: int, window: Window) -> Step | None:
    """One input's contribution: its field, and what the window adds at that input's step."""
    size, step = field.size[k], field.stride[k]
    reads = [read for read in window if isinstance(read, Taps) and read.count != 1]
    if any(isinstance(read, Whole) for read in window[: len(window) - 1]) and len(window) > 1:
        return Step("", "", "", size, "a whole axis is read")
    if not reads:
        return Step("", "the field of its input", str(size), size)
    spatial = [read for read in window if isinstance(read, Taps)]
    if k >= len(spatial) or type(size) is not int or type(step) is not int:
        return None
    read = spatial[k]
    if type(read.count) is not int or type(read.dilation) is not int:
        return None
    formula = "field + (window - 1) × dilation × step"
    numbers = f"{size} + ({read.count} - 1) × {read.dilation} × {step}"
    return Step("", formula, numbers, size + (read.count - 1) * read.dilation * step)
