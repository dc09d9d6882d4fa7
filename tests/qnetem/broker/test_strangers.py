"""Strangers at the emulator's socket of a real run: refused, noted, and without any effect on it."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from qnetem.emulator import wire
from qnetem.emulator.record.refusals import count_refusals
from qnetem.emulator.wire import control
from qnetem.emulator.wire.framing import FrameSplitter, short_path
from qnetem.launcher.launcher import RunOptions, run_processes
from tests.harness import content

from ..launcher.test_launcher import PATIENCE_S, Running, topology

pytestmark = pytest.mark.usefixtures("mosquitto")
ROUNDS = 300
MORE = "faults:\n  - {at: 5 ms, kill: bob, restart: 1 ms}\n"


async def knock(path: str, hello: wire.Hello) -> list[wire.ToNode]:
    """Say Hello at the emulator's socket; all that it answers before it hangs up."""
    with short_path(path) as reachable:
        reader, writer = await asyncio.open_unix_connection(reachable)
    splitter, heard = FrameSplitter(), list[wire.ToNode]()
    writer.write(wire.frame(hello))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while data := await reader.read(65536):
                heard += [wire.decode_to_node(body) for body in splitter.feed(data)]
    except ConnectionResetError:
        pass  # it did not wait for us to read
    finally:
        writer.close()
    return heard


async def test_a_stranger_that_claims_to_be_a_node_is_refused_and_the_run_does_not_notice(
    tmp_path: Path,
) -> None:
    here = topology(tmp_path, ROUNDS)
    undisturbed = await run_processes(here, RunOptions("mosquitto", runs_folder=tmp_path / "a"))
    running = Running(here, tmp_path / "b")
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        await running.under_way()
        secret = launcher._secret
        alice, bob = (control.token(secret, node, 1) for node in ("alice", "bob"))
        claims = {
            "wrong token for alice": wire.Hello("alice", 1, bob, 1),
            "wrong token for bob": wire.Hello("bob", 1, "", 1),
            "alice.1 is not expected (running)": wire.Hello("alice", 1, alice, 1),
            "alice.2 is not expected (running)": wire.Hello(
                "alice", 2, control.token(secret, "alice", 2), 1
            ),
            "no node is called 'mallory'": wire.Hello(
                "mallory", 1, control.token(secret, "mallory", 1), 1
            ),
            "speaks protocol 99": wire.Hello("bob", 1, bob, 1, version=99),
        }
        for claim in claims.values():
            assert await knock(launcher._path("emulator"), claim) == []
        assert stat.S_IMODE(os.stat(Path(launcher._path("emulator")).parent).st_mode) == 0o700
        outcome = await launcher.wait()
    assert outcome.problem is None
    assert outcome.digest == undisturbed.outcome.digest
    lines = (launcher.run_folder / "access.jsonl").read_text().splitlines()
    for why, line in zip(claims, lines, strict=True):
        assert why in json.loads(line)["why"]
    assert count_refusals(undisturbed.run_folder) == 0


async def test_the_token_of_a_dead_incarnation_opens_nothing(tmp_path: Path) -> None:
    running = Running(topology(tmp_path, -1, more=MORE), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        while not (launcher.run_folder / "logs" / "bob.2.log").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        token = control.token(launcher._secret, "bob", 1)
        assert await knock(launcher._path("emulator"), wire.Hello("bob", 1, token, 1)) == []
        launcher.interrupt("enough", 3)
        await launcher.wait()
    assert count_refusals(launcher.run_folder) == 1


async def test_no_secret_is_in_any_file_but_the_observers(tmp_path: Path) -> None:
    running = Running(topology(tmp_path, -1, more=MORE), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        await running.under_way(200)
        access, secret = launcher.broker._access, launcher._secret
        await knock(launcher._path("emulator"), wire.Hello("alice", 1, "f" * 32, 1))
        secrets = {"the run's": secret, "a stranger's": "f" * 32}
        for node in ("alice", "bob"):
            secrets[f"{node} at the broker"] = access.node(node).password
            for incarnation in (1, 2):
                token = control.token(secret, node, incarnation)
                secrets[f"{node}.{incarnation}"] = token
        everything = {**secrets, "observer": access.observer.password}
        arguments = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running.pids()]
        assert not [name for name in everything if any(told(everything[name], arguments))]
        folder = launcher.run_folder
        observers = folder / "observer.json"
        assert everything["observer"] in observers.read_text()
        assert stat.S_IMODE(observers.stat().st_mode) == 0o600
        launcher.interrupt("enough", 3)
        await launcher.wait()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"journal.jsonl.gz", "emulator.log", "broker.log", "alice.1.bin.gz", "access.jsonl"} <= {
        path.name for path in files
    }
    for path in files:
        found = [name for name in everything if any(told(everything[name], [content(path)]))]
        assert not found, path


def told(secret: str, texts: list[bytes]) -> list[bool]:
    """Whether each text has the secret, as text or as the bytes that it stands for."""
    return [secret.encode() in text or bytes.fromhex(secret) in text for text in texts]
