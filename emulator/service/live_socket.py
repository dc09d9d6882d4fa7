"""The desk's door: connections of those who speak to a run while it goes on.

Owns the conversation (bytes in, answers out), its limits, and the sockets: served by the emulator's event
loop, or looked after between two batches of a run that has no event loop. Does not own what is asked for
(desk.py).

Rules. Whatever comes through the door cannot disturb the run: a frame that is too long or cannot be read,
a request too many or an answer that nobody fetches ends that conversation, and no other. When all places are
taken, whoever has been answered and came first makes room for the next. Whoever leaves before the answer is
not waited for. The socket is in a folder that only the user may enter, so nobody has to prove who he is.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from typing import Protocol

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
#: After this time what is known must do for an answer.
HURRY_S = 1.0
#: How often a run without an event loop looks at the door.
LOOK_S = 0.05

#: Bound before a program's guards are there: inside a step the clock would be virtual.
_monotonic = time.monotonic


class DeskCore(Protocol):
    """What the door needs of desk.py."""

    def ask(
        self, request: control.LiveRequest, reply: Callable[[control.LiveAnswer], None]
    ) -> Ticket: ...
    def hurry(self, ticket: Ticket) -> None: ...
    def close(self) -> None: ...


class Conversation:
    """One connection: `feed` what came; answers go to `write`, and `hang_up` ends it."""

    def __init__(
        self,
        desk: DeskCore,
        write: Callable[[bytes], None],
        hang_up: Callable[[], None],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self._desk, self._write, self._hang_up, self._later = desk, write, hang_up, later
        self._splitter = FrameSplitter(MOST_BYTES)
        self._open = 0
        self.gone = False

    @property
    def idle(self) -> bool:
        """Whether nothing is being waited for: it may be ended without harm."""
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
        ticket = self._desk.ask(request, self._reply)
        if self._open:
            self._later(lambda: self._desk.hurry(ticket))

    def _reply(self, answer: control.LiveAnswer) -> None:
        self._open -= 1
        if not self.gone:
            self._write(wire.frame(answer))

    def _end(self, why: str) -> None:
        self._write(wire.frame(control.Refused(0, why)))
        self.gone = True
        self._hang_up()


# --- served by an event loop ----------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    def __init__(self, door: DeskDoor) -> None:
        self._door = door
        self._transport: asyncio.Transport | None = None
        self._conversation: Conversation | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not self._door.has_room():
            transport.abort()
            return
        self._door.connections[self] = None
        self._conversation = Conversation(
            self._door.desk, self._write, transport.close, self._door.later
        )

    def data_received(self, data: bytes) -> None:
        if self._conversation is not None and not self._conversation.gone:
            self._conversation.feed(data)
            self._door.after()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.connections.pop(self, None)
        if self._conversation is not None:
            self._conversation.gone = True

    @property
    def idle(self) -> bool:
        """Whether it may be ended without harm."""
        return self._conversation is not None and self._conversation.idle

    def hang_up(self) -> None:
        """Close once all that was written is fetched."""
        if self._transport is not None:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        assert self._transport is not None
        if self._transport.get_write_buffer_size() > MOST_UNFETCHED:
            self._transport.abort()
        else:
            self._transport.write(data)


class DeskDoor:
    """The door of a run that an event loop serves. `after` is called when something may have to go out."""

    def __init__(self, desk: DeskCore, after: Callable[[], None]) -> None:
        self.desk, self.after = desk, after
        self.connections: dict[_Connection, None] = {}
        self._server: asyncio.AbstractServer | None = None

    async def open(self, listener: socket.socket) -> None:
        """Listen from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=listener)

    def has_room(self) -> bool:
        """Whether one more may come in; if it is full, one who is idle goes."""
        if len(self.connections) >= MOST_CONNECTIONS:
            idle = next((guest for guest in self.connections if guest.idle), None)
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
        """The run is over: tell those who wait, and let nobody in any more."""
        self.desk.close()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.hang_up()


# --- looked after now and then --------------------------------------------------------------------


class PolledDoor:
    """The door of a run without an event loop: `look()` between two batches."""

    def __init__(self, desk: DeskCore, listener: socket.socket) -> None:
        self._desk, self._listener = desk, listener
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._guests: dict[socket.socket, _Guest] = {}
        self._overdue: list[tuple[float, Callable[[], None]]] = []
        self._next_look_s = 0.0
        self._closed = False

    def look(self, seconds: float = 0.0) -> None:
        """See to whoever has come, if the last look is some time ago; or comes within so many seconds.

        Returns early when somebody does.
        """
        if not self._closed and (seconds or _monotonic() >= self._next_look_s):
            self._see_to_all(seconds)

    def fileno(self) -> int | None:
        """A descriptor that is readable when somebody comes or asks; None where there is none."""
        number = getattr(self._selector, "fileno", None)
        return None if self._closed or number is None else number()

    def on_readable(self) -> None:
        """See to all who have come, now."""
        if not self._closed:
            self._see_to_all(0.0)

    def _see_to_all(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._listener:
                self._let_in()
            else:
                self._guests[key.fileobj].on_data()  # type: ignore[index]
        now_s = _monotonic()
        self._next_look_s = now_s + LOOK_S
        due = [action for when_s, action in self._overdue if when_s <= now_s]
        self._overdue = [entry for entry in self._overdue if entry[0] > now_s]
        for action in due:
            action()

    def close(self) -> None:
        """The run is over. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._desk.close()
        for guest in list(self._guests.values()):
            guest.hang_up()
        self._selector.close()
        self._listener.close()

    def forget(self, guest: _Guest) -> None:
        """A guest has left."""
        if self._guests.pop(guest.socket, None) is not None:
            self._selector.unregister(guest.socket)

    def _let_in(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            if not self._has_room():
                connection.close()
                return
            connection.setblocking(False)
            self._guests[connection] = _Guest(self, self._desk, connection, self._later)
            self._selector.register(connection, selectors.EVENT_READ)

    def _has_room(self) -> bool:
        if len(self._guests) >= MOST_CONNECTIONS:
            idle = next((guest for guest in self._guests.values() if guest.idle), None)
            if idle is None:
                return False
            idle.hang_up()
        return True

    def _later(self, action: Callable[[], None]) -> None:
        self._overdue.append((_monotonic() + HURRY_S, action))


class _Guest:
    """One connection of a polled door. An answer that does not fit into the socket's buffer ends it."""

    def __init__(
        self,
        door: PolledDoor,
        desk: DeskCore,
        connection: socket.socket,
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self.socket, self._door = connection, door
        self._conversation = Conversation(desk, self._write, self.hang_up, later)

    @property
    def idle(self) -> bool:
        return self._conversation.idle

    def on_data(self) -> None:
        try:
            data = self.socket.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if data:
            self._conversation.feed(data)
        else:
            self.hang_up()

    def hang_up(self) -> None:
        self._conversation.gone = True
        self._door.forget(self)
        self.socket.close()

    def _write(self, data: bytes) -> None:
        try:
            sent = self.socket.send(data)
        except (BlockingIOError, ConnectionError):
            sent = 0
        if sent < len(data):
            self.hang_up()
