"""A node's process: broker and emulator around a core. Real mosquitto; core and emulator are fakes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qnetem.agents.node.storages import Storages
from qnetem.agents.process import mqtt
from qnetem.agents.process import process as shells
from qnetem.agents.process.files import Payload, decode_record
from qnetem.agents.process.mqtt import inbox_topic
from qnetem.agents.process.process import NodeShell
from qnetem.agents.process.settings import (
    EXIT_INTERNAL,
    EXIT_LEFT,
    EXIT_UNREACHABLE,
    BrokerAddress,
    NodeSettings,
)
from qnetem.broker.broker import Broker
from qnetem.emulator import wire
from qnetem.emulator.errors import InfrastructureError
from qnetem.emulator.wire.framing import FrameSplitter
from tests.accounts import address, client, open_broker
from tests.harness import content

PATIENCE_S = 20.0
WELCOME = wire.Welcome("bob", 1, "endpoint", "p", {}, False, [1], ["alice"], [], 4, 0, "hashes")


class FakeNode:
    """Answers a grant with a report once `wanted` payloads are there; publishes `to_publish`."""

    def __init__(self, welcome: wire.Welcome) -> None:
        self.welcome = welcome
        self.outbox: list[wire.ToEmulator] = []
        self.publishes: list[tuple[str, bytes]] = []
        self.stopped = False
        self.outsides = SimpleNamespace(orders=[])
        self.storages = Storages(welcome)
        self.payloads: list[tuple[str, bytes]] = []
        self.in_task: list[bool] = []
        self.grant: wire.Grant | None = None
        self.wanted = 0
        self.to_publish: list[tuple[str, bytes]] = []

    def receive(self, message: wire.ToNode) -> None:
        self.in_task.append(asyncio.current_task() is not None)
        if isinstance(message, wire.Grant):
            if message.t_ns < 0:
                raise ZeroDivisionError("a bug of ours")
            self.grant = message
            self.publishes += self.to_publish
            self._answer()

    @property
    def awaiting(self) -> bool:
        return self.grant is not None

    def arrive(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        self.in_task.append(asyncio.current_task() is not None)
        self.payloads.extend(payloads)
        self._answer()

    def _answer(self) -> None:
        if self.grant is not None and len(self.payloads) >= self.wanted:
            self.outbox.append(wire.Report(self.grant.t_ns, self.grant.m))
            self.grant = None

    def lacking(self) -> list[wire.Resend]:
        if self.grant is None or len(self.payloads) >= self.wanted:
            return []
        return [wire.Resend("alice", 1, [len(self.payloads) + 1])]

    def stacks(self) -> str:
        return "no tasks\n"


class FakeEmulator:
    """Accepts one node: `hears()` gives its frames in order, `say` sends."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[wire.ToEmulator | None] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        splitter = FrameSplitter()
        while data := await reader.read(65536):
            for body in splitter.feed(data):
                self.frames.put_nowait(wire.decode_to_emulator(body))
        self.frames.put_nowait(None)
        writer.close()

    async def hears(self) -> wire.ToEmulator | None:
        async with asyncio.timeout(PATIENCE_S):
            return await self.frames.get()

    def say(self, *messages: wire.ToNode) -> None:
        assert self.writer is not None
        self.writer.write(b"".join(map(wire.frame, messages)))

    def hang_up(self) -> None:
        assert self.writer is not None
        self.writer.close()


class Stage:
    """One shell between a broker and a fake emulator."""

    def __init__(self, broker: Broker, emulator: FakeEmulator, settings: NodeSettings) -> None:
        self.broker, self.emulator, self.settings = broker, emulator, settings
        self.nodes: list[FakeNode] = []
        self.shell = NodeShell(settings, self._create)

    def _create(self, welcome: wire.Welcome) -> FakeNode:
        self.nodes.append(FakeNode(welcome))
        return self.nodes[-1]

    async def born(self, welcome: wire.Welcome = WELCOME) -> FakeNode:
        """Open the shell, take its Hello, welcome it."""
        await self.shell.open()
        assert isinstance(await self.emulator.hears(), wire.Hello)
        self.emulator.say(welcome)
        await until(lambda: bool(self.nodes))
        return self.nodes[0]

    async def publish(self, *payloads: bytes) -> None:
        """As alice would."""
        async with client(self.broker) as alice:
            for payload in payloads:
                await alice.publish(inbox_topic("run", "bob", "alice"), payload)


async def until(test: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not test():  # noqa: ASYNC110 - a core's state has no event
            await asyncio.sleep(0.002)


def settings_in(folder: Path, broker: BrokerAddress) -> NodeSettings:
    (folder / "logs").mkdir(exist_ok=True)
    return NodeSettings("run", "bob", 1, "token", str(folder / "s"), broker, str(folder))


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    emulator = FakeEmulator()
    server = await asyncio.start_unix_server(emulator.serve, str(folder / "s"))
    async with server, open_broker("mosquitto", folder / "broker") as broker:
        here = Stage(broker, emulator, settings_in(folder, address(broker)))
        try:
            yield here
        finally:
            await here.shell.close()
            if emulator.writer is not None:
                emulator.writer.close()


@pytest.fixture
async def here(tmp_path: Path, mosquitto: str) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as ready:
        yield ready


# --- birth ----------------------------------------------------------------------------------------


async def test_hello_is_said_only_after_the_subscription_stands(here: Stage) -> None:
    await here.shell.open()
    hello = await here.emulator.hears()
    # QoS 0 and not retained: only a subscription that stands already can get this one.
    await here.publish(b"early")
    here.emulator.say(WELCOME)
    await until(lambda: bool(here.nodes))
    await here.publish(b"later")
    await until(lambda: (b"later") in [data for _, data in here.nodes[0].payloads])
    assert hello == wire.Hello("bob", 1, "token", os.getpid())


async def test_the_core_is_stepped_from_plain_callbacks_never_in_a_task(here: Stage) -> None:
    node = await here.born()
    node.wanted = 1
    here.emulator.say(wire.Grant(5, 0))
    await until(lambda: node.grant is not None)
    await here.publish(b"x")
    while (answer := await here.emulator.hears()) != wire.Report(5, 0):
        assert isinstance(answer, wire.Resend)  # the machine is slow
    assert node.in_task == [False, False]
    assert node.payloads == [("alice", b"x")]


async def test_a_step_is_stored_before_the_emulator_or_another_node_can_learn_of_it(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await here.born()
    node.to_publish = [("carol", b"x")]
    left: list[tuple[int, int]] = []
    monkeypatch.setattr(
        node.storages, "commit", lambda: left.append((len(node.outbox), len(node.publishes)))
    )
    here.emulator.say(wire.Grant(5, 0))
    assert await here.emulator.hears() == wire.Report(5, 0)
    assert (1, 1) in left, "report and message have not left yet"
    assert (node.outbox, node.publishes) == ([], [])


async def test_a_broker_that_cannot_be_reached_is_told_to_the_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_S", 0.2)
    emulator = FakeEmulator()
    server = await asyncio.start_unix_server(emulator.serve, str(tmp_path / "s"))
    async with server:
        shell = NodeShell(settings_in(tmp_path, BrokerAddress("127.0.0.1", 1)), FakeNode)
        with pytest.raises(InfrastructureError, match=r"127\.0\.0\.1:1 could not be reached"):
            await shell.open()
        assert isinstance(await emulator.hears(), wire.Hello)
        failed = await emulator.hears()
        await shell.close()
        assert await emulator.hears() is None
    assert isinstance(failed, wire.Failed)
    assert failed.kind == "infrastructure"
    assert "127.0.0.1:1" in failed.problem


# --- payloads -------------------------------------------------------------------------------------


async def test_what_is_published_arrives_whole_and_in_order(here: Stage) -> None:
    node = await here.born()
    payloads = [b"[%d,%b]" % (n, b"7" * 2000) for n in range(1000)]
    async with client(here.broker) as alice:
        await alice.subscribe(inbox_topic("run", "alice", "+"))
        node.to_publish = [("alice", payload) for payload in payloads]
        here.emulator.say(wire.Grant(1, 0))
        assert await here.emulator.hears() == wire.Report(1, 0)
        found: list[Any] = []
        async with asyncio.timeout(PATIENCE_S):
            while sum(len(json.loads(message.payload)) for message in found) < len(payloads):
                found.append(await anext(alice.messages))
    assert [one for message in found for one in json.loads(message.payload)] == list(
        map(json.loads, payloads)
    )
    assert {str(message.topic) for message in found} == {inbox_topic("run", "alice", "bob")}


async def test_a_missing_payload_is_asked_for_and_then_again_ever_more_slowly(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    call_later, pauses_s = loop.call_later, []

    def spied(delay: float, callback: Callable[..., object], *arguments: object) -> Any:
        if callback == here.shell._on_resend_timer:
            pauses_s.append(delay)
        return call_later(delay, callback, *arguments)

    monkeypatch.setattr(loop, "call_later", spied)
    monkeypatch.setattr(shells, "LONGEST_RESEND_S", 0.2)
    node = await here.born()
    node.wanted = 1
    here.emulator.say(wire.Grant(5, 0))
    for _ in range(4):
        assert await here.emulator.hears() == wire.Resend("alice", 1, [1])
    whole = [pause for pause in pauses_s if pause in (0.05, 0.1, 0.2)]  # else the rest of one
    assert whole[:4] == [0.05, 0.1, 0.2, 0.2]
    await here.publish(b"x")
    assert await here.emulator.hears() == wire.Report(5, 0)


async def test_payloads_that_come_in_time_are_never_asked_for(here: Stage) -> None:
    node = await here.born()
    loop = asyncio.get_running_loop()
    ends = loop.time() + 0.2
    async with client(here.broker) as alice:
        while loop.time() < ends:
            node.wanted = len(node.payloads) + 1
            here.emulator.say(wire.Grant(5, 0))
            await until(lambda: node.grant is not None)
            await alice.publish(inbox_topic("run", "bob", "alice"), b"x")
            assert isinstance(await here.emulator.hears(), wire.Report)
    assert len(node.payloads) > 4


async def test_a_broker_that_comes_back_is_used_again_and_asked_through_at_once(
    here: Stage,
) -> None:
    node = await here.born()
    node.wanted = 1
    await here.broker.kill()
    node.to_publish = [("alice", b"kept")]
    here.emulator.say(wire.Grant(5, 0))
    for _ in range(4):  # the pause has grown past half a second
        assert await here.emulator.hears() == wire.Resend("alice", 1, [1])
    await here.broker.restart()
    async with client(here.broker) as alice:
        await alice.subscribe(inbox_topic("run", "alice", "+"))
        assert await here.emulator.hears() == wire.Resend("alice", 1, [1])
        await until(lambda: here.shell._inbox.connected)
        await here.publish(b"again")
        while (answer := await here.emulator.hears()) != wire.Report(5, 0):
            assert isinstance(answer, wire.Resend)
        node.to_publish = [("alice", b"after")]
        here.emulator.say(wire.Grant(6, 0))
        async with asyncio.timeout(PATIENCE_S):
            while (await anext(alice.messages)).payload != b"after":
                pass


async def test_while_the_broker_is_down_the_same_payload_is_kept_once(here: Stage) -> None:
    node = await here.born()
    await here.broker.kill()
    await until(lambda: not here.shell._inbox.connected)
    node.to_publish = [("alice", b"same"), ("alice", b"same"), ("alice", b"other")]
    for t_ns in (1, 2):
        here.emulator.say(wire.Grant(t_ns, 0))
        assert await here.emulator.hears() == wire.Report(t_ns, 0)
    await until(lambda: node.publishes == [])
    assert [payload for _, payload in here.shell._inbox._outgoing] == [b"same", b"other"]


# --- the end --------------------------------------------------------------------------------------


async def test_stop_ends_the_life_of_the_shell(here: Stage) -> None:
    await here.born()
    here.emulator.say(wire.Stop())
    await asyncio.wait_for(here.shell.left, PATIENCE_S)


async def test_a_stop_instead_of_a_welcome_ends_it_too(here: Stage) -> None:
    await here.shell.open()
    await here.emulator.hears()
    here.emulator.say(wire.Stop())
    await asyncio.wait_for(here.shell.left, PATIENCE_S)
    assert here.nodes == []


async def test_the_end_of_the_emulators_stream_ends_it_as_trouble(here: Stage) -> None:
    await here.born()
    here.emulator.hang_up()
    with pytest.raises(InfrastructureError, match="the connection to the emulator broke"):
        await asyncio.wait_for(here.shell.left, PATIENCE_S)


async def test_an_exception_of_ours_is_raised_and_not_swallowed(here: Stage) -> None:
    await here.born()
    here.emulator.say(wire.Grant(-1, 0))
    with pytest.raises(ZeroDivisionError, match="a bug of ours"):
        await asyncio.wait_for(here.shell.left, PATIENCE_S)


async def test_a_full_record_holds_what_was_received_and_done_and_is_private(here: Stage) -> None:
    full = wire.Welcome("bob", 1, "endpoint", "p", {}, False, [1], ["alice"], [], 4, 0, "full")
    node = await here.born(full)
    node.wanted = 1
    here.emulator.say(wire.Grant(5, 0))
    await until(lambda: node.grant is not None)
    await here.publish(b"secret key")
    await here.emulator.hears()
    await here.shell.close()
    path = here.settings.journal_path
    records = [decode_record(body) for body in FrameSplitter().feed(content(path))]
    payload = Payload("alice", b"secret key")
    assert records == [full, wire.Grant(5, 0), payload, wire.Report(5, 0)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_record_of_hashes_leaves_no_file(here: Stage) -> None:
    node = await here.born()
    here.emulator.say(wire.Grant(5, 0))
    await here.emulator.hears()
    assert node.welcome.record == "hashes"
    assert not here.settings.journal_path.exists()


# --- a process of its own -------------------------------------------------------------------------

PROGRAM = """
import signal, sys
from qnetem.agents.process import mqtt
from qnetem.agents.process.process import run_node
from qnetem.agents.process.settings import BrokerAddress, NodeSettings
from tests.accounts import LOGIN
from tests.agents.process.test_process import FakeNode
mqtt.CONNECT_S = 2.0
signal.signal(signal.SIGINT, signal.SIG_IGN)
folder = sys.argv[1]
broker = BrokerAddress("127.0.0.1", int(sys.argv[2]), LOGIN.username, LOGIN.password)
class Talking(FakeNode):
    def receive(self, message):
        print("a word of the program")
        super().receive(message)
sys.exit(run_node(
    NodeSettings("run", "bob", 1, "token", folder + "/s", broker, folder), Talking
))
"""


@asynccontextmanager
async def process(here: Stage, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = [sys.executable, "-c", PROGRAM, str(folder), str(here.broker.port)]
    running = await asyncio.create_subprocess_exec(*arguments)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def ended(running: asyncio.subprocess.Process) -> int:
    return await asyncio.wait_for(running.wait(), PATIENCE_S)


async def test_a_process_leaves_with_status_0_on_stop_and_logs_the_programs_output(
    here: Stage, tmp_path: Path
) -> None:
    async with process(here, tmp_path) as running:
        hello = await here.emulator.hears()
        assert isinstance(hello, wire.Hello)
        assert hello.pid == running.pid
        running.send_signal(signal.SIGINT)
        here.emulator.say(WELCOME, wire.Grant(1, 0))
        assert await here.emulator.hears() == wire.Report(1, 0)
        here.emulator.say(wire.Stop())
        assert await ended(running) == EXIT_LEFT
    assert "a word of the program" in here.settings.log_path.read_text()


async def test_a_process_whose_emulator_hangs_up_says_so_by_its_status_and_in_its_log(
    here: Stage, tmp_path: Path
) -> None:
    async with process(here, tmp_path) as running:
        await here.emulator.hears()
        here.emulator.say(WELCOME, wire.Grant(1, 0))
        assert await here.emulator.hears() == wire.Report(1, 0)
        here.emulator.hang_up()
        assert await ended(running) == wire.EXIT_CUT_OFF
    last = here.settings.log_path.read_text().splitlines()[-1]
    assert last == "bob.1: the connection to the emulator broke"


async def test_a_process_with_an_exception_of_ours_tells_it_everywhere(
    here: Stage, tmp_path: Path
) -> None:
    async with process(here, tmp_path) as running:
        await here.emulator.hears()
        here.emulator.say(WELCOME, wire.Grant(-1, 0))
        failed = await here.emulator.hears()
        assert await ended(running) == EXIT_INTERNAL
    assert isinstance(failed, wire.Failed)
    assert (failed.kind, failed.t_ns) == ("internal", -1)
    assert "a bug of ours" in failed.traceback
    assert "ZeroDivisionError" in here.settings.log_path.read_text()


async def test_a_process_without_an_emulator_ends_with_a_clear_line(
    here: Stage, tmp_path: Path
) -> None:
    (tmp_path / "s").unlink()
    async with process(here, tmp_path) as running:
        assert await ended(running) == EXIT_UNREACHABLE
    last = here.settings.log_path.read_text().splitlines()[-1]
    assert last.startswith("bob.1: the emulator could not be reached")


def test_a_nodes_process_imports_no_physics_and_no_models() -> None:
    code = (
        "import sys, qnetem.agents.process, qnetem.agents.node, qnetem.agents.agent\n"
        "print([m for m in ('qutip', 'scipy', 'pydantic', 'yaml', 'typer') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
