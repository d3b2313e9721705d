"""What the terminal can show: how wide it is, whether it is limited to ASCII, and in which direction."""

from __future__ import annotations

import os
import re
import sys

NO_TERMINAL = 120
MIN_WIDTH = 40

MARK = "\u200e"  # invisible: text goes on from left to right
# words of Hebrew, Arabic, Persian and other scripts from right to left
_RIGHT_TO_LEFT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]"
_WORDS = rf"\S*{_RIGHT_TO_LEFT}\S*(?: \S*{_RIGHT_TO_LEFT}\S*)*"


def left_to_right(text: str) -> str:
    """A line in which a name from right to left does not turn the figures after it round.

    Terminals that order such names would show `name 3 7` as `7 3 name` otherwise: digits follow the
    direction of the letters before them.
    """
    return text if text.isascii() else re.sub(_WORDS, rf"\g<0>{MARK}", text.replace(MARK, ""))


def lines_left_to_right(text: str) -> str:
    """The same for each line of a text, which itself begins on the left."""
    if text.isascii():
        return text
    lines = map(left_to_right, text.split("\n"))
    return "\n".join(MARK + line if MARK in line else line for line in lines)


def screen_width() -> int:
    """`COLUMNS`, the width of the terminal, or `NO_TERMINAL` without one."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return max(int(columns), MIN_WIDTH)
    # in a pipe to a pager, the terminal is still where stderr goes
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and stream.isatty():
                return max(os.get_terminal_size(stream.fileno()).columns or NO_TERMINAL, MIN_WIDTH)
        except (OSError, ValueError):
            continue
    return NO_TERMINAL


def only_ascii() -> bool:
    """Whether standard output shows nothing but ASCII."""
    locale = next((v for n in ("LC_ALL", "LC_CTYPE", "LANG") if (v := os.environ.get(n))), "")
    if locale in ("C", "POSIX"):
        return True
    try:
        "×—─–→·σ√²³".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return True
    return False
