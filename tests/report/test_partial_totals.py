"""Totals of a network with unknown layers: what is known counts as "at least", and the others are named."""

from __future__ import annotations

import archcalc
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import AtLeast, Unknown
from archcalc.graph import Graph
from tests.networks import chain, conv_pair, made, with_unknown


def test_the_known_part_is_that_of_the_other_layers() -> None:
    totals = archcalc.analyze(with_unknown()).totals
    conv, last = 3 * 3 * 3 * 4 + 4, 4 * 2 + 2
    assert isinstance(totals.parameters, AtLeast)
    data = totals.to_dict()
    assert (data["parameters"], data["parameters_at_least"]) == (None, conv + last)
    assert data["macs_at_least"] == 6 * 6 * (3 * 3 * 3 * 4) + 6 * 6 * 4 * 2
    assert data["unknown_layers"] == list(totals.unknown_layers) == ["secret"]


def test_a_layer_after_an_unknown_size_counts_what_it_knows() -> None:
    channels = Unknown("the file leaves it open")
    graph = chain(
        "open",
        (8, 8, 3),
        ("secret", made("Opaque", stated_shape=(8, 8, channels), stated_weights=())),
        ("conv", made("Conv2D", filters=4, kernel_size=3)),
        ("frozen", made("Conv2D", filters=2, kernel_size=1, trainable=False)),
    )
    totals = archcalc.analyze(graph).totals
    assert totals.at_least["parameters_at_least"] == 4 + (4 * 2 + 2)  # conv's bias, all of the last layer
    assert totals.at_least["trainable_parameters_at_least"] == 4
    assert totals.unknown_layers == ("secret", "conv")


def test_nothing_is_added_where_all_is_known() -> None:
    totals = archcalc.analyze(conv_pair()).totals
    assert totals.at_least == {}
    assert not {"parameters_at_least", "unknown_layers"} & set(totals.to_dict())


def test_a_known_part_in_symbols() -> None:
    w = symbol("w")
    secret = ("secret", made("Opaque", stated_shape=(5,)))
    graph: Graph = chain("open", (3,), ("a", made("Dense", units=w)), secret)
    assert archcalc.analyze(graph).totals.to_dict()["parameters_at_least"] == "4*w"


def test_arithmetic_on_it_has_no_known_part() -> None:
    figure = AtLeast("why", 5, ("a",))
    for result in (figure + 1, 2 * figure, figure - figure):
        assert type(result) is Unknown
        assert result.reason == "why"


def test_a_comparison_of_conventions_states_the_known_part() -> None:
    data = archcalc.compare_conventions(with_unknown()).to_dict()
    ours = next(row for row in data["conventions"] if row["convention"] == "archcalc")
    assert (ours["flops"], ours["flops_at_least"]) == (None, 2 * 36 * (3 * 3 * 3 * 4 + 4 * 2))


def test_documents_state_it() -> None:
    report = archcalc.analyze(with_unknown())
    assert "**≥ 122**" in report.to_markdown()
    assert r"$\geq$ 122" in report.to_latex()
    assert "≥ 122" in report._repr_html_()
