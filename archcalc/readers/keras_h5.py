"""Models of Keras 2, and of Keras 3's old format, in an HDF5 file: the attribute `model_config`, as data."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, NoReturn

from archcalc.errors import Fault, SourceError
from archcalc.graph import Graph
from archcalc.readers import json_text
from archcalc.readers.hdf5 import File, HDF5Error
from archcalc.readers.keras.stored import StoredShapes
from archcalc.readers.keras_config import is_keras, read_keras
from archcalc.readers.names import printable

CONFIG, TRAINING, VERSION = "model_config", "training_config", "keras_version"
ALONE = (
    "holds weights without a model_config, so no network (save_weights wrote it); "
    "give the model's JSON, or the file that model.save wrote"
)


def read_h5(source: str, file: BinaryIO, **options: Any) -> Graph:
    """The network of an HDF5 file that Keras saved; its weights are not read, only their shapes.

    Raises `SourceError` if it holds no model, or with every fault of its configuration.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        opened = File(file, 0, size)
        texts = dict(opened.root.attributes())
        children = dict(opened.root.children())
    except HDF5Error as problem:
        _refuse(source, f"a damaged HDF5 file, or one of a form that Keras does not write ({problem})")
    if texts.get(CONFIG) is None:
        _refuse(
            source, ALONE if _is_weights(texts, children) else "an HDF5 file without Keras's model_config"
        )
    data = _decoded(texts, CONFIG, source)
    if not is_keras(data):
        _refuse(source, f"its {CONFIG} is not a Keras configuration")
    training = _decoded(texts, TRAINING, source) if texts.get(TRAINING) else None
    version = texts.get(VERSION)
    more = {k: v for k, v in ((VERSION, version), (TRAINING, training)) if v is not None}
    stored = StoredShapes(lambda: File(file, 0, size), archive=False)
    return read_keras({**more, **data}, f"{source}:{CONFIG}", stored=stored, **options)


def _decoded(texts: dict[str, str | None], name: str, source: str) -> Any:
    text = texts[name]
    assert text is not None
    return json_text.decode(text.encode("utf-8"), f"{source}:{name}")


def _is_weights(texts: dict[str, str | None], children: dict[str, int]) -> bool:
    return "layer_names" in texts or {"layers", "_layer_checkpoint_dependencies"} & set(children) != set()


def _refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", printable(problem))])
