"""A worker: several nodes between one emulator's socket and one line to a broker. The nodes are real."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from qnetem import Agent, Inside
from qnetem.agents.node.node import Node
from qnetem.agents.process import worker as workers
from qnetem.agents.process.files import answer_stack_signal
from qnetem.agents.process.mqtt import inbox_topic
from qnetem.agents.process.output import routed
from qnetem.agents.process.settings import BrokerAddress, WorkerSettings
from qnetem.agents.process.worker import Worker
from qnetem.broker.broker import Broker
from qnetem.emulator import wire
from qnetem.emulator.wire import run_files
from qnetem.emulator.wire.framing import FrameSplitter
from qnetem.emulator.wire.worker_frames import (
    Begin,
    End,
    Ended,
    Part,
    Round,
    decode_from_worker,
)
from qnetem.runs.node_record import NodeRecord
from tests.accounts import address, client, open_broker

PATIENCE_S = 20.0
NODES = ["alice", "bob"]


class Talker(Agent):
    """Says something a round, to its log and to its peer."""

    async def run(self) -> None:
        [peer] = self.peers
        for count in range(1, 1000):
            print(f"{self.name} prints {count}")  # noqa: T201
            await self.send(peer, {"count": count})
            await asyncio.sleep(1.0)


class Replaces(Agent):
    """Puts another stream in the place of stdout, for itself alone."""

    async def run(self) -> None:
        sys.stdout = sys.__stderr__
        await asyncio.sleep(1.0)
        self.record("own", int(sys.stdout is sys.__stderr__))


class Hears(Agent):
    """Waits for a message; has something to clean up."""

    async def run(self) -> int:
        try:
            return int((await self.receive()).body["count"])
        finally:
            print("cleaned up")  # noqa: T201


async def half(inside: Inside) -> None:
    print(f"outside {await inside.put('x')}")  # noqa: T201
    await asyncio.Event().wait()


class Open(Agent):
    """Opens to the outside, and answers once."""

    async def run(self) -> None:
        async with self.outside(half) as requests:
            async for request in requests:
                request.reply(self.name)


def welcome(node: str, program: type[Agent], incarnation: int = 1, **more: object) -> wire.Welcome:
    peers = [name for name in NODES if name != node]
    name = f"{__name__}:{program.__name__}"
    settings = ("endpoint", name, {}, False, [1], peers, [], 4, 0)
    return wire.Welcome(node, incarnation, *settings, **more)  # type: ignore[arg-type]


class FakeEmulator:
    """The other end of a worker's socket."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[msgspec.Struct] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        splitter = FrameSplitter()
        decode = wire.decode_to_emulator
        while data := await reader.read(65536):
            for body in splitter.feed(data):
                self.frames.put_nowait(decode(body))
                decode = decode_from_worker  # type: ignore[assignment]
        writer.close()

    def say(self, *frames: msgspec.Struct) -> None:
        assert self.writer is not None
        self.writer.write(b"".join(map(wire.frame, frames)))

    async def hears(self) -> msgspec.Struct:
        async with asyncio.timeout(PATIENCE_S):
            return await self.frames.get()

    async def parts(self) -> list[tuple[str, list[wire.ToEmulator]]]:
        """What the next round says, by node."""
        heard = await self.hears()
        assert isinstance(heard, Round), heard
        return [
            (part.node, [wire.decode_to_emulator(body) for body in FrameSplitter().feed(part.data)])
            for part in heard.parts
        ]


def together(*messages: tuple[str, msgspec.Struct]) -> Round:
    return Round([Part(node, wire.frame(message)) for node, message in messages])


class Stage:
    """A worker between a broker and a fake emulator."""

    def __init__(self, folder: Path, emulator: FakeEmulator, broker: BrokerAddress) -> None:
        (folder / "logs").mkdir()
        self.folder, self.emulator = folder, emulator
        path = str(folder / "s")
        self.settings = WorkerSettings("run", 1, NODES, "token", path, broker, str(folder))
        self.worker = Worker(self.settings)
        self.streams = contextlib.ExitStack()

    async def begin(self, **programs: type[Agent]) -> None:
        """Both nodes, with these programs; from here on prints are theirs."""
        self.streams.enter_context(routed())
        await self.worker.open()
        assert await self.emulator.hears() == wire.WorkerHello(1, "token", os.getpid())
        self.emulator.say(*(Begin(node, 1, f"token of {node}") for node in NODES))
        said: list[tuple[str, list[wire.ToEmulator]]] = []
        while len(said) < len(NODES):
            said += await self.emulator.parts()
        assert said == [
            (node, [wire.Hello(node, 1, f"token of {node}", os.getpid())]) for node in NODES
        ]
        self.emulator.say(together(*((node, welcome(node, programs[node])) for node in NODES)))

    async def reports(self, t_ns: int, *nodes: str) -> dict[str, wire.Report]:
        """Grant an instant to these nodes at once; what they report, in one round."""
        self.emulator.say(together(*((node, wire.Grant(t_ns, 0)) for node in nodes)))
        found = {}
        for node, [report] in await self.emulator.parts():
            assert isinstance(report, wire.Report), report
            found[node] = report
        return found

    def log(self, node: str, incarnation: int = 1) -> str:
        return run_files.node_log(self.folder, node, incarnation).read_text()


@asynccontextmanager
async def stage(folder: Path, broker: Broker) -> AsyncIterator[Stage]:
    emulator = FakeEmulator()
    async with await asyncio.start_unix_server(emulator.serve, str(folder / "s")):
        here = Stage(folder, emulator, address(broker))
        try:
            yield here
        finally:
            here.streams.close()
            await here.worker.close()
            if emulator.writer is not None:
                emulator.writer.close()


@pytest.fixture
async def broker(tmp_path: Path, mosquitto: str) -> AsyncIterator[Broker]:
    async with open_broker("mosquitto", tmp_path / "broker") as ready:
        yield ready


@pytest.fixture
async def here(tmp_path: Path, broker: Broker) -> AsyncIterator[Stage]:
    async with stage(tmp_path, broker) as ready:
        yield ready


async def test_the_nodes_of_a_round_report_in_one_and_print_to_their_own_logs(here: Stage) -> None:
    await here.begin(alice=Talker, bob=Talker)
    assert list(await here.reports(0, "alice", "bob")) == ["alice", "bob"]
    assert list(await here.reports(10**9, "bob")) == ["bob"]
    assert here.log("alice") == "alice prints 1\n"
    assert here.log("bob") == "bob prints 1\nbob prints 2\n"


async def test_each_node_is_charged_with_its_own_step_alone(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.begin(alice=Talker, bob=Talker)
    await here.reports(0, "alice", "bob")
    now_s, receive = [100.0], Node.receive

    def taking_long(self: Node, message: wire.ToNode) -> None:
        now_s[0] += {"alice": 0.25, "bob": 0.5}[self.welcome.name]
        receive(self, message)

    with monkeypatch.context() as patch:
        patch.setattr(Node, "receive", taking_long)
        patch.setattr(workers, "_monotonic", lambda: now_s[0])
        here.worker._take(together(*((node, wire.Grant(10**9, 0)) for node in NODES)))
    found: list[tuple[str, float]] = []
    while len(found) < len(NODES):
        heard = await here.emulator.hears()
        assert isinstance(heard, Round)
        found += [(part.node, part.worked_s) for part in heard.parts]
    assert found == [("alice", 0.25), ("bob", 0.5)]


async def test_a_client_sees_the_topics_and_payloads_of_nodes_with_processes(
    here: Stage, broker: Broker
) -> None:
    async with client(broker) as watcher:
        await watcher.subscribe("qnetem/v1/run/#")
        await here.begin(alice=Talker, bob=Talker)
        await here.reports(0, "alice", "bob")
        async with asyncio.timeout(PATIENCE_S):
            seen = {str(each.topic): each.payload async for each in first_two(watcher.messages)}
    assert sorted(seen) == [
        inbox_topic("run", to, of) for to, of in (("alice", "bob"), ("bob", "alice"))
    ]
    for payload in seen.values():
        assert msgspec.json.decode(payload) == {
            "seq": 1,
            "inc": 1,
            "kind": "",
            "body": {"count": 1},
        }


async def first_two(messages):  # type: ignore[no-untyped-def]
    for _ in range(2):
        yield await anext(messages)


async def test_a_message_comes_to_its_node_and_to_no_other(here: Stage) -> None:
    await here.begin(alice=Talker, bob=Hears)
    [sent] = (await here.reports(0, "alice", "bob"))["alice"].sends
    delivery = wire.Delivery("alice", 1, sent.seq, 0, sent.hash, 0)
    here.emulator.say(together(("bob", wire.Grant(5, 0, deliveries=[delivery]))))
    [(node, [report])] = await here.emulator.parts()
    assert node == "bob"
    assert isinstance(report, wire.Report) and report.finished is not None
    assert report.finished.value == 1


async def test_a_killed_node_ends_without_a_word_and_its_neighbour_lives(here: Stage) -> None:
    await here.begin(alice=Talker, bob=Hears)
    await here.reports(0, "alice", "bob")
    here.emulator.say(End("bob", 1))
    assert await here.emulator.hears() == Ended("bob", 1)
    assert here.log("bob") == ""
    assert list(await here.reports(10**9, "alice")) == ["alice"]
    here.emulator.say(Begin("bob", 2, "again"))
    assert await here.emulator.parts() == [("bob", [wire.Hello("bob", 2, "again", os.getpid())])]
    here.emulator.say(together(("bob", welcome("bob", Talker, 2))))
    assert list(await here.reports(2 * 10**9, "alice", "bob")) == ["alice", "bob"]
    assert here.log("bob", 2) == "bob prints 1\n"


async def test_a_stream_that_a_program_replaces_is_its_own(here: Stage) -> None:
    await here.begin(alice=Replaces, bob=Talker)
    await here.reports(0, "alice", "bob")
    reports = await here.reports(10**9, "alice", "bob")
    assert [note.value for note in reports["alice"].notes] == [1]
    assert here.log("bob") == "bob prints 1\nbob prints 2\n"


async def test_a_round_that_takes_long_is_answered_in_parts(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "ANSWER_S", 0.0)
    await here.begin(alice=Talker, bob=Talker)
    here.emulator.say(together(*((node, wire.Grant(0, 0)) for node in NODES)))
    assert [node for node, _ in await here.emulator.parts()] == ["alice"]
    assert [node for node, _ in await here.emulator.parts()] == ["bob"]


@pytest.fixture
def asked_at_work(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The signal of the watchdog comes while bob is at work."""
    before, receive = signal.getsignal(signal.SIGUSR1), Node.receive

    def asked(self: Node, message: wire.ToNode) -> None:
        if self.welcome.name == "bob":
            signal.raise_signal(signal.SIGUSR1)
        receive(self, message)

    monkeypatch.setattr(Node, "receive", asked)
    yield
    faulthandler.unregister(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


async def test_the_stacks_are_those_of_the_node_at_work(here: Stage, asked_at_work: None) -> None:
    answer_stack_signal(here.settings.stacks_path, here.worker.stacks)
    await here.begin(alice=Talker, bob=Talker)
    await here.reports(0, "alice", "bob")
    stacks = here.settings.stacks_path.read_text()
    assert stacks.startswith("bob:\n")
    assert "alice" not in stacks.partition("the process is at:")[0]


async def test_the_node_at_work_is_in_the_file_while_it_is(
    here: Stage, asked_at_work: None
) -> None:
    seen: list[int] = []
    step = here.settings.step_path
    signal.signal(signal.SIGUSR1, lambda *_: seen.append(step.read_bytes()[-1]))
    await here.begin(alice=Talker, bob=Talker)
    await here.reports(0, "alice", "bob")
    assert seen == [2]
    assert step.read_bytes() == bytes(4)
    await here.worker.close()
    assert not step.exists()


async def test_an_outside_half_prints_to_the_log_of_its_node_and_ends_with_it(here: Stage) -> None:
    await here.begin(alice=Talker, bob=Talker)
    here.emulator.say(End("bob", 1))
    while await here.emulator.hears() != Ended("bob", 1):
        pass
    here.emulator.say(Begin("bob", 2, "again"))
    await here.emulator.parts()
    here.emulator.say(together(("bob", welcome("bob", Open, 2, outside="live"))))
    await here.reports(0, "bob")
    [(_, [poke])] = await here.emulator.parts()
    assert isinstance(poke, wire.Poke)
    here.emulator.say(together(("bob", wire.Grant(5, 0, inputs=[poke.input]))))
    await here.emulator.parts()
    deadline = time.monotonic() + PATIENCE_S
    while (  # noqa: ASYNC110 - a file has no event
        here.log("bob", 2) != "outside bob\n" and time.monotonic() < deadline
    ):
        await asyncio.sleep(0.002)
    assert here.log("bob", 2) == "outside bob\n"
    here.emulator.say(End("bob", 2))
    assert await here.emulator.hears() == Ended("bob", 2)


async def test_each_node_keeps_its_own_record(here: Stage) -> None:
    await here.begin(alice=Talker, bob=Talker)
    await here.reports(0, "alice", "bob")
    await here.reports(10**9, "bob")
    await here.worker.close()
    kinds = {}
    for node in NODES:
        records = NodeRecord(run_files.node_record(here.folder, node, 1)).records()
        kinds[node] = [kind for each in records if (kind := type(each).__name__) != "Payload"]
    assert kinds["alice"] == ["Welcome", "Grant", "Report"]
    assert kinds["bob"] == ["Welcome", "Grant", "Report", "Grant", "Report"]


async def test_a_broker_that_cannot_be_reached_is_told_for_each_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qnetem.agents.process.mqtt.CONNECT_S", 0.2)
    emulator = FakeEmulator()
    async with await asyncio.start_unix_server(emulator.serve, str(tmp_path / "s")):
        here = Stage(tmp_path, emulator, BrokerAddress("127.0.0.1", 1))
        await here.worker.open()
        assert isinstance(await emulator.hears(), wire.WorkerHello)
        emulator.say(Begin("alice", 1, "token"))
        [(_, [hello]), (_, [failed])] = await emulator.parts()
        assert isinstance(hello, wire.Hello) and isinstance(failed, wire.Failed)
        assert failed.kind == "infrastructure" and "127.0.0.1:1" in failed.problem
        emulator.say(wire.Stop())
        await asyncio.wait_for(here.worker.left, PATIENCE_S)
        await here.worker.close()
        assert emulator.writer is not None
        emulator.writer.close()
