"""Every convention against the tool that it is named after, to the last digit.

`peers.json` holds the figures that the tools print for the same networks in torch;
benchmarks/flop_conventions.py writes it. A slow test measures again, if `ARCHCALC_PEERS` is the virtual
environment with the tools.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc import arith
from archcalc.analyses.shapes import infer
from archcalc.arith import total
from archcalc.arith.unknown import Unknown
from archcalc.conventions import NAMES
from archcalc.conventions.calflops import CALFLOPS
from archcalc.conventions.counting import CONVENTIONS, Part, activations, flops
from archcalc.conventions.fvcore import FVCORE
from archcalc.conventions.ptflops import PTFLOPS, PTFLOPS_ATEN
from archcalc.conventions.thop import THOP
from archcalc.conventions.torch_counterparts import RULES
from archcalc.conventions.torch_flop_counter import TORCH
from archcalc.conventions.torchinfo import TORCHINFO
from archcalc.graph import Graph
from archcalc.graph.substitution import restate
from tests.conventions.layers import LAYERS
from tests.conventions.test_tf_profiler import graph_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RECORDED: dict[str, Any] = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
TOOLS = (TORCHINFO, FVCORE, PTFLOPS, PTFLOPS_ATEN, THOP, CALFLOPS, TORCH)
ACTIVATIONS = "fvcore-activations"
NETWORKS = [*sorted(path.stem for path in (HERE / "networks").glob("*.json")), "resnet50_keras"]


@cache
def network(name: str) -> Graph:
    """The network of this name in peers.json."""
    if name in LAYERS:
        return graph_of(*LAYERS[name])
    return archcalc.load("keras:ResNet50" if name == "resnet50_keras" else HERE / "networks" / f"{name}.json")


def total_in(graph: Graph, convention: str) -> Any:
    with arith.scope():
        restate(graph)
        return total(counted.flops for counted in flops(graph, infer(graph), convention))


def activations_of(graph: Graph) -> Any:
    with arith.scope():
        restate(graph)
        return activations(graph, infer(graph))


def test_all_layers_and_networks_are_recorded_with_the_versions_of_the_rules() -> None:
    assert set(RECORDED["totals"]) == {*LAYERS, *NETWORKS}
    assert {tool.name: tool.version for tool in TOOLS} == {
        name: version.removesuffix("+cpu").replace("-", ".post")
        for name, version in RECORDED["versions"].items()
        if name != ACTIVATIONS
    }
    assert set(NAMES) == {"archcalc", "tf-profiler", *(tool.name for tool in TOOLS)} == set(CONVENTIONS)


@pytest.mark.parametrize("name", RECORDED["totals"])
def test_equal_to_the_tool(name: str) -> None:
    for tool, figure in RECORDED["totals"][name].items():
        computed = activations_of(network(name)) if tool == ACTIVATIONS else total_in(network(name), tool)
        if isinstance(figure, dict):
            # a tool that fails has no figure, and neither has archcalc
            assert isinstance(computed, Unknown), (tool, figure["fails"])
        else:
            assert computed == figure, tool


def test_no_rule_is_unmeasured() -> None:
    """Each rule for a Keras type, and each rule of each tool, contributes to a recorded figure."""
    types, kinds = set(), set()
    for name in RECORDED["totals"]:
        for node in network(name).nodes:
            types.add(type(node.layer).__name__)
        for counted in counted_parts(network(name)):
            kinds.add(counted.kind)
    assert set(RULES) - types == {"ops.true_divide"}  # the same operator as ops.divide
    unmeasured = {kind for tool in TOOLS for kind in tool.rules} - kinds
    assert unmeasured == set()


def counted_parts(graph: Graph) -> list[Part]:
    with arith.scope():
        restate(graph)
        return [part for counted in flops(graph, infer(graph), "torch") for part in counted.parts]


@pytest.mark.parametrize(
    ("convention", "figure"),
    [
        ("torch", 8_178_368_512),
        ("torchinfo", 4_089_238_376),
        ("ptflops-aten", 4_089_185_256),
        ("ptflops", 4_132_436_968),
        ("fvcore", 4_111_512_576),
        ("thop", 4_133_742_592),
        ("calflops", 8_211_108_352),
    ],
)
def test_published_figures_of_resnet50_in_torchvision(convention: str, figure: int) -> None:
    assert total_in(network("resnet50_torchvision"), convention) == figure


def test_the_figure_of_the_profiler_for_keras_resnet50() -> None:
    assert total_in(network("resnet50_keras"), "tf-profiler") == 7_755_299_312


@pytest.mark.parametrize("name", ["dilated", "transposed", "mobile", "sequence", "volume", "shared"])
def test_the_profiler_live(name: str) -> None:
    from archcalc.keras.build import build
    from archcalc.keras.profile import profiled_flops

    assert total_in(network(name), "tf-profiler") == sum(profiled_flops(build(network(name))))


@pytest.mark.slow
def test_the_tools_live() -> None:
    where = os.environ.get("ARCHCALC_PEERS")
    if where is None:
        pytest.skip("ARCHCALC_PEERS names no environment of the tools")
    script = ROOT / "benchmarks" / "flop_conventions.py"
    names = [name for name in NETWORKS if not name.startswith("resnet")]
    done = subprocess.run(
        [sys.executable, str(script), "--venv", where, *names], check=True, stdout=subprocess.PIPE
    )
    measured = json.loads(done.stdout)
    assert measured["totals"] == {name: RECORDED["totals"][name] for name in names}
