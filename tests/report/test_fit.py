"""The largest batch that fits: one more does not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.analyze import analyze
from archcalc.arith.symbolic import symbol
from archcalc.arith.unknown import Unknown
from archcalc.cli import main
from archcalc.errors import ArchcalcError
from archcalc.report.options import bytes_of
from tests.networks import chain, conv_pair, made, residual


@given(st.integers(1, 5), st.integers(1, 3_000_000), st.sampled_from(["float32", "mixed_float16"]))
def test_one_sample_more_does_not_fit(batch: int, memory: int, dtype: str) -> None:
    graph = residual(8)
    spare = 1.2 if dtype == "float32" else 1.25
    result = analyze(graph, batch=batch, memory=memory, dtype=dtype).fit
    assert result is not None
    for room, whole in (
        (result.training, lambda t: t.training_bytes),
        (result.inference, lambda t: t.weight_bytes + t.peak_activation_bytes),
    ):
        largest = room.largest_batch
        assert isinstance(largest, int)
        assert room.bytes == whole(analyze(graph, batch=batch, dtype=dtype).totals)
        if largest:
            assert whole(analyze(graph, batch=largest, dtype=dtype).totals) * spare <= memory
        assert whole(analyze(graph, batch=largest + 1, dtype=dtype).totals) * spare > memory - 2


@pytest.mark.parametrize(
    ("amount", "bytes_"),
    [
        ("24GiB", 24 * 2**30),
        ("16 GB", 16 * 10**9),
        ("1.5g", 1_500_000_000),
        ("8kib", 8192),
        ("0.3KiB", 307),
        ("1000B", 1000),
        (77, 77),
        ("2TiB", 2**41),
        ("5 MB ", 5_000_000),
    ],
)
def test_amounts(amount: str | int, bytes_: int) -> None:
    assert bytes_of(amount) == bytes_


@pytest.mark.parametrize(
    "amount", ["", "GiB", "-1GiB", "1e9", "12 XB", "0", "0.0001B", 0, -3, True, 2.5, "٣GiB"]
)
def test_what_is_no_amount(amount: str | int) -> None:
    with pytest.raises(ArchcalcError, match="expected"):
        bytes_of(amount)


def test_symbols_and_unknown_layers_leave_it_open() -> None:
    result = analyze(conv_pair(symbol("H")), memory="1GiB").fit
    assert result is not None
    assert isinstance(result.training.largest_batch, Unknown)
    assert result.to_dict()["training"]["largest_batch"] is None
    graph = chain("x", (5, 2), ("lstm", made("LSTM", units=3)))
    result = analyze(graph, memory="1GiB").fit
    assert result is not None
    assert isinstance(result.inference.largest_batch, int)


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    source = "examples/vgg16.json"
    assert main(["analyze", source, "--memory", "4GiB", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)["fit"]
    assert result["memory_bytes"] == 2**32
    assert result["training"]["fits"] is True
    assert main(["analyze", source, "--memory", "4GiB"]) == 0
    batch = f"{result['training']['largest_batch']:,}"
    line = f"in 4.00 GiB, with 20% to spare: training: batch 1 fits, up to {batch}; inference: "
    assert line in " ".join(capsys.readouterr().out.split())
    assert main(["analyze", source, "--memory", "1kB"]) == 0
    assert "training: not even batch 1 fits" in capsys.readouterr().out
    asked = ["analyze", source, "--memory", "4GiB", "--batch", "5000"]
    assert main(asked) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert f"training: batch 5,000 does not fit, {batch} does; inference: batch 5,000 does not fit, " in words
    assert (
        f"more than 4.00 GiB; --batch {result['training']['largest_batch']} fits [training-memory]" in words
    )
    assert [main([*asked, "--fail-on", level]) for level in ("warning", "error")] == [1, 1]
    plain = ["analyze", "keras:VGG16", *asked[2:-1], batch]  # without claims, which are a finding
    assert main([*plain, "--fail-on", "info"]) == 0
    assert main(["analyze", source, "--memory", "much"]) == 2
    assert "expected an amount such as 24GiB" in capsys.readouterr().err
