"""`archcalc lint`: settings, suppression, budgets, places in files, formats, exit codes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.cli import main
from archcalc.errors import ArchcalcError
from archcalc.review.lint.declare import conv, dense, layer, spec, trained
from archcalc.review.lint.positions import Positions, lines_of_objects
from archcalc.review.lint.settings import Settings, configuration

FAULTY = spec((8,), dense(16, "relu", name="hidden"), dense(1, "softmax", name="out"), **trained("mse"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, data: Any, indent: int | None = 1) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data, indent=indent), encoding="utf-8")
    return str(path)


def run(*arguments: str) -> int:
    return main(["lint", *arguments])


# -- settings ---------------------------------------------------------------------------------------------
def ids(*arguments: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    run(*arguments, "--format", "json")
    data = json.loads(capsys.readouterr().out)
    return {f["rule"] for s in data["sources"] for f in s["findings"]}


def test_select_and_ignore(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = write(folder / "net.json", FAULTY)
    everything = ids(net, capsys=capsys)
    assert {"AC101", "AC105"} <= everything
    assert ids(net, "--select", "AC1", capsys=capsys) == {id for id in everything if id.startswith("AC1")}
    assert ids(net, "--select", "softmax-of-one-unit,AC105", capsys=capsys) == {"AC101", "AC105"}
    assert ids(net, "--ignore", "AC101", capsys=capsys) == everything - {"AC101"}


def test_settings_by_globs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, large = write(folder / "small" / "a.json", FAULTY), write(folder / "large" / "b.json", FAULTY)
    (folder / "pyproject.toml").write_text(
        """
[tool.archcalc.lint]
ignore = ["AC5", {rule = "AC105", layers = ["o*"], reason = "a course on losses"}]
max-parameters = 1000000

[[tool.archcalc.lint.networks]]
files = ["small/*.json"]
max-parameters = 100
ignore = [{rule = "AC101", reason = "shown on purpose"}]
""",
        encoding="utf-8",
    )
    assert run(small, large, "--format", "json") == 1
    a, b = json.loads(capsys.readouterr().out)["sources"]
    assert {f["rule"] for f in a["findings"] if f["severity"] == "error"} == {"AC701"}
    assert {f["rule"]: f["reason"] for f in a["suppressed"]} == {
        "AC101": "shown on purpose",
        "AC105": "a course on losses",
    }
    assert {f["rule"] for f in b["findings"] if f["severity"] == "error"} == {"AC101"}
    assert not any(f["rule"].startswith("AC5") for f in b["findings"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max-parametres = 3", "unknown key 'max-parametres'; did you mean 'max-parameters'"),
        ("max-parameters = 'many'", "max-parameters: expected a whole number"),
        ("max-training-memory = '3'", "expected a unit after 3"),
        ("select = ['AC1000']", "no rule is named 'AC1000'"),
        ("ignore = [{rule = 'AC101'}]", "reason"),
        ("fail-on = 'never'", "expected one of info, warning, error"),
        ("labels = 'onehot'", "expected one of one_hot"),
        ("loss = 'msee'", "unknown loss 'msee'"),
        ("[[tool.archcalc.lint.networks]]\nmax-macs = 1", "needs files"),
        ("networks = 5", "needs files"),
        ("ignore = [{rule = 'AC101', reason = 'meant', layers = 'out'}]", "layers"),
        ("momentum = 1", "momentum: expected a number from 0 to below 1"),
        ("batch = 0", "]: batch: expected a positive integer"),
        ("max-macs = ", "not TOML"),
    ],
)
def test_faults_of_the_configuration(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.archcalc.lint]\n{text}\n", encoding="utf-8")
    assert run(write(folder / "net.json", FAULTY)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "pyproject.toml" in error
    assert error.count("\n") <= 2


def test_a_configuration_that_is_named_must_have_the_table(folder: Path) -> None:
    (folder / "other.toml").write_text("[tool.other]\n", encoding="utf-8")
    with pytest.raises(ArchcalcError, match=r"has no table \[tool.archcalc.lint\]"):
        configuration("other.toml")
    assert configuration().everywhere == Settings()


def test_a_spec_says_what_is_meant() -> None:
    ignore = [{"rule": "softmax-of-one-unit", "reason": "an example", "layers": ["out"]}]
    result = archcalc.lint({**FAULTY, "lint": {"ignore": ignore}})
    assert "AC101" not in {f.rule.id for f in result.findings}
    (meant,) = result.suppressed
    assert meant.suppression is not None
    assert meant.suppression.reason == "an example"
    for stale in ({"rule": "AC101", "layers": ["gone"]}, {"rule": "AC1000"}):
        with pytest.raises(ArchcalcError, match=r"no layer is named 'gone'|no rule is named 'AC1000'"):
            archcalc.lint({**FAULTY, "lint": {"ignore": [{**stale, "reason": "it was once"}]}})


# -- budgets ----------------------------------------------------------------------------------------------
NET = spec((16, 16, 3), conv(8, strides=2), conv(8), layer("GlobalAveragePooling2D"), dense(3))


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("parameters", lambda t: t.parameters),
        ("trainable-parameters", lambda t: t.trainable_parameters),
        ("macs", lambda t: t.macs),
        ("flops", lambda t: t.flops),
        ("weight-memory", lambda t: t.weight_bytes),
        ("activation-memory", lambda t: t.peak_activation_bytes),
        ("training-memory", lambda t: t.training_bytes),
        ("layers", lambda _: 4),
        ("receptive-field", lambda _: 7),  # 3, then 3 + 2*2
        ("stride", lambda _: 2),
    ],
)
def test_budgets_hold_to_the_last_unit(name: str, figure: Any) -> None:
    value = figure(archcalc.analyze(NET).totals)
    for end, within, beyond in (("max", value, value - 1), ("min", value, value + 1)):
        key = f"{end}_{name.replace('-', '_')}"
        assert "AC701" not in {f.rule.id for f in archcalc.lint(NET, **{key: within}).findings}
        assert "AC701" in {f.rule.id for f in archcalc.lint(NET, **{key: beyond}).findings}


def test_a_budget_that_cannot_be_checked_is_an_error() -> None:
    network = spec(("H", "H", 3), conv(8), symbols={"H": None})
    assert "AC702" in {f.rule.id for f in archcalc.lint(network, max_macs=10**9).findings}
    assert "AC702" not in {f.rule.id for f in archcalc.lint(network, max_parameters=10**9).findings}
    flat = archcalc.lint(spec((8,), dense(3)), min_receptive_field=5).findings
    assert "no layer has a feature map" in next(f.message for f in flat if f.rule.id == "AC702")


def test_a_small_budget_of_memory_is_shown_so_that_it_differs() -> None:
    need = archcalc.analyze(NET, batch=99).totals.training_bytes
    result = archcalc.lint(NET, batch=99, max_training_memory=need - 1)
    (found,) = (f for f in result.findings if f.rule.id == "AC701")
    assert found.message.startswith(f"a training step: {need:,} bytes, more than")


def test_budgets_on_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = write(folder / "net.json", NET)
    assert run(net, "--budget", "max-parameters=5e6") == 0
    assert run(net, "--budget", "max-parameters=5", "--budget", "max-training-memory=1GiB") == 1
    assert "parameters: 835, more than max-parameters=5" in capsys.readouterr().out
    assert run(net, "--budget", "max-params=5") == 2
    assert "max-parameters" in capsys.readouterr().err


# -- training ---------------------------------------------------------------------------------------------
def test_options_say_what_a_network_is_trained_with(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = write(folder / "net.json", spec((8,), dense(3, "softmax")))
    assert run(net, "--loss", "sparse_categorical_crossentropy", "--labels", "one_hot") == 1
    assert "AC112" in capsys.readouterr().out
    assert run(net, "--loss", "SparseCategoricalCrossentropy", "--labels", "integer") == 0
    assert run(net, "--labels", "one_hot", "--num-classes", "4", "--select", "AC111") == 1
    assert run(net, "--labels", "one_hot", "--num-classes", "3", "--select", "AC111") == 0
    assert run(net, "--optimizer", "adam", "--learning-rate", "5") == 1
    assert "for adam" in capsys.readouterr().out
    assert run(net, "--learning-rate", "5") == 1
    assert "learning_rate=5 is above 1" in capsys.readouterr().out
    assert run(net, "--optimizer", "adam", "--momentum", "0.9") == 2
    assert "adam has none" in capsys.readouterr().err


def test_a_loss_for_each_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heads = (dense(3, "softmax", name="class", inputs=["x"]), dense(1, "relu", name="size", inputs=["x"]))
    net = write(folder / "net.json", spec((8,), *heads, outputs=["class", "size"]))
    assert ids(net, "--loss", "categorical_crossentropy,mse", capsys=capsys) & {"AC102", "AC107"} == {"AC107"}
    assert run(net, "--loss", "mse,mse,mse") == 2
    assert "3 losses for 2 outputs" in capsys.readouterr().err


def test_a_softmax_over_one_unit_is_said_once() -> None:
    found = {f.rule.id for f in archcalc.lint(FAULTY).findings}
    assert "AC101" in found
    assert not found & {"AC203", "AC204"}


def test_an_option_takes_the_place_of_what_the_file_says(folder: Path) -> None:
    net = write(folder / "net.json", spec((8,), dense(1, "sigmoid"), **trained("mse")))
    assert run(net) == 1
    assert run(net, "--loss", "binary_crossentropy") == 0


# -- places -----------------------------------------------------------------------------------------------
def test_lines_of_a_spec_with_blocks() -> None:
    text = """{
 "archcalc": 1,
 "inputs": {"image": [8, 8, 3]},
 "blocks": {"b": {"layers": [
  {"name": "inner", "type": "ReLU"}
 ]}},
 "layers": [
  {"name": "first", "type": "ReLU"},
  {"name": "body", "block": "b", "repeat": 3},
  {"name": "a \\"quoted\\" name", "type": "ReLU"}
 ]
}"""
    place = Positions(text)
    lines = {"image": 3, "first": 8, "body[2]/inner": 5, "body": 9, 'a "quoted" name': 10, "absent": None}
    assert {name: place.line(name) for name in lines} == lines


def test_lines_of_a_nested_keras_configuration() -> None:
    dense_ = {"class_name": "Dense", "config": {"name": "d", "units": 3}}
    inner = {"class_name": "Sequential", "name": "encoder", "config": {"name": "encoder", "layers": [dense_]}}
    outer = {"class_name": "Functional", "config": {"name": "m", "layers": [inner, dense_]}}
    for data in (outer, {"modelTopology": {"model_config": outer}}):
        text = json.dumps(data, indent=1)
        numbers = [n for n, line in enumerate(text.split("\n"), 1) if '"class_name": "Dense"' in line]
        place = Positions(text)
        assert [place.line("encoder/d"), place.line("d")] == [n - 1 for n in numbers]


def test_every_object_has_the_line_on_which_it_begins() -> None:
    text = json.dumps({"a": [{"b": 1}, [], {"c": {"d": "}{,:"}}], "e": {}}, indent=2)
    lines = text.split("\n")
    for path, line in lines_of_objects(text).items():
        assert lines[line - 1].strip().lstrip('"acde: ')[0] in "[{", path


# -- formats ----------------------------------------------------------------------------------------------
def sarif_faults(log: Any) -> list[str]:
    """What SARIF 2.1.0 (OASIS, sections 3.13 to 3.28, 3.49) requires of what archcalc writes."""
    faults = []
    (run_,) = log["runs"]
    driver = run_["tool"]["driver"]
    rules = [rule["id"] for rule in driver["rules"]]
    if log["version"] != "2.1.0" or not driver["name"] or len(set(rules)) < len(rules):
        faults.append("log")
    for result in run_["results"]:
        level = result["level"] in ("none", "note", "warning", "error")
        index = rules[result["ruleIndex"]] == result["ruleId"]
        (location,) = result["locations"]
        region = location.get("physicalLocation", {}).get("region", {"startLine": 1})
        uri = location.get("physicalLocation", {}).get("artifactLocation", {}).get("uri", "x")
        named = all(logical["fullyQualifiedName"] for logical in location["logicalLocations"])
        if not (level and index and result["message"]["text"] and region["startLine"] >= 1 and named):
            faults.append(f"result {result}")
        if not uri or " " in uri or "\\" in uri:
            faults.append(f"uri {uri}")
    return faults


def test_sarif(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = write(folder / "a net.json", FAULTY)
    assert run(net, "keras:MobileNet", "--format", "sarif") == 1
    log = json.loads(capsys.readouterr().out)
    assert not sarif_faults(log)
    results = log["runs"][0]["results"]
    first = next(r for r in results if r["ruleId"] == "AC101")["locations"][0]
    line = first["physicalLocation"]["region"]["startLine"]
    assert '"out"' in "".join(Path(net).read_text(encoding="utf-8").split("\n")[line - 1 : line + 2])
    assert first["physicalLocation"]["artifactLocation"]["uri"] == "a%20net.json"
    logical = [r["locations"][0] for r in results if "keras:MobileNet" in json.dumps(r)]
    assert logical
    assert not any("physicalLocation" in each for each in logical)


def test_sarif_stays_within_the_limit_of_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = {"layers": [dense(8, "relu", name="a"), layer("LeakyReLU", name="b")]}
    body = {"name": "body", "block": "b", "repeat": 6000}
    many = spec((8,), body, dense(1, "softmax"), blocks={"b": block})
    net = write(folder / "net.json", many)
    assert run(net, "--select", "AC207,AC101", "--max-layers", "20000", "--format", "sarif") == 1
    log = json.loads(capsys.readouterr().out)
    assert len(log["runs"][0]["results"]) == 5000
    assert log["runs"][0]["results"][0]["ruleId"] == "AC101"  # the worst first
    assert "1,001 further results" in json.dumps(log["runs"][0]["invocations"])


def test_github(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = write(folder / "net.json", {**FAULTY, "name": "100 %"})
    run(net, "--format", "github", "--select", "AC101")
    out = capsys.readouterr().out
    assert out.startswith("::error file=net.json,line=")
    assert ",title=AC101 softmax-of-one-unit::out: softmax over one unit" in out
    assert out.count("\n") == 1


def test_junit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = write(folder / "net.json", FAULTY)
    clean = write(folder / "clean.json", spec((8,), dense(1)))
    run(net, clean, "--format", "junit", "--select", "AC1")
    suites = list(ElementTree.fromstring(capsys.readouterr().out))
    assert [suite.get("failures") for suite in suites] == ["2", "0"]
    assert [len(suite) for suite in suites] == [2, 1]


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif", "junit"])
def test_exit_codes_do_not_depend_on_the_format(folder: Path, form: str) -> None:
    net = write(folder / "net.json", FAULTY)
    notes = write(folder / "notes.json", spec((8,), dense(1)))
    assert run(net, "--format", form) == 1
    assert run(notes, "--format", form) == 0
    assert run(notes, "--format", form, "--fail-on", "info") == 1
    assert run(net, "--format", form, "--select", "AC105", "--fail-on", "error") == 0
    assert run("absent.json", "--format", form) == 2


def test_text_shows_few_of_many(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [(dense(8, "relu", name=f"d{i}"), layer("ReLU", name=f"r{i}")) for i in range(6)]
    layers = [each for pair in pairs for each in pair]
    run(write(folder / "net.json", spec((8,), *layers)), "--select", "AC207")
    out = capsys.readouterr().out
    assert "3 more of AC207" in out
    assert out.count("[activation-without-effect]") == 3
    assert out.endswith("1 network: 6 warnings; archcalc rules ID explains a rule\n")


def test_the_python_function_refuses_unknown_words() -> None:
    with pytest.raises(ArchcalcError, match="did you mean 'learning-rate'"):
        archcalc.lint(FAULTY, learning_rat=1)


def test_rules_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "AC105"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("AC105 distance-on-probabilities (warning)")
    assert "How sure:" in page
    assert "Mended:" in page
    assert main(["rules", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rules"]) >= 30
    assert main(["rules", "AC105x"]) == 2
