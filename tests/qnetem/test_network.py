"""A network while it runs: launched, awaited, left; as processes and in one."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import qnetem
from qnetem import Agent
from qnetem.compare.replay import replay
from qnetem.emulator.errors import InputError, Refused
from qnetem.launcher.launcher import RunOptions
from qnetem.live.client import RunIsOver
from qnetem.runs.recorded import open_run

from ..docs.knocking import Knocks, Opens
from .front_door import no_umask, open_to_others

PATIENCE_S = 60.0
QUICKSTART = Path(__file__).parents[2] / "topologies" / "quickstart.yaml"
BOTH = pytest.mark.parametrize(
    "in_process", [True, pytest.param(False, marks=pytest.mark.processes)]
)


class Ping(Agent):
    """Sends `count` numbers, a millisecond apart."""

    async def run(self, count: int = 5) -> dict[str, Any]:
        for number in range(count):
            await self.send("bob", number)
            await asyncio.sleep(1e-3)
        return {"count": count}


class Pong(Agent):
    """Takes them, and draws a number for each."""

    async def run(self, count: int = 5) -> dict[str, Any]:
        return {
            "drawn": [int(self.rng.integers(100)) for _ in range(count) if await self.receive()]
        }


class Gambler(Agent):
    """Draws what a run cannot repeat."""

    async def run(self) -> None:
        random.random()


class Endless(Agent):
    """Comes back, but never ends."""

    async def run(self) -> None:
        for _ in itertools.count():
            await asyncio.sleep(1.0)


class Sleeper(Agent):
    """Is there for an hour."""

    async def run(self) -> None:
        await asyncio.sleep(3600.0)


def pair(**changes: Any) -> dict[str, Any]:
    return {
        "name": "pair",
        "seed": 5,
        "nodes": {"alice": {"program": Ping}, "bob": {"program": Pong}},
        "links": [{"between": ["alice", "bob"], "quantum": {"length": "10 km"}}],
        **changes,
    }


def alone(program: type[Agent]) -> dict[str, Any]:
    return {"name": "alone", "nodes": {"alice": {"program": program}}}


@BOTH
async def test_a_launched_network_has_the_run_that_run_has(
    in_process: bool, tmp_path: Path
) -> None:
    plain = await asyncio.to_thread(qnetem.run, pair(), in_process=True, runs_folder=tmp_path)
    async with qnetem.launch(pair(), in_process=in_process, runs_folder=tmp_path) as network:
        assert network.run is None
        assert network.run_folder.parent == tmp_path
        run = await network.finished()
        assert await network.finished() is run is network.run
    assert run.digest == plain.digest
    assert run.results == plain.results
    assert len(run.events("bob", "delivered")) == 5
    assert [event.kind for event in run.events("alice")][-1] == "end"


@pytest.mark.processes
def test_quickstart_in_this_process_is_quickstart_as_processes(tmp_path: Path) -> None:
    """This process has a hash seed and a time zone of its own."""
    run = qnetem.run(QUICKSTART, in_process=True, runs_folder=tmp_path)
    run.assert_ok()
    assert qnetem.run(QUICKSTART, runs_folder=tmp_path).digest == run.digest


@BOTH
async def test_leaving_early_ends_the_run(in_process: bool, tmp_path: Path) -> None:
    left = qnetem.launch(alone(Endless), in_process=in_process, runs_folder=tmp_path)
    async with left as network, asyncio.timeout(PATIENCE_S):
        while not in_process and not network.pids:  # noqa: ASYNC110 the launcher has no such event
            await asyncio.sleep(0.01)
        pids = list(network.pids.values())
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert network.run is None
    if in_process:
        run = await network.finished()
        assert run.problem is not None and run.problem.kind == "Interrupted"


async def test_an_event_loop_keeps_turning_while_a_network_runs_in_it(tmp_path: Path) -> None:
    ticks = 0
    async with qnetem.launch(alone(Endless), in_process=True, runs_folder=tmp_path) as network:
        waiting = asyncio.create_task(network.finished())
        while ticks < 20:
            await asyncio.sleep(1e-3)
            ticks += 1
        assert not waiting.done()
    assert (await waiting).outcome.t_ns > 0


async def test_two_networks_may_run_side_by_side_in_one_loop(tmp_path: Path) -> None:
    async def one(seed: int) -> str:
        nodes = {"alice": {"program": Ping, "with": {"count": 2000}}, "bob": {"program": Pong}}
        nodes["bob"]["with"] = {"count": 2000}
        source = pair(seed=seed, nodes=nodes)
        async with qnetem.launch(source, in_process=True, runs_folder=tmp_path) as network:
            return (await network.finished()).digest

    together = await asyncio.gather(one(1), one(2))
    assert together == [await one(1), await one(2)]
    assert together[0] != together[1]


@BOTH
async def test_real_time_passes_in_a_launched_network(in_process: bool, tmp_path: Path) -> None:
    source = pair(time={"mode": "real", "speed": 0.05})
    began = time.monotonic()
    async with qnetem.launch(source, in_process=in_process, runs_folder=tmp_path) as network:
        run = await network.finished()
    run.assert_ok()
    assert time.monotonic() - began >= run.outcome.t_ns / 1e9 / 0.05


@BOTH
async def test_a_network_is_broken_and_mended_while_it_runs_and_replays(
    in_process: bool, tmp_path: Path
) -> None:
    nodes = {"alice": {"program": Knocks}, "bob": {"program": Opens}}
    source = pair(nodes=nodes, time={"mode": "real"}, faults=[{"at": "0 s", "cut": "alice-bob"}])
    async with qnetem.launch(source, in_process=in_process, runs_folder=tmp_path) as network:
        [delay] = await network.fault({"delay": "alice-bob", "by": "1 ms"})
        with pytest.raises(InputError, match="<fault>:1:8: kill: unknown node 'carol'"):
            await network.fault("{kill: carol}")
        view = await network.inspect()
        assert [(fault.id, fault.state) for fault in view.faults] == [
            ("0", "active"),
            (delay.id, "active"),
        ]
        assert [node.name for node in view.nodes] == ["alice", "bob"]
        healed = await network.heal("all")  # that of the file, too: so the run comes to its end
        assert [fault.id for fault in healed] == ["0", "live.1"]  # on a busy machine, about to
        run = await network.finished()
        faults = [(fault.id, fault.asked) for fault in run.outcome.faults]
        assert faults == [("0", True), ("live.1", True)]
        with pytest.raises(RunIsOver):
            await network.faults()
    run.assert_ok()
    options = RunOptions(runs_folder=tmp_path)
    assert replay(open_run(run.run_folder), options, in_process=True).same


async def test_a_pause_in_real_time_ends_for_a_question_and_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qnetem.inprocess.network._LONGEST_NAP_S", 3600.0)
    topology = alone(Sleeper) | {"time": {"mode": "real"}}
    async with asyncio.timeout(PATIENCE_S), no_umask():
        async with qnetem.launch(topology, in_process=True, runs_folder=tmp_path) as network:
            view = await network.inspect()
            assert [node.activity for node in view.nodes] == ["parked"]
            assert open_to_others(network.run_folder) == []
        assert network.run is None


async def test_a_mistake_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'oders'"):
        qnetem.launch(pair(oders=1), in_process=True, runs_folder=tmp_path)
    with pytest.raises(InputError, match="an in-process run has no broker"):
        qnetem.launch(pair(), in_process=True, broker="mosquitto", runs_folder=tmp_path)
    with pytest.raises(RuntimeError, match="enter it with `async with`"):
        await qnetem.launch(pair(), in_process=True, runs_folder=tmp_path).finished()
    assert list(tmp_path.iterdir()) == []


# --- one process for all ---------------------------------------------------------------------------

COUNTER = """\
from qnetem import Agent
CALLS = []
class Counts(Agent):
    async def run(self):
        CALLS.append(1)
        await self.send(self.name, len(CALLS))
        return len(CALLS)
"""


def test_runs_share_no_state_of_a_program_file(tmp_path: Path) -> None:
    (tmp_path / "counter.py").write_text(COUNTER, encoding="utf-8")
    source = tmp_path / "one.yaml"
    source.write_text("name: one\nnodes: {a: {program: './counter.py:Counts'}}\n", encoding="utf-8")
    runs = [qnetem.run(source, in_process=True, runs_folder=tmp_path) for _ in range(3)]
    assert [run.results for run in runs] == [{"a": 1}] * 3
    assert len({run.digest for run in runs}) == 1
    (tmp_path / "counter.py").write_text(COUNTER.replace("len(CALLS)", "7"), encoding="utf-8")
    assert qnetem.run(source, in_process=True, runs_folder=tmp_path).results == {"a": 7}


async def test_what_a_program_may_not_do_its_test_may(tmp_path: Path) -> None:
    async with qnetem.launch(alone(Gambler), in_process=True, runs_folder=tmp_path) as network:
        _do_as_tests_do()
        run = await network.finished()
    _do_as_tests_do()
    assert run.problem is not None
    assert run.problem.text.startswith(Refused.__name__)


def _do_as_tests_do() -> None:
    """Nothing of this is refused or answered in virtual time."""
    assert 0 <= random.random() < 1
    random.seed()
    assert random.Random().random() != random.Random().random()
    one, other = socket.socketpair()
    one.close()
    other.close()
    thread = threading.Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()
    assert len(os.urandom(4)) == 4
    assert time.time() > 1.7e9


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers")
def test_the_alarm_of_a_test_s_timeout_stays_set(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1000.0)
    try:
        qnetem.run(pair(), in_process=True, runs_folder=tmp_path).assert_ok()
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
