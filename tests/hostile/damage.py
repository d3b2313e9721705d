"""Valid sources with one or several things broken, in positions that a chooser picks.

A chooser gives a number below another one: Hypothesis draws it (test_fuzz.py), or atheris
takes it from its input (scripts/fuzz.py), so both use the same kinds of damage.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Choose = Callable[[int], int]  # a number from 0 up to, but without, the given one

VALID = Path(__file__).with_name("valid")
SPECS: list[dict[str, Any]] = [
    {
        "archcalc": 1,
        "symbols": {"n": None, "w": {"default": 4, "max": 9}},
        "inputs": {"x": [8, 8, 4], "y": {"shape": [8, 8, "w"], "dtype": "float32"}},
        "blocks": {
            "b": {"inputs": ["x", "skip"], "layers": [{"name": "s", "type": "Add", "inputs": ["x", "skip"]}]},
            "t": {
                "parameters": {"f": "w"},
                "layers": [
                    {"name": "c", "type": "Conv2D", "filters": "f", "kernel_size": 1},
                    {"name": "d", "shared_with": "c"},
                    {"name": "r", "block": "b", "inputs": ["d", "input"], "repeat": "n"},
                ],
            },
        },
        "layers": [
            {"name": "left", "block": "t", "inputs": ["x"], "repeat": 2},
            {"name": "right", "shared_with": "left", "inputs": ["y"]},
            {"name": "out", "type": "Concatenate", "inputs": ["left[1]/c", "right", "left"]},
            {
                "name": "o",
                "type": "Opaque",
                "output_shape": [8, "w"],
                "weights": [{"name": "k", "shape": ["n"]}],
            },
        ],
        "outputs": ["out", "o"],
    },
    {
        "archcalc": 1,
        "symbols": {"H": None},
        "inputs": {"image": ["H", "H", 3]},
        "layers": [
            {"name": "a", "type": "Conv2D", "filters": 8, "kernel_size": 3, "strides": 2, "padding": "same"},
            {"name": "b", "type": "Conv2DTranspose", "filters": 4, "kernel_size": 2, "strides": 2},
            {"name": "c", "type": "MaxPooling2D", "pool_size": "2"},
            {"name": "d", "type": "GlobalAveragePooling2D"},
            {"name": "e", "type": "Dense", "units": "2*H"},
        ],
        "claims": [{"quantity": "parameters", "layer": "a", "value": 224, "written": "9*3*8 + 8"}],
    },
]
KERAS = [json.loads((VALID / f"keras{version}.json").read_text(encoding="utf-8")) for version in (3, 2)]
KERAS_1 = {
    "class_name": "Sequential",
    "keras_version": "1.2.2",
    "config": [
        {
            "class_name": "Convolution2D",
            "config": {
                "name": "c",
                "nb_filter": 3,
                "nb_row": 2,
                "nb_col": 2,
                "border_mode": "same",
                "bias": True,
                "dim_ordering": "tf",
                "batch_input_shape": [None, 8, 8, 3],
                "init": "he_normal",
            },
        },
        {
            "class_name": "ZeroPadding2D",
            "config": {"name": "z", "padding": {"top_pad": 1}, "dim_ordering": "tf"},
        },
        {"class_name": "Sequential", "config": [{"class_name": "Flatten", "config": {"name": "f"}}]},
        {"class_name": "Dense", "config": {"name": "d", "output_dim": 2, "activation": "softmax"}},
    ],
}
OPERATOR = {
    "name": "o",
    "node_def": {
        "name": "o",
        "op": "StridedSlice",
        "attr": {"begin_mask": {"i": "3"}, "end_mask": {"i": "1"}},
    },
    "constants": {"1": [0, 0], "2": [0, 3], "3": [1, 2]},
}
LEAKY = {"class_name": "LeakyReLU", "config": {"name": "l", "alpha": 0.3}}
INNER = {
    "class_name": "Sequential",
    "config": {"name": "i", "layers": [{"class_name": "Dense", "config": {"name": "n", "units": 2}}]},
}
FORMER = {
    "class_name": "Model",
    "keras_version": "2.2.4-tf",
    "config": {
        "name": "m",
        "layers": [
            {
                "class_name": "InputLayer",
                "name": "x",
                "inbound_nodes": [],
                "config": {"name": "x", "batch_input_shape": [None, 6, 4]},
            },
            {
                "class_name": "TensorFlowOpLayer",
                "name": "o",
                "config": OPERATOR,
                "inbound_nodes": [[["x", 0, 0, {}]]],
            },
            {
                "class_name": "Lambda",
                "name": "g",
                "inbound_nodes": [[["o", 0, 0, {}]]],
                "config": {"name": "g", "output_shape": [3, 4], "function": ["4wE=", None, None]},
            },
            {
                "class_name": "TimeDistributed",
                "name": "t",
                "inbound_nodes": [[["g", 0, 0, {}]]],
                "config": {"name": "t", "layer": INNER},
            },
            {
                "class_name": "CuDNNLSTM",
                "name": "u",
                "inbound_nodes": [[["t", 0, 0, {}]]],
                "config": {"name": "u", "units": 2},
            },
            {
                "class_name": "Dense",
                "name": "p",
                "inbound_nodes": [[["u", 0, 0, {}]]],
                "config": {"name": "p", "units": 2, "activation": LEAKY},
            },
            {
                "class_name": "Merge",
                "name": "w",
                "inbound_nodes": [[["u", 0, 0, {}], ["p", 0, 0, {}]]],
                "config": {"name": "w", "mode": "concat", "concat_axis": -1, "mode_type": "raw"},
            },
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["w", 0, 0]],
    },
}
TENSORFLOW_JS = {
    "format": "layers-model",
    "modelTopology": {"keras_version": "2.8.0", "model_config": KERAS_1},
}
SOURCES = [*SPECS, *KERAS, KERAS_1, FORMER, TENSORFLOW_JS]
HDF5, STORED = ((VALID / f"{name}.h5").read_bytes() for name in ("model", "weights"))
FOREIGN = {
    "class_name": "Sequential",
    "keras_version": "3.15.0",
    "config": {
        "name": "m",
        "layers": [
            {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 8, 4]}},
            *(
                {"class_name": name, "module": "p", "registered_name": f"p>{name}", "config": config}
                for name, config in (
                    ("Block", {"name": "b", "n": 3, "sizes": [2, 3], "kind": "same", "act": "relu"}),
                    ("Gain", {"name": "g", "axis": -1}),
                    ("Swish", {"name": "s", "beta": 0.5}),
                    ("Cut", {"name": "c", "n": 2, "deep": [[{}]]}),
                )
            ),
        ],
    },
}
RULES = {
    "p>Block": [
        {"if": {"kind": "valid"}, "parameters": {"kind": "same"}, "type": "ReLU"},
        {
            "if": {"kind": ["same", "causal"], "sizes": [[2, 3], [3, 3]], "input_axes": 2},
            "parameters": {"n": None, "sizes": [1, 1], "kind": "same", "act": None},
            "ignores": ["seed"],
            "inputs": ["a"],
            "layers": [
                {
                    "name": "c",
                    "type": "Conv1D",
                    "filters": "n * input_channels",
                    "kernel_size": "sizes_1",
                    "padding": {"argument": "kind"},
                    "inputs": ["a"],
                },
                {"name": "s", "type": "Activation", "activation": {"argument": "act"}},
                {"name": "i", "type": "LayerNormalization", "axis": -1},
                {"name": "w", "type": "Parameter", "shape": [], "target_shape": {"argument": "input_ones"}},
            ],
            "outputs": ["i"],
        },
    ],
    "p>Gain": {
        "type": "Opaque",
        "output_shape": "same",
        "weights": [{"name": "gain", "shape": ["input_channels // 2", 1], "trainable": False}],
        "macs": "input_axis_1 * 2**3",
        "window": "whole",
    },
    "Swish": {"type": "Activation", "activation": "silu"},
    "Cut": {
        "parameters": {"n": 2},
        "ignores": ["deep"],
        "type": "Reshape",
        "target_shape": ["input_axis_1 / n", "n", -1],
    },
}
YAML = b"""backend: tensorflow
class_name: Sequential
config:
  layers:
  - class_name: Dense
    config: {activation: relu, batch_input_shape: !!python/tuple [null, 8], name: &n a, units: 5}
  - class_name: Dropout
    config: &c {name: 'd', rate: 0.5}
  - {class_name: Dense, config: {<<: 1, name: "e", units: 2}}
keras_version: 2.3.1
"""

WORDS: list[Any] = [
    *("w", "n", "H", "image", "x", "left[2]/c", "conv", "out", "in/out", "Conv2D", "Dense", "Add", "LSTM"),
    *("Reshape", "Flatten", "Opaque", "InputLayer", "Functional", "Lambda", "TFOpLambda", "ops.add", "Split"),
    *("Merge", "TimeDistributed", "PruneLowMagnitude", "CuDNNGRU", "1.2.2", "2.1.2", "IntegerLookup", "same"),
    *("2*w + 1", "w/2", "9**9**9", "max(w, n)//3", "n - 1", "same", "valid", "channels_first", "relu"),
    *("", "/", "\x00", "\x1b[2J", "\u202e", "é" * 300, "os", "builtins", "__keras_tensor__", "__tensor__"),
    *(None, True, False, 0, 1, 2, -1, 7, 10**9, 2**31, 2**31 + 1, 10**30, 2.0, -0.0, 1e300, 1e-300),
    *([], {}, [None], [[]], [1, 2, 3], [None, 8, 8, 4], [-1], [0, 0], {"a": 1}, ["x", 0, 0], ["conv", 5, 1]),
    {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": -1}},
    {"class_name": "__tensor__", "config": {"value": [[1], []], "dtype": "float32"}},
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}},
]
TOKENS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"NaN",
        b"-Infinity",
        b"1e999",
    ),
    *(b"null", b"0" * 50, b"9" * 50, b"-", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"[" * 70),
    *(
        b"\n",
        b" " * 300,
        b'{"a":1,"a":2}',
        b'"class_name"',
        b'"archcalc"',
        b"PK\x03\x04",
        b"\x89HDF\r\n\x1a\n",
    ),
]


def chooser(numbers: bytes) -> Choose:
    """A chooser that takes two bytes for each choice."""
    pairs = iter(zip(numbers[::2], numbers[1::2], strict=False))

    def choose(count: int) -> int:
        high, low = next(pairs, (0, 0))
        return (high << 8 | low) % count

    return choose


def source(choose: Choose) -> bytes:
    """The bytes of a source: a spec, a configuration or an archive, broken in one to four positions."""
    data = copy.deepcopy(SOURCES[choose(len(SOURCES))])
    for _ in range(1 + choose(3)):
        data = damaged(data, choose)
    raw = json.dumps(data).encode("utf-8")
    kind = choose(6)
    if kind == 4:
        return broken(broken(HDF5, choose), choose)
    if kind == 5:
        return broken(YAML, choose)
    if kind == 0:
        raw = broken(raw, choose)
    if kind == 1:
        raw = broken(archive(raw, choose), choose)
    return raw


def classes(choose: Choose) -> tuple[bytes, bytes]:
    """The bytes of a configuration, and of a file of rules for its classes that is broken."""
    config, rules = copy.deepcopy(FOREIGN), copy.deepcopy(RULES)
    for _ in range(1 + choose(3)):
        rules = damaged(rules, choose)
    if choose(4) == 0:
        config = damaged(config, choose)
    raw = json.dumps(rules).encode("utf-8")
    return json.dumps(config).encode("utf-8"), broken(raw, choose) if choose(4) == 0 else raw


def part_paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to every part of the data."""
    paths = [path] if path else []
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        paths += part_paths(value, (*path, key))
    return paths


def damaged(data: Any, choose: Choose) -> Any:
    """The data with one part replaced, removed, doubled, renamed or moved; it is changed in place."""
    paths = part_paths(data)
    if not paths:
        return WORDS[choose(len(WORDS))]
    path = paths[choose(len(paths))]
    holder = _at(data, path[:-1])
    key = path[-1]
    kind = choose(6)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = copy.deepcopy(_at(data, paths[choose(len(paths))]))
    elif kind == 2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 2:
        holder[str(WORDS[choose(len(WORDS))])] = holder[key]
    else:
        holder[key] = copy.deepcopy(WORDS[choose(len(WORDS))])
    return data


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def broken(raw: bytes, choose: Choose) -> bytes:
    """The bytes with one part cut out, cut off, overwritten, doubled or filled with a token."""
    if not raw:  # a break before this one left nothing
        return raw
    start = choose(len(raw))
    end = min(len(raw), start + 1 + choose(30))
    token = TOKENS[choose(len(TOKENS))]
    kind = choose(5)
    if kind == 0:
        return raw[:start]
    if kind == 1:
        return raw[:start] + raw[end:]
    if kind == 2:
        return raw[:end] + raw[start:]
    if kind == 3:
        return raw[:start] + token + raw[start:]
    return raw[:start] + bytes([raw[start] ^ (1 + choose(255))]) + raw[start + 1 :]


def archive(config: bytes, choose: Choose) -> bytes:
    """A `.keras` archive of this configuration, stored or deflated."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if choose(2) else zipfile.ZIP_STORED) as zipped:
        zipped.writestr("metadata.json", b'{"keras_version": "3.15.0"}')
        zipped.writestr("config.json", config)
        if choose(2):
            zipped.writestr("model.weights.h5", broken(STORED, choose), zipfile.ZIP_STORED)
    return file.getvalue()
