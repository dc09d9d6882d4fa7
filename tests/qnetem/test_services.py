"""Services over processes: killed and started again, recorded, and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

import qnetem
from qnetem.compare.node_replay import replay_node
from qnetem.emulator.errors import TopologyError
from qnetem.runs.recorded import open_run

FILE = """
import asyncio
from qnetem import Agent, Seconds, Service, offered

class Ticker(Service):
    async def run(self, peer: str, period: Seconds = 0.01) -> None:
        self.heard = []
        reading = asyncio.create_task(self.read())
        while True:
            await asyncio.sleep(period)
            await self.send(peer, float(self.rng.random()), kind="tick")

    async def read(self) -> None:
        while True:
            message = await self.receive()
            self.heard.append([message.incarnation, message.body])

    @offered
    def all_heard(self) -> list:
        return self.heard

class Pairs(Service):
    @offered
    async def pair(self, peer):
        return await self.hand_over(await self.entangle(peer))

class Alice(Agent):
    async def run(self):
        await asyncio.sleep(0.03)
        pair = await self.services.pairs.pair("bob")
        bit = await pair.measure("X")
        await asyncio.sleep(0.17)
        return {"bit": bit, "heard": self.services.ticker.all_heard(), "drew": float(self.rng.random())}

class Bob(Agent):
    async def run(self):
        if self.incarnation == 1:
            pair = await self.services.pairs.pair("alice")
            self.record("bit", await pair.measure("X"))
        return self.incarnation
"""
NETWORK = """
name: tenants
seed: 5
kinds:
  endpoint:
    services:
      pairs: {program: "./served.py:Pairs", slots: 2}
nodes:
  alice:
    program: "./served.py:Alice"
    services: {ticker: {program: "./served.py:Ticker", with: {peer: bob}}}
  bob:
    program: "./served.py:Bob"
    services: {ticker: {program: "./served.py:Ticker", with: {peer: alice, period: 7 ms}}}
links:
  - between: [alice, bob]
    quantum: {length: 10 km, entangle: {success: 0.1, fidelity: 1, attempt: 100 us}}
faults:
  - {at: 100 ms, kill: bob, restart: 20 ms}
"""


def written(folder: Path) -> Path:
    (folder / "served.py").write_text(FILE, encoding="utf-8")
    path = folder / "tenants.yaml"
    path.write_text(NETWORK, encoding="utf-8")
    return path


def test_a_served_node_is_killed_started_anew_and_replayed_with_its_services(
    tmp_path: Path,
) -> None:
    path = written(tmp_path)
    run = qnetem.run(path, runs_folder=tmp_path / "runs")
    one = qnetem.run(path, runs_folder=tmp_path / "runs", in_process=True)
    assert run.digest == one.digest and run.results == one.results
    heard = run.results["alice"]["heard"]
    incarnations = [incarnation for incarnation, _ in heard]
    # 14 ticks of bob's before he is killed at 100 ms, and 11 after he is back at 120 ms.
    assert incarnations == [1] * 14 + [2] * 11
    # Both services have begun anew, with the numbers of the new incarnation.
    assert not {body for number, body in heard if number == 1} & {
        body for number, body in heard if number == 2
    }
    assert run.results["bob"] == 2
    recorded = open_run(run.run_folder)
    for node, incarnation in (("alice", 1), ("bob", 1), ("bob", 2)):
        again = replay_node(recorded, node, incarnation=incarnation)
        assert again.same and again.steps > 5, (node, incarnation, again.divergence)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("served.py:Pairs", "served.py:Alice", "Alice is not a subclass of qnetem.Service"),
        ("served.py:Bob", "served.py:Pairs", "Pairs is a Service: name it under `services:`"),
        ("with: {peer: bob}", "with: {pear: bob}", r"11:\d+: .*pear"),
    ],
)
def test_a_service_that_cannot_be_is_refused_at_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = written(tmp_path)
    path.write_text(NETWORK.replace(old, new), encoding="utf-8")
    with pytest.raises(TopologyError, match=problem):
        qnetem.run(path, runs_folder=tmp_path / "runs", in_process=True)
