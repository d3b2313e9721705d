"""Figures of a training step with repeated blocks, against the network whose copies are written out.

A first copy may have no gradient at its input where later ones have one, and of a block inside another, or of
one that is recomputed, the last copy is another one.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import archcalc
from archcalc.analyses.memory.lifetimes import Moment
from archcalc.analyses.memory.peak import Course
from archcalc.arith import substitute
from archcalc.arith.unknown import Unknown
from archcalc.graph import Tap
from archcalc.graph.substitution import with_first_copies

LARGE = 6  # copies from which on the peaks' closed forms hold


def conv(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same", **more}


def gelu(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "Activation", "activation": "gelu", **more}


def frozen(name: str) -> dict[str, Any]:
    return conv(name, trainable=False)


def inner(block: str) -> dict[str, Any]:
    return {"name": "in", "block": block, "repeat": "m"}


def merged(kind: str, *inputs: str) -> dict[str, Any]:
    return {"name": "merged", "type": kind, "inputs": [*inputs]}


INNER = {"inner": [gelu("z"), conv("c")], "still": [gelu("z"), frozen("c")]}
BLOCKS: dict[str, list[dict[str, Any]]] = {
    "a convolution": [conv("k")],
    "preactivation": [{"name": "b", "type": "BatchNormalization"}, {"name": "r", "type": "ReLU"}, conv("k")],
    "a frozen layer first": [frozen("f"), conv("k")],
    "noise first": [{"name": "d", "type": "Dropout", "rate": 0.5}, conv("k"), gelu("g")],
    "a residual": [gelu("r"), conv("k"), merged("Add", "k", "input")],
    "a gate": [conv("k"), gelu("r"), merged("Multiply", "r", "input")],
    "nothing trained": [frozen("k"), {"name": "r", "type": "ReLU"}],
    "a gradient that is stopped": [gelu("g"), conv("k"), {"name": "stop", "type": "ops.stop_gradient"}],
    "a branch that is trained and leads nowhere": [gelu("z"), conv("k"), {**frozen("y"), "inputs": ["z"]}],
    "a block between": [gelu("g"), inner("inner"), conv("k")],
    "a block first": [inner("inner"), gelu("g")],
    "a block last": [gelu("g"), conv("k"), inner("inner")],
    "a block alone": [inner("inner")],
    "a block beside a residual": [inner("inner"), merged("Add", "in", "input")],
    "a block beside a gate": [conv("k"), inner("inner"), merged("Multiply", "in", "k")],
    "a frozen block": [conv("k"), inner("still"), merged("Multiply", "in", "input")],
    "a frozen block first": [inner("still"), conv("k")],
}
STEMS = {
    "the batch": [],
    "a frozen layer": [frozen("s")],
    "a trained layer": [conv("s")],
    "an activation": [gelu("s")],
    "a gradient that is stopped": [conv("s"), {"name": "stop", "type": "ops.stop_gradient"}],
}


def network(block: str, stem: str, n: int | str, m: int | str) -> dict[str, Any]:
    """A network with n copies of a block, in which a block has m copies."""
    layers = [{**layer, "repeat": m} if "repeat" in layer else layer for layer in BLOCKS[block]]
    uses = {layer["block"] for layer in layers if "block" in layer}
    counts = {"n": n, **({"m": m} if uses else {})}
    return {
        "archcalc": 1,
        "symbols": {name: None for name, count in counts.items() if count == name},
        "inputs": {"x": [8, 8, 4]},
        "blocks": {"body": {"layers": layers}, **{name: {"layers": INNER[name]} for name in uses}},
        "layers": [*STEMS[stem], {"name": "b", "block": "body", "repeat": n}, {**conv("end"), "filters": 2}],
    }


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("checkpoint", [(), ("b",)], ids=["kept", "recomputed"])
def test_closed_forms_are_those_of_copies_that_are_written_out(
    block: str, stem: str, checkpoint: tuple[str, ...]
) -> None:
    nested = any("repeat" in layer for layer in BLOCKS[block])
    if checkpoint and "nowhere" in block:
        pytest.skip("other layers run between those of the block")
    forms = archcalc.analyze(network(block, stem, "n", "m"), checkpoint=checkpoint or None).totals
    for n, m in product((1, 2, LARGE), (1, LARGE) if nested else (1,)):
        written = archcalc.analyze(network(block, stem, n, m), checkpoint=checkpoint or None).totals
        for name in ("macs", "training_macs", "training_activation_bytes", "training_bytes"):
            form = getattr(forms, name)
            if name == "training_bytes" and (n < LARGE or (nested and m < LARGE)):
                continue
            if isinstance(form, Unknown):
                assert "nowhere" in block or (checkpoint and nested and name == "training_macs"), form.reason
                continue
            assert substitute(form, {"n": n, "m": m}) == getattr(written, name), (name, n, m, str(form))


def test_the_first_of_equal_layers_on_a_batch_computes_no_gradient_for_it() -> None:
    totals = archcalc.analyze(network("a convolution", "the batch", "n", 1)).totals
    one = 8 * 8 * 3 * 3 * 4 * 4
    last = 8 * 8 * 3 * 3 * 4 * 2
    assert str(totals.training_macs) == f"{3 * one}*n + {3 * last - one}"


def test_first_copies_are_nodes_of_their_own_and_keep_their_names() -> None:
    graph = archcalc.load(network("a convolution", "an activation", "n", 1))
    apart, origin = with_first_copies(graph, graph.repeats)
    assert [node.name for node in apart.nodes] == ["x", "s", "b[1]/k", "b[*]/k", "end"]
    assert origin == [0, 1, 2, 2, 3]
    (repeat,) = apart.repeats
    assert (repeat.first, repeat.last, repeat.source, repeat.out) == (3, 3, Tap(2), Tap(3))
    assert (str(repeat.count), repeat.least) == ("n - 1", 0)


def test_what_runs_again_is_named_as_in_the_network() -> None:
    """Where the first copies are nodes of their own too, and where a name speaks of one copy."""
    spec = network("noise first", "the batch", "n", 1)
    named, of_one = (archcalc.analyze(spec, checkpoint=(name,)) for name in ("b", "b[*]"))
    assert [finding.layer for finding in named.findings] == ["b[*]/d"]
    assert named.totals.training_bytes == of_one.totals.training_bytes


def test_a_run_has_the_numbers_of_the_network_that_it_stands_for() -> None:
    course = Course([Moment(1, 2, 3, None, "loss"), Moment(2, 1, 4, 1, "backward")]).renumbered([5, 6])
    assert [moment.node for moment in course.moments] == [None, 6]
