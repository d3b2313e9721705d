"""The rules of the house that a program can check; each check is shown to see an offence."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from archcalc.layers.base import Layer
from archcalc.layers.registry import registered
from tests import dimension_lint, house, light

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "archcalc"
SOURCES = sorted(PACKAGE.rglob("*.py"))
# tables of plain numbers and names
TABLES = {"tables.py", "interpolation.py", "dtypes.py"}
LAYERS = sorted(p for p in (PACKAGE / "layers").rglob("*.py") if p.name not in TABLES)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


# -- dimensions -------------------------------------------------------------------------------
def size_fields() -> set[str]:
    """Names of the constructor arguments that hold sizes, over all layer types.

    A name that holds sizes in one family and a word in another (`padding`) is left out.
    """
    registered()
    found: set[str] = set()
    words: set[str] = set()
    families: list[type[Layer]] = [Layer]
    while families:
        cls = families.pop()
        families += cls.__subclasses__()
        if ".operations" in cls.__module__:  # which are loaded only where a test asks for them
            continue
        found |= {name for name, kind in cls.kinds.items() if kind.holds_sizes}
        words |= {name for name, kind in cls.kinds.items() if not kind.holds_sizes}
    return found - words


FIELDS = size_fields()
FUNCTIONS = dimension_lint.dimension_functions(map(parsed, [*LAYERS, PACKAGE / "arith" / "sizes.py"]))


def test_the_lint_knows_what_holds_sizes() -> None:
    assert {"filters", "kernel_size", "strides", "dilation_rate", "groups"} <= FIELDS
    assert {
        "prod",
        "ceil_div",
        "output_shape",
        "output_channels",
        "sides",
        "window_count",
    } <= FUNCTIONS
    assert not FIELDS & {"padding", "activation", "use_bias", "data_format"}


@pytest.mark.parametrize("path", LAYERS, ids=lambda p: str(p.relative_to(PACKAGE / "layers")))
def test_layer_rules_are_plain_arithmetic(path: Path) -> None:
    faults = dimension_lint.faults(parsed(path), FIELDS, FUNCTIONS)
    assert not faults, "\n".join(f"{path.relative_to(ROOT)}:{line}: {text}" for line, text in faults)


RULE = "def rule(self, x: Shape, n: Size, names: list[str], ranks: tuple[int, ...], *rows: Shape) -> Size:"


@pytest.mark.parametrize(
    ("offence", "body"),
    [
        ("compares a dimension", "return x[0] == x[1]"),
        ("compares a dimension", "return self.filters != 1"),
        ("compares a dimension", "return n in (1, 2)"),
        ("compares a dimension", "m = prod(x)\n    return m == 2"),
        ("compares a dimension", "side, *rest = x\n    return rest[0] == 2"),
        ("compares a dimension", "return [a for a, b in zip(x, names) if a == 1]"),
        ("compares a dimension", "return any(k != 1 for k in self.kernel_size)"),
        ("compares a dimension", "return rows[0] == rows[1]"),
        ("compares a dimension", "return [i for i, (a, b) in enumerate(zip(x, names)) if a == b]"),
        ("compares a dimension", "k: Size = helper(x)\n    return k == 1"),
        ("calls bool() on a dimension", "return bool(n // 2)"),
        ("calls any() on a dimension", "return any(x)"),
    ],
)
def test_the_lint_sees(offence: str, body: str) -> None:
    code = f"{RULE}\n    {body}\n"
    assert offence in [text for _, text in dimension_lint.faults(ast.parse(code), FIELDS, FUNCTIONS)]


@pytest.mark.parametrize(
    "body",
    [
        "return len(x) == 3",
        "return 1 if self.groups is None else self.groups",
        "return 1 if equal(n, 1) is False else 2",
        "return [b for a, b in zip(x, names) if b == 'kernel']",
        "return [a for i, a in enumerate(x) if i != 1]",
        "return n * int(self.use_bias)",
        "n = len(x)\n    return n == 2",
        "return any(equal(k, 1) is True for k in x)",
    ],
)
def test_the_lint_leaves_alone(body: str) -> None:
    code = f"{RULE}\n    {body}\n"
    assert not dimension_lint.faults(ast.parse(code), FIELDS, FUNCTIONS)


# -- text never becomes code ----------------------------------------------------------------------
# the parsers of sympy, and the ways of Python's own to run or unpickle what a file holds
RUNS_TEXT = {
    *("eval", "exec", "compile", "__import__", "sympify", "parse_expr", "parse_latex", "S"),
    *("subs", "lambdify", "literal_eval", "run_path", "run_module", "unsafe_load"),
}
RUNS_BYTES = {"pickle", "cPickle", "dill", "marshal", "shelve", "cloudpickle"}


def calls_that_run_text(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(name)) if name in RUNS_TEXT:
                found.append(f"{node.lineno}: {name}()")
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in RUNS_TEXT:
                # `re.compile` and a model's own `compile(optimizer=...)` compile no Python
                if name != "compile" or ast.unparse(owner) in {"builtins", "__builtins__"}:
                    found.append(f"{node.lineno}: .{name}()")
            case ast.Import(names):
                found += [f"{node.lineno}: import {a.name}" for a in names if a.name in RUNS_BYTES]
            case ast.ImportFrom(module=module) if module in RUNS_BYTES:
                found.append(f"{node.lineno}: from {module} import")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_text_is_run_as_code(path: Path) -> None:
    assert not calls_that_run_text(parsed(path))


@pytest.mark.parametrize(
    "code",
    [
        "eval(t)",
        "sympy.sympify(t)",
        "S(t)",
        "x.subs({'H': t})",
        "import pickle",
        "builtins.compile(t, '', 'eval')",
    ],
)
def test_running_text_is_seen(code: str) -> None:
    assert calls_that_run_text(ast.parse(code))


# -- files --------------------------------------------------------------------------------------
TEXT_SUFFIXES = {
    ".py",
    ".toml",
    ".txt",
    ".md",
    ".cff",
    ".yaml",
    ".yml",
    ".json",
    ".cfg",
    ".ini",
    ".html",
    ".js",
    "",
}
GENERATED = {".git", "build", "dist", "htmlcov", "runs", "node_modules", "__pycache__"}
# spelt in pieces, so that this file does not find itself
REGISTRY = re.compile(
    "|".join(
        (
            r"pypi\.(org|python)",
            r"python" + r"hosted\.org",
            r"npm" + r"js\.(org|com)",
            r"anaconda\." + r"org",
            r"(index|registry|find)[-_]" + r"(url|links)\s*[=:]",
            r"https?://\S+\." + r"(whl|tgz|tar\.gz|deb)",
        )
    ),
    re.IGNORECASE,
)


def text_files() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file()
        and path.suffix in TEXT_SUFFIXES
        and not any(
            part in GENERATED or part.endswith("_cache") or part.startswith(".venv")
            for part in path.relative_to(ROOT).parts
        )
        and path != Path(__file__)
    ]


def test_no_file_names_a_registry() -> None:
    files = text_files()
    assert {"Makefile", "constraints.txt", "pyproject.toml"} <= {p.name for p in files}
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if REGISTRY.search(line)
    ]
    assert not found


@pytest.mark.parametrize(
    "line", ["https://" + "pypi." + "org/simple", "--index-" + "url=x", "extra-index-" + "url: x"]
)
def test_a_registry_is_seen(line: str) -> None:
    assert REGISTRY.search(line)


def test_the_package_carries_its_type_marker() -> None:
    assert (PACKAGE / "py.typed").exists()


# -- import directions ----------------------------------------------------------------------------
def test_import_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


# imports that would close a circle, each with its reason in the map of CONTRIBUTING.md
VIEWS = "archcalc.render."
RETURNS = {
    ("archcalc.arith.symbolic", "archcalc.arith.to_sympy"),
    ("archcalc.readers", "archcalc.keras"),
    ("archcalc.readers.applications", "archcalc.keras.applications"),
    ("archcalc.readers.python_source", "archcalc.keras"),
    ("archcalc.report.values", "archcalc"),
}


def returning_imports(graph: house.Edges) -> set[tuple[str, str]]:
    """Those that go back up: results that load their own views, and the ones named above."""
    results = ("archcalc.report.", "archcalc.review.", "archcalc.design.", "archcalc.graph.graph")
    views = {(a, b) for a, targets in graph.items() if a.startswith(results) for b in targets}
    return RETURNS | {(a, b) for a, b in views if b.startswith(VIEWS)}


def test_no_module_imports_itself_through_others() -> None:
    graph = house.import_graph(PACKAGE)
    assert all(b in graph[a] for a, b in RETURNS)
    assert not house.cycles(house.without(graph, returning_imports(graph)))


@pytest.mark.parametrize("depth", [1, 2])
def test_no_room_imports_itself_through_others(depth: int) -> None:
    graph = house.import_graph(PACKAGE)
    assert not house.cycles(house.rooms(house.without(graph, returning_imports(graph)), depth))


def test_a_circle_is_seen() -> None:
    assert house.cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    tree = ast.parse("def f():\n    from pkg import b\nif TYPE_CHECKING:\n    import pkg.c\n")
    assert list(house.imports(tree, ["pkg", "pkg.b", "pkg.c"])) == ["pkg.b"]


def test_each_import_that_returns_is_explained() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for source, _ in RETURNS:
        assert source.removeprefix("archcalc.").replace(".", "/") in text


def test_few_files_stand_at_the_root() -> None:
    assert {p.name for p in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py", "analyze.py", "errors.py"}


def test_which_files_need_keras() -> None:
    needs = {
        name: light.needs(ROOT / "tests" / f"{name}.py") for name in ("test_contract", "arith/test_sizes")
    }
    assert needs == {"test_contract": "keras", "arith/test_sizes": None}
    assert (
        light.needs(ROOT / "tests" / "analyses" / "memory" / "test_peak.py") == "keras"
    )  # through `to_keras`


# -- length -----------------------------------------------------------------------------------------
LONGEST = 60  # lines of a function


@pytest.mark.parametrize("room", ["archcalc", "experiments"])
def test_functions_are_short(room: str) -> None:
    long = [
        f"{path.relative_to(ROOT)}:{line}: {name} has {length} lines"
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, name, length in house.functions(parsed(path))
        if length > LONGEST
    ]
    assert not long


def test_a_long_function_is_seen() -> None:
    code = "class A:\n    def f(self):\n" + "        pass\n" * 60
    assert list(house.functions(ast.parse(code))) == [(2, "f", 61)]


# -- names ----------------------------------------------------------------------------------------
# what these meant has a term of the field (docs/decisions.md, "Names")
PRIVATE_WORDS = {
    *("stages", "Stages", "Stage", "Mask", "Disturb", "Stop", "Factor", "Margin", "Local", "Enlarge"),
    *("Running", "Unspread", "Each", "Within", "Slide", "Portion", "passed", "single", "kept", "runs"),
    *("field_hulls", "field_flow", "field_maps", "field_reads", "field_figures", "stage_gains"),
    *("recurrent_gains", "surjective", "plain", "Room", "deadly", "positive", "words", "roads"),
    *("apart", "few", "uneven", "lean", "bent", "follows", "own", "among"),
}
# keys of published JSON
PUBLISHED = {("archcalc/report/comparison.py", "words")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_names_are_the_fields_terms(path: Path) -> None:
    file = str(path.relative_to(ROOT))
    private = [f"{line}: {name}" for line, name in house.names(parsed(path)) if name in PRIVATE_WORDS]
    private += [path.stem] if path.stem in PRIVATE_WORDS else []
    assert not [p for p in private if (file, p.rpartition(" ")[2]) not in PUBLISHED]


def test_a_private_word_is_seen() -> None:
    code = "class Mask:\n    few: int\n    def stages(self): self.lean = 1\n"
    assert {name for _, name in house.names(ast.parse(code))} == {"Mask", "few", "stages", "lean"}
