"""What a person says of layers that archcalc has no rule for: `--as`, `--shape` and `--classes`.

They are data: names are compared with tables, and sizes are parsed by archcalc's own parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archcalc.errors import ArchcalcError, ExpressionError, LayerError
from archcalc.layers.activations import ACTIVATIONS
from archcalc.layers.registry import layer_type, type_names
from archcalc.readers.keras.classes import Rule, read_classes, shipped_rule
from archcalc.readers.names import did_you_mean, show

if TYPE_CHECKING:
    from archcalc.readers.keras.identify import Identity
    from archcalc.readers.keras.reading import Reading

AS, SHAPE, CLASSES = "--as (as_=)", "--shape (shapes=)", "--classes (classes=)"
IDENTITY = "identity"


@dataclass(frozen=True, eq=False, repr=False)
class Statements:
    """`types`: class -> layer type or activation; `shapes`: row -> sizes; `rules`: class -> rule."""

    types: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    file: str = ""  # that holds the rules

    @classmethod
    def of(cls, types: Any, shapes: Any, classes: Any) -> Statements:
        """What `load` was given; raises `ArchcalcError` for what means nothing."""
        if not types and not shapes and classes is None:
            return NONE
        rules, file = ({}, "") if classes is None else read_classes(classes)
        types = {_name(k, AS): _target(k, v) for k, v in _mapping(types, AS).items()}
        shapes = {_name(k, SHAPE): _shape(k, v) for k, v in _mapping(shapes, SHAPE).items()}
        twice = next((name for name in types if name in rules), None)
        if twice is not None:
            raise ArchcalcError(
                f"the class {show(twice)} stands in {AS} and in {file}; leave one of them out"
            )
        return cls(types, shapes, rules, file)

    def given(self) -> str:
        """The first option that was used; empty if none was."""
        return AS if self.types else SHAPE if self.shapes else CLASSES if self.rules else ""


NONE = Statements()


def _mapping(value: Any, option: str) -> Mapping[Any, Any]:
    if value is None or isinstance(value, Mapping):
        return value or {}
    raise ArchcalcError(f"{option}: expected a mapping, got {type(value).__name__}")


def _name(value: Any, option: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ArchcalcError(f"{option}: expected a name, got {show(value)}")
    return value


def _target(name: str, value: Any) -> str:
    """A layer type, or the name of an activation."""
    if not isinstance(value, str):
        raise ArchcalcError(f"{AS}: expected a layer type for {show(name)}, got {show(value)}")
    if value == IDENTITY or value in ACTIVATIONS:
        return value
    try:
        known = value != "InputLayer" and layer_type(value) is not None
    except LayerError as fault:
        raise ArchcalcError(f"{AS}: {fault}") from None
    if not known:
        known_names = [*(t for t in type_names() if not t.startswith("ops.")), *ACTIVATIONS, IDENTITY]
        hint = did_you_mean(value, known_names, "archcalc layers lists them")
        raise ArchcalcError(f"{AS}: {show(value)} is neither a layer type nor an activation{hint}")
    return value


def _shape(name: str, value: Any) -> tuple[int | str, ...]:
    if isinstance(value, list | tuple) and value and all(isinstance(n, str) or type(n) is int for n in value):
        return tuple(value)
    raise ArchcalcError(
        f"{SHAPE}: expected positive integers or expressions in symbols for {show(name)}, got {show(value)}"
    )


# -- what they mean in one file -----------------------------------------------------------------------
def meaning(identity: Identity, entry: Mapping[str, Any], reading: Reading) -> Identity:
    """What an unknown class is by a person's statement, or by a rule that ships; else what it was."""
    names = _names(entry)
    reading.foreign.update(dict.fromkeys(names))
    stated = reading.statements
    name = next((n for n in names if n in stated.types or n in stated.rules), None)
    if name is None:
        rule = shipped_rule(names[0]) or shipped_rule(f"{entry.get('module')}:{entry.get('class_name')}")
        return identity if rule is None else identity._replace(kind="described", rule=rule)
    reading.used.add(name)
    if name in stated.rules:
        return identity._replace(kind="described", rule=stated.rules[name])
    target, config = stated.types[name], entry.get("config")
    kept = config if isinstance(config, dict) else {}
    plain = {k: v for k, v in kept.items() if k in _OF_EVERY_LAYER}
    if target == IDENTITY or target in ACTIVATIONS:
        function = "linear" if target == IDENTITY else target
        return identity._replace(kind="layer", name="Activation", config={**plain, "activation": function})
    # the arguments of a Lambda are its code
    return identity._replace(kind="layer", name=target, config=plain if names[0] == "Lambda" else kept)


def class_named(entry: Mapping[str, Any], reading: Reading) -> str | None:
    """The class of a layer, if `--as` says what it is."""
    return next((n for n in _names(entry) if n in reading.used and n in reading.statements.types), None)


_OF_EVERY_LAYER = ("name", "trainable", "dtype")


def _names(entry: Mapping[str, Any]) -> list[str]:
    """The names of a class: as it is registered, as the file calls it, and without its package."""
    found = [entry.get("registered_name"), entry.get("class_name")]
    names = [n for n in found if isinstance(n, str) and n]
    return list(dict.fromkeys([*names, *(n.rpartition(">")[2] for n in names)]))


def stated_shape(name: str, path: str, reading: Reading) -> tuple[Any, ...] | None:
    """The sizes that `--shape` gives a row; None, with a fault noted if they are none."""
    from archcalc.arith.expressions import parse
    from archcalc.arith.symbolic import symbol

    stated = reading.statements.shapes.get(name)
    if stated is None:
        return None
    reading.used.add(name)
    symbols = {k: symbol(k) if v is None else v for k, v in reading.open_symbols.items()}
    sizes = []
    for text in stated:
        try:
            size = parse(text, symbols) if isinstance(text, str) else text
        except ExpressionError as fault:
            reading.fault(path, f"--shape {name}: {fault}")
            return None
        if isinstance(size, int) and not 0 < size <= MAX_SIZE:
            reading.fault(path, f"--shape {name}: expected a positive size, got {show(text)}")
            return None
        sizes.append(size)
    return tuple(sizes)


MAX_SIZE = 2**31


def check_used(reading: Reading) -> None:
    """Note every statement that nothing in the file uses."""
    stated, used = reading.statements, reading.used
    if stated is NONE or (reading.faults and not reading.foreign and not reading.functions):
        return
    others = len(reading.faults)
    for name in stated.types:
        if name not in used:
            reading.fault("", f"--as {show(name)}: {_nothing(name, reading)}")
    for name in stated.shapes:
        if name not in used:
            reading.fault("", f"--shape {show(name)}: {_no_row(name, reading)}")
    if stated.rules and used.isdisjoint(stated.rules):
        first = next(iter(stated.rules))
        reading.fault("", f"--classes {stated.file}: none of its classes is here: {_nothing(first, reading)}")
    reading.faults[:] = [*reading.faults[others:], *reading.faults[:others]]  # they may be the cause


def _nothing(name: str, reading: Reading) -> str:
    foreign = sorted({**reading.foreign, **reading.functions})
    otherwise = f"such classes here: {', '.join(foreign[:5])}" if foreign else "every class has a rule here"
    hint = did_you_mean(name, foreign, otherwise)
    return f"nothing without a rule is of the class {show(name)}{hint}"


def _no_row(name: str, reading: Reading) -> str:
    if name in reading.rows:
        return "this layer has a rule, which gives its shape"
    inside = next((row for row in reading.rows if row.endswith(f"/{name}")), None)
    hint = did_you_mean(name, reading.rows) if inside is None else f"; did you mean {inside!r}?"
    return f"no layer has this name{hint}"
