"""A node's connection to the broker: its inbox in, its messages out, for as long as the process lives.

Owns the aiomqtt client, its reconnecting, the order of publishes, and when the broker's socket is read. Does
not own what a packet looks like (packets.py), what is in a payload, nor its delivery: what a broker loses,
the receiver asks for again over the emulator plane (process.py).

Rules: payloads leave in the order given, at QoS 0, all that a step has made in one write. `deliver` is called
from a plain callback of the loop, never from inside a task or paho: an exception in it reaches the loop's
exception handler. A payload may wait in the socket until a grant names it: while none does, a message that
comes wakes no process. A second later the socket is emptied all the same. A process that has nothing to do
sleeps: a thousand that woke once a second would keep each other from starting.

aiomqtt connects, subscribes, pings and disconnects. Messages go around its tasks and queues, and around the
paho client beneath it, which makes several system calls and some thirty Python calls of each: PUBLISH
packets are written and read here, and paho gets the bytes of all others. Once it is connected, the bytes of
both go through one transport of the loop (`Wire`). A socket that is only watched, as aiomqtt's is, does not
do on uvloop: after a reset it is watched no more, whether or not it has been read to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import aiomqtt
import paho.mqtt.client as paho

from ...emulator.errors import InfrastructureError
from ...emulator.wire.framing import short_path
from .packets import Malformed, PacketSplitter, apart, publish_packet, together, topic_field
from .settings import BrokerAddress

#: One read, and about one write: so a flood of payloads cannot starve the emulator's socket.
READ_BYTES, WRITE_BYTES = 65_536, 262_144
CONNECT_S = 10.0
#: How long payloads may stay in the socket, and how often paho looks whether a ping is due.
UNREAD_S, CHORES_S = 1.0, 15.0
#: One attempt: aiomqtt does not notice a line that is lost between connecting and being accepted.
ATTEMPT_S = 3.0
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.02, 1.0
_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]

#: A source and what it has sent.
Payload = tuple[str, bytes]


def inbox_topic(run_id: str, destination: str, source: str) -> str:
    """Where `source` publishes what `destination` shall receive."""
    return f"qnetem/v1/{run_id}/{destination}/inbox/{source}"


def client_of(address: BrokerAddress, timeout_s: float, name: str | None = None) -> aiomqtt.Client:
    """A client for the broker at an address, with the login there; `async with` connects it."""
    path = address.socket
    client = aiomqtt.Client(
        path or address.host,
        address.port or 1,  # not looked at where there is a path
        username=address.username,
        password=address.password,
        identifier=name,
        clean_session=True,
        timeout=timeout_s,
        transport="unix" if path else "tcp",
        socket_options=() if path else _NO_DELAY,
    )
    # paho's own takes no long path, waits for ever for a broker that hangs, and leaves open what is refused.
    line: Any = client._client
    line._create_unix_socket_connection = functools.partial(_dial, path, timeout_s)
    return client


def _dial(path: str, timeout_s: float) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.settimeout(timeout_s)
        with short_path(path) as reachable:
            line.connect(reachable)
    except OSError:
        line.close()
        raise
    return line


class Inbox:
    """The subscription of one node, and everything it publishes.

    Attributes: `connected` (the subscription stands).
    """

    def __init__(
        self,
        address: BrokerAddress,
        run_id: str,
        node: str,
        client_id: str,
        deliver: Callable[[list[Payload]], None],
        reconnected: Callable[[], None],
        awaited: Callable[[], bool] = lambda: True,
    ) -> None:
        """`deliver` gets what has come; `reconnected()` after every later subscription.

        `awaited()`: whether a grant waits for payloads; while it does not, they may stay in the socket.
        """
        self.connected = False
        self._address = address
        self._run_id, self._node, self._client_id = run_id, node, client_id
        self._deliver, self._reconnected, self._awaited = deliver, reconnected, awaited
        self._topics: dict[str, bytes] = {}
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._packets = PacketSplitter()
        self._loop = asyncio.get_running_loop()
        self._client: aiomqtt.Client | None = None
        self._paho: Any = None
        self._wire: Wire | None = None
        self._line_ended = self._leaving = False
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and subscribe, trying for `CONNECT_S` of real time; then stay connected for ever.

        Raises InfrastructureError that names the address and the last reason.
        """
        deadline = self._loop.time() + CONNECT_S
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                await self._connect(min(ATTEMPT_S, deadline - self._loop.time()))
                break
            except (aiomqtt.MqttError, OSError, TimeoutError) as error:
                if self._loop.time() + backoff_s >= deadline:
                    raise InfrastructureError(
                        f"the broker at {self._address.where} could not be reached in {CONNECT_S:g} s: "
                        f"{str(error) or type(error).__name__}",
                        self._node,
                    ) from error
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
        self._keeper = self._loop.create_task(self._keep())
        self._keeper.add_done_callback(self._ended)

    async def close(self) -> None:
        """Hand over what is still outgoing if the line stands, and leave."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        client, wire = self._client, self._wire
        if client is not None and wire is not None and self.connected:
            self._flush(wait=False)
            self.connected, self._leaving = False, True
            with contextlib.suppress(aiomqtt.MqttError, OSError):
                await client.__aexit__(None, None, None)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wire.closed, ATTEMPT_S)

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Send payloads `(destination, payload)`, in order; never waits.

        While the line is down they are kept, each once: receivers ask again and again.
        """
        outgoing = self._outgoing
        for message in messages:
            if self.connected or message not in outgoing:
                outgoing.append(message)
        self._flush()

    def look(self) -> list[Payload]:
        """What has come from the broker by now; waits for nothing."""
        data = self._received()
        return self._messages(data) if data else []

    def _messages(self, data: bytes) -> list[Payload]:
        """What `data` completes."""
        try:
            messages = self._packets.feed(data)
        except Malformed:
            self._hang_up()
            return []
        if self._packets.others:
            self._serve_paho()
        return [
            (self._origin(topic), payload)
            for topic, packet in messages
            for payload in apart(packet)
        ]

    def listen(self) -> None:
        """Payloads are awaited: `deliver` them as soon as they come."""
        if self._wire is not None:
            self._wire.listen()

    def describe(self) -> str:
        """How the line stands, for people."""
        state = "up" if self.connected else "down"
        return f"the line to the broker is {state}, {len(self._outgoing)} payloads are kept back"

    # --- topics: what another subscription has of its own -----------------------------------------

    def _inboxes(self) -> list[str]:
        return [inbox_topic(self._run_id, self._node, "+")]

    def _outbox(self, destination: str) -> str:
        return inbox_topic(self._run_id, destination, self._node)

    def _origin(self, topic: bytes) -> str:
        """What `deliver` gets of a topic: the source."""
        return topic.rpartition(b"/")[2].decode(errors="replace")

    # --- the line ---------------------------------------------------------------------------------

    async def _connect(self, timeout_s: float) -> None:
        """One attempt: connection, subscription, and the two hot paths put in place."""
        client = client_of(self._address, max(timeout_s, 0.1), self._client_id)
        # The paho client: aiomqtt has no callback interface of its own.
        line: Any = client._client
        client._disconnected.add_done_callback(_heed)
        try:
            await client.__aenter__()
            stream = line.socket()
            if not isinstance(stream, socket.socket):
                raise OSError("the connection was lost at once")
            self._loop.remove_reader(stream.fileno())
            wire = await Wire.of(stream, self._on_data, self._hang_up, self._flush)
            if wire.closed.done():
                raise OSError("the connection was lost at once")
        except BaseException:
            _abandon(client)
            raise
        line.disable_logger()
        line.on_message = self._on_message
        line.on_socket_register_write = self._on_want_write
        line.on_socket_unregister_write = None
        line.on_socket_close = functools.partial(self._on_close, wire, line.on_socket_close)
        self._later(wire, line.loop_misc)
        line.loop_misc = lambda: paho.MQTT_ERR_NO_CONN  # which ends aiomqtt's loop of them
        line._sock_recv = self._read_as_paho
        line._sock_send = wire.send
        self._client, self._paho, self._wire = client, line, wire
        self._packets, self._line_ended = PacketSplitter(), False
        subscribing: asyncio.Task[Any] = self._loop.create_task(
            client.subscribe([(inbox, 0) for inbox in self._inboxes()])
        )
        try:
            ends: list[asyncio.Future[Any]] = [subscribing, wire.closed]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if wire.closed.done():  # aiomqtt would wait for an answer all the same
                raise OSError("the connection was lost before the subscription stood")
            await subscribing
        except BaseException:
            subscribing.cancel()
            await asyncio.wait([subscribing])
            _abandon(client)
            raise
        self.connected = True

    async def _keep(self) -> None:
        """Whenever the line is lost, make a new one. Nothing is lost by it: receivers ask again."""
        while True:
            await self._until_lost()
            self.connected = False
            backoff_s = FIRST_BACKOFF_S
            while not self.connected:
                try:
                    await self._connect(ATTEMPT_S)
                except (aiomqtt.MqttError, OSError, TimeoutError):
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
            self._flush()
            # From a plain callback: it may step the node, which must not happen inside a task.
            self._loop.call_soon(self._reconnected)

    def _ended(self, keeper: asyncio.Task[None]) -> None:
        """Nothing awaits the keeper: an exception that it does not know must not end it in silence."""
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            message = "the line to the broker is kept no more"
            self._loop.call_exception_handler({"message": message, "exception": error})

    async def _until_lost(self) -> None:
        client = self._client
        if client is not None:
            # Nothing comes through the iterator (see _on_message): it only ends with the line.
            with contextlib.suppress(aiomqtt.MqttError):
                await anext(client.messages)

    def _hang_up(self) -> None:
        """The line is of no more use: paho reads its end, closes the socket, and ends the iterator."""
        self._line_ended = True
        self._packets.others.clear()
        if self._paho is not None:
            self._paho.loop_read()

    def _on_close(self, wire: Wire, then: Any, line: Any, userdata: object, stream: Any) -> None:
        """paho is about to close its socket: it has left, or the line is lost."""
        wire.close(hand_over=self._leaving)
        if self._wire is wire:
            self._wire = None
            self.connected = False
        then(line, userdata, stream)

    # --- in ---------------------------------------------------------------------------------------

    def _received(self) -> bytes:
        """What the socket has, if anything; its end is the line's."""
        if self._wire is None:
            return b""
        try:
            data = self._wire.stream.recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def _serve_paho(self) -> None:
        """What is no message is paho's: answers to pings and to the subscription."""
        line, others = self._paho, self._packets.others
        while others and line.socket() is not None:
            line.loop_read()

    def _read_as_paho(self, size: int) -> bytes:
        """What paho reads in place of the socket."""
        others = self._packets.others
        if not others and not self._line_ended:
            raise BlockingIOError
        data = bytes(others[:size])
        del others[:size]
        return data

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        """A message at another QoS than the subscription's: it is none of ours."""

    def _on_data(self, data: bytes) -> None:
        """From the transport, which would keep an exception to itself."""
        early = self.connected and not self._awaited()
        try:
            messages = self._messages(data)
            if early and len(data) < READ_BYTES and self._wire is not None:
                self._wire.pause()
            if messages:
                self._deliver(messages)
        except Exception as error:  # noqa: BLE001 - the loop's handler ends the process by it
            message = "what came from the broker could not be delivered"
            self._loop.call_exception_handler({"message": message, "exception": error})

    def _later(self, wire: Wire, chores: Callable[[], Any]) -> None:
        """paho's chores while the line stands: it pings, and closes what answers none."""

        def due() -> None:
            if not wire.closed.done():
                chores()
                self._loop.call_later(CHORES_S, due)

        self._loop.call_later(CHORES_S, due)

    # --- out --------------------------------------------------------------------------------------

    def _flush(self, wait: bool = True) -> None:
        """Write payloads until all are out or, if it may `wait`, the transport holds many."""
        wire = self._wire
        while self.connected and wire is not None and self._outgoing and not (wait and wire.full):
            wire.send(self._portion())

    def _portion(self) -> bytes:
        """Packets with the next payloads: those for one node together, in order."""
        outgoing = self._outgoing
        if len(outgoing) == 1:
            destination, payload = outgoing.popleft()
            return publish_packet(self._topic(destination), payload)
        by_destination: dict[str, list[bytes]] = {}
        size = 0
        while outgoing and size < WRITE_BYTES:
            destination, payload = outgoing.popleft()
            by_destination.setdefault(destination, []).append(payload)
            size += len(payload)
        return b"".join(
            publish_packet(self._topic(destination), packet)
            for destination, payloads in by_destination.items()
            for packet in together(payloads)
        )

    def _topic(self, destination: str) -> bytes:
        topic = self._topics.get(destination)
        if topic is None:
            topic = self._topics[destination] = topic_field(self._outbox(destination))
        return topic

    def _on_want_write(self, client: paho.Client, userdata: object, stream: object) -> None:
        """paho has something to send: a ping, the subscription, its leave. It holds a lock just now."""
        self._loop.call_soon(client.loop_write)


def _abandon(client: aiomqtt.Client) -> None:
    """Close a line that did not come to be: aiomqtt drops it, and leaves it open."""
    line: Any = client
    line._client._sock_close()
    line._disconnected.add_done_callback(_heed)


def _heed(ended: asyncio.Future[None]) -> None:
    """A line's end that is known without it: asyncio shall not say that it was ignored."""
    if not ended.cancelled():
        ended.exception()


class Wire(asyncio.Protocol):
    """The bytes of one connection to the broker, both ways.

    Attributes: `stream` (the socket, a copy of paho's, which it closes when it likes), `full` (much is
    written that the broker has not taken), `closed` (a future).
    """

    def __init__(
        self,
        stream: socket.socket,
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
        on_room: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.full = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_data, self._on_end, self._on_room = on_data, on_end, on_room
        self._transport: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False

    @classmethod
    async def of(
        cls,
        stream: socket.socket,
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
        on_room: Callable[[], None],
    ) -> Wire:
        """On a copy of a connected socket. `on_end()`: it ended by itself; `on_room()`: no more `full`."""
        loop = asyncio.get_running_loop()
        unix = stream.family == socket.AF_UNIX
        connect: Any = loop.create_unix_connection if unix else loop.create_connection
        copy = stream.dup()
        wire = cls(copy, on_data, on_end, on_room)
        try:
            await connect(lambda: wire, sock=copy)
        except BaseException:
            copy.close()
            raise
        return wire

    def listen(self) -> None:
        """Hand over what comes."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def pause(self) -> None:
        """Leave what comes in the socket for a while: a broker keeps no more, and a lost line shows."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(UNREAD_S, self._listen_again)

    def _listen_again(self) -> None:
        self._timer = None
        self.listen()

    def send(self, data: bytes) -> int:
        """Write all of it, now or later; the number of bytes."""
        self._transport.write(data)
        return len(data)

    def close(self, hand_over: bool) -> None:
        """End the connection, after what is written or at once."""
        self._on_end = lambda: None
        if hand_over:
            self._transport.close()
        else:
            self._transport.abort()

    # --- asyncio's protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)
        self._on_end()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._on_room()
