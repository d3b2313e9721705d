"""archcalc's figures against recorded ones: the side that runs inside a mutant, without TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from math import isclose
from typing import Any

from archcalc import arith
from archcalc.analyses import effective_field, receptive_field, shapes
from archcalc.analyses.clipping import clipped_boxes
from archcalc.analyses.windows import spatial_axes, windows
from archcalc.analyze import analyze
from archcalc.arrays import array
from archcalc.conventions import tf_profiler
from archcalc.errors import ArchcalcError, LayerError
from archcalc.graph import Graph, Repeat, Tap
from archcalc.layers import window as reads_of
from archcalc.layers.base import NoMacs, Weightless, family, registered
from archcalc.layers.fields import Untracked
from archcalc.layers.stages import Unbounded
from archcalc.symbolic import substitute, symbol
from archcalc.unknown import Unknown


def first_difference(oracle: dict[str, Any]) -> str:
    """The first figure that differs, in words; empty if all agree."""
    return next(differences(oracle), "")


def differences(oracle: dict[str, Any]) -> Iterator[str]:
    for kind, given, inputs, count in oracle["by hand"]:
        found = registered()[kind](**given).elementwise_ops(*inputs)
        if found != count:
            yield f"elementwise operations of {kind} {given}: {found} for {count}"
    for kind, given, inputs, count in oracle["products"]:
        found = registered()[kind](**given).macs(*inputs)
        if found != count:
            yield f"multiply-adds of {kind} {given}: {found} for {count} products of ones"
    for entry in oracle["networks"]:
        yield from _network(entry)
    yield from _repeats()
    yield from _enlarged_loop()
    yield from _reading_beside()
    yield from _flattened_beside_global()
    for toy in oracle["toys"]:
        yield from _toy(toy)
    for cell in oracle["cells"]:
        yield from _cell(*cell)


# -- whole networks --------------------------------------------------------------------------------
def _graph(entry: dict[str, Any], sides: Any = ()) -> Graph:
    nodes = []
    for name, kind, given, inputs in entry["rows"]:
        if name == entry["inputs"][0] and sides:
            given = {**given, "shape": (*sides, given["shape"][-1])}
        nodes.append((name, registered()[kind](**given), inputs))
    return Graph.of(entry["name"], nodes, entry["outputs"], shared=entry["shared"])


def _network(entry: dict[str, Any]) -> Iterator[str]:
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
        count = sum(_product(shape) for _, shape, _ in entry["weights"][i])
        if row.parameters != count:
            yield f"{at}: {row.parameters} parameters for {count}"
        trained = sum(_product(shape) for _, shape, flag in entry["weights"][i] if flag)
        if row.trainable_parameters != trained:
            yield f"{at}: {row.trainable_parameters} trainable parameters for {trained}"
        if entry["bytes"][i] is not None and row.activation_bytes != entry["bytes"][i]:
            yield f"{at}: {row.activation_bytes} bytes for {entry['bytes'][i]}"
        if entry["flops"][i] is not None:
            read = graph.input_shapes([r.output_shapes for r in report.rows], graph.nodes[i])
            found = tf_profiler.flops(graph.nodes[i].layer, *read)
            if found != entry["flops"][i]:
                yield f"{at}: {found} FLOPs for {entry['flops'][i]}"
    if report.totals.parameters != entry["parameters"]:
        yield f"{where}: {report.totals.parameters} parameters for {entry['parameters']}"
    if entry["peak"] is not None and report.totals.peak_activation_bytes != entry["peak"]:
        yield f"{where}: peak of {report.totals.peak_activation_bytes} bytes for {entry['peak']}"
    yield from _fields(where, graph, report, entry)
    yield from _other_numbers(where, entry)


def _product(shape: Any) -> int:
    found = 1
    for n in shape:
        found *= n
    return found


def _weights(at: str, ours: Any, real: Any) -> Iterator[str]:
    mine = [
        (name if k < len(real) and real[k][0] in (None, "(unnamed)") else w.name, tuple(w.shape), w.trainable)
        for k, (w, name) in enumerate((w, real[k][0] if k < len(real) else "") for k, w in enumerate(ours))
    ]
    if mine != list(real):
        yield f"{at}: weights {mine} for {real}"


def _fields(where: str, graph: Graph, report: Any, entry: dict[str, Any]) -> Iterator[str]:
    known = shapes.infer(graph)
    reads = windows(graph, known)
    axes = spatial_axes(graph, known)
    for i, measured in entry["fields"].items():
        row = report.rows[i]
        for place, boxes, clear in measured:
            predicted = clipped_boxes(graph, known, reads, i, place)
            for root, box in zip(graph.inputs, boxes, strict=True):
                found = [predicted[root][a] for a in axes[root]]
                real = [(0, -1) if box is None else box[a] for a in axes[root]]
                if (clear and None in found) or any(
                    f is not None and f != r for f, r in zip(found, real, strict=True)
                ):
                    yield f"{where}, {row.name} at {place}: field {found} for {real}"
    rows = {row.name: row for row in report.rows}
    for name, what, measured in entry["spreads"]:
        source = what.removeprefix("effective field in ") if " in " in what else entry["inputs"][0]
        found = rows[name].effective_fields[source]
        for one, real in zip(() if found is None else found.sigma, measured, strict=False):
            if real is None or (isinstance(one, float) and isclose(one, real, rel_tol=1e-5, abs_tol=1e-5)):
                continue
            yield f"{where}, {name}: sigma {one} for {real}"


def _other_numbers(where: str, entry: dict[str, Any]) -> Iterator[str]:
    """Symbols at the recorded sizes, and arrays that hold them, give what Keras says."""
    shape = next(given["shape"] for name, _, given, _ in entry["rows"] if name == entry["inputs"][0])
    if len(entry["inputs"]) > 1 or len(shape) < 2:
        return
    sides = shape[:-1]
    try:
        values = {f"s{a}": n for a, n in enumerate(sides)}
        report = analyze(_graph(entry, tuple(map(symbol, values))))
    except ArchcalcError:
        report = None  # fixed sizes that hang on a side
    if report is not None:
        for i, row in enumerate(report.rows):
            found = [tuple(substitute(n, values) for n in s) for s in row.output_shapes]
            if found != entry["shapes"][i]:
                yield f"{where}, {row.name}: symbols give {found} for {entry['shapes'][i]}"
        concrete = analyze(_graph(entry)).totals
        for name in ("parameters", "macs", "elementwise_operations", "training_activation_bytes"):
            one, other = getattr(report.totals, name), getattr(concrete, name)
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


def _repeats() -> Iterator[str]:
    """A block repeated n times has at n = 3 the figures of three blocks."""
    same = {"filters": 4, "padding": "same"}
    kinds: list[list[tuple[str, dict[str, Any]]]] = [
        [
            ("Conv1D", {**same, "kernel_size": 3, "activation": "relu"}),
            ("Conv1D", {**same, "kernel_size": 2}),
        ],
        [("Conv1D", {**same, "kernel_size": 5}), ("BatchNormalization", {})],
        [("Conv1D", {**same, "kernel_size": 3, "padding": "causal", "dilation_rate": 2})],
    ]
    for block in kinds:
        for residual in (True, False):
            n = symbol("n")
            looped, unrolled = _tower(block, 1, residual), analyze(_tower(block, 3, residual))
            at = looped.index()
            first, last = at["b0/0"], at["b0/out"]
            source = Tap(at["stem"])
            general = dataclasses.replace(
                looped, repeats=(Repeat(first, last, source, Tap(last), n),), symbols={"n": None}
            )
            report = analyze(general)
            for name in ("parameters", "trainable_parameters", "macs", "elementwise_operations"):
                one = substitute(getattr(report.totals, name), {"n": 3})
                if one != getattr(unrolled.totals, name):
                    yield f"repeat: {name} {one} for {getattr(unrolled.totals, name)}"
            peak = substitute(report.totals.peak_activation_bytes, {"n": 3})
            if peak != unrolled.totals.peak_activation_bytes:
                yield f"repeat: peak {peak} for {unrolled.totals.peak_activation_bytes}"
            one, other = (r.rows[-1].receptive_fields["x"] for r in (report, unrolled))
            for name in ("size", "min_size", "stride", "offset"):
                a = [substitute(v, {"n": 3}) for v in getattr(one, name)]
                if a != list(getattr(other, name)):
                    yield f"repeat: {name} {a} for {getattr(other, name)}"
            for row, other in zip(report.rows[-4:], unrolled.rows[-4:], strict=True):
                spread, plain = (r.effective_fields["x"].variance[0] for r in (row, other))
                if residual and isinstance(spread, Unknown):
                    continue  # a scale to a symbolic power
                if not isclose(float(substitute(144 * spread, {"n": 3})) / 144, plain, rel_tol=1e-9):
                    yield f"repeat: variance {spread} for {plain}"


def _looped(graph: Graph, first: str, last: str, source: str) -> Graph:
    """The graph with a part of it repeated n times."""
    at, n = graph.index(), symbol("n")
    repeat = Repeat(at[first], at[last], Tap(at[source]), Tap(at[last]), n)
    return dataclasses.replace(graph, repeats=(repeat,), symbols={"n": None})


def _enlarged(times: int) -> Graph:
    made = registered()
    nodes: list[Any] = [
        ("x", made["InputLayer"](shape=(30, 3)), []),
        ("up", made["UpSampling1D"](size=3), ["x"]),
    ]
    for k in range(times):
        # a wider kernel would read a phase that depends on n, and the field would be unknown
        conv = made["Conv1D"](filters=3, kernel_size=1)
        nodes.append((f"b{k}", conv, [nodes[-1][0]]))
    nodes.append(("head", made["Conv1D"](filters=2, kernel_size=2, strides=2), [nodes[-1][0]]))
    return Graph.of("enlarged", nodes, ["head"])


def _enlarged_loop() -> Iterator[str]:
    """A loop behind upsampling moves in phases: again the figures of three blocks at n = 3."""
    general = analyze(_looped(_enlarged(1), "b0", "b0", "up")).rows[-1].receptive_fields["x"]
    plain = analyze(_enlarged(3)).rows[-1].receptive_fields["x"]
    for name in ("size", "min_size", "stride", "offset"):
        one, other = getattr(general, name)[0], getattr(plain, name)[0]
        if isinstance(one, Unknown):
            yield f"enlarged loop: {name} is unknown"
        elif (substitute(one, {"n": 3}) if arith.is_symbolic(one) else one) != other:
            yield f"enlarged loop: {name} {one} for {other}"
    spread = (
        analyze(
            _looped(
                _tower([("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "same"})], 1, False),
                "b0/0",
                "b0/out",
                "stem",
            )
        )
        .rows[-1]
        .effective_fields["x"]
    )
    if not isinstance(spread.sigma[0], str) or "n" not in spread.sigma[0]:
        yield f"the spread behind a loop has no closed form: {spread.sigma[0]}"


def _reading_beside() -> Iterator[str]:
    """Each copy of a loop reads another layer beside its input: fields are unknown, and say why."""
    made, conv = registered(), {"filters": 3, "kernel_size": 3, "padding": "same"}
    graph = Graph.of(
        "beside",
        [
            ("x", made["InputLayer"](shape=(30, 3)), []),
            ("early", made["Conv1D"](**conv), ["x"]),
            ("stem", made["Conv1D"](**conv), ["early"]),
            ("b", made["Conv1D"](**conv), ["stem"]),
            ("add", made["Add"](), ["b", "early"]),
        ],
        ["add"],
    )
    for row in analyze(_looped(graph, "b", "add", "stem")).rows[-1:]:
        size = row.receptive_fields["x"].size
        if len(size) != 1 or not isinstance(size[0], Unknown) or "early" not in size[0].reason:
            yield f"a loop that reads beside its input: field {size}"


def _flattened_beside_global() -> Iterator[str]:
    """Units of a flattened axis beside ones that see the whole axis: all see all of it.

    Beside one that sees a part only, the size is not known.
    """
    made = registered()
    for kind, given, whole in (("Dense", {"units": 24}, True), ("Cropping1D", {"cropping": (2, 3)}, False)):
        nodes: list[Any] = [("x", made["InputLayer"](shape=(8, 3)), []), ("flat", made["Flatten"](), ["x"])]
        before = "x"
        if not whole:
            nodes.append(("part", made[kind](**given), ["x"]))
            before = "part"
        nodes.append(("all", made["Flatten"](), [before]))
        nodes.append(("dense", made["Dense"](units=24), ["all"]))
        nodes.append(("add", made["Add"](), ["flat", "dense"]))
        size = analyze(Graph.of("flattened", nodes, ["add"])).rows[-1].receptive_fields["x"].size[0]
        if (size != 8) if whole else not isinstance(size, Unknown):
            yield f"a flattened axis beside {kind}: field {size}"


def _tower(block: Any, times: int, residual: bool) -> Graph:
    made = registered()
    nodes: list[Any] = [
        ("x", made["InputLayer"](shape=(60, 3)), []),
        ("stem", made["Conv1D"](filters=4, kernel_size=4, strides=3), ["x"]),
    ]
    for k in range(times):
        before = nodes[-1][0]
        for i, (kind, given) in enumerate(block):
            nodes.append((f"b{k}/{i}", made[kind](**given), [nodes[-1][0]]))
        ends = [nodes[-1][0], before] if residual else [nodes[-1][0]]
        nodes.append((f"b{k}/out", made["Add"]() if residual else made["Identity"](), ends))
    # a branch of other reach beside the loop: where means differ, they enter the variance
    nodes.append(("beside", made["Conv1D"](filters=4, kernel_size=2, padding="same"), ["stem"]))
    nodes.append(("both", made["Average"](), [nodes[-2][0], "beside"]))
    nodes.append(("head", made["Conv1D"](filters=2, kernel_size=2), ["both"]))
    return Graph.of("tower", nodes, ["head"])


# -- brute force -------------------------------------------------------------------------------------
@family
class Toy(Weightless, NoMacs):
    """A layer whose output shape and reads are given."""

    out: Untracked
    reads: Untracked

    def output_shape(self, *inputs: Any) -> Any:
        return tuple(self.out)

    def window(self, *inputs: Any) -> Any:
        return tuple(self.reads)

    def elementwise_ops(self, *inputs: Any) -> Any:
        return 0

    def stages(self, *inputs: Any) -> Any:
        return (Unbounded("nothing is said about values"),)

    def shares(self, *inputs: Any) -> Any:
        return reads_of.Shares(tuple(range(1, len(inputs) + 1)))


def _toy(toy: dict[str, Any]) -> Iterator[str]:
    nodes: list[Any] = []
    for name, shape, given, inputs in toy["rows"]:
        if not inputs:
            nodes.append((name, registered()["InputLayer"](shape=shape), []))
            continue
        made = tuple(tuple(getattr(reads_of, kind)(**fields) for kind, fields in window) for window in given)
        nodes.append((name, Toy(out=shape, reads=made), inputs))
    graph = Graph.of("toy", nodes, [toy["output"]])
    known = shapes.infer(graph)
    at = graph.index()
    fields = receptive_field.fields(graph, known, "all")
    spreads = effective_field.effective_fields(graph, known)
    for wanted in toy["expected"]:
        axis, field = wanted["axis"], fields[at[wanted["node"]]][wanted["root"]]
        where = f"toy {toy['rows']}, {wanted['node']} in {wanted['root']}, axis {axis}"
        if field is None:
            if wanted["size"]:
                yield f"{where}: nothing for {wanted['size']}"
            continue
        for name in ("size", "min_size", "local_size", "offset", "is_global", "clipped_size", "stride"):
            found = getattr(field, name)[axis]
            if name == "stride" and "stride" not in wanted:
                continue
            if isinstance(found, Unknown):
                if name in wanted["known"]:
                    yield f"{where}: {name} is unknown, {found.reason}"
                continue
            if (found or 0 if name == "local_size" else found) != wanted[name]:
                yield f"{name} {found} for {wanted[name]}: {where}"
        spread = spreads[at[wanted["node"]]][wanted["root"]]
        if wanted["variance"] == "not measured" or spread is None:
            continue
        found = spread.variance[axis]
        if isinstance(found, Unknown):
            if "variance" in wanted["known"]:
                yield f"{where}: variance is unknown, {found.reason}"
        elif wanted["variance"] is None or not isclose(found, wanted["variance"], rel_tol=1e-9, abs_tol=1e-9):
            yield f"variance {found} for {wanted['variance']}: {where}"


# -- single layers -------------------------------------------------------------------------------------
def _cell(kind: str, given: Any, inputs: Any, shape: Any, weights: Any) -> Iterator[str]:
    at = f"{kind} {given} on {inputs}"
    try:
        layer = registered()[kind](**given)
        found = tuple(layer.output_shape(*inputs))
        mine = layer.weights(*inputs)
    except LayerError:
        if shape is not None:
            yield f"{at}: refused, Keras says {shape}"
        return
    if shape is None:
        yield f"{at}: {found}, Keras refuses"
        return
    if found != tuple(shape):
        yield f"{at}: {found} for {shape}"
    yield from _weights(at, mine, weights)
    values: dict[str, int] = {}

    def twin(n: int) -> Any:
        values[f"s{len(values)}"] = n
        return symbol(f"s{len(values) - 1}")

    general = tuple(tuple(n if n == 1 else twin(n) for n in s) for s in inputs)
    with arith.scope():
        general_shape = layer.output_shape(*general)
        macs, ops = layer.macs(*general), layer.elementwise_ops(*general)
        sizes = [w.parameters for w in layer.weights(*general)]
        layer.window(*general)
    layer.window(*inputs)
    if tuple(substitute(n, values) for n in general_shape) != found:
        yield f"{at}: symbols give {general_shape}"
    if [substitute(n, values) for n in (macs, ops)] != [layer.macs(*inputs), layer.elementwise_ops(*inputs)]:
        yield f"{at}: work by symbols"
    if [substitute(n, values) for n in sizes] != [w.parameters for w in mine]:
        yield f"{at}: parameters by symbols"
