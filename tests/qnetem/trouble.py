"""What the tests of trouble share: a folder of programs that go wrong, and the command as it is typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qnetem.cli.main import app
from qnetem.emulator.fixed_environment import FIXED_ENVIRONMENT as FIXED
from tests.harness import content

#: Nothing here should take so long; the limit is for a machine that is busy with other things.
PATIENCE_S = 60.0
#: How long a process may keep the processor before it is called silent, where a test wants that.
SILENT_S = "0.6"

PROGRAMS = """\
import asyncio, os, sys
from qnetem import Agent


class Good(Agent):
    async def run(self, rounds: int = 3):
        print("a program prints")
        await self.compute("1 ms")
        return {"rounds": rounds}


class Raises(Agent):
    async def run(self):
        await self.compute("2 ms")
        self.helper()

    def helper(self):
        raise ValueError("no good")


class GroupRaises(Agent):
    async def run(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.fail(), name="fails")
            group.create_task(self.receive(), name="waits")

    async def fail(self):
        await self.compute("1 ms")
        raise KeyError("gone")


class Exits(Agent):
    async def run(self):
        await self.compute("1 ms")
        sys.exit("enough")


class ExitsHard(Agent):
    async def run(self):
        await self.compute("2 ms")
        os._exit(7)


class Spins(Agent):
    async def run(self):
        await asyncio.create_task(self.spin(), name="spinner")

    async def spin(self):
        await self.compute("3 ms")
        while True:
            await asyncio.sleep(0)


class Burns(Agent):
    async def run(self):
        await self.compute("3 ms")
        self.burn()

    def burn(self):
        while True:
            pass


class Waits(Agent):
    async def run(self):
        await self.compute("5 ms")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.receive("bob", kind="answer"), name="listener")
            group.create_task(self.entangle("bob"), name="entangler")
            group.create_task(self.queue(), name="queue")

    async def queue(self):
        await self.compute("1 ms")
        await asyncio.Queue().get()


class MeasuresTwice(Agent):
    async def run(self):
        qubit = await self.qubit()
        await self.compute("2 ms")
        await qubit.measure()
        await self.compute("2 ms")
        await qubit.measure()


class SendsAway(Agent):
    async def run(self):
        qubit = await self.qubit()
        await self.transmit(qubit, "bob")
        await self.compute("1 ms")
        await qubit.x()


class Takes(Agent):
    async def run(self):
        await self.receive_qubit("alice")
        await self.compute("10 ms")


class Connects(Agent):
    async def run(self):
        import socket

        socket.socket()


class ReturnsRubbish(Agent):
    async def run(self):
        return {1: 2}


class Talks(Agent):
    async def run(self, peer: str, rounds: int = -1):
        count = 0
        while count != rounds:
            count += 1
            await self.send(peer, count)
            await self.receive(peer)
        return {"count": count}
"""

TOPOLOGY = """\
name: trouble
seed: 7
nodes:
  alice: {{kind: endpoint, program: "./programs.py:{alice}"{alice_with}}}
  bob: {{kind: endpoint, program: "./programs.py:{bob}"{bob_with}}}
links:
  - between: [alice, bob]
    length: 10 km
    quantum: {{attenuation: 0 dB/km, entangle: {{success: 0.1, fidelity: 0.9, attempt: 1 ms}}}}
"""


def written(folder: Path, alice: str = "Good", bob: str = "Good") -> Path:
    """A topology of two nodes with these programs, in a folder of its own."""
    (folder / "programs.py").write_text(PROGRAMS)
    text = TOPOLOGY.format(
        alice=alice,
        bob=bob,
        alice_with=", with: {peer: bob}" if alice == "Talks" else "",
        bob_with=", with: {peer: alice}" if bob == "Talks" else "",
    )
    path = folder / "trouble.yaml"
    path.write_text(text)
    return path


@dataclass
class Told:
    """What a command said."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> dict[str, Any]:
        """The one object on standard output."""
        assert self.stdout.count("\n") == 1, self.stdout
        found: dict[str, Any] = json.loads(self.stdout)
        return found

    @property
    def error(self) -> str:
        """The line that says what is wrong; there is one only."""
        lines = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.stderr
        return lines[0].removeprefix("error: ")

    @property
    def run_folder(self) -> Path:
        """The folder that standard error names."""
        [line] = [line for line in self.stderr.splitlines() if line.startswith("run folder: ")]
        return Path(line.removeprefix("run folder: "))


def command(*words: str | Path) -> list[str]:
    """The command line of `qnetem ...`."""
    return [sys.executable, "-m", "qnetem", *map(str, words)]


def typed(
    folder: Path, *words: str | Path, check: Callable[[], None] | None = None, **environment: str
) -> Told:
    """Type `qnetem ...` in a folder, wait for its end, and see that it leaves no process behind."""
    process = subprocess.Popen(
        command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
        start_new_session=True,
        preexec_fn=check,  # noqa: PLW1509 - no thread of the test runs at this time
    )
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.communicate()
    assert left_in(folder) == []
    return Told(process.returncode, stdout, stderr)


def typed_here(folder: Path, *words: str | Path, **environment: str) -> Told:
    """The same words, read by this process: where what is tested is the words, and not the process.

    As if its environment were fixed, so that a run in one process does not start anew.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in {**FIXED, **environment}.items():
            patch.setenv(name, value)
        ended = CliRunner().invoke(app, [str(word) for word in words])
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return Told(ended.exit_code, ended.stdout, ended.stderr)


def both_ways(folder: Path, *words: str | Path, **environment: str) -> Iterator[Told]:
    """The same command with processes, and in one process; both as JSON."""
    yield typed(folder, "run", *words, "--format", "json", **environment)
    yield in_process(folder, *words, **environment)


def in_process(folder: Path, *words: str | Path, **environment: str) -> Told:
    """In one process, as JSON."""
    words = ("run", *words, "--format", "json", "--in-process")
    # What is set for a command is read where it starts.
    return (typed if environment else typed_here)(folder, *words, **{**FIXED, **environment})


# --- processes ------------------------------------------------------------------------------------


def left_in(folder: Path) -> list[str]:
    """Processes that work in this folder or were told of it: all that a run there has started."""
    return [text for _, text in _processes(folder)]


def _processes(folder: Path) -> list[tuple[int, str]]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            place = os.readlink(entry / "cwd")
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if state != "Z" and (place == str(folder) or str(folder) in words):
            found.append((int(entry.name), words))
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def heed_hangups() -> None:
    """A terminal's hang-up counts, also when the tests themselves run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Running:
    """`qnetem run` on two nodes that talk for ever; a context manager that leaves nothing behind."""

    def __init__(self, folder: Path, *words: str, form: str = "text") -> None:
        self.folder = folder
        written(folder, "Talks", "Talks")
        self.process = subprocess.Popen(
            command("run", "trouble.yaml", "--format", form, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            start_new_session=True,
            preexec_fn=heed_hangups,  # noqa: PLW1509 - no thread of the test runs at this time
        )

    def __enter__(self) -> Running:
        self._until(self._under_way)
        return self

    def __exit__(self, *_: object) -> None:
        for pid, _words in _processes(self.folder):
            os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def pids(self, what: str) -> list[int]:
        """Of "emulator", "zygote", "broker" or "node"."""
        launcher = self.process.pid
        found = {pid: words for pid, words in _processes(self.folder) if pid != launcher}
        zygotes = [
            pid
            for pid, words in found.items()
            if "qnetem.launcher.zygote" in words and _parent(pid) == launcher
        ]
        if what == "zygote":
            return zygotes
        if what == "node":
            return sorted(pid for pid in found if _parent(pid) in zygotes)
        marks = {"emulator": ("emulator.service.server",), "broker": ("mosquitto", "embedded.py")}[
            what
        ]
        return [pid for pid, words in found.items() if any(mark in words for mark in marks)]

    def told(self) -> Told:
        """Wait for its end, see that no process is left, and give what it said."""
        stdout, stderr = self.process.communicate(timeout=PATIENCE_S)
        self._until(lambda: left_in(self.folder) == [])
        return Told(self.process.returncode, stdout, stderr)

    def gone(self) -> None:
        """Wait until nothing of the run is left; fails when something is."""
        self._until(lambda: left_in(self.folder) == [])

    def _under_way(self) -> bool:
        """Time passes, and each of the five processes is there."""
        if self.process.poll() is not None:
            pytest.fail(f"ended too early: {self.process.communicate()}")
        journals = list(self.folder.glob("runs/*/nodes/bob.1.bin.gz"))
        if not journals or not content(journals[0]):
            return False
        kinds = [len(self.pids(what)) for what in ("emulator", "zygote", "broker", "node")]
        return kinds == [1, 1, 1, 2]

    def _until(self, test: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not test():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {PATIENCE_S:g} s; there are: {left_in(self.folder)}")
            time.sleep(0.02)
