"""`python -m archcalc`, the same as `archcalc`."""

from __future__ import annotations

import gc
import os
import sys

from archcalc.cli import YOUNG, main


def run() -> int:
    """Run the command that the process was started with; returns the exit code."""
    # an analysis makes many objects and hardly a cycle of them: to look for garbage takes a tenth of its time
    gc.set_threshold(YOUNG)
    # numpy's matrices are small here: to start the threads of BLAS takes a tenth of `--gradients`
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    code = main()
    gc.freeze()  # and at the exit, when everything ends
    return code


if __name__ == "__main__":
    sys.exit(run())
