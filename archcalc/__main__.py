"""`python -m archcalc`, the same as `archcalc`."""

from __future__ import annotations

import gc
import os
import sys

from archcalc.cli import main


def run() -> int:
    """Run the command that the process was started with; returns the exit code."""
    # numpy's matrices are small here: to start the threads of BLAS takes a tenth of `--gradients`
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = main()
    # everything ends with the process; to look for garbage first would take a tenth of an analysis
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(run())
