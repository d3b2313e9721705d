"""Recomputed blocks: which layers they are, what a step saves and pays; by hand and against TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

import archcalc
from archcalc import ArchcalcError
from archcalc.cli import main
from archcalc.graph import Graph
from tests.analyses.memory.test_step_work import macs_in
from tests.networks import made

MIB = 2**20
PAIR = [
    {"name": "a", "type": "Dense", "units": 64, "activation": "relu"},
    {"name": "b", "type": "Dense", "units": 16},
]
CONVOLUTIONS = [
    {"name": "a", "type": "Conv2D", "filters": 32, "kernel_size": 3, "padding": "same", "activation": "gelu"},
    {"name": "b", "type": "Conv2D", "filters": 32, "kernel_size": 3, "padding": "same"},
    {"name": "n", "type": "BatchNormalization"},
    {"name": "r", "type": "ReLU"},
]


def network(*layers: dict[str, Any], block: Any = PAIR, shape: Any = (16,)) -> dict[str, Any]:
    return {
        "archcalc": 1,
        "symbols": {"n": 4},
        "inputs": {"x": list(shape)},
        "blocks": {"pair": {"layers": block}},
        "layers": list(layers),
    }


STACK = network(
    {"name": "stem", "block": "pair"},
    {"name": "body", "block": "pair", "repeat": "n"},
    {"name": "head", "type": "Dense", "units": 3},
)


def blocks(source: Any, names: str) -> tuple[str, ...]:
    made = archcalc.analyze(source, checkpoint=names).checkpoint
    assert made is not None
    return made.blocks


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("stem", ("stem",)),
        ("body", ("body[1]", "body[2]", "body[3]", "body[4]")),
        ("body[2], stem", ("body[2]", "stem")),
        ("head", ("head",)),
        ("body/a", ("body[1]/a", "body[2]/a", "body[3]/a", "body[4]/a")),
    ],
)
def test_a_name_means_a_block_all_copies_of_one_or_a_layer(names: str, expected: tuple[str, ...]) -> None:
    assert blocks(STACK, names) == expected


def test_blocks_of_keras_end_at_underscores() -> None:
    assert blocks("keras:ResNet50", "conv2_block1,conv3") == ("conv2_block1", "conv3")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("bodi", "no block is named 'bodi'; did you mean 'body'?"),
        ("x", "no block is named 'x'; the blocks are stem, body, stem/a"),
        ("stem,stem/a", "'stem' and 'stem/a' have layers in common; name one of them"),
        (" , ", "expected names of blocks"),
    ],
)
def test_other_names_are_refused(names: str, reason: str) -> None:
    with pytest.raises(ArchcalcError, match="checkpoint: ") as refused:
        archcalc.analyze(STACK, checkpoint=names)
    assert reason in str(refused.value)


def test_a_block_between_whose_layers_others_run_is_refused() -> None:
    dense = made("Dense", units=4)
    nodes = [("x", made("InputLayer", shape=(4,)), [])]
    nodes += [(name, dense, [before]) for name, before in (("s/a", "x"), ("t", "s/a"), ("s/b", "t"))]
    with pytest.raises(ArchcalcError, match="'s' cannot run as one"):
        archcalc.analyze(Graph.of("g", nodes, ["s/b"]), checkpoint="s")


def test_bytes_and_multiply_adds_by_hand() -> None:
    """Of a block only what its backward pass reads is computed again: not its last product."""
    plain, saving = (archcalc.analyze(STACK, batch=100, checkpoint=names) for names in (None, "body"))
    assert saving.checkpoint is not None
    assert saving.checkpoint.macs == 4 * 16 * 64  # of one sample: the first layer of each copy
    assert saving.totals.training_macs == plain.totals.training_macs + 4 * 16 * 64
    kept = plain.totals.training_activation_bytes - saving.totals.training_activation_bytes
    assert kept == 4 * 4 * 64 * 100  # the output of each of these layers
    assert saving.checkpoint.bytes_saved == plain.totals.training_bytes - saving.totals.training_bytes > 0
    assert saving.rows[6].training_activation_bytes == 4 * 16 * 100
    assert saving.totals.peak_activation_bytes == plain.totals.peak_activation_bytes


def test_a_frozen_block_is_not_run_again() -> None:
    frozen = [{**layer, "trainable": False} for layer in PAIR]
    source = network(
        {"name": "s", "block": "pair"}, {"name": "head", "type": "Dense", "units": 3}, block=frozen
    )
    made = archcalc.analyze(source, checkpoint="s").checkpoint
    assert made is not None
    assert (made.bytes_saved, made.macs) == (0, 0)


def test_layers_that_do_not_compute_the_same_again_are_named() -> None:
    block = [*PAIR, {"name": "d", "type": "Dropout", "rate": 0.1}, *CONVOLUTIONS[2:], PAIR[1] | {"name": "e"}]
    source = network({"name": "body", "block": "pair", "repeat": 2}, block=block)
    plain, saving = (archcalc.analyze(source, checkpoint=names) for names in (None, "body"))
    assert not plain.findings
    assert [(f.rule, f.layer) for f in saving.findings] == [
        ("recomputed-layer", "body[1]/d"),
        ("recomputed-layer", "body[1]/n"),
    ]


@pytest.mark.parametrize("names", ["body", "stem,body", "body/a"])
@pytest.mark.parametrize("n", [4, 5, 7])
def test_a_symbolic_number_of_copies_counts_as_they_do_one_by_one(names: str, n: int) -> None:
    unrolled = archcalc.analyze(STACK, {"n": n}, batch=100, checkpoint=names).totals
    symbolic = archcalc.analyze(STACK, {"n": None}, batch=100, checkpoint=names).totals
    for figure in ("training_macs", "training_activation_bytes", "training_bytes"):
        assert archcalc.arith.substitute(getattr(symbolic, figure), {"n": n}) == getattr(unrolled, figure)
    assert [c.text for c in symbolic.premises("training_bytes")] == ["n >= 4"]
    assert not symbolic.premises("training_macs")


def traced(source: Any, span: tuple[int, int]) -> int:
    """The multiply-adds of a step in which `keras.remat` recomputes these layers of a chain."""
    layers = archcalc.to_keras(archcalc.load(source)).layers[1:]
    variables = [v.value for layer in layers for v in layer.trainable_variables]

    def run(x: Any, part: list[Any]) -> Any:
        for layer in part:
            x = layer(x)
        return x

    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            x = run(x, layers[: span[0]])
            x = keras.remat(lambda x: run(x, layers[slice(*span)]))(x)
            loss = tf.reduce_sum(tf.square(run(x, layers[span[1] :])))
        return tape.gradient(loss, variables)

    shape = source["inputs"]["x"]
    return macs_in(tf.function(step).get_concrete_function(tf.TensorSpec((1, *shape))))


@pytest.mark.parametrize("block", [PAIR, CONVOLUTIONS[:2], [CONVOLUTIONS[1], CONVOLUTIONS[3]]])
def test_multiply_adds_are_those_of_keras_remat(block: Any) -> None:
    shape = [6, 5, 3] if block[0]["type"] == "Conv2D" else [16]
    source = network(
        {"name": "stem", "type": "Dense", "units": 32},
        {"name": "body", "block": "pair"},
        {"name": "head", "type": "Dense", "units": 3},
        block=block,
        shape=shape,
    )
    counted = archcalc.analyze(source, checkpoint="body").totals.training_macs
    assert counted == traced(source, (1, 1 + len(block)))


@pytest.mark.parametrize(("names", "measured"), [(None, 412), ("body", 185)])
def test_peaks_are_near_those_that_were_measured_with_keras_remat(names: str | None, measured: int) -> None:
    """On a CPU, of `keras.remat` around each of five blocks (docs/evidence/memory.md)."""
    source = network(
        {"name": "s", "type": "Dense", "units": 32},
        {"name": "body", "block": "pair", "repeat": 5},
        {"name": "g", "type": "GlobalAveragePooling2D"},
        {"name": "o", "type": "Dense", "units": 10},
        block=CONVOLUTIONS,
        shape=(64, 64, 8),
    )
    step = archcalc.analyze(source, batch=24, checkpoint=names).totals.training_bytes
    assert 0.92 <= step / MIB / measured <= 1.05


def test_every_output_names_what_is_saved_and_paid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "stack.json"
    file.write_text(json.dumps(STACK))
    assert main(["analyze", str(file), "--checkpoint", "stem", "--batch", "100"]) == 0
    assert "stem recomputed: a training step holds" in " ".join(capsys.readouterr().out.split())
    assert main(["analyze", str(file), "--checkpoint", "stem", "--format", "json"]) == 0
    made = json.loads(capsys.readouterr().out)["checkpoint"]
    assert made["blocks"] == ["stem"]
    assert made["recomputed_macs"] == 16 * 64
    assert main(["analyze", str(file), "--checkpoint", "stam"]) == 2
    assert "no block is named 'stam'; did you mean 'stem'?" in capsys.readouterr().err
