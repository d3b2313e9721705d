"""Random custom code, traced, against the same network in the functional API: outcomes, refusals by cause.

    python -m scripts.traced_programs [--count 1000] [--seed 0] [--skip 0] [-o FILE.jsonl]

The programs and what must hold of each are those of tests/keras/test_traced_programs.py. Writes a line for
each program (its number, outcome, reasons, steps), and prints how often each outcome and reason occurred;
docs/evidence/traced-programs.md holds such counts. The exit code is 1 if a program was read wrongly.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import keras


def outcome(program: list[tuple[str, int]], subclassed: bool) -> tuple[str, list[str]]:
    """What became of a program, with reasons: equal, refused, not run by Keras, or wrong."""
    from tests.keras.test_traced_programs import check

    try:
        reasons = check(program, subclassed)
    except Exception as fault:  # also an error of archcalc: it should have said what it cannot read
        return "wrong", ["".join(traceback.format_exception_only(fault)).strip()]
    if reasons is None:
        return "not run by Keras", []
    return ("refused" if reasons else "equal"), reasons


def draw(generator: random.Random) -> tuple[list[tuple[str, int]], bool]:
    """A program of one to seven steps, and whether it is a subclassed model."""
    from tests.keras.test_traced_programs import READ, REFUSED

    length = generator.randint(1, 7)
    steps = [(generator.choice((*READ, *REFUSED)), generator.randint(1, 3)) for _ in range(length)]
    return steps, generator.random() < 0.5


def main() -> int:
    """Draw, check and count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0, help="draw this many programs without checking them")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    generator = random.Random(given.seed)
    outcomes: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    lines: list[Any] = []
    for number in range(given.count):
        program, subclassed = draw(generator)
        if number < given.skip:
            continue
        result, reasons = outcome(program, subclassed)
        outcomes[result] += 1
        causes.update(set(reasons))
        lines.append([number, result, reasons, program, subclassed])
        keras.backend.clear_session(free_memory=False)
        if result == "wrong":
            print(json.dumps(lines[-1]), file=sys.stderr, flush=True)
    if given.output is not None:
        given.output.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    for name, count in (*outcomes.most_common(), *causes.most_common()):
        print(f"{count:6,}  {name}")
    return int(outcomes["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
