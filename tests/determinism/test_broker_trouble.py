"""A broker that dies and comes back is invisible to the result, whenever it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qnetem.emulator.loading import Topology
from qnetem.emulator.wire.control import Outcome, Progress
from qnetem.launcher.launcher import Launcher, RunOptions
from tests.counts import count

from .detours import Delays, slow_run
from .lab import PATIENCE_S, at_its_own_pace, in_process, scenario, seen

pytestmark = pytest.mark.processes

#: A broker that dies more often in a row is given up (launcher.py).
KILLS = 5
#: The scenarios are paced to last longer in real time than this, in which all kills fall.
DISTURBED_S = 2.0
SPEED = 0.02
LOOK_S = 0.002


class Breaker:
    """Kills the broker `KILLS` times, at moments drawn from a seed since time began to pass."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.moments_s = sorted(rng.uniform(0, DISTURBED_S) for _ in range(KILLS))
        self.killed: list[int] = []
        self.launcher: Launcher | None = None
        self._began = asyncio.Event()

    def watch(self, progress: Progress) -> None:
        """Called by the launcher: the run is as far as this."""
        if progress.instants:
            self._began.set()

    async def work(self) -> None:
        """A moment at which there is no broker is that of the next one's birth, ready or not."""
        await self._began.wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for moment_s in self.moments_s:
            await asyncio.sleep(began + moment_s - loop.time())
            while (pid := self._pid()) is None or pid in self.killed:  # noqa: ASYNC110 a birth has none
                await asyncio.sleep(LOOK_S)
            self.killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    def _pid(self) -> int | None:
        return self.launcher.broker.pid if self.launcher is not None else None


@contextlib.asynccontextmanager
async def at_work(breaker: Breaker) -> AsyncIterator[None]:
    working = asyncio.create_task(breaker.work())
    try:
        yield
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def broken_run(topology: Topology, folder: Path, broker: str, breaker: Breaker) -> Outcome:
    options = RunOptions(broker=broker, runs_folder=folder)
    launcher = breaker.launcher = Launcher(topology, options, breaker.watch)
    async with asyncio.timeout(PATIENCE_S), launcher, at_work(breaker):
        return await launcher.wait()


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(count(10)))
async def test_a_broker_killed_at_random_moments_changes_nothing(
    tmp_path: Path, broker_kind: str, seed: int
) -> None:
    topology, breaker = scenario("ring"), Breaker(seed)
    paced = at_its_own_pace(topology, SPEED)
    outcome = await broken_run(paced, tmp_path, broker_kind, breaker)
    assert outcome.problem is None, outcome.problem
    assert len(set(breaker.killed)) == KILLS
    assert seen(outcome) == seen(in_process(topology, tmp_path))


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(count(10)))
async def test_a_node_that_dies_while_there_is_no_broker_changes_nothing(
    tmp_path: Path, mosquitto: str, seed: int
) -> None:
    topology, breaker = scenario("perilous"), Breaker(seed)
    paced = at_its_own_pace(topology, SPEED)
    outcome = await broken_run(paced, tmp_path, "mosquitto", breaker)
    assert outcome.problem is None, outcome.problem
    assert len(set(breaker.killed)) == KILLS
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
