"""Runs `archcalc verify` on every example and every network of keras.applications.

    python -m scripts.verify_all [--sample 4] [--only NAME ...]

Each is verified in a separate process, since the largest take 10 GiB. Fields are measured for
`--sample` layers of each network, everything else for all of its layers. Prints a line for each, and
exits with 1 if any figure differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from archcalc.readers.applications import names

EXAMPLES = Path(__file__).parent.parent / "examples"
# MobileNetV3 takes any image
OPEN = ["--set", "H=224", "--set", "W=224"]
# in double precision these take 12 to 50 GiB at their own size
SMALLER = {"unet": ["--set", "H=188"]}
SIDES = {"EfficientNetB6": 264, "EfficientNetB7": 300, "EfficientNetV2L": 240}


def sources() -> dict[str, list[str]]:
    """Every network, and the options that it needs."""
    examples = {
        str(p.relative_to(Path.cwd())): SMALLER.get(p.stem, []) for p in sorted(EXAMPLES.glob("*.json"))
    }
    return examples | {_application(n): OPEN if n.startswith("MobileNetV3") else [] for n in names()}


def _application(name: str) -> str:
    side = SIDES.get(name)
    return f"keras:{name}" + (f"?input_shape={side},{side},3" if side else "")


def verified(source: str, options: list[str], sample: int) -> dict[str, object]:
    """The JSON of one run, or the reason if it printed none."""
    command = [sys.executable, "-m", "archcalc", "verify", source, "--format", "json"]
    ran = subprocess.run(
        [*command, "--sample", str(sample), *options], capture_output=True, text=True, check=False
    )
    ended = f"ended with {ran.returncode}: {ran.stderr.strip()[-300:]}"
    return json.loads(ran.stdout) if ran.stdout else {"fault": ended}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sample", type=int, default=4, help="layers whose fields are measured")
    parser.add_argument("--only", nargs="+", help="sources, as they are printed")
    options = parser.parse_args()
    whole: Counter[str] = Counter()
    for source, arguments in sources().items():
        if options.only and source.partition("?")[0] not in options.only:
            continue
        began = time.perf_counter()
        result = verified(source, arguments, options.sample)
        checks = result.get("checks", [])
        assert isinstance(checks, list)
        verdicts = Counter(check["verdict"] for check in checks)
        whole.update(verdicts)
        outcome = result.get("fault") or ", ".join(f"{n:,} {what}" for what, n in verdicts.most_common())
        print(f"{source:45} {time.perf_counter() - began:5.0f} s  {outcome}", flush=True)
        for check in checks:
            if check["verdict"] == "differs":
                print("  DIFFERS", json.dumps(check)[:300], flush=True)
        whole["differs"] += "fault" in result
    print("in all:", ", ".join(f"{n:,} {what}" for what, n in whole.most_common()))
    return int(bool(whole["differs"]))


if __name__ == "__main__":
    raise SystemExit(main())
