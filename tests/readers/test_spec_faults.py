"""Broken specs: every kind of fault, its JSON path, its message, and all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from archcalc.errors import SourceError
from archcalc.readers import load
from tests.readers.specs import CONV, RELU, faults, spec

BLOCK = {
    "parameters": {"f": None},
    "layers": [{"name": "a", "type": "Conv2D", "filters": "f", "kernel_size": 3, "padding": "same"}],
}


def without(key: str) -> dict[str, Any]:
    data = spec({"name": "a", **RELU})
    del data[key]
    return data


def only_fault(data: Any, **options: Any) -> str:
    """The only fault of a source."""
    listed = faults(data, **options)
    assert len(listed) == 1, listed
    return listed[0]


# -- the outer form --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"archcalc": 2}, "$.archcalc: this archcalc reads format 1, got 2"),
        ({"archcalc": "1"}, "$.archcalc: this archcalc reads format 1, got '1'"),
        ({"archcalc": True}, "$.archcalc: this archcalc reads format 1, got true"),
        ({"inputs": {"x": ["8\n", 8, 3]}}, "$.inputs.x: unexpected character '\\n' (column 2 of '8\\n')"),
        ({"layerz": []}, "$.layerz: unknown key 'layerz'; did you mean 'layers'?"),
        ({"qqq": 1}, "$.qqq: unknown key 'qqq'; known: $schema, archcalc, name, symbols, inputs, blocks"),
        ({"layers": []}, "$.layers: must not be empty"),
        ({"layers": {"a": 1}}, "$.layers: expected a list, got {'a': 1}"),
        ({"inputs": {}}, "$.inputs: must not be empty"),
        ({"inputs": [8, 8, 3]}, "$.inputs: expected an object {...}, got [8, 8, 3]"),
        ({"inputs": {"x": 8}}, "$.inputs.x: expected a list of sizes, as in [32, 32, 3], got 8"),
        ({"inputs": {"x": {"dtype": "int8"}}}, '$.inputs.x: "shape" is missing'),
        ({"inputs": {"x": {"shape": [1], "dtype": "flaot32"}}}, "unknown dtype 'flaot32'; did you mean"),
        ({"inputs": {"x": [8, None, 3]}}, '$.inputs.x: an open axis is a symbol: declare "symbols"'),
        ({"inputs": {"x": [8, -1, 3]}}, "$.inputs.x: expected a positive integer, got -1"),
        ({"inputs": {"x": [8, 0, 3]}}, "$.inputs.x: expected a positive integer, got 0"),
        ({"inputs": {"x": [8, 2.5, 3]}}, "$.inputs.x: expected a positive integer, got 2.5"),
        ({"inputs": {"x": [8, True, 3]}}, "$.inputs.x: expected a positive integer, got True"),
        ({"inputs": {"x": ["H", 8, 3]}}, "$.inputs.x: unknown symbol 'H'; declared: none"),
        ({"inputs": {"x": [10**30, 8, 3]}}, "10^30 is larger than any size (limit 2,147,483,648)"),
        ({"inputs": {"x/y": [8, 8, 3]}}, "$.inputs: the name 'x/y' holds '/'"),
        ({"name": "a\nb"}, "$.name: the name 'a\\nb' holds control"),
        ({"name": 3}, "$.name: expected a text in quotes, got 3"),
        ({"outputs": []}, "$.outputs: must not be empty"),
        ({"outputs": ["aa"]}, "$.outputs[0]: no layer or input is named 'aa'; did you mean 'a'?"),
        ({"outputs": "a"}, "$.outputs: expected a list, got 'a'"),
        ({"blocks": {"b": {"layers": []}}}, "$.blocks.b.layers: must not be empty"),
        ({"blocks": {"b": {"layer": [1]}}}, "$.blocks.b.layer: unknown key 'layer'; did you mean 'layers'?"),
        ({"symbols": {"w": 0}}, "$.symbols.w: expected a positive integer, got 0"),
        ({"symbols": {"w": True}}, "$.symbols.w: expected a positive integer, got true"),
        ({"symbols": {"w": "3"}}, "$.symbols.w: expected a positive integer, got '3'"),
        ({"symbols": {"w": {"defualt": 3}}}, "$.symbols.w.defualt: unknown key 'defualt'; did you mean"),
        ({"symbols": {"w": {"min": 5, "max": 4}}}, "$.symbols.w: min 5 is above max 4"),
        ({"symbols": {"w": {"default": 3, "min": 5}}}, "$.symbols.w: w = 3 must be at least 5"),
        ({"symbols": {"w": {"default": 9, "max": 8}}}, "$.symbols.w: w = 9 must be at least 1 and at most 8"),
        ({"symbols": {"w": 2**40}}, "$.symbols.w: w = 1099511627776 is larger than any size"),
        ({"symbols": {"max": 3}}, "$.symbols.max: 'max' cannot name a symbol"),
        ({"symbols": {"a-b": 3}}, "$.symbols['a-b']: 'a-b' cannot name a symbol"),
    ],
)
def test_sections(sections: dict[str, Any], fault: str) -> None:
    listed = faults(spec({"name": "a", **RELU}, **sections))
    assert any(fault.replace("10^30", str(10**30)) in text for text in listed), listed


@pytest.mark.parametrize("key", ["archcalc", "inputs", "layers"])
def test_what_is_required(key: str) -> None:
    assert f'"{key}" is missing' in faults(without(key))[0]


@pytest.mark.parametrize(
    ("claim", "fault"),
    [
        (
            {"quantity": "params", "value": 1},
            "[0].quantity: unknown quantity 'params'; did you mean 'parameters'?",
        ),
        ({"value": 1}, '[0]: "quantity" is missing'),
        ({"quantity": "macs"}, '[0]: "value" is missing'),
        ({"quantity": "macs", "value": "9"}, "[0].value: expected a number or a list of numbers, got '9'"),
        ({"quantity": "macs", "value": [1, None]}, "[0].value: expected a number or a list of numbers"),
        ({"quantity": "macs", "value": True}, "[0].value: expected a number or a list of numbers, got true"),
        ({"quantity": "macs", "value": 1, "per": "unit"}, "[0].per: expected 'filter' or 'layer', got"),
        (
            {"quantity": "macs", "value": 1, "layr": "a"},
            "[0].layr: unknown key 'layr'; did you mean 'layer'?",
        ),
        ({"quantity": "macs", "value": 1, "layer": "b"}, "[0].layer: no layer is named 'b'"),
        (
            {"quantity": "macs", "value": 1, "layers": ["a", "aa"]},
            "[0].layers[1]: no layer is named 'aa'; did you",
        ),
        (
            {"quantity": "macs", "value": 1, "layer": "a", "layers": ["a"]},
            '[0]: "layer" and "layers" exclude',
        ),
        (3, "[0]: expected an object {...}, got 3"),
    ],
)
def test_claims(claim: Any, fault: str) -> None:
    assert only_fault(spec({"name": "a", **RELU}, claims=[claim])).startswith(f"$.claims{fault}")


# -- entries ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (3, '$.layers[0]: expected an object {"name": ..., "type": ...}, got 3'),
        ({"name": "a"}, '$.layers[0]: "type" is missing (or "block", or "shared_with")'),
        (
            {"name": "a", "typ": "ReLU"},
            "$.layers[0]: \"type\" is missing, and 'typ' is unknown; did you mean 'type'?",
        ),
        ({"name": "a", "type": 3}, "$.layers[0].type: expected a name in quotes, got 3"),
        (
            {"name": "a", "type": "conv2d"},
            "$.layers[0].type: unknown layer type 'conv2d'; did you mean 'Conv2D'?",
        ),
        ({"name": "a", "type": "Lambda"}, "$.layers[0].type: a Lambda, whose Python code is never run"),
        (
            {"name": "a", "type": "InputLayer", "shape": [3]},
            '$.layers[0].type: inputs are declared in "inputs"',
        ),
        ({"name": "a", "type": "ReLU", "block": "b"}, "$.layers[0]: 'type' and 'block' exclude each other"),
        ({"name": "a", "block": "q"}, "$.layers[0].block: no block is named 'q'"),
        ({"type": "ReLU"}, '$.layers[0]: "name" is missing'),
        ({"name": 3, "type": "ReLU"}, "$.layers[0].name: expected a name in quotes, got 3"),
        ({"name": "", "type": "ReLU"}, "$.layers[0].name: a name must not be empty"),
        ({"name": "a/b", "type": "ReLU"}, "$.layers[0].name: the name 'a/b' holds '/'"),
        ({"name": "a\x1b[2J", "type": "ReLU"}, "$.layers[0].name: the name 'a\\x1b[2J' holds control"),
        ({"name": "a\u202eb", "type": "ReLU"}, "$.layers[0].name: the name 'a\\u202eb' holds control"),
        ({"name": " a", "type": "ReLU"}, "$.layers[0].name: the name ' a' begins or ends with a space"),
        ({"name": "a" * 256, "type": "ReLU"}, "$.layers[0].name: a name of 256 characters (limit 255)"),
        ({"name": "x", "type": "ReLU"}, "$.layers[0].name: the name 'x' already names an input here"),
        (
            {"name": "a", "type": "ReLU", "inputs": "x"},
            "$.layers[0].inputs: expected a list of names, got 'x'",
        ),
        (
            {"name": "a", "type": "ReLU", "inputs": []},
            "$.layers[0].inputs: expected 1 to 10,000 names, got 0",
        ),
        (
            {"name": "a", "type": "ReLU", "inputs": [1]},
            "$.layers[0].inputs[0]: expected a name in quotes, got 1",
        ),
        (
            {"name": "a", "type": "ReLU", "inputs": ["y"]},
            "$.layers[0].inputs[0]: no layer or input is named 'y'",
        ),
        (
            {"name": "a", "type": "ReLU", "inputs": ["x/a"]},
            "$.layers[0].inputs[0]: no layer or input is named",
        ),
        ({"name": "a", "type": "ReLU", "inputs": ["a"]}, "$.layers[0]: a cycle: a -> a"),
    ],
)
def test_entries(entry: Any, fault: str) -> None:
    assert faults(spec(entry))[0].startswith(fault), faults(spec(entry))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"filter": 4}, "[0].filter: Conv2D has no argument 'filter'; did you mean 'filters'?"),
        ({"filters": 0}, "[0].filters: expected a positive integer, got 0"),
        ({"filters": 2.0}, "[0].filters: expected a positive integer, got 2.0"),
        ({"filters": None}, "[0].filters: expected a positive integer, got None"),
        ({"filters": True}, "[0].filters: expected a positive integer, got True"),
        ({"filters": 10**30}, f"[0].filters: {10**30} is larger than any size (limit 2,147,483,648)"),
        ({"filters": "9**9**9"}, "[0].filters: an exponent above 64 (column 2 of '9**9**9')"),
        ({"filters": "2**40"}, "[0].filters: '2**40' = 1099511627776 is larger than any size"),
        ({"filters": "__import__('os')"}, '[0].filters: unexpected character "\'" (column 12'),
        ({"filters": "2*v"}, "[0].filters: unknown symbol 'v'; declared: w (column 3 of '2*v')"),
        ({"filters": "w - 5"}, "[0].filters: expected a positive integer, got 0"),
        ({"filters": "w/2"}, "[0].filters: 5/2 is not an integer; // divides and floors"),
        ({"filters": ""}, "[0].filters: an empty text is no expression"),
        (
            {"kernel_size": [1, 2, 3]},
            "[0].kernel_size: expected a positive integer or 2 of them, got [1, 2, 3]",
        ),
        ({"padding": "sane"}, "[0].padding: expected 'valid' or 'same', got 'sane'"),
        ({"use_bias": 1}, "[0].use_bias: expected true or false, got 1"),
        ({"activation": "rellu"}, "[0].activation: unknown activation 'rellu'; did you mean 'relu'?"),
        ({"filters": 10, "groups": 4}, "[0]: filters=10 must be divisible by groups=4"),
        ({"strides": 2, "dilation_rate": 2}, "[0]: strides=(2, 2) with dilation_rate=(2, 2)"),
    ],
)
def test_arguments(arguments: dict[str, Any], fault: str) -> None:
    data = spec({"name": "a", **CONV, **arguments}, symbols={"w": 5})
    assert only_fault(data).startswith(f"$.layers{fault}"), only_fault(data)


def test_a_missing_argument() -> None:
    assert only_fault(spec({"name": "a", "type": "Dense"})) == '$.layers[0]: Dense needs "units"'


def test_the_first_of_several_inputs_must_be_chosen() -> None:
    message = only_fault(spec({"name": "a", **RELU}, inputs={"x": [1], "y": [1]}))
    assert message == "$.layers[0]: the first layer needs \"inputs\", because there are several: 'x', 'y'"


def test_duplicates() -> None:
    assert only_fault(spec({"name": "a", **RELU}, {"name": "b", **RELU}, {"name": "a", **RELU})) == (
        "$.layers[2].name: the name 'a' is already used at $.layers[0]"
    )


# -- cycles ----------------------------------------------------------------------------------------
def ring(length: int) -> dict[str, Any]:
    return spec(*({"name": f"l{i}", **RELU, "inputs": [f"l{(i + 1) % length}"]} for i in range(length)))


def test_a_cycle_is_named_from_layer_to_layer() -> None:
    assert only_fault(ring(3)) == "$.layers[0]: a cycle: l0 -> l2 -> l1 -> l0"


def test_a_long_cycle_is_shortened() -> None:
    message = only_fault(ring(20_000))
    assert message.startswith("$.layers[0]: a cycle: l0 -> l19999 -> l19998")
    assert "... 19,995 more ..." in message
    assert len(message) < 150


def test_a_cycle_beside_a_sound_part() -> None:
    layers = [
        {"name": "a", **RELU},
        {"name": "b", "type": "Add", "inputs": ["a", "c"]},
        {"name": "c", **RELU},
    ]
    assert only_fault(spec(*layers)) == "$.layers[1]: a cycle: b -> c -> b"


# -- blocks ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("use", "fault"),
    [
        ({}, "$.layers[0]: block 'b' needs a value for 'f'"),
        ({"f": 1, "g": 2}, "$.layers[0].g: block 'b' has no parameter 'g'; its parameters: f"),
        (
            {"f": 1, "repaet": 2},
            "$.layers[0].repaet: block 'b' has no parameter 'repaet'; did you mean 'repeat'?",
        ),
        ({"f": "v"}, "$.layers[0].f: unknown symbol 'v'"),
        ({"f": [1]}, "$.layers[0].f: expected an integer or an expression, got [1]"),
        ({"f": 0}, "$.blocks.b.layers[0].filters: expected a positive integer, got 0 (with f = 0)"),
        ({"f": 1, "repeat": -3}, "$.layers[0].repeat: expected a number of copies, got -3"),
        ({"f": 1, "repeat": 2.5}, "$.layers[0].repeat: expected an integer or an expression, got 2.5"),
        ({"f": 1, "repeat": True}, "$.layers[0].repeat: expected an integer or an expression, got true"),
        ({"f": 1, "repeat": "n"}, "$.layers[0].repeat: unknown symbol 'n'"),
        ({"f": 1, "inputs": ["x", "x"]}, "$.layers[0].inputs: block 'b' takes 1 inputs ('input'), got 2"),
        ({"f": 1, "repeat": 200_000}, "more than 100,000 layers once blocks are written out"),
    ],
)
def test_uses_of_blocks(use: dict[str, Any], fault: str) -> None:
    message = only_fault(spec({"name": "p", "block": "b", **use}, blocks={"b": BLOCK}))
    assert fault in message


def test_unknown_parameters_of_a_block_are_listed_as_in_the_file() -> None:
    keys = [f"{letter}_" for letter in "tqzmbx"]
    found = faults(spec({"name": "p", "block": "b", "f": 1, **dict.fromkeys(keys, 2)}, blocks={"b": BLOCK}))
    assert [text.split(":")[0] for text in found] == [f"$.layers[0].{key}" for key in keys]


def test_equal_layers_have_each_their_faults() -> None:
    layers = [{"name": f"c{i}", **CONV, "filters": 0, "kernel_sise": 3} for i in range(3)]
    found = faults(spec(*layers))
    assert [text.split(":")[0] for text in found] == [
        f"$.layers[{i}].{key}" for key in ("kernel_sise", "filters") for i in range(3)
    ]


def test_an_unused_block_is_checked_all_the_same() -> None:
    block = {
        "parameters": {"f": None},
        "layers": [
            {"name": "a", "type": "Conv2D", "filters": "g", "kernel_size": 3},
            {"name": "b", "type": "Dense", "units": "f", "inputs": ["c"]},
            {"name": "a", "type": "Softmx"},
        ],
    }
    assert faults(spec({"name": "r", **RELU}, blocks={"b": block})) == [
        "$.blocks.b.layers[2].type: unknown layer type 'Softmx'; did you mean 'Softmax'?; "
        '`archcalc layers` lists all, "Opaque" describes others',
        "$.blocks.b.layers[2].name: the name 'a' is already used at $.blocks.b.layers[0]",
        "$.blocks.b.layers[1].inputs[0]: no layer or input of this block is named 'c'",
        "$.blocks.b.layers[0].filters: unknown symbol 'g'; declared: f (column 1 of 'g')",
    ]


def test_names_of_parameters_and_inputs() -> None:
    block = {
        "parameters": {"max": 1, "repeat": 1},
        "inputs": ["a", "a", "b/c"],
        "layers": [{"name": "z", **RELU}],
    }
    listed = faults(spec({"name": "r", **RELU}, blocks={"b": block}))
    assert [text.split(": ", 1)[0] for text in listed] == [
        "$.blocks.b.parameters",
        "$.blocks.b.parameters",
        "$.blocks.b.inputs[2]",
        "$.blocks.b.inputs",
        "$.blocks.b.layers[0]",
    ]


def test_a_block_cannot_contain_itself() -> None:
    blocks = {
        "p": {"layers": [{"name": "r", **RELU}, {"name": "q", "block": "q"}]},
        "q": {"layers": [{"name": "p", "block": "p"}]},
    }
    assert only_fault(spec({"name": "a", "block": "p"}, blocks=blocks)) == (
        "$.blocks.p.layers[1].block: block 'p' contains itself: p -> q -> p"
    )


def test_blocks_nest_to_a_limit() -> None:
    blocks = {f"b{i}": {"layers": [{"name": "i", "block": f"b{i + 1}"}]} for i in range(5_000)}
    blocks["b5000"] = {"layers": [{"name": "r", **RELU}]}
    assert "blocks nested deeper than 16" in only_fault(spec({"name": "a", "block": "b0"}, blocks=blocks))


def test_nested_repeats_stop_at_the_cap() -> None:
    blocks: dict[str, Any] = {
        f"b{i}": {"layers": [{"name": "i", "block": f"b{i + 1}", "repeat": 1_000_000}]} for i in range(10)
    }
    blocks["b10"] = {"layers": [{"name": "r", **RELU}]}
    data = spec({"name": "a", "block": "b0"}, blocks=blocks)
    assert "more than 9,999 layers" in only_fault(data, max_layers=9_999)


def test_the_cap_can_be_raised() -> None:
    data = spec({"name": "p", "block": "b", "f": 1, "repeat": 30}, blocks={"b": BLOCK})
    assert "more than 29 layers" in only_fault(data, max_layers=29)
    assert len(load(data, max_layers=30).nodes) == 31  # the input is not counted
    assert "3 layers (limit 2" in only_fault(spec(*({"name": n, **RELU} for n in "abc")), max_layers=2)
    assert "3 layers (limit 2" in only_fault(
        spec(*({"name": n, **RELU} for n in "ab"), blocks={"b": BLOCK}), max_layers=2
    )


def test_a_symbolic_repeat_needs_a_block_whose_shapes_follow_a_rule() -> None:
    data = spec({"name": "p", "block": "b", "f": 5, "repeat": "n"}, blocks={"b": BLOCK}, symbols={"n": None})
    message = only_fault(data)
    assert "it takes (8, 8, 4) and gives (8, 8, 5). Axis 3 (4, then 5) has no closed form" in message
    assert "(8, 8, 4)" in message
    assert "(8, 8, 5)" in message


def test_copies_of_a_symbolic_repeat_cannot_be_told_apart() -> None:
    data = spec(
        {"name": "p", "block": "b", "f": 4, "repeat": "n"},
        {"name": "s", "type": "Add", "inputs": ["p", "p[*]/a"]},
        blocks={"b": BLOCK},
        symbols={"n": None},
    )
    assert only_fault(data).startswith("$.layers[1].inputs[1]: 'p[*]/a' stands for every copy of a block")

    data["layers"][1] = {"name": "s", "shared_with": "p[*]/a"}
    assert only_fault(data).startswith("$.layers[1].shared_with: 'p[*]/a' stands for every copy of a block")


def test_names_inside_blocks_are_suggested() -> None:
    layers = [
        {"name": "p", "block": "b", "f": 4, "repeat": 2},
        {"name": "s", "type": "Add", "inputs": ["p[2]/b", "p[3]"]},
    ]
    assert faults(spec(*layers, blocks={"b": BLOCK})) == [
        "$.layers[1].inputs[0]: no layer is named 'p[2]/b'; did you mean 'p[2]/a'?",
        "$.layers[1].inputs[1]: no layer is named 'p[3]'; did you mean 'p[2]'?",
    ]


def test_names_that_blocks_and_layers_would_both_have() -> None:
    layers = [{"name": "p[1]", "block": "b", "f": 4}, {"name": "p", "block": "b", "f": 4, "repeat": 2}]
    assert (
        "the name 'p[1]/a' already comes from $.blocks.b.layers[0]"
        in faults(spec(*layers, blocks={"b": BLOCK}))[0]
    )


# -- shared weights --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"shared_with": "z"}, ".shared_with: no layer or input is named 'z'"),
        ({"shared_with": "x"}, ".shared_with: no layer or input is named 'x'"),
        ({"shared_with": 3}, ".shared_with: expected a name in quotes, got 3"),
        ({"shared_with": "b"}, ".shared_with: 'b': it shares its weights with this layer in turn"),
        (
            {"shared_with": "a", "filters": 5},
            ".filters: 5 contradicts 'a', whose weights and arguments it shares",
        ),
        ({"shared_with": "a", "type": "Dense"}, ".type: 'Dense' contradicts Conv2D, the type of 'a'"),
        (
            {"shared_with": "a", "fliters": 4},
            ".fliters: Conv2D has no argument 'fliters'; did you mean 'filters'?",
        ),
        ({"shared_with": "a", "block": "q"}, ": 'block' and 'shared_with' exclude each other"),
        ({"shared_with": "p", "f": 3}, ".f: everything but name and inputs comes from 'p'; remove 'f'"),
        ({"shared_with": "p/z"}, ".shared_with: 'p/z': no layer has that name; weights are shared"),
        ({"shared_with": "p", "inputs": ["x", "x"]}, ".inputs: block 'b' takes 1 inputs ('input'), got 2"),
    ],
)
def test_shared_weights(entry: dict[str, Any], fault: str) -> None:
    data = spec(
        {"name": "a", **CONV},
        {"name": "p", "block": "b", "f": 4},
        {"name": "b", **entry},
        blocks={"b": BLOCK},
    )
    assert only_fault(data).startswith(f"$.layers[2]{fault}"), only_fault(data)


def test_long_chains_of_sharing_stay_cheap() -> None:
    count = 12_000
    forth = [
        {"name": "a0", **CONV},
        *({"name": f"a{i}", "shared_with": f"a{i - 1}"} for i in range(1, count)),
    ]
    back = [
        *({"name": f"a{i}", "shared_with": f"a{i + 1}"} for i in range(count)),
        {"name": f"a{count}", **CONV},
    ]
    ring = [{"name": f"a{i}", "shared_with": f"a{(i + 1) % count}"} for i in range(count)]
    assert {n.shared_with for n in load(spec(*forth)).nodes} == {None, 1}
    assert {n.shared_with for n in load(spec(*back)).nodes} == {None, 1}
    assert "in turn, so no layer owns them" in only_fault(spec(*ring))


def test_sharing_in_a_circle() -> None:
    listed = faults(spec({"name": "a", "shared_with": "b"}, {"name": "b", "shared_with": "a"}))
    assert all("in turn, so no layer owns them" in text for text in listed)
    assert listed


# -- shapes ----------------------------------------------------------------------------------------
def test_shapes_that_do_not_fit() -> None:
    data = spec(
        {"name": "a", **CONV},
        {"name": "b", **CONV, "kernel_size": 9, "padding": "valid"},
        {"name": "c", **RELU},
        {"name": "d", "type": "Add", "inputs": ["a", "e"]},
        {"name": "e", "type": "MaxPooling2D", "inputs": ["x"]},
    )
    assert sorted(faults(data)) == [
        "$.layers[1]: layer 'b': an axis of 8 is shorter than the window of 9 (padding='valid')",
        "$.layers[3]: layer 'd': Add: shapes (8, 8, 4) and (4, 4, 4) do not match",
    ]


def test_shared_weights_that_do_not_fit() -> None:
    data = spec(
        {"name": "a", **CONV}, {"name": "p", **RELU}, {"name": "b", "shared_with": "a", "inputs": ["y"]}
    )
    data["inputs"]["y"] = [8, 8, 3]
    data["layers"][0]["inputs"] = ["x"]
    message = only_fault(data)
    assert message.startswith("$.layers[2]: layer 'b': shares the weights of 'a', kernel (3, 3, 4, 4)")
    assert "would need kernel (3, 3, 3, 4)" in message


def test_a_misfit_inside_a_block_names_the_copy() -> None:
    block = {"layers": [{"name": "c", **CONV, "padding": "valid"}]}
    data = spec({"name": "p", "block": "b", "repeat": 5}, blocks={"b": block})
    assert only_fault(data).startswith("$.blocks.b.layers[0]: layer 'p[4]/c': an axis of 2 is shorter")


# -- values given from outside ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("symbols", "fault"),
    [
        ({"v": 3}, "$.symbols: no symbol is named 'v'; declared: width"),
        ({"widht": 3}, "$.symbols: no symbol is named 'widht'; did you mean 'width'?"),
        ({"width": 1}, "$.symbols.width: width = 1 must be at least 2 and at most 9"),
        ({"width": 10}, "$.symbols.width: width = 10 must be at least 2 and at most 9"),
        ({"width": "3"}, "$.symbols.width: expected a positive integer, got '3'"),
        ({"width": 10**5000}, "$.symbols.width: width = an integer of 16610 bits must be at least 2"),
    ],
)
def test_overrides(symbols: dict[str, Any], fault: str) -> None:
    declared = {"width": {"default": 4, "min": 2, "max": 9}}
    assert only_fault(spec({"name": "a", **RELU}, symbols=declared), symbols=symbols).startswith(fault)


# -- all at once -----------------------------------------------------------------------------------
def test_faults_of_all_kinds_come_together_the_worst_first() -> None:
    data = spec(
        {"name": "a", **CONV, "filters": 0},
        {"name": "b", **RELU, "inputs": ["q"]},
        {"name": "c", "type": "Con2D"},
        {"name": "d", "block": "b"},
        archcalc=3,
        symbols={"w": -1},
        blocks={"b": BLOCK},
        claims=[{"quantity": "macs"}],
    )
    assert [text.split(": ", 1)[0] for text in faults(data)] == [
        "$.archcalc",
        "$.symbols.w",
        "$.claims[0]",
        "$.layers[2].type",
        "$.layers[1].inputs[0]",
        "$.layers[0].filters",
        "$.layers[3]",
    ]


def test_a_broken_declaration_is_not_blamed_on_its_users() -> None:
    data = spec(
        {"name": "a", **CONV, "filters": "w", "inputs": ["y"]},
        {"name": "b", "block": "p"},
        symbols={"w": 0},
        inputs={"y": "?"},
        blocks={"p": {"layers": "?"}},
    )
    assert [text.split(": ", 1)[0] for text in faults(data)] == [
        "$.symbols.w",
        "$.inputs.y",
        "$.blocks.p.layers",
    ]


def test_at_most_twenty() -> None:
    listed = faults(spec(*({"name": f"l{i}", "type": "Zzz"} for i in range(50))))
    assert len(listed) == 21
    assert listed[-1] == "... and 30 more"


def test_many_faults_stay_cheap() -> None:
    """Suggestions are searched for only where they are shown."""
    layers = [{"name": f"layer{i}", **RELU, "inputs": [f"leyer{i}"]} for i in range(12_000)]
    listed = faults(spec(*layers))
    assert listed[0].endswith("did you mean 'layer0'?")
    assert listed[-1] == "... and 11,980 more"
    sound = [{"name": f"layer{i}", **RELU} for i in range(12_000)]
    claims = [{"quantity": "macs", "value": 1, "layer": f"leyer{i}"} for i in range(9_000)]
    listed = faults(spec(*sound, claims=claims))
    assert listed[0].endswith("did you mean 'layer0'?")
    assert listed[-1] == "... and 8,980 more"
    assert len(faults(spec(*sound, outputs=[f"leyer{i}" for i in range(900)]))) == 21


def test_messages_stay_short() -> None:
    data = spec({"name": "a", **CONV, "filters": ["x" * 10_000] * 1_000, "kernel_size": [1] * 100_000})
    for text in faults(data):
        assert len(text) < 600


def test_the_source_is_named_in_every_line() -> None:
    with pytest.raises(SourceError) as raised:
        load(spec({"name": "a", "type": "Zzz"}, {"name": "b", "type": "Zzz"}))
    assert all(line.startswith("the given mapping: $.layers[") for line in str(raised.value).splitlines())
