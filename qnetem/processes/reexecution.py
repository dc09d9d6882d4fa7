"""This very command once more, in the environment of the processes of a run.

Rule: it is called before anything heavy is imported, since all of that is lost.
"""

from __future__ import annotations

import os
import sys

from .environment import fixed

#: Set to its pid, which stays, once the process has been replaced by one with a fixed environment.
REEXECUTED = "QNETEM_REEXECUTED"


def reexecute_with_fixed_environment() -> None:
    """Replace this process by the same command in the environment of nodes' processes, once.

    Hash seed, encoding and number of BLAS threads can only be chosen before Python starts; without them
    the digest would not be that of the run in processes. Directory and arguments stay.
    """
    wanted, pid = fixed(os.environ), str(os.getpid())
    is_fixed = all(os.environ.get(name) == value for name, value in wanted.items())
    if is_fixed or os.environ.get(REEXECUTED) == pid:
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # started with the stream closed (`>&-`)
            stream.flush()
    environment = {**os.environ, **wanted, REEXECUTED: pid}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
