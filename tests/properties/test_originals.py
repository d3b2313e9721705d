"""Models of Keras in any state: their counts, and the same model after each conversion."""

from __future__ import annotations

import tempfile
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
    keras.backend.clear_session(free_memory=False)
    note(spec(graph))
    rng = Random(seed)
    model = drawn_model(graph, rng)
    for _ in range(3):
        change_state(model, rng)
        totals = archcalc.analyze(archcalc.from_keras(model)).totals
        assert (totals.parameters, totals.trainable_parameters) == counts(model)


@settings(thorough, max_examples=4)
@given(architectures(max_motifs=3), st.integers(0, 2**32))
def test_a_conversion_is_the_same_model_in_keras(graph: Graph, seed: int) -> None:
    keras.backend.clear_session(free_memory=False)
    note(spec(graph))
    rng = Random(seed)
    model = drawn_model(graph, rng)
    again = read(model, rng)
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            found = differences(model, again, form, Path(folder), seed)
        assert all(text.startswith(CANNOT_RUN) for text in found), found
