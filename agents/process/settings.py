"""The settings that a process of nodes starts with: of one incarnation, or of a worker.

Owns the structs and the exit statuses of a node's process; imports nothing heavy, so that the launcher can
name them too. Rule: token and password are credentials; no text that a struct turns into has them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from ...emulator.wire import run_files

#: The process has left because the emulator sent `Stop`.
EXIT_LEFT = 0
#: Broker or emulator could not be reached; the last line of the log says which.
EXIT_UNREACHABLE = 3
# The connection to the emulator broke: emulator/wire/'s EXIT_CUT_OFF, which the emulator must know.
#: An exception of ours; the log holds the traceback.
EXIT_INTERNAL = 70


class BrokerAddress(msgspec.Struct, array_like=True, frozen=True):
    """Where a broker is, and the login there (None: the broker asks for none).

    `socket`: the path of its Unix socket, which goes before host and port; empty for a broker that has none.
    """

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    socket: str = ""

    def __repr__(self) -> str:
        return f"BrokerAddress({self.where}, {self.username!r})"

    @property
    def where(self) -> str:
        """The address alone, for people."""
        return self.socket or f"{self.host}:{self.port}"


class NodeSettings(msgspec.Struct, array_like=True, frozen=True):
    """Who a node's process is, and where it finds emulator, broker and run folder."""

    run_id: str
    node: str
    incarnation: int
    token: str
    socket_path: str
    broker: BrokerAddress
    run_folder: str

    def __repr__(self) -> str:
        return f"NodeSettings({self.label} of {self.run_id})"

    @property
    def label(self) -> str:
        """`alice.1`: how this incarnation is called in file names."""
        return f"{self.node}.{self.incarnation}"

    @property
    def client_id(self) -> str:
        """The MQTT client id of this incarnation.

        Who connects with another's client id takes its place, with some brokers before its password is
        looked at. So no other client can know it: its end comes from the token, and does not reveal it.
        """
        return f"{self.run_id}-{self.node}-{self.incarnation}-{_unguessed(self.token)}"

    @property
    def log_path(self) -> Path:
        """Where the program's stdout and stderr go."""
        return run_files.node_log(self.run_folder, self.node, self.incarnation)

    @property
    def stacks_path(self) -> Path:
        """Where SIGUSR1 has the stacks written."""
        return run_files.node_stacks(self.run_folder, self.node, self.incarnation)

    @property
    def stores_path(self) -> Path:
        """The folder of what services store."""
        return run_files.stores(self.run_folder)

    @property
    def journal_path(self) -> Path:
        """Grants and payloads as received, when the run records in full."""
        return run_files.node_record(self.run_folder, self.node, self.incarnation)


class WorkerSettings(msgspec.Struct, array_like=True, frozen=True):
    """Which nodes a worker hosts, and where it finds emulator, broker and run folder."""

    run_id: str
    number: int
    nodes: list[str]
    token: str
    socket_path: str
    broker: BrokerAddress
    run_folder: str

    def __repr__(self) -> str:
        return f"WorkerSettings({self.label} of {self.run_id})"

    @property
    def label(self) -> str:
        """How the worker is called in texts."""
        return f"worker {self.number}"

    @property
    def client_id(self) -> str:
        """The MQTT client id of the worker; as of `NodeSettings`."""
        return f"{self.run_id}-worker-{self.number}-{_unguessed(self.token)}"

    @property
    def log_path(self) -> Path:
        """Where stdout and stderr go that are no program's."""
        return run_files.worker_log(self.run_folder, self.number)

    @property
    def stacks_path(self) -> Path:
        """Where SIGUSR1 has the stacks written."""
        return run_files.worker_stacks(self.run_folder, self.number)

    @property
    def step_path(self) -> Path:
        """Where the worker says which node is at work."""
        return run_files.worker_step(self.run_folder, self.number)

    def of_node(self, node: str, incarnation: int, token: str) -> NodeSettings:
        """Those of one incarnation of a node in it."""
        return NodeSettings(
            self.run_id, node, incarnation, token, self.socket_path, self.broker, self.run_folder
        )


def _unguessed(token: str) -> str:
    return hashlib.blake2b(token.encode(), digest_size=8, person=b"client id").hexdigest()
