"""`python -m archcalc`, the same as `archcalc`."""

from __future__ import annotations

import gc
import sys

from archcalc.cli import main


def run() -> int:
    """Run the command that the process was started with; returns the exit code."""
    code = main()
    # everything ends with the process; to look for garbage first would take a tenth of an analysis
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(run())
