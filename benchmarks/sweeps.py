"""A sweep of 200 points, 10 lengths by 20 seeds: what it costs beyond its runs, and that its table is one.

Three ways: the default, two worker processes; Dask's LocalCluster of as many; and a sweep that is killed
(SIGKILL) in the middle and called again.

`wall` is from the call to the table on disk, the start of all processes included. `runs` is the sum over
runs of the real time that each took in its worker, loading and judging included. On as many cores as there
are workers nothing can be faster than runs / workers: the aim is 1.3 times that. On a machine with other
work both grow alike, and so does the start of the processes, which is in `wall` alone. Each is run once,
whatever `--runs` says: 200 points are enough.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path

import networks
from suite.measure import Plan
from suite.results import Aim, Case, Result, point

import qnetem
from qnetem.sweeps.sweep import store_path

AIM = 1.3
WORKERS = 2
LENGTHS, SEEDS = 10, 20
ROUNDS = 100

_PROGRAM = """\
from qnetem import Agent


class Alice(Agent):
    async def run(self, rounds: int):
        for _ in range(rounds):
            pair = await self.entangle("bob")
            await self.send("bob", await pair.measure("X"))


class Bob(Agent):
    async def run(self, rounds: int):
        for _ in range(rounds):
            mine = await (await self.entangle("alice")).measure("X")
            self.record("qber", float(mine != (await self.receive("alice")).body))
"""
_TOPOLOGY = f"""\
name: swept
nodes:
  alice: {{program: "./swept.py:Alice", with: {{rounds: {ROUNDS}}}, memory: {{t2: 4 ms}}}}
  bob: {{program: "./swept.py:Bob", with: {{rounds: {ROUNDS}}}, memory: {{t2: 4 ms}}}}
links:
  - between: [alice, bob]
    quantum: {{length: 1 km, entangle: {{success: 0.05, fidelity: 0.97, attempt: 1 ms}}}}
"""
_KEY = "links.alice-bob.quantum.length"


def _parameters() -> dict[str, object]:
    lengths = [f"{10 * (number + 1)} km" for number in range(LENGTHS)]
    return {_KEY: lengths, "seed": range(SEEDS)}


def _swept(
    topology: Path, out: Path, executor: Executor | None, workers: int
) -> tuple[float, float]:
    """Wall time of the sweep, and the sum of its runs."""
    began_s = time.monotonic()
    done = qnetem.sweep(topology, _parameters(), csv=out, executor=executor, workers=workers)
    wall_s = time.monotonic() - began_s
    if done.failed or len(done) != LENGTHS * SEEDS:
        raise RuntimeError(f"{done}: {done.failed[:1]}")
    return wall_s, sum(row.record.wall_s for row in done)


def _dask(topology: Path, out: Path) -> tuple[float, float]:
    """Through a LocalCluster; its own start is not counted, as a cluster is there already."""
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        cluster = LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None
        )
        client = Client(stack.enter_context(cluster))
        stack.enter_context(client)
        return _swept(topology, out, client.get_executor(), WORKERS)


def _killed(topology: Path, out: Path) -> int:
    """Kill a sweep in the middle; how many runs it has kept."""
    keys = f"{_KEY}=10..{10 * LENGTHS} km/{LENGTHS}"
    command = [sys.executable, "-m", "qnetem", "sweep", str(topology), "--set", keys]
    command += ["--seeds", f"0..{SEEDS - 1}", "--csv", str(out), "--workers", str(WORKERS)]
    store, half = store_path(out), LENGTHS * SEEDS // 2
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and _lines(store) < half:
            time.sleep(0.05)  # noqa: TID251  # looks at a file of another process
        process.kill()
    return _lines(store)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def main(plan: Plan) -> list[Result]:
    """Measure. Raises RuntimeError unless all three give the same table."""
    folder = networks.folder()
    topology = folder / "swept.yaml"
    topology.write_text(_TOPOLOGY, encoding="utf-8")
    (folder / "swept.py").write_text(_PROGRAM, encoding="utf-8")
    whole, dask, broken = (folder / f"{name}.csv" for name in ("whole", "dask", "broken"))
    ways = {
        "worker processes": _swept(topology, whole, None, WORKERS),
        "Dask's LocalCluster": _dask(topology, dask),
    }
    kept = _killed(topology, broken)
    resumed_s, _ = _swept(topology, broken, None, WORKERS)
    if not whole.read_bytes() == dask.read_bytes() == broken.read_bytes():
        raise RuntimeError("the three tables differ")
    cases, aims = [], []
    for name, (wall_s, runs_s) in ways.items():
        ideal = f"{name}: runs / workers"
        cases += [_case(name, wall_s), _case(ideal, runs_s / WORKERS)]
        aims.append(Aim(case=name, beside=ideal, at_most=AIM))
    cases.append(_case(f"killed after {kept}, resumed", resumed_s))
    title = f"a sweep of {LENGTHS * SEEDS} points on {WORKERS} workers"
    return [Result(title, None, cases, aims)]


def _case(name: str, seconds: float) -> Case:
    return Case(name, "s", [point([seconds])])
