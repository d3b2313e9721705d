"""Peak memory against brute force, and the best order against all orders, on random graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc import to_keras
from archcalc.analyses.memory import inference, peak, schedule
from archcalc.analyses.memory.blocks import Block
from archcalc.analyses.memory.held import Call, Held
from archcalc.analyses.memory.order import is_forced, keras_order
from archcalc.analyze import analyze
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.graph import Graph, Node, Tap
from tests.analyses.memory import brute_force as by_definition
from tests.networks import chain, made, residual, tower

Calls = list[Call]
ANY = made("Identity")  # peaks depend on the bytes of tensors, not on layers


def brute_force(
    graph: Graph,
    calls: Calls,
    order: Sequence[int],
    blocks: Sequence[Sequence[int]] = (),
    *,
    training: bool = False,
) -> int:
    """The peak by definition."""
    batch: dict[Any, int] = {
        Tap(i, k): int(size) for i in graph.inputs for k, size in enumerate(calls[i].outputs)
    }
    ends: set[Any] = set(graph.outputs)
    batch |= by_definition.labels(graph, calls) if training else {}
    times = (
        by_definition.step(graph, calls, order, blocks)
        if training
        else by_definition.forward(graph, calls, order, training=False)
    )
    return by_definition.peak(times, batch, ends)


WAYS = st.sampled_from(["new", "new", "reused", "view"])


@st.composite
def call(draw: st.DrawFn, outputs: list[int], flows: tuple[bool, ...]) -> Call:
    """What a call holds, at random."""
    some = st.integers(0, 9)
    sparse = draw(st.integers(0, 4)) == 0
    held = Held(output=draw(st.booleans()), value=draw(WAYS), gradient=draw(WAYS), sparse=sparse)
    trained = draw(st.booleans())
    reads = tuple(k for k in range(len(flows)) if draw(st.booleans()))
    inside = {name: draw(some) for name in ("inference", "saved", "forward", "backward", "into", "early")}
    gradients = draw(some) if trained else 0
    copies = draw(st.integers(0, 2))
    return Call(
        tuple(outputs),
        held,
        **inside,
        gradients=gradients,
        copies=copies,
        trained=trained,
        flows=flows,
        reads=reads,
    )


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> tuple[Graph, Calls]:
    """Random graphs: several inputs and outputs, nodes with several outputs, tensors read twice or never."""
    count = draw(st.integers(1, most))
    sizes = [draw(st.lists(st.sampled_from([0, 2, 5, 5, 9]), min_size=1, max_size=2)) for _ in range(count)]
    nodes: list[Node] = []
    calls: Calls = []
    for i in range(count):
        taps = [Tap(n, k) for n in range(i) for k in range(len(sizes[n]))]
        few = st.lists(st.sampled_from(taps), min_size=1, max_size=3) if taps else st.just([])
        reads = draw(st.just([]) if i and draw(st.integers(0, 9)) == 0 else few)
        owners = [n for n in range(i) if calls[n].trained and nodes[n].shared_with is None]
        shared = draw(st.sampled_from(owners)) if reads and owners and draw(st.integers(0, 3)) == 0 else None
        nodes.append(Node(f"n{i}", ANY, tuple(reads), shared))
        drawn = draw(call(sizes[i], tuple(calls[t.node].has_gradient for t in reads)))
        if not reads:
            drawn = Call(tuple(sizes[i]), Held())
        elif shared is not None:
            drawn = drawn._replace(trained=True, gradients=calls[shared].gradients)
        calls.append(drawn)
    inputs = tuple(i for i, node in enumerate(nodes) if not node.inputs)
    taps = [Tap(n, k) for n in range(count) for k in range(len(sizes[n]))]
    outputs = draw(st.lists(st.sampled_from(taps), min_size=1, max_size=2, unique=True))
    return Graph("random", tuple(nodes), inputs, tuple(outputs)), calls


def all_orders(graph: Graph, done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    if len(done) == len(graph.nodes):
        yield done
    for i, node in enumerate(graph.nodes):
        if i not in done and all(tap.node in done for tap in node.inputs):
            yield from all_orders(graph, (*done, i))


def an_order(graph: Graph, data: st.DataObject) -> list[int]:
    """Any order in which nodes can run."""
    order: list[int] = []
    while len(order) < len(graph.nodes):
        ready = [
            i
            for i, node in enumerate(graph.nodes)
            if i not in order and all(tap.node in order for tap in node.inputs)
        ]
        order.append(data.draw(st.sampled_from(ready)))
    return order


@settings(max_examples=500)
@given(graphs(), st.data())
def test_peak_equals_brute_force(drawn: tuple[Graph, Calls], data: st.DataObject) -> None:
    """Of a forward pass and of a training step; in Keras's order, and in any other."""
    graph, calls = drawn
    order = an_order(graph, data)
    for any_order in (order, keras_order(graph)):
        course = peak.inference(graph, calls, any_order)
        highest = peak.peak(course, 1)
        assert highest.bytes == brute_force(graph, calls, any_order)
        assert sum(size for _, size in highest.held) <= highest.bytes
        step = peak.training(graph, calls, any_order, 7)
        assert step.at(1) == 7 + brute_force(graph, calls, any_order, training=True)
        assert peak.training(graph, calls, any_order, 7, (), course.run) == step
    _, usual, best, best_order, _ = inference.inference(graph, calls, keras_order(graph), 1)
    assert usual.bytes == brute_force(graph, calls, keras_order(graph))
    if best_order is None:
        assert best == usual
    else:
        assert best.bytes == brute_force(graph, calls, best_order) < usual.bytes


@settings(max_examples=500)
@given(graphs(), st.data())
def test_peak_with_recomputation_equals_brute_force(drawn: tuple[Graph, Calls], data: st.DataObject) -> None:
    """Blocks are any parts of any order that have no inputs of the network in them."""
    graph, calls = drawn
    order = an_order(graph, data)
    order = [*graph.inputs, *(i for i in order if i not in graph.inputs)]
    ends = sorted(data.draw(st.sets(st.integers(len(graph.inputs), len(order)), max_size=4)))
    parts = [order[a:b] for a, b in zip(ends[::2], ends[1::2], strict=False)]
    chosen = [Block(f"part {n}", tuple(sorted(part))) for n, part in enumerate(parts)]
    step = peak.training(graph, calls, order, 7, chosen)
    assert step.at(1) == 7 + brute_force(graph, calls, order, parts, training=True)


@given(graphs(), st.integers(1, 300))
def test_the_largest_batch_is_that_of_the_peak(drawn: tuple[Graph, Calls], memory: int) -> None:
    graph, calls = drawn
    step = peak.training(graph, calls, keras_order(graph), 3)
    largest = step.largest_batch(memory)
    if largest is None:
        assert step.at(10**6) <= memory
    else:
        assert not largest or step.at(largest) <= memory
        assert step.at(largest + 1) > memory


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 9)), max_size=12))
def test_of_moments_those_are_left_that_no_other_one_exceeds(moments: list[tuple[int, int, int]]) -> None:
    def exceeds(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
        """With every batch; of equal ones the earlier one."""
        return a[0] >= b[0] and a[1] >= b[1] and (a[:2] != b[:2] or a[2] < b[2])

    left = {m for m in moments if not any(exceeds(other, m) for other in moments)}
    highest = peak._highest(moments)
    assert sorted(highest) == sorted(left)
    events = [event for _, _, event in highest]
    assert events == sorted(events)


@settings(max_examples=100)
@given(graphs(most=7))
def test_the_best_order_is_the_best_of_all(drawn: tuple[Graph, Calls]) -> None:
    graph, calls = drawn
    memory = inference.inference(graph, calls, keras_order(graph), 1)
    assert memory.optimal
    assert memory.best.bytes == min(brute_force(graph, calls, order) for order in all_orders(graph))


@given(graphs())
def test_without_a_search_an_order_is_called_optimal_only_if_it_is(drawn: tuple[Graph, Calls]) -> None:
    graph, calls = drawn
    order = keras_order(graph)
    usual = peak.peak(peak.inference(graph, calls, order), 1)
    start = schedule.Schedule(order, brute_force(graph, calls, order), False)
    searched = schedule.best(graph, calls, 1, start, usual.node)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "MAX_NODES", 0)
        patch.setattr(schedule, "MAX_PART", 0)
        greedy = schedule.best(graph, calls, 1, start, usual.node)
    assert searched.optimal
    assert greedy.bytes == brute_force(graph, calls, greedy.order) >= searched.bytes
    assert not greedy.optimal or greedy.bytes == searched.bytes


@st.composite
def blocks_in_a_row(draw: st.DrawFn) -> tuple[Graph, Calls]:
    """Blocks of one or two branches between nodes that everything passes through."""
    nodes, calls = [Node("x", ANY)], [Call((draw(st.integers(0, 9)),), Held())]
    for block in range(draw(st.integers(1, 3))):
        start, ends = len(nodes) - 1, []
        for branch in range(draw(st.integers(1, 2))):
            end = start
            for step in range(draw(st.integers(1, 2))):
                nodes.append(Node(f"{block}/{branch}/{step}", ANY, (Tap(end),)))
                calls.append(draw(call([draw(st.sampled_from([1, 4, 4, 9]))], (False,))))
                end = len(nodes) - 1
            ends.append(Tap(end))
        nodes.append(Node(f"{block}/join", ANY, tuple(ends)))
        calls.append(draw(call([draw(st.sampled_from([1, 4, 9]))], (False,) * len(ends))))
    outputs = {Tap(len(nodes) - 1), Tap(draw(st.integers(0, len(nodes) - 1)))}
    return Graph("row", tuple(nodes), (0,), tuple(outputs)), calls


@settings(max_examples=200)
@given(blocks_in_a_row())
def test_the_best_order_is_found_part_by_part(drawn: tuple[Graph, Calls]) -> None:
    graph, calls = drawn
    memory = inference.inference(graph, calls, keras_order(graph), 1)
    assert memory.optimal
    assert memory.best.bytes == min(brute_force(graph, calls, order) for order in all_orders(graph))


def test_a_search_that_ends_at_its_limit_is_not_called_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, calls = _branches(6)
    monkeypatch.setattr(schedule, "MAX_RUNS", 3)
    assert not inference.inference(graph, calls, keras_order(graph), 1).optimal


def _branches(count: int) -> tuple[Graph, Calls]:
    """Branches whose first layer has a large output, all of which Keras's order holds at once."""
    nodes = [Node("x", ANY)]
    sizes = [[1]]
    for b in range(count):
        for step, size in enumerate((10 + b, 1 + b % 2)):
            nodes.append(Node(f"b{b}/{step}", ANY, (Tap(0 if step == 0 else len(nodes) - 1),)))
            sizes.append([size])
    nodes.append(Node("join", ANY, tuple(Tap(2 + 2 * b) for b in range(count))))
    sizes.append([1])
    calls = [Call((size,), Held()) for (size,) in sizes]
    return Graph("branches", tuple(nodes), (0,), (Tap(len(nodes) - 1),)), calls


def test_an_order_that_needs_less_than_that_of_keras() -> None:
    graph, calls = _branches(4)
    memory = inference.inference(graph, calls, keras_order(graph), 1)
    # Keras holds the large outputs of all four branches; one branch after the other holds one of them
    assert memory.usual.bytes == 1 + 10 + 11 + 12 + 13 + 1
    assert memory.optimal
    assert memory.best.bytes == brute_force(graph, calls, memory.order or ()) < memory.usual.bytes


def test_a_report_shows_both_orders() -> None:
    graph = residual(8)
    usual, best = analyze(graph).peaks
    side = 8 * 8 * 4 * 4
    image = 8 * 8 * 3 * 4
    assert usual.held == {"image": image, "stem": side, "body/norm": side, "body/b": side}
    assert (usual.bytes, usual.layer, usual.optimal) == (image + 3 * side, "body/b", True)
    assert best == usual
    wide = Graph.of(
        "wide",
        [
            ("x", made("InputLayer", shape=(4,)), []),
            *((f"up{i}", made("Dense", units=100), ["x"]) for i in range(3)),
            *((f"down{i}", made("Dense", units=5), [f"up{i}"]) for i in range(3)),
            ("join", made("Add"), [f"down{i}" for i in range(3)]),
        ],
        ["join"],
    )
    report = analyze(wide)
    usual, best = report.peaks
    assert usual.bytes == report.totals.peak_activation_bytes == 4 * (4 + 3 * 100 + 5)
    assert best.bytes == report.totals.best_peak_activation_bytes == 4 * (4 + 2 * 5 + 100 + 5)
    assert best.order is not None
    assert best.order.index("down0") < best.order.index("up2")
    assert "no order needs less" in str(report.to_markdown())
    assert report.to_dict()["peak_activations"]["best_order"]["bytes"] == 476


def test_with_symbols_the_best_order_is_unknown() -> None:
    for graph in (tower(), Graph.of("s", _two_branches(), ["join"])):
        best = analyze(graph).totals.best_peak_activation_bytes
        assert isinstance(best, Unknown)
        assert "--set" in best.reason
    # a chain has only one order, whose peak is the best
    forced = chain("x", (symbol("n"), 3), ("a", made("Dense", units=3)))
    assert is_forced(forced)
    totals = analyze(forced).totals
    assert totals.best_peak_activation_bytes == totals.peak_activation_bytes


def _two_branches() -> list[Any]:
    return [
        ("x", made("InputLayer", shape=(symbol("n"), 4)), []),
        ("a", made("Dense", units=4), ["x"]),
        ("b", made("Dense", units=4), ["x"]),
        ("join", made("Add"), ["a", "b"]),
    ]


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Dense and Add layers on vectors of equal width, some of them shared."""
    nodes: list[tuple[str, Any, list[str]]] = [
        (f"in{i}", made("InputLayer", shape=(2,)), []) for i in range(draw(st.integers(1, 2)))
    ]
    shared: dict[str, str] = {}
    for i in range(draw(st.integers(2, 12))):
        names = [name for name, _, _ in nodes]
        before = st.sampled_from(names[-4:])
        owners = [name for name in names if name.startswith("dense") and name not in shared]
        kind = draw(st.sampled_from(["dense", "dense", "add", "shared"]))
        if kind == "add":
            nodes.append((f"add{i}", made("Add"), [draw(before), draw(before)]))
            continue
        if kind == "shared" and owners:
            shared[f"again{i}"] = draw(st.sampled_from(owners))
        name = f"again{i}" if f"again{i}" in shared else f"dense{i}"
        nodes.append((name, made("Dense", units=2), [draw(before)]))
    read = {name for _, _, inputs in nodes for name in inputs}
    ends = [name for name, _, _ in nodes if name not in read]
    return Graph.of("net", nodes, draw(st.permutations(ends)), shared=shared)


@settings(max_examples=25)
@given(networks())
def test_the_order_is_that_of_keras(graph: Graph) -> None:
    """Compares all nodes except the inputs."""
    model = to_keras(graph)
    ran = [
        (node.operation.name, node.operation._inbound_nodes.index(node))
        for depth in sorted(model._nodes_by_depth, reverse=True)
        for node in model._nodes_by_depth[depth]
        if not node.is_input
    ]
    calls: dict[int, int] = {}
    number = {}
    for i, node in enumerate(graph.nodes):
        owner = i if node.shared_with is None else node.shared_with
        calls[owner] = calls.get(owner, -1) + 1
        number[i] = (graph.nodes[owner].name, calls[owner])
    assert [number[i] for i in keras_order(graph) if i not in graph.inputs] == ran
