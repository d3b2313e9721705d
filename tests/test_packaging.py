"""What a plain `pip install .` installs."""

from __future__ import annotations

import re
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import archcalc

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    from hatchling.builders.wheel import WheelBuilder

    (built,) = WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"]
    )
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_package_and_its_data(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"archcalc/py.typed", "archcalc/__init__.py", "archcalc/cli/__init__.py"} <= names
    for folder, inside in (("examples", "archcalc/examples"), ("archcalc/data", "archcalc/data")):
        held = {p.name for p in (ROOT / folder).iterdir() if p.is_file()}
        assert {f"{inside}/{name}" for name in held} <= names
    assert any(n.startswith("archcalc/examples/") and n.endswith(".json") for n in names)


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    rooms = {name.partition("/")[0] for name in wheel.namelist()}
    assert rooms == {"archcalc", f"archcalc-{archcalc.__version__}.dist-info"}
    assert not [n for n in wheel.namelist() if "__pycache__" in n or n.startswith("archcalc/tests")]


def test_the_command_and_the_licence_are_declared(wheel: zipfile.ZipFile) -> None:
    info = f"archcalc-{archcalc.__version__}.dist-info"
    assert "archcalc = archcalc.__main__:run" in wheel.read(f"{info}/entry_points.txt").decode()
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["License-Expression"] == "MIT"
    assert {"keras", "plots", "dask", "experiments", "testing", "dev"} <= set(
        metadata.get_all("Provides-Extra", [])
    )


def requirement_names(requirements: list[str]) -> set[str]:
    names = {re.split(r"[\[<>=!~; ]", r, maxsplit=1)[0].lower().replace("_", "-") for r in requirements}
    return names - {"archcalc"}


def test_every_requirement_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        assert requirement_names(group) <= pins.keys()


def test_the_light_core_stays_light() -> None:
    heavy = {"tensorflow", "keras", "tf-keras", "matplotlib", "scikit-learn", "distributed", "scipy"}
    assert not requirement_names(PROJECT["dependencies"]) & heavy


def test_version_is_stated_alike() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {archcalc.__version__}" in citation.splitlines()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    assert headings[:2] == ["Unreleased", archcalc.__version__]
