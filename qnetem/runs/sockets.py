"""The folder of a run's sockets: the emulator's, to which its nodes connect, and the live socket.

Owns where the folder is, and that only the run's owner may enter it. Does not own what listens there. The
folder is `sockets/` in the run folder, so that a process that is killed leaves it beside the run's other
files. On a file system that takes no sockets (e.g. a folder shared with a virtual machine's host) it is below
/tmp.

Rule: the process that opens the folder removes it at the end of the run; the zygote does so for a launcher
that is killed.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Sequence

from ..emulator.errors import InfrastructureError
from ..emulator.wire.framing import short_path
from .files import PRIVATE
from .run_folder import PRIVATE_FOLDER, RunFolder


def open_sockets(
    run_folder: RunFolder, names: Sequence[str], backlog: int
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
        with short_path(path) as reachable:
            listener.bind(reachable)
            os.chmod(reachable, PRIVATE)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def _within(run_folder: RunFolder) -> str:
    run_folder.sockets.mkdir(mode=PRIVATE_FOLDER)
    return str(run_folder.sockets)


def _elsewhere() -> str:
    # TMPDIR may be on a file system without sockets, too.
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
