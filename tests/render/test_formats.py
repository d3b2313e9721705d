"""CSV, Markdown, LaTeX, HTML, JSON: exact figures, and nothing in a name is markup."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest

import archcalc
from archcalc.arith.symbolic import symbol
from archcalc.render.json import json_text
from archcalc.render.latex import escaped, latex
from tests.networks import chain, conv_pair, made, residual, with_unknown

EVIL = r'<b>|`*_[x](y)\$&%#{}~^"'


def evil_report() -> archcalc.Report:
    return archcalc.analyze(chain(EVIL, (4, 4, 3), (EVIL, made("Conv2D", filters=1, kernel_size=1))))


def test_csv_holds_every_figure() -> None:
    report = archcalc.analyze(residual())
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert [r["name"] for r in rows] == list(report.layers)
    assert sum(int(r["parameters"]) for r in rows) == report.totals.parameters
    assert sum(int(r["macs"]) for r in rows) == report.totals.macs
    last = rows[-1]
    assert last["output_shape"] == "8x8x4"
    assert last["inputs"] == "body/b stem"
    assert last["receptive_field_size"] == "5x5"
    assert last["receptive_field_global"] == "false false"
    assert rows[1]["receptive_field_clipped_size"] == ""


def test_csv_tells_unknown_from_nothing_and_zero() -> None:
    rows = {r["name"]: r for r in csv.DictReader(io.StringIO(archcalc.analyze(with_unknown()).to_csv()))}
    assert rows["secret"]["macs"] == "unknown"
    assert rows["image"]["macs"] == "0"
    assert rows["image"]["shared_with"] == ""
    assert rows["last"]["receptive_field_size"] == "unknownxunknown"


def test_csv_quotes_names() -> None:
    report = archcalc.analyze(chain("x", (4, 4, 3), ('a,"b"\nc', made("Conv2D", filters=1, kernel_size=1))))
    assert [r["name"] for r in csv.DictReader(io.StringIO(report.to_csv()))] == ["image", 'a,"b"\nc']


def test_markdown_table() -> None:
    text = archcalc.analyze(residual()).to_markdown(depth=1)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert table[1] == "| --- | --- | --- | ---: | ---: | --- |"
    assert "| body | 3 layers | 8×8×4 | 312 |" in text
    assert table[-1].startswith("| **Total** |  |  | **328** |")


def test_markdown_escapes() -> None:
    row = next(line for line in evil_report().to_markdown().splitlines() if "Conv2D" in line)
    unescaped = re.sub(r"\\([\\`*_{}\[\]<>#|~$&!])", "", row)
    assert not set(unescaped) & set("<>`*_[]\\")
    assert unescaped.count("|") == 7


def test_html_is_well_formed_and_escaped() -> None:
    html = evil_report()._repr_html_()
    root = ElementTree.fromstring(html.replace("&mdash;", "-"))
    assert EVIL in "".join(root.itertext())
    assert not root.findall(".//b")
    rows = root.findall(".//tbody/tr")
    assert [cell.text for cell in rows[1]][1:4] == ["Conv2D", "4×4×1", "4"]


def test_a_long_html_table_is_cut_and_says_so() -> None:
    layers = [(f"c{i}", made("Conv2D", filters=1 + i % 2, kernel_size=1)) for i in range(600)]
    html = archcalc.analyze(chain("long", (4, 4, 1), *layers))._repr_html_()
    assert html.count("<tr>") == 502
    assert "101 more rows" in html


def test_latex_of_numbers() -> None:
    text = archcalc.analyze(conv_pair()).to_latex()
    assert r"\begin{tabular}{lllrrl}" in text
    assert r"second & Conv2D & $28 \times 28 \times 32$ & 4,640 & 3,612,672 & 5$\times$5 \\" in text
    assert r"\textbf{Total} &  &  & 5,088 & 4,001,472 &  \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1


def test_latex_of_formulas() -> None:
    text = latex(archcalc.analyze(conv_pair(symbol("H"))))
    assert r"(H - 4)" in text.replace("H - 4)", "H - 4)")
    assert r"4608 H^{2} - 36864 H + 73728" in text
    assert "H is at least 5" in text


def test_latex_of_a_floor() -> None:
    graph = chain("x", (symbol("H"), 8, 3), ("pool", made("MaxPooling2D", pool_size=2)))
    assert r"\left\lfloor{\frac{H}{2}}\right\rfloor" in latex(archcalc.analyze(graph))


def test_long_latex_tables_break_across_pages() -> None:
    layers = [(f"c{i}", made("Conv2D", filters=1 + i % 2, kernel_size=1)) for i in range(60)]
    text = latex(archcalc.analyze(chain("long", (4, 4, 1), *layers)))
    assert r"\begin{longtable}" in text
    assert r"\begin{tabular}" not in text


@pytest.mark.parametrize("character", r"\~^&%$#_{}<>|")
def test_latex_escapes(character: str) -> None:
    assert escaped(character) != character
    assert character in r"\{}" or character not in re.sub(r"\\[~^&%$#_{}]", "", escaped(character))


def test_json_has_a_line_for_each_layer_and_round_trips() -> None:
    report = archcalc.analyze(residual())
    text = json_text(report.to_dict())
    assert json.loads(text) == json.loads(json.dumps(report.to_dict()))
    assert len([line for line in text.splitlines() if line.startswith('  {"name"')]) == len(report.rows)


def test_json_of_names_from_everywhere() -> None:
    assert '"größe"' in json_text({"name": "größe"})
    assert json_text({"name": "größe"}, ascii=True).isascii()
    assert json.loads(json_text({"name": "\ud800"}))["name"] == "\ud800"
    json_text({"name": "\ud800"}).encode("utf-8")


def test_json_refuses_what_json_has_no_word_for() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"x": float("inf")})
