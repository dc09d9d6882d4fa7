"""Memory of a node process: its proportional set size, which shares out what the zygote's forks share.

Taken from /proc/PID/smaps_rollup of every node once all are past their first instant and asleep.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import networks
from suite.measure import Plan, grown
from suite.results import Aim, Result

from qnetem.emulator.loading import load_topology
from qnetem.emulator.wire.control import Progress
from qnetem.launcher.launcher import Launcher, RunOptions

NODES = (2, 10, 100)
AIMS = [Aim(case="a node process", at_most=15.0)]
PATIENCE_S = 60.0


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel tells no proportional set size of {pid}")


async def _measure(nodes: int, workers: int | None = None) -> float:
    """In real time the nodes stay asleep for as long as the look takes."""
    path = networks.crowd(nodes, "Sleeper", {}, time={"mode": "real"})
    options = RunOptions(runs_folder=networks.folder() / "runs", workers=workers)
    asleep = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.instants >= 2:
            asleep.set()

    async with Launcher(load_topology(path), options, on_progress) as network:
        async with asyncio.timeout(PATIENCE_S):
            await asleep.wait()
        value = sum(map(_pss_mb, set(network.pids.values()))) / nodes
        network.interrupt("measured", 0)
        await network.wait()
    return value


def mb_a_node(nodes: int, workers: int | None = None) -> float:
    """With a process for each, or on so many workers."""
    return asyncio.run(_measure(nodes, workers))


def main(plan: Plan) -> list[Result]:
    """Measure; nothing where the kernel does not tell."""
    if not Path("/proc/self/smaps_rollup").exists():
        print("memory: this system has no /proc/PID/smaps_rollup")
        return []
    cases = {"a node process": mb_a_node}
    return [grown("proportional set size", "MB", ("nodes", NODES), cases, plan, AIMS)]
