"""Every layer type as a spec writes it: JSON arguments give the same layer, and the schema agrees."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Any, cast

import pytest
from jsonschema import Draft202012Validator

from archcalc import arith
from archcalc.errors import LayerError
from archcalc.layers.base import Layer
from archcalc.layers.registry import registered
from archcalc.readers.schema import schema
from archcalc.readers.spec.arguments import build
from archcalc.readers.spec.sizes import Sizes
from tests import contract
from tests.readers.specs import spec


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def cells(name: str) -> list[dict[str, Any]]:
    """Arguments of a type: every pair of values that the contract test varies."""
    cls = registered()[name]
    values = {}
    for f in dataclasses.fields(cast(Any, cls)):
        candidates = contract.candidates(cls, cls.spec_key(f.name))
        if candidates is not None:
            values[f.name] = candidates
    return [cell.arguments for cell in contract.cells(cls, values)]


def same(a: Any, b: Any) -> bool:
    return json.dumps(vars(a), default=str) == json.dumps(vars(b), default=str)


# what Keras lacks has no grid; tests/readers/test_spec.py reads an Opaque
TYPES = [n for n, row in sorted(contract.ROWS.items()) if row.keras and n != "InputLayer"]


@pytest.mark.parametrize("name", TYPES)
def test_json_arguments(name: str) -> None:
    cls = registered()[name]
    tried, entry = 0, {}
    of_type = validator().evolve(schema={"$ref": f"#/$defs/layer.{name}"})
    for arguments in cells(name):
        with arith.scope():
            try:
                direct = cls(**arguments)
            except LayerError:
                continue
            raw = json.loads(json.dumps({cls.spec_key(k): v for k, v in arguments.items()}))
            read = build(cls, raw, Sizes({}))
        assert isinstance(read, Layer), (raw, read)
        assert same(read, direct)
        entry = {"name": "a", "type": name, **raw}
        assert of_type.is_valid(entry), [e.message for e in of_type.iter_errors(entry)]
        tried += 1
    # in a whole spec, which tries the conditions of all types, the last one is enough
    assert tried
    assert validator().is_valid(spec(entry))
