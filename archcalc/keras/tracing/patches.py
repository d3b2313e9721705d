"""Functions of Keras that are replaced while a model is traced, for the tracing thread alone."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# held while anything of Keras is replaced: what is put back must be what was there before
_LOCK = threading.RLock()
_MISSING = object()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let no other thread trace a model meanwhile."""
    with _LOCK:
        yield


@contextmanager
def replaced(target: Any, **functions: Callable[..., Any]) -> Iterator[None]:
    """Replace functions of a class or module; other threads still run the originals.

    They are put back on any exception.
    """
    owner = threading.get_ident()
    with _LOCK:
        originals = {name: getattr(target, name) for name in functions}
        kept = {name: vars(target).get(name, _MISSING) for name in functions}
        try:
            for name, function in functions.items():
                setattr(target, name, _in_thread(owner, function, originals[name]))
            yield
        finally:
            for name, original in kept.items():
                if original is _MISSING:
                    delattr(target, name)
                else:
                    setattr(target, name, original)


def _in_thread(
    owner: int, replacement: Callable[..., Any], original: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def either(*args: Any, **kwargs: Any) -> Any:
        chosen = replacement if threading.get_ident() == owner else original
        return chosen(*args, **kwargs)

    return either
