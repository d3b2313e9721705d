"""The activations that training holds, against the tensors that Keras's backward pass reads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

import archcalc
from archcalc.analyses.memory.held import COUNTS
from archcalc.analyses.memory.rules import held
from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.layers.activations import ACTIVATIONS
from archcalc.layers.functions import FUNCTIONS
from archcalc.layers.registry import registered, registered_operations
from tests.analyses.memory.backward_oracle import saved_tensors
from tests.contract import candidates, cells
from tests.networks import made

IMAGE, SEQUENCE, VOLUME = (9, 8, 4), (9, 4), (5, 6, 7, 4)
BATCH = 13  # divides no size in the tests, so that batch axes can be recognised

ARGUMENTS = {"ops.gelu": {"approximate": False}, "ops.clip": {"x_min": 0.1, "x_max": 0.9}}
FUNCTIONS_SAVED = {name for name, known in {**ACTIVATIONS, **FUNCTIONS}.items() if known.saved is not None}
SAVED = [name for name, known in ACTIVATIONS.items() if known.saved is not None]

Case = tuple[str, dict[str, Any], list[tuple[int, ...]]]


def spatial(kind: str, **arguments: Any) -> list[Case]:
    return [(kind.replace("*", str(r)), arguments, [s]) for r, s in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME))]


PAIR, THREE = [IMAGE] * 2, [IMAGE] * 3
ATTENDING = [(5, 4), (6, 4)]

CASES: list[Case] = [
    *spatial("Conv*D", filters=6, kernel_size=3),
    *spatial("Conv*D", filters=6, kernel_size=3, strides=2, padding="same", use_bias=False),
    *spatial("Conv*DTranspose", filters=6, kernel_size=3, activation="tanh"),
    *spatial("DepthwiseConv*D", kernel_size=3, activation="silu")[:2],
    *spatial("SeparableConv*D", filters=6, kernel_size=3)[:2],
    *spatial("MaxPooling*D", pool_size=2),
    *spatial("AveragePooling*D", pool_size=2),
    *spatial("GlobalMaxPooling*D"),
    *spatial("GlobalAveragePooling*D"),
    *spatial("UpSampling*D"),
    *spatial("ZeroPadding*D", padding=1),
    *spatial("Cropping*D", cropping=1),
    *spatial("SpatialDropout*D", rate=0.5),
    *(("UpSampling2D", {"interpolation": i}, [IMAGE]) for i in ("bilinear", "bicubic", "lanczos3")),
    *(("Dense", {"units": 6, "activation": name}, [IMAGE]) for name in SAVED),
    *(("Activation", {"activation": name}, [IMAGE]) for name in SAVED),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, [IMAGE]),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 2), "dilation_rate": (1, 3)}, [IMAGE]),
    ("Conv3D", {"filters": 2, "kernel_size": 2, "dilation_rate": 2}, [VOLUME]),
    ("DepthwiseConv2D", {"kernel_size": 3, "dilation_rate": 2}, [IMAGE]),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "padding": "causal"}, [SEQUENCE]),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}, [SEQUENCE]),
    ("BatchNormalization", {}, [IMAGE]),
    ("BatchNormalization", {"axis": 1, "scale": False}, [IMAGE]),
    *(
        ("LayerNormalization", a, [IMAGE])
        for a in ({}, {"scale": False}, {"center": False}, {"axis": (1, 2)})
    ),
    ("LayerNormalization", {"rms_scaling": True}, [IMAGE]),
    ("Normalization", {}, [IMAGE]),
    ("LayerScale", {"init_values": 0.1, "projection_dim": 4}, [IMAGE]),
    *(("ReLU", a, [IMAGE]) for a in ({}, {"max_value": 6.0}, {"max_value": 2.0}, {"negative_slope": 0.1})),
    ("LeakyReLU", {}, [IMAGE]),
    ("ELU", {}, [IMAGE]),
    ("ELU", {"alpha": 2.0}, [IMAGE]),
    ("PReLU", {"shared_axes": [1, 2]}, [IMAGE]),
    ("Softmax", {}, [IMAGE]),
    ("Softmax", {"axis": 1}, [IMAGE]),
    *(
        (kind, {}, inputs)
        for kind in ("Add", "Multiply", "Maximum", "Minimum", "Average")
        for inputs in (PAIR, THREE)
    ),
    ("Subtract", {}, PAIR),
    ("Concatenate", {}, THREE),
    ("Multiply", {}, [IMAGE, (1, 1, 4)]),
    ("CustomScaleLayer", {"scale": 0.5}, PAIR),
    ("Dot", {"axes": (2, 1)}, [(4, 3), (3, 5)]),
    *((kind, {"rate": 0.5}, [IMAGE]) for kind in ("Dropout", "GaussianDropout", "AlphaDropout")),
    ("Dropout", {"rate": 0.0}, [IMAGE]),
    ("GaussianNoise", {"stddev": 0.5}, [IMAGE]),
    ("Rescaling", {"scale": 2.0}, [IMAGE]),
    ("Flatten", {}, [IMAGE]),
    ("Reshape", {"target_shape": (8, -1)}, [IMAGE]),
    ("Permute", {"dims": (2, 1, 3)}, [IMAGE]),
    ("RepeatVector", {"n": 3}, [(4,)]),
    ("Identity", {}, [IMAGE]),
    ("ActivityRegularization", {"l1": 0.1}, [IMAGE]),
    ("Attention", {}, ATTENDING),
    ("Attention", {"use_scale": True}, ATTENDING),
    ("Attention", {}, [(5, 4), (6, 7), (6, 4)]),
    ("AdditiveAttention", {}, ATTENDING),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, ATTENDING),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "value_dim": 7, "dropout": 0.1}, ATTENDING),
    ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}, ATTENDING),
    ("ops.add", {}, PAIR),
    ("ops.subtract", {}, PAIR),
    ("ops.multiply", {}, PAIR),
    ("ops.multiply", {"x2": 2.0}, [IMAGE]),
    ("ops.matmul", {}, [(5, 4), (4, 3)]),
    ("ops.concatenate", {"axis": -1}, PAIR),
    ("ops.transpose", {"axes": (0, 2, 1, 3)}, [IMAGE]),
    ("ops.reshape", {"newshape": (-1, 72, 4)}, [IMAGE]),
    ("ops.squeeze", {"axis": 1}, [(1, 8, 4)]),
    ("ops.expand_dims", {"axis": 1}, [IMAGE]),
    ("ops.mean", {"axis": (1, 2)}, [IMAGE]),
    ("ops.sum", {"axis": (1, 2)}, [IMAGE]),
    ("ops.elu", {"alpha": 2.0}, [IMAGE]),
    *(
        (name, ARGUMENTS.get(name, {}), [IMAGE])
        for name in registered_operations()
        if name.removeprefix("ops.") in FUNCTIONS_SAVED and name not in ("ops.softmax", "ops.log_softmax")
    ),
    *((f"ops.{name}", {}, PAIR) for name in ("divide", "power", "maximum", "fmod", "hypot", "logaddexp")),
    *((f"ops.{name}", {"axis": 1}, [IMAGE]) for name in ("max", "prod")),
    ("GroupNormalization", {"groups": 2}, [IMAGE]),
    ("GroupNormalization", {"groups": 4, "scale": False}, [IMAGE]),
    ("RMSNormalization", {}, [IMAGE]),
    ("UnitNormalization", {}, [IMAGE]),
    ("Masking", {}, [IMAGE]),
    ("Normalization", {"invert": True}, [IMAGE]),
    ("CenterCrop", {"height": 3, "width": 4}, [IMAGE]),
]


def between(kind: str, arguments: dict[str, Any], inputs: list[tuple[int, ...]]) -> Graph:
    """The layer between trained layers and one that saves nothing."""
    types = {**registered(), **registered_operations()}
    nodes: list[Any] = []
    for i, shape in enumerate(inputs):
        nodes.append((f"in{i}", made("InputLayer", shape=shape), []))
        nodes.append((f"before{i}", made("Dense", units=shape[-1]), [f"in{i}"]))
    nodes.append(("layer", types[kind](**arguments), [f"before{i}" for i in range(len(inputs))]))
    nodes.append(("after", made("Rescaling", scale=2.0), ["layer"]))
    return Graph.of("one", nodes, ["after"])


def kept(graph: Graph, **options: Any) -> Any:
    return archcalc.analyze(graph, batch=BATCH, **options).totals.training_activation_bytes


@pytest.mark.parametrize(("kind", "arguments", "inputs"), CASES, ids=str)
def test_saved_bytes_are_those_of_keras(
    kind: str, arguments: dict[str, Any], inputs: list[tuple[int, ...]]
) -> None:
    graph = between(kind, arguments, inputs)
    assert kept(graph) == sum(saved_tensors(archcalc.to_keras(graph), BATCH).values())


# in half precision TensorFlow cannot compute Lanczos interpolation, and does not save the input of the
# other layers, which archcalc counts: their figures are upper bounds
# Keras 3.15 cannot run exp2 in half precision, and computes erfinv in float32
NOT_IN_HALF = ("lanczos3", "bicubic", "GaussianDropout", "AlphaDropout", "ops.exp2", "ops.erfinv")
HALVES = [c for c in CASES if c[0] not in NOT_IN_HALF and c[1].get("interpolation") not in NOT_IN_HALF]


@pytest.fixture
def policy() -> Iterator[None]:
    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("dtype", ["mixed_float16", pytest.param("bfloat16", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("kind", "arguments", "inputs"), HALVES, ids=str)
def test_half_precision(
    dtype: str, kind: str, arguments: dict[str, Any], inputs: list[tuple[int, ...]]
) -> None:
    graph = between(kind, arguments, inputs)
    keras.config.set_dtype_policy(dtype)
    assert kept(graph, dtype=dtype) == sum(saved_tensors(archcalc.to_keras(graph), BATCH).values())


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
@pytest.mark.parametrize("name", ["dilated", "mobile", "sequence", "shared", "transposed", "volume"])
def test_whole_networks(name: str, dtype: str) -> None:
    graph = archcalc.load(Path(__file__).parents[2] / "conventions" / "networks" / f"{name}.json")
    keras.config.set_dtype_policy(dtype)
    assert kept(graph, dtype=dtype) == sum(saved_tensors(archcalc.to_keras(graph), BATCH).values())


@pytest.mark.parametrize("axis", [-1, 1])
def test_a_softmax_that_is_read_again_is_saved_once(axis: int) -> None:
    """Along the last axis its output is saved, along another axis a transposed copy too."""
    layers = [
        {"name": "before", "type": "Dense", "units": 3},
        {"name": "softmax", "type": "Softmax", "axis": axis},
        {"name": "after", "type": "Dense", "units": 2},
    ]
    graph = archcalc.load({"archcalc": 1, "inputs": {"x": [4, 5, 3]}, "layers": layers})
    assert kept(graph) == sum(saved_tensors(archcalc.to_keras(graph), BATCH).values())


def test_what_no_gradient_reaches_keeps_nothing() -> None:
    """A branch of a Siamese network, whose outputs are targets."""
    layers = [
        {"name": "a", "type": "Conv1D", "filters": 4, "kernel_size": 3, "inputs": ["x"]},
        {"name": "g", "type": "Activation", "activation": "gelu"},
        {"name": "b", "type": "Conv1D", "filters": 3, "kernel_size": 1},
        {"name": "stop", "type": "ops.stop_gradient"},
        {
            "name": "c",
            "type": "Conv1D",
            "filters": 3,
            "kernel_size": 3,
            "activation": "gelu",
            "inputs": ["x"],
        },
        {"name": "both", "type": "Add", "inputs": ["stop", "c"]},
    ]
    graph = archcalc.load({"archcalc": 1, "inputs": {"x": [8, 4]}, "layers": layers})
    assert kept(graph) == sum(saved_tensors(archcalc.to_keras(graph), BATCH).values())
    rows = {row.name: row.training_activation_bytes for row in archcalc.analyze(graph).rows}
    assert rows["a"] == rows["g"] == 0


def test_every_type_has_a_figure_and_a_training_step_holds_its_forward_pass() -> None:
    """No layer type or operation is without training memory, except those that a file does not describe."""
    for name, cls in registered().items():
        arguments = {a: v for a in cls.__dataclass_fields__ if (v := candidates(cls, a)) is not None}
        for cell in [] if name == "Opaque" else cells(cls, arguments):
            try:
                layer = cls(**cell.arguments)
                output, weights = layer.output_shape(*cell.inputs), layer.weights(*cell.inputs)
            except (ArchcalcError, TypeError):  # invalid, or an argument that a spec names differently
                continue
            rule = held(layer, cell.inputs, output, weights)
            assert rule is not None, name
            figures = [getattr(rule, count) for count in COUNTS]
            assert min(figures) >= 0, (layer, rule)
            in_training = rule.hidden + rule.masks + rule.copied + rule.forward
            assert in_training >= rule.inference or rule.stops, (layer, cell.inputs, rule)


@pytest.mark.slow
def test_a_real_training_step_holds_what_is_counted() -> None:
    """TensorFlow's allocator reports the figure within the margin stated in docs/memory.md."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.step_memory", "one", "MobileNetV2"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    row = next(line for line in done.stdout.splitlines() if line.startswith("| MobileNetV2"))
    assert 0.85 <= float(row.split("|")[-2]) <= 1.2
