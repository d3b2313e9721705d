"""A table that answers: columns, order, the largest rows, equal rows, the legend, the verdict as a list."""

from __future__ import annotations

import re
import subprocess
import sys
from math import inf
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.analyses.gradient_bounds.gradients import Gradient
from archcalc.analyses.mean_field.verdicts import factor
from archcalc.errors import ArchcalcError
from archcalc.graph.quantities import TABLE
from archcalc.render import text
from archcalc.render.columns import ORDER
from archcalc.render.summary import facts
from archcalc.render.text import ASCII, UNICODE
from archcalc.report.options import COLUMNS
from archcalc.report.rules import RULES
from tests.networks import chain, made

ROOT = Path(__file__).parents[2]


def convolutions(*filters: int, kernel: int = 3) -> archcalc.Report:
    layers = [
        (f"c{i}", made("Conv2D", filters=n, kernel_size=kernel, padding="same"))
        for i, n in enumerate(filters)
    ]
    return archcalc.analyze(chain("net", (8, 8, 4), *layers))


def names(report: archcalc.Report, **options: Any) -> list[str]:
    """The first word of every row of the table."""
    table = report.to_text(100, **options).split("─\n")[1].splitlines()
    return [line.split()[0] for line in table[:-1]]


def figures(report: archcalc.Report, column: str, **options: Any) -> list[int]:
    """A column of counts, with the total as the last."""
    shown = report.to_text(60, columns=(column,), **options).split("\n\n")[1]
    return [int(n.replace(",", "")) for n in re.findall(r" ([\d,]+)$", shown, re.MULTILINE)]


# -- columns --------------------------------------------------------------------------------------------
def test_columns_are_those_of_the_options() -> None:
    assert {c.key for c in ORDER} == {"layer", *COLUMNS}
    assert {q.column.lower() for q in TABLE if q.column} <= set(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_requested_column_is_shown_whatever_the_width(name: str) -> None:
    report = archcalc.analyze(chain("net", (8, 8, 4), ("c", made("Conv2D", filters=2, kernel_size=3))))
    heading = next(c.title for c in ORDER if c.key == name)
    for shown in (
        report.to_text(40, columns=name),
        report.to_markdown(columns=(name,)),
        report.to_latex(columns=name),
    ):
        assert heading in shown
        table = re.split(r"Total|Parameters +\d|Parameters:", shown)[0]
        assert "MACs" not in table or name == "macs"


def test_columns_keep_their_order() -> None:
    head = convolutions(2).to_text(80, columns="field,parameters,output").splitlines()[3]
    assert head.split() == ["Layer", "Field", "Parameters", "Output"]


def test_the_effective_field_is_computed_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("computed")

    monkeypatch.setattr("archcalc.report.columns.effective_fields", fail)
    assert "σ" not in convolutions(2).to_text(300)
    with pytest.raises(AssertionError, match="computed"):
        convolutions(2).to_text(300, columns="sigma")


def test_trainable_parameters_have_a_column_where_some_are_not() -> None:
    norm = ("n", made("BatchNormalization"))
    report = archcalc.analyze(chain("net", (8, 8, 4), norm))
    assert "Trainable" in report.to_text(200)
    assert figures(report, "trainable") == [0, 8, 8]
    assert "Trainable" not in convolutions(2).to_text(200)


def test_what_training_keeps_adds_up() -> None:
    report = convolutions(2, 3, 5)
    kept = [row.training_activation_bytes for row in report.rows]
    assert sum(kept) == report.totals.training_activation_bytes
    table = report.to_text(100, columns="training")
    assert all(text.amount(size) in table for size in kept)


def test_every_output_of_a_layer_is_shown() -> None:
    lstm = made("LSTM", units=6, return_sequences=True, return_state=True)
    report = archcalc.analyze(chain("net", (7, 4), ("lstm", lstm)))
    for shown in (report.to_text(80), report.to_markdown(), report._repr_html_()):
        assert "7×6, 6, 6" in shown
    assert r"$7 \times 6$, $6$, $6$" in report.to_latex()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("filters", f"columns: unknown column 'filters'; the columns are {', '.join(COLUMNS)}"),
        ("", "columns: expected names, each once, as in type,output"),
        ("macs,macs", "columns: expected names, each once, as in type,output"),
    ],
)
def test_columns_that_are_none(columns: str, message: str) -> None:
    with pytest.raises(ArchcalcError) as raised:
        convolutions(2).to_text(columns=columns)
    assert str(raised.value) == message


# -- order ----------------------------------------------------------------------------------------------
def test_the_largest_first() -> None:
    report = convolutions(2, 9, 5)
    assert names(report, sort="parameters") == ["c2", "c1", "c0", "image"]
    assert names(report, sort="activations") == ["c1", "c2", "image", "c0"]
    assert figures(report, "parameters", sort="parameters") == [410, 171, 74, 0, 655]


def test_the_ten_largest_and_the_others_add_up() -> None:
    report = convolutions(*range(1, 30))
    assert names(report, top=2, sort="macs") == ["c28", "c27", "(28"]
    shown = figures(report, "macs", top=10, sort="macs")
    assert len(shown) == 12
    assert sum(shown[:-1]) == shown[-1] == report.totals.macs
    # without a column to sort by: parameters; one row is not replaced by "1 others"
    assert names(report, top=1) == ["c28", "(29"]
    assert "(1 others)" not in report.to_text(top=29)


def test_an_unknown_figure_may_be_the_largest() -> None:
    opaque = ("o", made("Opaque", stated_shape=(8, 8, 4)))
    conv = ("c", made("Conv2D", filters=50, kernel_size=3))
    report = archcalc.analyze(chain("net", (8, 8, 4), conv, opaque))
    assert names(report, sort="parameters") == ["o", "c", "image"]


def test_symbols_cannot_be_sorted() -> None:
    report = archcalc.analyze("examples/conv_then_local.json")
    message = "^cannot sort by parameters, which depends on H; give values with --set$"
    with pytest.raises(ArchcalcError, match=message):
        report.to_text(sort="parameters")


# -- equal rows -----------------------------------------------------------------------------------------
def test_equal_rows_are_one() -> None:
    report = convolutions(4, 4, 4, 4, 5)
    assert names(report) == ["image", "c0..3", "c4"]
    assert "4 x Conv2D" in report.to_text(100)
    assert figures(report, "parameters") == [0, 4 * 148, 185, report.totals.parameters]
    assert names(report, unfolded=True) == ["image", *(f"c{i}" for i in range(5))]
    for shown in (report.to_markdown(), report._repr_html_(), report.to_latex()):
        assert "c0..3" in shown
    assert len(report.rows) == 6  # data holds every row
    assert report.to_csv().count("\n") == 7


def test_few_equal_rows_and_those_with_gradients_stay() -> None:
    assert names(convolutions(4, 4, 4)) == ["image", "c0", "c1", "c2"]
    graph = chain("net", (8,), *[(f"d{i}", made("Dense", units=8)) for i in range(6)])
    assert len(names(archcalc.analyze(graph, gradients=True))) == 7
    assert len(names(archcalc.analyze(graph))) == 2


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("body[2]/a", "body[11]/a", "body[2..11]/a"),
        ("conv9", "conv12", "conv9..12"),
        ("conv2d", "conv2d_3", "conv2d ... conv2d_3"),
        ("a1_b1", "a2_b2", "a1_b1 ... a2_b2"),
        ("start", "end", "start ... end"),
    ],
)
def test_names_of_equal_rows(first: str, last: str, shown: str) -> None:
    layers = [(name, made("Dense", units=8)) for name in (first, "x", "y", last)]
    report = archcalc.analyze(chain("net", (8,), *layers, ("out", made("Dense", units=2))))
    assert shown in report.to_text(100)


# -- the legend -----------------------------------------------------------------------------------------
def one_line(report: archcalc.Report, **options: Any) -> str:
    return " ".join(report.to_text(200, **options).split())


def test_the_legend_explains_what_is_shown_and_nothing_else() -> None:
    plain, ranged = one_line(convolutions(2)), one_line(archcalc.analyze("examples/unet.json"))
    gated = one_line(archcalc.analyze("keras:EfficientNetB0"), depth=1)
    words = {"by the position of the unit": ranged, "whole (9): all of it, 9 along the local path": gated}
    for phrase, where in words.items():
        assert [phrase in shown for shown in (plain, ranged, gated)] == [
            where is s for s in (plain, ranged, gated)
        ]
    graph = chain("net", (8,), ("a", made("Dense", units=8)), ("b", made("Dense", units=8)))
    bounded = one_line(archcalc.analyze(graph, gradients=True))
    assert " Gradient ≤ bound of the output's Jacobian" in bounded
    assert "≈ norm of the gradient here over that at the output" in bounded
    assert "no bound" not in bounded
    assert " Gradient " not in plain


def gradient(**figures: Any) -> Gradient:
    return Gradient(
        **{"local_log10": 0.0, "upper_log10": 0.0, "lower_log10": 0.0, "tier": "x", "formula": ""} | figures
    )


def test_no_bound_and_no_end() -> None:
    unbounded = gradient(upper_log10=None, cause="a division")
    assert text.gradient(unbounded) == "≤–"
    assert text.gradient(unbounded, ASCII) == "<=-"
    assert text.gradient(gradient(expected_log10=inf)) == "≈∞ ≤10^0.0"
    assert text.gradient(gradient(expected_log10=inf), ASCII) == "~inf <=10^0.0"
    assert text.gradient(gradient(expected_log10=-0.04)) == "≈10^0.0 ≤10^0.0"
    nodes = [
        ("x", made("InputLayer", shape=(4,)), []),
        ("d", made("Dense", units=4), ["x"]),
        ("square", made("Multiply"), ["d", "d"]),
        ("out", made("Dense", units=2), ["square"]),
    ]
    shown = archcalc.analyze(archcalc.Graph.of("net", nodes, ["out"]), gradients=True).to_text(200)
    assert "∞" not in shown
    assert "≤–: no bound" in shown


# -- the verdict ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("log10", "shown"),
    [
        (-2.1139, "1/130"), (0.38, "2.4"), (-0.5, "1/3.2"), (0, "1"), (1.95, "89"), (2.999, "1,000"),
        (5.5, "320,000"), (-48.13, "1/10^48.1"), (7.0, "10^7.0"), (None, "?"),
    ],
)  # fmt: skip
def test_factors(log10: float | None, shown: str) -> None:
    assert factor(log10) == shown


def test_the_verdict_is_a_list() -> None:
    layers = [(f"h{i}", made("Dense", units=64, activation="sigmoid")) for i in range(30)]
    report = archcalc.analyze(chain("deep", (64,), *layers, ("out", made("Dense", units=4))), gradients=True)
    (verdict,) = report.verdicts
    points = [(f.label, f.text) for f in facts(report, UNICODE)]
    points = points[[label for label, _ in points].index("Verdict") :]
    labels = [label for label, _ in points]
    assert labels == sorted(labels, key=["Verdict", "Cause", "Limits", "Remedies"].index)
    assert points[0][1].startswith("vanishing: the gradient's norm falls by a factor of 1/10^")
    assert points[1][1].startswith("'h")
    assert labels.count("Limits") == len(verdict.limits) > 0
    assert points[2][1].endswith(
        "unless the loss is scaled (keras.optimizers.LossScaleOptimizer), which mixed_float16 does"
    )
    assert labels.count("Remedies") == sum(r.verdict == "stable" for r in verdict.remedies) > 1
    assert verdict.message.startswith(verdict.diagnosis)
    assert all(text in verdict.message for _, text in points[1:])
    # one a line, the label before the first of them
    assert report.to_text(200).count(" Remedies ") == 1
    assert report.to_text(200).count("stable with") == labels.count("Remedies")


# -- findings -------------------------------------------------------------------------------------------
def test_every_rule_is_documented_and_used() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == set(RULES)
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "archcalc" / "report").glob("*.py"))
    used = set(re.findall(r'Finding\(\s*(?:rule=)?"([\w-]+)"', code))
    memory = {f"{use}-memory" for use in ("training", "inference")}
    assert used | memory == set(RULES)


def test_findings_name_their_rule() -> None:
    inputs = ("a", made("InputLayer", shape=(4,)), []), ("b", made("InputLayer", shape=(4,)), [])
    graph = archcalc.Graph.of("net", [*inputs, ("d", made("Dense", units=2), ["a"])], ["d"])
    report = archcalc.analyze(graph)
    assert report.to_text(200).count("[unread-input]") == 1
    assert report.to_markdown().count("(unread-input)") == 1


# -- everywhere ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("example", ["resnet50", "unet", "inception_resnet_a", "conv_then_local"])
def test_tables_fit(example: str, width: int, glyphs: text.Glyphs) -> None:
    report = archcalc.analyze(ROOT / "examples" / f"{example}.json", gradients=example != "unet")
    shown = report.to_text(width, ascii=glyphs is ASCII)
    assert max(map(len, shown.splitlines())) <= width
    assert shown.isascii() == (glyphs is ASCII)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_long_path_is_folded_and_none_of_it_is_lost(width: int, tmp_path: Path) -> None:
    path = tmp_path / "somewhere" / "beneath_the_folder_of_the_experiments" / "unet_as_it_was_published.json"
    path.parent.mkdir(parents=True)
    path.write_bytes((ROOT / "examples" / "unet.json").read_bytes())
    shown = archcalc.analyze(path).to_text(width).splitlines()
    assert max(map(len, shown[:3])) <= width  # the title and the path
    assert path.name in "".join(line.strip() for line in shown)


def test_a_process_without_unicode_prints_ascii() -> None:
    code = "import archcalc; print(archcalc.analyze('examples/vgg16.json'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "PATH": "/usr/bin"},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert b"224x224x3" in done.stdout
