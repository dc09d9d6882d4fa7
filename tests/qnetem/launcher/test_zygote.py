"""The zygote: forks on order, reaps, signals, and leaves no process behind. What it forks is a fake."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from qnetem.agents.process.settings import BrokerAddress, NodeSettings
from qnetem.emulator.fixed_environment import FIXED_ENVIRONMENT as FIXED
from qnetem.emulator.wire.control import Exited
from qnetem.launcher.zygote import Answer, Fork, Forked, Preload, Signal, decode_answer
from qnetem.processes.child_process import ChildProcess
from qnetem.processes.environment import environment

PATIENCE_S = 20.0
#: A stand-in for a node's life: the node's name says what to do.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from qnetem.launcher import zygote

def run_node(settings):
    name = settings.node
    if name.startswith("ends"):
        return int(name[4:])
    if name == "raises":
        raise ZeroDivisionError("in the child")
    found = {
        "environment": dict(os.environ),
        "hash": hash("alice"),
        "sockets": [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{fd}") or os.path.islink(f"/proc/self/fd/{fd}")],
        "sigint": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "group": os.getpgid(0),
        "numpy": "numpy" in sys.modules,
        "protocol": "qnetem.agents.protocols.swapping" in sys.modules,
    }
    unfinished = Path(settings.run_folder, "unfinished." + name)
    unfinished.write_text(json.dumps(found))
    unfinished.rename(Path(settings.run_folder, name))
    while True:
        signal.pause()

sys.exit(zygote.main(sys.argv[1:], run_node))
"""
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux promises it")


def hash_of(text: str, outer: dict[str, str]) -> int:
    """The hash of a string in a fresh interpreter with this environment."""
    command = [sys.executable, "-c", f"print(hash({text!r}))"]
    found = subprocess.run(command, env=outer, capture_output=True, check=True, text=True)
    return int(found.stdout)


class Stage:
    """A zygote and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: asyncio.Queue[Answer] = asyncio.Queue()
        self.hung_up = asyncio.Event()
        program = folder / "zygote.py"
        program.write_text(PROGRAM)
        self.process = ChildProcess(
            "zygote",
            [str(program)],
            folder / "zygote.log",
            lambda body: self.answers.put_nowait(decode_answer(body)),
            self.hung_up.set,
        )

    def order(self, *orders: msgspec.Struct) -> None:
        for order in orders:
            self.process.send(order)

    def fork(self, name: str, incarnation: int = 1) -> Fork:
        broker = BrokerAddress("h", 1)
        return Fork(NodeSettings("run", name, incarnation, "t", "s", broker, str(self.folder)))

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            return await self.answers.get()

    async def living(self, name: str) -> int:
        """Fork a child that lives until it is killed; its pid."""
        self.order(self.fork(name))
        answer = await self.answer()
        assert isinstance(answer, Forked)
        await until((self.folder / name).exists)
        return answer.pid

    def found(self, name: str) -> dict[str, object]:
        found: dict[str, object] = msgspec.json.decode((self.folder / name).read_bytes())
        return found


async def until(test: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not test():  # noqa: ASYNC110 - the end of a process that is not our child has no event
            await asyncio.sleep(0.005)


def gone(pid: int) -> bool:
    """Whether no process, or only an unreaped one, has this pid."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    here = Stage(folder)
    await here.process.start(environment(os.environ | {"NOISE": "1", "PYTHONHASHSEED": "77"}))
    try:
        yield here
    finally:
        await here.process.leave(PATIENCE_S)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as ready:
        yield ready


async def test_every_fork_is_answered_with_a_pid_and_every_end_with_a_status(here: Stage) -> None:
    here.order(here.fork("ends0"), here.fork("ends3", 2))
    answers = [await here.answer() for _ in range(4)]
    forked = [answer for answer in answers if isinstance(answer, Forked)]
    assert [(answer.node, answer.incarnation) for answer in forked] == [("ends0", 1), ("ends3", 2)]
    assert len({answer.pid for answer in forked} - {here.process.pid}) == 2
    assert Exited("ends0", 1, 0) in answers
    assert Exited("ends3", 2, 3) in answers


async def test_a_kill_is_answered_with_the_signal(here: Stage) -> None:
    pid = await here.living("alice")
    here.order(Signal("alice", 1, signal.SIGKILL))
    assert await here.answer() == Exited("alice", 1, -signal.SIGKILL)
    assert gone(pid)


async def test_a_signal_reaches_only_the_incarnation_it_names(here: Stage) -> None:
    pid = await here.living("alice")
    here.order(Signal("alice", 2, signal.SIGKILL), Signal("bob", 1, signal.SIGKILL))
    here.order(here.fork("ends0"))
    assert {type(await here.answer()) for _ in "12"} == {Forked, Exited}
    assert not gone(pid)


async def test_a_signal_to_one_that_has_ended_does_nothing(here: Stage) -> None:
    here.order(here.fork("ends0"))
    assert isinstance(await here.answer(), Forked)
    assert await here.answer() == Exited("ends0", 1, 0)
    here.order(Signal("ends0", 1, signal.SIGKILL), here.fork("ends4"))
    assert isinstance(await here.answer(), Forked)
    assert await here.answer() == Exited("ends4", 1, 4)


async def test_an_exception_in_a_child_is_its_own_end_and_stands_in_the_log(here: Stage) -> None:
    here.order(here.fork("raises"), here.fork("ends0"))
    answers = [await here.answer() for _ in range(4)]
    assert Exited("raises", 1, 1) in answers
    assert Exited("ends0", 1, 0) in answers
    assert "in the child" in here.process.log_path.read_text()


async def test_what_is_preloaded_is_there_in_later_children_and_what_cannot_be_harms_none(
    here: Stage,
) -> None:
    await here.living("alice")
    here.order(Preload(["qnetem.agents.no_such", "qnetem.agents.protocols.swapping"], []))
    await here.living("bob")
    assert (here.found("alice")["protocol"], here.found("bob")["protocol"]) == (False, True)


async def test_the_environment_is_fixed_and_nothing_else_leaks_in(here: Stage) -> None:
    await here.living("alice")
    found = here.found("alice")
    inner = found["environment"]
    assert isinstance(inner, dict)
    assert inner | FIXED == inner
    assert "NOISE" not in inner
    assert found["hash"] == hash_of("alice", FIXED)


async def test_a_child_ignores_ctrl_c_and_holds_no_socket_of_the_zygote(here: Stage) -> None:
    await here.living("alice")
    found = here.found("alice")
    assert found["sigint"] is True
    assert found["group"] == here.process.pid != os.getpgid(0)
    sockets = found["sockets"]
    assert isinstance(sockets, list)
    assert [name for name in sockets if name.startswith(("socket:", "pipe:"))] == []


async def test_when_the_launcher_hangs_up_all_children_end(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        pids = [await here.living(name) for name in ("alice", "bob")]
    assert [gone(pid) for pid in pids] == [True, True]


@LINUX
async def test_when_the_zygote_is_killed_its_children_end_too(here: Stage) -> None:
    pids = [await here.living(name) for name in ("alice", "bob")]
    assert here.process.pid is not None
    os.kill(here.process.pid, signal.SIGKILL)
    await asyncio.wait_for(here.hung_up.wait(), PATIENCE_S)
    await until(lambda: all(map(gone, pids)))
    assert "killed by signal 9" in await here.process.exit_report()


async def test_a_hundred_forks_are_a_matter_of_a_moment(here: Stage) -> None:
    await here.living("alice")  # by now it has imported everything
    loop = asyncio.get_running_loop()
    began = loop.time()
    here.order(*(here.fork("ends0", incarnation) for incarnation in range(100)))
    answers = [await here.answer() for _ in range(200)]
    assert sum(isinstance(answer, Forked) for answer in answers) == 100
    assert loop.time() - began < 10  # 0.5 s on an idle machine


@LINUX
async def test_a_child_shares_its_memory_with_the_zygote(here: Stage) -> None:
    pid = await here.living("alice")
    assert here.found("alice")["numpy"] is True
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [pss] = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
    private = sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
    assert private < 15_000
    assert pss < 40_000
