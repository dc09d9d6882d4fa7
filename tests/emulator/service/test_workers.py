"""Workers as the emulator's shell sees them: rounds, what begins and ends in them, who is blamed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from qnetem.emulator import wire
from qnetem.emulator.service import server
from qnetem.emulator.service.workers import Workers
from qnetem.emulator.wire import control, run_files
from qnetem.emulator.wire.framing import FrameSplitter
from qnetem.emulator.wire.worker_frames import (
    Begin,
    End,
    Ended,
    Part,
    Round,
    ToWorker,
    decode_to_worker,
)

from .test_server import FakeWorld, Peer, Stage, stage

SECRET = "11" * 32
NODES = [["alice", "carol"], ["bob"]]
NO_PROCESS = 2**22 + 1  # above the largest pid


class AskingWorld(FakeWorld):
    """Names nodes as awaited, and takes every node's Hello."""

    silent_nodes: list[str]

    def authenticate(self, hello: wire.Hello) -> str | None:
        proved = hello.token == control.token(SECRET, hello.node, hello.incarnation)
        return None if proved else "wrong token"

    def silent(self) -> list[str]:
        return self.silent_nodes

    def end(self) -> None:
        self.over = True
        self.outbox += [("alice", wire.Stop()), ("carol", wire.Stop())]


class WorkerEnd:
    """A worker's end of its connection, which hosts alice and carol."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def hears(self) -> ToWorker:
        body = await self.peer.body()
        assert body is not None
        return decode_to_worker(body)

    def say(self, *messages: tuple[str, msgspec.Struct]) -> None:
        self.peer.say(Round([Part(node, wire.frame(message)) for node, message in messages]))


@asynccontextmanager
async def hosted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_s: float = 30.0
) -> AsyncIterator[tuple[Stage, WorkerEnd]]:
    """A worker whose nodes have said Hello."""
    AskingWorld.silent_nodes = []
    monkeypatch.setattr("tests.emulator.service.test_server.FakeWorld", AskingWorld)
    async with stage(tmp_path, silent_s, Workers(str(tmp_path), SECRET, NODES)) as here:
        worker = WorkerEnd(await here.connect())
        worker.peer.say(wire.WorkerHello(1, control.token(SECRET, "", 1), NO_PROCESS))
        for node in NODES[0]:
            begin = await worker.hears()
            assert begin == Begin(node, 1, control.token(SECRET, node, 1))
            worker.say((node, wire.Hello(node, 1, begin.token, NO_PROCESS)))
            await here.world.hears(lambda what, node=node: is_of(what, node))  # type: ignore[misc]
        yield here, worker


def is_of(what: object, node: str) -> bool:
    return isinstance(what, tuple) and what[0] == node


def cut(part: Part) -> list[wire.ToNode]:
    return [wire.decode_to_node(body) for body in FrameSplitter().feed(part.data)]


@pytest.mark.parametrize(
    ("hello", "why"),
    [
        (wire.WorkerHello(1, "guessed", 1), "wrong token for worker 1"),
        (wire.WorkerHello(3, control.token(SECRET, "", 3), 1), "there is no worker 3"),
        (wire.WorkerHello(1, control.token(SECRET, "", 1), 1, 99), "worker 1 speaks protocol 99"),
    ],
)
async def test_no_process_is_a_worker_that_cannot_prove_it(
    tmp_path: Path, hello: wire.WorkerHello, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with stage(tmp_path, workers=Workers(str(tmp_path), SECRET, NODES)) as here:
        stranger = await here.connect()
        stranger.say(hello)
        assert await stranger.ends()
        assert why in capsys.readouterr().err
        assert here.world.heard == ["start"]


async def test_a_second_process_for_a_worker_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        second = await here.connect()
        second.say(wire.WorkerHello(1, control.token(SECRET, "", 1), 2))
        assert await second.ends()
        here.world.outbox.append(("alice", wire.Grant(1, 0)))
        here.drain()
        assert isinstance(await worker.hears(), Round)


async def test_grants_of_one_instant_come_in_one_round_each_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        resend, grant = wire.Resend("alice", 1, [1], "bob"), wire.Grant(7, 0)
        here.world.outbox += [("alice", resend), ("carol", grant), ("alice", grant)]
        here.drain()
        heard = await worker.hears()
        assert isinstance(heard, Round)
        assert {part.node: cut(part) for part in heard.parts} == {
            "alice": [resend, grant],
            "carol": [grant],
        }


async def test_reports_that_come_in_one_round_are_answered_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        here.world.answers[wire.Report] = [("alice", wire.Grant(8, 0)), ("carol", wire.Grant(8, 0))]
        worker.say(("alice", wire.Report(7, 0)), ("carol", wire.Report(7, 0)))
        heard = await worker.hears()
        assert isinstance(heard, Round)
        assert [part.node for part in heard.parts] == ["alice", "carol"]
        assert here.world.heard[-2:] == [
            ("alice", 1, wire.Report(7, 0)),
            ("carol", 1, wire.Report(7, 0)),
        ]


async def test_how_long_each_node_took_is_told_before_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        report = wire.Report(7, 0)
        worker.peer.say(Round([Part("alice", wire.frame(report), 0.25)]))
        await here.world.hears(lambda what: what == ("alice", 1, report))
        assert here.world.heard[-2:] == [("worked", "alice", 0.25), ("alice", 1, report)]


async def test_a_node_is_killed_and_begun_again_in_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        here.world.outbox.append(("", control.Kill("carol", 1)))
        here.drain()
        assert await worker.hears() == End("carol", 1)
        worker.peer.say(Ended("carol", 1))
        await here.world.hears(lambda what: what == ("exited", "carol", 1, -9, *WORDS))
        here.world.outbox.append(("", control.Spawn("carol", 2)))
        here.drain()
        token = control.token(SECRET, "carol", 2)
        assert await worker.hears() == Begin("carol", 2, token)
        worker.say(("carol", wire.Hello("carol", 2, token, NO_PROCESS)))
        await here.world.hears(lambda what: isinstance(what, tuple) and what[:2] == ("carol", 2))


async def test_a_worker_is_not_stopped_for_a_node_that_is_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, _):
        here.world.outbox += [("", control.Freeze("alice", 1)), ("", control.Thaw("alice", 1))]
        here.world.outbox.append(("", control.Kill("mallory", 1)))  # has a process of its own
        here.drain()
        heard = [control.decode_from_emulator(await here.launcher.body() or b"") for _ in "123"]
        assert [each for each in heard if isinstance(each, control.Freeze | control.Thaw)] == []
        assert heard[-1] == control.Kill("mallory", 1)


WORDS = ("worker 1 (alice, carol)", "")


async def test_a_lost_worker_is_reported_for_each_of_its_nodes_with_the_one_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        step = run_files.worker_step(tmp_path, 1)
        step.parent.mkdir()
        step.write_bytes((2).to_bytes(4))
        worker.peer.writer.close()
        here.launcher.say(control.Exited("", 1, -11))
        for node in NODES[0]:
            lost = ("exited", node, 1, -11, WORDS[0], "carol")
            await here.world.hears(lambda what, lost=lost: what == lost)  # type: ignore[misc]


async def test_a_worker_that_ends_before_its_hello_is_reported_for_its_nodes(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, workers=Workers(str(tmp_path), SECRET, NODES)) as here:
        here.launcher.say(control.Exited("", 2, 1))
        await here.world.hears(lambda what: what == ("exited", "bob", 1, 1, "worker 2 (bob)", ""))


@pytest.mark.parametrize(("place", "blamed"), [(2, "carol"), (0, "alice")])
async def test_of_a_silent_worker_the_node_at_work_is_named_or_else_the_first_awaited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, blamed: str
) -> None:
    monkeypatch.setattr(server, "PROGRESS_S", 0.01)
    async with hosted(tmp_path, monkeypatch, silent_s=0.05) as (here, _):
        step = run_files.worker_step(tmp_path, 1)
        step.parent.mkdir()
        step.write_bytes(place.to_bytes(4))
        AskingWorld.silent_nodes = ["alice", "carol"]
        stalled = await here.world.hears(lambda what: is_of(what, "stalled"))
        AskingWorld.silent_nodes = []
        assert stalled == ("stalled", blamed, "in worker 1 (alice, carol):\nits process is gone\n")


async def test_a_worker_leaves_when_the_run_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        here.world.end()
        here.drain()
        last = await worker.hears()
        assert isinstance(last, Round)
        assert [cut(part) for part in last.parts] == [[wire.Stop()], [wire.Stop()]]
        assert await worker.hears() == wire.Stop()


async def test_a_worker_whose_frame_cannot_be_read_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(tmp_path, monkeypatch) as (here, worker):
        worker.peer.writer.write(wire.HEADER.pack(3) + b"???")
        failure = await here.world.hears(lambda what: is_of(what, "fail"))
        assert isinstance(failure, tuple)
        assert failure[1] == "InternalError"
        assert "worker 1 was refused: a frame that cannot be read" in failure[2]
