"""The mapping of names is one to one, and TensorFlow accepts the results."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archcalc.layers.keras_names import from_keras_name, to_keras_name

# names that TensorFlow's nodes and Keras (no slash) both accept; tests/keras/test_build.py trains one
ACCEPTED = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.-]*(>[A-Za-z0-9.][A-Za-z0-9_.-]*)*")
PRINTABLE = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"])
NAMES = st.text(PRINTABLE, min_size=1, max_size=12) | st.text(
    alphabet=st.sampled_from("ab_/.[]>-0395éx \u200d"), min_size=1, max_size=12
)


@pytest.mark.parametrize(
    ("name", "keras"),
    [
        ("conv2d_1", "conv2d_1"),
        ("layer1.0.conv-1", "layer1.0.conv-1"),
        ("stem/a", "stem>a"),
        ("body[3]/a", "body>.3>a"),
        ("größe", "gr>.xf6_>.xdf_e"),
        ("_private", "._private"),
    ],
)
def test_as_documented(name: str, keras: str) -> None:
    assert to_keras_name(name) == keras
    assert from_keras_name(keras) == name


@given(NAMES)
@example("a[3]4")
@example("a[03]")
@example("a/.3")
@example("a/.x41_b")
@example("a[3].4")
@example("a>b")
@example("/")
@example(".a")
@example("")
def test_there_and_back(name: str) -> None:
    keras_name = to_keras_name(name)
    assert from_keras_name(keras_name) == name
    assert ACCEPTED.fullmatch(keras_name)


@given(NAMES)
@example("a>.x110000_b")
@example("a>.xzz_")
@example("a>.03")
@example("a>.xa_b")
def test_any_keras_name_is_told_apart(name: str) -> None:
    """No two Keras names are mapped to the same name: a name is mapped back, or unchanged."""
    original = from_keras_name(name)
    assert original == name or to_keras_name(original) == name
    assert "\n" not in original
