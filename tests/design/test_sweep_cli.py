"""`archcalc sweep` on the command line: what it shows, refuses and validates."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from archcalc.cli import main
from archcalc.cli.sweep import command

pytest.importorskip("pyarrow")

RESNET = str(Path("examples/resnet_depth_n.json").resolve())
SPACE = ("--over", "w=8:64:8", "--over", "n=2:6")
FRONT = ("--minimize", "parameters", "--maximize", "receptive_field")
MEMORY = ("--figures", "training_bytes,training_macs,flops")
# option -> what is added, what must stand before it to act
ROWS: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("--set", ("--set", "n=3"), ()),
    ("--set", ("--set", "v=3"), ()),
    ("--input-shape", ("--input-shape", "32,32,3"), ()),
    ("--allow-unknown", ("--allow-unknown",), ()),
    ("--as", ("--as", "Mine=relu"), ()),
    ("--shape", ("--shape", "conv=4,4,4"), ()),
    ("--classes", ("--classes", "none.json"), ()),
    ("--max-layers", ("--max-layers", "3"), ()),
    ("--over", ("--over", "w=3"), ()),
    ("--over", ("--over", "v=3"), ()),
    ("--let", ("--let", "n=4"), ()),
    ("--let", ("--let", "m=4"), ()),
    ("--figures", ("--figures", "flops"), ()),
    ("--where", ("--where", "macs < 1e8"), ()),
    ("--minimize", ("--minimize", "macs"), ()),
    ("--maximize", ("--maximize", "macs"), ()),
    ("--batch", ("--batch", "3"), ()),
    ("--batch", ("--batch", "3"), MEMORY),
    ("--dtype", ("--dtype", "float16"), ()),
    ("--dtype", ("--dtype", "float16"), MEMORY),
    ("--optimizer", ("--optimizer", "sgd"), ()),
    ("--optimizer", ("--optimizer", "sgd"), MEMORY),
    ("--ema", ("--ema",), ()),
    ("--ema", ("--ema",), MEMORY),
    ("--accumulation", ("--accumulation",), ()),
    ("--accumulation", ("--accumulation",), MEMORY),
    ("--checkpoint", ("--checkpoint", "half2"), ()),
    ("--checkpoint", ("--checkpoint", "half2"), MEMORY),
    ("--convention", ("--convention", "fvcore"), ()),
    ("--convention", ("--convention", "fvcore"), MEMORY),
    ("--limit", ("--limit", "3"), ()),
    ("--engine", ("--engine", "dask"), ()),
    ("--scheduler", ("--scheduler", "tcp://127.0.0.1:9"), ()),
    ("--output", ("--output", "out.csv"), ()),
    ("--output", ("--output", "out.xlsx"), ()),
    ("--resume", ("--resume",), ()),
    ("--plot", ("--plot", "plot.svg"), ()),
    ("--plot", ("--plot", "plot.svg"), FRONT[:2]),
    ("--plot", ("--plot", "plot.svg"), FRONT),
    ("--top", ("--top", "2"), ()),
    ("--top", ("--top", "2"), FRONT),
    ("--top", ("--top", "2"), (*FRONT, "--format", "json")),
    ("--format", ("--format", "json"), ()),
    ("--width", ("--width", "40"), ()),
    ("--width", ("--width", "40"), ("--format", "json")),
]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["sweep", RESNET, *SPACE, *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_every_option_has_a_row() -> None:
    named = {p.opts[-1] for p in command.params if isinstance(p, click.Option)}
    assert named - {"--ascii"} == {option for option, _, _ in ROWS}


@pytest.mark.parametrize(("option", "added", "before"), ROWS, ids=lambda part: " ".join(part))
def test_acts_or_refuses(
    option: str,  # names the case
    added: tuple[str, ...],
    before: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if before == MEMORY:
        before = (*before, "--over", "w=8,9", "--over", "n=2")
    space = SPACE if "--over" not in before else ()
    arguments = ["sweep", RESNET, *space, *before]
    main(arguments)
    without = capsys.readouterr().out
    code = main([*arguments, *added])
    out, err = capsys.readouterr()
    assert option == added[0] or option == "--output"
    if code == 2:
        assert err.startswith("archcalc")
        assert 20 < len(err) < 500
        assert err.count("\n") <= 2
    else:
        assert code == 0
        assert (out, sorted(p.name for p in tmp_path.iterdir())) != (without, []), f"{added} changed nothing"


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *FRONT, "--where", "parameters < 1e6", "--top", "3", "--width", "80")
    assert (code, err) == (0, "")
    assert (
        out
        == """\
resnet_depth_n.json: w = 8:64:8, n = 2:6
40 configurations
  26 left out: not parameters < 1e6
  14 selected

                       least      largest
  parameters          45,018      833,434
  macs             6,775,104  123,347,904
  receptive_field         53          165

Pareto front of least parameters, largest receptive_field: 5 configurations
  w  n  parameters        macs  receptive_field
  8  2      45,018   6,775,104               53
  8  4      94,522  13,852,992              109
  8  6     144,026  20,930,880              165
  3 of 5 shown (--top N shows more, --format json all)
"""
    )


def test_narrow_and_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *FRONT, "--width", "40", "--ascii")
    assert code == 0
    assert out.isascii()
    assert "  receptive_field  53\n" in out
    assert max(map(len, out.splitlines()[4:])) <= 75


def test_json_keeps_to_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    code, out, _ = run(capsys, *FRONT, "--where", "w > 8", "--format", "json")
    assert code == 0
    data = json.loads(out)
    assert main(["schema", "sweep"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema)
    assert data["configurations"] == data["selected"] + data["invalid"] + data["unmatched"] == 40
    assert len(data["front"]) == 5
    for name in data:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in data.items() if k != name}, schema)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--over", "w=1:1000000"), "w is given twice; list its values: w=1,2,5"),
        (("--over", "w"), "expected NAME=..., as in w=16:256:8"),
        (("--let", "3=w"), "expected NAME=..., as in f=4*w"),
        (
            ("--where", "parameters <"),
            "--where: expected a number, a symbol or '(' (column 13 of 'parameters <')",
        ),
        (("--minimize", "paramters"), "did you mean 'parameters'?"),
        (("--limit", "3"), "40 configurations (8 × 5), more than the limit of 3; nothing was computed"),
        (("-o", "nowhere/out.csv"), "cannot write nowhere/out.csv.part: No such file or directory"),
        (("--engine", "dask"), "needs --scheduler tcp://HOST:PORT"),
    ],
)
def test_faults(
    arguments: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") <= 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("pyarrow", ("-o", "out.parquet"), "sweep"),
        ("distributed", ("--engine", "dask", "--scheduler", "tcp://127.0.0.1:9"), "dask"),
        ("matplotlib.figure", (*FRONT, "--plot", "out.png"), "plots"),
    ],
)
def test_a_missing_extra(
    package: str,
    arguments: tuple[str, ...],
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert f"python -m pip install 'archcalc[{extra}]'" in err
    assert not list(tmp_path.iterdir())
