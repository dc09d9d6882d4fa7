"""Brokers as real processes: what a run may rely on, for either kind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import aiomqtt
import pytest

from qnetem.broker import kinds, ports, probe
from qnetem.broker.broker import Broker
from qnetem.emulator.errors import InfrastructureError, InputError
from tests.accounts import address, client, open_broker


def runs(pid: int) -> bool:
    """Whether a process with this pid exists and is not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Wait for a state that no event announces."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not condition():
        assert loop.time() < deadline, f"{what} did not happen within {timeout_s} s"
        await asyncio.sleep(0.01)


async def carry(broker: Broker, bodies: list[bytes]) -> list[bytes]:
    """Publish bodies from one client, at QoS 0, and return what another client receives."""
    topic, received = "qnetem/v1/run/bob/inbox/alice", []
    async with client(broker, "bob") as bob, client(broker, "alice") as alice:
        await bob.subscribe("qnetem/v1/run/bob/inbox/+")

        async def publish() -> None:
            for body in bodies:
                await alice.publish(topic, body)

        publishing = asyncio.create_task(publish())
        async with asyncio.timeout(60):
            async for message in bob.messages:
                received.append(bytes(message.payload))
                if len(received) == len(bodies):
                    break
        await publishing
    return received


# --- life -----------------------------------------------------------------------------------------


async def test_a_stopped_broker_leaves_no_process(broker_kind: str, tmp_path: Path) -> None:
    async with open_broker(broker_kind, tmp_path / "run" / "broker") as broker:
        pid = broker.pid
        assert pid is not None and runs(pid)
        assert broker.alive and broker.kind == broker_kind
        assert await probe.admits(address(broker))
    assert not runs(pid)
    assert not broker.alive and broker.pid is None
    assert not await probe.admits(address(broker))
    await broker.stop()


async def test_a_killed_broker_comes_back_on_the_same_port(
    broker_kind: str, tmp_path: Path
) -> None:
    async with open_broker(broker_kind, tmp_path) as broker:
        pid, port = broker.pid, broker.port
        async with client(broker, "witness"):  # its connection lies in TIME_WAIT afterwards
            await broker.kill()
            assert not broker.alive and broker.wanted
            with pytest.raises(aiomqtt.MqttError):
                async with client(broker, "early"):
                    pass
        await broker.restart()
        assert broker.alive and broker.port == port
        assert broker.pid != pid
        assert await carry(broker, [b"again"]) == [b"again"]


async def test_a_supervisor_revives_a_broker_that_dies_and_ends_with_stop(
    mosquitto: str, tmp_path: Path
) -> None:
    broker = open_broker("mosquitto", tmp_path)
    await broker.start()
    pids = [broker.pid]

    async def supervise() -> None:
        while True:
            await broker.wait()
            if not broker.wanted:
                return
            await broker.restart()
            pids.append(broker.pid)

    launcher = asyncio.create_task(supervise())
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    await until(lambda: len(pids) == 2, "the restart")
    await broker.stop()
    await asyncio.wait_for(launcher, 10)
    assert not broker.alive and len(dict.fromkeys(pids)) == 2


async def test_restart_leaves_a_running_and_a_stopped_broker_alone(
    mosquitto: str, tmp_path: Path
) -> None:
    async with open_broker("mosquitto", tmp_path) as broker:
        pid = broker.pid
        await broker.restart()
        assert broker.pid == pid
    await broker.restart()
    assert not broker.alive


async def test_a_broker_that_ignores_sigterm_is_killed(
    mosquitto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qnetem.broker.broker.STOP_TIMEOUT_S", 0.1)
    async with open_broker("mosquitto", tmp_path) as broker:
        pid = broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
    assert not runs(pid)


async def test_two_brokers_run_at_once(broker_kind: str, tmp_path: Path) -> None:
    first, second = (
        open_broker(broker_kind, tmp_path / "a"),
        open_broker(broker_kind, tmp_path / "b"),
    )
    try:
        await asyncio.gather(first.start(), second.start())
        assert first.port != second.port
        assert await carry(first, [b"a"]) == [b"a"]
        assert await carry(second, [b"b"]) == [b"b"]
    finally:
        await asyncio.gather(first.stop(), second.stop())


LAUNCHER = """
import asyncio, sys
from qnetem.broker.broker import Broker
from qnetem.broker.access import Access

async def main():
    broker = Broker(sys.argv[1], sys.argv[2], Access([]))
    await broker.start()
    print(broker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux promises it")
async def test_a_broker_does_not_outlive_a_killed_launcher(
    broker_kind: str, tmp_path: Path
) -> None:
    launcher = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LAUNCHER, broker_kind, str(tmp_path), stdout=subprocess.PIPE
    )
    try:
        assert launcher.stdout is not None
        pid = int(await asyncio.wait_for(launcher.stdout.readline(), 60))
        assert runs(pid)
    finally:
        launcher.kill()
        await launcher.wait()
    await until(lambda: not runs(pid), "the broker's end")


async def test_a_broker_is_out_of_reach_of_the_terminal(broker_kind: str, tmp_path: Path) -> None:
    async with open_broker(broker_kind, tmp_path) as broker:
        assert broker.pid is not None
        assert os.getpgid(broker.pid) == broker.pid


# --- what it carries ------------------------------------------------------------------------------


async def test_two_thousand_messages_arrive_in_order(broker_kind: str, tmp_path: Path) -> None:
    bodies = [number.to_bytes(4, "big") * 256 for number in range(2000)]
    async with open_broker(broker_kind, tmp_path) as broker:
        assert await carry(broker, bodies) == bodies


async def test_a_body_of_three_megabytes_arrives(broker_kind: str, tmp_path: Path) -> None:
    body = bytes(range(256)) * 12_000
    async with open_broker(broker_kind, tmp_path) as broker:
        assert await carry(broker, [body]) == [body]


async def test_it_listens_on_the_loopback_address_only(broker_kind: str, tmp_path: Path) -> None:
    async with open_broker(broker_kind, tmp_path) as broker:
        assert broker.host == "127.0.0.1"
        with socket.socket() as other:  # any other loopback address would be served by 0.0.0.0
            assert other.connect_ex(("127.0.0.2", broker.port)) != 0


# --- ports ----------------------------------------------------------------------------------------


async def test_a_busy_fixed_port_is_named(broker_kind: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", ports.free_port())) as squatter:
        port = squatter.getsockname()[1]
        broker = open_broker(broker_kind, tmp_path, port=port)
        with pytest.raises(InfrastructureError, match=f"port {port} .*in use"):
            await broker.start()
    assert not broker.alive
    async with broker:
        assert broker.port == port


async def test_a_port_taken_behind_our_back_is_replaced(
    broker_kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The squatter speaks MQTT: an answer at the port must not be mistaken for our broker's."""
    async with open_broker("auto", tmp_path / "squatter") as squatter:
        offers = [squatter.port, ports.free_port()]
        monkeypatch.setattr(ports, "free_port", lambda: offers.pop(0))
        monkeypatch.setattr(ports, "is_free", lambda port: True)
        async with open_broker(broker_kind, tmp_path / "ours") as broker:
            assert broker.port != squatter.port
            assert offers == []
        assert squatter.alive


def test_picked_ports_keep_clear_of_those_of_outgoing_connections() -> None:
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(ephemeral.read_text().split()[0]) if ephemeral.exists() else 49_152
    assert first > ports.LAST_PORT
    assert ports.FIRST_PORT <= ports.free_port() <= ports.LAST_PORT


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_out_of_range_is_refused(port: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(port)):
        open_broker("auto", tmp_path, port=port)


# --- which broker ---------------------------------------------------------------------------------


def test_mosquitto_is_preferred(mosquitto: str, tmp_path: Path) -> None:
    assert open_broker("auto", tmp_path).kind == "mosquitto"


async def test_without_mosquitto_the_embedded_broker_serves(
    amqtt: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    async with open_broker("auto", tmp_path) as broker:
        assert broker.kind == "amqtt"
        assert await carry(broker, [b"body"]) == [b"body"]


@pytest.mark.parametrize(
    ("choice", "remedies"),
    [
        ("auto", [kinds.GET_MOSQUITTO, kinds.GET_AMQTT]),
        ("mosquitto", [kinds.GET_MOSQUITTO]),
        ("amqtt", [kinds.GET_AMQTT]),
    ],
)
def test_a_missing_broker_names_its_remedies(
    choice: str, remedies: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "amqtt", None)
    with pytest.raises(InfrastructureError) as caught:
        open_broker(choice, tmp_path)
    assert all(remedy in str(caught.value) for remedy in remedies)


def test_a_mosquitto_outside_path_is_pointed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mosquitto"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(kinds, "UNUSUAL_FOLDERS", (str(tmp_path),))
    with pytest.raises(InfrastructureError, match=str(tmp_path)):
        open_broker("mosquitto", tmp_path)


@pytest.mark.parametrize(
    ("log", "remedy"),
    [
        ("no such option: listener", ""),
        (
            "Error: Invalid port value (0).",
            r"\(mosquitto 2\.0 or newer is needed; .*--broker amqtt\)",
        ),
    ],
)
async def test_a_broker_that_cannot_start_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str, remedy: str
) -> None:
    program = tmp_path / "mosquitto"
    program.write_text(f"#!/bin/sh\necho '{log}' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = rf"status 3 ?{remedy}(.|\n)*{re.escape(log)}"
    with pytest.raises(InfrastructureError, match=told):
        await open_broker("mosquitto", tmp_path / "run").start()


async def test_a_broker_that_never_answers_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mosquitto"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec /bin/sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("qnetem.broker.broker.START_TIMEOUT_S", 1.0)
    broker = open_broker("mosquitto", tmp_path / "run")
    with pytest.raises(InfrastructureError, match="did not answer"):
        await broker.start()
    assert not broker.alive
    assert not runs(int((tmp_path / "pid").read_text()))


def test_root_keeps_its_user_so_that_the_broker_ends_with_its_parent() -> None:
    assert "user root" in kinds.mosquitto_configuration(Path("b"), 1883, "s", as_root=True)
    assert "user" not in kinds.mosquitto_configuration(Path("b"), 1883, "s", as_root=False)


# --- a broker that is there already ---------------------------------------------------------------


async def test_an_external_broker_is_used_and_left_alone(mosquitto: str, tmp_path: Path) -> None:
    async with open_broker("mosquitto", tmp_path / "theirs") as theirs:
        async with open_broker(f"127.0.0.1:{theirs.port}", tmp_path / "ours") as broker:
            assert (broker.kind, broker.pid, broker.alive) == ("external", None, True)
            assert await carry(broker, [b"body"]) == [b"body"]
            for harm in (broker.kill, broker.restart):
                with pytest.raises(InfrastructureError, match="not ours"):
                    await harm()
        assert theirs.alive and not broker.alive


async def test_an_external_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    address = f"127.0.0.1:{ports.free_port()}"
    with pytest.raises(InfrastructureError, match=f"{address} .*Connection refused"):
        await open_broker(address, tmp_path).start()


@pytest.mark.parametrize("choice", ["", "mosquito", "host", "host:", ":1883", "host:0", "h:70000"])
def test_a_choice_that_is_none_says_what_was_expected(choice: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected auto, mosquitto, amqtt or host:port"):
        open_broker(choice, tmp_path)


def test_an_address_may_be_ipv6() -> None:
    assert kinds.parse_address("[::1]:1883") == ("::1", 1883)


def test_an_external_broker_takes_no_port(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its own port"):
        open_broker("localhost:1883", tmp_path, port=1884)
