"""Compares every figure of whole drawn networks with the real Keras model."""

from __future__ import annotations

import keras
import pytest
from hypothesis import given, note, settings

import archcalc
from archcalc.graph import Graph
from archcalc.testing.strategies import architectures
from tests.properties.networks import disagreements, spec, thorough


@settings(thorough, max_examples=150)
@given(architectures())
def test_every_figure_agrees_with_keras(graph: Graph) -> None:
    keras.backend.clear_session(free_memory=False)
    differences = disagreements(archcalc.verify(graph, sample=6))
    note(spec(graph))
    assert not differences, "\n".join(map(str, differences))


@pytest.mark.slow
@settings(thorough, max_examples=150)
@given(architectures(with_operations=True))
def test_every_figure_of_operations_agrees_with_keras(graph: Graph) -> None:
    keras.backend.clear_session(free_memory=False)
    differences = disagreements(archcalc.verify(graph, sample=6))
    note(spec(graph))
    assert not differences, "\n".join(map(str, differences))


@pytest.mark.slow
@settings(thorough, max_examples=500)
@given(architectures(min_motifs=5, max_motifs=12))
def test_every_figure_of_deeper_networks_agrees_with_keras(graph: Graph) -> None:
    keras.backend.clear_session(free_memory=False)
    differences = disagreements(archcalc.verify(graph, sample=6))
    note(spec(graph))
    assert not differences, "\n".join(map(str, differences))
