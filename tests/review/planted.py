"""Wrong claims with a known slip, made without the search: the network or the written arithmetic is edited,
and what then comes out is counted again.

A planted claim has the names of the slips that a reader must find, each with the names that mean the same
mistake in this place (with `same` padding a stride that is overlooked is an output as large as the input).
"""

# ruff: noqa: ARG001 - edits share one signature
from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from archcalc.analyze import analyze
from archcalc.errors import ArchcalcError
from archcalc.graph.claims import Claim

Spec = dict[str, Any]
FILTERS = (4, 6, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128)


# -- networks ------------------------------------------------------------------------------------------
def network(draw: random.Random) -> Spec:
    """A random network of one of several kinds."""
    return draw.choice((plain, plain, branched, separable, recurrent, siamese, local, dilated))(draw)


def _spec(inputs: Any, layers: list[Spec]) -> Spec:
    return {"archcalc": 1, "name": "net", "inputs": inputs, "layers": layers}


def _conv(draw: random.Random, name: str, **more: Any) -> Spec:
    return {
        "name": name,
        "type": "Conv2D",
        "filters": draw.choice(FILTERS),
        "kernel_size": draw.choice((1, 3, 3, 3, 5, 7)),
        "padding": draw.choice(("same", "valid")),
        **more,
    }


def _top(draw: random.Random) -> list[Spec]:
    pool = draw.choice(("Flatten", "GlobalAveragePooling2D"))
    layers = [{"name": "flat", "type": pool}]
    if draw.random() < 0.5:
        layers.append({"name": "hidden", "type": "Dense", "units": draw.choice((32, 50, 64, 100))})
    return [*layers, {"name": "out", "type": "Dense", "units": draw.choice((2, 5, 10, 100))}]


def plain(draw: random.Random) -> Spec:
    layers: list[Spec] = []
    for i in range(draw.randint(2, 6)):
        conv = _conv(draw, f"conv{i}")
        if draw.random() < 0.25:
            conv["strides"] = 2
        if draw.random() < 0.25:
            conv["use_bias"] = False
        if i and draw.random() < 0.25:
            before = next(e["filters"] for e in reversed(layers) if e["type"] == "Conv2D")
            conv["groups"] = math.gcd(math.gcd(before, conv["filters"]), 4)
        layers.append(conv)
        if draw.random() < 0.4:
            layers.append({"name": f"norm{i}", "type": "BatchNormalization"})
        if draw.random() < 0.35:
            layers.append({"name": f"pool{i}", "type": "MaxPooling2D", "pool_size": 2})
        if draw.random() < 0.3:
            layers.append(_conv(draw, f"same{i}", filters=conv["filters"], padding="same", kernel_size=3))
    side = draw.choice((28, 32, 48, 64, 96))
    return _spec({"image": [side, side, draw.choice((1, 3, 3))]}, [*layers, *_top(draw)])


def branched(draw: random.Random) -> Spec:
    first = _conv(draw, "stem", padding="same")
    layers = [first]
    ends = []
    for b in range(draw.randint(2, 4)):
        before = "stem"
        for i in range(b if b < 3 else 1):
            kernel = draw.choice((3, 3, 5))
            layers.append(_conv(draw, f"b{b}_{i}", padding="same", kernel_size=kernel, inputs=[before]))
            before = f"b{b}_{i}"
        layers.append(_conv(draw, f"b{b}_end", padding="same", kernel_size=1, inputs=[before]))
        ends.append(f"b{b}_end")
    layers.append({"name": "concat", "type": "Concatenate", "inputs": ends})
    layers.append(_conv(draw, "after", padding="same"))
    side = draw.choice((16, 28, 35))
    return _spec({"image": [side, side, 3]}, [*layers, *_top(draw)])


def separable(draw: random.Random) -> Spec:
    layers = [_conv(draw, "stem", padding="same", strides=2)]
    for i in range(draw.randint(1, 4)):
        kind = draw.choice(("DepthwiseConv2D", "SeparableConv2D"))
        layer = {"name": f"light{i}", "type": kind, "kernel_size": draw.choice((3, 5)), "padding": "same"}
        if kind == "SeparableConv2D":
            layer["filters"] = draw.choice(FILTERS)
        layers.append(layer)
        layers.append(_conv(draw, f"point{i}", kernel_size=1, padding="same", use_bias=draw.random() < 0.5))
        layers.append({"name": f"norm{i}", "type": "BatchNormalization"})
    side = draw.choice((32, 64, 96))
    return _spec({"image": [side, side, 3]}, [*layers, *_top(draw)])


def recurrent(draw: random.Random) -> Spec:
    kinds = draw.choices(("LSTM", "GRU"), k=draw.randint(1, 2))
    layers = [
        {
            "name": f"rnn{i}",
            "type": kind,
            "units": draw.choice((16, 20, 32, 50, 64)),
            "return_sequences": True,
        }
        for i, kind in enumerate(kinds)
    ]
    top = [{"name": "out", "type": "Dense", "units": draw.choice((5, 10, 30))}]
    return _spec({"steps": [draw.choice((10, 50)), draw.choice((8, 16, 40, 64))]}, [*layers, *top])


def siamese(draw: random.Random) -> Spec:
    one = [_conv(draw, f"a{i}", padding="same") for i in range(draw.randint(1, 3))]
    one[0]["inputs"] = ["left"]
    two = [{"name": f"t{i}", "shared_with": f"a{i}"} for i in range(len(one))]
    two[0]["inputs"] = ["right"]
    merge = {"name": "merge", "type": "Concatenate", "inputs": [one[-1]["name"], two[-1]["name"]]}
    return _spec({"left": [24, 24, 3], "right": [24, 24, 3]}, [*one, *two, merge, *_top(draw)])


def local(draw: random.Random) -> Spec:
    first = _conv(draw, "conv0")
    second = {
        "name": "local",
        "type": "LocallyConnected2D",
        "filters": draw.choice(FILTERS),
        "kernel_size": 3,
    }
    side = draw.choice((16, 20, 28, 32))
    return _spec({"image": [side, side, 3]}, [first, second, *_top(draw)])


def dilated(draw: random.Random) -> Spec:
    layers = []
    for i in range(draw.randint(2, 5)):
        more = {"dilation_rate": draw.choice((2, 4))} if draw.random() < 0.5 else {}
        layers.append(_conv(draw, f"conv{i}", padding="same", kernel_size=3, **more))
    return _spec({"image": [96, 96, 3]}, layers)


# -- slips -----------------------------------------------------------------------------------------------
@dataclass
class Planted:
    """A wrong claim, and for each planted slip the names that mean it."""

    spec: Spec
    claim: Claim
    slips: list[set[str]]
    kind: str
    truth: Any = field(default=None)


Edit = Callable[[random.Random, Spec, Spec], "set[str] | None"]
# edits of one layer, in a copy of the spec; they return the names of the slip, None where they do not apply
LAYER_EDITS: dict[str, tuple[str, Edit]] = {}


def _edit(name: str, *quantities: str) -> Callable[[Edit], Edit]:
    def enter(edit: Edit) -> Edit:
        for quantity in quantities:
            LAYER_EDITS[f"{name}/{quantity}"] = (quantity, edit)
        return edit

    return enter


WEIGHTED = ("Conv2D", "Dense", "DepthwiseConv2D", "SeparableConv2D", "LocallyConnected2D", "LSTM", "GRU")


@_edit("no bias", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") not in WEIGHTED or layer.get("use_bias") is False:
        return None
    layer["use_bias"] = False
    return {"bias_forgotten"}


@_edit("a bias", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("use_bias") is not False:
        return None
    layer["use_bias"] = True
    return {"bias_added"}


@_edit("no groups", "parameters", "macs")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    return {"groups_ignored"} if layer.pop("groups", 1) > 1 else None


@_edit("one axis", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    k = layer.get("kernel_size", 1)
    if k == 1 or layer["type"] == "LocallyConnected2D":
        return None
    layer["kernel_size"] = draw.choice(([k, 1], [1, k]))
    return {"kernel_one_axis"}


@_edit("one filter", "parameters", "macs")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "Conv2D" or layer.get("groups", 1) > 1:
        return None
    layer["filters"] = 1
    return {"filters_forgotten"}


@_edit("own weights", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    plain = not set(layer) & {"groups", "dilation_rate"} and isinstance(layer.get("kernel_size"), int)
    if layer.get("type") != "Conv2D" or not plain or layer.get("padding", "valid") != "valid":
        return None
    layer["type"] = "LocallyConnected2D"
    return {"positions_multiplied"}


@_edit("shared weights", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "LocallyConnected2D":
        return None
    layer["type"] = "Conv2D"
    return {"positions_forgotten"}


@_edit("full depth", "parameters", "macs")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "DepthwiseConv2D":
        return None
    layer |= {"type": "Conv2D", "filters": _input_shape(spec, layer)[-1]}
    return {"depthwise_ignored"}


@_edit("full separable", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "SeparableConv2D":
        return None
    layer["type"] = "Conv2D"
    return {"separable_as_full"}


@_edit("one gate", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") not in ("LSTM",):
        return None
    layer["type"] = "SimpleRNN"
    return {"gates_forgotten"}


@_edit("one set of biases", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "GRU" or layer.get("use_bias") is False:
        return None
    layer["reset_after"] = False
    return {"one_bias_set"}


@_edit("no moving statistics", "parameters")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "BatchNormalization":
        return None
    layer["type"] = "LayerNormalization"
    return {"statistics_left_out", "trainable_given"}


@_edit("stride 1", "macs", "output_shape", "receptive_field")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "Conv2D" or layer.pop("strides", 1) == 1:
        return None
    return {"stride_ignored", "input_positions", "stride_once", "layer_ignored"}


@_edit("other padding", "macs", "output_shape")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "Conv2D" or layer["kernel_size"] == 1:
        return None
    layer["padding"] = "same" if layer["padding"] == "valid" else "valid"
    return {
        "padding_ignored",
        "padding_assumed",
        "input_positions",
        "layer_ignored",
        "plus_one_forgotten",
        "rounded_up",
    }


@_edit("no dilation", "receptive_field")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    return {"dilation_ignored"} if layer.pop("dilation_rate", 1) > 1 else None


@_edit("no pooling", "receptive_field", "output_shape")
def _(draw: random.Random, spec: Spec, layer: Spec) -> set[str] | None:
    if layer.get("type") != "MaxPooling2D":
        return None
    layer |= {"pool_size": 1, "strides": 1}
    return {"pooling_ignored", "layer_ignored"}


def _input_shape(spec: Spec, layer: Spec) -> list[int]:
    rows = {row.name: row for row in analyze(spec).rows}
    return list(rows[rows[layer["name"]].inputs[0]].output_shape)


def _figure(spec: Spec, quantity: str, name: str | None) -> Any:
    """The figure of a layer, or of the network, by archcalc's own analysis."""
    report = analyze(spec)
    if quantity == "output_shape":
        return tuple(report.layers[name].output_shape) if name else tuple(report.rows[-1].output_shape)
    if quantity == "receptive_field":
        row = report.layers[name] if name else report.rows[-1]
        return tuple(row.receptive_field.size)
    return getattr(report.layers[name] if name else report.totals, quantity)


def of_layer(draw: random.Random, number: int = 1) -> Planted | None:
    """`number` edits of one layer; the claim is about that layer, or about the whole network."""
    spec = network(draw)
    wrong = copy.deepcopy(spec)
    position = draw.randrange(len(spec["layers"]))
    name = spec["layers"][position]["name"]
    kinds = draw.sample(sorted(LAYER_EDITS), number)
    quantities = {LAYER_EDITS[k][0] for k in kinds}
    if len(quantities) > 1:
        return None
    quantity = quantities.pop()
    if number > 1 and quantity not in ("parameters", "macs"):
        return None
    slips = []
    for kind in kinds:
        names = LAYER_EDITS[kind][1](draw, wrong, wrong["layers"][position])
        if names is None:
            return None
        slips.append(names)
    if number > 1 and not _each_matters(spec, wrong, position, kinds, quantity):
        return None
    whole = quantity in ("parameters",) and draw.random() < 0.3 and number == 1
    target = None if whole else name
    if whole and _changes_others(kinds):
        return None
    return _made(spec, wrong, quantity, target, slips, "+".join(kinds))


def _each_matters(spec: Spec, wrong: Spec, position: int, kinds: list[str], quantity: str) -> bool:
    """Whether two edits together give another figure than either alone."""
    name = spec["layers"][position]["name"]
    together = _figure(wrong, quantity, name)
    for kind in kinds:
        alone = copy.deepcopy(spec)
        if LAYER_EDITS[kind][1](random.Random(0), alone, alone["layers"][position]) is None:
            return False
        if _figure(alone, quantity, name) in (together, _figure(spec, quantity, name)):
            return False
    return True


def _changes_others(kinds: list[str]) -> bool:
    """Whether an edit changes the shapes that later layers are counted with."""
    return any(k.partition("/")[0] in ("one filter", "own weights", "one axis") for k in kinds)


def _made(
    spec: Spec, wrong: Spec, quantity: str, name: str | None, slips: list[set[str]], kind: str
) -> Planted | None:
    try:
        value, truth = _figure(wrong, quantity, name), _figure(spec, quantity, name)
    except (ArchcalcError, AttributeError, KeyError):
        return None
    if value == truth or not all(type(n) is int for n in (value if isinstance(value, tuple) else (value,))):
        return None
    return Planted(spec, Claim(quantity, value, (name,) if name else ()), slips, kind, truth)


# -- edits of the whole network ----------------------------------------------------------------------------
def everywhere(draw: random.Random) -> Planted | None:
    """One mistake in all layers of a network."""
    spec = network(draw)
    wrong = copy.deepcopy(spec)
    layers = wrong["layers"]
    kind = draw.choice(
        ("no bias", "no statistics", "no top", "shared twice", "no padding", "no dilation", "image")
    )
    quantity, slips = "parameters", {"bias_forgotten"}
    if kind == "no bias":
        for layer in layers:
            if layer.get("type") in WEIGHTED:
                layer["use_bias"] = False
    elif kind == "no statistics":
        slips = {"statistics_left_out", "trainable_given"}
        for layer in layers:
            if layer.get("type") == "BatchNormalization":
                layer["type"] = "LayerNormalization"
    elif kind == "no top":
        slips = {"type_left_out", "layer_left_out"}
        wrong["layers"] = [e for e in layers if e.get("type") not in ("Dense", "Flatten")] or layers
    elif kind == "shared twice":
        slips = {"shared_twice"}
        for layer in layers:
            owner = layer.pop("shared_with", None)
            if owner is not None:
                source = next(e for e in layers if e["name"] == owner)
                layer |= {k: v for k, v in source.items() if k not in ("name", "inputs")}
    elif kind == "no padding":
        quantity, slips = draw.choice(("macs", "output_shape")), {"padding_ignored"}
        for layer in layers:
            if "padding" in layer:
                layer["padding"] = "valid"
    elif kind == "no dilation":
        quantity, slips = "receptive_field", {"dilation_ignored"}
        for layer in layers:
            layer.pop("dilation_rate", None)
    else:
        return _of_image(draw, spec)
    return _made(spec, wrong, quantity, None, [slips], f"{kind} everywhere")


def _of_image(draw: random.Random, spec: Spec) -> Planted | None:
    """A layer counted alone, on the channels of the image, or on those of one branch, or on one channel."""
    layer = draw.choice([e for e in spec["layers"] if e.get("type") in WEIGHTED])
    if layer["type"] not in ("Conv2D", "SeparableConv2D") or layer.get("groups", 1) > 1:
        return None
    before = _input_shape(spec, layer)
    channels, slips = draw.choice(((3, {"image_channels"}), (1, {"channels_forgotten", "image_channels"})))
    if layer["name"] == "after":
        branch = draw.choice([e for e in spec["layers"] if e["name"].endswith("_end")])
        channels, slips = branch["filters"], {"branch_channels"}
    alone = _spec({"x": [*before[:-1], channels]}, [{k: v for k, v in layer.items() if k != "inputs"}])
    quantity = draw.choice(("parameters", "macs"))
    return _made(spec, alone, quantity, layer["name"], [slips], "other channels")


def chains(draw: random.Random) -> Planted | None:
    """A layer removed or repeated, for fields and totals; branches in series, or only one of them."""
    spec = network(draw)
    layers = spec["layers"]
    wrong = copy.deepcopy(spec)
    quantity = draw.choice(("receptive_field", "parameters"))
    if any("inputs" in e for e in layers):
        return _branches(draw, spec)
    middle = [i for i, e in enumerate(layers[:-1]) if e.get("type") == "Conv2D" and i]
    if not middle:
        return None
    i = draw.choice(middle)
    keeps = _input_shape(spec, layers[i]) == list(_figure(spec, "output_shape", layers[i]["name"]))
    if not keeps and quantity == "parameters":
        return None
    last = next(e["name"] for e in reversed(layers) if e.get("type") == "Conv2D" and e is not layers[i])
    target = last if quantity == "receptive_field" else None
    if draw.random() < 0.5:
        del wrong["layers"][i]
        return _made(spec, wrong, quantity, target, [{"layer_too_few", "layer_left_out"}], "a layer removed")
    wrong["layers"].insert(i + 1, {**wrong["layers"][i], "name": "again"})
    return _made(spec, wrong, quantity, target, [{"layer_too_many", "layer_twice"}], "a layer repeated")


def _branches(draw: random.Random, spec: Spec) -> Planted | None:
    wrong = copy.deepcopy(spec)
    concat = next((e for e in wrong["layers"] if e["name"] == "concat"), None)
    if concat is None:
        return None
    ends = list(concat["inputs"])
    if draw.random() < 0.4:
        concat["inputs"] = [ends[0]]
        wrong["layers"] = [e for e in wrong["layers"] if e is not concat and e.get("inputs") != []]
        for e in wrong["layers"]:
            if e["name"] == "after":
                e["inputs"] = [ends[0]]
        return _made(spec, wrong, "receptive_field", "after", [{"shortest_branch"}], "the first branch only")
    for before, first in zip(ends, [f"b{i}_" for i in range(1, len(ends))], strict=False):
        start = next(e for e in wrong["layers"] if e["name"].startswith(first))
        start["inputs"] = [before]
    return _made(spec, wrong, "receptive_field", "concat", [{"branches_added"}], "branches in series")


# -- edits of the written arithmetic -----------------------------------------------------------------------
def written(draw: random.Random) -> Planted | None:
    """A count as its author writes it, with one number changed, dropped or repeated."""
    spec = network(draw)
    layer = draw.choice(spec["layers"])
    if layer.get("type") != "Conv2D":
        return _written_sum(draw, spec)
    k, f = layer["kernel_size"], layer["filters"]
    c = _input_shape(spec, layer)[-1] // layer.get("groups", 1)
    bias = layer.get("use_bias", True)
    out = _figure(spec, "output_shape", layer["name"])[:2]
    end = f" + {f}" if bias else ""
    forms = {
        f"{k}*{k}*{c}*{f}*{f}{end}": {"filters_twice"},
        f"{k}*{c}*{f}{end}": {"kernel_one_axis"},
        f"({k}+{k})*{c}*{f}{end}": {"kernel_added"},
        f"{k}*{k}*{c}*{c}*{f}{end}": {"channels_twice"},
        f"{k}*{k}*{c}{' + 1' if bias else ''}": {"filters_forgotten"},
        f"({k}*{k}*{c}*{f}{end})*{out[0]}*{out[1]}": {"positions_multiplied"},
    }
    if bias:
        forms |= {
            f"{k}*{k}*{c}*{f} + 1": {"bias_once"},
            f"{k}*{k}*{c}*{f} + {f}*{c}": {"bias_per_input_channel"},
            f"{k}*{k}*{c}*{f}": {"bias_forgotten"},
            f"{k}*{k}*{c}*{f} + {f}*{out[0]}*{out[1]}": {"bias_per_position"},
        }
    text = draw.choice(sorted(forms))
    value = eval(text, {"__builtins__": {}})
    slips = forms[text]
    shown = text if draw.random() < 0.5 else None
    if draw.random() < 0.15:  # right, but miswritten
        text = f"{k}*{k}*{c}*{f}{end}"
        value, slips, shown = (
            eval(text, {"__builtins__": {}}) + draw.choice((10, -10, 100, 7)),
            {"written_mismatch"},
            text,
        )
    truth = _figure(spec, "parameters", layer["name"])
    if value == truth:
        return None
    return Planted(
        spec,
        Claim("parameters", value, (layer["name"],), None, shown),
        [slips],
        f"written {sorted(slips)}",
        truth,
    )


def _written_sum(draw: random.Random, spec: Spec) -> Planted | None:
    """The layers' figures added up, one of them twice, or not, or wrongly."""
    report = analyze(spec)
    parts = [row.parameters for row in report.rows if row.parameters]
    if len(parts) < 2:
        return None
    kind = draw.choice(("left out", "twice", "misadded"))
    if kind == "left out":
        parts.pop(draw.randrange(len(parts)))
    elif kind == "twice":
        parts.append(draw.choice(parts))
    text = " + ".join(map(str, parts))
    value = sum(parts)
    slips = {"left out": {"layer_left_out"}, "twice": {"layer_twice"}, "misadded": {"written_mismatch"}}[kind]
    if kind == "misadded":
        value += draw.choice((-1, 1)) * 10 ** draw.randint(1, max(1, len(str(value)) - 2))
    shown = text if kind == "misadded" or draw.random() < 0.5 else None
    if value == report.totals.parameters:
        return None
    return Planted(
        spec, Claim("parameters", value, (), None, shown), [slips], f"sum {kind}", report.totals.parameters
    )


def confused(draw: random.Random) -> Planted | None:
    """The right figure of something else."""
    spec = network(draw)
    report = analyze(spec)
    layer = draw.choice([e["name"] for e in spec["layers"] if e.get("type") in WEIGHTED])
    row = report.layers[layer]
    kind = draw.choice(("flops", "macs", "filter", "trained", "half", "kernel"))
    if kind == "flops":
        return _stated(spec, "macs", report.totals.flops, None, {"flops_as_macs"}, kind)
    if kind == "macs":
        return _stated(spec, "flops", report.totals.macs, None, {"macs_as_flops"}, kind)
    if kind == "trained":
        return _stated(
            spec,
            "trainable_parameters",
            report.totals.parameters,
            None,
            {"statistics_trainable", "parameters_given"},
            kind,
        )
    if kind == "half":
        half = analyze(spec, dtype="float16").totals.weight_bytes
        return _stated(spec, "weight_bytes", half, None, {"half_precision"}, kind)
    if kind == "kernel" and row.type == "Conv2D":
        size = next(e["kernel_size"] for e in spec["layers"] if e["name"] == layer)
        truth = row.receptive_field.size
        if size == 1 or truth == (size, size):
            return None
        return _stated(spec, "receptive_field", (size, size), layer, {"kernel_as_field"}, kind)
    if kind == "filter" and row.type == "Conv2D":
        return _stated(spec, "parameters", row.parameters, layer, {"layer_as_filter"}, kind, per="filter")
    return None


def _stated(
    spec: Spec,
    quantity: str,
    value: Any,
    name: str | None,
    slips: set[str],
    kind: str,
    per: str | None = None,
) -> Planted | None:
    truth = _figure(spec, quantity, name) if per is None else None
    if value == truth:
        return None
    return Planted(
        spec, Claim(quantity, value, (name,) if name else (), per), [slips], f"{kind} given", truth
    )


def _tried(maker: Callable[[random.Random], Planted | None], draw: random.Random) -> Planted | None:
    """None too for a network that cannot be (a map smaller than a window)."""
    try:
        return maker(draw)
    except ArchcalcError:
        return None


def held_out(draw: random.Random) -> Planted | None:
    """Two parts of a written count changed at once: combinations not looked at while the search was built."""
    spec = network(draw)
    layer = draw.choice([e for e in spec["layers"] if e.get("type") == "Conv2D"] or [{}])
    if not layer or layer.get("groups", 1) > 1 or layer["kernel_size"] == 1 or layer.get("use_bias") is False:
        return None
    k, f, c = layer["kernel_size"], layer["filters"], _input_shape(spec, layer)[-1]
    parts: list[dict[str, set[str]]] = [
        {f"{k}*{k}": set(), f"{k}": {"kernel_one_axis"}, f"({k}+{k})": {"kernel_added"}},
        {f"{c}": set(), "3": {"image_channels"}, f"{c}*{c}": {"channels_twice"}},
        {f"{f}": set(), f"{f}*{f}": {"filters_twice"}},
        {
            f" + {f}": set(),
            "": {"bias_forgotten"},
            " + 1": {"bias_once"},
            f" + {f}*{c}": {"bias_per_input_channel"},
        },
    ]
    chosen = [next(iter(part.items())) for part in parts]
    for i in draw.sample(range(4), 2):
        chosen[i] = draw.choice(list(parts[i].items())[1:])
    slips = [names for _, names in chosen if names]
    if len(slips) < 2 or (c == 3 and ("3", {"image_channels"}) in chosen):
        return None
    (kernel, _), (channels, _), (filters, _), (bias, _) = chosen
    text = f"{kernel}*{channels}*{filters}{bias}"
    truth, value = _figure(spec, "parameters", layer["name"]), eval(text, {"__builtins__": {}})
    if value == truth:
        return None
    claim = Claim("parameters", value, (layer["name"],), None, text if draw.random() < 0.3 else None)
    return Planted(spec, claim, slips, "held out: " + " + ".join(sorted(n for s in slips for n in s)), truth)


def planted(seed: int, number: int, pairs: float = 0.1, held: float = 0.1) -> Iterator[Planted]:
    """That many wrong claims; shares of them with two slips in one layer, by edits and in writing."""
    draw = random.Random(seed)
    for _ in range(number):
        chance, found = draw.random(), None
        while found is None:
            maker = draw.choice((of_layer, of_layer, of_layer, everywhere, chains, written, confused))
            if chance < pairs:
                maker = lambda d: of_layer(d, 2)  # noqa: E731
            elif chance < pairs + held:
                maker = held_out
            found = _tried(maker, draw)
        yield found
