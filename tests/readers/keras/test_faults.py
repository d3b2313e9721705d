"""Broken, foreign and hostile configurations: every fault with its path, and never another error."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers as kl
from keras import ops

from archcalc import arith
from archcalc.analyses import parameters, shapes
from archcalc.errors import ArchcalcError, Fault, SourceError
from archcalc.graph import Graph
from archcalc.readers.keras_config import read_keras

Config = dict[str, Any]
IN, INPUTS, OUT = "$.config.layers[0].config", "$.config.input_layers", "$.config.output_layers"


@cache
def _text() -> str:
    x = keras.Input((16, 16, 3), name="x")
    inner = keras.Sequential([keras.Input((14, 14, 4)), kl.Conv2D(4, 3, name="c")], name="inner")
    y = kl.Conv2D(4, 3, name="conv")(x)
    y = kl.BatchNormalization(name="bn")(y)
    y = inner(y * 2.0)
    y = ops.mean(y[:, 1:-1], axis=(1, 2))
    model = keras.Model(x, kl.Dense(3, activation="softmax", name="out")(y), name="net")
    return str(model.to_json())


def config() -> Config:
    return json.loads(_text())  # type: ignore[no-any-return]


def layer(data: Config, name: str) -> Config:
    return next(entry for entry in data["config"]["layers"] if entry["name"] == name)


def faults(data: Config, **options: Any) -> list[Fault]:
    with pytest.raises(SourceError) as caught:
        read_keras(data, "net.json", **options)
    assert str(caught.value).startswith("net.json: ")
    return caught.value.faults


def paths(data: Config) -> list[str]:
    return [fault.path for fault in faults(data)]


def test_the_example_is_sound() -> None:
    assert isinstance(read_keras(config(), "net.json"), Graph)


def test_all_faults_are_reported_at_once_with_their_paths() -> None:
    data = config()
    layer(data, "conv")["config"]["filters"] = -3
    layer(data, "conv")["config"]["padding"] = "sam"
    layer(data, "bn")["config"]["epsilon"] = "small"
    layer(data, "out")["config"]["unitz"] = 3
    layer(data, "out")["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = "maen"
    by_path = {fault.path: fault.message for fault in faults(data)}
    at = "$.config.layers"
    assert "expected a positive integer, got -3" in by_path[f"{at}[1].config.filters"]
    assert "'valid' or 'same'" in by_path[f"{at}[1].config.padding"]
    assert "expected a number" in by_path[f"{at}[2].config.epsilon"]
    assert "did you mean 'units'" in by_path[f"{at}[7].config.unitz"]
    (dangling,) = (m for p, m in by_path.items() if p.endswith("keras_history"))
    assert "'maen'" in dangling
    assert "did you mean 'mean'" in dangling


@pytest.mark.parametrize(
    ("break_it", "path", "message"),
    [
        (lambda d: d.update(config=[]), "$", "subclassed model"),
        (lambda d: d["config"].update(layers={}), "$.config.layers", "a JSON list"),
        (lambda d: d["config"].update(layers=[7]), "$.config.layers[0]", "a JSON object"),
        (lambda d: d["config"].pop("output_layers"), OUT, "needs output_layers"),
        (lambda d: d["config"].update(output_layers=[["out", 0]]), f"{OUT}[0]", "expected [layer name"),
        (lambda d: d["config"].update(output_layers=["out", 3, 0]), OUT, "call number 3"),
        (lambda d: d["config"].update(output_layers=["bn", 0, 5]), OUT, "which has one"),
        (lambda d: d["config"].update(input_layers=["conv", 0, 0]), INPUTS, "is not an input of"),
        (lambda d: layer(d, "conv").pop("class_name"), "$.config.layers[1].class_name", "the name of"),
        (lambda d: layer(d, "conv").update(name="bn"), "$.config.layers[2].name", "appears twice"),
        (lambda d: layer(d, "conv")["config"].pop("filters"), "$.config.layers[1].config", "needs 'filters'"),
        (lambda d: layer(d, "conv")["config"].update(groups=3), "$.config.layers[1].config", "divisible"),
        (lambda d: layer(d, "x")["config"].update(batch_shape=[None, 0]), f"{IN}.batch_shape[1]", "positive"),
        (lambda d: layer(d, "x")["config"].pop("batch_shape"), IN, "no batch_shape"),
    ],
)  # fmt: skip
def test_each_fault_has_its_path_and_says_what_is_wrong(
    break_it: Callable[[Config], object], path: str, message: str
) -> None:
    data = config()
    break_it(data)
    listed = faults(data)
    assert any(f.path == path and message in f.message for f in listed), listed


def test_a_circle_is_named() -> None:
    data = config()
    layer(data, "conv")["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["bn", 0, 0]
    (fault,) = faults(data)
    assert fault.path == "$.config.layers[1].inbound_nodes[0]"
    assert "form a cycle: 'conv' -> 'bn' -> 'conv'" in fault.message


def test_at_most_twenty_faults_are_listed() -> None:
    data = config()
    data["config"]["layers"] += [7] * 100
    listed = faults(data)
    assert len(listed) == 20
    assert listed[-1].message == "and 81 more faults"


@pytest.mark.parametrize(
    "entry",
    [
        {"module": "os", "class_name": "system", "registered_name": None},
        {"module": "keras.layers", "class_name": "Conv2D", "registered_name": "mine>Conv2D"},
        {"module": "my_package.layers", "class_name": "Conv2D", "registered_name": "Conv2D"},
        {"module": None, "class_name": "Conv2D", "registered_name": "mine>Conv2D"},
        {"module": "keras.layers", "class_name": "NoSuchLayer", "registered_name": None},
        {
            "module": "keras.src.ops.numpy",
            "class_name": "NoSuchOperation",
            "registered_name": "NoSuchOperation",
        },
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": None},
    ],
)
def test_what_is_not_keras_own_or_has_no_rule_names_the_layer_and_the_remedy(entry: Config) -> None:
    data = config()
    layer(data, "conv").update(entry)
    (fault,) = faults(data)
    assert fault.path == "$.config.layers[1]"
    assert fault.message.startswith("layer 'conv' is ")
    assert "--allow-unknown" in fault.message


def test_nothing_that_a_file_names_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins
    import importlib

    read_keras(config(), "net.json")  # the reader still has all that it needs

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(name: str, *rest: Any, **more: Any) -> Any:
            if "evil" in name:
                raise AssertionError(f"imports {name}")
            return real(name, *rest, **more)

        return refuse

    monkeypatch.setattr(builtins, "__import__", guarded(builtins.__import__))
    monkeypatch.setattr(importlib, "import_module", guarded(importlib.import_module))
    data = config()
    layer(data, "conv").update(module="evil.module", class_name="Evil", registered_name="evil>Evil")
    layer(data, "out")["config"]["kernel_initializer"] = {
        "module": "evil",
        "class_name": "Evil",
        "config": {},
    }
    graph = read_keras(data, "net.json", allow_unknown=True)
    assert graph.nodes[1].layer.class_name == "Evil"  # type: ignore[attr-defined]


def test_a_subclassed_model_is_refused_with_a_remedy() -> None:
    data = {"module": None, "class_name": "Mine", "config": {"trainable": True}, "registered_name": "Mine"}
    (fault,) = faults(data)
    assert "subclassed" in fault.message
    assert "keras.Model(inputs, outputs)" in fault.message


def test_quantised_weights_are_refused_by_name() -> None:
    model = keras.Sequential([keras.Input((6,)), kl.Dense(4, name="dense")])
    model.quantize("int8")
    listed = faults(json.loads(model.to_json()))
    assert any("int8_from_float32" in f.message for f in listed)


def test_an_input_shape_without_sense_is_refused() -> None:
    (fault,) = faults(config(), input_shape=(8, 3))
    assert "input shape 8,3 has another number of axes than (16, 16, 3)" in fault.message
    (fault,) = faults(config(), input_shape=(8, 0, 3))
    assert "positive integers" in fault.message


def test_names_with_control_characters_are_escaped() -> None:
    text = _text().replace('"conv"', r'"co\u001b[31mnv\u202e"')
    names = [node.name for node in read_keras(json.loads(text), "net.json").nodes]
    assert names[1] == r"co\x1b[31mnv\u202e"


def test_models_within_models_cannot_grow_without_end() -> None:
    """Each level uses the one inside it ten times."""
    x = keras.Input((2,))
    model = keras.Model(x, kl.ReLU()(x), name="m0")
    for level in range(3):
        x = y = keras.Input((2,))
        for _ in range(10):
            y = model(y)
        model = keras.Model(x, y, name=f"m{level + 1}")
    data = json.loads(model.to_json())
    assert len(read_keras(data, "net.json").nodes) == 1 + 10**3
    for level in range(4, 9):
        data["name"] = f"m{level - 1}"
        calls = [
            {"args": [_tensor("x" if i == 0 else data["name"], max(i - 1, 0))], "kwargs": {}}
            for i in range(10)
        ]
        inputs = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 2]}}
        outer = {
            "name": f"m{level}",
            "layers": [{**inputs, "name": "x", "inbound_nodes": []}, {**data, "inbound_nodes": calls}],
            "input_layers": ["x", 0, 0],
            "output_layers": [data["name"], 10, 0],
        }
        data = {**data, "config": outer}
    (fault,) = faults(data)
    assert "more than 100,000 layers once nested models are unfolded" in fault.message


def _tensor(name: str, call: int) -> Config:
    return {
        "class_name": "__keras_tensor__",
        "config": {"keras_history": [name, call, 0], "shape": [None, 2]},
    }


# -- anything goes -----------------------------------------------------------------------------------
ODD: list[Any] = [
    None, 0, -1, 10**30, 1.5, True, "", "x", [], {}, [None], [[]], [1, 2, 3], {"a": 1}, ["x", 0, 0],
    {"class_name": ["x"], "config": 3}, {"class_name": "__keras_tensor__", "config": {}},
    {"class_name": "__slice__", "config": {"start": "a"}},
    {"class_name": "__tensor__", "config": {"value": [[1], []]}},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


@cache
def _places() -> list[tuple[Any, ...]]:
    return list(places(config()))


def _figures(graph: Graph) -> None:
    with arith.scope():
        parameters.weights(graph, shapes.infer(graph))


@given(data=st.data())
def test_any_change_of_a_file_gives_a_network_or_faults(data: st.DataObject) -> None:
    changed = config()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_places()))
        try:
            parent = changed
            for key in path[:-1]:
                parent = parent[key]
            if data.draw(st.booleans()):
                parent[path[-1]] = copy.deepcopy(data.draw(st.sampled_from(ODD)))
            else:
                del parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed this part
    # any error but an ArchcalcError fails the test
    with contextlib.suppress(ArchcalcError):
        _figures(read_keras(changed, "net.json", allow_unknown=data.draw(st.booleans())))


def test_a_value_that_is_half_the_file_is_not_quoted_whole() -> None:
    """Found by fuzzing: a flag that holds a model."""
    with pytest.raises(SourceError) as refused:
        raise SourceError("net.json", [Fault("$.a", f"expected true or false, got {list(range(5000))}")])
    assert len(str(refused.value)) < 700
    assert str(refused.value).endswith("4998, 4999]")
