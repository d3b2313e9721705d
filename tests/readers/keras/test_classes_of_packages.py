"""Rules for classes that an installed package brings: the entry point group `archcalc.classes`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.errors import SourceError
from archcalc.readers.keras.classes import shipped
from tests.hostile.running import run_here

PACKAGES = Path(__file__).parents[2] / "packages"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    shipped.cache_clear()
    yield
    shipped.cache_clear()


def config(name: str, **arguments: Any) -> dict[str, Any]:
    package, _, name = name.rpartition(">")
    layer = {"class_name": name, "registered_name": f"{package}>{name}" if package else name}
    start = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 6, 4]}}
    layers = [start, {**layer, "module": package or None, "config": {"name": "mine", **arguments}}]
    return {
        "class_name": "Sequential", "keras_version": "3.15.0", "config": {"name": "m", "layers": layers}
    }  # fmt: skip


def test_rules_of_an_installed_package_are_used_and_its_code_is_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(PACKAGES / "rules"))
    report = archcalc.analyze(archcalc.load(config("ruled>Gain")))
    assert (report.totals.parameters, report.totals.elementwise_operations) == (4, 6 * 4)
    assert list(report.layers)[1:] == ["mine/gain", "mine/scaled"]
    assert "ruled" not in sys.modules


def test_what_the_rule_of_a_package_does_not_know_is_an_error_that_names_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(PACKAGES / "rules"))
    with pytest.raises(SourceError, match=r"Gain.*ruled.classes\.json.*does not know the argument 'size'"):
        archcalc.load(config("ruled>Gain", size=3))


def test_a_file_of_classes_that_a_person_names_comes_before_those_of_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(PACKAGES / "rules"))
    own = {"ruled>Gain": {"type": "Dense", "units": 3}}
    report = archcalc.analyze(archcalc.load(config("ruled>Gain"), classes=own))
    assert report.totals.parameters == 4 * 3 + 3


def test_without_the_package_its_class_has_no_rule() -> None:
    with pytest.raises(SourceError, match="not Keras's own"):
        archcalc.load(config("ruled>Gain"))


def test_a_faulty_file_of_a_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(PACKAGES / "faulty-rules"))
    source = tmp_path / "net.json"
    source.write_text(json.dumps(config("unruled>Mine")))
    ran = run_here(["analyze", str(source)])
    assert ran.code == 2
    assert re.search(r"unruled.classes\.json.*expected either \"type\" or \"layers\"", ran.err)
    assert len(ran.err.strip().splitlines()) <= 2
    assert "unruled" not in sys.modules


def test_a_package_with_an_entry_point_but_no_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gone-1.0.dist-info").mkdir()
    (tmp_path / "gone-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n"
    )
    (tmp_path / "gone-1.0.dist-info" / "entry_points.txt").write_text(
        "[archcalc.classes]\na = gone:classes.json\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SourceError, match="the package 'gone' of this entry point is missing"):
        archcalc.load(config("gone>Mine"))
