"""The expression language against Python's own arithmetic, its limits, and the round trip."""

from __future__ import annotations

import string
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc import arith
from archcalc.arith import substitute, symbolic
from archcalc.arith.expressions import FUNCTIONS, WRITTEN, is_symbol_name, parse, restore
from archcalc.arith.symbolic import Expr, symbol
from archcalc.errors import ExpressionError

SYMBOLS = {name: symbol(name) for name in ("H", "n", "w")}


def at(text: str, **values: int) -> Any:
    """`text` parsed with open symbols, then evaluated."""
    with arith.scope():
        return substitute(parse(text, {name: symbol(name) for name in values}), values)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("  2 * 3+4 ", 10),
        ("2+3*4", 14),
        ("2-3-4", -5),
        ("2-(3-4)", 3),
        ("2**3**2", 512),
        ("-2**2", -4),
        ("(-2)**2", 4),
        ("2*-3", -6),
        ("--3", 3),
        ("+3", 3),
        ("7//2", 3),
        ("-7//2", -4),
        ("7%4", 3),
        ("-7%4", 1),
        ("8/2/2", 2),
        ("7/2*2", 7),
        ("1/3+2/3", 1),
        ("floor(7/2)", 3),
        ("ceil(7/2)", 4),
        ("ceil(-7/2)", -3),
        ("max(1, 5, 3)", 5),
        ("min(4, 2*3)", 4),
        ("max(min(9, 3), floor(5/2))*2", 6),
        ("0**0", 1),
    ],
)
def test_numbers_follow_pythons_precedence(text: str, value: int) -> None:
    assert parse(text, {}) == value
    assert type(parse(text, {})) is int


@pytest.mark.parametrize(
    ("text", "n", "value"),
    [("n*(n-1)/2", 7, 21), ("(n+1)**2 - n**2", 9, 19), ("2**n", 10, 1024), ("n//3*3 + n%3", 11, 11)],
)
def test_symbols_at_a_point(text: str, n: int, value: int) -> None:
    assert at(text, n=n) == value


@given(st.integers(1, 500), st.integers(1, 12))
def test_ceil_joins_the_normal_form(n: int, d: int) -> None:
    with arith.scope():
        assert parse(f"ceil(n/{d})", SYMBOLS) == arith.ceil_div(symbol("n"), d)
    assert at(f"ceil(n/{d})", n=n) == -(-n // d)


def test_symbols_may_have_values_and_unicode_names() -> None:
    assert parse("2*ширина + k", {"ширина": 5, "k": 1}) == 11


# -- faults ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "an empty text"),
        ("   ", "an empty text"),
        ("2*w +", "expected a number, a symbol or '(' (column 6 of '2*w +')"),
        ("2 w", "expected an operator (column 3 of '2 w')"),
        ("3w", "expected an operator (column 2"),
        ("3(w)", "expected an operator (column 2"),
        ("(2", "this '(' is never closed (column 1"),
        ("2)", "there is no '(' before this ')' (column 2"),
        ("(1,2)", "a comma is allowed only between the arguments of a function (column 3"),
        ("max()", "expected a number, a symbol or '(' (column 5"),
        ("floor(1,2)", "floor takes one argument, got 2 (column 6"),
        ("max", "'(' must follow the function 'max' (column 1"),
        ("sin(w)", "'sin' is not a function of the language (ceil, floor, max, min)"),
        ("widht", "unknown symbol 'widht'; declared: H, n, w"),
        ("__import__('os')", 'unexpected character "\'" (column 12 of "__import__(\'os\')")'),
        ("__import__(w)", "'__import__' is not a function"),
        ("w.real", "unexpected character '.'"),
        ("w[0]", "unexpected character '['"),
        ("w;n", "unexpected character ';'"),
        ("1e9", "expected an operator (column 2"),
        ("1_000", "expected an operator (column 2"),
        ("\u0661+1", "unexpected character '\u0661'"),  # an Arabic digit is no number of the language
        ("H\x1b[2J", "unexpected character '\\x1b'"),
        ("H//0", "division by zero (column 2"),
        ("H % (2-2)", "division by zero (column 3"),
        ("7/2", "7/2 is not an integer; // divides and floors"),
        ("2**-1", "a negative exponent; write 1/x (column 2"),
        ("2**(1/2)", "1/2 is not an integer"),
        ("2**(0-n)", "negative"),
        ("H//(0-n)", "must be positive"),
    ],
)
def test_faults_show_the_place(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as raised, arith.scope():
        parse(text, SYMBOLS)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(ExpressionError, match="did you mean 'width'"):
        parse("2*widht", {"width": 3, "height": 4})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("9**9**9", "exponent above 64"),
        ("9**60", "more than 64 bits"),
        ("10**30", "more than 64 bits"),
        ("9" * 900, "a number of 900 digits"),
        ("1" + "0" * 30, "more than 64 bits"),
        ("w**65", "exponent above 64"),
        ("w**40*w**40", "exponent above 64"),
        ("(w**60)**60", "exponent above 64"),
        ("(H+n+w+1)**60", "too many terms"),
        ("*".join(["(H+n+w+H*n+H*w+n*w+1)"] * 40), "terms"),
        ("(" * 51 + "1" + ")" * 51, "nested deeper than 50"),
        ("max(" * 51 + "1" + ")" * 51, "nested deeper than 50"),
        ("(" * 100_000, "100,000 characters (limit 1,000)"),
        ("1+" * 100_000 + "1", "200,001 characters"),
        ("4611686018427387904*w*4", "more than 64 bits"),
        ("max(" * 7 + "w" + "//2, n)" * 7, "operations on symbols nested deeper than 6"),
    ],
)
def test_limits(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError) as raised, arith.scope():
        parse(text, SYMBOLS)
    assert problem in str(raised.value)
    assert len(str(raised.value)) < 200


def test_floors_inside_extrema_do_not_branch_without_end() -> None:
    """Bounds of such nests are given up, not searched for exponentially long."""
    nest: Any = symbol("H")
    with arith.scope():
        for _ in range(40):
            nest = arith.largest(nest // 2, symbol("w"))
        assert restore(str(nest)) == nest


# -- conditions ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "assumed"),
    [
        ("H/2", ["H % 2 == 0"]),
        ("H/2 + H/2", []),
        ("n*(n-1)/2", []),
        ("n*(n+1)*(n+2)/6", []),
        ("n*(n-1)/4", ["(n**2 - n) % (4) == 0"]),
        ("n//(w-3)", ["w >= 4"]),
        ("2**(n-5)", ["n >= 5"]),
        ("floor(H/2)", []),
        ("max(H/2, n)", ["H % 2 == 0"]),
    ],
)
def test_what_symbols_must_satisfy_is_noted(text: str, assumed: list[str]) -> None:
    with arith.scope() as scope:
        parse(text, SYMBOLS)
    assert scope.assumptions.texts() == assumed


def test_outside_a_scope_an_open_condition_is_refused() -> None:
    with pytest.raises(ExpressionError, match="cannot decide"):
        parse("H/2", SYMBOLS)


# -- any text --------------------------------------------------------------------------------------
@given(st.text(max_size=200))
def test_any_text_gives_a_size_or_one_fault(text: str) -> None:
    check_total(text)


@given(
    st.lists(
        st.sampled_from([*FUNCTIONS, *SYMBOLS, *"+-*/%(),", "**", "//", " ", "0", "1", "2", "37", "1000"]),
        max_size=60,
    ).map("".join)
)
def test_any_words_of_the_language_give_a_size_or_one_fault(text: str) -> None:
    check_total(text)


def check_total(text: str) -> None:
    with arith.scope():
        try:
            value = parse(text, SYMBOLS)
        except ExpressionError:
            return
    assert type(value) is int or isinstance(value, Expr)


# -- against Python --------------------------------------------------------------------------------
def trees() -> st.SearchStrategy[tuple[str, Any]]:
    """A text and the same tree as a Python function of exact fractions: no parser involved."""
    leaves = st.one_of(
        st.integers(0, 50).map(lambda i: (str(i), lambda _: Fraction(i))),
        st.sampled_from(["H", "n", "w"]).map(lambda s: (s, lambda v: Fraction(v[s]))),
    )

    def grown(inner: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple[str, Any]]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            pair.map(lambda p: (f"({p[0][0]} + {p[1][0]})", lambda v: p[0][1](v) + p[1][1](v))),
            pair.map(lambda p: (f"({p[0][0]} - {p[1][0]})", lambda v: p[0][1](v) - p[1][1](v))),
            pair.map(lambda p: (f"({p[0][0]} * {p[1][0]})", lambda v: p[0][1](v) * p[1][1](v))),
            pair.map(lambda p: (f"({p[0][0]} // 3)", lambda v: Fraction(p[0][1](v) // 3))),
            pair.map(lambda p: (f"({p[0][0]} % 5)", lambda v: p[0][1](v) % 5)),
            pair.map(lambda p: (f"max({p[0][0]}, {p[1][0]})", lambda v: max(p[0][1](v), p[1][1](v)))),
            pair.map(lambda p: (f"min({p[0][0]}, {p[1][0]})", lambda v: min(p[0][1](v), p[1][1](v)))),
            inner.map(lambda p: (f"ceil(({p[0]})/4)", lambda v: Fraction(-(-p[1](v) // 4)))),
            inner.map(lambda p: (f"(-{p[0]})", lambda v: -p[1](v))),
            inner.map(lambda p: (f"({p[0]}**2)", lambda v: p[1](v) ** 2)),
        )

    return st.recursive(leaves, grown, max_leaves=8)


@given(trees(), st.fixed_dictionaries({s: st.integers(1, 40) for s in ("H", "n", "w")}))
def test_parsed_and_substituted_equals_python(tree: tuple[str, Any], values: dict[str, int]) -> None:
    text, meaning = tree
    with arith.scope():
        try:
            parsed = parse(text, SYMBOLS)
        except ExpressionError as fault:
            assert "bits" in str(fault) or "terms" in str(fault)  # noqa: PT017
            return
        assert substitute(parsed, values) == meaning(values)


# -- the round trip --------------------------------------------------------------------------------
def expressions() -> st.SearchStrategy[Any]:
    """Expressions with every kind of atom, as analyses produce them."""
    leaves = st.one_of(st.integers(-9, 30), st.sampled_from(list(SYMBOLS.values())))

    def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        two = st.tuples(inner, inner)
        return st.one_of(
            two.map(lambda p: p[0] + p[1]),
            two.map(lambda p: p[0] - p[1]),
            two.map(lambda p: p[0] * p[1]),
            two.map(lambda p: symbolic.floor_divide(p[0], 3)),
            two.map(lambda p: symbolic.floor_divide(p[0], p[1] * p[1] + symbol("H"))),
            two.map(lambda p: symbolic.divide(p[0], 6)).filter(lambda q: not isinstance(q, Fraction)),
            two.map(lambda p: symbolic.divide(p[0], symbol("H") + symbol("w") * 2)),
            two.map(lambda p: arith.largest(*p)),
            two.map(lambda p: arith.smallest(*p)),
            inner.map(lambda p: 2 ** (symbol("n") + 1) * p),
            inner.map(lambda p: p**2),
        )

    return st.recursive(leaves, grown, max_leaves=8)


@given(expressions())
def test_what_is_printed_is_read_back(value: Any) -> None:
    again = restore(str(value), SYMBOLS)
    assert again == value
    assert str(again) == str(value)


def test_a_long_sum_is_read_back_in_one_pass() -> None:
    long = arith.total(symbol(f"w{i}") * (i + 1) for i in range(5_000))
    assert restore(str(long)) == long


def test_deep_floors_are_read_back() -> None:
    size: Any = symbol("H")
    for i in range(60):
        size = (size * 2 + symbol("w")) // (3 + i % 2)
    assert restore(str(size)) == size


# -- names of symbols ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["w", "n_1", "ширина", "_x", "H2"])
def test_names_of_symbols(name: str) -> None:
    assert is_symbol_name(name)
    assert parse(name, {name: 3}) == 3


@pytest.mark.parametrize("name", ["", "1w", "a b", "max", "a-b", "a.b", "w\n", "H²", "w$", "[a]"])
def test_names_that_symbols_cannot_have(name: str) -> None:
    assert not is_symbol_name(name)


@given(st.text(alphabet=string.printable, max_size=6))
def test_a_name_is_allowed_exactly_where_it_parses_as_itself(name: str) -> None:
    try:
        alone = parse(name, {name: symbol("x")}) == symbol("x")
    except ExpressionError:
        alone = False
    assert is_symbol_name(name) == (alone and name == name.strip() and name.isidentifier())


def test_limits_are_what_the_documentation_says() -> None:
    assert WRITTEN == (1_000, 50, 64, 64, 100, 6)
