"""Names and values in files: which names a spec may use, and how messages show text from a file."""

from __future__ import annotations

from typing import Any

from archcalc.errors import MAX_WORD
from archcalc.errors import did_you_mean as did_you_mean
from archcalc.errors import nearest as nearest

MAX_NAME = MAX_WORD
MAX_SHOWN = 60

# joiners are not printable by themselves, but Persian, Hindi and emoji need them inside words
_JOINERS = str.maketrans("", "", "\u200c\u200d")


def fault_of_name(name: str) -> str | None:
    """Why a spec may not give this name to a layer, input or block; None if it may."""
    without_spaces = name.strip()
    if not without_spaces:
        return "a name must not be empty"
    if len(name) > MAX_NAME:
        return f"a name of {len(name):,} characters (limit {MAX_NAME}): {show(name)}"
    if not (name.isprintable() or name.translate(_JOINERS).isprintable()):
        return f"the name {show(name)} holds control or other unprintable characters"
    if name != without_spaces:
        return f"the name {show(name)} begins or ends with a space"
    if "/" in name:
        return f"the name {show(name)} holds '/', which separates a block's name from its layers' names"
    return None


def printable(text: str) -> str:
    """The text with unprintable characters escaped."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text
    )


def show(value: Any) -> str:
    """A value from a file as messages show it: quoted, escaped, and shortened."""
    text = json_like(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 15]}...{text[-10:]}"


def json_like(value: Any, depth: int = 3) -> str:
    """The beginning of a value's JSON; a large value is not walked through."""
    if isinstance(value, str):
        return repr(value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}...")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, list | tuple):
        inner = [json_like(v, depth - 1) for v in value[: 8 if depth else 0]]
        return f"[{', '.join([*inner, '...'] if len(value) > len(inner) else inner)}]"
    if isinstance(value, dict):
        items = list(value.items())[: 4 if depth else 0]
        inner = [f"{json_like(k)}: {json_like(v, depth - 1)}" for k, v in items]
        return f"{{{', '.join([*inner, '...'] if len(value) > len(inner) else inner)}}}"
    return str(value)
