"""The network layer between processes: what comes of a run is what comes of it in one process."""

from __future__ import annotations

from pathlib import Path

import qnetem

PROGRAMS = """\
from qnetem import Agent


class Alice(Agent):
    async def run(self):
        pairs = self.network.pairs("bob", count=15, min_fidelity=0.8)
        return [[pair.id, await pair.measure("X")] async for pair in pairs]


class Bob(Agent):
    async def run(self):
        pairs = self.network.arriving("alice", count=15)
        return [[pair.id, await pair.measure("X")] async for pair in pairs]
"""
TOPOLOGY = """\
name: apart
defaults: {services: {link: {}, network: {}}}
nodes:
  alice: {program: "./ends.py:Alice"}
  r1: {kind: repeater}
  bob: {program: "./ends.py:Bob"}
links:
  - {between: [alice, r1], length: 20 km, quantum: {entangle: {success: 0.3, fidelity: 1, attempt: 100 us}}}
  - {between: [r1, bob], length: 20 km, quantum: {entangle: {success: 0.3, fidelity: 1, attempt: 100 us}}}
faults:
  - {at: 0 s, for: 1 s, loss: alice-r1, probability: 0.02}
  - {at: 3 ms, kill: r1, restart: 20 ms}
"""


def test_the_digest_is_the_same_in_one_process_and_as_processes(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text(PROGRAMS, encoding="utf-8")
    (tmp_path / "apart.yaml").write_text(TOPOLOGY, encoding="utf-8")
    apart, together = (
        qnetem.run(tmp_path / "apart.yaml", in_process=way, runs_folder=tmp_path)
        for way in (False, True)
    )
    assert apart.digest == together.digest
    assert apart.results == together.results
    assert len(apart.results["alice"]) == 15
