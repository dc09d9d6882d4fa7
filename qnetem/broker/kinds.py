"""The kinds of broker: how each is found, configured and recognised.

Owns mosquitto's configuration and the command lines. Does not own the broker's life (broker.py) nor who
may do what (access.py).

Rule: every kind carries QoS 0 messages of any number and of any size that MQTT allows, at once, for clients
with an account, within what it allows; and keeps no message on disk. It listens twice: at a Unix socket for
the nodes, where no other process can take its place, and at a port of 127.0.0.1 for watchers.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..emulator.errors import InfrastructureError, InputError
from ..runs.files import write_whole
from .access import PASSWORDS_FILE, RULES_FILE

CHOICES = "auto, mosquitto, amqtt or host:port"
GET_MOSQUITTO = "`apt install mosquitto`"
#: What mosquitto before 2.0 says to a Unix socket.
_TOO_OLD = "Invalid port value (0)"
GET_AMQTT = "`pip install qnetem[broker]`"
#: Where Debian and Homebrew put it, which an ordinary user's PATH may lack: for the error text only.
UNUSUAL_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")

#: The largest packet that MQTT can express (3.1.1, section 2.2.3); mosquitto 2.1 stops at 2 MB.
MAX_PACKET_BYTES = 268_435_455

_MOSQUITTO = """\
listener {port} 127.0.0.1
listener 0 {socket}
allow_anonymous false
password_file {passwords}
acl_file {rules}
persistence false
# No limit: a message dropped here costs a resend.
max_queued_messages 0
max_inflight_messages 0
max_packet_size {max_packet_bytes}
sys_interval 0
log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""
#: As root mosquitto would change its user, and would then outlive the launcher.
_STAY_ROOT = "user root\n"


@dataclass(frozen=True)
class Kind:
    """A broker that can be started here.

    `command(folder, port, socket)` writes its configuration into the folder, where the accounts are already,
    and returns the command line, to be run in the folder of its socket. `socket` is the name of that in
    its folder: the address of a Unix socket has no room for a long path. Raises OSError.
    """

    name: str
    command: Callable[[Path, int, str], list[str]]


def resolve(choice: str) -> Kind | None:
    """The kind behind a choice; None for an address. Raises InputError, InfrastructureError."""
    if choice == "auto":
        kind = _mosquitto() or _amqtt()
        if kind is None:
            raise InfrastructureError(
                "no MQTT broker found: mosquitto is not on PATH and amqtt is not installed; "
                f"{GET_MOSQUITTO} or {GET_AMQTT}"
            )
        return kind
    if choice == "mosquitto":
        kind = _mosquitto()
        if kind is None:
            raise InfrastructureError(f"mosquitto is not on PATH{_elsewhere()}; {GET_MOSQUITTO}")
        return kind
    if choice == "amqtt":
        kind = _amqtt()
        if kind is None:
            raise InfrastructureError(f"the Python package amqtt is not installed; {GET_AMQTT}")
        return kind
    parse_address(choice)
    return None


def parse_address(choice: str) -> tuple[str, int]:
    """`"host:port"` or `"[v6]:port"` as (host, port). Raises InputError."""
    host, _, port = choice.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"broker {choice!r}: expected {CHOICES}")
    return host, int(port)


def _mosquitto() -> Kind | None:
    program = shutil.which("mosquitto")
    if program is None:
        return None

    def command(folder: Path, port: int, socket: str) -> list[str]:
        path = folder / "mosquitto.conf"
        text = mosquitto_configuration(folder, port, socket, as_root=os.geteuid() == 0)
        write_whole(path, text.encode())
        return [os.path.abspath(program), "-c", str(path)]

    return Kind("mosquitto", command)


def mosquitto_configuration(folder: Path, port: int, socket: str, as_root: bool) -> str:
    """The text of mosquitto.conf for a broker at `port` and `socket`, with its accounts in `folder`."""
    text = _MOSQUITTO.format(
        port=port,
        socket=socket,
        passwords=folder / PASSWORDS_FILE,
        rules=folder / RULES_FILE,
        max_packet_bytes=MAX_PACKET_BYTES,
    )
    return text + _STAY_ROOT if as_root else text


def _amqtt() -> Kind | None:
    if importlib.util.find_spec("amqtt") is None:
        return None
    script = Path(__file__).with_name("embedded.py")

    def command(folder: Path, port: int, socket: str) -> list[str]:
        return [sys.executable, "-P", str(script), str(port), str(folder), socket]

    return Kind("amqtt", command)


def remedy(log: str) -> str:
    """What to do about a broker that wrote this and ended, where that is known."""
    if _TOO_OLD in log:
        return f" (mosquitto 2.0 or newer is needed; or {GET_AMQTT} and --broker amqtt)"
    return ""


def _elsewhere() -> str:
    for folder in UNUSUAL_FOLDERS:
        if os.access(f"{folder}/mosquitto", os.X_OK):
            return f" (there is one in {folder}: add that folder to PATH)"
    return ""
