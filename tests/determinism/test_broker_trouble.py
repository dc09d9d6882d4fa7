"""A broker that dies and comes back is invisible to the result."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from qnetem.emulator.control import Outcome, Progress
from qnetem.emulator.topology import Topology
from qnetem.supervisor import RunOptions, Supervisor

from .detours import Delays, slow_run
from .lab import PATIENCE_S, in_process, scenario, seen

pytestmark = pytest.mark.processes


def at_its_own_pace(topology: Topology, speed: float) -> Topology:
    """The same run in real time, so that it lasts long enough to be disturbed on any machine."""
    time = topology.time.model_copy(update={"mode": "real", "speed": speed})
    return topology.model_copy(update={"time": time})


class Breaker:
    """Kills the broker whenever the run has gone on since the last time, `times` in all."""

    def __init__(self, times: int) -> None:
        self.times, self.killed = times, list[int]()
        self.supervisor: Supervisor | None = None
        self._instants = 0

    def watch(self, progress: Progress) -> None:
        """Called by the launcher: the run is as far as this."""
        pid = self.supervisor.broker.pid if self.supervisor is not None else None
        due = progress.instants > self._instants and len(self.killed) < self.times
        if due and pid is not None and pid not in self.killed:
            self._instants = progress.instants
            self.killed.append(pid)
            os.kill(pid, signal.SIGKILL)


async def broken_run(topology: Topology, folder: Path, broker: str, breaker: Breaker) -> Outcome:
    options = RunOptions(broker=broker, runs_folder=folder)
    supervisor = breaker.supervisor = Supervisor(topology, options, breaker.watch)
    async with asyncio.timeout(PATIENCE_S), supervisor:
        return await supervisor.wait()


async def test_a_broker_killed_again_and_again_changes_nothing(
    tmp_path: Path, broker_kind: str
) -> None:
    topology = scenario("ring")
    breaker = Breaker(times=4)
    outcome = await broken_run(
        at_its_own_pace(topology, speed=0.02), tmp_path, broker_kind, breaker
    )
    assert len(set(breaker.killed)) == 4
    assert seen(outcome) == seen(in_process(topology, tmp_path))


async def test_a_node_that_dies_while_there_is_no_broker_changes_nothing(
    tmp_path: Path, mosquitto: str
) -> None:
    topology = scenario("perilous")
    breaker = Breaker(times=4)
    outcome = await broken_run(
        at_its_own_pace(topology, speed=0.02), tmp_path, "mosquitto", breaker
    )
    assert len(set(breaker.killed)) == 4
    assert seen(outcome) == seen(in_process(topology, tmp_path))


async def test_a_broker_that_swallows_everything_is_named_and_not_waited_for_for_ever(
    tmp_path: Path, mosquitto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QNETEM_SILENT_S", "1")
    outcome, _, _ = await slow_run(
        scenario("killed"),
        tmp_path,
        reports=Delays(1),
        messages=Delays(1, passes=2),  # connection and subscription are acknowledged: that is all
    )
    assert outcome.problem is not None
    assert (outcome.problem.kind, outcome.problem.node) == ("NodeSilent", "bob")
    assert "waits for payloads" in outcome.problem.text + outcome.problem.traceback
