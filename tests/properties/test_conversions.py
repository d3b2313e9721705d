"""Conversions keep every figure: graph, spec, live model, configuration, and back."""

from __future__ import annotations

import json
from collections import Counter

import keras
from hypothesis import given, note, settings

import archcalc
from archcalc.graph import Graph
from archcalc.keras.build import to_keras
from archcalc.layers.keras_names import from_keras_name
from archcalc.readers.spec import read_spec
from archcalc.testing.strategies import architectures
from archcalc.writers.spec import to_spec
from tests.properties.networks import by_name, figures, spec, thorough


@settings(thorough, max_examples=150)
@given(architectures())
def test_a_spec_holds_every_figure(graph: Graph) -> None:
    note(spec(graph))
    # through text, as a file would hold it
    data = json.loads(json.dumps(to_spec(graph, fold=False)))
    again = archcalc.analyze(read_spec(data, "drawn"))
    assert by_name(again) == by_name(archcalc.analyze(graph))


@settings(thorough, max_examples=150)
@given(architectures())
def test_folding_into_blocks_keeps_every_figure(graph: Graph) -> None:
    note(spec(graph))
    again = archcalc.analyze(read_spec(json.loads(json.dumps(to_spec(graph))), "drawn"))
    assert Counter(map(figures, again.rows)) == Counter(map(figures, archcalc.analyze(graph).rows))


@settings(thorough, max_examples=60)
@given(architectures())
def test_a_live_model_has_the_figures_of_its_graph(graph: Graph) -> None:
    note(spec(graph))
    keras.backend.clear_session(free_memory=False)
    model = to_keras(graph, initializers="zeros")
    # Keras leaves out layers that do not lead to an output
    names = {from_keras_name(layer.name) for layer in model.layers}
    live = Counter(map(figures, archcalc.analyze(archcalc.from_keras(model)).rows))
    known = Counter(figures(row) for row in archcalc.analyze(graph).rows if row.name in names)
    shared_rows = Counter(figures(row) for row in archcalc.analyze(graph).rows if row.shared_with is not None)
    assert not known - live
    extra = live - known - shared_rows
    if any(type(node.layer).__name__ == "Masking" for node in graph.nodes):
        # Keras passes the mask on by operations of its own: not_equal, any, those of a merge
        extra = Counter({row: n for row, n in extra.items() if not row[0].startswith("ops.")})
    assert not extra
