"""Random networks, and random single edits of them with what `diff` should say of each."""

from __future__ import annotations

import copy
from random import Random
from typing import Any, NamedTuple

KINDS = ("renamed", "changed", "inserted", "removed", "moved")
CHAIN = ("Dense", "BatchNormalization", "ReLU", "Dropout", "LayerNormalization", "Activation")


class Edit(NamedTuple):
    """An edited spec; the kind of the edit, and the layer's name before and after (None: not there)."""

    spec: dict[str, Any]
    kind: str
    a: str | None
    b: str | None


def layer(random: Random, name: str) -> dict[str, Any]:
    kind = random.choice(CHAIN)
    more: dict[str, Any] = {}
    if kind == "Dense":
        # the width stays, so that sums fit together; what differs are other arguments
        more = {"units": 8, "use_bias": random.random() < 0.5, "activation": random.choice(["relu", "tanh"])}
    elif kind == "Dropout":
        more = {"rate": random.choice([0.1, 0.2, 0.5])}
    elif kind == "Activation":
        more = {"activation": random.choice(["relu", "tanh", "gelu"])}
    return {"name": name, "type": kind, **more}


def network(random: Random) -> dict[str, Any]:
    """A network of chains, forks and sums; some layers are equal but for their names."""
    layers: list[dict[str, Any]] = []
    names = ["x"]
    for i in range(random.randint(6, 30)):
        if len(names) > 3 and random.random() < 0.2:
            a, b = random.sample(names[-4:], 2)
            entry: dict[str, Any] = {"name": f"l{i}", "type": "Add", "inputs": [a, b]}
        else:
            source = names[-1] if random.random() < 0.85 else random.choice(names[-4:])
            entry = layer(random, f"l{i}") | {"inputs": [source]}
        layers.append(entry)
        names.append(entry["name"])
    read = {name for entry in layers for name in entry["inputs"]}
    outputs = [entry["name"] for entry in layers if entry["name"] not in read]
    return {"archcalc": 1, "inputs": {"x": [8]}, "layers": layers, "outputs": outputs}


def edited(random: Random, spec: dict[str, Any], kind: str) -> Edit | None:
    """One edit of this kind; None where the network has no place for it."""
    new = copy.deepcopy(spec)
    layers = new["layers"]
    single = [entry for entry in layers if len(entry["inputs"]) == 1 and entry["name"] not in new["outputs"]]
    if not single:
        return None
    chosen = random.choice(single)
    name = chosen["name"]
    if kind == "renamed":
        _replace(new, name, "another")
        chosen["name"] = "another"
        return Edit(new, kind, name, "another")
    if kind == "changed":
        chosen["type"], before = "Dense", dict(chosen)
        for key in ("rate", "activation", "use_bias"):
            chosen.pop(key, None)
        chosen |= {"units": 8, "activation": "selu", "use_bias": before.get("use_bias") is not True}
        return Edit(new, kind, name, name)
    if kind == "inserted":
        entry = layer(random, "new") | {"inputs": [name]}
        _replace(new, name, "new")
        layers.insert(layers.index(chosen) + 1, entry)
        return Edit(new, kind, None, "new")
    (source,) = chosen["inputs"]
    if kind == "removed":
        _replace(new, name, source)
        layers.remove(chosen)
        return Edit(new, kind, name, None)
    return _moved(random, new, chosen, source)


def _moved(random: Random, new: dict[str, Any], chosen: dict[str, Any], source: str) -> Edit | None:
    """The layer after another one, at least two layers away from where it was."""
    layers, name = new["layers"], chosen["name"]
    near = {entry["name"] for entry in layers if name in entry["inputs"]}
    # two layers that change places: either has moved
    near |= {n for entry in layers if entry["name"] == source for n in entry["inputs"]}
    far = [
        entry["name"]
        for entry in layers
        if entry["name"] not in ({name, source, *new["outputs"]} | near) and source not in entry["inputs"]
    ]
    if not far:
        return None
    goal = random.choice(far)
    _replace(new, name, source)
    _replace(new, goal, name)
    chosen["inputs"] = [goal]
    return Edit(new, "moved", name, name)


def _replace(spec: dict[str, Any], old: str, new: str) -> None:
    """Read another layer in place of this one, everywhere."""
    for entry in spec["layers"]:
        entry["inputs"] = [new if n == old else n for n in entry["inputs"]]
    spec["outputs"] = [new if n == old else n for n in spec["outputs"]]
