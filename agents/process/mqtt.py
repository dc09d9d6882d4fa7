"""A node's connection to the broker: its inbox in, its messages out, for as long as the process lives.

Owns the aiomqtt client, its reconnecting, the order of publishes, and when the broker's socket is read. Does
not own what a packet looks like (packets.py), what is in a payload, nor its delivery: what a broker loses,
the receiver asks for again over the emulator plane (process.py).

Rules: payloads leave in the order given, at QoS 0, all that a step has made in one write. `deliver` is called
from a plain callback of the loop, never from inside a task or paho: an exception in it reaches the loop's
exception handler. A payload may wait in the socket until a grant names it: while none does, a message that
comes wakes no process. The socket is looked at once a second all the same.

aiomqtt connects, subscribes, pings and disconnects. Messages go around its tasks and queues, and around the
paho client beneath it, which makes several system calls and some thirty Python calls of each: PUBLISH
packets are written and read here, and paho gets the bytes of all others. Both write to one socket, so each
begins only when the other has nothing that is half sent.
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
        #: What is left of a write that the socket has taken in part.
        self._unsent = memoryview(b"")
        self._packets = PacketSplitter()
        self._loop = asyncio.get_running_loop()
        self._client: aiomqtt.Client | None = None
        self._paho: Any = None
        self._stream: socket.socket | None = None
        self._listening = self._line_ended = False
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
        client = self._client
        if client is not None and self.connected:
            self._flush()
            self.connected = False
            await _leave(client)

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Send payloads `(destination, payload)`, in order; never waits.

        While the line is down they are kept, each once: receivers ask again and again.
        """
        outgoing = self._outgoing
        if self.connected:
            outgoing.extend(messages)
        else:
            outgoing.extend(message for message in messages if message not in outgoing)
        self._flush()

    def look(self) -> list[Payload]:
        """What has come from the broker by now; waits for nothing."""
        data = self._received()
        if not data:
            return []
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
        if not self._listening and self._stream is not None:
            self._listening = True
            self._loop.add_reader(self._stream.fileno(), self._readable)

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
        await client.__aenter__()
        # The paho client: aiomqtt has no callback interface of its own.
        line: Any = client._client
        stream = line.socket()
        if not isinstance(stream, socket.socket):
            raise OSError("the connection was lost at once")
        line.disable_logger()
        line.on_message = self._on_message
        line.on_socket_register_write = self._on_want_write
        line.on_socket_close = functools.partial(self._on_close, line.on_socket_close)
        line.loop_misc = functools.partial(self._each_second, line.loop_misc)
        line._sock_recv = self._read_as_paho
        self._client, self._paho, self._stream = client, line, stream
        self._packets, self._unsent = PacketSplitter(), memoryview(b"")
        self._line_ended = self._listening = False
        self.listen()
        try:
            await client.subscribe([(inbox, 0) for inbox in self._inboxes()])
        except aiomqtt.MqttError:
            await _leave(client)
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
        """Nobody awaits the keeper: an exception that it does not know must not end it in silence."""
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

    def _on_close(self, then: Any, line: paho.Client, userdata: object, stream: Any) -> None:
        """paho is about to close the socket."""
        if stream is not None and stream is self._stream:
            self._stream, self._unsent = None, memoryview(b"")
            self.connected = self._listening = False
            self._loop.remove_writer(stream.fileno())
        then(line, userdata, stream)  # aiomqtt removes the reader

    # --- in ---------------------------------------------------------------------------------------

    def _received(self) -> bytes:
        """What the socket has, if anything; its end is the line's."""
        if self._stream is None:
            return b""
        try:
            data = self._stream.recv(READ_BYTES)
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

    def _readable(self) -> None:
        early = self.connected and not self._awaited()
        messages = self.look()
        if early and self._listening and self._stream is not None:
            self._listening = False
            self._loop.remove_reader(self._stream.fileno())
        if messages:
            self._deliver(messages)

    def _each_second(self, then: Callable[[], Any]) -> Any:
        """aiomqtt's chores, in a task of its own. A socket that no reader watches is looked at, too.

        So it does not fill up, and a line that is lost is noticed.
        """
        if not self._listening:
            self._loop.call_soon(self._readable)
        return then()

    # --- out --------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Write payloads until all are out or the socket is full."""
        line = self._paho
        while self.connected and self._outgoing and not self._unsent:
            if line.want_write():  # a ping, perhaps half sent
                self._await_writable()
                return
            self._unsent = memoryview(self._portion())
            self._send_rest()

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

    def _send_rest(self) -> None:
        if self._stream is None:
            return
        try:
            sent = self._stream.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._hang_up()
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._await_writable()

    def _on_want_write(self, client: paho.Client, userdata: object, stream: object) -> None:
        """paho has something to send: a ping, the subscription, its leave."""
        self._await_writable()

    def _await_writable(self) -> None:
        if self._stream is not None:
            self._loop.add_writer(self._stream.fileno(), self._writable)

    def _writable(self) -> None:
        if self._unsent:
            self._send_rest()
        elif self._paho.want_write():
            self._paho.loop_write()
        if self._stream is not None and not self._unsent and not self._paho.want_write():
            self._loop.remove_writer(self._stream.fileno())
            self._flush()


async def _leave(client: aiomqtt.Client) -> None:
    with contextlib.suppress(aiomqtt.MqttError, OSError):
        await client.__aexit__(None, None, None)
