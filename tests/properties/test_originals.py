"""Models of Keras in any state: their counts, and the same model after each conversion."""

from __future__ import annotations

from pathlib import Path
from random import Random

import keras
from hypothesis import given, note, settings
from hypothesis import strategies as st

import archcalc
from archcalc.graph import Graph
from archcalc.testing.strategies import architectures
from tests.properties.networks import spec, thorough
from tests.properties.originals import CANNOT_RUN, FORMS, counts, differences
from tests.properties.states import change_state, drawn_model, read


@settings(thorough, max_examples=20)
@given(architectures(max_motifs=4), st.integers(0, 2**32))
def test_live_models_have_the_counts_that_keras_says(graph: Graph, seed: int) -> None:
    keras.backend.clear_session()
    note(spec(graph))
    rng = Random(seed)
    model = drawn_model(graph, rng)
    for _ in range(3):
        change_state(model, rng)
        totals = archcalc.analyze(archcalc.from_keras(model)).totals
        assert (totals.parameters, totals.trainable_parameters) == counts(model)


@settings(thorough, max_examples=4)
@given(architectures(max_motifs=3), st.integers(0, 2**32))
def test_a_conversion_is_the_same_model_in_keras(graph: Graph, seed: int, tmp_path_factory: object) -> None:
    check(graph, seed, Path(tmp_path_factory.mktemp("net")))  # type: ignore[attr-defined]


def check(graph: Graph, seed: int, folder: Path) -> dict[str, list[str]]:
    """Convert a drawn model to each form and compare; what could not be run, by form."""
    keras.backend.clear_session()
    note(spec(graph))
    rng = Random(seed)
    model = drawn_model(graph, rng)
    again = read(model, rng)
    left_out: dict[str, list[str]] = {}
    for form in FORMS:
        found = differences(model, again, form, folder, seed)
        left_out[form] = [text for text in found if text.startswith(CANNOT_RUN)]
        assert found == left_out[form]
    return left_out
