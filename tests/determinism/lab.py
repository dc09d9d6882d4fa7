"""What the tests of determinism share: scenarios, and the ways to run them.

Owns how a run is started and what counts as the same run. Lines that are slow on purpose are in
detours.py. Rule: the product is not touched; all trouble comes from outside, by sockets, signals and
the environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import qnetem
from qnetem.api import Run, plan
from qnetem.emulator.loading import Topology, load_topology
from qnetem.emulator.wire.control import Outcome
from qnetem.inprocess.network import run_in_process
from qnetem.launcher.launcher import RunOptions, run_processes

SCENARIOS = Path(__file__).parent / "scenarios"
#: A run that takes longer in real time hangs.
PATIENCE_S = 120.0


def scenario(name: str) -> Topology:
    """A topology of this folder."""
    return load_topology(SCENARIOS / f"{name}.yaml")


def at_its_own_pace(topology: Topology, speed: float) -> Topology:
    """The same run in real time, so that it lasts long enough to be disturbed on any machine."""
    time = topology.time.model_copy(update={"mode": "real", "speed": speed})
    return topology.model_copy(update={"time": time})


def in_process(topology: Topology, folder: Path) -> Outcome:
    """The run to compare with."""
    return good(_in_process(topology, folder))


def in_process_whatever_comes(topology: Topology, folder: Path) -> Outcome:
    """The run to compare with, if it is to go wrong."""
    return _in_process(topology, folder).outcome


def _in_process(topology: Topology, folder: Path) -> Run:
    """As `qnetem.run` does it, but on a running loop too: these tests may hold theirs up."""
    planned = plan(
        topology,
        seed=None,
        until=None,
        faults=(),
        in_process=True,
        broker="auto",
        broker_port=None,
        runs_folder=folder,
    )
    return planned.judged(run_in_process(planned.topology, planned.options.runs_folder))


def in_processes(topology: Topology, folder: Path, broker: str = "mosquitto") -> Outcome:
    """A run with a process for each node."""
    return good(qnetem.run(topology, runs_folder=folder, broker=broker))


def good(run: Run) -> Outcome:
    """The outcome of a run that has ended well: an early end would prove little."""
    assert run.problem is None, run.problem
    assert run.failed == []
    return run.outcome


def seen(outcome: Outcome) -> tuple[str, dict[str, Any], int, int]:
    """What must be the same in every run."""
    return outcome.digest, outcome.results, outcome.t_ns, outcome.instants


async def side_by_side(topology: Topology, folder: Path, count: int) -> list[Outcome]:
    """`count` runs in processes, two at a time; their outcomes."""
    options = RunOptions(broker="mosquitto", runs_folder=folder)
    gate = asyncio.Semaphore(2)

    async def one() -> Outcome:
        async with gate:
            return (await run_processes(topology, options)).outcome

    async with asyncio.timeout(PATIENCE_S + 10 * count):
        return await asyncio.gather(*[one() for _ in range(count)])


def typed(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    before: tuple[str, ...] = (),
    cwd: Path | None = None,
) -> dict[str, Any]:
    """`qnetem run ... --format json` as a user types it; the object it prints. It must end well."""
    command = [*before, sys.executable, "-m", "qnetem", "run", *map(str, arguments)]
    ended = subprocess.run(
        [*command, "--format", "json"],
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    data: dict[str, Any] = json.loads(ended.stdout)
    return data
