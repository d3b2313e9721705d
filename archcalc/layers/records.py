"""Immutable classes of fields without generated code.

`dataclasses.dataclass` compiles several methods for each class, which for the layer types, primitives
and windows that an analysis imports takes longer than the analysis. Here the methods are written once,
on the base class, and `dataclass` only collects the fields; `dataclasses.fields` and `replace` work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform

R = TypeVar("R", bound="type[Record]")


class Record:
    """Base class; instances of one class with equal fields are equal."""

    _defaults: ClassVar[Mapping[str, Any]] = {}  # all fields in order, MISSING for those that are required
    _required: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *values: Any, **named: Any) -> None:
        fields, defaults, number = self.__dict__, self._defaults, len(values)
        if number < len(defaults):
            fields.update(defaults)
        fields.update(zip(defaults, values, strict=False))
        twice = False
        if named:
            fields.update(named)
            twice = bool(number) and not named.keys().isdisjoint([*defaults][:number])
        if len(fields) > len(defaults) or number > len(defaults) or twice:
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(defaults)}, each given once")
        for name in self._required[number:]:  # those without a default come first
            if fields[name] is MISSING:
                raise TypeError(f"{type(self).__name__} needs {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


@dataclass_transform(frozen_default=True)
def declared(cls: R) -> R:
    """Class decorator of a `Record` that declares fields."""
    collect(cls)
    return cls


def collect(cls: R) -> None:
    """Collect the fields of a class from its annotations and its parents."""
    dataclass(init=False, repr=False, eq=False)(cls)
    cls._defaults = {f.name: f.default for f in fields(cast(Any, cls))}
    cls._required = tuple(name for name, default in cls._defaults.items() if default is MISSING)
