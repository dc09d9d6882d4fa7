"""Speaking to a run as a user does: `qnetem fault` and `qnetem inspect`, during a run and afterwards."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qnetem.emulator.errors import InputError
from qnetem.live.address import announce, live_address
from qnetem.live.client import LiveClient, RunIsOver, add_fault, change_faults, inspect, list_faults
from qnetem.runs.run_folder import RunFolder

from ..trouble import PATIENCE_S, Told, command, left_in, typed_here

pytestmark = [
    pytest.mark.processes,
    pytest.mark.usefixtures("mosquitto"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc"),
]

PROGRAMS = """\
import asyncio
from qnetem import Agent


class Pings(Agent):
    async def run(self, peer: str):
        while (await self.ping(peer)) != "enough":
            await asyncio.sleep(0.01)
        await self.send(peer, 0, kind="end")
        return {"ended": True}

    async def ping(self, peer):
        await self.send(peer, self.name, kind="ping")
        try:
            async with asyncio.timeout(0.02):
                return (await self.receive(peer)).body
        except TimeoutError:
            return None


class Pongs(Agent):
    async def run(self, peer: str, enough: int):
        await self.qubit()
        count = 0
        while (message := await self.receive(peer)).kind != "end":
            count += 1
            await self.send(peer, "enough" if self.now_ns > enough * 10**6 else count)
"""

TOPOLOGY = """\
name: live
seed: 7
time: {{mode: real, speed: {speed}}}
nodes:
  alice: {{program: "./programs.py:Pings", with: {{peer: bob}}}}
  bob: {{program: "./programs.py:Pongs", with: {{peer: alice, enough: {enough}}}}}
links:
  - {{between: [alice, bob], classical: {{latency: 1 ms}}}}
"""


#: Bob ends the run when his clock shows this: by itself never, after ENOUGH at once.
NEVER_MS, ENOUGH = 500_000, "{clock_skew: bob, offset: 1000 s}"


class Live:
    """`qnetem run` under way in a folder of its own; what is typed there."""

    def __init__(
        self, folder: Path, *words: str, enough: int = NEVER_MS, speed: float = 1.0
    ) -> None:
        self.folder = folder
        (folder / "programs.py").write_text(PROGRAMS)
        (folder / "live.yaml").write_text(TOPOLOGY.format(speed=speed, enough=enough))
        self.process = subprocess.Popen(
            command("run", "live.yaml", "--format", "json", *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
        )

    def __enter__(self) -> Live:
        self.until(lambda: list(self.folder.glob("runs/*/desk.json")))
        self.until(lambda: inspect(self.run_folder).instants > 10)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
            self.process.communicate()

    @property
    def run_folder(self) -> Path:
        [folder] = self.folder.glob("runs/*")
        return folder

    def types(self, *words: str) -> Told:
        # Whatever the digits of an instant, nothing is cut.
        return typed_here(self.folder, *words, COLUMNS="120")

    def until(self, test: Callable[[], object]) -> None:
        """Wait for a state of the run."""
        deadline = time.monotonic() + PATIENCE_S
        while not test():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"it does not come to that: {self.process.communicate()}")
            time.sleep(0.02)

    def ended(self) -> dict[str, Any]:
        """Have the run end; what it came to."""
        change_faults(self.run_folder, add_fault(ENOUGH))
        return self.outcome()

    def outcome(self) -> dict[str, Any]:
        stdout, stderr = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, stderr
        data: dict[str, Any] = json.loads(stdout)
        return data


def apart(folder: Path, *words: str) -> Told:
    """Typed into a shell beside the run."""
    done = subprocess.run(
        command(*words),
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=PATIENCE_S,
    )
    return Told(done.returncode, done.stdout, done.stderr)


@pytest.fixture(params=[(), ("--in-process",)], ids=["processes", "in-process"])
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    with Live(tmp_path, *request.param) as running:
        yield running


def test_a_run_is_broken_mended_ended_and_replayed(live: Live) -> None:
    words = ("fault", "latest", "add", "{cut: alice-bob}", "--format", "json")
    told = apart(live.folder, *words)
    assert told.code == 0, told.stderr
    [record] = told.data["faults"]
    assert (record["id"], record["fault"], record["state"]) == ("live.1", "cut", "active")
    told = live.types(
        "fault", live.run_folder.name, "add", "{loss: one, probability: 40 %, for: 50 ms}"
    )
    assert told.stdout.splitlines()[1].startswith("live.2  loss alice-bob, probability 0.4 for")
    assert inspect(live.run_folder).faults[0].state == "active"
    told = live.types("fault", str(live.run_folder), "heal", "live.1")
    assert "healed" in told.stdout.splitlines()[1]
    live.until(
        lambda: list_faults(live.run_folder)[1].state == "healed"
    )  # the last message is not lost
    data = live.ended()
    cut, loss, _ = data["faults"]
    assert cut["began_s"] == record["began_s"] and cut["healed_s"] > cut["began_s"]
    assert loss["healed_s"] == pytest.approx(loss["began_s"] + 0.05)
    told = apart(live.folder, "replay", str(live.run_folder))
    assert told.code == 0 and data["digest"] in told.stdout, told


def test_a_fault_that_is_refused_is_told_with_its_place_and_nothing_has_changed(live: Live) -> None:
    told = live.types("fault", "latest", "add", "{cut: alice-bo, for: 1 s}")
    assert told.code == 2
    assert told.error == "<fault>:1:7: cut: unknown link 'alice-bo'; did you mean 'alice-bob'?"
    told = live.types("fault", "latest", "heal", "live.1")
    assert (told.code, told.error) == (2, "no fault 'live.1' is active; active: none")
    assert list_faults(live.run_folder) == []


def test_a_run_is_looked_at_under_way_and_when_it_is_over(live: Live) -> None:
    page = live.types("inspect", "latest").stdout
    assert page.startswith("live  seed 7  under way\nat ")
    assert "running, parked" in page and "1/16" in page
    assert "\n  bob waits for a message from alice (programs.py:" in page
    told = live.types("inspect", "latest", "--format", "json")
    assert told.data["live"] and told.data["digest"] is None
    assert [node["name"] for node in told.data["nodes"]] == ["alice", "bob"]
    rows = csv.DictReader(io.StringIO(live.types("inspect", "latest", "--format", "csv").stdout))
    assert [row["state"] for row in rows] == ["running", "running"]
    data = live.ended()
    [notice] = data["noticed"]
    assert (notice["what"], notice["node"], len(notice["held"])) == ("slots", "bob", 1)
    over = live.types("inspect", "latest", "--format", "json").data
    assert not over["live"] and over["digest"] == data["digest"]
    assert over.keys() == told.data.keys()
    assert {*over["nodes"][0]} == {*told.data["nodes"][0]} | {"grants", "inputs", "worked_s"}
    page = live.types("inspect", "latest").stdout
    assert "is over, digest" in page and "bob ended with 1 slot in use: " in page
    assert live.types("fault", "latest", "list").stdout.startswith("id ")
    told = live.types("fault", "latest", "add", "{cut: all}")
    assert told.code == 2 and told.error.endswith(": the run is over")


def test_the_desk_is_private_and_gone_when_the_run_is_over(live: Live) -> None:
    path = live_address(live.run_folder)
    assert path is not None
    assert RunFolder(live.run_folder).live.stat().st_mode & 0o777 == 0o600
    assert Path(path).parent.stat().st_mode & 0o777 == 0o700
    live.ended()
    assert live_address(live.run_folder) is None
    assert not Path(path).parent.exists()


def test_a_run_looked_at_again_and_again_comes_to_the_digest_of_one_left_alone(
    tmp_path: Path,
) -> None:
    with Live(tmp_path, enough=2000) as watched:
        for _ in range(12):
            assert inspect(watched.run_folder).name == "live"
        digest = watched.outcome()["digest"]
        alone = watched.types("run", "live.yaml", "--in-process", "--format", "json")
        assert alone.data["digest"] == digest


async def test_a_program_speaks_to_a_run(tmp_path: Path) -> None:
    with Live(tmp_path) as live:
        client = LiveClient(live.run_folder)
        [cut] = await client.fault({"cut": "alice-bob", "for": "1 h"})
        assert (cut.id, cut.state, cut.for_ns) == ("live.1", "active", 3600 * 10**9)
        with pytest.raises(InputError, match="unknown node 'carol'"):
            await client.fault("{kill: carol}")
        assert [fault.id for fault in await client.faults()] == ["live.1"]
        assert (await client.inspect()).faults[0].state == "active"
        [healed] = await client.heal("all")
        assert (healed.id, healed.state, healed.asked) == ("live.1", "healed", True)
        live.process.send_signal(signal.SIGINT)
        live.process.communicate(timeout=PATIENCE_S)
        with pytest.raises(RunIsOver):
            await client.faults()


def test_a_run_whose_launcher_was_killed_is_over_although_its_desk_file_is_there(
    tmp_path: Path,
) -> None:
    with Live(tmp_path) as live:
        os.kill(live.process.pid, signal.SIGKILL)
        live.process.communicate()
        deadline = time.monotonic() + PATIENCE_S
        while left_in(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert live_address(live.run_folder) is not None
        with pytest.raises(RunIsOver, match="the run is over"):
            list_faults(live.run_folder)
        told = live.types("inspect", "latest")
        assert told.code == 2 and told.error.endswith("was broken off: it has no outcome.json")


def test_a_desk_file_that_is_not_ours_is_an_input_error(tmp_path: Path) -> None:
    RunFolder(tmp_path).live.write_text("[]")
    with pytest.raises(InputError, match=r"desk\.json cannot be read"):
        live_address(tmp_path)
    announce(tmp_path, "/nowhere/at/all")
    with pytest.raises(RunIsOver):
        list_faults(tmp_path)


def test_wrong_words_are_told(tmp_path: Path) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "run.json").write_text("{}")
    for words, error in {
        ("a", "add"): "add: expected one entry such as '{cut: alice-bob, for: 1 s}'",
        ("a", "heal"): "heal: expected the id of a fault, or all",
        ("a", "list", "b"): "list: expected no further argument, found 'b'",
        ("nothing", "list"): "there is no run 'nothing' here or in runs; expected a",
    }.items():
        told = typed_here(tmp_path, "fault", *words)
        assert (told.code, told.error) == (2, error)
