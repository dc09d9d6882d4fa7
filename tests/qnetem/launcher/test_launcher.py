"""The launcher with real processes: results, digests, deaths of every kind, and no process left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import uvloop

from qnetem.broker import observer, probe
from qnetem.emulator.errors import InfrastructureError, InputError, InternalError, NodeLost
from qnetem.emulator.event_loops import new_event_loop
from qnetem.emulator.loading import Topology, load_topology, with_seed
from qnetem.emulator.wire import control
from qnetem.emulator.wire.control import Outcome
from qnetem.launcher.early import EarlyProcesses
from qnetem.launcher.launcher import Launcher, RunOptions, RunResult, run_processes
from qnetem.launcher.zygote import Forked, decode_answer
from tests import harness

from ..front_door import no_umask, open_to_others

PATIENCE_S = 30.0
PROGRAMS = '''
import asyncio, sys
from qnetem.agents.agent import Agent

class Caller(Agent):
    """Exchanges messages with its peer; ends only if `rounds` is not negative."""
    async def run(self, peer: str, rounds: int = 20):
        print("a word of", peer, "'s caller")
        total, count = 0, 0
        while count != rounds:
            count += 1
            await self.send(peer, {"n": count, "drawn": int(self.rng.integers(100))})
            total += (await self.receive(peer)).body["drawn"]
        return {"total": total}

class Spinner(Agent):
    async def run(self, peer: str = ""):
        await asyncio.sleep(0.001)
        while True:
            pass

class Raiser(Agent):
    async def run(self, peer: str = ""):
        raise RuntimeError("on purpose")

class Beacon(Agent):
    async def run(self, peer: str, rounds: int = 0):
        await asyncio.sleep(0.01 * (rounds or 1))
        return {"pid": 1}
'''
FILE = """
name: pair
seed: 7
nodes:
  alice: {{kind: endpoint, program: "./programs.py:{alice}", with: {{peer: bob{options}}}}}
  bob: {{kind: endpoint, program: "./programs.py:{bob}", with: {{peer: alice{options}}}}}
links:
  - {{between: [alice, bob], length: 10 km}}
{more}
"""

pytestmark = pytest.mark.usefixtures("mosquitto")


def topology(
    folder: Path, rounds: int = 20, alice: str = "Caller", bob: str = "Caller", more: str = ""
) -> Topology:
    (folder / "programs.py").write_text(PROGRAMS)
    options = f", rounds: {rounds}" if "Caller" in alice else ""
    text = FILE.format(alice=alice, bob=bob, options=options, more=more)
    (folder / "pair.yaml").write_text(text)
    return load_topology(folder / "pair.yaml")


def options(folder: Path, broker: str = "mosquitto") -> RunOptions:
    return RunOptions(broker=broker, runs_folder=folder / "runs")


async def run(topology: Topology, folder: Path, broker: str = "mosquitto") -> RunResult:
    async with asyncio.timeout(PATIENCE_S):
        return await run_processes(topology, options(folder, broker))


async def until(test: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not test():  # noqa: ASYNC110 - the end of a process that is not our child has no event
            await asyncio.sleep(0.005)


def gone(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


#: Runs what follows as `python FILE ...`, where uvloop cannot be imported.
WITHOUT_UVLOOP = """
import runpy, sys
sys.modules["uvloop"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class OnAsyncio(Launcher):
    """Its processes have no uvloop."""

    emulator_program = ("-P", "-c", WITHOUT_UVLOOP, *Launcher.emulator_program[1:])
    zygote_program = ("-P", "-c", WITHOUT_UVLOOP, *Launcher.zygote_program[1:])


class Running:
    """A run under way: its launcher, and how far it is."""

    def __init__(self, topology: Topology, folder: Path, broker: str = "mosquitto") -> None:
        self.latest = control.Progress(0, 0, {}, {})
        self.launcher = Launcher(topology, options(folder, broker), self._on_progress)

    def _on_progress(self, progress: control.Progress) -> None:
        self.latest = progress

    async def under_way(self, instants: int = 50) -> Launcher:
        """Once so many instants have passed."""
        await until(lambda: self.latest.instants >= instants)
        return self.launcher

    def pids(self) -> list[int]:
        launcher = self.launcher
        children = (launcher._emulator, launcher._zygote, launcher.broker)
        return [*launcher.pids.values(), *(one.pid for one in children if one.pid)]


# --- a run that goes well -------------------------------------------------------------------------


async def test_a_run_returns_results_and_leaves_a_folder_but_no_process(tmp_path: Path) -> None:
    running = Running(topology(tmp_path), tmp_path)
    async with asyncio.timeout(PATIENCE_S), no_umask(), running.launcher as launcher:
        await until(lambda: len(launcher.pids) == 2)
        pids = running.pids()
        socket_folder = Path(launcher._path("emulator")).parent
        assert open_to_others(launcher.run_folder) == []
        assert socket_folder == launcher.run_folder / "sockets"
        outcome = await launcher.wait()
    assert outcome.problem is None
    assert {name: list(result) for name, result in outcome.results.items()} == {
        "alice": ["total"],
        "bob": ["total"],
    }
    assert len(pids) == 5
    assert all(map(gone, pids))
    assert not socket_folder.exists()
    folder = launcher.run_folder
    assert open_to_others(folder) == []
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names >= {
        "topology.json", "run.json", "versions.json", "journal.jsonl.gz",
        "logs/alice.1.log", "logs/bob.1.log", "logs/emulator.log", "logs/zygote.log",
        "nodes/alice.1.bin.gz", "nodes/bob.1.bin.gz", "broker/broker.log",
    }  # fmt: skip
    assert "a word of bob" in (folder / "logs/alice.1.log").read_text()
    assert msgspec.json.decode((folder / "run.json").read_bytes())["seed"] == 7
    versions = msgspec.json.decode((folder / "versions.json").read_bytes())
    assert {"python", "platform", "machine", "numpy", "qutip"} <= set(versions)


async def test_no_secret_is_left_in_the_folder(tmp_path: Path) -> None:
    launcher = Launcher(topology(tmp_path), options(tmp_path))
    async with asyncio.timeout(PATIENCE_S), launcher:
        await launcher.wait()
    secrets = [launcher._secret, control.token(launcher._secret, "alice", 1)]
    for path in launcher.run_folder.rglob("*"):
        if path.is_file():
            data = harness.content(path)
            assert not any(secret.encode() in data for secret in secrets), path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, mosquitto: str) -> Outcome:
    """Of a run like any other."""
    folder = tmp_path_factory.mktemp("plain")
    return asyncio.run(run(topology(folder), folder)).outcome


async def test_two_runs_at_the_same_time_do_not_meet_and_have_one_digest(
    tmp_path: Path, plain: Outcome
) -> None:
    here = topology(tmp_path)
    first, second = await asyncio.gather(run(here, tmp_path), run(here, tmp_path))
    assert first.run_folder != second.run_folder
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.outcome.digest == second.outcome.digest == plain.digest
    assert first.outcome.results == second.outcome.results == plain.results


async def test_another_seed_is_another_digest_and_is_written_down(
    tmp_path: Path, plain: Outcome
) -> None:
    here = topology(tmp_path)
    async with asyncio.timeout(PATIENCE_S):
        another = with_seed(here, 8).model_copy(update={"record": "hashes"})
        other = await run_processes(another, options(tmp_path))
    assert other.outcome.seed == 8
    assert other.outcome.digest != plain.digest
    resolved = msgspec.json.decode((other.run_folder / "topology.json").read_bytes())
    assert resolved["seed"] == 8
    assert list((other.run_folder / "nodes").iterdir()) == []


@pytest.mark.usefixtures("amqtt")
async def test_either_broker_gives_the_same_digest(tmp_path: Path, plain: Outcome) -> None:
    assert (await run(topology(tmp_path), tmp_path, "amqtt")).outcome.digest == plain.digest


async def test_the_digest_is_the_same_on_either_event_loop(tmp_path: Path, plain: Outcome) -> None:
    assert new_event_loop is uvloop.new_event_loop
    launcher = OnAsyncio(topology(tmp_path), options(tmp_path))
    async with asyncio.timeout(PATIENCE_S), launcher:
        assert (await launcher.wait()).digest == plain.digest


async def test_a_planned_kill_is_a_real_one_and_the_restart_a_new_process(tmp_path: Path) -> None:
    here = topology(
        tmp_path,
        alice="Beacon",
        bob="Beacon",
        more="faults:\n  - {at: 2 ms, kill: bob, restart: 3 ms}",
    )
    seen: dict[str, None] = {}
    launcher = Launcher(here, options(tmp_path))
    spawn = launcher._spawn
    launcher._spawn = lambda *what: (seen.setdefault(f"{what}"), spawn(*what))[1]  # type: ignore[method-assign, func-returns-value]
    async with asyncio.timeout(PATIENCE_S), launcher:
        outcome = await launcher.wait()
    assert outcome.problem is None
    assert list(seen) == ["('alice', 1)", "('bob', 1)", "('bob', 2)"]
    assert (outcome.nodes["bob"].incarnation, outcome.nodes["bob"].state) == (2, "finished")
    assert (launcher.run_folder / "logs/bob.2.log").exists()


# --- trouble that no result can tell --------------------------------------------------------------


async def test_a_broker_killed_in_the_middle_is_invisible_to_the_result(tmp_path: Path) -> None:
    """Also where another process takes its port: no node calls there, and the broker takes another one."""
    quiet = await run(topology(tmp_path, rounds=500), tmp_path)
    running = Running(topology(tmp_path, rounds=500), tmp_path)
    async with (
        asyncio.timeout(PATIENCE_S),
        contextlib.AsyncExitStack() as stranger,
        running.launcher as launcher,
    ):
        await running.under_way()
        broker, callers = launcher.broker, list[asyncio.StreamWriter]()
        before, port, restart = broker.pid, broker.port, broker.restart
        watched = observer.find(launcher.run_folder)
        assert before is not None

        async def restart_late() -> None:
            server = await asyncio.start_server(
                lambda _, writer: callers.append(writer), "127.0.0.1", port
            )
            await stranger.enter_async_context(server)
            broker.restart = restart  # type: ignore[method-assign]
            await restart()

        broker.restart = restart_late  # type: ignore[method-assign]
        os.kill(before, signal.SIGKILL)
        outcome = await launcher.wait()
        assert broker.pid not in (None, before)
        assert broker.port != port
        anew = observer.find(launcher.run_folder)
        assert watched is not None
        assert anew is not None
        assert (anew.port, anew.socket) == (broker.port, watched.socket)
        assert anew.password != watched.password
    assert outcome.problem is None
    assert outcome.digest == quiet.outcome.digest
    assert callers == []


async def test_a_broker_that_hangs_is_named_and_not_the_node_that_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QNETEM_SILENT_S", "0.5")
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT_S", 0.2)
    running = Running(topology(tmp_path, rounds=-1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        await running.under_way()
        pid = launcher.broker.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        outcome = await launcher.wait()
        os.kill(pid, signal.SIGCONT)
    problem = outcome.problem
    assert problem is not None
    assert (problem.kind, problem.node, problem.exit_code) == ("InfrastructureError", "", 3)
    assert problem.text.startswith(f"the broker (mosquitto, pid {pid}) at ")
    assert "waits for payloads" in problem.traceback


async def test_a_broker_that_keeps_dying_ends_the_run_by_name(tmp_path: Path) -> None:
    running = Running(topology(tmp_path, rounds=-1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        await running.under_way()
        killer = asyncio.create_task(kill_again_and_again(launcher))
        outcome = await launcher.wait()
        killer.cancel()
    assert outcome.problem is not None
    assert "the broker (mosquitto" in outcome.problem.text
    assert outcome.problem.exit_code == 3


async def kill_again_and_again(launcher: Launcher) -> None:
    while True:
        pid = launcher.broker.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.02)


# --- deaths ---------------------------------------------------------------------------------------


async def test_a_node_killed_from_outside_ends_the_run_within_a_second_by_name(
    tmp_path: Path,
) -> None:
    running = Running(topology(tmp_path, rounds=-1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        await running.under_way()
        killed = time.monotonic()
        os.kill(launcher.pids["bob"], signal.SIGKILL)
        outcome = await launcher.wait()
        assert time.monotonic() - killed < 1.0
        pids = running.pids()
    problem = outcome.problem
    assert problem is not None
    assert (problem.kind, problem.node, problem.exit_code) == ("NodeLost", "bob", 3)
    assert problem.time_ns is not None
    assert problem.time_ns > 0
    assert all(map(gone, pids))


async def test_a_node_killed_before_its_hello_ends_the_run_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator has not even been imported then: it is not waited for."""
    launcher = Launcher(topology(tmp_path, rounds=-1), options(tmp_path))
    on_zygote = launcher._on_zygote

    def kill_alice(body: bytes) -> None:
        answer = decode_answer(body)
        if isinstance(answer, Forked) and answer.node == "alice":
            assert launcher._emulator.pid is not None
            os.kill(launcher._emulator.pid, signal.SIGSTOP)
            os.kill(answer.pid, signal.SIGKILL)
        on_zygote(body)

    launcher._zygote._on_body = kill_alice
    # As on a machine on which the emulator's imports take longer than all others together: it says nothing,
    # neither that it is ready nor how the run ended.
    monkeypatch.setattr(launcher, "_on_emulator", lambda body: None)
    launcher._emulator._on_body = launcher._on_emulator
    async with asyncio.timeout(PATIENCE_S), launcher:
        with pytest.raises(NodeLost, match="alice was lost before time began") as caught:
            await launcher.wait()
    assert (caught.value.node, caught.value.exit_code) == ("alice", 3)


async def test_a_program_that_raises_is_named_with_its_traceback(tmp_path: Path) -> None:
    result = await run(topology(tmp_path, alice="Beacon", bob="Raiser"), tmp_path)
    problem = result.outcome.problem
    assert problem is not None
    assert (problem.kind, problem.node, result.exit_code) == ("ProgramFailed", "bob", 1)
    assert 'raise RuntimeError("on purpose")' in problem.traceback


async def test_a_program_that_cannot_be_built_ends_the_run_as_wrong_input(tmp_path: Path) -> None:
    result = await run(topology(tmp_path, alice="Beacon", bob="Missing"), tmp_path)
    problem = result.outcome.problem
    assert problem is not None
    assert (problem.kind, problem.node, result.exit_code) == ("ProgramError", "bob", 2)


async def test_a_program_that_spins_in_python_is_named_with_the_line_it_spins_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QNETEM_SILENT_S", "0.5")
    result = await run(topology(tmp_path, alice="Beacon", bob="Spinner"), tmp_path)
    problem = result.outcome.problem
    assert problem is not None
    assert (problem.kind, problem.node, result.exit_code) == ("NodeSilent", "bob", 3)
    assert "programs.py" in problem.traceback
    assert "while True" in problem.traceback or "pass" in problem.traceback


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGSEGV, InternalError), (signal.SIGKILL, InfrastructureError)],
    ids=["by itself", "by a signal"],
)
async def test_the_death_of_the_emulator_is_told_with_the_end_of_its_log(
    tmp_path: Path, number: signal.Signals, kind: type[Exception]
) -> None:
    running = Running(topology(tmp_path, rounds=-1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        await running.under_way()
        pids = running.pids()
        launcher._emulator.log_path.write_text("its last words\n")
        assert launcher._emulator.pid is not None
        os.kill(launcher._emulator.pid, number)
        with pytest.raises(kind, match=rf"emulator .* signal {number}") as caught:
            await launcher.wait()
    assert "its last words" in str(caught.value)
    assert all(map(gone, pids))


async def test_the_death_of_the_zygote_is_named_and_takes_its_nodes_along(tmp_path: Path) -> None:
    running = Running(topology(tmp_path, rounds=-1), tmp_path)
    async with asyncio.timeout(PATIENCE_S), running.launcher as launcher:
        await running.under_way()
        pids = running.pids()
        assert launcher._zygote.pid is not None
        os.kill(launcher._zygote.pid, signal.SIGKILL)
        with pytest.raises(InfrastructureError, match=r"zygote .* signal 9"):
            await launcher.wait()
    await until(lambda: all(map(gone, pids)))


async def test_a_run_that_is_cancelled_leaves_no_process_behind(tmp_path: Path) -> None:
    running = Running(topology(tmp_path, rounds=-1), tmp_path)

    async def forever() -> None:
        async with running.launcher as launcher:
            await launcher.wait()

    task = asyncio.create_task(forever())
    await running.under_way()
    pids = running.pids()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, PATIENCE_S)
    assert all(map(gone, pids))


# --- Ctrl-C, and the launcher's own death ---------------------------------------------------------

LAUNCHER = """
import asyncio, sys
from pathlib import Path
from qnetem.emulator.loading import load_topology
from qnetem.launcher.early import EarlyProcesses
from qnetem.launcher.launcher import Launcher, RunOptions, run_processes

def progress(message):
    if message.instants > 50:
        mine = made[0]
        others = [mine._emulator.pid, mine._zygote.pid, mine.broker.pid, *mine.pids.values()]
        Path(sys.argv[2]).write_text(" ".join(map(str, others)) + " .")

made = []
init = Launcher.__init__
def remember(self, *arguments):
    made.append(self)
    init(self, *arguments)
Launcher.__init__ = remember

options = RunOptions(broker="mosquitto", runs_folder=Path(sys.argv[3]))
result = asyncio.run(run_processes(load_topology(Path(sys.argv[1])), options, progress))
print(result.outcome.problem.text)
sys.exit(result.exit_code)
"""


async def launched(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A launcher in a process of its own, under way; and the pids of everything it started."""
    topology(folder, rounds=-1)
    told = folder / "pids"
    arguments = [str(folder / "pair.yaml"), str(told), str(folder / "runs")]
    process = subprocess.Popen(  # noqa: ASYNC220 - it is waited for as a state, not a stream
        [sys.executable, "-c", LAUNCHER, *arguments], stdout=subprocess.PIPE, text=True
    )
    await until(lambda: told.exists() and told.read_text().endswith("."))
    return process, [int(word) for word in told.read_text().split()[:-1]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_ends_everything_with_exit_code_130(
    tmp_path: Path, number: signal.Signals
) -> None:
    process, pids = await launched(tmp_path)
    process.send_signal(number)
    output, _ = await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    assert process.returncode == 130
    assert f"interrupted by {number.name}" in output
    assert len(pids) == 5
    await until(lambda: all(map(gone, pids)))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux promises it")
async def test_a_launcher_that_is_killed_leaves_no_orphan(tmp_path: Path) -> None:
    process, pids = await launched(tmp_path)
    assert len(pids) == 5
    process.kill()
    await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    await until(lambda: all(map(gone, pids)))


# --- wrong input ----------------------------------------------------------------------------------


async def test_a_runs_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(InputError, match=f"{tmp_path}/runs"):
        await run(topology(tmp_path), tmp_path)


async def test_a_busy_port_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    chosen = RunOptions("mosquitto", port, tmp_path / "runs")
    launcher = Launcher(topology(tmp_path), chosen)
    async with server:
        with pytest.raises(InfrastructureError, match=str(port)):
            await asyncio.wait_for(launcher.__aenter__(), PATIENCE_S)
    pids = [one.pid for one in (launcher._emulator, launcher._zygote) if one.pid]
    assert len(pids) == 2
    assert all(map(gone, pids))


async def test_a_signal_of_the_start_whose_exception_was_dropped_still_ends_the_run(
    tmp_path: Path,
) -> None:
    """Python drops what a handler raises in the middle of a callback of its own."""
    early = EarlyProcesses(stopped_by="interrupted by SIGTERM")
    async with asyncio.timeout(PATIENCE_S):
        result = await run_processes(topology(tmp_path, rounds=-1), options(tmp_path), early=early)
    problem = result.outcome.problem
    assert problem is not None
    assert (problem.kind, problem.text) == ("Interrupted", "interrupted by SIGTERM")
