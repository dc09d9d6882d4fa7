"""observer.json: where those who watch a run find its broker, and with which login.

Owns that file of the run folder, from the broker's start to the end of the run. Does not own the
account (broker/access.py) nor what is made of the messages (tap.py; anybody's MQTT client).

Rules. The file is its owner's only, and holds the one password of a run that is written down anywhere;
with it a watcher can read every message and publish none. It is written anew after each start of the
broker, with another password. The login at a broker that is not ours is the user's secret, and is not
written. When the run is over the password goes and the file says so, by which a watcher tells the end of a
run from a broker that has only stumbled.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from ..agents.process.settings import BrokerAddress
from ..emulator.errors import InfrastructureError
from ..emulator.wire import UNREADABLE
from ..runs.atomic_files import write_whole
from .access import observed_topic

FILE = "observer.json"


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
        path = run_folder / FILE
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}") from error


def dismiss(run_folder: Path) -> None:
    """Take the password away and note that the run is over."""
    # On a full disk the note may fail; the password is gone, and no file says the same to a watcher.
    with contextlib.suppress(OSError):
        _write(run_folder, Observer(observed_topic(run_folder.name), over=True))


def find(run_folder: Path) -> Observer | None:
    """What the file says now; None when there is none. Raises InfrastructureError."""
    path = run_folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Observer)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be read: {error.strerror}") from error
    except UNREADABLE as error:
        raise InfrastructureError(f"{path} is not an observer's file: {error}") from error


def _write(run_folder: Path, observer: Observer) -> None:
    if observer.over:
        (run_folder / FILE).unlink(missing_ok=True)
    data = msgspec.json.format(msgspec.json.encode(observer), indent=2) + b"\n"
    write_whole(run_folder / FILE, data)
