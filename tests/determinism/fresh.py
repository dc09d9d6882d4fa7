"""Digests of runs in a process in which nothing has run before.

`python -m tests.determinism.fresh UNTIL FILE...` imports everything once; then each run has a fork of its
own. Prints one JSON object, digests by file.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import qnetem.inprocess.network  # all that a run imports
from qnetem import run


def digest(file: str, until: str | None) -> str:
    """What the run comes to."""
    with tempfile.TemporaryDirectory() as folder:
        return run(file, until=until, in_process=True, runs_folder=folder).digest


def digest_of_fork(file: str, until: str | None) -> str:
    """The same, in a fork that ends with it."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.write(writer, digest(file, until).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        found = pipe.read()
    os.wait()
    return found


if __name__ == "__main__":
    assert qnetem.inprocess
    limit = sys.argv[1] or None
    json.dump({file: digest_of_fork(str(Path(file)), limit) for file in sys.argv[2:]}, sys.stdout)
