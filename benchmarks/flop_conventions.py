"""What other tools report for networks that archcalc counts too: the table that its tests compare with.

    python benchmarks/flop_conventions.py [--venv DIR] [-o FILE] [NAME ...]

Creates a separate environment with the tools at the versions in peers/requirements.txt, builds
the networks in torch (peers/networks.py, peers/layers.py) and writes every tool's total as JSON.
`tests/conventions/peers.json` is such a file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

PEERS = Path(__file__).parent / "peers"


def environment(where: Path) -> Path:
    """The interpreter of the tools' environment, which is created on first use."""
    python = where / "bin" / "python"
    if not python.exists():
        venv.create(where, with_pip=True)
        quietly = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*quietly, "-r", str(PEERS / "requirements.txt")], check=True)
    return python


def recorded(python: Path, names: list[str]) -> str:
    """The tools' totals as text, one line per network."""
    done = subprocess.run(
        [str(python), str(PEERS / "record.py"), *names],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    record = json.loads(done.stdout)
    lines = [f"  {json.dumps(name)}: {json.dumps(totals)}" for name, totals in record["totals"].items()]
    return f'{{"versions": {json.dumps(record["versions"])},\n "totals": {{\n' + ",\n".join(lines) + "\n}}\n"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, default=Path(".peers"), help="where the tools live")
    parser.add_argument("-o", "--output", type=Path, help="default: standard output")
    parser.add_argument("names", nargs="*", help="default: all")
    options = parser.parse_args()
    text = recorded(environment(options.venv), options.names)
    if options.output is None:
        sys.stdout.write(text)
    else:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
