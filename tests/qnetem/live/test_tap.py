"""Watching a run: every message is seen, the run does not notice, and the end is an end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiomqtt
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qnetem.agents.process.mqtt import inbox_topic
from qnetem.agents.process.settings import BrokerAddress
from qnetem.broker import observer
from qnetem.emulator.errors import InfrastructureError, InputError
from qnetem.launcher.launcher import Launcher
from qnetem.live import tap as tap_module
from qnetem.live.tap import Message, Table, Tap, Wanted, as_json, read_message
from qnetem.runs.run_folder import RunFolder

from ..launcher.test_launcher import PATIENCE_S, Running, topology
from ..trouble import typed_here

ROUNDS = 400
CALL = "test.call"


def message(source: str = "alice", destination: str = "bob", kind: str = "bb84.bases") -> Message:
    return Message(source, destination, kind, 1, 17, msgspec.Raw(b'{"n":"\\u001b[31m"}'))


def folder_of(tmp_path: Path, name: str = "pair", in_process: bool = False) -> Path:
    folder = RunFolder.create(tmp_path / "runs", name)
    folder.describe(
        {"nodes": {name: {"program": "p:A"} for name in ("alice", "bob")}},
        {"in_process": in_process},
    )
    return folder.path


class Watching:
    """`qnetem tap` as a process beside a run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def of(cls, folder: Path, *options: str) -> Watching:
        command = [sys.executable, "-m", "qnetem", "tap", str(folder), *options]
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe))

    async def line(self) -> bytes:
        assert self.process.stdout is not None
        return await self.process.stdout.readline()

    async def sees(self, launcher: Launcher) -> None:
        """Return when it is watching: alice calls a node that is not there until a call is shown."""
        calling = asyncio.create_task(call_again_and_again(launcher))
        while json.loads(await self.line())["kind"] != CALL:
            pass
        calling.cancel()

    async def told(self) -> tuple[int | None, list[bytes], str]:
        output, error = await self.process.communicate()
        return self.process.returncode, output.splitlines(), error.decode()


async def call_again_and_again(launcher: Launcher) -> None:
    address = launcher.broker.address_of("alice")
    topic = inbox_topic(launcher.run_folder.name, "stranger", "alice")
    while True:
        with contextlib.suppress(aiomqtt.MqttError):
            async with aiomqtt.Client(
                address.host, address.port, username=address.username, password=address.password
            ) as alice:
                await alice.publish(topic, b'{"seq":0,"inc":1,"kind":"test.call","body":null}')
        await asyncio.sleep(0.05)


# --- beside a run ---------------------------------------------------------------------------------


async def test_every_message_is_seen_in_order_and_the_end_of_the_run_ends_it(
    broker_kind: str, tmp_path: Path
) -> None:
    running = Running(topology(tmp_path, ROUNDS), tmp_path, broker_kind)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        emulator = launcher._emulator.pid
        assert emulator is not None
        os.kill(emulator, signal.SIGSTOP)  # no round before the watcher is there
        folder = launcher.run_folder
        watching = await Watching.of(folder, "--format", "json", "--node", "alice")
        await watching.sees(launcher)
        os.kill(emulator, signal.SIGCONT)
        outcome = await launcher.wait()
    assert outcome.problem is None
    code, lines, error = await watching.told()
    assert (code, error) == (0, "")
    seen = [one for one in map(json.loads, lines) if one["kind"] != CALL]
    for source, destination in (("alice", "bob"), ("bob", "alice")):
        numbers = [one["body"]["n"] for one in seen if one["source"] == source]
        assert numbers == sorted(numbers)
        assert sorted({*numbers}) == list(range(1, numbers[-1] + 1))
        assert numbers[-1] >= ROUNDS - 20  # QoS 0: the very last may be lost when all hang up
        assert {one["destination"] for one in seen if one["source"] == source} == {destination}


async def test_it_outlives_a_broker_that_dies(mosquitto: str, tmp_path: Path) -> None:
    running = Running(topology(tmp_path, -1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        watching = await Watching.of(launcher.run_folder, "--format", "json")
        await watching.line()
        await launcher.broker.kill()
        await watching.sees(launcher)
        launcher.interrupt("enough", 3)
        told = asyncio.create_task(watching.told())
        await launcher.wait()
    code, _, error = await told
    assert (code, error) == (0, "")


async def test_ctrl_c_is_a_way_to_leave(mosquitto: str, tmp_path: Path) -> None:
    running = Running(topology(tmp_path, -1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        watching = await Watching.of(launcher.run_folder, "--kind", "*")
        assert re.match(rb" *(alice -> bob|bob -> alice) ", await watching.line())
        watching.process.send_signal(signal.SIGINT)
        code, _, error = await watching.told()
        launcher.interrupt("enough", 3)
        await launcher.wait()
    assert (code, error) == (0, "")


async def test_ctrl_c_ends_it_although_the_client_cannot_say_goodbye(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Client:
        async def __aenter__(self) -> Client:
            return self

        async def __aexit__(self, *_: object) -> None:
            raise aiomqtt.MqttError("the broker is busy")

        async def subscribe(self, topic: str) -> None:
            entered.set()
            await asyncio.sleep(PATIENCE_S)

    entered = asyncio.Event()
    monkeypatch.setattr(tap_module, "client_of", lambda *_: Client())
    folder = folder_of(tmp_path, "live")
    observer.admit(folder, BrokerAddress("127.0.0.1", 1, "observer", "hidden"))
    watcher = Tap(folder, Wanted(), lambda message: None)
    watching = asyncio.create_task(watcher.watch())
    await entered.wait()
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(watching, 5)


async def test_a_reader_that_leaves_ends_it_quietly(mosquitto: str, tmp_path: Path) -> None:
    running = Running(topology(tmp_path, -1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        line = f"exec {sys.executable} -m qnetem tap {launcher.run_folder} 2>{tmp_path}/error"
        head = await asyncio.create_subprocess_shell(f"({line}) | head -2 >/dev/null")
        assert await head.wait() == 0
        launcher.interrupt("enough", 3)
        await launcher.wait()
    assert (tmp_path / "error").read_text() == ""


# --- when there is nothing to watch ---------------------------------------------------------------


def test_a_run_that_is_over_in_one_process_or_unknown_is_named(tmp_path: Path) -> None:
    over, inside = folder_of(tmp_path, "over"), folder_of(tmp_path, "inside", True)
    observer.dismiss(over)
    runs = ["--runs", str(tmp_path / "runs")]
    for run, options, text in (
        (over.name, [], f"{over.name} is over"),
        (str(over), [], "is over"),
        (inside.name, [], "runs in one process"),
        (over.name[:-1], [], f"did you mean {over.name!r}"),
        (over.name, ["--node", "alise"], "did you mean 'alice'"),
        ("latest", ["--runs", str(tmp_path)], "there is no run in"),
    ):
        told = typed_here(tmp_path, "tap", run, *runs, *options)
        assert (told.code, told.stdout) == (2, "")
        assert text in told.stderr


async def test_a_broker_that_is_gone_is_named_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qnetem.live.tap.PATIENCE_S", 0.3)
    folder = folder_of(tmp_path)
    with pytest.raises(InputError, match="never started"):
        await Tap(folder, Wanted(), lambda _: None).watch()
    observer.admit(folder, BrokerAddress("127.0.0.1", 1, "observer", "hidden"))
    with pytest.raises(InfrastructureError, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        await Tap(folder, Wanted(), lambda _: None).watch()
    assert "hidden" not in str(caught.value)


# --- observer.json --------------------------------------------------------------------------------


def test_the_password_is_there_while_the_run_is_and_gone_when_it_is_over(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    assert observer.find(folder) is None
    observer.admit(folder, BrokerAddress("h", 1, "observer", "hidden"))
    found = observer.find(folder)
    assert found is not None and not found.over
    assert (found.host, found.port, found.username, found.password) == (
        "h",
        1,
        "observer",
        "hidden",
    )
    assert found.topic == f"qnetem/v1/{folder.name}/#"
    assert "hidden" not in repr(found)
    observer.dismiss(folder)
    found = observer.find(folder)
    assert found is not None and found.over and found.password is None
    assert "hidden" not in RunFolder(folder).observer.read_text()


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    RunFolder(tmp_path).observer.write_text("nonsense")
    with pytest.raises(InfrastructureError, match=r"observer\.json is not"):
        observer.find(tmp_path)


# --- lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (Wanted(), True),
        (Wanted(nodes=["alice"]), True),
        (Wanted(nodes=["bob", "carol"]), True),
        (Wanted(nodes=["carol"]), False),
        (Wanted(kinds=["bb84.bases"]), True),
        (Wanted(kinds=["bb84.*"]), True),
        (Wanted(kinds=["bb84"]), False),
        (Wanted(ports=[""]), True),
        (Wanted(ports=["tick*"]), False),
        (Wanted(nodes=["alice"], kinds=["herald", "qber"]), False),
    ],
)
def test_filters(wanted: Wanted, taken: bool) -> None:
    assert wanted.takes(message()) is taken


def test_a_publish_to_an_inbox_is_a_message_and_nothing_else_is() -> None:
    payload = b'{"seq":17,"inc":2,"kind":"k","body":[1,2]}'
    found = read_message("qnetem/v1/run/bob/inbox/alice", payload)
    assert found == Message("alice", "bob", "k", 2, 17, msgspec.Raw(b"[1,2]"))
    assert read_message("qnetem/v1/run/bob/outbox/alice", payload) is None
    assert read_message("qnetem/v1/run/bob", payload) is None
    assert read_message("qnetem/v1/run/bob/inbox/alice", b"\xff") is None


async def test_several_messages_of_one_publish_are_shown_one_by_one(tmp_path: Path) -> None:
    class Client:
        @property
        async def messages(self) -> AsyncIterator[Any]:
            topic = "qnetem/v1/run/bob/inbox/alice"
            one, two = (b'{"seq":%d,"inc":1,"kind":"k","body":%d}' % (n, n) for n in (1, 2))
            for payload in (b"[%b,%b]" % (one, two), two, b"[1]", b"["):
                yield SimpleNamespace(topic=topic, payload=payload)

    shown: list[int] = []
    watcher = Tap(folder_of(tmp_path, "live"), Wanted(), lambda message: shown.append(message.seq))
    await watcher._read(cast(aiomqtt.Client, Client()))
    assert shown == [1, 2, 2]


def test_a_line_fits_and_no_message_steers_the_terminal() -> None:
    table = Table(["alice", "bob", "repeater"], 60)
    long = Message("alice", "bob", "k\x1b[2J", 1, 1, msgspec.Raw(b'"' + b"x" * 200 + b'"'))
    line = table.line(long)
    assert len(line) == 60 and line.endswith("…")
    assert line.startswith("   alice -> bob       k")
    assert line.isprintable()
    assert table.line(message()).isprintable()


def test_an_object_has_the_whole_body() -> None:
    assert json.loads(as_json(message())) == {
        "source": "alice",
        "destination": "bob",
        "port": "",
        "kind": "bb84.bases",
        "incarnation": 1,
        "seq": 17,
        "body": {"n": "\x1b[31m"},
    }


def test_an_object_is_one_line_and_steers_no_terminal() -> None:
    body = '{"a" :\n "\x7f\x9b31m\u202e\U0001d173" }'
    found = read_message(
        "qnetem/v1/run/bob/inbox/alice",
        b'{"seq":1,"inc":1,"kind":"k\\u001b","body":' + body.encode() + b"}",
    )
    assert found is not None
    line = as_json(found)
    assert line.isprintable()
    assert json.loads(line)["body"] == {"a": "\x7f\x9b31m\u202e\U0001d173"}


async def test_the_users_own_login_is_not_handed_to_an_address_that_another_user_has_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QNETEM_BROKER_USERNAME", "me")
    monkeypatch.setenv("QNETEM_BROKER_PASSWORD", "hidden")
    folder = folder_of(tmp_path)
    observer.admit(folder, BrokerAddress("127.0.0.1", 1))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(InputError, match="belongs to another user") as caught:
        await Tap(folder, Wanted(), lambda _: None).watch()
    assert "hidden" not in str(caught.value)


@given(
    st.lists(st.sampled_from(["qnetem", "v1", "run", "bob", "inbox", ""]) | st.text(max_size=3)),
    st.binary(max_size=60) | st.just(b'{"seq":1,"inc":1,"kind":"k","body":1}'),
)
@example(["qnetem", "v1", "run", "bob", "inbox", "alice"], b"[" * 100_000)
@example(["", "", "", "\x9b", "inbox", "\x1f"], b'{"seq":1,"inc":1,"kind":"k","body":1}')
def test_whatever_a_broker_hands_over_is_a_message_with_a_line_or_nothing(
    levels: list[str], payload: bytes
) -> None:
    message = read_message("/".join(levels), payload)
    if message is not None:
        assert Table(["alice"], 80).line(message).isprintable()
        assert as_json(message).isprintable()
