"""Strategies for a layer's arguments: by their names, by their kinds, or else by layer type.

A new layer type needs an entry in `BY_TYPE` only if its arguments depend on each other or on
the input in a way that their kinds do not express.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

from hypothesis import strategies as st

from archcalc.errors import LayerError
from archcalc.layers.activations import ACTIVATIONS
from archcalc.layers.base import Layer
from archcalc.layers.fields import (
    AxisKind,
    ChoiceKind,
    CountKind,
    FlagKind,
    MarginsKind,
    NamedKind,
    NumberKind,
    PlainCountKind,
    SpatialKind,
)
from archcalc.layers.registry import registered

Draw = Callable[[st.SearchStrategy[Any]], Any]
Shapes = tuple[tuple[int, ...], ...]

MAX_CHANNELS = 8

# glu halves an axis, which the activation of a layer must not; threshold needs an argument
_UNDRAWN = ("glu", "threshold", "unknown")


def arguments(draw: Draw, cls: type[Layer], inputs: Shapes) -> dict[str, Any]:
    """Constructor arguments of `cls` for these inputs, which may still be invalid together."""
    chosen: dict[str, Any] = {}
    for name, kind in cls.kinds.items():
        required = name in _required(cls)
        if name in cls.state_fields:
            continue  # their values are names of weights, which only the layer knows
        if not required and (not kind.figures or not draw(st.booleans())):
            continue
        strategy = _by_name(name, cls, inputs)
        if strategy is None:
            strategy = _by_kind(kind, cls.rank)
        if strategy is not None:
            chosen[name] = draw(strategy)
    settle = BY_TYPE.get(cls.__name__)
    missing = _required(cls) - chosen.keys()
    if missing and settle is None:
        raise LayerError(f"{cls.__name__} needs a row in BY_TYPE that draws {', '.join(sorted(missing))}")
    return settle(Case(draw, chosen, inputs)) if settle else _settled(chosen, cls)


def _required(cls: type[Layer]) -> set[str]:
    fields: Any = dataclasses.fields(cls)
    return {f.name for f in fields if f.default is dataclasses.MISSING}


def per_axis(size: st.SearchStrategy[int], rank: int) -> st.SearchStrategy[Any]:
    """One value for all axes, or one value per axis."""
    return st.one_of(size, st.tuples(*[size] * rank)) if rank else size


def _by_name(name: str, cls: type[Layer], inputs: Shapes) -> st.SearchStrategy[Any] | None:
    rank = cls.rank
    # kernels up to 5, even ones too, shrunk to the axis so that `valid` mostly fits
    sides = inputs[0][:rank] if inputs and rank else ()
    reach = [st.integers(1, max(1, min(5, n))) for n in sides] or [st.integers(1, 3)]
    table: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "trainable": lambda: st.sampled_from([True, True, False]),
        "filters": lambda: st.integers(1, MAX_CHANNELS),
        "units": lambda: st.integers(1, MAX_CHANNELS),
        "kernel_size": lambda: st.tuples(*reach),
        "pool_size": lambda: st.tuples(*reach),
        "strides": lambda: per_axis(st.integers(1, 4), rank),
        "dilation_rate": lambda: per_axis(st.integers(1, 3), rank),
        "output_padding": lambda: st.one_of(st.none(), per_axis(st.integers(0, 1), rank)),
        "size": lambda: per_axis(st.integers(1, 3), rank),
        "groups": lambda: st.sampled_from(_divisors(inputs[0][-1])),
        "depth_multiplier": lambda: st.integers(1, 2),
        "data_format": lambda: st.sampled_from([None, None, "channels_last", "channels_first"]),
        "implementation": lambda: st.integers(1, 3),
        "rate": lambda: st.sampled_from([0.1, 0.5]),
        "epsilon": lambda: st.sampled_from([1e-3, 1e-2]),
        "lora_rank": lambda: st.sampled_from([None, 1, 2]),
        "dropout": lambda: st.sampled_from([0.1, 0.5]),
        "recurrent_dropout": lambda: st.sampled_from([0.1, 0.5]),
        "factor": lambda: st.sampled_from([0.2, 0.5]),
        "height_factor": lambda: st.sampled_from([0.2, 0.5]),
        "width_factor": lambda: st.sampled_from([0.2, 0.5]),
    }
    return table[name]() if name in table else None


def _by_kind(kind: Any, rank: int) -> st.SearchStrategy[Any] | None:
    if isinstance(kind, SpatialKind):
        return per_axis(st.integers(max(kind.minimum, 1), 3), rank)
    if isinstance(kind, CountKind):
        return st.integers(max(kind.minimum, 1), 4)
    if isinstance(kind, MarginsKind):
        pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
        return pair if rank == 1 else st.tuples(*[pair] * rank)
    if isinstance(kind, ChoiceKind):
        return st.sampled_from(kind.choices)
    if isinstance(kind, NumberKind):
        return st.sampled_from(kind.numbers)
    if isinstance(kind, PlainCountKind):
        return st.integers(1, 4)
    if isinstance(kind, FlagKind):
        return st.booleans()
    if isinstance(kind, AxisKind):
        return st.just(-1)
    if isinstance(kind, NamedKind):
        return st.sampled_from([None, *(n for n in sorted(ACTIVATIONS) if n not in _UNDRAWN)])
    return None


def _divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def _settled(chosen: dict[str, Any], cls: type[Layer]) -> dict[str, Any]:
    """The arguments, changed so that Keras accepts them together."""
    if "groups" in chosen and "filters" in chosen:
        chosen["filters"] = chosen["groups"] * max(1, chosen["filters"] // chosen["groups"])
    strided = any(s > 1 for s in _tuple(chosen.get("strides", 1)))
    if strided and "dilation_rate" in chosen:
        del chosen["dilation_rate"]
    if cls.__name__.startswith(("Depthwise", "Separable")) and "strides" in chosen:
        # TensorFlow's depthwise kernel takes equal strides only
        chosen["strides"] = max(_tuple(chosen["strides"]))
    if "output_padding" in chosen and chosen["output_padding"] is not None:
        steps = _tuple(chosen.get("strides", 1)) * cls.rank
        margins = _tuple(chosen["output_padding"]) * cls.rank
        chosen["output_padding"] = tuple(
            min(p, s - 1) for p, s in zip(margins[: cls.rank], steps[: cls.rank], strict=True)
        )
    if chosen.get("implementation", 1) == 1 and cls.__name__.startswith("LocallyConnected"):
        chosen.pop("padding", None)
    return chosen


def _tuple(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


class Case(NamedTuple):
    """The arguments drawn so far for a layer type, and the shapes of the inputs."""

    draw: Draw
    chosen: dict[str, Any]
    inputs: Shapes

    @property
    def rank(self) -> int:
        return len(self.inputs[0])


def _reshape(case: Case) -> dict[str, Any]:
    remaining = prod(case.inputs[0])
    rank = case.draw(st.integers(1, 4))
    target = []
    for _ in range(rank - 1):
        target.append(case.draw(st.sampled_from(_divisors(remaining))))
        remaining //= target[-1]
    target.append(remaining)
    if case.draw(st.booleans()):
        target[case.draw(st.integers(0, rank - 1))] = -1
    return {"target_shape": tuple(target)}


def _permute(case: Case) -> dict[str, Any]:
    return {"dims": tuple(case.draw(st.permutations(range(1, case.rank + 1))))}


def _some_axis(case: Case) -> dict[str, Any]:
    return {
        **case.chosen,
        "axis": case.draw(st.sampled_from([*range(-case.rank, 0), *range(1, case.rank + 1)])),
    }


def _some_axes(case: Case) -> dict[str, Any]:
    several = st.lists(st.integers(1, case.rank), min_size=1, max_size=2, unique=True).map(tuple)
    return {**case.chosen, "axis": case.draw(st.one_of(st.just(-1), several))}


def _shared_axes(case: Case) -> dict[str, Any]:
    several = st.lists(st.integers(1, case.rank), min_size=1, max_size=2, unique=True).map(tuple)
    return {**case.chosen, "shared_axes": case.draw(st.one_of(st.none(), several))}


def _crop(case: Case) -> dict[str, Any]:
    margins = []
    for n in _sides(case):
        before = case.draw(st.integers(0, min(2, n - 1)))
        margins.append((before, case.draw(st.integers(0, min(2, n - 1 - before)))))
    return {**case.chosen, "cropping": tuple(margins) if len(margins) > 1 else margins[0]}


def _sides(case: Case) -> tuple[int, ...]:
    first = case.chosen.get("data_format") == "channels_first"
    return case.inputs[0][1:] if first else case.inputs[0][:-1]


def _layer_scale(case: Case) -> dict[str, Any]:
    values = case.draw(st.sampled_from([1e-6, 1.0]))
    return {**case.chosen, "init_values": values, "projection_dim": case.inputs[0][-1]}


def _groups(case: Case) -> dict[str, Any]:
    chosen = {k: v for k, v in case.chosen.items() if k != "groups"} | _some_axis(case)
    axis = chosen["axis"]
    width = case.inputs[0][axis if axis < 0 else axis - 1]
    return {**chosen, "groups": case.draw(st.sampled_from([-1, *_divisors(width)]))}


def _einsum(case: Case) -> dict[str, Any]:
    """A dense layer over the last axis, one that adds an axis, or one over the last two axes."""
    axes, sizes = "abcde"[: case.rank + 1], st.integers(1, 4)
    sides = case.inputs[0][:-1]
    chosen = {k: v for k, v in case.chosen.items() if k in ("activation", "trainable", "lora_rank")}
    form = case.draw(st.sampled_from(["last", "split", "both", "dots"]))
    n, m = case.draw(sizes), case.draw(sizes)
    # over several unnamed axes Keras infers another shape than it computes
    if form == "dots" and len(sides) < 2:
        bias = case.draw(st.sampled_from([None, "y"]))
        return chosen | {"equation": "...x,xy->...y", "partial_shape": n, "bias_axes": bias}
    if form == "split":
        bias = case.draw(st.sampled_from([None, "y", "yz"]))
        equation = f"{axes},{axes[-1]}yz->{axes[:-1]}yz"
        return chosen | {"equation": equation, "partial_shape": (*sides, n, m), "bias_axes": bias}
    if form == "both" and sides:
        equation = f"{axes},{axes[-2:]}y->{axes[:-2]}y"
        return chosen | {"equation": equation, "partial_shape": (*sides[:-1], n)}
    return chosen | {"equation": f"{axes},{axes[-1]}y->{axes[:-1]}y", "partial_shape": (*sides, n)}


def _cell(case: Case) -> dict[str, Any]:
    kind = case.draw(st.sampled_from(["SimpleRNNCell", "LSTMCell", "GRUCell"]))
    return {"type": kind, **arguments(case.draw, registered()[kind], case.inputs)}


def _cells(case: Case) -> dict[str, Any]:
    cells = [_cell(case) for _ in range(case.draw(st.integers(1, 2)))]
    if len(cells) == 1 and case.draw(st.booleans()):
        return {**case.chosen, "cell": cells[0]}
    stacked = {"type": "StackedRNNCells", "cells": cells, "trainable": case.draw(st.booleans())}
    return {**case.chosen, "cell": stacked}


def _both_ways(case: Case) -> dict[str, Any]:
    cell = _cell(case)
    inner = {**cell, "type": cell["type"].removesuffix("Cell"), "return_sequences": case.draw(st.booleans())}
    modes = st.sampled_from(["sum", "mul", "concat", "ave"])
    back = {"backward_layer": {**inner, "go_backwards": True}} if case.draw(st.booleans()) else {}
    return {**case.chosen, "layer": inner, "merge_mode": case.draw(modes), **back}


def _steps(case: Case) -> dict[str, Any]:
    """One of the layers that can be applied to a step, which has one axis less."""
    inner = case.rank - 1
    kinds: list[dict[str, Any]] = [
        {"type": "Dense", "units": case.draw(st.integers(1, 4))},
        {"type": "BatchNormalization"},
        {"type": "Activation", "activation": "tanh"},
    ]
    if inner > 1:
        kinds += [{"type": "Flatten"}, {"type": "LayerNormalization"}]
    if 2 <= inner <= 4:
        rank = inner - 1
        conv = {"type": f"Conv{rank}D", "filters": 2, "kernel_size": 2, "padding": "same"}
        kinds += [conv, {**conv, "strides": 2}, {"type": f"GlobalAveragePooling{rank}D"}]
    return {**case.chosen, "layer": case.draw(st.sampled_from(kinds))}


def _spectral(case: Case) -> dict[str, Any]:
    units = case.draw(st.integers(1, 4))
    kinds: list[dict[str, Any]] = [{"type": "Dense", "units": units}]
    if 2 <= case.rank <= 4:
        kinds.append({"type": f"Conv{case.rank - 1}D", "filters": units, "kernel_size": 1})
    power = case.draw(st.integers(1, 2))
    return {**case.chosen, "layer": case.draw(st.sampled_from(kinds)), "power_iterations": power}


def _heads(case: Case) -> dict[str, Any]:
    axes, wide = case.draw(st.sampled_from([None, (1,)])), case.draw(st.sampled_from([None, 2, 5]))
    return (
        case.chosen
        | {"attention_axes": axes, "stated_shape": wide}
        | {"num_heads": case.draw(st.integers(1, 3)), "key_dim": case.draw(st.integers(1, 4))}
    )


def _grouped_heads(case: Case) -> dict[str, Any]:
    shared, each = case.draw(st.integers(1, 2)), case.draw(st.integers(1, 2))
    head = {"num_key_value_heads": shared, "num_query_heads": shared * each}
    return {**case.chosen, **head, "head_dim": case.draw(st.integers(1, 4))}


def _crop_to(case: Case) -> dict[str, Any]:
    high, wide = _sides(case)
    # at inference Keras does not crop, so that only the full size is both inferred and computed
    return {**case.chosen, "height": high, "width": wide}


def _bits(case: Case) -> dict[str, Any]:
    return {**case.chosen, "factor": case.draw(st.integers(1, 8))}


def _bins(case: Case) -> dict[str, Any]:
    """Boundaries, or a number of bins whose boundaries `adapt` computes."""
    chosen = {k: v for k, v in case.chosen.items() if k not in ("num_bins", "bin_boundaries")}
    boundaries = case.draw(st.sampled_from([None, (0.0,), (-0.5, 0.0, 1.0)]))
    return {**chosen, "num_bins": 3} if boundaries is None else {**chosen, "bin_boundaries": boundaries}


def _frames(case: Case) -> dict[str, Any]:
    length = case.draw(st.integers(2, 6))
    step = case.draw(st.one_of(st.none(), st.integers(1, length)))
    fft = case.draw(st.one_of(st.none(), st.integers(length, 9)))
    return {**case.chosen, "frame_length": length, "frame_step": step, "fft_length": fft}


def _tied(case: Case) -> dict[str, Any]:
    low_rank = {} if case.chosen.get("tie_weights", True) else {"lora_rank": None}
    return (
        case.chosen | low_rank | {"reverse": False, "logit_soft_cap": case.draw(st.sampled_from([None, 3.0]))}
    )


def _one_of(*sets: dict[str, Any]) -> Callable[[Case], dict[str, Any]]:
    """One of the sets of arguments, together with the other arguments drawn so far."""
    named = {name for choice in sets for name in choice}

    def row(case: Case) -> dict[str, Any]:
        others = {k: v for k, v in case.chosen.items() if k not in named}
        choice: dict[str, Any] = case.draw(st.sampled_from(sets))
        return others | choice

    return row


# functions that complete the drawn arguments of layer types whose arguments depend on each other
BY_TYPE: Mapping[str, Callable[[Case], dict[str, Any]]] = {
    "Reshape": _reshape,
    "Permute": _permute,
    "BatchNormalization": _some_axis,
    "LayerNormalization": _some_axes,
    "RMSNormalization": _some_axes,
    "UnitNormalization": _some_axes,
    "Softmax": _some_axis,
    "PReLU": _shared_axes,
    "Cropping1D": _crop,
    "Cropping2D": _crop,
    "Cropping3D": _crop,
    "LayerScale": _layer_scale,
    "GroupNormalization": _groups,
    "EinsumDense": _einsum,
    "RNN": _cells,
    "Bidirectional": _both_ways,
    "TimeDistributed": _steps,
    "SpectralNormalization": _spectral,
    "MultiHeadAttention": _heads,
    "GroupQueryAttention": _grouped_heads,
    "RandomCrop": _crop_to,
    "Normalization": _one_of(
        {}, {"axis": None}, {"invert": True}, {"axis": None, "mean": 0.5, "variance": 2.0}
    ),
    "ReLU": _one_of({}, {"max_value": 6.0}, {"negative_slope": 0.2}, {"threshold": 0.25}),
    "LeakyReLU": _one_of({}, {"negative_slope": 0.1}),
    "ELU": _one_of({}, {"alpha": 0.5}),
    "Rescaling": _one_of({"scale": 2.0}, {"scale": 0.5, "offset": -1.0}),
    "GaussianNoise": _one_of({"stddev": 0.5}, {"stddev": 0.1}),
    "RandomFlip": _one_of({}, {"mode": "horizontal"}, {"mode": "vertical"}),
    "RandomPosterization": _bits,
    "Discretization": _bins,
    "STFTSpectrogram": _frames,
    "ReversibleEmbedding": _tied,
    "Masking": _one_of({}, {"mask_value": 1.0}),
}
