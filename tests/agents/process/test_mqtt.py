"""The connection to the broker: what a step costs on it, what any client reads, and what disturbs it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import os
import queue
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from qnetem.agents.messages import seal
from qnetem.agents.process import mqtt
from qnetem.agents.process.mqtt import Inbox, Payload, Wire, inbox_topic
from qnetem.agents.process.packets import publish_packet, topic_field
from qnetem.agents.process.settings import BrokerAddress
from qnetem.broker.broker import Broker
from qnetem.emulator import event_loops
from tests.accounts import LOGIN, address, client, open_broker

PATIENCE_S = 10.0
ENVELOPES = [seal(number, 1, "k", b'{"n":%d}' % number) for number in range(1, 6)]


class Torn(Inbox):
    """Connects once, is lost at once, and then meets an error that is not foreseen."""

    attempts = 0

    async def _connect(self, timeout_s: float) -> None:
        self.attempts += 1
        if self.attempts > 1:
            raise RuntimeError("this is not foreseen")
        self.connected = True

    async def _until_lost(self) -> None:
        await asyncio.sleep(0)


async def test_a_line_that_can_not_be_kept_is_reported_to_the_process() -> None:
    loop = asyncio.get_running_loop()
    reported: asyncio.Future[Any] = loop.create_future()
    loop.set_exception_handler(lambda _, context: reported.set_result(context))
    inbox = Torn(
        BrokerAddress("127.0.0.1", 1), "run", "alice", "alice", lambda *_: None, lambda: None
    )
    await inbox.open()
    async with asyncio.timeout(PATIENCE_S):
        context = await reported
    assert "this is not foreseen" in str(context["exception"])
    # As an error of ours, which ends the process: a future's would only be noted.
    assert "future" not in context
    assert "task" not in context


# --- with a broker --------------------------------------------------------------------------------


class Socket:
    """Between an inbox and its socket: counts what it reads by itself."""

    def __init__(self, real: socket.socket) -> None:
        self._real = real
        self.reads = 0

    def recv(self, size: int) -> bytes:
        self.reads += 1
        return self._real.recv(size)

    def waiting(self) -> int:
        """Bytes that are here and unread."""
        try:
            return len(self._real.recv(10**6, socket.MSG_PEEK))
        except BlockingIOError:
            return 0


class Line:
    """The inbox of bob, and what it delivers. `wanted`: whether a grant waits."""

    def __init__(self, broker: Broker) -> None:
        self.wanted = False
        self.delivered: list[list[Payload]] = []
        self.inbox = Inbox(
            address(broker), "run", "bob", "bob", self.delivered.append, lambda: None,
            lambda: self.wanted,
        )  # fmt: skip

    @property
    def wire(self) -> Wire:
        assert self.inbox._wire is not None
        return self.inbox._wire

    def watched(self) -> Socket:
        """Look at the socket from now on."""
        spy = Socket(self.wire.stream)
        self.wire.stream = spy  # type: ignore[assignment]
        return spy

    def writes(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The sizes of what is written from now on."""
        sizes: list[int] = []
        send = self.wire.send
        monkeypatch.setattr(self.wire, "send", lambda data: sizes.append(len(data)) or send(data))
        return sizes


@asynccontextmanager
async def _lines(folder: Path) -> AsyncIterator[tuple[Line, Broker]]:
    async with open_broker("mosquitto", folder / "broker") as broker:
        line = Line(broker)
        await line.inbox.open()
        yield line, broker
        await line.inbox.close()


@pytest.fixture
async def here(tmp_path: Path, mosquitto: str) -> AsyncIterator[tuple[Line, Broker]]:
    async with _lines(tmp_path) as found:
        yield found


async def until(test: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not test():  # noqa: ASYNC110 - what a socket holds has no event
            await asyncio.sleep(0.002)


async def test_a_step_is_one_write_and_one_packet_for_each_node_that_any_client_reads(
    here: tuple[Line, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of another library, which knows only what docs/watching.md says."""
    line, broker = here
    found: queue.Queue[tuple[str, Any]] = queue.Queue()
    subscribed = asyncio.Event()
    loop = asyncio.get_running_loop()
    watcher = paho.Client(paho.CallbackAPIVersion.VERSION2)
    watcher.username_pw_set(LOGIN.username, LOGIN.password)
    watcher.on_message = lambda _, __, message: found.put(
        (message.topic, json.loads(message.payload))
    )
    watcher.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    watcher.connect(broker.host, broker.port)
    watcher.subscribe("qnetem/v1/run/#")
    watcher.loop_start()
    try:
        await asyncio.wait_for(subscribed.wait(), PATIENCE_S)
        writes = line.writes(monkeypatch)
        one, two, three, four, five = ENVELOPES
        line.inbox.publish(
            [("alice", one), ("carol", two), ("alice", three), ("dave", four), ("alice", five)]
        )
        seen = [await asyncio.to_thread(found.get, timeout=PATIENCE_S) for _ in range(3)]
    finally:
        watcher.loop_stop()
    assert len(writes) == 1
    assert seen == [
        (inbox_topic("run", "alice", "bob"), [json.loads(each) for each in (one, three, five)]),
        (inbox_topic("run", "carol", "bob"), json.loads(two)),
        (inbox_topic("run", "dave", "bob"), json.loads(four)),
    ]


async def test_payloads_wait_unread_until_a_grant_needs_them_and_come_in_one_read(
    here: tuple[Line, Broker],
) -> None:
    line, broker = here
    async with client(broker) as alice:
        topic = inbox_topic("run", "bob", "alice")
        await alice.publish(topic, b"early")  # nothing waits for it: from now on the socket is left
        await until(lambda: bool(line.delivered))
        spy = line.watched()
        packet = len(topic) + 4
        for number in range(10):
            await alice.publish(topic, b"%d" % number)
        await until(lambda: spy.waiting() == 10 * (packet + 1))
        before = spy.reads
        assert line.inbox.look() == [("alice", b"%d" % number) for number in range(10)]
        assert spy.reads == before + 1
        line.wanted = True
        line.inbox.listen()
        await alice.publish(topic, b"awaited")
        await until(lambda: [("alice", b"awaited")] in line.delivered)
        assert not line.wire._paused, "it was awaited: the next one may be, too"


async def test_what_no_grant_awaits_is_taken_from_the_broker_all_the_same(
    here: tuple[Line, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, broker = here
    monkeypatch.setattr(mqtt, "READ_BYTES", 100)  # many reads
    async with client(broker) as alice:
        for number in range(50):
            await alice.publish(inbox_topic("run", "bob", "alice"), b"%d" % number)
        await until(lambda: sum(map(len, line.delivered)) == 50)


async def test_several_messages_of_one_packet_are_delivered_one_by_one(
    here: tuple[Line, Broker],
) -> None:
    line, broker = here
    other = Line(broker)
    other.inbox._node, other.inbox._client_id = "alice", "alice"
    await other.inbox.open()
    line.wanted = True
    line.inbox.listen()
    other.inbox.publish([("bob", each) for each in ENVELOPES])
    await until(lambda: bool(line.delivered))
    await other.inbox.close()
    assert line.delivered == [[("alice", each) for each in ENVELOPES]]


async def test_megabytes_arrive_whole_and_no_ping_breaks_them(
    here: tuple[Line, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, broker = here
    writes = line.writes(monkeypatch)
    line.wire.stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200_000)
    payloads = [seal(number, 1, "k", b'"%b"' % (b"x" * 100_000)) for number in range(60)]
    async with client(broker) as alice:
        await alice.subscribe(inbox_topic("run", "alice", "+"))
        line.inbox.publish([("alice", payload) for payload in payloads[:30]])
        assert line.wire.full, "the rest is kept until the broker has taken some of it"
        line.inbox._paho._send_pingreq()
        line.inbox.publish([("alice", payload) for payload in payloads[30:]])
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(found) < len(payloads):
                found.append(json.loads((await anext(alice.messages)).payload))
    assert found == [json.loads(payload) for payload in payloads]
    assert max(writes) < 2 * mqtt.WRITE_BYTES
    await until(lambda: line.inbox._paho._ping_t == 0)  # the ping left among them, and was answered


async def test_what_is_written_last_is_handed_over_before_the_line_is_left(
    here: tuple[Line, Broker],
) -> None:
    line, broker = here
    payloads = [seal(number, 1, "k", b'"%b"' % (b"x" * 100_000)) for number in range(60)]
    async with client(broker) as alice:
        await alice.subscribe(inbox_topic("run", "alice", "+"))
        line.inbox.publish([("alice", payload) for payload in payloads])
        await line.inbox.close()
        async with asyncio.timeout(PATIENCE_S):
            found = [json.loads((await anext(alice.messages)).payload) for _ in payloads]
    assert found == [json.loads(payload) for payload in payloads]


async def test_a_line_on_which_little_is_said_is_kept_by_pings(
    tmp_path: Path, mosquitto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "CHORES_S", 0.01)
    async with _lines(tmp_path) as (line, _):
        wire, paho_client = line.wire, line.inbox._paho
        now_s = paho_client._last_msg_out
        paho_client._last_msg_out -= 100  # nothing was sent for longer than the broker waits
        await until(lambda: paho_client._last_msg_out > now_s)
        await until(lambda: paho_client._ping_t == 0)  # it was answered
        assert line.wire is wire and line.inbox.connected


async def test_a_broker_that_answers_no_ping_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CHORES_S", 0.01)
    with resetting_broker() as (address, _):
        again = asyncio.Event()
        inbox = Inbox(address, "run", "bob", "bob", lambda _: None, again.set)
        await inbox.open()
        line = inbox._paho
        line._last_msg_out -= 100
        await until(lambda: line._ping_t > 0)
        line._ping_t -= 100
        async with asyncio.timeout(PATIENCE_S):
            await again.wait()
        await inbox.close()


async def test_a_node_that_has_nothing_to_do_is_woken_by_no_chore(
    here: tuple[Line, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand that woke once a second kept each other from starting."""
    line, _ = here
    client = line.inbox._client
    assert client is not None
    await until(lambda: client._misc_task is not None and client._misc_task.done())
    due = [handle.when() for handle in asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
           if not handle.cancelled()]  # fmt: skip
    assert min(due) - asyncio.get_running_loop().time() > mqtt.CHORES_S / 2


async def test_what_is_no_mqtt_ends_the_line_and_a_new_one_is_made(
    here: tuple[Line, Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, _ = here
    wire = line.wire
    monkeypatch.setattr(line.inbox, "_received", lambda: b"\x30\x03\x00\x09a")
    assert line.inbox.look() == []
    monkeypatch.undo()
    assert not line.inbox.connected
    await until(lambda: line.inbox.connected)
    assert line.wire is not wire


# --- a broker that resets its lines ---------------------------------------------------------------


def _reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def _accept(
    listening: socket.socket, accepted: queue.Queue[socket.socket], reset_at_once: int
) -> None:
    """As much of a broker as is needed to be subscribed to, until `listening` is closed."""
    with contextlib.suppress(OSError):
        for number in itertools.count():
            end, _ = listening.accept()
            with end.makefile("rb") as stream:
                stream.read(stream.read(2)[1])  # CONNECT
                end.sendall(b"\x20\x02\x00\x00")
                if number < reset_at_once:
                    _reset(end)
                    continue
                packet = stream.read(stream.read(2)[1])  # SUBSCRIBE, which begins with its number
                end.sendall(b"\x90\x03" + packet[:2] + b"\x00")
            accepted.put(end)


@contextlib.contextmanager
def resetting_broker(
    reset_at_once: int = 0,
) -> Iterator[tuple[BrokerAddress, queue.Queue[socket.socket]]]:
    """A broker's address, and the ends there of what has subscribed. It resets so many lines before."""
    ends: queue.Queue[socket.socket] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_accept, args=(listening, ends, reset_at_once))
        thread.start()
        yield BrokerAddress(*listening.getsockname()), ends
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    while not ends.empty():
        ends.get().close()


LOOPS = [asyncio.new_event_loop, event_loops.new_event_loop]


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("unread", [0, 1, 2, 40])
@pytest.mark.parametrize("loop_factory", LOOPS)
def test_a_line_that_is_reset_is_made_again_however_much_is_unread_on_it(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], unread: int, wanted: bool
) -> None:
    """After a reset uvloop looks at a watched socket once more, and then never again."""
    packet = publish_packet(topic_field(inbox_topic("run", "bob", "alice")), b"x" * 5_000)

    async def life(address: BrokerAddress, ends: queue.Queue[socket.socket]) -> None:
        again = asyncio.Event()
        inbox = Inbox(address, "run", "bob", "bob", lambda _: None, again.set, lambda: wanted)
        await inbox.open()
        end = ends.get()
        end.setblocking(False)
        for _ in range(unread):
            end.send(packet)
        _reset(end)
        async with asyncio.timeout(PATIENCE_S):
            await again.wait()
        assert inbox.connected
        await inbox.close()

    with resetting_broker() as broker, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(life(*broker))


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_lines_that_are_reset_before_they_are_subscribed_are_made_again(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """A broker that restarts: nothing is left open by them, and nothing is said in a node's log."""

    async def life(address: BrokerAddress) -> None:
        errors: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        files = len(os.listdir("/proc/self/fd"))
        inbox = Inbox(address, "run", "bob", "bob", lambda _: None, lambda: None)
        await inbox.open()
        assert len(os.listdir("/proc/self/fd")) <= files + 4, "what was reset is closed"
        await inbox.close()
        gc.collect()
        await asyncio.sleep(0)
        assert not errors

    with resetting_broker(5) as (address, _), asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(life(address))
