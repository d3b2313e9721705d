"""The long run by hand: drawn models of Keras, converted to each form and run again in Keras.

    python -m scripts.conversions --count 500 --seed 0

Prints every conversion that is not the same model (counts, trained weights, calls, outputs on equal
weights), then how many of each form were. Exit code 1 if any is not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any


def main() -> int:
    """Convert, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--motifs", type=int, default=4)
    parser.add_argument("--operations", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    warnings.simplefilter("ignore")
    from archcalc.testing.drawing import each_drawn
    from archcalc.testing.strategies import architectures

    tally: Counter[str] = Counter()
    rng = Random(options.seed)
    networks = architectures(max_motifs=options.motifs, with_operations=options.operations)
    each_drawn(networks, lambda graph: convert(graph, rng.getrandbits(32), tally), count=options.count,
               seed=options.seed)  # fmt: skip
    print(*(f"{number:6,} {what}" for what, number in sorted(tally.items())), sep="\n")
    print(f"{time.process_time():.0f} s of processor time")
    return int(any(what.endswith("differs") for what in tally))


def convert(graph: Any, seed: int, tally: Counter[str]) -> None:
    """Convert one drawn network, changed at random, to each form."""
    import keras

    from tests.properties.originals import CANNOT_RUN, FORMS, differences
    from tests.properties.states import drawn_model, read

    keras.backend.clear_session()
    rng = Random(seed)
    model = drawn_model(graph, rng)
    again = read(model, rng)
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = differences(model, again, form, Path(folder), seed)
            except Exception as fault:
                found = [f"{type(fault).__name__}: {str(fault)[:300]}"]
        verdict = "differs" if found else "the same"
        if found and found[0].startswith(CANNOT_RUN):
            verdict = "the same in counts and calls; TensorFlow does not run the original here"
        tally[f"{form}: {verdict}"] += 1
        if verdict == "differs":
            print(seed, form, found, flush=True)
    tally["models"] += 1
    if tally["models"] % 25 == 0:
        print(f"{tally['models']} after {time.process_time():.0f} s of processor time", flush=True)


if __name__ == "__main__":
    sys.exit(main())
