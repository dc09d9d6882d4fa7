"""What programs send, record and return is the same data in every mode, whatever types they used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qnetem

PROGRAMS = """
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from qnetem import Agent, Nanoseconds, Seconds


@dataclass
class Reading:
    value: float
    bits: list[int]
    rest: dict[str, Seconds] = field(default_factory=dict)


class Alice(Agent):
    async def run(self, table: Path, pause: Seconds, wait: Nanoseconds):
        numbers = np.loadtxt(table, delimiter=",")
        await self.compute(pause)
        await self._node.sleep_ns(wait)
        pair = await self.entangle("bob")
        await self.probe("pair", pair, "phi+", parties=pair.ends)
        self.record("sum", numbers.sum())
        self.record("all", numbers.astype(np.float32))
        await self.send("bob", Reading(numbers[0], np.arange(2), {"pause": np.float64(pause)}))
        return {"mean": numbers.mean(), "count": np.int64(numbers.size), "now": self.now_ns}


class Bob(Agent):
    async def run(self):
        pair = await self.entangle("alice")
        await self.probe("pair", pair, "phi+", parties=pair.ends)
        message = await self.receive("alice", type=Reading)
        assert message.body == Reading(0.5, [0, 1], {"pause": 0.003})
        return message.body
"""
NET = """
name: plain
seed: 3
nodes:
  alice: {program: "./plain.py:Alice", with: {table: ./table.csv, pause: 3 ms, wait: 2 us}}
  bob: {program: "./plain.py:Bob"}
links:
  - {between: [alice, bob], quantum: {entangle: {success: 1, fidelity: 0.9, attempt: 1 ms}}}
expect:
  alice.pair.fidelity: "~ pair('alice-bob')"
  bob.pair.fidelity: "~ max(0.9, werner_join(0.9))"
  alice.sum: "== sqrt(4)"
"""


def test_dataclasses_numpy_paths_and_times_are_alike_in_processes_and_in_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "plain.py").write_text(PROGRAMS)
    (tmp_path / "table.csv").write_text("0.5,1.5\n")
    (tmp_path / "plain.yaml").write_text(NET)
    runs: list[Any] = [
        qnetem.run(tmp_path / "plain.yaml", in_process=here, runs_folder=tmp_path / "runs")
        for here in (True, False)
    ]
    for run in runs:
        run.assert_ok()
    one, other = runs
    assert one.outcome.digest == other.outcome.digest
    assert one.results == other.results
    assert one.results["alice"]["mean"] == 1.0 and one.results["alice"]["count"] == 2
    assert one.results["bob"] == {"value": 0.5, "bits": [0, 1], "rest": {"pause": 0.003}}
