"""Runs damaged sources endlessly, guided by the code that they reach.

    pip install atheris            # not part of any extra of archcalc
    python scripts/fuzz.py [--runs 200000] [--seed 0] [--corpus FOLDER]

atheris records which branches of archcalc a source takes, and keeps sources that reach new ones.
tests/hostile/damage.py turns bytes into a source, one in six of them with a file for `--classes`; survive.py
next to it says which outcomes are allowed. Any other exception stops the run, with the input in a file
`crash-...`. `--random` runs without atheris.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

CHOICES = 48  # bytes of one source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", default="", help="a folder for sources that reach new code")
    parser.add_argument("--random", action="store_true", help="draw at random, without atheris")
    options = parser.parse_args()
    if options.random:
        _at_random(options.runs, options.seed)
        return
    import atheris

    with atheris.instrument_imports(include=["archcalc"]):
        _import_all()
    seen: collections.Counter[str] = collections.Counter()
    path = Path(tempfile.mkdtemp()) / "damaged"

    def try_source(data: bytes) -> None:
        seen[_outcome(data, path)] += 1
        if seen.total() % 10_000 == 0:
            print(dict(seen), flush=True)

    arguments = [sys.argv[0], f"-runs={options.runs}", f"-seed={options.seed + 1}", f"-max_len={CHOICES}"]
    atheris.Setup([*arguments, *filter(None, [options.corpus])], try_source)
    atheris.Fuzz()  # ends the process


def _import_all() -> None:
    import archcalc.readers.applications
    import archcalc.readers.keras_archive
    import archcalc.readers.keras_config
    import archcalc.readers.spec
    import archcalc.render.csv
    import archcalc.render.json
    import archcalc.render.latex
    import archcalc.render.markdown
    import archcalc.writers.convert
    import archcalc.writers.keras_code
    import archcalc.writers.spec  # noqa: F401


def _outcome(data: bytes, path: Path) -> str:
    from tests.hostile import damage
    from tests.hostile.survive import outcome

    allow_unknown = bool(data[:1] > b"\x7f")
    choose = damage.chooser(data[1:])
    if data[:1] and data[0] % 6 == 0:
        raw, classes = damage.classes(choose)
        return f"{outcome(raw, path, allow_unknown=allow_unknown, classes=classes)} (with a file of classes)"
    return outcome(damage.source(choose), path, allow_unknown=allow_unknown)


def _at_random(runs: int, seed: int) -> None:
    """Run as many sources, drawn at random; prints counts, and each kind of failure once."""
    draw = random.Random(seed)
    path = Path(tempfile.mkdtemp()) / "damaged"
    seen: collections.Counter[str] = collections.Counter()
    start = time.process_time()
    for _ in range(runs):
        data = draw.randbytes(CHOICES)
        try:
            seen[_outcome(data, path)] += 1
        except Exception as problem:
            kind = f"{type(problem).__name__}: {str(problem)[:200]}"
            if not seen[kind]:
                print(data.hex(), kind, flush=True)
            seen[kind] += 1
    print(dict(seen), f"{time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main()
