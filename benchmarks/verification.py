"""CPU of `archcalc verify` as a whole command: against an earlier version, and that both check the same.

    python -m benchmarks.verification --earlier CHECKOUT [--network keras:MobileNetV2] [--sample 12]

The sides alternate, and the least of three runs counts. Every run is a process of its own and starts with
importing Keras.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.gradients import HERE, REPETITIONS, run


def kinds(result: dict[str, Any]) -> Counter[tuple[str, str]]:
    """How many checks of each kind have each verdict."""
    return Counter((check["what"], check["verdict"]) for check in result["checks"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--earlier", type=Path, required=True, help="the checkout of an earlier version")
    parser.add_argument("--network", default="keras:MobileNetV2")
    parser.add_argument("--sample", help="as of `archcalc verify`")
    given = parser.parse_args()
    sample = ["--sample", given.sample] if given.sample else []
    seconds: dict[Path, list[float]] = {HERE: [], given.earlier.resolve(): []}
    results: list[dict[str, Any]] = []
    for _ in range(REPETITIONS):
        for checkout, times in seconds.items():
            time, result = run(checkout, "verify", given.network, *sample)
            times.append(time)
            results.append(result)
    now, then = (min(times) for times in seconds.values())
    result, before = results[:2]
    fewer = kinds(before) - kinds(result)
    print(
        f"{given.network}: {now:.1f} s; earlier version {then:.1f} s, {then / now:.1f} times as long (aim: 4)"
    )
    print(
        f"checks: {len(result['checks'])}, earlier {len(before['checks'])}; fewer of {dict(fewer) or 'none'}"
    )


if __name__ == "__main__":
    main()
