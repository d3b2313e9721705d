"""What comes from data or names is text on the page, never markup."""

from __future__ import annotations

import pytest

from experiments.common import report
from experiments.common.summary import spread, written


def test_names_are_escaped() -> None:
    page = report.environment().from_string("<td>{{ name }}</td>").render(name="<script>alert(1)</script>")
    assert page == "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>"


def test_the_command_repeats_the_run_in_full() -> None:
    stored = {
        "config": {"profile": "full", "seed": 3, "seeds": 2},
        "source": "/data/cifar.tar.gz",
        "settings": ["epochs=2", "dataset=cifar10"],
    }
    assert report.command("fitting", stored) == (
        "python -m experiments run fitting --profile full --seed 3 --seeds 2 "
        "--data /data/cifar.tar.gz --set epochs=2 --set dataset=cifar10"
    )


def test_spread_is_the_sample_standard_deviation() -> None:
    assert spread([1.0, 2.0, 3.0]) == {
        "mean": 2.0,
        "standard_deviation": 1.0,
        "min": 1.0,
        "max": 3.0,
        "seeds": 3,
    }
    assert spread([0.5])["standard_deviation"] is None
    assert written([1.0, 2.0, 3.0]) == "2.000 ± 1.000"
    assert written([0.5]) == "0.500"


@pytest.mark.parametrize(("value", "text"), [(1234567, "1,234,567"), (None, "–"), ("H", "H"), (True, "True")])
def test_figures_are_grouped(value: object, text: str) -> None:
    assert report.grouped(value) == text
