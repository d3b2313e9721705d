"""Comparison of whole networks, written (`corpus`) and random ones, with real Keras.

No recorded figure is archcalc's, except the choice of positions and the names of the few weights
that Keras does not name. Peaks of memory are computed by adding up all tensors at every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose, prod
from typing import Any

from archcalc import arith
from archcalc.analyses import shapes
from archcalc.analyses.fields.clipping import clipped_boxes
from archcalc.analyses.fields.windows import windows
from archcalc.analyze import analyze
from archcalc.arith import substitute
from archcalc.arith.arrays import array
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.conventions import tf_profiler
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph, Tap
from archcalc.layers.base import Layer
from archcalc.layers.registry import registered, registered_operations

Entry = dict[str, Any]
POSITIONS = 5  # of each layer


def made(kind: str, arguments: dict[str, Any]) -> Layer:
    """A layer or operation from arguments by their names in a spec."""
    cls = registered().get(kind) or registered_operations()[kind]
    return cls(**{cls.spec_names.get(k, k): v for k, v in arguments.items()})


# -- recording ---------------------------------------------------------------------------------------
def written() -> list[Entry]:
    """The networks of the corpus."""
    from tests.mutations.corpus import networks

    entries = []
    for name, rows, shared in networks():
        nodes = [(n, made(kind, arguments), inputs) for n, kind, arguments, inputs in rows]
        read = {i for *_, inputs in rows for i in inputs}
        ends = [n for n, *_ in rows if n not in read]
        entries.append(_entry(Graph.of(name, nodes, ends, shared=shared), rows, shared))
    return entries


def drawn(count: int) -> list[Entry]:
    """Random networks of archcalc's Hypothesis strategies."""
    import keras

    from archcalc.testing.drawing import each_drawn
    from archcalc.testing.strategies import architectures
    from archcalc.writers.arguments import written as arguments

    graphs: list[Any] = []

    if count:
        each_drawn(architectures(), graphs.append, count=count, seed=3)
    entries = []
    for graph in graphs[:count]:
        keras.backend.clear_session(free_memory=False)
        names = [node.name for node in graph.nodes]
        rows = []
        for n in graph.nodes:
            given = arguments(n.layer).data
            rows.append((n.name, given.pop("type"), given, [(names[t.node], t.output) for t in n.inputs]))
        if any(kind.startswith("Random") for _, kind, *_ in rows):
            continue  # random when called directly, so not comparable
        shared = {n.name: names[n.shared_with] for n in graph.nodes if n.shared_with is not None}
        try:
            entries.append(_entry(graph, rows, shared))
        except Exception:  # the network does not run here
            continue
    return entries


def _entry(graph: Any, rows: Any, shared: dict[str, str]) -> Entry:

    from archcalc.keras.build import build
    from archcalc.keras.linear import linearised
    from archcalc.keras.measure import Gradients, outputs
    from archcalc.keras.profile import profiled_flops
    from archcalc.verification.case import Case
    from archcalc.verification.fields import measured, positions_by_node
    from archcalc.verification.run import _silent
    from archcalc.verification.structure import _path, _unnamed

    report = analyze(graph)
    built = build(graph, initializers="zeros")
    names = [node.name for node in graph.nodes]
    known = [[tuple(t.shape[1:]) for t in made] for made in built.tensors]
    weights: list[Any] = []
    for layer, node in zip(built.layers, graph.nodes, strict=True):
        owned = [] if layer is None or node.shared_with is not None else getattr(layer, "weights", [])
        weights.append(
            [(None if _unnamed(w) else _path(w), tuple(w.shape), bool(w.trainable)) for w in owned]
        )
    failures: dict[int, str] = {}
    sizes = [[y.nbytes for y in made] for made in outputs(built, failures, 0)]
    try:
        profiled: list[int | None] = list(profiled_flops(built))
    except Exception:
        profiled = [None] * len(names)
    for i, node in enumerate(graph.nodes):
        if tf_profiler.flops(node.layer, *graph.input_shapes(known, node)) is None:
            profiled[i] = None
    reads = windows(graph, known)
    chosen = [i for i in range(len(names)) if i not in graph.inputs]
    drawn = positions_by_node(graph, known, reads, 0)
    positions = {i: drawn[i][:POSITIONS] for i in chosen}
    case = Case(graph, report, built, tuple(chosen), POSITIONS, 0, _silent)
    gradients = Gradients(linearised(built), chosen, POSITIONS)
    found = measured(case, gradients, positions, reads.channels)
    fields = {
        i: [
            # and whether archcalc knows the whole box: a mistake must not make it unknown unnoticed
            (
                p,
                [s and s.box for s in supports],
                all(None not in box for box in clipped_boxes(graph, known, reads, i, p).values()),
            )
            for p, supports in zip(positions[i], found[i], strict=True)
        ]
        for i in chosen
        if not isinstance(found[i], str)
    }
    return {
        "name": graph.name,
        "rows": rows,
        "shared": shared,
        "inputs": [names[i] for i in graph.inputs],
        "outputs": [(names[t.node], t.output) for t in graph.outputs],
        "names": names,
        "shapes": known,
        "weights": weights,
        "parameters": built.whole.count_params(),
        "bytes": [None if i in failures else sum(s) for i, s in enumerate(sizes)],
        "peaks": None if failures else _peaks(graph),
        "flops": profiled,
        "fields": fields,
        "spreads": _spreads(case, gradients),
    }


def _spreads(case: Any, gradients: Any) -> list[tuple[str, Any, Any]]:
    """(layer, label, standard deviation along each axis; None if padding clips the field)."""
    from archcalc.verification import effective_fields

    spreads = []
    for check in effective_fields.checks(case, gradients):
        if check.verdict == "agrees":
            pairs = zip(check.predicted, check.measured, strict=True)
            real = [
                m if p is not None and isclose(p, m, rel_tol=1e-5, abs_tol=1e-5) else None for p, m in pairs
            ]
            spreads.append((check.layer, check.what, real))
    return spreads


def _peaks(graph: Graph) -> tuple[int, int]:
    """The peaks of inference and of a step by definition, in Keras's order, of what calls are said to hold.

    The step's is that beside weights and the optimizer's state.
    """
    from archcalc.analyses.memory.order import keras_order
    from archcalc.report.columns import Figures
    from archcalc.report.options import AnalysisOptions
    from tests.analyses.memory import brute_force

    of, order, found = Figures(graph, AnalysisOptions()), keras_order(graph), []
    with arith.scope(of.scope):
        called: Any = (of.inference_calls, of.training_calls)
    for training, calls in enumerate(called):
        times = (
            brute_force.step(graph, calls, order)
            if training
            else brute_force.forward(graph, calls, order, training=False)
        )
        inputs: Any = {Tap(i, k): size for i in graph.inputs for k, size in enumerate(calls[i].outputs)}
        inputs |= brute_force.labels(graph, calls) if training else {}
        found.append(brute_force.peak(times, inputs, set(graph.outputs)))
    return found[0], found[1]


# -- comparing ---------------------------------------------------------------------------------------
def differences(entries: list[Entry]) -> Iterator[str]:
    """The differences between archcalc and Keras."""
    for entry in entries:
        yield from _network(entry)


def _graph(entry: Entry, sides: Any = ()) -> Graph:
    nodes = []
    for name, kind, arguments, inputs in entry["rows"]:
        if name == entry["inputs"][0] and sides:
            arguments = {**arguments, "shape": (*sides, arguments["shape"][-1])}
        nodes.append((name, made(kind, arguments), inputs))
    return Graph.of(entry["name"], nodes, entry["outputs"], shared=entry["shared"])


def _network(entry: Entry) -> Iterator[str]:
    where = entry["name"]
    graph = _graph(entry)
    if [n.name for n in graph.nodes] != entry["names"]:
        yield f"{where}: order of the layers"
        return
    report = analyze(graph)
    for i, row in enumerate(report.rows):
        at = f"{where}, {row.name} ({row.type})"
        if list(row.output_shapes) != entry["shapes"][i]:
            yield f"{at}: output shape {row.output_shapes} for {entry['shapes'][i]}"
        yield from _weights(at, row.weights, entry["weights"][i])
        count = sum(prod(shape) for _, shape, _ in entry["weights"][i])
        if row.parameters != count:
            yield f"{at}: {row.parameters} parameters for {count}"
        trained = sum(prod(shape) for _, shape, flag in entry["weights"][i] if flag)
        if row.trainable_parameters != trained:
            yield f"{at}: {row.trainable_parameters} trainable parameters for {trained}"
        if entry["bytes"][i] is not None and row.activation_bytes != entry["bytes"][i]:
            yield f"{at}: {row.activation_bytes} bytes for {entry['bytes'][i]}"
        if entry["flops"][i] is not None:
            read = graph.input_shapes([r.output_shapes for r in report.rows], graph.nodes[i])
            flops = tf_profiler.flops(graph.nodes[i].layer, *read)
            if flops != entry["flops"][i]:
                yield f"{at}: {flops} FLOPs for {entry['flops'][i]}"
    if report.totals.parameters != entry["parameters"]:
        yield f"{where}: {report.totals.parameters} parameters for {entry['parameters']}"
    if entry["peaks"] is not None:
        totals = report.totals
        beside = totals.training_bytes - totals.weight_bytes - totals.optimizer_bytes
        if (totals.peak_activation_bytes, beside) != entry["peaks"]:
            yield f"{where}: peaks of {totals.peak_activation_bytes} and {beside} bytes for {entry['peaks']}"
    yield from _fields(where, graph, report, entry)
    yield from _other_numbers(where, entry)


def _weights(at: str, ours: Any, real: Any) -> Iterator[str]:
    named = [
        (name if k < len(real) and real[k][0] in (None, "(unnamed)") else w.name, tuple(w.shape), w.trainable)
        for k, (w, name) in enumerate((w, real[k][0] if k < len(real) else "") for k, w in enumerate(ours))
    ]
    if named != list(real):
        yield f"{at}: weights {named} for {real}"


def _fields(where: str, graph: Graph, report: Any, entry: Entry) -> Iterator[str]:
    known = shapes.infer(graph)
    reads = windows(graph, known)
    axes = reads.axes
    for i, measured in entry["fields"].items():
        row = report.rows[i]
        for position, boxes, clear in measured:
            predicted = clipped_boxes(graph, known, reads, i, position)
            for root, box in zip(graph.inputs, boxes, strict=True):
                field = [predicted[root][a] for a in axes[root]]
                real = [(0, -1) if box is None else box[a] for a in axes[root]]
                if (clear and None in field) or any(
                    f is not None and f != r for f, r in zip(field, real, strict=True)
                ):
                    yield f"{where}, {row.name} at {position}: field {field} for {real}"
    rows = {row.name: row for row in report.rows}
    for name, what, measured in entry["spreads"]:
        source = what.removeprefix("effective field in ") if " in " in what else entry["inputs"][0]
        field = rows[name].effective_fields[source]
        for one, real in zip(() if field is None else field.sigma, measured, strict=False):
            if real is None or (isinstance(one, float) and isclose(one, real, rel_tol=1e-5, abs_tol=1e-5)):
                continue
            yield f"{where}, {name}: sigma {one} for {real}"


def _other_numbers(where: str, entry: Entry) -> Iterator[str]:
    """Symbols with the recorded sizes as values, and arrays with them, give Keras's figures."""
    shape = next(given["shape"] for name, _, given, _ in entry["rows"] if name == entry["inputs"][0])
    if len(entry["inputs"]) > 1 or len(shape) < 2:
        return
    sides = shape[:-1]
    try:
        values = {f"s{a}": n for a, n in enumerate(sides)}
        report = analyze(_graph(entry, tuple(map(symbol, values))))
    except ArchcalcError:
        report = None  # fixed sizes depend on a side
    if report is not None:
        for i, row in enumerate(report.rows):
            found = [tuple(substitute(n, values) for n in s) for s in row.output_shapes]
            if found != entry["shapes"][i]:
                yield f"{where}, {row.name}: symbols give {found} for {entry['shapes'][i]}"
        concrete = analyze(_graph(entry)).totals
        for name in ("parameters", "macs", "elementwise_operations", "activation_bytes"):
            one, other = getattr(report.totals, name), getattr(concrete, name)
            if isinstance(one, Unknown) and isinstance(other, Unknown):
                continue
            if substitute(one, values) != other:
                yield f"{where}: {name} by symbols is {substitute(one, values)}, by integers {other}"
    try:
        with arith.scope():
            many = shapes.infer(_graph(entry, (array([sides[0], sides[0] + 1]), *sides[1:])))
    except ArchcalcError:
        return
    for name, found, real in zip(entry["names"], many, entry["shapes"], strict=True):
        first = [tuple(int(n[0]) if arith.is_array(n) else n for n in s) for s in found]
        if first != real:
            yield f"{where}, {name}: arrays give {first} for {real}"
