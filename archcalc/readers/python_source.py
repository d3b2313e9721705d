"""`python:PACKAGE.MODULE:NAME`: a live model, or a function without arguments that returns one.

The one source that runs code. It is read only where a person asked for it (`allow_code`), never
because a file names it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

from archcalc.errors import ArchcalcError, Fault, SourceError
from archcalc.graph import Graph
from archcalc.readers.limits import MAX_LAYERS
from archcalc.readers.names import did_you_mean, show

SCHEME = "python:"
_FORM = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")


def is_python(source: str) -> bool:
    """Whether a source names code; a file of that name is a file."""
    return source.startswith(SCHEME) and not os.path.exists(source)


def read_python(
    source: str,
    *,
    input_shape: Sequence[int | str] | None = None,
    allow_unknown: bool = False,
    symbols: Mapping[str, Any] | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """The network of the model that the source names; its module is imported and its code runs.

    The current folder is first on the import path meanwhile, and what the code prints goes to stderr.

    Raises `SourceError`, with one line, for whatever goes wrong in that code, and
    `MissingExtraError` where Keras is not installed.
    """
    form = _FORM.fullmatch(source.removeprefix(SCHEME))
    if form is None:
        _refuse(source, "expected python:PACKAGE.MODULE:NAME, as in python:mynets.models:build")
    from archcalc.keras import from_keras  # before modules of the current folder can stand in for Keras

    with _own_code(source):
        model = _called(_named(form["module"], form["name"], source), form["name"], source)
        graph = from_keras(
            model,
            input_shape=input_shape,
            allow_unknown=allow_unknown,
            symbols=symbols,
            max_layers=max_layers,
        )
    return dataclasses.replace(graph, source=source)


def _named(module: str, name: str, source: str) -> Any:
    try:
        found = import_module(module)
    except ModuleNotFoundError as fault:
        missing = str(fault.name)
        if not f"{module}.".startswith(f"{missing}."):
            raise
        _refuse(source, f"no module is named {show(missing)} (the current folder is on the path)")
    for part in name.split("."):
        if not hasattr(found, part):
            kind = f"{module} has no {show(part)}"
            _refuse(source, kind + did_you_mean(part, [n for n in dir(found) if not n.startswith("_")]))
        found = getattr(found, part)
    return found


def _called(found: Any, name: str, source: str) -> Any:
    """The model itself, or what the function returns."""
    if isinstance(found, type) or not hasattr(found, "layers"):
        if not callable(found):
            _refuse(source, f"{name} is of type {type(found).__name__}, neither a model nor a function")
        try:
            inspect.signature(found).bind()
        except TypeError as fault:
            _refuse(source, f"{name} is called without arguments, and {fault}; wrap it in a function")
        except ValueError:  # no signature is known
            pass
        found = found()
        if not hasattr(found, "layers"):
            _refuse(source, f"{name}() returned {type(found).__name__}, not a keras.Model")
    return found


@contextlib.contextmanager
def _own_code(source: str) -> Iterator[None]:
    """Run code that the user named: its folder on the path, its prints on stderr, its errors in one line."""
    path = os.getcwd()
    sys.path.insert(0, path)
    try:
        with _stdout_to_stderr():
            yield
    except (ArchcalcError, KeyboardInterrupt):
        raise
    except SystemExit as fault:
        _refuse(source, f"its code ended the program (exit code {fault.code!r})")
    except BaseException as fault:
        text = " ".join(str(fault).split())
        _refuse(source, f"its code raised {type(fault).__name__}{f': {text[:200]}' if text else ''}")
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(path)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send what is written to stdout to stderr, also by code below Python."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        # without a descriptor (in a notebook, under pythonw) only Python writes
        with contextlib.suppress(OSError, ValueError):
            saved = os.dup(1)
            stack.callback(os.close, saved)
            os.dup2(2, 1)
            stack.callback(os.dup2, saved, 1)
        yield


def _refuse(source: str, problem: str) -> NoReturn:
    raise SourceError(source, [Fault("", problem)]) from None
