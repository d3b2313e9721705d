"""Small networks as earlier Keras wrote them, a row for each form; parameters are counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.arith.unknown import Unknown
from archcalc.errors import SourceError

ROWS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("former_networks.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", ROWS)
def test_former_networks(name: str) -> None:
    row = ROWS[name]
    if row["parameters"] is None:
        with pytest.raises(SourceError) as caught:
            archcalc.load(row["config"])
        assert row["says"] in str(caught.value)
        return
    unknown = row.get("unknown", False)
    if unknown:
        with pytest.raises(SourceError, match=r"--allow-unknown|--shape"):
            archcalc.load(row["config"])
    report = archcalc.analyze(archcalc.load(row["config"], allow_unknown=unknown))
    assert report.totals.parameters == row["parameters"]
    assert not any(isinstance(n, Unknown) for n in report.rows[-1].output_shape) or name == "lam_tuple1"


def test_shapes_of_some() -> None:
    shapes = {
        "keras2_lambda_output_shape": (30, 30, 4),
        "keras2_lambda": (62, 62, 4),
        "integer_lookup": (3, 7),
        "lookup_int": (3,),
        "lookup_multi_hot": (5,),
        "k1_conv_th": (3,),
        "op_squeeze": (8,),
        "op_d2s": (16, 16, 1),
        "op_concat": (16,),
        "cudnn_bidir": (14,),
    }
    for name, shape in shapes.items():
        report = archcalc.analyze(archcalc.load(ROWS[name]["config"], allow_unknown=True))
        assert report.rows[-1].output_shape == shape, name


def test_a_tokenizer_is_no_network() -> None:
    for data in ({"class_name": "Tokenizer", "config": {"num_words": 100, "word_index": "{}"}},):
        with pytest.raises(SourceError, match="a Tokenizer, which holds a vocabulary and no network"):
            archcalc.load(data)
