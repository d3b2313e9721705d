"""Reversible mapping of archcalc's names to layer names that Keras and TensorFlow accept.

Keras 3 refuses `/` in a name. TensorFlow traces each layer inside a name scope, and a model
with a name outside its grammar (letters, digits and `_.-`, in parts that `>` separates and
that each start with a letter, a digit or a dot) can be built but not trained. The mapping is
one to one and leaves valid names unchanged:

    stem/a       stem>a
    body[3]/a    body>.3>a
    größe        gr>.xf6_>.xdf_e      any other character: its code point in hexadecimal
    _private     ._private            a first character that TensorFlow accepts
"""

from __future__ import annotations

import re

# a copy's number, a slash, or another character that is not part of a valid name
_SPECIAL = r"\[(0|[1-9][0-9]*)\](?![0-9])|(/)(?=[A-Za-z0-9])|[^A-Za-z0-9_.-]"
_CODE = r">(?:\.x([0-9a-f]{1,6})_|\.([0-9]+)|(?=[A-Za-z0-9]))"

# zero-width joiners are not printable, but Persian, Hindi and emoji use them
_JOINERS = str.maketrans("", "", "\u200c\u200d")


def to_keras_name(name: str) -> str:
    """The name for Keras; `from_keras_name` restores the original."""

    def code(match: re.Match[str]) -> str:
        if match[1] is not None:
            return f">.{match[1]}"
        return ">" if match[2] else f">.x{ord(match[0]):x}_"

    text = re.sub(_SPECIAL, code, name)
    return text if text[:1].isascii() and text[:1].isalnum() else f".{text}"


def from_keras_name(name: str) -> str:
    """The name that `to_keras_name` maps to this one; a name that it maps nothing to is unchanged.

    So is a name whose original would have control characters, which no name of archcalc has.
    """
    if ">" not in name and not name.startswith("."):
        return name

    def character(match: re.Match[str]) -> str:
        if match[2] is not None:
            return f"[{match[2]}]"
        if match[1] is None:
            return "/"
        code = int(match[1], 16)
        return chr(code) if code <= 0x10FFFF else match[0]

    original = re.sub(_CODE, character, name[1:] if name.startswith(".") else name)
    if to_keras_name(original) != name or not original.translate(_JOINERS).isprintable():
        return name
    return original
