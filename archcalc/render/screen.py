"""What the terminal can show: how wide it is, and whether it is limited to ASCII."""

from __future__ import annotations

import os
import sys

NO_TERMINAL = 120
MIN_WIDTH = 40


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
