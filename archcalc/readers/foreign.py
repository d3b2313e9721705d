"""Files that hold no network that archcalc reads: what each is, and what to do instead.

A file is recognised by its first bytes before its suffix.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import NamedTuple, NoReturn

from archcalc.errors import MAX_COMPARED, Fault, SourceError, nearest
from archcalc.readers.json_text import HEAD

HDF5 = b"\x89HDF\r\n\x1a\n"
_TO_JSON = 'open("net.json", "w").write({}.to_json())'
_WRITE = f"where you have the model, write {_TO_JSON.format('model')}"
_ARCHITECTURE = f"give the architecture: a .keras file, or {_TO_JSON.format('model')}"


class _Format(NamedTuple):
    """What begins in one of these ways, or has one of these suffixes, is refused with this text."""

    begins: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    text: str


_PYTHON = (
    "is Python code, which archcalc does not run; there, print(archcalc.analyze(model)), "
    f"or write {_TO_JSON.format('model')}"
)
_SAVED = f"is a SavedModel, which holds functions of TensorFlow and not the layers; {_WRITE}"
_WEIGHTS = f"holds weights only; {_ARCHITECTURE}"
_PICKLED = "is a pickle, which can run any code when it is opened, so archcalc opens none; "

FORMATS = (
    _Format((b"PK\x05\x06",), (), "is a zip archive without any file; save the model again"),
    _Format(
        (b"version https://git-lfs",),
        (),
        "is a Git LFS pointer and not the file itself; fetch it with git lfs pull",
    ),
    _Format((b"GGUF",), (".gguf", ".safetensors"), _WEIGHTS),
    _Format(
        (),
        (".onnx",),
        "ONNX files are not read yet; describe the network in a spec, or give its Keras config",
    ),
    _Format((), (".pt2", ".pt", ".pth"), "PyTorch files are not read yet; describe the network in a spec"),
    _Format(
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        (".pkl", ".pickle", ".joblib"),
        _PICKLED + _WRITE,
    ),
    _Format((), (".ckpt", ".index"), f"is a checkpoint, which {_WEIGHTS}"),
    _Format((), (".pb",), _SAVED),
    _Format((), (".tflite",), f"is a TensorFlow Lite file, whose layers are converted already; {_WRITE}"),
    _Format((), (".py", ".ipynb"), _PYTHON),
)


def refuse_foreign(head: bytes, source: str) -> None:
    """Refuse what has another format."""
    suffix = os.path.splitext(source)[1].lower()
    is_hdf5 = head.startswith(HDF5)
    if head.lstrip().startswith(b"{") and suffix != ".ipynb":
        return
    if head[4:8] == b"TFL3":
        suffix = ".tflite"
    for kind in FORMATS:
        if head.startswith(kind.begins or (b"\x00" * HEAD,)) or (suffix in kind.suffixes and not is_hdf5):
            refuse(source, kind.text)
    if suffix in (".h5", ".hdf5") and not is_hdf5:
        refuse(source, "is no HDF5 file, though its name says so; copy or save it again")


def refuse_folder(path: str) -> None:
    """Refuse a folder in which TensorFlow saved a model; others are refused like any folder."""
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        refuse(path, _SAVED)


def refuse_missing(path: str) -> None:
    """Refuse a path where nothing is, and say what was meant: a name of keras.applications, a file beside."""
    from archcalc.readers.applications import SCHEME, names

    word = path[len(SCHEME) :] if path.lower().startswith(SCHEME) else path
    word = word.removeprefix("keras.").removeprefix("applications.")
    meant = {_bare(name): name for name in names()}.get(_bare(word))
    if meant:
        refuse(path, f"no such file; did you mean {SCHEME}{meant}?")
    # without suffixes, which would make all names alike
    beside = {os.path.splitext(name)[0]: name for name in _files(os.path.dirname(path) or ".")}
    near = nearest(os.path.splitext(os.path.basename(path))[0], beside)
    if near:
        meant = os.path.join(os.path.dirname(path), beside[near])
        refuse(path, f"no such file; did you mean {meant!r}?")


def _files(folder: str) -> list[str]:
    """Names of the first files of a folder that could be networks; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = (e.name for e in islice(entries, MAX_COMPARED))
            return [n for n in names if n.endswith((".json", ".keras", ".h5", ".yaml", ".yml"))]
    except OSError:
        return []


def _bare(name: str) -> str:
    """A name without what people leave out or add: case, `-`, `_`."""
    return name.lower().replace("-", "").replace("_", "")


def refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", problem)])
