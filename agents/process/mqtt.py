"""A node's connection to the broker: its inbox in, its messages out, for as long as the process lives.

Owns the aiomqtt client, its reconnecting, and the order and number of outstanding publishes. Does not
own what is in a payload, nor its delivery: what a broker loses, the receiver asks for again over the
emulator plane (process.py).

Rules: payloads leave in the order given, at QoS 0, and no more than `OUTSTANDING` are in paho's hands
at once. `deliver` is called from a plain callback of the loop, never from inside a task or paho: an
exception in it reaches the loop's exception handler.

aiomqtt connects, subscribes, pings and disconnects. The two hot paths go around its tasks and queues,
straight to the paho client beneath it: awaiting each publish is quadratic in the outstanding ones,
and the message iterator makes a task for every message.
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
from .settings import BrokerAddress

OUTSTANDING = 100
#: Reads of one readiness, so that a flood of payloads cannot starve the emulator's socket.
READS_AT_ONCE = 64
CONNECT_S = 10.0
#: One attempt: aiomqtt does not notice a line that is lost between connecting and being accepted.
ATTEMPT_S = 3.0
FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 0.02, 1.0
_NO_DELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]

Deliver = Callable[[str, bytes], None]


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
        deliver: Deliver,
        reconnected: Callable[[], None],
    ) -> None:
        """`deliver(source, payload)` per message; `reconnected()` after every later subscription."""
        self.connected = False
        self._address = address
        self._run_id, self._node, self._client_id = run_id, node, client_id
        self._deliver, self._reconnected = deliver, reconnected
        self._topics: dict[str, str] = {}
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._arrived: list[tuple[str, bytes]] = []
        self._loop = asyncio.get_running_loop()
        self._client: aiomqtt.Client | None = None
        self._paho: paho.Client | None = None
        self._corked = False
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
        outgoing, topics = self._outgoing, self._topics
        for destination, payload in messages:
            topic = topics.get(destination)
            if topic is None:
                topic = topics[destination] = inbox_topic(self._run_id, destination, self._node)
            message = (topic, payload)
            if self.connected or message not in outgoing:
                outgoing.append(message)
        self._flush()

    def describe(self) -> str:
        """How the line stands, for people."""
        state = "up" if self.connected else "down"
        return f"the line to the broker is {state}, {len(self._outgoing)} payloads are kept back"

    # --- the line ---------------------------------------------------------------------------------

    async def _connect(self, timeout_s: float) -> None:
        """One attempt: connection, subscription, and the two hot paths put in place."""
        client = client_of(self._address, max(timeout_s, 0.1), self._client_id)
        await client.__aenter__()
        # The paho client: aiomqtt has no callback interface of its own.
        line = client._client
        stream = line.socket()
        if not isinstance(stream, socket.socket):
            raise OSError("the connection was lost at once")
        line.disable_logger()
        line.on_publish = None  # builds two unused objects for every publish
        line.on_message = self._on_message
        line.on_socket_register_write = self._on_want_write
        self._client, self._paho = client, line
        self._loop.add_reader(stream.fileno(), self._readable)
        try:
            await client.subscribe(inbox_topic(self._run_id, self._node, "+"), qos=0)
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

    # --- in ---------------------------------------------------------------------------------------

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        self._arrived.append((message.topic.rpartition("/")[2], bytes(message.payload)))

    def _readable(self) -> None:
        line, arrived = self._paho, self._arrived
        if line is None:
            return
        for count in range(1, READS_AT_ONCE + 1):
            line.loop_read()
            if len(arrived) < count:
                break
        if arrived:
            self._arrived = []
            for source, payload in arrived:
                self._deliver(source, payload)

    # --- out --------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Hand payloads to paho and write, until all are out or the socket is full."""
        line, outgoing = self._paho, self._outgoing
        if line is None or not self.connected:
            return
        while True:
            self._corked = True
            if not line.want_write():
                for _ in range(min(len(outgoing), OUTSTANDING)):
                    line.publish(*outgoing.popleft())
            line.loop_write()
            self._corked = False
            if line.want_write():
                self._await_writable(line)
                return
            if not outgoing:
                return

    def _on_want_write(self, client: paho.Client, userdata: object, stream: object) -> None:
        # Pings and the subscription: they come one at a time, outside of _flush.
        if not self._corked:
            self._await_writable(client)

    def _await_writable(self, line: paho.Client) -> None:
        stream = line.socket()
        if isinstance(stream, socket.socket):
            # paho's own notice of an empty queue has aiomqtt remove the writer again.
            self._loop.add_writer(stream.fileno(), self._writable, line)

    def _writable(self, line: paho.Client) -> None:
        line.loop_write()
        if not line.want_write():
            self._flush()


async def _leave(client: aiomqtt.Client) -> None:
    with contextlib.suppress(aiomqtt.MqttError, OSError):
        await client.__aexit__(None, None, None)
