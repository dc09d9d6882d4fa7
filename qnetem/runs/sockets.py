"""The folder of a run's sockets: the emulator's, at which its nodes arrive, and the desk's.

Owns where it is, and that nobody else may enter it. Does not own who listens there. It is `sockets/` in the
run folder, so that whoever is killed leaves it where everything else of the run is; only on a file system
that takes no sockets (a folder shared with a virtual machine's host, for one) it is a folder of its own
below /tmp.

Rule: whoever opens it removes it, when the run is over; the zygote does it for a launcher that is killed.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..emulator.errors import InfrastructureError
from ..emulator.wire.socket_paths import short

FOLDER = "sockets"


def open_sockets(
    run_folder: Path, names: Sequence[str], backlog: int
) -> tuple[str, list[socket.socket]]:
    """The folder, and a socket that listens at each name in it. Raises InfrastructureError."""
    try:
        try:
            return _open_in(_within(run_folder), names, backlog)
        except OSError:
            return _open_in(_elsewhere(), names, backlog)
    except OSError as error:
        problem = f"the sockets of {run_folder} cannot be made: {error.strerror or error}"
        raise InfrastructureError(problem) from error


def listening(path: str, backlog: int) -> socket.socket:
    """A Unix socket that listens at `path`. Raises OSError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short(path) as reachable:
            listener.bind(reachable)
            os.chmod(reachable, 0o600)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def _within(run_folder: Path) -> str:
    folder = run_folder / FOLDER
    folder.mkdir(mode=0o700)
    return str(folder)


def _elsewhere() -> str:
    # TMPDIR can be as strange a place as the run folder.
    return tempfile.mkdtemp(prefix="qnetem-", dir="/tmp" if os.access("/tmp", os.W_OK) else None)


def _open_in(folder: str, names: Sequence[str], backlog: int) -> tuple[str, list[socket.socket]]:
    listeners: list[socket.socket] = []
    try:
        for name in names:
            listeners.append(listening(f"{folder}/{name}", backlog))
    except OSError:
        for listener in listeners:
            listener.close()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, listeners
