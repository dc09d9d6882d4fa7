"""The environment variables of every process of a run, which are also all that a program sees.

Rule: they are the same in every run. The order of sets, the sums of BLAS, calendars, how a file is decoded,
and whether `assert` counts must not depend on the shell that starts a run.
"""

from __future__ import annotations

FIXED_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONUTF8": "1",
    "PYTHONOPTIMIZE": "0",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
