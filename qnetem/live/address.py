"""The address of a run's live socket, at which a run under way answers requests.

Owns the file in the run folder that holds the socket's path. Does not own the requests (client.py) nor the
folder of sockets (runs/sockets.py). Rules: the file is private, and it is there as long as the run listens; a
run that is killed leaves a file whose socket does not answer.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..emulator.errors import InfrastructureError, InputError
from ..emulator.wire import UNREADABLE
from ..runs.files import unwritable, write_whole
from ..runs.run_folder import RunFolder
from ..runs.sockets import open_sockets

#: The name of the live socket in the folder of sockets.
LIVE = "desk"
BACKLOG = 16


def announce(run_folder: Path, socket_path: str) -> None:
    """Write the address of the live socket. Raises InfrastructureError when the disk refuses."""
    path = RunFolder(run_folder).live
    try:
        write_whole(path, msgspec.json.encode({"socket": socket_path}) + b"\n")
    except OSError as error:
        raise InfrastructureError(unwritable(path, error)) from error


def withdraw(run_folder: Path) -> None:
    """Remove the address: the run is over and answers no more requests."""
    with contextlib.suppress(OSError):
        RunFolder(run_folder).live.unlink(missing_ok=True)


def live_address(run_folder: Path) -> str | None:
    """The path of the live socket, or None when the run is over. Raises InputError for a file not ours."""
    path = RunFolder(run_folder).live
    try:
        return str(msgspec.json.decode(path.read_bytes(), type=dict[str, str])["socket"])
    except FileNotFoundError:
        return None
    except (*UNREADABLE, KeyError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


@contextlib.contextmanager
def live_listener(run_folder: RunFolder) -> Iterator[socket.socket]:
    """The live socket of a run in one process. Raises InfrastructureError."""
    folder, [listener] = open_sockets(run_folder, [LIVE], BACKLOG)
    try:
        announce(run_folder.path, f"{folder}/{LIVE}")
        with listener:
            yield listener
    finally:
        withdraw(run_folder.path)
        shutil.rmtree(folder, ignore_errors=True)
