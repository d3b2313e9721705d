"""Help shows examples that run; a slip of the pen is answered with what was meant."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from archcalc.cli import COMMANDS, main
from archcalc.cli.usage import EXAMPLES
from tests.shown import ROOT, Shown, run, terminal

# each example, with the exit code that these files give it
CODES = {"audit net.json --claims": 1, "lint net.json keras:MobileNetV2": 0, "diff old.json net.json": 1}
SPEC = """{"archcalc": 1, "inputs": {"image": [32, 32, 3]}, "symbols": {"n": 8},
"layers": [{"name": "conv1", "type": "Conv2D", "filters": "n", "kernel_size": 3, "activation": "relu"},
{"name": "pool", "type": "GlobalAveragePooling2D"}, {"name": "out", "type": "Dense", "units": 10}],
"claims": [{"quantity": "parameters", "layer": "conv1", "value": 224}]}"""


def write_files(folder: Path) -> None:
    """The files that the examples name."""
    (folder / "net.json").write_text(SPEC, encoding="utf-8")
    (folder / "old.json").write_text(SPEC.replace('"n": 8', '"n": 4'), encoding="utf-8")
    (folder / "ada.csv").write_text("quantity,layer,value\nparameters,conv1,216\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    terminal(monkeypatch, tmp_path)
    write_files(tmp_path)
    return tmp_path


def examples(*, heavy: bool) -> list[str]:
    lines = [f"{command} {line}".rstrip() for command, shown in EXAMPLES.items() for line, _ in shown]
    return [line for line in lines if Shown(f"archcalc {line}", 0, "").heavy == heavy]


@pytest.mark.parametrize("line", examples(heavy=False))
def test_examples_run(line: str) -> None:
    done = run(f"archcalc {line}")
    assert done.code == next((code for start, code in CODES.items() if line.startswith(start)), 0), done


@pytest.mark.keras
@pytest.mark.parametrize("line", examples(heavy=True))
def test_examples_with_keras_run(line: str) -> None:
    assert run(f"archcalc {line}").code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_examples_and_fits_a_terminal(command: str) -> None:
    shown = run(f"archcalc {command} --help").printed
    assert "\n  Examples:\n" in shown
    for line, _ in EXAMPLES[command]:
        assert f"archcalc {command} {line}".rstrip() in shown
    assert [line for line in shown.splitlines() if len(line) > 80] == []


def test_there_are_examples_of_commands_alone() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("analyze nte.json", "did you mean 'net.json'?"),
        ("analyze ./nte.json", "did you mean './net.json'?"),
        ("analyze ResNet50", "did you mean keras:ResNet50?"),
        ("analyze nowhere/at_all.json", "no such file"),
        ("analyse net.json", "did you mean 'analyze'?"),
        ("analyze net.json --batchsize 3", "Did you mean '--batch'?"),
        ("explain net.json --layer conv", "did you mean 'conv1'?"),
        ("rules AC1001", "did you mean"),
    ],
)
def test_what_was_meant(line: str, meant: str) -> None:
    done = run(f"archcalc {line}")
    assert done.code == 2
    assert meant in done.printed
    assert len(done.printed.splitlines()) <= 2


def test_derivations_fit_the_screen(folder: Path) -> None:
    shutil.copy(ROOT / "examples" / "local_pair.json", folder)
    for line in ("explain local_pair.json", "explain --parameters 448 --input-channels 3"):
        assert max(map(len, run(f"archcalc {line}").printed.splitlines())) <= 80


def test_a_list_of_examples_says_what_is_next_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["examples"])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    main(["examples"])
    assert "archcalc examples copy NAME" in capsys.readouterr().err


def test_a_written_file_is_named_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["analyze", "net.json", "-o", "table.md"])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    main(["analyze", "net.json", "-o", "table.md"])
    assert capsys.readouterr() == ("", "table.md written\n")


def test_names_of_any_script_are_ascii_on_request(folder: Path) -> None:
    (folder / "net.json").write_text(SPEC.replace("conv1", "لایه"), encoding="utf-8")
    (folder / "شبکه.json").write_text(SPEC.replace("conv1", "畳"), encoding="utf-8")
    space = "--over n=1:3 --figures parameters,output_size@لایه --maximize parameters"
    for line in (
        *("analyze net.json", "explain net.json", "audit net.json", "diff net.json شبکه.json"),
        *(f"sweep net.json {space}", "solve net.json --for n --maximize n --budget output_size@لایه<=31"),
    ):
        assert run(f"archcalc {line} --ascii").printed.isascii(), line
        shown = run(f"archcalc {line}").printed
        assert "\\u06" not in shown, line
        # figures after such a name are not turned round
        assert not re.search("(لایه|شبکه)[^\u200e]*[0-9]", shown), line


def test_a_persian_name_does_not_turn_its_row_round(folder: Path) -> None:
    name = "لایهٔ اول"
    (folder / "net.json").write_text(SPEC.replace("conv1", name), encoding="utf-8")
    row = next(
        line for line in run("archcalc analyze net.json").printed.splitlines() if f" \u200e{name}" in line
    )
    # the mark stands between the name and the figures, and at the beginning of the line
    assert row.removeprefix(" \u200e").startswith(f"{name}\u200e ")
    assert row.count("\u200e") == 2
    for form in ("json", "csv", "markdown"):
        assert "\u200e" not in run(f"archcalc analyze net.json --format {form}").printed
