"""observer.json: where a watcher finds a run's broker, and with which login.

Owns that file of the run folder, from the broker's start to the end of the run. Does not own the account
(access.py) nor the watching (live/tap.py, or any other MQTT client).

Rules. The file is its owner's only, and holds the only password of a run that is written down; with it a
watcher can read every message and publish none. It is written anew after each start of the broker, with
another password. The login at a broker that is not ours is the user's secret, and is not written. At the end
of the run the password is removed and the file says that the run is over: so a watcher knows the end of a run
from a broker that died.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from ..agents.process.settings import BrokerAddress
from ..emulator.errors import InfrastructureError
from ..emulator.wire import UNREADABLE
from ..runs.files import unreadable, unwritable, write_json
from ..runs.run_folder import RunFolder
from .access import observed_topic


class Observer(msgspec.Struct, omit_defaults=True):
    """What the file says. Without a name and a password: the broker is not ours, bring your own.

    `socket`: the broker's Unix socket, where no other process can have taken its place; empty without one.
    """

    topic: str
    over: bool = False
    host: str = ""
    port: int = 0
    username: str | None = None
    password: str | None = None
    socket: str = ""

    def __repr__(self) -> str:
        return f"Observer({self.topic!r}, over={self.over})"


def admit(run_folder: Path, address: BrokerAddress) -> None:
    """Write the file: from now on the run can be watched. Raises InfrastructureError."""
    try:
        _write(
            run_folder,
            Observer(
                observed_topic(run_folder.name),
                False,
                address.host,
                address.port,
                address.username,
                address.password,
                address.socket,
            ),
        )
    except OSError as error:
        raise InfrastructureError(unwritable(RunFolder(run_folder).observer, error)) from error


def dismiss(run_folder: Path) -> None:
    """Take the password away and note that the run is over."""
    # On a full disk the note may fail. The password is gone all the same, and a watcher takes a missing file
    # for the end of the run, too.
    with contextlib.suppress(OSError):
        _write(run_folder, Observer(observed_topic(run_folder.name), over=True))


def find(run_folder: Path) -> Observer | None:
    """What the file says now; None when there is none. Raises InfrastructureError."""
    path = RunFolder(run_folder).observer
    try:
        return msgspec.json.decode(path.read_bytes(), type=Observer)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InfrastructureError(unreadable(path, error)) from error
    except UNREADABLE as error:
        raise InfrastructureError(f"{path} is not an observer's file: {error}") from error


def _write(run_folder: Path, observer: Observer) -> None:
    path = RunFolder(run_folder).observer
    if observer.over:
        path.unlink(missing_ok=True)
    write_json(path, observer)
