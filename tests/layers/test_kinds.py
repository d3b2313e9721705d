"""Every kind of argument: its schema accepts the values that it accepts, and refuses the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from archcalc.errors import LayerError
from archcalc.layers.fields import FieldError, Kind, UntrackedKind
from archcalc.layers.inner import InnerKind
from archcalc.layers.registry import registered, registered_operations

NUMBERS: list[Any] = [-7, -2, -1, 0, 1, 2, 3, 5, 16]
VALUES: list[Any] = [
    *(None, True, False, -0.5, 0.25, 2.5, {}, {"class_name": "ReLU"}, {"type": "LSTM", "units": 4}),
    *NUMBERS,
    *([n] * k for n in (-1, 0, 1, 2) for k in range(5)),
    *([[n, 1]] * k for n in (0, 2) for k in range(1, 4)),
    *(
        [[1, 2, 3]],
        [[1], [2]],
        [None],
        [None, 2],
        [1, None],
        [True],
        [2.5],
        [1, 2.5],
        [-1, -1, 2],
        [0, 1],
        [1, -3],
    ),
    [{"type": "LSTMCell", "units": 4}],
    *([{"name": "k", "shape": shape}] for shape in ([], [2], [2, 3], 2)),
    *([{"name": name, "shape": [2], "trainable": flag}] for name in ("k", 5) for flag in (False, "yes")),
    *([{"name": "k"}], [{"shape": [2]}], [{"name": "k", "shape": [2], "size": 3}]),
]
WORDS = ["", "x", "...", "a->b", "ab,bc->ac", "ab", "same", "relu", "zeros"]
# kinds whose schemas only distinguish lists, numbers and strings, or leave the number of elements open
COARSE = {
    *("OperandKind", "KernelKind", "KeyKind", "IndicesKind", "RealsKind", "ActivationKind", "KeptShapeKind"),
    *("InnerKind", "EquationKind", "NamedKind", "MarginsKind", "ShapeKind", "ShapeOrSizeKind"),
    *("PartialShapeKind", "ExtentKind", "RepeatsKind", "GroupsKind", "NewShapeKind", "PaddingKind"),
}


def kinds() -> dict[str, tuple[Kind, int]]:
    """Every kind once, by its type, its arguments and the rank."""
    by_arguments = {}
    for name, cls in {**registered(), **registered_operations()}.items():
        for field, kind in cls.kinds.items():
            if not isinstance(kind, UntrackedKind):
                arguments = {k: v for k, v in vars(kind).items() if not callable(v)}
                by_arguments.setdefault(
                    f"{type(kind).__name__} {arguments} {cls.rank}", (f"{name}.{field}", kind, cls.rank)
                )
    return {where: (kind, rank) for where, kind, rank in by_arguments.values()}


KINDS = kinds()


def values(kind: Kind, schema: dict[str, Any]) -> Iterator[Any]:
    yield from VALUES
    if not kind.holds_sizes:  # else strings are expressions, which are parsed before
        yield from WORDS
        yield from (w for part in [schema, *schema.get("anyOf", [])] for w in part.get("enum", []))


def taken(kind: Kind, value: Any, rank: int) -> tuple[bool, Any]:
    try:
        return True, kind.normalise(value, rank)
    except (FieldError, LayerError):
        return False, None


@pytest.mark.parametrize("where", sorted(KINDS))
def test_the_schema_admits_what_is_taken(where: str) -> None:
    kind, rank = KINDS[where]
    schema = kind.schema(rank)
    validator = Draft202012Validator(schema)
    some = False
    for value in values(kind, schema):
        right, normal = taken(kind, value, rank)
        if value == [] and isinstance(kind, InnerKind):
            continue  # refused by the layer
        some = some or right
        if right:
            assert validator.is_valid(value), f"{value!r} is taken as {normal!r}"
            again, same = taken(kind, normal, rank)
            assert again, f"{value!r} becomes {normal!r}, which is refused"
            assert repr(same) == repr(normal)
        elif type(kind).__name__ not in COARSE:
            assert not validator.is_valid(value), f"{value!r} is refused"
    assert some
