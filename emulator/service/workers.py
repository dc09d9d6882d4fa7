"""Workers: processes that several nodes share, as the emulator's process sees them.

Owns which node is in which worker, the workers' connections, and what the launcher does for nodes with a
process of their own: to begin an incarnation and to kill it. A node in a worker has a `NodeConnection` like
any other; its bytes come and go in rounds. Does not own what a frame means (server.py).

Rules. One round holds all that is to be said to a worker when the server drains the world's outbox. A node
that is paused needs no stopped process here, because nothing but a grant wakes it: its worker works on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

import msgspec

from .. import wire
from ..errors import InfrastructureError
from ..wire import control, run_files
from ..wire.framing import ANY_FRAME, FrameSplitter
from ..wire.worker_frames import (
    Begin,
    End,
    Ended,
    FromWorker,
    Part,
    Round,
    Worker,
    decode_from_worker,
)
from .connections import NodeConnection, read_rest

if TYPE_CHECKING:
    from .server import Server

_ForNodes = (control.Spawn, control.Kill, control.Freeze, control.Thaw)
#: As of a process that was killed by SIGKILL.
_KILLED = -9


class _HostedTransport(asyncio.Transport):
    """One node's share of its worker's connection."""

    def __init__(self, worker: WorkerConnection, node: str) -> None:
        super().__init__()
        self._worker, self._node = worker, node

    def write(self, data: Any) -> None:
        """It leaves with the next round."""
        self._worker.pending.append(Part(self._node, data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """That of the worker's connection."""
        return self._worker.transport.get_extra_info(name, default)

    def close(self) -> None:
        """A node's share ends with its life, or with its worker."""

    def abort(self) -> None:
        """What is wrong with one node's frames is wrong with the process that sends them."""
        self._worker.transport.abort()


class WorkerConnection(asyncio.Protocol):
    """A worker that has said its Hello. `hosted`: the connections of the nodes that live in it."""

    def __init__(
        self, server: Server, number: int, pid: int, transport: asyncio.Transport, secret: str
    ) -> None:
        self.number, self.pid, self.transport = number, pid, transport
        self.hosted: dict[str, NodeConnection] = {}
        self.pending: list[Part] = []
        #: What came in, as of `NodeConnection`.
        self.frames = 0
        self._server, self._secret = server, secret
        self._splitter = FrameSplitter(ANY_FRAME)

    def begin(self, node: str, incarnation: int) -> None:
        """Have an incarnation of a node live in it."""
        connection = self.hosted[node] = NodeConnection(self._server)
        connection.worker = self.number
        connection.connection_made(_HostedTransport(self, node))
        self.send(Begin(node, incarnation, control.token(self._secret, node, incarnation)))

    def send(self, message: msgspec.Struct) -> None:
        """A frame, behind what is pending."""
        self.flush()
        self.transport.write(wire.frame(message))

    def flush(self) -> None:
        """Send what is pending as one round."""
        if self.pending:
            self.transport.write(wire.frame(Round(self.pending)))
            self.pending = []

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._splitter.feed(data):
                self._take(decode_from_worker(body))
        except (*wire.UNREADABLE, InfrastructureError) as error:
            self._server.refuse_worker(self, f"a frame that cannot be read: {error}")
        self._server.drain()

    def _take(self, message: FromWorker) -> None:
        if isinstance(message, Ended):
            self._server.killed_in_worker(self.hosted.pop(message.node), _KILLED)
            return
        for part in message.parts:
            connection = self.hosted.get(part.node)
            if connection is not None:
                before = connection.frames
                self._server.world.worked(part.node, part.worked_s)
                connection.data_received(part.data)
                self.frames += connection.frames - before

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            read_rest(self, self.transport)
        self._server.worker_hung_up(self)
        for connection in list(self.hosted.values()):
            connection.connection_lost(None)
        self.hosted.clear()


class Workers:
    """All workers of a run. `nodes`: those of each, the first being number 1."""

    def __init__(self, run_folder: str, secret: str, nodes: Sequence[Sequence[str]] = ()) -> None:
        self.nodes = nodes
        self.connections: dict[int, WorkerConnection] = {}
        self._run_folder, self._secret = run_folder, secret
        self._numbers = {node: number for number, each in enumerate(nodes, 1) for node in each}
        #: The last incarnation of each node that has begun, or is to.
        self._incarnations = dict.fromkeys(self._numbers, 1)

    def refusal(self, hello: wire.WorkerHello) -> str | None:
        """Why this Hello is refused, or None."""
        number = hello.number
        if not 1 <= number <= len(self.nodes):
            return f"there is no worker {number}"
        if hello.version != wire.PROTOCOL_VERSION:
            return f"worker {number} speaks protocol {hello.version}, not {wire.PROTOCOL_VERSION}"
        known = control.token(self._secret, "", number)
        if not compare_digest(hello.token.encode(), known.encode()):
            return f"wrong token for worker {number}"
        if number in self.connections:
            return f"worker {number} is here already"
        return None

    def admit(
        self, server: Server, hello: wire.WorkerHello, transport: asyncio.Transport
    ) -> WorkerConnection:
        """A Hello has been accepted: the worker's nodes begin."""
        worker = WorkerConnection(server, hello.number, hello.pid, transport, self._secret)
        self.connections[hello.number] = worker
        transport.set_protocol(worker)
        for node in self.nodes[hello.number - 1]:
            worker.begin(node, 1)
        return worker

    def obey(self, message: msgspec.Struct) -> bool:
        """Do for a node in a worker what the launcher does for one with a process; False: it has one."""
        if not isinstance(message, _ForNodes) or message.node not in self._numbers:
            return False
        worker = self.connections.get(self._numbers[message.node])
        if isinstance(message, control.Spawn):
            self._incarnations[message.node] = message.incarnation
            if worker is not None:
                worker.begin(message.node, message.incarnation)
        elif isinstance(message, control.Kill) and worker is not None:
            worker.send(End(message.node, message.incarnation))
        return True

    def flush(self) -> None:
        """Send every worker what is pending for it."""
        for worker in self.connections.values():
            worker.flush()

    def farewell(self) -> None:
        """The run is over: the workers leave."""
        for worker in self.connections.values():
            worker.send(wire.Stop())

    def exits(self, number: int, status: int) -> list[control.Exited]:
        """What the end of a worker is to its nodes."""
        return [
            control.Exited(node, self._incarnations[node], status)
            for node in self.nodes[number - 1]
        ]

    def of(self, node: str) -> Worker | None:
        """The worker of a node, and which node is at work in it, or was when it ended."""
        number = self._numbers.get(node)
        return None if number is None else self.facts(number)

    def facts(self, number: int) -> Worker:
        """A worker, and which node is at work in it."""
        nodes, place = self.nodes[number - 1], 0
        with contextlib.suppress(OSError):
            place = int.from_bytes(run_files.worker_step(self._run_folder, number).read_bytes())
        return Worker(number, nodes, nodes[place - 1] if 0 < place <= len(nodes) else "")
