"""The live socket: whatever a client sends, the run and the other clients are not disturbed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
import pytest

from qnetem.emulator import wire
from qnetem.emulator.service import live_socket
from qnetem.emulator.service.live_socket import LiveSocket, PolledLiveSocket
from qnetem.emulator.wire import control
from qnetem.emulator.wire.framing import FrameSplitter
from qnetem.runs.sockets import listening

from .test_server import FakeLive

PATIENCE_S = 20.0


class Client:
    """A client, blocking; `answers` until the other side hangs up."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self._splitter = FrameSplitter()
        self._bodies: list[bytes] = []

    def say(self, *messages: msgspec.Struct) -> None:
        self.socket.sendall(b"".join(map(wire.frame, messages)))

    def answer(self) -> control.LiveAnswer | None:
        while not self._bodies:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                return None
            if not data:
                return None
            self._bodies += self._splitter.feed(data)
        return control.decode_live_answer(self._bodies.pop(0))


class Place:
    """A live socket, however it is served."""

    def __init__(self, path: str, live: FakeLive) -> None:
        self.path, self.live = path, live
        self.clients: list[Client] = []

    def client(self) -> Client:
        self.clients.append(Client(self.path))
        return self.clients[-1]

    def works(self) -> bool:
        """Whether a client that behaves is served."""
        client = self.client()
        client.say(control.ListFaults(7))
        return client.answer() == control.FaultList(7, [])


@asynccontextmanager
async def served(path: str, live: FakeLive) -> AsyncIterator[None]:
    opened = LiveSocket(live, lambda: None)
    await opened.open(listening(path, 100))
    try:
        yield
    finally:
        opened.close()


def serve(path: str, live: FakeLive, ready: threading.Event, over: threading.Event) -> None:
    async def main() -> None:
        async with served(path, live):
            ready.set()
            await asyncio.to_thread(over.wait)

    asyncio.run(main())


def look_now_and_then(
    path: str, live: FakeLive, ready: threading.Event, over: threading.Event
) -> None:
    opened = PolledLiveSocket(live, listening(path, 100))
    ready.set()
    while not over.is_set():
        opened.poll(0.01)
        opened.poll()
    opened.close()


@pytest.fixture(params=[serve, look_now_and_then], ids=["event loop", "polled"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with opened(request.param, tmp_path) as opened_place:
        yield opened_place


@contextmanager
def opened(how: object, tmp_path: Path) -> Iterator[Place]:
    path, live = str(tmp_path / "live"), FakeLive()
    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=how, args=(path, live, ready, over))  # type: ignore[arg-type]
    thread.start()
    assert ready.wait(PATIENCE_S)
    here = Place(path, live)
    try:
        yield here
    finally:
        over.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        for client in here.clients:
            client.socket.close()
    assert live.closed == 1


def test_requests_of_several_clients_are_answered_each_with_its_number(place: Place) -> None:
    clients = [place.client() for _ in range(5)]
    for number, client in enumerate(clients):
        client.say(control.ListFaults(number), control.Inspect(number + 100))
    for number, client in enumerate(clients):
        assert client.answer() == control.FaultList(number, [])
        assert client.answer() == control.FaultList(number + 100, [])


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n" * 10,
        wire.HEADER.pack(live_socket.MOST_BYTES + 1),
        wire.HEADER.pack(2**32 - 1),
        wire.HEADER.pack(3) + b"abc",
        wire.frame(wire.Waits([])),
        wire.frame(control.Ready()),
        bytes(1000),
    ],
    ids=["http", "long", "huge", "undecodable", "a node's", "a launcher's", "zeros"],
)
def test_garbage_ends_that_conversation_with_a_reason_and_no_other(
    place: Place, garbage: bytes
) -> None:
    bystander, client = place.client(), place.client()
    client.socket.sendall(garbage)
    answer = client.answer()
    assert isinstance(answer, control.Refused)
    assert answer.problem.startswith("a request that cannot be read: ")
    assert client.answer() is None
    bystander.say(control.ListFaults(1))
    assert bystander.answer() == control.FaultList(1, [])
    assert place.works()


def test_who_leaves_in_the_middle_is_not_missed(place: Place) -> None:
    place.live.deaf = True
    for portion in (b"", b"\x00", wire.frame(control.Inspect(1)), wire.HEADER.pack(50) + b"half"):
        client = place.client()
        client.socket.sendall(portion)
        client.socket.close()
    place.live.deaf = False
    assert place.works()


def test_who_asks_without_end_and_fetches_nothing_is_left(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_socket, "MOST_UNFETCHED", 1 << 16)
    client = place.client()
    request = wire.frame(control.ListFaults(1)) * 500
    with contextlib.suppress(ConnectionError, TimeoutError):
        client.socket.settimeout(PATIENCE_S)
        for _ in range(2000):
            client.socket.sendall(request)
        pytest.fail("a client may ask without end")
    assert place.works()


def test_more_open_requests_than_any_client_needs_end_the_conversation(place: Place) -> None:
    place.live.deaf = True
    client = place.client()
    client.say(*[control.ListFaults(n) for n in range(live_socket.MOST_OPEN + 1)])
    assert client.answer() == control.Refused(0, "more than 64 requests at a time")
    assert client.answer() is None


def test_idle_clients_make_room_for_others(place: Place) -> None:
    clients = [place.client() for _ in range(live_socket.MOST_CONNECTIONS)]
    for client in clients:
        client.say(control.ListFaults(1))
        assert client.answer() is not None
    assert place.works()
    assert clients[0].answer() is None
    clients[1].say(control.ListFaults(2))
    assert clients[1].answer() == control.FaultList(2, [])


def test_clients_who_wait_for_an_answer_make_no_room_for_others(place: Place) -> None:
    place.live.deaf = True
    clients = [place.client() for _ in range(live_socket.MOST_CONNECTIONS)]
    for client in clients:
        client.say(control.ListFaults(1))
    place.live.asked(len(clients))
    assert place.client().answer() is None
    assert clients[0].answer() == control.FaultList(1, [])  # it is overdue


def test_an_answer_that_is_overdue_is_hurried(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_socket, "HURRY_S", 0.02)
    place.live.deaf = True
    client = place.client()
    client.say(control.Inspect(9))
    assert client.answer() == control.FaultList(9, [])
