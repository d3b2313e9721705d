"""Figures and names as text, in the form that all formats share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from math import inf, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.arith.symbolic import Expr
from archcalc.arith.unknown import AtLeast, Unknown

if TYPE_CHECKING:
    from archcalc.analyses.fields.effective_field import EffectiveField
    from archcalc.analyses.fields.receptive_field import Field
    from archcalc.analyses.gradient_bounds.gradients import Gradient

UNKNOWN = "unknown"


class Glyphs(NamedTuple):
    """Signs beyond letters and digits; those of ASCII terminals are poorer."""

    times: str
    nothing: str
    rule: str
    upto: str
    arrow: str
    dot: str
    root: str
    sigma: str
    at_least: str
    powers: dict[int, str]


UNICODE = Glyphs("×", "—", "─", "–", "→", " · ", "√", "σ", "≥", {2: "²", 3: "³"})
ASCII = Glyphs("x", "-", "-", "-", "->", ", ", "sqrt", "sigma", ">=", {2: "^2", 3: "^3"})


def printable(name: str, glyphs: Glyphs = UNICODE) -> str:
    """A name that cannot control a terminal: control and direction characters are escaped."""
    if name.isascii() and name.isprintable():
        return name
    if glyphs is ASCII:
        return name.encode("ascii", "backslashreplace").decode("ascii").translate(_CONTROLS)
    shown = (
        c if c.isprintable() or c in JOINERS else c.encode("unicode_escape").decode("ascii") for c in name
    )
    return "".join(shown)


JOINERS = "\u200c\u200d"  # invisible; Persian, Hindi and emoji need them inside words
_CONTROLS = {i: f"\\x{i:02x}" for i in [*range(32), 127]}


def count(figure: Any, glyphs: Glyphs = UNICODE) -> str:
    """A count with thousands separators; an expression as it is."""
    if isinstance(figure, int):
        return f"{figure:,}"
    if figure is None:
        return glyphs.nothing
    if isinstance(figure, AtLeast) and figure.known != 0:
        return f"{glyphs.at_least} {count(figure.known, glyphs)}"
    if isinstance(figure, Unknown):
        return UNKNOWN
    return formula(figure, glyphs)


def formula(figure: Any, glyphs: Glyphs = UNICODE) -> str:
    """An expression, or its text, with spaces only between its terms, so that lines break there."""
    characters: list[str] = []
    depth = 0
    for c in str(figure):
        depth += (c == "(") - (c == ")")
        if c != " " or depth == 0 or characters[-1] == ",":
            characters.append(c)
    text = "".join(characters)
    if glyphs is ASCII:
        return text
    text = re.sub(r"\*\*(\d)(?!\d)", lambda match: SUPERSCRIPT[int(match[1])], text)
    return text.replace("**", "^").replace("*", "·")


SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def size(figure: Any, glyphs: Glyphs = UNICODE) -> str:
    """One size of a shape; in parentheses if it is a sum."""
    if isinstance(figure, Unknown):
        return "?"
    if figure is None:
        return glyphs.nothing
    text = formula(figure, glyphs)
    return f"({text.replace(' ', '')})" if isinstance(figure, Expr) and len(figure.terms) > 1 else text


def shape(sizes: Sequence[Any], glyphs: Glyphs = UNICODE) -> str:
    """`224×224×3`; `scalar` for a shape without axes."""
    return glyphs.times.join(size(s, glyphs) for s in sizes) if sizes else "scalar"


def outputs(shapes: Sequence[Sequence[Any]], glyphs: Glyphs = UNICODE) -> str:
    """The shapes of all outputs of a layer: `20×8, 8, 8`."""
    return ", ".join(shape(sizes, glyphs) for sizes in shapes) or glyphs.nothing


def amount(figure: Any, glyphs: Glyphs = UNICODE) -> str:
    """Bytes in the most readable unit; MiB is 2^20 bytes."""
    if not isinstance(figure, int):
        text = count(figure, glyphs)
        return f"{text} B" if isinstance(figure, Expr) else text
    power = _unit(figure, 1)
    return f"{in_unit(figure, power)} {UNITS[power]}"


UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def amounts(whole: int, parts: Sequence[tuple[str, int]]) -> str:
    """`20.50 MiB = 4.10 weights + 16.40 activations`: a sum in one unit, each part rounded separately."""
    power = _unit(whole, 1)
    digits = 2 if whole < 100 * 1024**power else 1
    terms = " + ".join(f"{in_unit(part, power, digits)} {name}" for name, part in parts if part)
    return f"{in_unit(whole, power, digits)} {UNITS[power]}" + (f" = {terms}" if terms else "")


def _unit(figure: int, least: int) -> int:
    """The largest power of 1024 that fits at least `least` times."""
    return max((p for p in range(len(UNITS)) if figure >= least * 1024**p), default=0)


def in_unit(figure: int, power: int, digits: int | None = None) -> str:
    """Bytes in a unit, rounded half up in integers (a float would lose large counts)."""
    unit = 1024**power
    if power == 0:
        return f"{figure:,}"
    if digits is None:
        digits = 2 if figure < 10 * unit else 1
    scaled = (2 * figure * 10**digits + unit) // (2 * unit)
    if figure and not scaled:
        return f"<0.{1:0{digits}d}"
    return f"{scaled // 10**digits:,}.{scaled % 10**digits:0{digits}d}"


def field(value: Field | None, glyphs: Glyphs = UNICODE) -> str:
    """`483×483 /32`: the region one unit sees, and the step between neighbouring units; `(2*n+3)²`."""
    if value is None:
        return glyphs.nothing
    if not value.size:
        return "scalar"
    if any(isinstance(s, Unknown) for s in value.size):
        return UNKNOWN
    whole = reads_whole(value)
    if all(whole):
        local = tuple(value.local_size)
        return "whole" if any(s is None for s in local) else f"whole ({_square(local, glyphs)})"
    sides = [
        "whole" if all_of_it else _side(largest, smallest, glyphs)
        for largest, smallest, all_of_it in zip(value.size, value.min_size, whole, strict=True)
    ]
    power = glyphs.powers.get(len(sides))
    if power and len(set(sides)) == 1 and sides[0].startswith("("):
        return sides[0] + power + stride(value.stride, glyphs)  # the same formula twice would fill the table
    return glyphs.times.join(sides) + stride(value.stride, glyphs)


def spread(value: EffectiveField | None, glyphs: Glyphs = UNICODE) -> str:
    """`27.6`, `3.1×4.0`, `√(2*n/3+1)`: the effective field's sigma along each axis."""
    if value is None or not value.variance:
        return glyphs.nothing
    texts = [_root(v, glyphs) for v in value.variance]
    return texts[0] if len(set(texts)) == 1 else glyphs.times.join(texts)


def gradient(value: Gradient | None, glyphs: Glyphs = UNICODE) -> str:
    """`≤10^3.1`: the bound on the Jacobian of the output with respect to this row; a formula in open norms.

    Before it the ratio that is expected at initialisation, `≈10^-2.1`, where it is known.
    """
    if value is None:
        return glyphs.nothing
    if value.expected_log10 is not None:
        explodes = value.expected_log10 == inf
        here = ("inf" if glyphs is ASCII else "∞") if explodes else _power(value.expected_log10)
        return f"{likely(glyphs)}{here} {_most(value, glyphs)}"
    return _most(value, glyphs)


def likely(glyphs: Glyphs) -> str:
    """The sign before what is expected."""
    return "~" if glyphs is ASCII else "≈"


def most(glyphs: Glyphs) -> str:
    """The sign before a bound."""
    return "<=" if glyphs is ASCII else "≤"


def _most(value: Gradient, glyphs: Glyphs) -> str:
    if value.unbounded:
        return f"{most(glyphs)}{glyphs.upto}"
    if isinstance(value.upper_log10, str):
        return f"{most(glyphs)}10^({value.upper_log10})"
    if value.upper_log10 is None:
        return value.formula
    return f"{most(glyphs)}{_power(value.upper_log10)}"


def _power(log10: float) -> str:
    """`10^3.1`; a zero has no sign."""
    return f"10^{round(log10, 1) + 0.0:.1f}"


def _root(variance: Any, glyphs: Glyphs) -> str:
    if isinstance(variance, Unknown):
        return UNKNOWN
    if not isinstance(variance, Expr):
        return f"{sqrt(max(variance, 0)):,.1f}"
    written = formula(variance, glyphs).replace(" ", "")
    if len(written) > MAX_ROOT:
        written = f"{len(variance.terms)} terms"
    return f"{glyphs.root}({written})"


MAX_ROOT = 24


def reads_whole(value: Field) -> tuple[bool, ...]:
    """For each axis, whether some layer reads all of it; a window merely larger than the axis does not."""
    axes = zip(value.is_global, value.size, value.local_size, strict=True)
    return tuple(covers is True and local != size for covers, size, local in axes)


def stride(steps: Sequence[Any], glyphs: Glyphs = UNICODE) -> str:
    """` /32`, ` /4×2`; nothing where every step is 1."""
    if all(step == 1 or step is None for step in steps):
        return ""
    return " /" + _square(steps, glyphs)


def _side(largest: Any, smallest: Any, glyphs: Glyphs) -> str:
    if smallest is None or largest == smallest:
        return size(largest, glyphs)
    return f"{size(smallest, glyphs)}{glyphs.upto}{size(largest, glyphs)}"


def _square(values: Sequence[Any], glyphs: Glyphs) -> str:
    texts = [_fraction(v) if isinstance(v, Fraction) else size(v, glyphs) for v in values]
    return texts[0] if len(set(texts)) == 1 else glyphs.times.join(texts)


def _fraction(value: Fraction) -> str:
    return str(value)


# -- assumptions in plain words ----------------------------------------------------------------
# compiled when they are needed
_WORDS: tuple[tuple[str, str], ...] = (
    (r"(\w+) >= (\d+)", r"\1 is at least \2"),
    (r"(\w+) <= (\d+)", r"\1 is at most \2"),
    (r"(\w+) % 2 == 0", r"\1 is even"),
    (r"(\w+) % 2 == 1", r"\1 is odd"),
    (r"(\w+) % (\d+) == 0", r"\1 is a multiple of \2"),
    (r"\((.+)\) % \((.+)\) == 0", r"\1 is a multiple of \2"),
    (r"(\w+) % (\d+) == (\d+)", r"\1 leaves \3 when divided by \2"),
    (r"(\w+) % (\d+) in \{(.+), (\d+)\}", r"\1 leaves \3 or \4 when divided by \2"),
    (r"(.+) == (.+)", r"\1 equals \2"),
    (r"(.+) >= (.+)", r"\1 is at least \2"),
)


def in_words(assumption: str) -> str:
    """`H % 4 == 0` as "H is a multiple of 4"."""
    for pattern, words in _WORDS:
        if re.fullmatch(pattern, assumption):
            return re.sub(pattern, words, assumption)
    return assumption


def folded(head: str, words: str, width: int | None) -> list[str]:
    """Words next to a head, folded at spaces; without a width as one line."""
    if len(head.rstrip()) >= len(head):
        head += " "
    if width is None or len(head) + len(words) <= width:
        return [(head + words).rstrip()]
    import textwrap

    room = max(width - len(head), 30)
    lines = textwrap.wrap(words, room, break_long_words=False, break_on_hyphens=False)
    return [(head if i == 0 else " " * len(head)) + line for i, line in enumerate(lines)]
