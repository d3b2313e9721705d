"""The command line: what goes to which stream, exit codes, files, formats, locales."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from archcalc.cli import COMMANDS, main
from archcalc.cli import options as cli_options
from archcalc.errors import NetworkError
from archcalc.render import screen

ROOT = Path(__file__).parents[1]
PAIR = {
    "archcalc": 1,
    "name": "conv_pair",
    "symbols": {"H": None},
    "inputs": {"image": ["H", "H", 3]},
    "layers": [
        {"name": "first", "type": "Conv2D", "filters": 16, "kernel_size": 3},
        {"name": "second", "type": "Conv2D", "filters": 32, "kernel_size": 3},
    ],
}
MYSTERY = {
    "archcalc": 1,
    "inputs": {"image": [8, 8, 3]},
    "layers": [{"name": "secret", "type": "Opaque", "output_shape": [8, 8, 4]}],
}


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A spec in the working directory, without any terminal's settings."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "LC_ALL", "LC_CTYPE", "ARCHCALC_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pair.json").write_text(json.dumps(PAIR))
    (tmp_path / "mystery.json").write_text(json.dumps(MYSTERY))
    return "pair.json"


def process(*arguments: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | more.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "archcalc", *arguments],
        env=environment,
        capture_output="stdout" not in more,
        timeout=60,
        **more,
    )


# -- analyze ---------------------------------------------------------------------------------------
def test_a_table_goes_to_stdout_and_nothing_else(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", pair, "--set", "H=32"]) == 0
    out, err = capsys.readouterr()
    assert "4,640" in out
    assert "5×5" in out
    assert "\x1b" not in out
    assert err == ""


def test_json_is_the_report(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", pair, "--set", "H=32", "--format", "json", "--batch", "4"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["totals"]["parameters"] == 5088
    assert report["model"]["source"] == "pair.json"
    assert report["conventions"]["batch"] == 4
    assert report["symbols"] == {"H": 32}


def test_clipped_fields_of_every_row(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["analyze", pair, "--set", "H=32", "--format", "json", "--clipped"])
    rows = json.loads(capsys.readouterr().out)["layers"]
    assert [row["receptive_field"]["clipped_size"] for row in rows] == [[1, 1], [3, 3], [5, 5]]


@pytest.mark.parametrize(
    ("form", "start"),
    [("csv", "name,type,"), ("markdown", "## conv\\_pair"), ("latex", "% \\usepackage"), ("json", "{\n")],
)
def test_formats(pair: str, form: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", pair, "--format", form]) == 0
    assert capsys.readouterr().out.startswith(start)


def test_the_file_name_says_the_format(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.json", "a.csv", "a.md", "a.tex", "a.txt"):
        assert main(["analyze", pair, "-o", name]) == 0
    assert json.loads(Path("a.json").read_text())["schema_version"] == 1
    assert Path("a.csv").read_text().startswith("name,")
    assert Path("a.md").read_text().startswith("## ")
    assert "tabular" in Path("a.tex").read_text()
    assert Path("a.txt").read_text().startswith(" conv_pair")
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("pair")
def test_standard_input() -> None:
    done = process("analyze", "-", "--format", "csv", input=json.dumps(PAIR).encode())
    assert done.returncode == 0
    assert b"second,Conv2D" in done.stdout


def test_findings_change_the_exit_code_only_if_asked(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "mystery.json"]) == 0
    assert main(["analyze", "mystery.json", "--fail-on", "error"]) == 0
    assert main(["analyze", "mystery.json", "--fail-on", "warning"]) == 1
    assert main(["analyze", "mystery.json", "--fail-on", "info"]) == 1
    assert main(["analyze", pair, "--fail-on", "info"]) == 0
    out, err = capsys.readouterr()
    assert len([line for line in out.splitlines() if line.startswith(" warning ")]) == 4
    assert err == ""


def test_depth_and_width(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["analyze", pair, "--width", "60"])
    narrow = capsys.readouterr().out
    main(["analyze", pair, "--width", "200"])
    wide = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= 60 < max(map(len, wide.splitlines()))


# -- bad usage and bad input: exit 2, one or two lines on stderr --------------------------------------
@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["analyze"], "archcalc analyze: missing argument 'SOURCE' (archcalc analyze --help)"),
        (["analyse", "x"], "no command is named 'analyse'; did you mean 'analyze'?"),
        (["zzz"], "no command is named 'zzz'; the commands are analyze, "),
        (["analyze", "pair.json", "--batc", "2"], "no such option"),
        (["analyze", "pair.json", "--batch", "0"], "'--batch'"),
        (["analyze", "pair.json", "--dtype", "float8"], "'float8' is not one of 'float32'"),
        (["analyze", "pair.json", "--optimizer", "x"], "'x' is not one of 'adam'"),
        (["analyze", "pair.json", "--set", "H"], "'H': expected NAME=VALUE, as in w=64"),
        (["analyze", "pair.json", "--set", "H=big"], "'big' is not an integer"),
        (["analyze", "pair.json", "--set", "H=-3"], "H = -3 must be at least 1"),
        (["analyze", "keras:VGG16", "--set", "H=256"], "no symbol is named 'H'; its inputs have fixed sizes"),
        (["analyze", "keras:VGG16", "--memory", "8"], "expected a unit after 8; 8GiB?"),
        (["analyze", "pair.json", "--tier", "tight"], "tier: for gradients only, which were not requested"),
        (["analyze", "pair.json", "--clipped"], "--clipped does not apply to table, only to json, csv"),
        (
            ["analyze", "pair.json", "-o", "x.md", "--width", "90"],
            "does not apply to markdown, only to table",
        ),
        (["analyze", "pair.json", "--compare-conventions", "--batch", "2"], "leave one of them out"),
        (["convert", "pair.json", "-o", "x.keras", "--keep-names"], "does not apply to a .keras archive"),
        (["analyze", "pair.json", "--set", "H=3"], "pair.json: $.layers[1]: layer 'second'"),
        (["analyze", "pair.json", "--set", "K=3"], "no symbol is named 'K'"),
        (["analyze", "pair.json", "--input-shape", "a b"], "expected positive integers or names"),
        (["analyze", "nowhere.json"], "nowhere.json: no such file"),
        (
            ["analyze", "vgg16"],
            "vgg16: no such file; did you mean keras:VGG16? An example has this name: archcalc examples copy",
        ),
        (["examples", "copy", "vgg"], "no example is named 'vgg'; did you mean 'vgg16'?"),
        (["analyze", "."], "archcalc: ."),
        (["analyze", "pair.json", "-o", "nowhere/x.json"], "cannot write nowhere/x.json: No such file"),
        (["analyze", "pair.json", "-o", "."], "cannot write .: Is a directory"),
        (["layers", "Conv2"], "no layer type is named 'Conv2'; did you mean 'Conv2D'"),
    ],
)
def test_one_line_that_helps(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert 1 <= len(err.splitlines()) <= 2
    assert "Traceback" not in err


@pytest.mark.usefixtures("pair")
def test_many_faults_are_cut_at_twenty(capsys: pytest.CaptureFixture[str]) -> None:
    layers = [{"name": f"l{i}", "type": "Conv2D", "filters": -i, "kernel_size": 3} for i in range(40)]
    Path("bad.json").write_text(json.dumps(PAIR | {"layers": layers}))
    assert main(["analyze", "bad.json"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert 20 <= len(lines) <= 22
    assert all("bad.json" in line for line in lines[:20])


@pytest.mark.usefixtures("pair")
def test_control_characters_of_a_file_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.json").write_text(json.dumps(PAIR | {"layers": [{"type": "\x1b[31mConv2D\u202e"}]}))
    assert main(["analyze", "bad.json"]) == 2
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err


def test_a_defect_says_so_and_how_to_see_more(
    pair: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("division by zero\n\nin the middle")

    monkeypatch.setattr("archcalc.cli.sources.read", broken)
    assert main(["analyze", pair]) == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 2
    assert "a defect in archcalc" in err
    assert "ZeroDivisionError: division by zero in the middle" in err
    assert "Traceback" not in err
    monkeypatch.setenv("ARCHCALC_DEBUG", "1")
    assert main(["analyze", pair]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_no_memory_is_the_input_s_fault(
    pair: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("archcalc.cli.sources.read", starved)
    assert main(["analyze", pair]) == 2
    assert "does not fit into memory" in capsys.readouterr().err


# -- streams -----------------------------------------------------------------------------------------
@pytest.mark.usefixtures("pair")
def test_a_closed_pipe_is_silent() -> None:
    layers = [{"name": f"l{i}", "type": "Conv2D", "filters": 3, "kernel_size": 1} for i in range(1000)]
    Path("long.json").write_text(json.dumps(PAIR | {"layers": layers}))
    read, write = os.pipe()
    os.close(read)
    for arguments in (["long.json"], ["long.json", "--format", "json"], ["--help"]):
        done = process("analyze", *arguments, stdout=write, stderr=subprocess.PIPE)
        assert done.returncode == 0
        assert done.stderr == b""
    os.close(write)


def test_a_full_disk_is_one_line(pair: str) -> None:
    with open("/dev/full", "wb") as full:
        done = process("analyze", pair, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"archcalc: cannot write to standard output: No space left on device\n"


def test_closed_standard_output(pair: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -m archcalc analyze {pair} >&-'],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"standard output" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.usefixtures("pair")
def test_interrupted_is_130_and_leaves_nothing() -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "archcalc", "analyze", "-", "-o", "out.json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # a shell makes its background jobs ignore it
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert started.stdin is not None
    assert started.stderr is not None
    before = set(os.listdir())
    started.stdin.write(b'{"archcalc": 1')
    started.stdin.flush()
    # once it has opened the reader it waits for the rest of the text
    deadline = time.monotonic() + 30
    while "archcalc/readers" not in _mapped(started.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
        if _waits_for_input(started.pid):
            break
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130
    assert b"Traceback" not in err
    assert set(os.listdir()) == before


def _mapped(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text() if Path(f"/proc/{pid}").exists() else ""


def _waits_for_input(pid: int) -> bool:
    """Whether the process is blocked in a read of standard input."""
    try:
        call, first, *_ = Path(f"/proc/{pid}/syscall").read_text().split()
    except (OSError, ValueError):
        return False
    return call == "0" and first == "0x0"


# -- files: whole or not at all ------------------------------------------------------------------------
def test_an_existing_file_is_replaced_with_its_mode(pair: str) -> None:
    target = Path("out.json")
    target.write_text("old")
    target.chmod(0o640)
    assert main(["analyze", pair, "-o", "out.json"]) == 0
    assert target.read_text().startswith("{")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_new_file_obeys_the_umask(pair: str) -> None:
    old = os.umask(0o027)
    try:
        main(["analyze", pair, "-o", "out.json"])
    finally:
        os.umask(old)
    assert stat.S_IMODE(Path("out.json").stat().st_mode) == 0o640


def test_a_link_stays_a_link(pair: str) -> None:
    Path("real.json").write_text("old")
    Path("link.json").symlink_to("real.json")
    main(["analyze", pair, "-o", "link.json"])
    assert Path("link.json").is_symlink()
    assert Path("real.json").read_text().startswith("{")


def test_a_failed_write_leaves_the_old_file(pair: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.json").write_text("old")

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fails)
    before = set(os.listdir())
    assert main(["analyze", pair, "-o", "out.json"]) == 2
    assert Path("out.json").read_text() == "old"
    assert set(os.listdir()) == before


def test_devices_are_written_to(pair: str) -> None:
    assert main(["analyze", pair, "-o", "/dev/null"]) == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


# -- terminals -----------------------------------------------------------------------------------------
@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}],
)
def test_poor_locales(environment: dict[str, str]) -> None:
    spec = PAIR | {"name": "größe 漢"}
    Path("names.json").write_text(json.dumps(spec))
    for form in ("table", "json", "csv", "markdown", "latex"):
        done = process("analyze", "names.json", "--format", form, env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        if form == "json":
            assert json.loads(done.stdout)["model"]["name"] == "größe 漢"
    table = process("analyze", "names.json", env=environment).stdout
    assert table.isascii()
    assert b"(H-4)x(H-4)x32" in table


@pytest.mark.parametrize(
    ("option", "environment", "terminal", "colored"),
    [
        ("auto", {}, False, False),
        ("auto", {}, True, True),
        ("always", {}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
    ],
)
def test_color(
    option: str,
    environment: dict[str, str],
    terminal: bool,
    colored: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    assert cli_options.wants_color(option, None) is colored
    assert cli_options.wants_color(option, "out.txt") is (
        colored if option == "always" or "FORCE_COLOR" in environment else False
    )


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "91")
    assert cli_options.chosen_width(None) == 91
    assert cli_options.chosen_width(66) == 66
    monkeypatch.setenv("COLUMNS", "3")
    assert cli_options.chosen_width(None) == screen.MIN_WIDTH
    monkeypatch.delenv("COLUMNS")
    assert process("analyze", "-", input=json.dumps(PAIR).encode()).stdout.decode().count("\n") > 10
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert cli_options.chosen_width(None) == 120


# -- the other commands ----------------------------------------------------------------------------------
def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        out = capsys.readouterr().out
        assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_as_the_list_says(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert f"archcalc {name}" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from archcalc import __version__

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"archcalc {__version__}\n"


def test_faults_that_show_only_in_the_analysis_name_the_file(
    pair: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise NetworkError([("a", "too wide"), ("b", "too deep")])

    # by the module, because `archcalc.analyze` is the function
    monkeypatch.setattr(importlib.import_module("archcalc.analyze"), "analyze", refuses)
    assert main(["analyze", pair]) == 2
    assert capsys.readouterr().err == (
        "archcalc: pair.json: layer 'a': too wide\narchcalc: pair.json: layer 'b': too deep\n"
    )


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].endswith("2020-12/schema")


@pytest.mark.usefixtures("pair")
def test_examples_are_listed_copied_and_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["examples"]) == 0
    out = capsys.readouterr().out
    assert "138,357,544 parameters" in out
    assert main(["examples", "copy", "vgg16"]) == 0
    assert capsys.readouterr() == ("", "vgg16.json written; next: archcalc analyze vgg16.json\n")
    assert Path("vgg16.json").read_text() == (ROOT / "examples" / "vgg16.json").read_text()
    assert main(["examples", "copy", "vgg16"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["examples", "copy", "vgg16", "--force"]) == 0
    assert main(["examples", "copy", "vgg16.json", "-o", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "vgg16"


def test_layers_lists_all_types_with_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    from archcalc.layers.registry import registered

    assert main(["layers", "--width", "100"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in registered())
    assert "C*filters*kernel_size**2/groups + filters" in out
    assert main(["layers", "conv2d", "--width", "100"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^  strides +1$", out, re.MULTILINE)
    assert re.search(r"^  filters +required$", out, re.MULTILINE)
    assert main(["layers", "--format", "json"]) == 0
    entries = {e["name"]: e for e in json.loads(capsys.readouterr().out)["layers"]}
    assert set(entries) == set(registered())
    assert entries["Dense"]["parameters"] == "C*units + units"
    assert main(["layers", "--format", "markdown"]) == 0
    assert "| Dense | core |" in capsys.readouterr().out


def test_layers_lists_the_operations_behind(capsys: pytest.CaptureFixture[str]) -> None:
    from archcalc.layers.registry import registered_operations

    assert main(["layers", "--width", "80"]) == 0
    out = capsys.readouterr().out
    words = set(out.split("operations of keras.ops")[1].split())
    assert set(registered_operations()) <= words
    assert max(map(len, out.splitlines())) <= 80
    assert main(["layers", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["operations"]
    assert {name for names in listed.values() for name in names} == set(registered_operations())
    assert "ops.matmul" in listed["contraction"]
    assert main(["layers", "--format", "markdown"]) == 0
    assert "| contraction | ops.dot, ops.einsum" in capsys.readouterr().out
