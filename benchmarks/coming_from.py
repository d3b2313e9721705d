"""What other tools can do: the rows of docs/coming-from.md, each shown by the tool itself.

    python -m benchmarks.coming_from [--venv DIR] [--checkout DIR] [TOOL ...]

The tools for torch live in a separate environment, at the versions in peers/requirements.txt; Keras and
receptive_field (a checkout of github.com/google-research/receptive_field) run with the extra `keras`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.flop_conventions import PEERS, environment

COUNTERS = ("torchinfo", "fvcore", "thop", "ptflops", "calflops")
TOOLS = ("keras", *COUNTERS, "receptive_field", "rfa-toolbox")
# it asks for Python below 3.11 and old versions of these, and runs with the present ones
RFA = (["--no-deps", "--ignore-requires-python", "rfa-toolbox==1.7.0"], ["attrs", "graphviz", "tqdm"])


def with_rfa(python: Path) -> Path:
    """The tools' interpreter, with rfa-toolbox."""
    if subprocess.run([str(python), "-c", "import attrs, rfa_toolbox"], stderr=subprocess.DEVNULL).returncode:
        for packages in RFA:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


def main() -> None:
    """Let each tool print its row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, default=Path(".peers"), help="where the other tools live")
    parser.add_argument("--checkout", help="a checkout of receptive_field")
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=f"of {', '.join(TOOLS)}; default: all")
    options = parser.parse_args()
    tools = options.tools or [t for t in TOOLS if t != "receptive_field" or options.checkout]
    if unknown := set(tools) - set(TOOLS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(TOOLS)}")
    if "receptive_field" in tools and not options.checkout:
        parser.error("receptive_field needs --checkout DIR")
    for tool in tools:
        if tool in ("keras", "receptive_field"):
            argument = tool if tool == "keras" else options.checkout
            command = [sys.executable, str(PEERS / "abilities_tf.py"), argument]
        else:
            python = environment(options.venv)
            command = [
                str(with_rfa(python) if tool == "rfa-toolbox" else python),
                *(str(PEERS / "abilities.py"), tool),
            ]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=os.environ | {"COLUMNS": "100"})


if __name__ == "__main__":
    main()
