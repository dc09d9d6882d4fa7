"""What the tests of the front door share: a small topology, and a run that has ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from qnetem.api import Run
from qnetem.emulator.loading import Topology, load_topology
from qnetem.emulator.topology.model.faults import FaultSpec
from qnetem.emulator.wire.control import FaultRecord, NodeState, Outcome, Problem
from qnetem.expect.expect import judge, parse_expectations

CHAIN = """\
name: chain
seed: 7
nodes:
  alice: {kind: endpoint, memory: {slots: 4}}
  r1: {kind: repeater, memory: {t1: 10 ms, t2: 5 ms}}
  bob: {kind: endpoint}
links:
  - between: [alice, r1]
    quantum: {length: 25 km, entangle: {success: 0.01, fidelity: 0.95, attempt: 1 ms}}
  - between: [r1, bob]
    length: 50 km
    quantum: {depolarising: 0.04, dephasing: 0.01}
    classical: {latency: 2 ms}
faults:
  - {at: 2 s, for: 500 ms, cut: alice-r1}
  - {at: 400 s, kill: r1, restart: 250 ms}
"""


@contextlib.asynccontextmanager
async def no_umask() -> AsyncIterator[None]:
    """With the least careful umask."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(folder: Path) -> list[tuple[str, str]]:
    """The files and folders of a run that other users could open if they came to them."""
    modes = {path: path.lstat().st_mode for path in (folder, *folder.rglob("*"))}
    return [(str(path), oct(mode)) for path, mode in modes.items() if mode & 0o077]


def written(folder: Path, text: str = CHAIN, name: str = "chain.yaml") -> Path:
    """A topology file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str = CHAIN) -> Topology:
    """A topology."""
    return load_topology(written(folder, text))


def series(
    mean: float, std: float = 0.0, count: float = 100, low: float = 0.0, high: float = 1.0
) -> dict[str, float]:
    """A metric that was observed."""
    return {"count": count, "mean": mean, "std": std, "min": low, "max": high, "last": mean}


def ended(
    topology: Topology,
    *,
    results: dict[str, Any] | None = None,
    metrics: dict[str, dict[str, float]] | None = None,
    problem: Problem | None = None,
    states: dict[str, str] | None = None,
    faults: list[FaultRecord] | None = None,
) -> Run:
    """A run of `topology` that has ended like this; expectations are judged if there is no problem."""
    nodes = {
        name: NodeState(4000 + number, 1, (states or {}).get(name, "finished"))
        for number, name in enumerate(topology.nodes)
    }
    outcome = Outcome(
        name=topology.name,
        seed=topology.seed,
        digest="0123456789abcdef0123456789abcdef",
        t_ns=12_345_678_900,
        wall_s=1.5,
        instants=30_000,
        nodes=nodes,
        results=results or {},
        metrics=metrics or {},
        problem=problem,
        faults=faults or [_record(fault, 12_345_678_900) for fault in topology.faults],
    )
    exit_code = problem.exit_code if problem else 0
    result = SimpleNamespace(
        outcome=outcome, run_folder=Path("runs/chain-20260101-x"), exit_code=exit_code
    )
    expectations = parse_expectations(topology)
    verdicts = [] if problem else judge(expectations, outcome.results, outcome.metrics)
    return Run(topology, result, verdicts)  # type: ignore[arg-type]  # the same attributes


def _record(fault: FaultSpec, end_ns: int) -> FaultRecord:
    """What becomes of a fault in a run that ends at `end_ns`."""
    begun = fault.at_ns <= end_ns
    return FaultRecord(
        fault.id,
        fault.verb,
        fault.target,
        fault.parameters,
        fault.at_ns,
        fault.for_ns,
        fault.at_ns if begun else None,
        min(fault.at_ns + fault.for_ns, end_ns) if begun and fault.for_ns else None,
        1 if begun else 0,
    )
