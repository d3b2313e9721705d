"""The example networks that ship with archcalc: in the wheel, or next to the package in a checkout."""

from __future__ import annotations

from pathlib import Path

from archcalc.errors import ArchcalcError, did_you_mean


def folder() -> Path:
    """The folder of the examples.

    Raises `ArchcalcError` if this installation has none.
    """
    package = Path(__file__).parent.parent
    for place in (package / "examples", package.parent / "examples"):
        if place.is_dir():
            return place
    raise ArchcalcError("this installation has no examples; install archcalc from its wheel or checkout")


def available() -> dict[str, Path]:
    """Example files by name, in order of name."""
    return {path.stem: path for path in sorted(folder().glob("*.json"))}


def claims() -> dict[str, Path]:
    """Files of claims about the examples, by name."""
    return {path.stem: path for path in sorted(folder().glob("*.csv"))}


def path_of(name: str) -> Path:
    """The file of an example, or of claims about examples.

    Raises `ArchcalcError`, with the nearest names, if there is none of that name.
    """
    examples = available() | claims()
    path = examples.get(name.removesuffix(".json").removesuffix(".csv"))
    if path is None:
        hint = did_you_mean(name, examples, f"the examples are {', '.join(examples)}")
        raise ArchcalcError(f"no example is named {name!r}{hint}")
    return path


def text(name: str) -> str:
    """An example's text; raises `ArchcalcError` as `path_of` does."""
    return path_of(name).read_text(encoding="utf-8")
