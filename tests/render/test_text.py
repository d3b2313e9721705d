"""How figures and names are written."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.analyses.fields.effective_field import EffectiveField
from archcalc.analyses.fields.receptive_field import Field
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.render import text
from archcalc.render.text import ASCII, UNICODE

H = symbol("H")


@pytest.mark.parametrize(
    ("figure", "written"),
    [
        (0, "0"),
        (25636712, "25,636,712"),
        (-5, "-5"),
        (10**30, "1" + ",000" * 10),
        (3 * H * H + 1, "3·H² + 1"),
        (None, "—"),
        (Unknown("why"), "unknown"),
    ],
)
def test_count(figure: Any, written: str) -> None:
    assert text.count(figure) == written


@pytest.mark.parametrize(
    ("figure", "written"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.00 KiB"),
        (1536, "1.50 KiB"),
        (10 * 1024, "10.0 KiB"),
        (1024**2 - 1, "1,024.0 KiB"),
        (602112, "588.0 KiB"),
        (553430176, "527.8 MiB"),
        (5 * 1024**4, "5.00 TiB"),
        (10**30, "888,178,419,700,125.2 PiB"),
        (4 * H, "4·H B"),
        (Unknown("why"), "unknown"),
    ],
)
def test_amount(figure: Any, written: str) -> None:
    assert text.amount(figure) == written


@given(st.integers(0, 10**18), st.integers(0, 10**18))
def test_amounts_are_right_to_the_last_digit_printed(a: int, b: int) -> None:
    whole, _, rest = text.amounts(a + b, [("x", a), ("y", b)]).partition(" = ")
    number, unit = whole.split(" ")
    size = 1024 ** text.UNITS.index(unit)
    exact = Fraction(a + b, size)
    assert abs(Fraction(number.replace(",", "")) - exact) <= Fraction(1, 20)
    if a + b:
        assert exact >= 1
        assert [part.split(" ")[1] for part in rest.split(" + ")] == [n for n, v in (("x", a), ("y", b)) if v]


@pytest.mark.parametrize(
    ("sizes", "written", "ascii"),
    [
        ((224, 224, 3), "224×224×3", "224x224x3"),
        ((10,), "10", "10"),
        ((), "scalar", "scalar"),
        ((H, H - 4, 32), "H×(H-4)×32", "Hx(H-4)x32"),
        ((H // 2, Unknown("why")), "H//2×?", "H//2x?"),
    ],
)
def test_shape(sizes: tuple[Any, ...], written: str, ascii: str) -> None:
    assert text.shape(sizes) == written
    assert text.shape(sizes, ASCII) == ascii


def seen(size: Any, **more: Any) -> Field:
    rank = len(size)
    figures = {
        "min_size": size,
        "stride": (1,) * rank,
        "offset": (0,) * rank,
        "is_global": (False,) * rank,
        "local_size": size,
    }
    return Field(size, **(figures | more))


@pytest.mark.parametrize(
    ("field", "written"),
    [
        (seen((5, 5)), "5×5"),
        (seen((483, 483), stride=(32, 32)), "483×483 /32"),
        (seen((7, 3), stride=(2, 1)), "7×3 /2×1"),
        (seen((4, 4), min_size=(3, 4)), "3–4×4"),
        (seen((4, 4), stride=("1/2", "1/2")), "4×4 /1/2"),
        (seen((4, 4), stride=(None, None)), "4×4"),
        (seen((9, 9), is_global=(True, True), local_size=(851, 851)), "whole (851)"),
        (seen((9, 9), is_global=(True, True), local_size=(85, 3)), "whole (85×3)"),
        (seen((9, 9), is_global=(True, True), local_size=(None, None)), "whole"),
        (seen((9, 5), is_global=(True, False), local_size=(3, 5)), "whole×5"),
        # a window larger than its axis does not read the axis as a whole
        (seen((483, 483), is_global=(True, True), stride=(32, 32)), "483×483 /32"),
        (seen((H + 2, 3)), "(H+2)×3"),
        (seen((H + 2, H + 2), stride=(4, 4)), "(H+2)² /4"),
        (seen((H, H)), "H×H"),
        (seen((Unknown("why"), 3)), "unknown"),
        (seen(()), "scalar"),
        (None, "—"),
    ],
)
def test_field(field: Field | None, written: str) -> None:
    assert text.field(field) == written


@pytest.mark.parametrize(
    ("name", "unicode", "ascii"),
    [
        ("conv/1", "conv/1", "conv/1"),
        ("\x1b[31mred", "\\x1b[31mred", "\\x1b[31mred"),
        ("a\nb", "a\\nb", "a\\x0ab"),
        ("größe", "größe", "gr\\xf6\\xdfe"),
        ("שלום", "שלום", "\\u05e9\\u05dc\\u05d5\\u05dd"),
        ("x\u202ey", "x\\u202ey", "x\\u202ey"),
        ("می\u200cشود", "می\u200cشود", "\\u0645\\u06cc\\u200c\\u0634\\u0648\\u062f"),
        ("\ud800", "\\ud800", "\\ud800"),
        ("[bold]x[/bold]", "[bold]x[/bold]", "[bold]x[/bold]"),
    ],
)
def test_names_cannot_steer_a_terminal(name: str, unicode: str, ascii: str) -> None:
    assert text.printable(name, UNICODE) == unicode
    assert text.printable(name, ASCII) == ascii


@given(st.text(max_size=30))
def test_printable_is_printable(name: str) -> None:
    assert re.sub(f"[{text.JOINERS}]", "", text.printable(name)).isprintable()
    assert text.printable(name, ASCII).isascii()
    assert text.printable(name, ASCII).isprintable()


@pytest.mark.parametrize(
    ("assumption", "words"),
    [
        ("H >= 32", "H is at least 32"),
        ("H <= 7", "H is at most 7"),
        ("H % 2 == 0", "H is even"),
        ("H % 2 == 1", "H is odd"),
        ("H % 8 == 0", "H is a multiple of 8"),
        ("H % 8 == 3", "H leaves 3 when divided by 8"),
        ("H % 8 in {0, 3, 4}", "H leaves 0, 3 or 4 when divided by 8"),
        ("(2*w) % (g) == 0", "2*w is a multiple of g"),
        ("a*b == c", "a*b equals c"),
        ("a*b >= c + 1", "a*b is at least c + 1"),
        ("something else", "something else"),
    ],
)
def test_assumptions_in_plain_words(assumption: str, words: str) -> None:
    assert text.in_words(assumption) == words


@pytest.mark.parametrize(
    ("variance", "written", "ascii"),
    [
        ((4.0, 4.0), "2.0", "2.0"),
        ((4.0, 9.0), "2.0×3.0", "2.0x3.0"),
        ((763.93,), "27.6", "27.6"),
        ((H + 1, H + 1), "√(H+1)", "sqrt(H+1)"),
        ((H**3 - 10**8 * H**2 + 10**8 * H + 7,), "√(4 terms)", "sqrt(4 terms)"),
        ((Unknown("why"), 4.0), "unknown×2.0", "unknownx2.0"),
        ((Unknown("why"), Unknown("why")), "unknown", "unknown"),
        ((), "—", "-"),
    ],
)
def test_spread(variance: tuple[Any, ...], written: str, ascii: str) -> None:
    effective = EffectiveField(variance, variance)
    assert text.spread(effective) == written
    assert text.spread(effective, ASCII) == ascii
    assert text.spread(None) == "—"
