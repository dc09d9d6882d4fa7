"""Where a run's desk is: the socket by which one speaks to a run while it goes on.

Owns the file `desk.json` in the run folder, which tells the socket's path. Does not own what is said
(desk.py) nor the sockets' folder (sockets.py). Rules: the file is private, and it is there as long as
somebody listens; who is killed leaves a file behind whose socket nobody answers.
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
from ..runs.atomic_files import write_whole
from ..runs.sockets import open_sockets

FILE = "desk.json"
BACKLOG = 16


def announce(run_folder: Path, socket_path: str) -> None:
    """Tell in the run folder where the desk is. Raises InfrastructureError when the disk refuses."""
    try:
        write_whole(run_folder / FILE, msgspec.json.encode({"socket": socket_path}) + b"\n")
    except OSError as error:
        problem = f"{run_folder / FILE} cannot be written: {error.strerror or error}"
        raise InfrastructureError(problem) from error


def withdraw(run_folder: Path) -> None:
    """The run is over: nobody is at the desk any more."""
    with contextlib.suppress(OSError):
        (run_folder / FILE).unlink(missing_ok=True)


def desk_path(run_folder: Path) -> str | None:
    """The desk's socket, or None when the run is over. Raises InputError for a file that is not ours."""
    path = run_folder / FILE
    try:
        return str(msgspec.json.decode(path.read_bytes(), type=dict[str, str])["socket"])
    except FileNotFoundError:
        return None
    except (*UNREADABLE, KeyError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


@contextlib.contextmanager
def desk_socket(run_folder: Path) -> Iterator[socket.socket]:
    """A desk for a run in one process. Raises InfrastructureError."""
    folder, [listener] = open_sockets(run_folder, ["desk"], BACKLOG)
    try:
        announce(run_folder, f"{folder}/desk")
        with listener:
            yield listener
    finally:
        withdraw(run_folder)
        shutil.rmtree(folder, ignore_errors=True)
