"""A whole network in one process."""

from __future__ import annotations

import asyncio
import io
import sys
from pathlib import Path
from typing import Any

import pytest

from qnetem import Agent
from qnetem.emulator.loading import load_topology, with_seed
from qnetem.emulator.topology.model.topology import Time
from qnetem.emulator.wire.control import Inspect, Progress
from qnetem.emulator.world.live import LiveControl
from qnetem.inprocess.network import InProcessNetwork
from tests.harness import content

from ... import harness
from ...harness import fault, idle, link, network

QUICKSTART = Path(__file__).parents[3] / "topologies" / "quickstart.yaml"


class Shared(Agent):
    """Both nodes run this very class."""

    async def run(self, first: bool) -> list[Any]:
        peer = self.peers[0]
        if first:
            await self.send(peer, self.name)
        message = await self.receive()
        if not first:
            await self.send(peer, self.name)
        return [self.name, message.body, self.now_ns, int(self.rng.integers(1 << 60))]


def test_two_nodes_may_run_one_program_and_stay_apart() -> None:
    nodes = {
        name: harness.node(name, f"{__name__}:Shared", with_={"first": name == "alice"})
        for name in ("alice", "bob")
    }
    found = harness.run_results(nodes, [link("alice", "bob", 1000)])
    alice, bob = found["alice"], found["bob"]
    assert (alice[:3], bob[:3]) == (["alice", "bob", 2000], ["bob", "alice", 1000])
    assert alice[3] != bob[3]


def test_what_a_program_prints_goes_to_its_own_log() -> None:
    async def program(me: Agent) -> None:
        print(f"{me.name} here")  # noqa: T201 the point
        await asyncio.sleep(1e-6)
        print(f"{me.name} there")  # noqa: T201 the point

    run = harness.run(network({"alice": program, "bob": program}))
    assert run.logs == {f"{n}.1": f"{n} here\n{n} there\n" for n in ("alice", "bob")}
    assert sys.stdout is not None and "here" not in repr(sys.stdout)


def test_each_incarnation_has_a_log_of_its_own() -> None:
    async def program(me: Agent) -> None:
        me.log.warning("alive")
        await asyncio.sleep(1e-6)

    run = harness.run(network({"bob": program}, faults=[fault("kill", "bob", 500, restart=100)]))
    assert run.logs == {
        "bob.1": "0 ns bob WARNING alive\n",
        "bob.2": "600 ns bob WARNING alive\n",
    }


def test_a_killed_node_is_closed_before_its_next_life_begins() -> None:
    order: list[str] = []

    async def program(me: Agent) -> None:
        order.append(f"born at {me.now_ns}")
        try:
            await asyncio.sleep(1e-6)
            order.append(f"done at {me.now_ns}")
        finally:
            order.append("closed")

    harness.run(network({"bob": program}, faults=[fault("kill", "bob", 500, restart=0)]))
    assert order == ["born at 0", "closed", "born at 500", "done at 1500", "closed"]


def test_the_journal_on_disk_does_not_change_the_run(tmp_path: Path) -> None:
    topology = harness.pair(idle, idle)
    with_file = InProcessNetwork(topology, journal_path=tmp_path / "journal.jsonl.gz")
    assert with_file.run().digest == InProcessNetwork(topology).run().digest
    assert len(content(tmp_path / "journal.jsonl.gz").splitlines(keepends=True)) == 2


def test_progress_is_told_on_the_way() -> None:
    told: list[Progress] = []
    InProcessNetwork(harness.pair(idle, idle), on_progress=told.append).run()
    assert told and set(told[0].nodes) == {"alice", "bob"}


def test_an_interrupt_ends_the_run_at_once() -> None:
    async def interrupts(me: Agent) -> None:
        await asyncio.sleep(1e-6)
        carried.interrupt("enough")
        await asyncio.sleep(1)

    carried = InProcessNetwork(network({"bob": interrupts}), log_stream=lambda *_: io.StringIO())
    outcome = carried.run()
    assert outcome.problem is not None
    assert (outcome.problem.kind, outcome.problem.text) == ("Interrupted", "enough")
    assert outcome.t_ns == 1000


def test_real_time_ends_as_virtual_time_does() -> None:
    async def program(me: Agent) -> int:
        for _ in range(5):
            await asyncio.sleep(1e-4)
        return me.now_ns

    topology = network({"bob": program})
    paced = topology.model_copy(update={"time": Time(mode="real", speed=10.0)})
    slow, fast = harness.run(paced), harness.run(topology)
    assert slow.outcome.digest == fast.outcome.digest and slow.results == fast.results


def test_the_quickstart_runs_alike_twice_and_however_it_is_carried() -> None:
    topology = load_topology(QUICKSTART)
    options = {"states": 3, "qubits": 40}
    small = {}
    for name, spec in topology.nodes.items():
        given = {key: options.get(key, value) for key, value in spec.options.items()}
        small[name] = spec.model_copy(update={"options": given})
    source = topology.model_copy(update={"nodes": small})
    wanted = harness.run(source).observable()
    assert wanted["problem"] is None
    assert harness.run(source).observable() == wanted
    for order in range(2):
        assert harness.run_hard(source, order).observable() == wanted
    another = harness.run(with_seed(source, topology.seed + 1)).outcome.digest
    assert another != wanted["digest"]


@pytest.mark.parametrize("order", range(4))
def test_two_harsh_carriers_and_no_trouble_at_all_give_one_run(order: int) -> None:
    async def alice(me: Agent) -> list[Any]:
        for number in range(5):
            await me.send("bob", number)
        return [[m.body, m.seq] for m in [await me.receive() for _ in range(5)]]

    async def bob(me: Agent) -> None:
        for _ in range(5):
            message = await me.receive()
            await me.send("alice", message.body)

    topology = harness.pair(alice, bob, 0)
    wanted = harness.run(topology).observable()
    assert harness.run_hard(topology, order, drops=0.0, duplicates=0.0).observable() == wanted
    assert harness.run_hard(topology, order, drops=0.6, duplicates=0.4).observable() == wanted


class Door:
    """A live socket at which a client asks for a view, at the poll of this number."""

    next_poll_s = 0.0

    def __init__(self, live: LiveControl, number: int) -> None:
        self._live, self.left = live, number
        self.answers: list[Any] = []

    def poll(self) -> bool:
        self.left -= 1
        if self.left == 0:
            self._live.ask(Inspect(1), self.answers.append)
        return self.left == 0

    def close(self) -> None: ...


@pytest.mark.parametrize("number", range(1, 16))
@pytest.mark.parametrize("slice_s", [0.0, 10.0])
def test_a_question_does_not_wait_for_the_next_instant_whenever_it_is_read(
    number: int, slice_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the beginning of a turn, within one, and at the end of one that was long."""
    monkeypatch.setattr("qnetem.inprocess.network._SLICE_S", slice_s)

    async def sleeper(me: Agent) -> None:
        await asyncio.sleep(3600)

    topology = network({"alice": sleeper}).model_copy(update={"time": Time(mode="real")})
    carried = InProcessNetwork(topology, log_stream=lambda *_: io.StringIO())
    carried.live_socket = door = Door(carried.world.live, number)  # type: ignore[assignment]
    batches = carried.batches()
    pause_s: float | None = 0.0
    while door.left > 0 or pause_s == 0.0:
        pause_s = carried.carry(batches)
        assert pause_s is not None
    assert [answer.number for answer in door.answers] == [1]
    carried.interrupt("seen enough")
    while carried.carry(batches) is not None:
        pass
