"""The connections of the emulator's process: one of each node, and the launcher's.

Owns what comes in on them until it is whole and known to be a node's. A node in a worker has one too, whose
bytes the worker's carries (workers.py). Does not own what is done with a frame (server.py).

Rule: before its Hello a connection may send no more bytes than a Hello has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, cast

from .. import wire
from ..errors import InfrastructureError
from ..wire import control
from ..wire.framing import FrameSplitter

if TYPE_CHECKING:
    from .server import Server

HELLO_S = 10.0
#: No Hello is longer.
HELLO_BYTES = 4096
READ_BYTES = 65536
EXIT_ORPHANED = 1


def read_rest(connection: asyncio.Protocol, transport: asyncio.Transport) -> None:
    """A failed write has ended the connection: what had been sent before is still to be read."""
    number = transport.get_extra_info("socket").fileno()
    with contextlib.suppress(OSError):
        while data := os.read(number, READ_BYTES):
            connection.data_received(data)


class NodeConnection(asyncio.Protocol):
    """One accepted connection. `node` is empty until its Hello has been accepted.

    `frames` counts what came in, requests for payloads aside (the watchdog compares it); `pending`
    holds what goes out next.
    """

    def __init__(self, server: Server) -> None:
        self.node, self.incarnation, self.pid = "", 0, 0
        #: The number of the worker that it is in; 0: it has a process of its own.
        self.worker = 0
        self.frames = 0
        self.pending: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self._server = server
        self._splitter = FrameSplitter(HELLO_BYTES)
        self._hello_timer: asyncio.TimerHandle | None = None

    @property
    def label(self) -> str:
        """The name of the connection in the log."""
        return f"{self.node}.{self.incarnation}" if self.node else "a stranger"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.connections[self] = None
        self._server.connected(self)
        loop = asyncio.get_running_loop()
        why = f"no Hello within {HELLO_S:g} s"
        self._hello_timer = loop.call_later(HELLO_S, self._server.refuse, self, why)

    def data_received(self, data: bytes) -> None:
        server, world = self._server, self._server.world
        try:
            for body in self._splitter.feed(data):
                message = wire.decode_to_emulator(body)
                if (
                    type(message) is not wire.Resend
                ):  # asking for payloads again and again is no progress
                    self.frames += 1
                if self.node and type(message) is not wire.Hello:
                    world.receive(self.node, self.incarnation, message)
                    if type(message) is wire.Poke:
                        server.hurry()
                elif not self._greet(message):
                    return
        except (*wire.UNREADABLE, InfrastructureError) as error:
            server.refuse(self, f"a frame that cannot be read: {error}")
        if not self.worker:  # which drains once it has read its round
            server.drain()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_hello_timer()
        if exc is not None:
            assert self.transport is not None
            read_rest(self, self.transport)
        self._server.hung_up(self)

    def _greet(self, message: wire.ToEmulator) -> bool:
        """The first frame of a connection; False when it is not a node's, or has been refused."""
        server = self._server
        if isinstance(message, wire.WorkerHello) and not self.node and not self.worker:
            self._stop_hello_timer()
            server.admit_worker(self, message)
            return False
        if not isinstance(message, wire.Hello) or self.node:
            what = type(message).__name__
            server.refuse(self, f"{what} where {'no' if self.node else 'a'} Hello was due")
            return False
        why = server.world.authenticate(message)
        if why is not None:
            server.refuse(self, why, message)
            return False
        self._stop_hello_timer()
        self._splitter.limit = wire.MAX_FRAME
        self.node, self.incarnation, self.pid = message.node, message.incarnation, message.pid
        server.admit(self, message)
        return True

    def _stop_hello_timer(self) -> None:
        if self._hello_timer is not None:
            self._hello_timer.cancel()
            self._hello_timer = None


class ControlConnection(asyncio.Protocol):
    """The launcher's stream, after `Supervise`."""

    def __init__(self, server: Server, splitter: FrameSplitter) -> None:
        self._server, self._splitter = server, splitter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.control = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for body in self._splitter.feed(data):
            self._server.obey(control.decode_from_launcher(body))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._server.done.done():
            # The launcher is gone, and with it every reader of this run's outcome.
            os._exit(EXIT_ORPHANED)
        self._server.control_closed.set_result(None)
