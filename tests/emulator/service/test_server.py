"""The emulator's shell: connections, Hello, refusals, the outbox, the end. The world is a fake."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from qnetem.emulator import wire
from qnetem.emulator.errors import InputError, QnetemError
from qnetem.emulator.record.refusals import count_refusals
from qnetem.emulator.service import connections, server
from qnetem.emulator.service.workers import Workers
from qnetem.emulator.wire import control
from qnetem.emulator.wire.framing import FrameSplitter
from qnetem.emulator.wire.worker_frames import Worker
from qnetem.emulator.world import live

STATUS_S = 20.0


class FakeLive:
    """Answers every request with an empty list of faults, or never (`deaf`)."""

    def __init__(self) -> None:
        self.deaf = False
        self.closed = 0
        self._requests = threading.Semaphore(0)

    def ask(
        self, request: control.LiveRequest, reply: Callable[[control.LiveAnswer], None]
    ) -> live.Ticket:
        self._requests.release()
        if not self.deaf:
            reply(control.FaultList(request.number, []))
        return live.Ticket(request.number, reply)

    def hurry(self, ticket: live.Ticket) -> None:
        ticket.reply(control.FaultList(ticket.number, []))

    def close(self) -> None:
        self.closed += 1

    def asked(self, times: int) -> None:
        """Wait until so many more requests have come; from another thread than the socket's."""
        for _ in range(times):
            assert self._requests.acquire(timeout=STATUS_S)


class FakeWorld:
    """Notes what it is told; `answers` maps a message's class to what goes out."""

    def __init__(self) -> None:
        self.outbox: list[tuple[str, msgspec.Struct]] = []
        self.over = False
        self.resume_in_s: float | None = None
        self.settle_in_s: float | None = None
        self.heard: list[object] = []
        self.awaited: list[tuple[str, str]] = []
        self.news = asyncio.Event()
        self.answers: dict[type, list[tuple[str, msgspec.Struct]]] = {}
        self.live = FakeLive()

    def note(self, *what: object) -> None:
        self.heard.append(what[0] if len(what) == 1 else what)
        self.news.set()

    def start(self) -> None:
        self.note("start")

    def authenticate(self, hello: wire.Hello) -> str | None:
        return None if hello.token == "good" else f"wrong token for {hello.node}"

    def receive(self, node: str, incarnation: int, message: wire.ToEmulator) -> None:
        self.note(node, incarnation, message)
        self.outbox += self.answers.get(type(message), [])

    def worked(self, node: str, worked_s: float) -> None:
        if worked_s:
            self.note("worked", node, worked_s)

    def disconnected(self, node: str, incarnation: int, worker: Worker | None) -> None:
        self.note("disconnected", node, incarnation)

    def exited(self, node: str, incarnation: int, status: int, worker: Worker | None) -> None:
        words = [worker.words, worker.at_work] if worker is not None else []
        self.note("exited", node, incarnation, status, *words)

    def interrupt(self, reason: str, exit_code: int) -> None:
        self.note("interrupt", reason, exit_code)
        self.end()

    def fail(self, error: QnetemError) -> None:
        self.note("fail", type(error).__name__, str(error))

    def stalled(self, node: str, stacks: str) -> None:
        self.note("stalled", node, stacks)

    def silent(self) -> list[str]:
        return []

    def missing(self) -> list[tuple[str, str]]:
        return self.awaited

    def progress(self) -> control.Progress:
        return control.Progress(5, 1, {}, {})

    def resume(self) -> None:
        self.resume_in_s = None
        self.note("resume")

    def settle(self) -> None:
        self.settle_in_s = None
        self.note("settle")

    def end(self) -> None:
        self.over = True
        self.outbox.append(("alice", wire.Stop()))
        self.outbox.append(("", control.Outcome("n", 1, "d", 0, 0.0, 0, {}, {}, {})))

    async def hears(self, test: Callable[[object], bool]) -> object:
        async with asyncio.timeout(STATUS_S):
            while True:
                for what in self.heard:
                    if test(what):
                        return what
                self.news.clear()
                await self.news.wait()


class Peer:
    """The other end of a stream, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._splitter, self._bodies = FrameSplitter(), list[bytes]()

    async def body(self) -> bytes | None:
        async with asyncio.timeout(STATUS_S):
            while not self._bodies:
                data = await self.reader.read(65536)
                if not data:
                    self.writer.close()
                    return None
                self._bodies += self._splitter.feed(data)
        return self._bodies.pop(0)

    def say(self, *messages: msgspec.Struct) -> None:
        self.writer.write(b"".join(map(wire.frame, messages)))

    async def ends(self) -> bool:
        try:
            return await self.body() is None
        except ConnectionResetError:
            return True


class Stage:
    """A server around a fake world, its launcher's end, and a way to connect."""

    def __init__(self, world: FakeWorld, path: Path, launcher: Peer) -> None:
        self.world, self.path, self.launcher = world, path, launcher
        self.task: asyncio.Task[None] | None = None
        self.drain: Callable[[], None] = lambda: None
        self.peers = [launcher]

    async def connect(self) -> Peer:
        peer = Peer(*await asyncio.open_unix_connection(str(self.path)))
        self.peers.append(peer)
        return peer

    async def alice(self) -> Peer:
        peer = await self.connect()
        peer.say(wire.Hello("alice", 1, "good", 1))
        await self.world.hears(lambda what: isinstance(what, tuple) and what[0] == "alice")
        return peer


@asynccontextmanager
async def stage(
    tmp_path: Path, silent_s: float = 30.0, workers: Workers | None = None
) -> AsyncIterator[Stage]:
    world = FakeWorld()
    ours, theirs = socket.socketpair()
    path = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    theirs.setblocking(False)
    launcher = Peer(*await asyncio.open_connection(sock=ours))
    here = Stage(world, path, launcher)
    shell = server.Server(world, str(tmp_path), silent_s, workers)
    here.task = asyncio.create_task(shell.serve(theirs, listener))
    here.drain = shell.drain
    await world.hears(lambda what: what == "start")
    try:
        yield here
    finally:
        if not here.task.done():
            world.end()
            shell.drain()
        launcher_closed = asyncio.create_task(drained(launcher))
        for connection in list(shell.connections):
            if connection.transport is not None:
                connection.transport.abort()
        async with asyncio.timeout(STATUS_S):
            await asyncio.gather(here.task, launcher_closed, return_exceptions=True)
        for peer in here.peers:
            peer.writer.close()
            with contextlib.suppress(OSError):
                await peer.writer.wait_closed()


async def drained(launcher: Peer) -> None:
    while await launcher.body() is not None:
        pass


async def test_the_launcher_is_told_ready_first_and_then_progress(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        messages = [control.decode_from_emulator(await here.launcher.body() or b"") for _ in "12"]
        assert messages == [control.Ready(), control.Progress(5, 1, {}, {})]


async def test_a_good_hello_reaches_the_world_and_its_answer_the_node(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        here.world.answers[wire.Hello] = [("alice", wire.Grant(7, 0)), ("bob", wire.Stop())]
        alice = await here.alice()
        body = await alice.body()
        assert body is not None
        assert wire.decode_to_node(body) == wire.Grant(7, 0)


async def test_frames_for_one_node_keep_their_order_in_one_drain(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        grants = [wire.Grant(t, 0) for t in range(5)]
        here.world.answers[wire.Hello] = [("alice", grant) for grant in grants]
        alice = await here.alice()
        found = [wire.decode_to_node(await alice.body() or b"") for _ in grants]
        assert found == grants


async def test_in_real_time_the_world_is_resumed_when_it_asked_to_be(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        here.world.resume_in_s = 0.01
        here.launcher.say(control.Exited("alice", 1, 0))
        await here.world.hears(lambda what: what == "resume")
        assert here.world.heard.count("resume") == 1


@pytest.mark.parametrize("kind", ["hello", "exit"])
async def test_a_process_that_neither_comes_nor_goes_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(server, "MISSING_S", 0.1)
    monkeypatch.setattr(server, "PROGRESS_S", 0.01)
    async with stage(tmp_path, silent_s=0.1) as here:
        here.world.awaited = [(kind, "alice"), (kind, "bob")]
        found = await here.world.hears(
            lambda what: isinstance(what, tuple) and what[0] == "stalled"
        )
    assert isinstance(found, tuple)
    assert found[1:] == ("alice", f"{server._MISSING[kind]} for 0.1 s\n")


@pytest.mark.parametrize("last", [wire.Report(0, 0), wire.Waits([]), wire.Have("bob", 1), "exit"])
async def test_what_leaves_the_outbox_empty_arms_the_timer_of_the_next_instant_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: msgspec.Struct | str
) -> None:
    """Without a tick of the progress line, which would come to the rescue 100 ms later."""
    monkeypatch.setattr(server, "PROGRESS_S", 3600.0)
    async with stage(tmp_path) as here:
        alice = await here.alice()
        here.world.resume_in_s = 0.001
        if isinstance(last, str):
            here.launcher.say(control.Exited("bob", 1, 0))
        else:
            alice.say(last)
        await here.world.hears(lambda what: what == "resume")


async def test_a_wrong_token_is_refused_by_name_and_the_connection_closed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path) as here:
        stranger = await here.connect()
        stranger.say(wire.Hello("alice", 1, "bad", 1), wire.Waits([]))
        assert await stranger.ends()
        assert here.world.heard == ["start"]
    error = capsys.readouterr().err
    assert "wrong token for alice" in error
    assert "bad" not in error


@pytest.mark.parametrize(
    "nonsense",
    [
        wire.HEADER.pack(wire.MAX_FRAME + 1),
        wire.HEADER.pack(3) + b"abc",
        wire.frame(wire.Waits([])),
        wire.HEADER.pack(100_000)
        + b"\x9a\xa6Report\x00\x00\xc0\x90\x90\x90\x90"
        + b"\x91" * 99_986,
        wire.HEADER.pack(15) + b"\x96\xa5Hello\xa2\xff\xfe\x01\xa1a\x01\x01",
    ],
    ids=["too long", "undecodable", "no hello", "nested without end", "not UTF-8"],
)
async def test_a_connection_that_sends_nonsense_is_closed_and_no_node_is_disturbed(
    tmp_path: Path, nonsense: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path) as here:
        stranger = await here.connect()
        stranger.writer.write(nonsense)
        assert await stranger.ends()
        assert here.world.heard == ["start"]
    assert "refused a stranger" in capsys.readouterr().err


@pytest.mark.parametrize(
    "nonsense", [wire.HEADER.pack(2**32 - 1), wire.HEADER.pack(2) + b"\xc1\xc1"]
)
async def test_a_node_that_talks_nonsense_ends_the_run_with_its_name(
    tmp_path: Path, nonsense: bytes
) -> None:
    async with stage(tmp_path) as here:
        alice = await here.alice()
        alice.writer.write(nonsense)
        failure = await here.world.hears(lambda what: isinstance(what, tuple) and what[0] == "fail")
        assert isinstance(failure, tuple)
        assert failure[1] == "InternalError"
        assert "alice.1" in failure[2]
        assert await alice.ends()


async def test_a_connection_without_hello_cannot_fill_memory(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        stranger = await here.connect()
        stranger.writer.write(wire.HEADER.pack(connections.HELLO_BYTES + 1))
        assert await stranger.ends()
        alice = await here.alice()  # whose frames may be long, once she is known
        alice.say(wire.Have("b" * 2 * connections.HELLO_BYTES, 1))
        await here.world.hears(lambda what: what == ("alice", 1, wire.Have("b" * 8192, 1)))


async def test_connections_without_hello_make_room_for_those_with_one(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        alice = await here.alice()
        strangers = [await here.connect() for _ in range(server.MOST_UNIDENTIFIED)]
        here.world.answers[wire.Hello] = [("bob", wire.Grant(9, 0))]
        bob = await here.connect()
        bob.say(wire.Hello("bob", 1, "good", 2))
        assert wire.decode_to_node(await bob.body() or b"") == wire.Grant(9, 0)
        assert await strangers[0].ends()
        strangers[1].say(wire.Hello("carol", 1, "good", 3))  # the others are not disturbed
        await here.world.hears(lambda what: isinstance(what, tuple) and what[0] == "carol")
        here.world.answers[wire.Waits] = [("alice", wire.Grant(3, 0))]
        alice.say(wire.Waits([]))
        assert wire.decode_to_node(await alice.body() or b"") == wire.Grant(3, 0)
    assert count_refusals(tmp_path) == 1


async def test_more_files_than_the_system_allows_end_the_run_by_name(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        loop = asyncio.get_running_loop()
        full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        loop.call_exception_handler({"message": "socket.accept() out of system resource",
                                     "exception": full})  # fmt: skip
        failure = await here.world.hears(lambda what: isinstance(what, tuple) and what[0] == "fail")
        assert isinstance(failure, tuple) and failure[1] == "InfrastructureError"
        assert "Too many open files" in failure[2] and "ulimit -n" in failure[2]


async def test_who_says_no_hello_in_time_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HELLO_S", 0.05)
    async with stage(tmp_path) as here:
        stranger = await here.connect()
        assert await stranger.ends()


async def test_a_node_that_hangs_up_is_reported_once_with_its_incarnation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "EXIT_S", 0.05)
    async with stage(tmp_path) as here:
        alice = await here.alice()
        alice.writer.close()
        await here.world.hears(lambda what: what == ("disconnected", "alice", 1))
    assert here.world.heard.count(("disconnected", "alice", 1)) == 1


async def test_a_new_incarnation_takes_the_name_and_the_old_ones_end_is_not_its(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "EXIT_S", 0.05)
    async with stage(tmp_path) as here:
        old = await here.alice()
        new = await here.connect()
        here.world.answers[wire.Hello] = [("alice", wire.Grant(9, 0))]
        new.say(wire.Hello("alice", 2, "good", 2))
        assert wire.decode_to_node(await new.body() or b"") == wire.Grant(9, 0)
        old.writer.close()
        new.writer.close()
        await here.world.hears(lambda what: what == ("disconnected", "alice", 2))
        assert ("disconnected", "alice", 1) not in here.world.heard


async def test_the_launchers_words_reach_the_world(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        here.launcher.say(control.Exited("alice", 1, -9), control.Interrupt("enough", 130))
        await here.world.hears(lambda what: what == ("interrupt", "enough", 130))
        assert ("exited", "alice", 1, -9) in here.world.heard


async def test_the_last_words_of_a_process_are_heard_before_its_end(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        alice = await here.alice()
        here.launcher.say(control.Exited("alice", 1, 3), control.Exited("bob", 1, -9))
        await here.world.hears(lambda what: what == ("exited", "bob", 1, -9))
        words = wire.Failed("infrastructure", "the disk is full", "", 0)
        alice.say(words)
        alice.writer.close()
        await here.world.hears(lambda what: what == ("exited", "alice", 1, 3))
        assert here.world.heard[-2:] == [("alice", 1, words), ("exited", "alice", 1, 3)]


async def test_last_words_are_heard_of_a_process_to_whom_we_wrote_when_it_was_gone(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as here:
        with socket.socket(socket.AF_UNIX) as alice:
            alice.connect(str(here.path))
            alice.sendall(wire.frame(wire.Hello("alice", 1, "good", 1)))
            await here.world.hears(lambda what: isinstance(what, tuple) and what[0] == "alice")
            words = wire.Failed("infrastructure", "the disk is full", "", 0)
            alice.sendall(wire.frame(words))
        # Nothing of that is read yet; the write fails, and with it the connection.
        here.world.outbox.append(("alice", wire.Grant(0, 0)))
        here.drain()
        here.launcher.say(control.Exited("alice", 1, 3))
        await here.world.hears(lambda what: what == ("exited", "alice", 1, 3))
        assert here.world.heard[-2:] == [("alice", 1, words), ("exited", "alice", 1, 3)]


async def test_a_process_that_has_ended_is_told_although_its_connection_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "EXIT_S", 0.05)
    async with stage(tmp_path) as here:
        await here.alice()
        here.launcher.say(control.Exited("alice", 1, -9))
        await here.world.hears(lambda what: what == ("exited", "alice", 1, -9))


async def test_after_the_outcome_the_server_ends_when_the_nodes_have_hung_up(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as here:
        alice = await here.alice()
        here.launcher.say(control.Interrupt("enough", 130))
        assert wire.decode_to_node(await alice.body() or b"") == wire.Stop()
        assert here.task is not None
        assert not here.task.done()
        alice.writer.close()
        bodies = [control.decode_from_emulator(b) for b in await all_bodies(here.launcher)]
        assert isinstance(bodies[-1], control.Outcome)
        await asyncio.wait_for(here.task, STATUS_S)


async def all_bodies(peer: Peer) -> list[bytes]:
    bodies: list[bytes] = []
    while (body := await peer.body()) is not None:
        bodies.append(body)
    return bodies


async def test_who_says_hello_after_the_outcome_is_told_to_stop(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        first = await here.alice()
        here.launcher.say(control.Interrupt("enough", 130))
        assert wire.decode_to_node(await first.body() or b"") == wire.Stop()
        late = await here.connect()
        late.say(wire.Hello("bob", 1, "good", 3))
        assert wire.decode_to_node(await late.body() or b"") == wire.Stop()
        assert ("bob", 1) not in [what[:2] for what in here.world.heard if isinstance(what, tuple)]


# --- the process ----------------------------------------------------------------------------------

SETTINGS = control.Supervise("nowhere", "nowhere", "00")
PROGRAM = """
import sys
from qnetem.emulator.service import connections, server
from qnetem.emulator.errors import InputError
from qnetem.emulator.wire.control import Outcome, Progress
class Over:
    outbox, over, resume_in_s, settle_in_s = [], False, None, None
    def start(self):
        self.over = True
        self.outbox.append(("", Outcome("n", 1, "d", 0, 0.0, 0, {{}}, {{}}, {{}})))
    def exited(self, *_): pass
    def progress(self): return Progress(0, 0, {{}}, {{}})
def create(settings):
    {body}
sys.exit(server.main(sys.argv[1:], create))
"""


def emulator(body: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A server process whose world is made by `body`; and the launcher's end."""
    ours, theirs = socket.socketpair()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("")
    listener.listen()
    fds = [theirs.fileno(), listener.fileno()]
    with theirs, listener:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(body=body), *map(str, fds)], pass_fds=fds
        )
    ours.settimeout(STATUS_S)
    return process, ours


def test_a_world_that_cannot_be_built_is_an_outcome_with_that_error() -> None:
    process, ours = emulator("raise InputError('no such thing')")
    with process, ours:
        ours.sendall(wire.frame(SETTINGS))
        data = b""
        while portion := ours.recv(65536):
            data += portion
        ours.close()
        assert process.wait(STATUS_S) == 0
    [body] = FrameSplitter().feed(data)
    outcome = control.decode_from_emulator(body)
    assert isinstance(outcome, control.Outcome)
    assert outcome.problem is not None
    assert (outcome.problem.kind, outcome.problem.exit_code) == ("InputError", InputError.exit_code)
    assert outcome.problem.text == "no such thing"


@pytest.mark.parametrize("body", ["raise InputError('no such thing')", "return Over()"])
def test_the_outcome_is_not_lost_on_a_launcher_that_still_talks(body: str) -> None:
    process, ours = emulator(body)
    with process, ours:
        ours.sendall(wire.frame(SETTINGS))
        splitter, bodies = FrameSplitter(), list[bytes]()
        while portion := ours.recv(65536):
            bodies += splitter.feed(portion)
        for _ in range(3):  # it has said its last word: a broken pipe would be raised here
            ours.sendall(wire.frame(control.Exited("alice", 1, 0)))
            assert process.poll() is None
        ours.close()
        assert process.wait(STATUS_S) == 0
    assert isinstance(control.decode_from_emulator(bodies[-1]), control.Outcome)


IDLE = """
    class Idle:
        outbox, over, resume_in_s, settle_in_s = [], False, None, None
        def start(self): pass
        def silent(self): return []
        def missing(self): return []
        def progress(self):
            from qnetem.emulator.wire.control import Progress
            return Progress(0, 0, {}, {})
    return Idle()
"""


def test_the_process_ends_at_once_when_the_launcher_is_gone() -> None:
    process, ours = emulator(IDLE.strip())
    with process:
        with ours:
            ours.sendall(wire.frame(SETTINGS))
            assert ours.recv(4)  # Ready: it is serving
        assert process.wait(STATUS_S) == connections.EXIT_ORPHANED
