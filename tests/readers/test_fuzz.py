"""Specs with random damage: a graph that analyses, or a refusal; never another error."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from archcalc.analyze import analyze
from archcalc.cli import shipped
from archcalc.errors import ArchcalcError, SourceError
from archcalc.readers import load
from tests.hostile.damage import SPECS, part_paths
from tests.readers.test_spec import CONTRACT

WORDS = [
    *("w", "n", "H", "f", "input", "image", "stem", "stem/a", "body[2]/a", "body[*]/a", "conv", "out", "x"),
    *("Conv2D", "Dense", "Add", "Concatenate", "Reshape", "Flatten", "Opaque", "InputLayer", "ops.add"),
    *("2*w + 1", "w/2", "9**9**9", "max(w, n)//3", "n - 1", "H", "same", "valid", "relu", "", "/", "\x00"),
]
SIZES = [None, True, 0, 1, 2, -1, 7, 2**31, 2**31 + 1, 10**30, 2.0, 1e300]
KEYS = [
    *("type", "block", "shared_with", "inputs", "name", "repeat", "f", "filters", "kernel_size", "strides"),
    *("shape", "dtype", "parameters", "layers", "default", "min", "max", "output_shape", "weights", "units"),
]
scraps: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(WORDS) | st.sampled_from(SIZES) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)

BASES = [
    CONTRACT,
    SPECS[0],
    *(json.loads(shipped.text(n)) for n in ("inception_resnet_a", "resnet_depth_n", "unet")),
]


def damaged(draw: Any, data: Any) -> Any:
    """The data with one part replaced, removed, doubled, renamed or moved."""
    data = copy.deepcopy(data)
    path = draw(st.sampled_from(part_paths(data)))
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    key = path[-1]
    match draw(st.sampled_from(["replace", "remove", "add", "move"])):
        case "replace":
            holder[key] = draw(scraps)
        case "remove":
            del holder[key]
        case "add" if isinstance(holder, dict):
            holder[draw(st.sampled_from(KEYS) | st.text(max_size=4))] = draw(scraps)
        case "add":
            holder.insert(key, draw(scraps))
        case "move":
            other = data
            for step in draw(st.sampled_from([(), *part_paths(data)])):
                other = other[step]
            holder[key] = copy.deepcopy(other)
    return data


def check_refusal(refusal: SourceError) -> None:
    assert 1 <= len(refusal.faults) <= 21
    for fault in refusal.faults:
        assert len(str(fault)) < 1_000
        assert str(fault).isprintable()


@given(st.data())
def test_damaged_specs_are_read_or_refused(data: st.DataObject) -> None:
    current = data.draw(st.sampled_from(BASES))
    for _ in range(data.draw(st.integers(1, 4))):
        if isinstance(current, dict | list) and current:
            current = damaged(data.draw, current)
    raw = json.dumps(current)
    try:
        graph = load(json.loads(raw), max_layers=500) if isinstance(current, dict) else None
    except SourceError as refusal:
        check_refusal(refusal)
        return
    if graph is None:
        return
    try:
        report = analyze(graph)
    except ArchcalcError:
        return  # for example shared weights of other shapes: analyses know more than the reader
    assert len(report.to_dict()["layers"]) == len(graph.nodes)


@given(scraps)
def test_scraps_are_refused(scrap: Any) -> None:
    for data in (
        scrap,
        {"archcalc": 1, "inputs": scrap, "layers": scrap},
        {"archcalc": 1, "layers": [scrap]},
    ):
        if isinstance(data, dict):
            try:
                load(data)
            except SourceError:
                continue
