"""`audit`: verdicts, slips, follow-on errors, written arithmetic, a class at once, forms of the result."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.cli import main, shipped
from archcalc.errors import ArchcalcError, SourceError
from archcalc.graph.claims import Claim
from archcalc.review.audit import Audit, Checked, audit
from archcalc.review.sheets import Sheet
from archcalc.review.slips.catalogue import SLIPS

SIDE = 32
NET: dict[str, Any] = {
    "archcalc": 1,
    "name": "net",
    "inputs": {"image": [SIDE, SIDE, 3]},
    "layers": [
        {"name": "a", "type": "Conv2D", "filters": 16, "kernel_size": 3, "padding": "same", "strides": 2},
        {"name": "norm", "type": "BatchNormalization"},
        {"name": "b", "type": "Conv2D", "filters": 32, "kernel_size": 5, "groups": 4, "dilation_rate": 2},
        {"name": "c", "type": "DepthwiseConv2D", "kernel_size": 3},
        {"name": "pool", "type": "MaxPooling2D"},
        {"name": "flat", "type": "Flatten"},
        {"name": "out", "type": "Dense", "units": 10},
    ],
}


def audited(*claims: Claim, network: Any = NET, **more: Any) -> Audit:
    return audit(network, [Sheet("ada", "ada.csv", claims)], **more)


def one(*claims: Claim, network: Any = NET) -> Checked:
    """The first of the claims, checked."""
    return audited(*claims, network=network).checked[0]


def named(checked: Checked) -> set[str]:
    return {"+".join(sorted(c.slips)) for c in checked.causes.named}


# -- single slips, each by hand -------------------------------------------------------------------------
A = 3 * 3 * 3 * 16
B = 5 * 5 * 4 * 32
PLACES = 8 * 8  # of `b`: 16 - (2*4 + 1) + 1


@pytest.mark.parametrize(
    ("layer", "value", "slip"),
    [
        ("a", A, "bias_forgotten"),
        ("a", A + 1, "bias_once"),
        ("a", A + 16 * 16 * 16, "bias_per_position"),
        ("a", A + 3, "bias_of_inputs"),
        ("b", B + 32 * 4, "bias_per_input_channel"),
        ("b", B * 4 + 32, "groups_ignored"),
        ("b", 5 * 4 * 32 + 32, "kernel_one_axis"),
        ("b", 10 * 4 * 32 + 32, "kernel_added"),
        ("b", B * 32 + 32, "filters_twice"),
        ("b", 5 * 5 * 4 + 1, "filters_forgotten"),
        ("b", 5 * 5 * 4 * 8 + 32, "groups_twice"),
        ("b", B * PLACES + 32 * PLACES, "positions_multiplied"),
        ("b", 5 * 5 * 3 * 32 + 32, "image_channels"),
        ("b", 5 * 5 * 1 * 32 + 32, "channels_forgotten"),
        ("c", 3 * 3 * 32 * 32 + 32, "depthwise_ignored"),
        ("norm", 32, "statistics_left_out"),
        ("out", 32 * 10 + 10, "flatten_ignored"),
        ("out", 3 * 3 * 10 + 10, "flatten_without_channels"),
        ("out", 3 * 32 * 10 + 10, "flatten_one_axis"),
    ],
)
def test_slips_in_parameters(layer: str, value: int, slip: str) -> None:
    checked = one(Claim("parameters", value, (layer,)))
    assert checked.verdict == "wrong"
    assert slip in named(checked)


def total() -> int:
    return int(archcalc.analyze(NET).totals.parameters)


@pytest.mark.parametrize(
    ("claim", "slip"),
    [
        (Claim("parameters", total() - 16 - 32 - 32 - 10), "bias_forgotten"),
        (Claim("parameters", total() - B - 32), "layer_left_out"),
        (Claim("parameters", total() + B + 32), "layer_twice"),
        (Claim("parameters", total() - A - 16 - B - 32), "type_left_out"),
        (Claim("parameters", total() + 1000), "carry"),
        (Claim("parameters", total() * 10), "tenfold"),
        (Claim("trainable_parameters", total()), "statistics_trainable"),
        (Claim("weight_bytes", 2 * total()), "half_precision"),
        (Claim("weight_bytes", total()), "elements_as_bytes"),
        (Claim("macs", 2 * A * 16 * 16, ("a",)), "flops_as_macs"),
        (Claim("flops", A * 16 * 16, ("a",)), "macs_as_flops"),
        (Claim("macs", A * 32 * 32, ("a",)), "stride_ignored"),
        (Claim("macs", A * 15 * 15, ("a",)), "padding_ignored"),
        (Claim("macs", A, ("a",)), "positions_forgotten"),
        (Claim("macs", A * 16 * 16 + 16 * 16 * 16, ("a",)), "bias_in_macs"),
        (Claim("macs", A * 16, ("a",)), "positions_one_axis"),
        (Claim("macs", B * 12 * 12, ("b",)), "dilation_ignored"),
        (Claim("parameters", A + 16, ("a",), "filter"), "layer_as_filter"),
        (Claim("output_shape", (32, 32, 16), ("a",)), "stride_ignored"),
        (Claim("output_shape", (12, 12, 32), ("b",)), "dilation_ignored"),
        (Claim("output_shape", (8, 8, 16), ("b",)), "channels_kept"),
        (Claim("output_shape", (32, 8, 8), ("b",)), "channels_first"),
        (Claim("output_shape", (7, 7, 32), ("b",)), "plus_one_forgotten"),
        (Claim("output_shape", (3, 3, 32), ("flat",)), "layer_ignored"),
        (Claim("output_shape", (1, 10), ("out",)), "batch_axis"),
        (Claim("receptive_field", (5, 5), ("b",)), "kernel_as_field"),
        (Claim("receptive_field", (11, 11), ("b",)), "dilation_ignored"),
        (Claim("receptive_field", 3, ("b",)), "layer_too_few"),
        (Claim("receptive_field", (8, 8), ("b",)), "kernels_added"),
        (Claim("receptive_field", 15, ("b",)), "kernels_multiplied"),
        (Claim("receptive_field", 2, ("b",)), "step_as_field"),
    ],
    ids=str,
)
def test_other_slips(claim: Claim, slip: str) -> None:
    checked = one(claim)
    assert checked.verdict == "wrong"
    assert slip in named(checked), checked


SHARED = {
    "archcalc": 1,
    "inputs": {"x": [8, 8, 3], "y": [8, 8, 3]},
    "layers": [
        {"name": "a", "type": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same", "inputs": ["x"]},
        {"name": "t", "shared_with": "a", "inputs": ["y"]},
        {"name": "m", "type": "Concatenate", "inputs": ["a", "t"]},
        {"name": "end", "type": "Conv2D", "filters": 4, "kernel_size": 3},
    ],
}


def test_a_field_that_covers_the_image() -> None:
    """It may be stated with the padding, or as the image's size."""
    net = {
        "archcalc": 1,
        "inputs": {"x": [8, 8, 1]},
        "layers": [
            {"name": "a", "type": "Conv2D", "filters": 2, "kernel_size": 5, "padding": "same"},
            {"name": "flat", "type": "Flatten"},
            {"name": "out", "type": "Dense", "units": 2},
        ],
    }
    stated = [Claim("receptive_field", n, ("out",)) for n in (12, 8, (8, 8), 5)]
    verdicts = [c.verdict for c in audited(*stated, network=net).checked]
    assert verdicts == ["right", "right", "right", "wrong"]
    assert one(Claim("receptive_field", 8, ("a",)), network=net).verdict == "wrong"


def test_activations_in_another_precision() -> None:
    true = one(Claim("activation_bytes", 4 * 6 * 6 * 4, ("end",)), network=SHARED)
    assert true.verdict == "right"
    for each, slip in ((1, "elements_as_bytes"), (2, "half_precision"), (8, "double_precision")):
        wrong = Claim("activation_bytes", each * 6 * 6 * 4, ("end",))
        assert slip in named(one(wrong, network=SHARED))


def test_shared_weights_and_branches() -> None:
    assert "shared_twice" in named(one(Claim("parameters", 112, ("t",)), network=SHARED))
    assert "shared_twice" in named(one(Claim("parameters", 112 + 112 + 292), network=SHARED))
    assert "branch_channels" in named(one(Claim("parameters", 3 * 3 * 4 * 4 + 4, ("end",)), network=SHARED))
    assert "one_branch" in named(one(Claim("output_shape", (8, 8, 4), ("m",)), network=SHARED))


def test_recurrent_layers() -> None:
    layers = [{"name": "l", "type": "LSTM", "units": 20}, {"name": "g", "type": "Dense", "units": 3}]
    network = {"archcalc": 1, "inputs": {"x": [9, 8]}, "layers": layers}
    assert "gates_forgotten" in named(one(Claim("parameters", 20 * 28 + 20, ("l",)), network=network))
    assert "recurrence_forgotten" in named(
        one(Claim("parameters", 4 * (20 * 8 + 20), ("l",)), network=network)
    )


def test_a_pair() -> None:
    """Without biases, the filters twice."""
    assert named(one(Claim("parameters", B * 32, ("b",)))) >= {"bias_forgotten+filters_twice"}


def test_no_slip_is_invented() -> None:
    for value in (5, 99, 1234, 3229, 100_003):
        checked = one(Claim("parameters", value, ("b",)))
        assert checked.explanation == "no known slip"
    assert one(Claim("receptive_field", (4, 4), ("b",))).explanation == "no known slip"
    assert one(Claim("activation_bytes", 77)).explanation == "no known slip"


def test_the_catalogue() -> None:
    assert len(SLIPS) >= 30
    assert all(name.isidentifier() and slip.says for name, slip in SLIPS.items())
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert [name for name in SLIPS if f"`{name}`" not in page] == []


# -- verdicts --------------------------------------------------------------------------------------------
def test_right_claims() -> None:
    result = audited(
        Claim("parameters", A + 16, ("a",)),
        Claim("parameters", 101, ("b",), "filter"),
        Claim("parameters", total(), rounded_to=0),
        Claim("parameters", round(total(), -3), rounded_to=1000),
        Claim("output_shape", (16, 16, 16), ("a",)),
        Claim("receptive_field", 3, ("a",)),
        Claim("receptive_field", (3,), ("a",)),
        Claim("receptive_field_stride", 2, ("a",)),
        Claim("macs", float(A * 16 * 16), ("a",)),
        Claim("non_trainable_parameters", 32),
    )
    assert [c.verdict for c in result.checked] == ["right"] * 10
    assert result.agrees


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (Claim("parameters", 1, ("nobody",)), "no layer is named 'nobody'"),
        (Claim("parameters", 1, ("a", "b"), "layer"), "the layers differ"),
        (Claim("output_shape", (1,), ("a",), "filter"), "not a figure of a filter"),
        (Claim("peak_activation_bytes", 1, ("a",)), "only the whole network"),
    ],
)
def test_what_is_not_judged(claim: Claim, reason: str) -> None:
    checked = one(claim)
    assert checked.verdict == "not judged"
    assert reason in checked.explanation


OPEN = {
    "archcalc": 1,
    "symbols": {"H": {"default": None, "max": 99}},
    "inputs": {"x": ["H", "H", 3]},
    "layers": [{"name": "c", "type": "LocallyConnected2D", "filters": 4, "kernel_size": 3}],
}


def test_open_symbols() -> None:
    """A claim that holds for some sizes only is not judged; one that holds for none is wrong."""
    held = one(Claim("parameters", 112 * 5 * 5), network=OPEN)
    assert (held.verdict, "H = 7" in held.explanation) == ("not judged", True)
    none = one(Claim("parameters", 112 * 26 + 1), network=OPEN)
    assert (none.verdict, none.reason) == ("wrong", "no H up to 99 gives it")
    assert audited(Claim("parameters", 112 * 25), network=OPEN, symbols={"H": 7}).agrees


# -- follow-on errors ------------------------------------------------------------------------------------
def follows(*claims: Claim, network: Any = NET) -> tuple[int, ...]:
    """Which claims the last one follows from."""
    checked = audited(*claims, network=network).checked[-1]
    assert checked.verdict == "wrong"
    return () if checked.follow_on is None else checked.follow_on.claims


def test_follow_on_errors() -> None:
    wrong = Claim("parameters", 999, ("b",))
    assert follows(wrong, Claim("parameters", total() - B - 32 + 999)) == (1,)
    assert follows(wrong, Claim("parameters", total() - B - 32 + 998)) == ()
    two = Claim("parameters", 7, ("norm",))
    assert follows(wrong, two, Claim("parameters", total() - B - 32 - 64 + 999 + 7)) == (1, 2)
    assert follows(Claim("parameters", 50, ("b",), "filter"), Claim("parameters", 50 * 32, ("b",))) == (1,)
    assert follows(Claim("macs", 11, ("b",)), Claim("flops", 22, ("b",))) == (1,)
    assert follows(Claim("parameters", 10), Claim("weight_bytes", 40)) == (1,)
    shape = Claim("output_shape", (4, 4, 32), ("pool",))
    assert follows(shape, Claim("parameters", 4 * 4 * 32 * 10 + 10, ("out",))) == (1,)
    field = Claim("receptive_field", 5, ("a",))
    assert follows(field, Claim("receptive_field", 5 + 4 * 2 * 2, ("b",))) == (1,)


def test_a_fresh_error_is_told_from_a_follow_on() -> None:
    result = audited(
        Claim("parameters", B, ("b",)),
        Claim("parameters", total() - 32),
        Claim("parameters", A, ("a",)),
    )
    assert [c.follow_on is not None for c in result.checked] == [False, True, False]
    assert named(result.checked[2]) == {"bias_forgotten"}


# -- written arithmetic ------------------------------------------------------------------------------------
def test_written_arithmetic() -> None:
    misadded = one(Claim("parameters", 3322, ("b",), None, "5*5*4*32 + 32"))
    assert (misadded.written, misadded.slips) == (3232, ("written_mismatch",))
    both = one(Claim("parameters", 3210, ("b",), None, "5*5*4*32"))
    assert both.slips == ("written_mismatch", "bias_forgotten")
    assert "the written arithmetic gives 3,200; that is as if the biases were left out" in both.explanation


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3×3×3×16 + 16", 448),
        ("3 x 3 x 16 x 32 + 32", 4640),
        ("(3² · 3 + 1) · 16 = 448", 448),
        ("9,216 + 1,024", 10_240),
        ("۳*۳", 9),
        ("448 + 4640 \u2212 88", 5000),
    ],
)
def test_how_arithmetic_is_written(text: str, value: int) -> None:
    from archcalc.review.written import value_of

    assert value_of(text) == value


@pytest.mark.parametrize(
    "text", ["by hand", "", "__import__('os')", "9" * 600, "1/3", "a*b", "(" * 60, "2**9999"]
)
def test_what_is_no_arithmetic(text: str) -> None:
    from archcalc.review.written import value_of

    assert value_of(text) is None
    assert one(Claim("parameters", B, ("b",), None, text)).written is None


# -- a class at once -----------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.json").write_text(json.dumps(NET))
    head = "layer,quantity,value,written\n"
    for i in range(30):
        value = (A + 16, A, 777)[i % 3]
        Path(f"student{i:02}.csv").write_text(f"{head}a,parameters,{value},\n,parameters,{total()},\n")
    Path("student07.csv").write_bytes(b"layer;quantity;value\n\xff\xfe")
    return tmp_path


def run(*arguments: str) -> int:
    return main(["audit", "net.json", *arguments])


def test_a_class(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [part for path in sorted(folder.glob("student*.csv")) for part in ("--claims", path.name)]
    assert run(*files, "--format", "csv") == 1
    out, err = capsys.readouterr()
    assert err.count("student07.csv") == 1
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 29 * 2 + 1
    assert [r["student"] for r in rows if r["verdict"] == "could not be read"] == ["student07"]
    assert sum(r["slips"].startswith("bias_forgotten") for r in rows) == 9
    assert run(*files, "--format", "json") == 1
    data = json.loads(capsys.readouterr().out)
    assert data["verdicts"] == {"right": 29 + 10, "wrong": 19, "not judged": 0}
    assert data["slips"]["bias_forgotten"] == 9
    assert run(*files, "-o", "sheet.md") == 1
    sheet = Path("sheet.md").read_text(encoding="utf-8")
    assert "## Everybody" in sheet
    assert "| student07 | |" in sheet.replace("  ", " ")
    assert run(*files) == 1
    assert "student29: " in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_nothing_starts_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    bad = ['=cmd|"/C calc"!A1', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "%0A", "|x"]
    rows = [["student", "quantity", "value", "written", "note"]]
    rows += [[text, "parameters", "5", text, text] for text in bad]
    with Path("bad.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert run("--claims", "bad.csv", "--format", "csv") == 1
    for row in csv.reader(io.StringIO(capsys.readouterr().out)):
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "@", "\t", "|", "%")), cell
            assert not cell.startswith("-") or cell.lstrip("-").isdigit()


@pytest.mark.usefixtures("folder")
def test_the_result_in_other_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    result = audited(Claim("parameters", A, ("a",)), Claim("parameters", 5, ("<script>",)))
    assert "bias_forgotten" in json.dumps(result.to_dict())
    assert "<script>" not in result._repr_html_()
    assert "✗ 1. parameters of a: 432, in truth 448 (as if the biases were left out)" in str(result)
    assert "3 × 3 × 3 × 16 = 432" in str(result)
    assert result.to_markdown().startswith("# net\n")
    assert result.to_csv().count("\n") == 3


# -- the command ---------------------------------------------------------------------------------------
@pytest.mark.usefixtures("folder")
def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "there are no claims" in capsys.readouterr().err
    Path("right.json").write_text(json.dumps([{"quantity": "parameters", "value": total()}]))
    assert run("--claims", "right.json") == 0
    assert run("--claims", "student01.csv") == 1
    assert run("--claims", "student07.csv") == 2
    assert "not UTF-8" in capsys.readouterr().err
    assert run("--claims", "nowhere.csv") == 2


def test_claims_of_the_spec_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name, path in shipped.available().items():
        if archcalc.load(str(path)).claims:
            assert main(["audit", str(path)]) == 0, name
            capsys.readouterr()
            (finding,) = [f for f in archcalc.analyze(str(path)).findings if f.rule == "unchecked-claims"]
            assert "archcalc audit" in finding.suggestion


@pytest.mark.usefixtures("folder")
def test_from_python() -> None:
    sheets = archcalc.read_claims("student01.csv", "student02.csv")
    assert [s.student for s in sheets] == ["student01", "student02"]
    assert not archcalc.audit("net.json", sheets).agrees
    with pytest.raises(SourceError, match="not UTF-8"):
        archcalc.read_claims("student07.csv")
    with pytest.raises(ArchcalcError, match="no claims"):
        archcalc.audit("net.json")


@pytest.mark.usefixtures("folder")
def test_claims_about_other_networks_are_left_aside() -> None:
    Path("two.csv").write_text("network,quantity,value\nNET,macs,1\nother,macs,2\n,macs,3\n")
    (sheet,) = archcalc.read_claims("two.csv", network=archcalc.load("net.json"))
    assert ([c.value for c in sheet.claims], sheet.others) == ([1, 3], 1)


def test_claims_as_python_has_them(tmp_path: Path) -> None:
    """A list of dicts as in a spec, a file of it, and sheets: the same verdicts."""
    claims = [{"quantity": "parameters", "layer": "first", "value": 432}]
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(claims))
    network = shipped.text("conv_pair")
    graded = [
        archcalc.audit(json.loads(network), given).sheets[0].checked[0]
        for given in (claims, path, [str(path)], archcalc.read_claims(path))
    ]
    assert {c.verdict for c in graded} == {"wrong"}
    assert {c.truth for c in graded} == {448}
    with pytest.raises(archcalc.ArchcalcError, match=r"claims: \$\[0\]"):
        archcalc.audit(json.loads(network), [{"quantity": "parameters", "layer": "first"}])
