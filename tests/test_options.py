"""Every option acts or refuses: for each kind of source, and for each format of output.

`ROWS` gives each option a value other than its default, and the options that a network needs for it to act.
A run with the option must differ from the run without it (output, files or exit code), or end with
exit code 2 and a reason.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from archcalc.analyze import analyze
from archcalc.cli import COMMANDS, main
from archcalc.graph import Graph
from archcalc.report.verification import Check, Verification

h5py = pytest.importorskip("h5py")

FORMATS = ("table", "json", "csv", "markdown", "latex")


class Row(NamedTuple):
    """An option with a value, after what must stand on the command line for it to act on `network`."""

    option: str
    value: str | None = None
    network: str = "plain"
    context: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()  # the kinds of sources that can act; all if empty

    def added(self) -> list[str]:
        return [self.option] if self.value is None else [self.option, self.value]


DROPOUTS = ("dropout", "dropout_1", "dropout_2", "dropout_3")  # equal rows in succession


# -- the networks, as each kind of source ------------------------------------------------------------
def _keras_layer(kind: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": kind, "config": {"name": name, **arguments}}


def keras_config(network: str, version: str) -> dict[str, Any]:
    axis = None if network == "open" else 16
    key = "batch_shape" if version.startswith("3") else "batch_input_shape"
    layers = [
        _keras_layer("InputLayer", "image", **{key: [None, axis, axis, 3], "dtype": "float32"}),
        _keras_layer("Activation", "conv_0", activation="exponential"),
        _keras_layer("Conv2D", "conv_a", filters=4, kernel_size=[3, 3], activation="relu"),
        _keras_layer("BatchNormalization", "conv_b"),
        *(_keras_layer("Dropout", name, rate=0.5) for name in DROPOUTS),
        _keras_layer("GlobalAveragePooling2D", "pool"),
        _keras_layer("Dense", "out", units=5, activation="softmax"),
    ]
    if network == "unknown":
        recorded = {"build_config": {"input_shape": [None, 14, 14, 4]}}
        mine = {"module": "mine", "registered_name": "mine>Mine"}
        layers[4] = _keras_layer("Mine", "mine") | mine | recorded
        layers[5] |= recorded
    config = {"name": "größe", "layers": layers}
    return {"class_name": "Sequential", "config": config, "keras_version": version}


def spec(network: str) -> dict[str, Any]:
    conv = {"type": "Conv2D", "filters": "w", "kernel_size": 3, "activation": "relu", "padding": "same"}
    layers: list[dict[str, Any]] = [
        {"name": "exp", "type": "Activation", "activation": "exponential"},
        {"name": "first", "block": "pair"},
        {"name": "second", "block": "pair"},
        {"name": "norm", "type": "BatchNormalization"},
        *({"name": name, "type": "Dropout", "rate": 0.5} for name in DROPOUTS),
        {"name": "gap", "type": "GlobalAveragePooling2D"},
        {"name": "out", "type": "Dense", "units": 5, "activation": "softmax"},
    ]
    if network == "unknown":
        layers[4] = {"name": "mine", "type": "Opaque", "output_shape": [14, 14, 4]}
    return {
        "archcalc": 1,
        "name": "größe",
        "symbols": {"w": {"default": 4, "max": 64}},
        "inputs": {"image": [16, 16, 3]},
        "blocks": {"pair": {"layers": [{"name": "a", **conv}, {"name": "b", **conv}]}},
        "layers": layers,
    }


def weights() -> bytes:
    """The file of weights of the plain network, as Keras writes it."""
    shapes: dict[str, list[tuple[int, ...]]] = {
        "conv_a": [(3, 3, 3, 4), (4,)],
        "conv_b": [(4,)] * 4,
        "out": [(4, 5), (5,)],
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, arrays in shapes.items():
            group = file.create_group(f"layers/{name}/vars")
            group.attrs["name"] = name
            for i, shape in enumerate(arrays):
                group.create_dataset(str(i), data=_filled(shape))
    return buffer.getvalue()


def _filled(shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.linspace(0.1, 0.9, int(np.prod(shape)), dtype="float32").reshape(shape)


KINDS = ("spec", "keras3", "keras2", "archive", "application")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """(kind, network) -> SOURCE."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    found: dict[tuple[str, str], str] = {}
    Path("classes.json").write_text(json.dumps({"Mine": {"type": "Dropout", "rate": 0.5}}))
    for network in ("plain", "open", "unknown"):
        for kind, data in (
            ("spec", spec(network)),
            ("keras3", keras_config(network, "3.15.0")),
            ("keras2", keras_config(network, "2.15.0")),
        ):
            found[kind, network] = f"{kind}_{network}.json"
            Path(found[kind, network]).write_text(json.dumps(data))
        found["archive", network] = f"{network}.keras"
        with zipfile.ZipFile(found["archive", network], "w") as archive:
            archive.writestr("config.json", json.dumps(keras_config(network, "3.15.0")))
            archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.0"}))
            archive.writestr("model.weights.h5", weights())
        found["application", network] = "keras:MobileNet"
    return found


# -- the options ---------------------------------------------------------------------------------------
_ACTUAL = ("--gradients", "--weights", "actual")
READING = [
    Row("--set", "SYMBOL=20", "open"),
    Row("--set", "SYMBOL=20", "plain"),
    Row("--set", "SYMBOL=null", "plain"),
    Row("--set", "NOWHERE=3", "open"),
    Row("--input-shape", "32,32,3"),
    Row("--input-shape", "32,32,3", "open"),
    Row("--input-shape", "H,W,3"),
    Row("--input-shape", "2,2,3"),
    Row("--allow-unknown", network="unknown"),
    Row("--as", "Mine=relu", "unknown"),
    Row("--shape", "mine=14,14,4", "unknown"),
    Row("--classes", "classes.json", "unknown"),
    Row("--max-layers", "1"),
]
SHOWING = [
    Row("--format", "csv"),
    Row("--output", "out.txt"),
    Row("--width", "50", context=("--format", "table")),
    Row("--color", "always", context=("--format", "table")),
    Row("--ascii", context=("--format", "table")),
]
ANALYZE = [
    *READING,
    *SHOWING,
    Row("--batch", "3"),
    Row("--dtype", "mixed_float16"),
    Row("--optimizer", "sgd"),
    Row("--ema"),
    Row("--accumulation"),
    Row("--checkpoint", "first", kinds=("spec",)),
    Row("--memory", "8GiB"),
    Row("--memory", "8"),
    Row("--convention", "torchinfo"),
    Row("--compare-conventions"),
    Row("--clipped"),
    Row("--gradients"),
    Row("--weights", "symbolic"),
    Row("--weights", "symbolic", context=("--gradients",)),
    Row("--weights", "actual"),
    Row("--weights", "actual", context=("--gradients",)),
    Row("--tier", "tight"),
    Row("--tier", "symbolic", context=_ACTUAL, kinds=("archive",)),
    Row("--tier", "tight", context=("--gradients",)),
    Row("--training"),
    Row("--training", context=("--gradients",)),
    Row("--input-range", "0:1"),
    Row("--input-range", "0:1", context=("--gradients",)),
    Row("--loss", "mean_squared_error"),
    Row("--loss", "mean_squared_error", context=("--gradients", "--input-range", "0:1")),
    Row("--plot", "plot.svg"),
    Row("--plot", "field=plot.svg"),
    Row("--plot", "memory=plot.svg"),
    Row("--depth", "1"),
    Row("--columns", "output,training"),
    Row("--sort", "macs"),
    Row("--top", "2"),
    Row("--unfolded", kinds=("spec", "keras3", "keras2", "archive")),  # the other has no equal rows
    Row("--fail-on", "info", "unknown", ("--allow-unknown",), kinds=("keras3", "keras2", "archive")),
    Row("--fail-on", "info", "unknown", kinds=("spec",)),
]
CONVERT = [
    *READING,
    Row("--output", "out.py"),
    Row("--to", "python"),
    Row("--keep-names", kinds=("application",)),  # the others have nothing to fold
    Row("--names", "names.json"),
]
VERIFY = [
    *READING,
    *SHOWING,
    Row("--sample", "1"),
    Row("--seed", "3"),
    Row("--gradients", "2"),
    Row("--plot", "plot.svg"),
    Row("--plot", "plot.svg", context=("--gradients", "2")),
    Row("--all", context=("--format", "table")),
]
_ELSEWHERE = tuple(
    Row(option, value)  # of the search, which has no source
    for option, value in (
        *(("--parameters", "448"), ("--receptive-field", "7"), ("--layers", "2"), ("--type", "Dense")),
        *(("--kernel-size", "3"), ("--input-channels", "3"), ("--filters", "16"), ("--input-size", "9")),
        *(("--bias", "no"), ("--groups", "2"), ("--implementation", "2"), ("--top", "3")),
    )
)
EXPLAIN = [
    *READING,
    *_ELSEWHERE,
    Row("--layer", "out", kinds=("spec", "keras3", "keras2", "archive")),
    Row("--format", "json"),
    Row("--output", "out.md"),
    Row("--ascii"),
]
AUDIT = [
    *READING,
    Row("--claims", "CLAIMS"),
    Row("--format", "json", context=("--claims", "CLAIMS")),
    Row("--output", "out.md", context=("--claims", "CLAIMS")),
    Row("--width", "50", context=("--claims", "CLAIMS")),
    Row("--ascii", context=("--claims", "CLAIMS")),
]
_FOR = ("--for", "SYMBOL=8:40", "--maximize", "parameters", "--format", "json")
_BYTES = (*_FOR, "--training-bytes-at-most", "1e12")
_OPEN = ("spec", "keras3")


def _budgets() -> Iterator[Row]:
    for option in options_of("solve"):
        if option.endswith(("-at-most", "-at-least")):
            yield Row(option, "1e12" if option.endswith("most") else "1", "open", _FOR, ("spec",))


def _solve() -> list[Row]:
    reading = [row._replace(context=(*row.context, *_FOR)) for row in READING]
    rows = [
        Row("--for", "SYMBOL=8:40", "open", ("--maximize", "parameters")),
        Row("--maximize", "parameters", "open", ("--for", "SYMBOL=8:40")),
        Row("--minimize", "parameters", "open", ("--for", "SYMBOL=8:40"), _OPEN),
        Row("--budget", "output_size<=1e6", "open", _FOR, _OPEN),
        Row("--let", "SYMBOL=2*phi", "open", ("--for", "phi=8:40", "--format", "json")),
        Row("--multiple-of", "SYMBOL=7", "open", _FOR, _OPEN),
        Row("--time-limit", "1e-9", "open", _FOR, _OPEN),
        *(Row(o, v, "open", c, _OPEN) for c in (_FOR, _BYTES) for o, v in _MEMORY),
        Row("--convention", "torchinfo", "open", _FOR, _OPEN),
        Row("--convention", "torchinfo", "open", (*_FOR, "--flops-at-most", "1e12"), _OPEN),
        Row("--format", "markdown", "open", _FOR[:4], _OPEN),
        Row("--output", "out.md", "open", _FOR[:4], _OPEN),
        Row("--width", "40", "open", (*_FOR[:4], "--macs-at-most", "1e12"), _OPEN),
        Row("--ascii", None, "open", _FOR, _OPEN),
    ]
    return [*reading, *rows, *_budgets()]


_MEMORY = (
    *(("--batch", "7"), ("--dtype", "float16"), ("--optimizer", "sgd"), ("--ema", None)),
    *(("--accumulation", None), ("--checkpoint", "first")),
)
_PAGE = ("--output", "page.html")
REPORT = [
    *(row._replace(context=(*row.context, *_PAGE)) for row in READING),
    Row("--output", "page.html"),
    *(
        Row(option, value, context=_PAGE)
        for option, value in (
            *(("--batch", "3"), ("--dtype", "mixed_float16"), ("--optimizer", "sgd"), ("--ema", None)),
            *(("--accumulation", None), ("--memory", "8GiB"), ("--convention", "torchinfo")),
            *(("--weights", "symbolic"), ("--weights", "actual"), ("--tier", "tight")),
            *(("--training", None), ("--input-range", "0:1"), ("--loss", "mean_squared_error")),
            *(("--image", "missing.png"), ("--verify", None)),
        )
    ),
    Row("--checkpoint", "first", context=_PAGE, kinds=("spec",)),
    Row("--loss", "mean_squared_error", context=(*_PAGE, "--input-range", "0:1")),
]


def options_of(command: str) -> list[str]:
    """The long name of every option of a command."""
    parsed = import_module(f"archcalc.cli.{command}").command
    return [p.opts[-1] for p in parsed.params if isinstance(p, click.Option)]


ROWS = {
    "analyze": ANALYZE,
    "audit": AUDIT,
    "convert": CONVERT,
    "explain": EXPLAIN,
    "report": REPORT,
    "solve": _solve(),
    "verify": VERIFY,
}


@pytest.mark.parametrize("command", ROWS)
def test_every_option_has_a_row(command: str) -> None:
    assert {row.option for row in ROWS[command]} == set(options_of(command))


def test_every_command_that_reads_a_source_has_rows() -> None:
    takes_source = [
        name
        for name in COMMANDS
        if any(p.name == "source" for p in import_module(f"archcalc.cli.{name}").command.params)
    ]
    assert set(takes_source) == set(ROWS)


class Outcome(NamedTuple):
    code: int
    out: str
    files: dict[str, bytes]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[Outcome, str]:
    before = set(Path().iterdir())
    code = main(arguments)
    out, err = capsys.readouterr()
    new = [p for p in Path().iterdir() if p not in before]
    files = {p.name: p.read_bytes() for p in new}
    for path in new:
        path.unlink()
    return Outcome(code, out, files), err


def _named(text: str, names: dict[str, str]) -> str:
    for placeholder, name in names.items():
        text = text.replace(placeholder, name)
    return text


def require_effect(command: str, source: str, row: Row, capsys: pytest.CaptureFixture[str]) -> None:
    symbol = "w" if source.startswith("spec") else "H"
    claims = [{"quantity": "parameters", "value": 7}, {"quantity": "macs", "value": 7}]
    Path("claims_of_another.json").write_text(json.dumps(claims))
    names = {"CLAIMS": "claims_of_another.json", "SYMBOL": symbol}
    context, added = ([_named(p, names) for p in part] for part in (row.context, row.added()))
    without, _ = run([command, source, *context], capsys)
    outcome, err = run([command, source, *context, *added], capsys)
    if outcome.code == 2:
        assert err.startswith("archcalc")
        assert len(err) > 20
    else:
        assert {outcome.code, without.code}.isdisjoint({3}), err
        assert outcome != without, f"{' '.join(added)} changed nothing"


def _cases(command: str) -> Iterator[Any]:
    for kind in KINDS:
        for row in ROWS[command]:
            if row.kinds and kind not in row.kinds:
                continue
            words = " ".join([*row.context, *row.added(), row.network])
            yield pytest.param(command, kind, row, id=f"{command}-{kind}-{words}")


@pytest.mark.parametrize(
    ("command", "kind", "row"),
    [*_cases("analyze"), *_cases("convert"), *_cases("explain"), *_cases("audit"), *_cases("solve")],
)
def test_acts_or_refuses(
    command: str,
    kind: str,
    row: Row,
    sources: dict[tuple[str, str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if command == "audit" and row.option in {r.option for r in READING}:
        row = row._replace(context=(*row.context, "--claims", "CLAIMS"))
    if command == "analyze" and "--format" not in (row.option, *row.context):
        row = row._replace(context=(*row.context, "--format", "json"))
    require_effect(command, sources[kind, row.network], row, capsys)


@pytest.mark.parametrize("kind", ["spec", "archive"])
@pytest.mark.parametrize("row", REPORT, ids=lambda row: " ".join([*row.added(), row.network]))
def test_a_page_is_another_or_refused(
    kind: str,
    row: Row,
    sources: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if row.kinds and kind not in row.kinds:
        return
    monkeypatch.setattr("archcalc.verification.verify.verify", lambda *_, **__: Verification("net", "", ()))
    monkeypatch.setattr("archcalc.cli.keras_quietly.import_quietly", str)
    require_effect("report", sources[kind, row.network], row, capsys)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "row",
    [r for r in ANALYZE if "--format" not in (r.option, *r.context) and (not r.kinds or "keras3" in r.kinds)],
    ids=lambda row: " ".join([*row.context, *row.added(), row.network]),
)
def test_acts_or_refuses_in_every_format(
    form: str, row: Row, sources: dict[tuple[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    row = row._replace(context=(*row.context, "--format", form))
    require_effect("analyze", sources["keras3", row.network], row, capsys)


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("row", [r for r in ANALYZE if r.option != "--compare-conventions"], ids=str)
def test_acts_or_refuses_beside_a_comparison(
    form: str, row: Row, sources: dict[tuple[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    if row.option in ("--format", "--output"):
        return
    row = row._replace(context=("--compare-conventions", "--format", form))
    require_effect("analyze", sources["keras3", row.network], row, capsys)


@pytest.mark.parametrize("kind", ["keras3", "spec"])
@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize("row", VERIFY, ids=lambda row: " ".join([*row.context, *row.added(), row.network]))
def test_what_verify_is_asked(
    kind: str,
    form: str,
    row: Row,
    sources: dict[tuple[str, str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without Keras: the checks say what `verify` was asked for, and figures of the graph it was given."""

    def recorded(graph: Graph, sample: Any, seed: int, *, gradients: int, progress: Any) -> Verification:
        assert progress is None or callable(progress)
        total = analyze(graph).totals.macs
        name, stated = "layer×" * 9, f"{sample} {seed} {gradients}"
        checks = tuple(Check("MACs", f"{name}{i}", str(total), stated, "agrees") for i in range(2))
        left_out = f"{sample}, {gradients}: {total}"
        return Verification("net", graph.source, checks, seed=seed, skipped=(left_out,))

    monkeypatch.setattr("archcalc.verification.verify.verify", recorded)
    monkeypatch.setattr("archcalc.cli.keras_quietly.import_quietly", str)
    if "--format" in row.context:
        row = row._replace(context=row.context[2:])
    if form == "table" and row.option in ("--seed", "--width", "--ascii"):
        row = row._replace(context=(*row.context, "--all"))  # what agrees is shown
    if row.option == "--format":
        row = row._replace(value="json" if form == "csv" else "csv")
    row = row._replace(context=(*row.context, "--format", form))
    require_effect("verify", sources[kind, row.network], row, capsys)
