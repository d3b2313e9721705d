"""Plants mistakes in archcalc's rules and checks whether a test notices (docs/evidence/mutation-testing.md).

    python -m scripts.mutate --planted                       domain mistakes, one by one
    python -m scripts.mutate --general 500 --seed 0 --suite  general mutants, survivors listed

Real Keras and brute force run once (`--oracle FILE` stores their figures for the next run); each
mutant then runs in a forked child. The working tree is not changed.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from tests.mutations import oracles
from tests.mutations.general import sample
from tests.mutations.mutants import ROOT, LostError, Mutant, in_child, preload
from tests.mutations.planted import PLANTED
from tests.mutations.reach import Position, following, function_of

GRADIENTS = ("mean_field/", "gradient_bounds/", "initial")
# tests of what a single layer does to gradients
OF_PRIMITIVES = [
    *("tests/keras/test_layer_bounds.py", "tests/layers/test_slopes.py", "tests/layers/test_primitives.py"),
    *(
        "tests/analyses/gradient_bounds/test_products.py",
        "tests/analyses/gradient_bounds/test_primitive_bounds.py",
    ),
]
OF_GRADIENTS = [
    *(
        *OF_PRIMITIVES,
        "tests/analyses/test_initial.py",
        *(
            f"tests/analyses/gradient_bounds/test_{n}.py"
            for n in ("terms", "linear_maps", "losses", "value_ranges", "weight_norms")
        ),
    ),
    *(
        f"tests/analyses/mean_field/test_{n}.py"
        for n in ("expectation", "gaussian", "maps", "remedies", "samples", "verdicts")
    ),
    *(f"tests/keras/test_{n}.py" for n in ("tightness", "jacobians", "weight_gradients", "gradients")),
    "tests/properties/test_gradient_soundness.py",
]
# by the beginning of a file's path: tests that compare its rules with Keras, brute force, measured
# gradients or sums by hand; none compares stored output
SUITES = {
    tuple(f"archcalc/analyses/{name}" for name in GRADIENTS): OF_GRADIENTS,
    ("archcalc/analyses/",): [
        *(f"tests/analyses/test_{n}.py" for n in ("shapes", "parameters", "work")),
        *(f"tests/analyses/memory/test_{n}.py" for n in ("memory", "peak")),
        "tests/analyses/fields/test_known_fields.py",
        *("tests/report/test_report.py", "tests/analyses/fields/test_effective_field.py"),
        *("tests/analyses/memory/test_backward.py", "tests/analyses/fields/test_clipping.py"),
        *("tests/analyses/test_bounded_work.py", "tests/analyses/fields/test_index_sets.py"),
        *("tests/analyses/fields/test_windows.py", "tests/analyses/test_limits.py"),
        "tests/analyses/memory/test_optimizers.py",
        *("tests/analyses/fields/test_toys_in_numbers.py", "tests/analyses/fields/test_repeated_toys.py"),
    ],
    ("archcalc/layers/operations/",): [
        *(f"tests/layers/test_{n}.py" for n in ("operations", "kinds", "moved_units", "computed_units")),
        *(f"tests/layers/test_{n}.py" for n in ("image_operations", "operation_defaults")),
        *("tests/readers/test_schema.py", "tests/writers/test_spec.py", *OF_PRIMITIVES),
    ],
    ("archcalc/layers/",): [
        *(f"tests/layers/test_{n}.py" for n in ("opaque", "fields", "sequences", "adaptive", "kinds")),
        *("tests/layers/test_encoding.py", "tests/layers/test_work.py", "tests/layers/test_dtypes.py"),
        *(f"tests/readers/test_{n}.py" for n in ("spec", "spec_faults", "schema")),
        *("tests/report/test_catalogue.py", *OF_PRIMITIVES),
    ],
}

# tests among these that only repeat what an oracle has recorded, or that take long
RECORDED = (
    "against_keras or models_verify or shape_is_that_of_keras or measured_dependence"
    " or symbols_and_arrays_give or all_others_have_none"
)


class Verdict(NamedTuple):
    """The check (`comparison`) that noticed a mutant, and the difference; both empty where it survives."""

    comparison: str
    difference: str


class UnsoundError(Exception):
    """Something fails without any mistake, so no verdict could be trusted."""


def recorded(file: Path | None, extent: oracles.Extent) -> oracles.Oracle:
    """The true figures, from a file or recorded now."""
    if file and file.exists():
        oracle: oracles.Oracle = pickle.loads(file.read_bytes())
        return oracle
    oracle = in_child(lambda: _fresh().record(extent))
    if file:
        file.write_bytes(pickle.dumps(oracle))
    return oracle


def _fresh() -> Any:
    """The module of oracles as the child imports it, including the mistake."""
    from importlib import import_module

    return import_module("tests.mutations.oracles")


def judged(mutants: list[Mutant], oracle: oracles.Oracle, *, suite: bool) -> Iterator[Verdict]:
    """A verdict for each mutant; raises `UnsoundError` where something fails without a mistake."""
    spent, reach, differences = in_child(lambda: _fresh().all_differences(oracle))
    if differences:
        raise UnsoundError(differences[0])
    limits = {comparison: 3 * seconds + 5 for comparison, seconds in spent.items()}
    sound: dict[tuple[str, ...], dict[str, set[Position]]] = {}
    for mutant in mutants:
        position = function_of(mutant)
        verdict = _noticed(
            mutant, lambda m=mutant, p=position: _fresh().first_difference(oracle, m.module, limits, reach, p)
        )
        if suite and not verdict.comparison:
            room = next(starts for starts in SUITES if mutant.file.startswith(starts))
            if room not in sound:
                failed, sound[room] = in_child(lambda r=room: heard_of(SUITES[r]))
                if failed:
                    raise UnsoundError(f"{failed} fails")
            chosen = {
                test for test, functions in sound[room].items() if position is None or position in functions
            }
            files = sorted({test.split("::")[0] for test in chosen})
            verdict = _noticed(
                mutant, lambda f=files, c=chosen: ("suite", heard_of(f, c)[0]) if f else ("", "")
            )
        yield verdict


def _noticed(mutant: Mutant, check: Callable[[], tuple[str, str]]) -> Verdict:
    try:
        comparison, text = in_child(check, mutant)
        return Verdict(comparison if text else "", text[:2000])
    except (LostError, RuntimeError) as fault:
        return Verdict("loading", str(fault))


def heard_of(files: list[str], chosen: set[str] | None = None) -> tuple[str, dict[str, set[Position]]]:
    """The first of these tests that fails in this process; without `chosen` also what each test runs."""
    import pytest

    class Heard:
        first = ""
        loading: set[Position] = set()
        reach: dict[str, set[Position]] = {}

        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            if chosen is not None:
                items[:] = [item for item in items if item.nodeid in chosen]

        @pytest.hookimpl(wrapper=True)
        def pytest_collection(self) -> Generator[None, Any, Any]:
            return (yield from self.followed(self.loading))

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_protocol(self, item: Any) -> Generator[None, Any, Any]:
            return (yield from self.followed(self.reach.setdefault(item.nodeid, set())))

        def followed(self, reached: set[Position]) -> Generator[None, Any, Any]:
            if chosen is not None:
                return (yield)
            with following() as functions:
                answer = yield
            reached |= functions
            return answer

        def pytest_runtest_logreport(self, report: Any) -> None:
            if report.failed and not self.first:
                self.first = report.nodeid

        def pytest_collectreport(self, report: Any) -> None:
            if report.failed and not self.first:
                self.first = f"{report.nodeid} is not collected"

    heard = Heard()
    os.environ["HYPOTHESIS_PROFILE"] = "ci"
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        options = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT), "-k", f"not ({RECORDED})"]
        pytest.main([*options, *files], plugins=[heard])
    return heard.first, {test: functions | heard.loading for test, functions in heard.reach.items()}


def table(verdicts: list[Verdict]) -> str:
    """How many mutants each check noticed."""
    count = Counter(v.comparison for v in verdicts)
    killed = len(verdicts) - count[""]
    rows = [f"| {text} | {count[name]} |" for name, text in oracles.NAMES.items() if count[name]]
    total = f"| noticed | {killed} of {len(verdicts)}, {killed / max(len(verdicts), 1):.1%} |"
    return "\n".join(["| noticed by | mutants |", "|---|---|", *rows, total])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--general", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--oracle", type=Path, metavar="FILE")
    parser.add_argument("--suite", action="store_true", help="run other tests of the suite on survivors")
    parser.add_argument(
        "--only", help="mutants whose name (general: `file:line:column`) is in this comma-separated list"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for tests")
    options = parser.parse_args()
    started = time.monotonic()
    preload()
    oracle = recorded(options.oracle, oracles.THOROUGH if options.general else oracles.BRIEF)
    mutants = [*(PLANTED if options.planted else ()), *sample(options.general, options.seed)]
    if options.only:
        mutants = [m for m in mutants if m.name in options.only.split(",")]
    verdicts: list[Verdict] = []
    try:
        for verdict in judged(mutants, oracle, suite=options.suite):
            if not options.json:
                mutant = mutants[len(verdicts)]
                found_by = verdict.comparison or "ALIVE"
                print(f"{found_by:10} {mutant}   [{verdict.difference[:160]}]", flush=True)
            verdicts.append(verdict)
    except UnsoundError as fault:
        print(f"nothing is judged: without any mistake, {fault}")
        return 2
    if options.json:
        print(json.dumps({m.name: v._asdict() for m, v in zip(mutants, verdicts, strict=True)}))
        return 0
    print(f"\n{table(verdicts)}\n\nin {time.monotonic() - started:.0f} s")
    return 0 if all(v.comparison for v in verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())
