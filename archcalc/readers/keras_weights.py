"""The weights of a `.keras` archive, read as plain arrays within fixed limits.

Nothing is executed, and nothing outside the archive is opened: links, external storage and virtual
datasets are refused. Needs h5py, which comes with the `keras` extra.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, NoReturn

from archcalc.analyses.parameters import weights as owned_weights
from archcalc.analyses.shapes import infer
from archcalc.errors import Fault, MissingExtraError, SourceError
from archcalc.graph import Graph

MEMBER = "model.weights.h5"
MAX_BYTES = 2 * 1024**3
MAX_OBJECTS = 200_000
MAX_DEPTH = 32
VARIABLES = "vars"
NO_WEIGHTS = (
    "holds an architecture and no weights; those are in a .keras file, or from Python in a live model"
)

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, KeyError)


def read_weights(source: str, graph: Graph) -> dict[str, dict[str, Any]]:
    """The arrays of every node of `graph` that owns weights, by node name and weight name.

    Raises `SourceError` if weights are missing or have other shapes than the graph declares;
    `MissingExtraError` without h5py.
    """
    try:
        import h5py
    except ImportError as missing:
        raise MissingExtraError(
            "the weights of a .keras file need h5py: pip install 'archcalc[keras]'"
        ) from missing
    path = source.rpartition(":config.json")[0] or source
    if source.endswith(":model_config"):
        _refuse(source.removesuffix(":model_config"), "weights are read from .keras files; save it as one")
    if not zipfile.is_zipfile(path):
        _refuse(path, NO_WEIGHTS)
    try:
        with zipfile.ZipFile(path) as archive:
            raw = _member(archive, path)
        with h5py.File(io.BytesIO(raw), "r") as file:
            groups = _groups(h5py, file, path)
    except SourceError:
        raise
    except _BROKEN as problem:
        _refuse(path, f"its weights cannot be read ({problem}); save the model again with Keras 3")
    return _by_node(graph, groups, path)


def _member(archive: zipfile.ZipFile, source: str) -> bytes:
    try:
        entry = archive.getinfo(MEMBER)
    except KeyError:
        _refuse(source, f"the archive holds no {MEMBER}, so no weights")
    if entry.file_size > MAX_BYTES:
        _refuse(source, f"{MEMBER} says it holds {entry.file_size:,} bytes (limit {MAX_BYTES:,})")
    with archive.open(entry) as stream:
        raw = stream.read(entry.file_size + 1)
    if len(raw) != entry.file_size:
        _refuse(source, f"{MEMBER} says it holds {entry.file_size:,} bytes and holds another number")
    return raw


def _groups(h5py: Any, file: Any, source: str) -> dict[tuple[str, ...], list[Any]]:
    """The arrays of each object that has any, by the names on the path to it, without the model's name."""
    groups: dict[tuple[str, ...], list[Any]] = {}
    seen: set[int] = set()
    left = MAX_BYTES
    waiting: list[tuple[Any, tuple[str, ...], int]] = [(file, (), 0)]
    while waiting:
        group, names, depth = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > MAX_OBJECTS or depth > MAX_DEPTH:
            _refuse(source, f"{MEMBER} nests more than {MAX_DEPTH} levels or {MAX_OBJECTS:,} objects")
        children = {name: _child(h5py, group, name, source) for name in group}
        variables = children.pop(VARIABLES, None)
        if variables is not None:
            if depth > 0:
                names = (*names, str(variables.attrs.get("name", "")))
            arrays = groups[names] = list(_arrays(h5py, variables, source, left))
            left -= sum(0 if a is None else a.nbytes for a in arrays)
        waiting += [(c, names, depth + 1) for c in children.values() if isinstance(c, h5py.Group)]
    return groups


def _child(h5py: Any, group: Any, name: str, source: str) -> Any:
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        _refuse(source, f"{MEMBER} holds a link at {group.name}/{name}; weights must lie in the file")
    return group[name]


def _arrays(h5py: Any, variables: Any, source: str, left: int) -> Iterator[Any]:
    """The variables of one object in their order, `left` bytes at most."""
    for name in sorted(variables, key=lambda n: (len(n), n)):
        data = _child(h5py, variables, name, source)
        where = f"{MEMBER}: {variables.name}/{name}"
        if not isinstance(data, h5py.Dataset):
            _refuse(source, f"{where} is not an array")
        if data.is_virtual or data.external:
            _refuse(source, f"{where} lies outside the file; save the model again")
        if data.dtype.kind not in "fiub" and str(data.dtype) != "bfloat16":
            yield None  # text or other state; not a weight that a layer declares
            continue
        left -= prod(data.shape) * data.dtype.itemsize
        if left < 0:
            _refuse(source, f"{MEMBER} holds more than {MAX_BYTES:,} bytes of arrays")
        yield data[()]


def _by_node(
    graph: Graph, groups: Mapping[tuple[str, ...], list[Any]], source: str
) -> dict[str, dict[str, Any]]:
    owned = owned_weights(graph, infer(graph))
    by_node: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for node, declared in zip(graph.nodes, owned, strict=True):
        if not declared:
            continue
        by_path: dict[tuple[str, ...], list[Any]] = {}
        for weight in declared:
            by_path.setdefault(tuple(weight.name.split("/")[:-1]), []).append(weight)
        arrays: dict[str, Any] = {}
        for inner, weights in by_path.items():
            stored = groups.get((*node.name.split("/"), *inner))
            if stored is None:
                missing.append(node.name)
                continue
            # a layer with a LoRA adapter stores its kernel with the adapter merged into it
            plain = [w for w in weights if not w.name.rpartition("/")[2].startswith("lora_")]
            for weight, value in zip(plain, stored, strict=False):
                if value is None or tuple(value.shape) != tuple(weight.shape):
                    shape = None if value is None else tuple(value.shape)
                    _refuse(
                        source, f"{node.name}/{weight.name} is stored with shape {shape}, not {weight.shape}"
                    )
                arrays[weight.name] = value
        by_node[node.name] = arrays
    if missing:
        names = ", ".join(map(repr, dict.fromkeys(missing[:3])))
        _refuse(source, f"{MEMBER} holds no weights for {names}")
    return by_node


def _refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", problem)])
