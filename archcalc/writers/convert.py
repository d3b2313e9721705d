"""Converts a network to another form: a spec, Keras code, or a `.keras` archive."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

from archcalc.errors import ArchcalcError
from archcalc.graph import Graph
from archcalc.readers import as_graph
from archcalc.writers.files import write_whole
from archcalc.writers.losses import losses

FORMS = {".json": "spec", ".py": "python", ".keras": "keras"}


def convert(
    source: Any, output: str | os.PathLike[str] | None = None, *, form: str | None = None, fold: bool = True
) -> str | None:
    """A network in another form, written to a file or returned as text.

    Parameters
    ----------
    source
        A graph, or anything that `archcalc.load` takes.
    output
        The file, which appears whole or not at all; None returns the text.
    form
        `spec`, `python` (code of Keras) or `keras` (an archive, which needs a file). Default: by the
        suffix of `output` (`.json`, `.py`, `.keras`), else `spec`.
    fold
        Whether repeated layers become blocks, and get new names.

    Warns
    -----
    UserWarning
        Something of the network that the form cannot hold.

    Raises
    ------
    ArchcalcError
        The form is not clear, or cannot express the network.
    MissingExtraError
        An archive needs Keras.
    """
    form = form or ("spec" if output is None else form_of(output))
    if form not in FORMS.values():
        raise ArchcalcError(f"form: expected one of {', '.join(FORMS.values())}, got {form!r}")
    graph = as_graph(source)
    if form == "keras" and output is None:
        raise ArchcalcError("a .keras archive needs a file: convert(source, 'model.keras')")
    for loss in losses(graph, form):
        warnings.warn(loss, stacklevel=2)
    if form == "keras" and output is not None:
        save_keras(graph, output)
        return None
    text = as_text(graph, form, fold=fold)
    if output is None:
        return text
    write_whole(output, lambda path: path.write_text(text, encoding="utf-8"))
    return None


def form_of(path: str | os.PathLike[str]) -> str:
    """The form that a file's suffix asks for: `spec`, `python` or `keras`; raises `ArchcalcError`."""
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    if suffix not in FORMS:
        known = ", ".join(f"{form} for {end}" for end, form in FORMS.items())
        raise ArchcalcError(f"{os.fspath(path)}: what to write is not clear from the name ({known})")
    return FORMS[suffix]


def as_text(graph: Graph, form: str, *, fold: bool = True) -> str:
    """A graph as the text of a spec, or as Python code.

    With `fold`, repeated layers become blocks and get new names; without it names stay.
    Raises `ArchcalcError` for what the form cannot express.
    """
    if form == "spec":
        from archcalc.writers.spec import to_spec
        from archcalc.writers.spec_text import spec_text

        return spec_text(to_spec(graph, fold=fold))
    from archcalc.writers.keras_code import keras_code

    return keras_code(graph, fold=fold)


def save_keras(graph: Graph, path: str | os.PathLike[str], symbols: Mapping[str, int] | None = None) -> None:
    """Build the model of a graph and save it as a `.keras` archive, whole or not at all.

    Weights have their initial values. Raises `ArchcalcError` where symbols need values, and
    `MissingExtraError` without Keras.
    """
    from archcalc.keras import require_keras

    require_keras()
    from archcalc.keras.build import to_keras
    from archcalc.keras.training import compile_as_stated

    write_whole(path, compile_as_stated(to_keras(graph, symbols), graph.compiled).save)
