"""Names that specs may give, and foreign text in messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.errors import did_you_mean, nearest
from archcalc.readers.names import fault_of_name, show


@pytest.mark.parametrize(
    "name",
    [
        *("a", "conv 1", "a.b:c[2]", "\u00fc\u0308", "n" * 255),
        "\u0634\u0628\u06a9\u0647\u200c\u0627\u06cc",  # Persian, with the joiner it needs
        "\u05e9\u05db\u05d1\u05d4",
        "\U0001f469\u200d\U0001f52c",
    ],
)
def test_names_that_are_fine(name: str) -> None:
    assert fault_of_name(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "must not be empty"),
        ("   ", "must not be empty"),
        ("n" * 256, "256 characters (limit 255)"),
        ("a/b", "holds '/'"),
        ("a ", "ends with a space"),
        ("a\tb", "unprintable"),
        ("a\x7f", "unprintable"),
        ("a\x85", "unprintable"),
        ("a\u202eb", "unprintable"),  # right-to-left override
        ("a\u2066b", "unprintable"),
        ("a\u2028b", "unprintable"),  # a line separator
        ("a\ufeff", "unprintable"),
        ("a\u00a0b", "unprintable"),  # looks like a space but is not one
    ],
)
def test_names_that_are_not(name: str, problem: str) -> None:
    fault = fault_of_name(name)
    assert fault is not None
    assert problem in fault
    assert fault.isprintable()


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_values_are_shown_on_one_short_line(value: Any) -> None:
    shown = show(value)
    assert shown.isprintable()
    assert len(shown) <= 60


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        ("a", "'a'"),
        ([1, "a", None], "[1, 'a', null]"),
        ({"a": [1]}, "{'a': [1]}"),
        ([[[[1]]]], "[[[[...]]]]"),
    ],
)
def test_shown_values(value: Any, shown: str) -> None:
    assert show(value) == shown


def test_large_values_are_not_walked() -> None:
    assert show(10**5000) == "an integer of 16610 bits"
    endless: list[Any] = []
    endless.append(endless)
    assert len(show(endless)) <= 60
    assert show(list(range(10**6))) == "[0, 1, 2, 3, 4, 5, 6, 7, ...]"


@pytest.mark.parametrize(
    ("word", "known"),
    [
        *(("filter", "filters"), ("Filters", "filters"), ("KERNELSIZE", "kernel_size"), ("q", None)),
        # the same letters in another case come first
        *(("Relu", "relu"), ("RELU", "relu"), ("elu", "elu"), ("Sigmoid", "sigmoid"), ("dense", "Dense")),
    ],
)
def test_nearest(word: str, known: str | None) -> None:
    words = ["filters", "kernel_size", "padding", "Bilinear", "Dense", "Conv1D", "Conv2D", "elu", "relu"]
    assert nearest(word, [*words, "hard_sigmoid", "sigmoid"]) == known


def test_did_you_mean() -> None:
    assert did_you_mean("conv2d", ["Conv2D"]) == "; did you mean 'Conv2D'?"
    assert did_you_mean("zzz", ["Conv2D"]) == ""
    assert did_you_mean("zzz", ["Conv2D"], "there is one") == "; there is one"
    assert did_you_mean("Conv", ["Conv1D", "Conv3D"], most=2) == "; did you mean 'Conv3D' or 'Conv1D'?"
    assert did_you_mean("a" * 10_000, ["Conv2D"]) == ""
