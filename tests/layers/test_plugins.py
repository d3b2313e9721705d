"""Layer types of other packages through every door, with two that work and one whose import fails.

`tests/packages` holds installed packages as they are on disk: modules, and metadata with entry points.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.analyze import analyze
from archcalc.arith import Shape, Size
from archcalc.errors import LayerError, NetworkError, SourceError
from archcalc.graph import Graph
from archcalc.layers.base import Elementwise, layer, show
from archcalc.layers.primitives import Primitives
from archcalc.layers.registry import layer_type, of_packages, registered, type_names
from archcalc.readers import load
from archcalc.writers.convert import as_text, save_keras
from archcalc.writers.keras_code import keras_code
from archcalc.writers.spec import to_spec

ROOT = Path(__file__).parents[2]
PACKAGES = [str(ROOT / "tests" / "packages" / name) for name in ("extra", "broken")]
SPEC: dict[str, Any] = {
    "archcalc": 1,
    "name": "upscaled",
    "inputs": {"image": [4, 6, 3]},
    "layers": [
        {"name": "conv", "type": "Conv2D", "filters": 8, "kernel_size": 3, "padding": "same"},
        {"name": "depth", "type": "StochasticDepth", "rate": 0.25},
        {"name": "sum", "type": "Add", "inputs": ["conv", "depth"]},
        {"name": "shuffle", "type": "PixelShuffle", "factor": 2},
        {"name": "out", "type": "Conv2D", "filters": 1, "kernel_size": 3},
    ],
}
BROKEN = {"archcalc": 1, "inputs": {"image": [4, 6, 3]}, "layers": [{"name": "mix", "type": "Mixer"}]}
WHY = (
    "the layer type 'Mixer' of the package brokenlayers 2.0 (brokenlayers:Mixer) cannot be imported: "
    "ImportError: cannot import name 'gone' from 'archcalc.layers.base'"
)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in PACKAGES:
        monkeypatch.syspath_prepend(folder)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A fresh process that finds the packages, with warnings of TensorFlow left out."""
    path = os.pathsep.join([str(ROOT), *PACKAGES])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def figures(graph: Graph) -> list[dict[str, Any]]:
    report = analyze(graph, gradients=True).to_dict()
    return [{**row, "inputs": None} for row in report["layers"]]


# -- a spec --------------------------------------------------------------------------------------
def test_in_a_spec() -> None:
    rows = {row.name: row for row in analyze(load(SPEC)).rows}
    assert rows["shuffle"].output_shape == (8, 12, 2)
    assert rows["depth"].parameters == rows["shuffle"].macs == 0
    # a 3x3 window over the shuffled image lies over 2 or 3 units of each axis, 4 or 5 with conv's own
    assert analyze(load(SPEC)).to_dict()["layers"][-1]["receptive_field"]["size"] == [4, 4]
    text = as_text(load(SPEC), "spec")
    assert to_spec(load(json.loads(text)), fold=False) == to_spec(load(SPEC), fold=False)


def test_sizes_stay_symbols() -> None:
    spec = {
        **SPEC,
        "symbols": {"H": None, "c": None},
        "inputs": {"image": ["H", 6, "4*c"]},
        "layers": SPEC["layers"][3:4],
    }
    assert show(analyze(load(spec)).rows[-1].output_shape) == "(2*H, 12, c)"


def test_inside_another_layer() -> None:
    inner = {"type": "PixelShuffle", "factor": 2}
    spec = {
        **SPEC,
        "inputs": {"frames": [5, 4, 6, 8]},
        "layers": [{"name": "each", "type": "TimeDistributed", "layer": inner}],
    }
    graph = load(spec)
    assert analyze(graph).rows[-1].output_shape == (5, 8, 12, 2)
    assert "TimeDistributed(layer=PixelShuffle(factor=2), name=" in keras_code(graph)
    again = archcalc.from_keras(archcalc.to_keras(graph))
    assert figures(again) == figures(graph)


# -- Keras ---------------------------------------------------------------------------------------
def test_from_and_to_a_live_model(tmp_path: Path) -> None:
    import keras

    graph = load(SPEC)
    model = archcalc.to_keras(graph)
    assert [type(layer).__module__ for layer in model.layers[2:5:2]] == ["extralayers.keras_layers"] * 2
    assert figures(archcalc.from_keras(model)) == figures(graph)
    assert figures(load(json.loads(model.to_json()))) == figures(graph)

    archive = tmp_path / "net.keras"
    save_keras(graph, archive)
    assert figures(load(archive)) == figures(graph)
    # Keras itself finds classes that are not registered with it only where it is given them
    classes = {"PixelShuffle": type(model.get_layer("shuffle"))}
    assert keras.models.load_model(archive, custom_objects=classes).count_params() == model.count_params()


def test_verified() -> None:
    result = archcalc.verify(load(SPEC), gradients=2)
    assert result.agrees
    compared = {check.what for check in result.checks if check.layer in ("depth", "shuffle")}
    assert {"output shape", "weights", "receptive field"} <= compared


def test_written_as_code_that_runs(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(SPEC))
    done = run("-m", "archcalc", "convert", "net.json", "-o", "net.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    code = (tmp_path / "net.py").read_text()
    assert "from extralayers.keras_layers import PixelShuffle, StochasticDepth\n" in code
    script = "from net import model; print([l.name for l in model.layers], model.count_params())"
    done = run("-c", script, cwd=tmp_path)
    names = ["image", "conv", "depth", "sum", "shuffle", "out"]
    assert done.stdout.strip() == f"{names} {3 * 3 * 3 * 8 + 8 + 3 * 3 * 2 + 1}", done.stderr


@pytest.mark.parametrize("change", [{"module": "other.layers"}, {"module": None}])
def test_a_class_of_the_same_name_is_another_one(change: dict[str, Any]) -> None:
    model = json.loads(archcalc.to_keras(load(SPEC)).to_json())
    entry = next(e for e in model["config"]["layers"] if e["class_name"] == "PixelShuffle")
    entry.update(change)
    with pytest.raises(SourceError, match=r"layer 'shuffle' is of the class .*, which is not Keras's own"):
        load(model)


def test_a_registered_class_may_be_in_another_module() -> None:
    model = json.loads(archcalc.to_keras(load(SPEC)).to_json())
    entry = next(e for e in model["config"]["layers"] if e["class_name"] == "StochasticDepth")
    entry["module"] = "moved.elsewhere"
    assert load(model)


# -- a type without a Keras class ----------------------------------------------------------------
@layer
class Bare(Elementwise):
    """The identity, without a Keras class."""

    def elementwise_ops(self, *inputs: Shape) -> Size:
        return 0

    def primitives(self, *inputs: Shape) -> Primitives:
        return ()


def test_a_type_that_keras_lacks() -> None:
    bare: Any = Bare
    made: Any = registered()["InputLayer"]
    graph = Graph.of("net", [("x", made(shape=(3,)), ()), ("bare", bare(), ("x",))], ["bare"])
    assert as_text(graph, "spec")
    with pytest.raises(archcalc.ArchcalcError, match="Keras has no layer 'Bare', so there is no code"):
        keras_code(graph)
    with pytest.raises(NetworkError, match="has no layer 'Bare' to build"):
        archcalc.to_keras(graph)


# -- a package whose import fails ------------------------------------------------------------------
def test_a_broken_package_is_named_where_a_source_asks_for_it(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(BROKEN))
    done = run("-m", "archcalc", "analyze", "net.json", cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"archcalc: net.json: $.layers[0].type: {WHY}")
    done = run("-m", "archcalc", "layers", "Mixer", cwd=tmp_path)
    assert done.returncode == 2
    assert [line.startswith(f"archcalc: {WHY}") for line in done.stderr.splitlines()] == [True]


def test_a_broken_package_of_a_keras_layer() -> None:
    model = json.loads(archcalc.to_keras(load(SPEC)).to_json())
    entry = next(e for e in model["config"]["layers"] if e["class_name"] == "PixelShuffle")
    entry.update(class_name="Mixer", registered_name="Mixer", module="brokenlayers")
    with pytest.raises(SourceError) as problem:
        load(model)
    (fault,) = problem.value.faults
    assert WHY in fault.message
    assert load(model, allow_unknown=True)


def test_a_broken_package_breaks_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(SPEC))
    done = run("-m", "archcalc", "analyze", "net.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = run("-m", "archcalc", "layers", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  PixelShuffle " in done.stdout
    assert "cannot be imported" in " ".join(done.stdout.partition("refused")[2].split())
    done = run("-m", "archcalc", "schema", cwd=tmp_path)
    types = json.loads(done.stdout)["$defs"]["entry"]["properties"]["type"]["enum"]
    assert {"PixelShuffle", "StochasticDepth"} <= set(types)
    assert "Mixer" not in types


def test_nothing_is_imported_unless_it_is_named(tmp_path: Path) -> None:
    plain = {**SPEC, "layers": SPEC["layers"][:1]}
    (tmp_path / "net.json").write_text(json.dumps(plain))
    script = (
        "import sys; from archcalc.cli import main; main(['analyze', 'net.json', '-o', 'net.csv']);"
        "print({'extralayers', 'brokenlayers', 'archcalc.layers.plugins'} & {*sys.modules})"
    )
    assert run("-c", script, cwd=tmp_path).stdout.strip() == "set()"
    script = "import sys; from archcalc.layers.registry import type_names; type_names(); print(*sys.modules)"
    assert not {"extralayers", "brokenlayers"} & set(run("-c", script, cwd=tmp_path).stdout.split())


# -- entry points that do not fit ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ("Thing = json:dumps", "of the package odd 1.0 (json:dumps) is not a class of this name"),
        ("Thing = json:missing", "AttributeError: module 'json' has no attribute 'missing'"),
        ("Thing = extralayers.declared:PixelShuffle", "is not a class of this name with the decorator"),
    ],
)
def test_what_an_entry_point_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str, reason: str
) -> None:
    package(tmp_path, "odd", points)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "Thing" in type_names()
    with pytest.raises(LayerError) as problem:
        layer_type("Thing")
    assert reason in str(problem.value)
    assert isinstance(dict(of_packages())["Thing"], LayerError)


def test_two_packages_with_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "one", "Twice = json:dumps")
    package(tmp_path, "two", "Twice = json:loads")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(LayerError, match=r"several packages have .* 'Twice': .*(one|two) 1\.0, "):
        layer_type("Twice")


def test_no_package_takes_the_place_of_a_type_of_archcalc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, "odd", "Dense = json:dumps")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert layer_type("Dense") is registered()["Dense"]
    assert "Dense" not in dict(of_packages())
    assert type_names().count("Dense") == 1


def package(folder: Path, name: str, points: str) -> None:
    """Write the metadata of an installed package."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[archcalc.layers]\n{points}\n")
