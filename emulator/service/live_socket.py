"""The live socket: connections of clients that control a running emulator.

Owns the connection (bytes in, answers out), its limits, and the sockets: served by the emulator's event
loop, or polled between two batches of a run that has no event loop. Does not own the answers
(world/live.py).

Rules. A client cannot disturb the run: a frame that is too long or cannot be read, a request too many or an
answer that is not fetched ends that connection, and no other. When all connections are taken, the oldest one
that awaits no answer makes room for the next. A client that leaves before its answer is not waited for. The
socket is in a folder that only the user may enter, so clients need no login.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import selectors
import socket
import time
from collections.abc import Callable
from typing import Protocol, cast

from .. import wire
from ..errors import InfrastructureError
from ..wire import control
from ..wire.framing import FrameSplitter
from ..world.live import Ticket

#: No request is longer; an entry of `faults:` has some hundred bytes.
MOST_BYTES = 64 * 1024
MOST_CONNECTIONS = 64
#: Requests of one connection that may be open at a time, and bytes that may wait to be fetched.
MOST_OPEN = 64
MOST_UNFETCHED = 16 * 1024 * 1024
#: After this time an answer says what is known.
HURRY_S = 1.0
#: How often a run without an event loop polls the socket.
POLL_S = 0.05


class LiveCore(Protocol):
    """What the live socket needs of world/live.py."""

    def ask(
        self, request: control.LiveRequest, reply: Callable[[control.LiveAnswer], None]
    ) -> Ticket: ...
    def hurry(self, ticket: Ticket) -> None: ...
    def close(self) -> None: ...


class Connection:
    """One client: `feed` what came; answers go to `write`, and `hang_up` ends the connection.

    `later(action)` calls it when an answer is overdue.
    """

    def __init__(
        self,
        live: LiveCore,
        write: Callable[[bytes], None],
        hang_up: Callable[[], None],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self._live, self._write, self._hang_up, self._later = live, write, hang_up, later
        self._splitter = FrameSplitter(MOST_BYTES)
        self._open = 0
        self.gone = False

    @property
    def idle(self) -> bool:
        """Whether no answer is awaited: the connection may be closed."""
        return not self._open

    def feed(self, data: bytes) -> None:
        """Bytes have come."""
        try:
            requests = [control.decode_live_request(body) for body in self._splitter.feed(data)]
        except (*wire.UNREADABLE, InfrastructureError) as error:
            self._end(f"a request that cannot be read: {error}")
            return
        for request in requests:
            if self.gone:
                return
            self._take(request)

    def _take(self, request: control.LiveRequest) -> None:
        if self._open >= MOST_OPEN:
            self._end(f"more than {MOST_OPEN} requests at a time")
            return
        self._open += 1
        ticket = self._live.ask(request, self._reply)
        if self._open:
            self._later(lambda: self._live.hurry(ticket))

    def _reply(self, answer: control.LiveAnswer) -> None:
        self._open -= 1
        if not self.gone:
            self._write(wire.frame(answer))

    def _end(self, why: str) -> None:
        self._write(wire.frame(control.Refused(0, why)))
        self.gone = True
        self._hang_up()


# --- served by an event loop ----------------------------------------------------------------------


class _ServedConnection(asyncio.Protocol):
    def __init__(self, owner: LiveSocket) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._connection: Connection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._owner.has_room():
            self._transport.abort()
            return
        self._owner.connections[self] = None
        self._connection = Connection(
            self._owner.live, self._write, transport.close, self._owner.later
        )

    def data_received(self, data: bytes) -> None:
        if self._connection is not None and not self._connection.gone:
            self._connection.feed(data)
            self._owner.after()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.connections.pop(self, None)
        if self._connection is not None:
            self._connection.gone = True

    @property
    def idle(self) -> bool:
        """Whether no answer is awaited: the connection may be closed."""
        return self._connection is not None and self._connection.idle

    def hang_up(self) -> None:
        """Close once the client has fetched all that was written."""
        if self._transport is not None:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        if self._transport.get_write_buffer_size() > MOST_UNFETCHED:
            self._transport.abort()
        else:
            self._transport.write(data)


class LiveSocket:
    """The live socket of a run that an event loop serves. `after`: the world's outbox may have something."""

    def __init__(self, live: LiveCore, after: Callable[[], None]) -> None:
        self.live, self.after = live, after
        self.connections: dict[_ServedConnection, None] = {}
        self._server: asyncio.AbstractServer | None = None

    async def open(self, listener: socket.socket) -> None:
        """Listen from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _ServedConnection(self), sock=listener)

    def has_room(self) -> bool:
        """Whether there is room for one more connection; if not, the first idle one is closed for it."""
        if len(self.connections) >= MOST_CONNECTIONS:
            idle = next((client for client in self.connections if client.idle), None)
            if idle is None:
                return False
            del self.connections[idle]
            idle.hang_up()
        return True

    def later(self, action: Callable[[], None]) -> None:
        """Do it when an answer is overdue."""

        def overdue() -> None:
            action()
            self.after()

        asyncio.get_running_loop().call_later(HURRY_S, overdue)

    def close(self) -> None:
        """The run is over: answer open requests, and accept no connection any more."""
        self.live.close()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.hang_up()


# --- polled between two batches -------------------------------------------------------------------


class PolledLiveSocket:
    """The live socket of a run without an event loop: `poll()` between two batches.

    `monotonic` gives real seconds, inside a step too; `next_poll_s`: a poll before that does nothing.
    """

    def __init__(
        self,
        live: LiveCore,
        listener: socket.socket,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live, self._listener, self._monotonic = live, listener, monotonic
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _PolledConnection] = {}
        self._overdue: list[tuple[float, Callable[[], None]]] = []
        self.next_poll_s = 0.0
        self._closed = False

    def poll(self, seconds: float = 0.0) -> bool:
        """Serve the clients, if the last poll is some time ago; or wait so many seconds for one.

        Returns early when a client comes or asks. Whether one was served, so that the run has to look.
        """
        if self._closed or not (seconds or self._monotonic() >= self.next_poll_s):
            return False
        return self._serve_all(seconds)

    def fileno(self) -> int | None:
        """A descriptor that is readable when a client comes or asks; None where there is none."""
        number = getattr(self._selector, "fileno", None)
        return None if self._closed or number is None else number()

    def on_readable(self) -> None:
        """Serve the clients now."""
        if not self._closed:
            self._serve_all(0.0)

    def _serve_all(self, seconds: float) -> bool:
        ready = self._selector.select(seconds)
        for key, _ in ready:
            if key.fileobj is self._listener:
                self._accept()
            else:
                self._clients[key.fileobj].on_data()  # type: ignore[index]
        now_s = self._monotonic()
        self.next_poll_s = now_s + POLL_S
        due = [action for when_s, action in self._overdue if when_s <= now_s]
        self._overdue = [entry for entry in self._overdue if entry[0] > now_s]
        for action in due:
            action()
        return bool(ready or due)

    def close(self) -> None:
        """The run is over. May be called again."""
        if self._closed:
            return
        self._closed, self.next_poll_s = True, math.inf
        self._live.close()
        for client in list(self._clients.values()):
            client.hang_up()
        self._selector.close()
        self._listener.close()

    def forget(self, client: _PolledConnection) -> None:
        """A client has left."""
        if self._clients.pop(client.socket, None) is not None:
            self._selector.unregister(client.socket)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            if not self._has_room():
                connection.close()
                return
            connection.setblocking(False)
            self._clients[connection] = _PolledConnection(self, self._live, connection, self._later)
            self._selector.register(connection, selectors.EVENT_READ)

    def _has_room(self) -> bool:
        if len(self._clients) >= MOST_CONNECTIONS:
            idle = next((client for client in self._clients.values() if client.idle), None)
            if idle is None:
                return False
            idle.hang_up()
        return True

    def _later(self, action: Callable[[], None]) -> None:
        self._overdue.append((self._monotonic() + HURRY_S, action))


class _PolledConnection:
    """One connection of a polled socket. An answer that does not fit into the socket's buffer ends it."""

    def __init__(
        self,
        owner: PolledLiveSocket,
        live: LiveCore,
        connection: socket.socket,
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self.socket, self._owner = connection, owner
        self._connection = Connection(live, self._write, self.hang_up, later)

    @property
    def idle(self) -> bool:
        return self._connection.idle

    def on_data(self) -> None:
        try:
            data = self.socket.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if data:
            self._connection.feed(data)
        else:
            self.hang_up()

    def hang_up(self) -> None:
        self._connection.gone = True
        self._owner.forget(self)
        self.socket.close()

    def _write(self, data: bytes) -> None:
        try:
            sent = self.socket.send(data)
        except (BlockingIOError, ConnectionError):
            sent = 0
        if sent < len(data):
            self.hang_up()
