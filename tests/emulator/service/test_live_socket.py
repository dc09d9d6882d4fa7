"""The desk's door: whatever comes through it, the run and the other guests do not notice."""

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
from qnetem.emulator.service import live_socket as desk_door
from qnetem.emulator.service.live_socket import DeskDoor, PolledDoor
from qnetem.emulator.wire import control
from qnetem.emulator.wire.framing import FrameSplitter
from qnetem.runs.sockets import listening

from .test_server import FakeDesk

PATIENCE_S = 20.0


class Guest:
    """Somebody at the door, blocking; `answers` until the other side hangs up."""

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
    """A door that is open, however it is served."""

    def __init__(self, path: str, desk: FakeDesk) -> None:
        self.path, self.desk = path, desk
        self.guests: list[Guest] = []

    def guest(self) -> Guest:
        self.guests.append(Guest(self.path))
        return self.guests[-1]

    def works(self) -> bool:
        """Whether a guest who behaves is served."""
        guest = self.guest()
        guest.say(control.ListFaults(7))
        return guest.answer() == control.FaultList(7, [])


@asynccontextmanager
async def served(path: str, desk: FakeDesk) -> AsyncIterator[None]:
    door = DeskDoor(desk, lambda: None)
    await door.open(listening(path, 100))
    try:
        yield
    finally:
        door.close()


def serve(path: str, desk: FakeDesk, ready: threading.Event, over: threading.Event) -> None:
    async def main() -> None:
        async with served(path, desk):
            ready.set()
            await asyncio.to_thread(over.wait)

    asyncio.run(main())


def look_now_and_then(
    path: str, desk: FakeDesk, ready: threading.Event, over: threading.Event
) -> None:
    door = PolledDoor(desk, listening(path, 100))
    ready.set()
    while not over.is_set():
        door.look(0.01)
        door.look()
    door.close()


@pytest.fixture(params=[serve, look_now_and_then], ids=["event loop", "polled"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with opened(request.param, tmp_path) as opened_place:
        yield opened_place


@contextmanager
def opened(how: object, tmp_path: Path) -> Iterator[Place]:
    path, desk = str(tmp_path / "desk"), FakeDesk()
    ready, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=how, args=(path, desk, ready, over))  # type: ignore[arg-type]
    thread.start()
    assert ready.wait(PATIENCE_S)
    here = Place(path, desk)
    try:
        yield here
    finally:
        over.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        for guest in here.guests:
            guest.socket.close()
    assert desk.closed == 1


def test_requests_of_several_guests_are_answered_each_with_its_number(place: Place) -> None:
    guests = [place.guest() for _ in range(5)]
    for number, guest in enumerate(guests):
        guest.say(control.ListFaults(number), control.Inspect(number + 100))
    for number, guest in enumerate(guests):
        assert guest.answer() == control.FaultList(number, [])
        assert guest.answer() == control.FaultList(number + 100, [])


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n" * 10,
        wire.HEADER.pack(desk_door.MOST_BYTES + 1),
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
    bystander, guest = place.guest(), place.guest()
    guest.socket.sendall(garbage)
    answer = guest.answer()
    assert isinstance(answer, control.Refused)
    assert answer.problem.startswith("a request that cannot be read: ")
    assert guest.answer() is None
    bystander.say(control.ListFaults(1))
    assert bystander.answer() == control.FaultList(1, [])
    assert place.works()


def test_who_leaves_in_the_middle_is_not_missed(place: Place) -> None:
    place.desk.deaf = True
    for portion in (b"", b"\x00", wire.frame(control.Inspect(1)), wire.HEADER.pack(50) + b"half"):
        guest = place.guest()
        guest.socket.sendall(portion)
        guest.socket.close()
    place.desk.deaf = False
    assert place.works()


def test_who_asks_without_end_and_fetches_nothing_is_left(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_door, "MOST_UNFETCHED", 1 << 16)
    guest = place.guest()
    request = wire.frame(control.ListFaults(1)) * 500
    with contextlib.suppress(ConnectionError, TimeoutError):
        guest.socket.settimeout(PATIENCE_S)
        for _ in range(2000):
            guest.socket.sendall(request)
        pytest.fail("a guest may ask without end")
    assert place.works()


def test_more_open_requests_than_anybody_needs_end_the_conversation(place: Place) -> None:
    place.desk.deaf = True
    guest = place.guest()
    guest.say(*[control.ListFaults(n) for n in range(desk_door.MOST_OPEN + 1)])
    assert guest.answer() == control.Refused(0, "more than 64 requests at a time")
    assert guest.answer() is None


def test_guests_who_have_been_answered_make_room_for_others(place: Place) -> None:
    guests = [place.guest() for _ in range(desk_door.MOST_CONNECTIONS)]
    for guest in guests:
        guest.say(control.ListFaults(1))
        assert guest.answer() is not None
    assert place.works()
    assert guests[0].answer() is None
    guests[1].say(control.ListFaults(2))
    assert guests[1].answer() == control.FaultList(2, [])


def test_guests_who_wait_for_an_answer_make_room_for_nobody(place: Place) -> None:
    place.desk.deaf = True
    guests = [place.guest() for _ in range(desk_door.MOST_CONNECTIONS)]
    for guest in guests:
        guest.say(control.ListFaults(1))
    place.desk.asked(len(guests))
    assert place.guest().answer() is None
    assert guests[0].answer() == control.FaultList(1, [])  # it is overdue


def test_an_answer_that_is_overdue_is_hurried(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_door, "HURRY_S", 0.02)
    place.desk.deaf = True
    guest = place.guest()
    guest.say(control.Inspect(9))
    assert guest.answer() == control.FaultList(9, [])
