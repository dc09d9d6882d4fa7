"""The network layer when links, nodes, messages and ends fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from qnetem import Agent
from qnetem.agents.network.control import Done, Gone, Packet, Setup, Track
from qnetem.agents.network.network_layer import Network
from qnetem.agents.roles.eavesdropper import Eavesdropper
from qnetem.emulator.topology.model.topology import Memory

from ... import harness
from ...counts import count
from .networks import (
    DUMBBELL,
    RING,
    agree,
    agree_but_for,
    asking,
    chain,
    ends,
    figure,
    network,
    nothing_left,
    run,
    taking,
)


def test_a_cut_ring_is_gone_round() -> None:
    cut = harness.fault("cut", "n1-n2", 10_000_000)
    over = run(RING, {"n0": asking("n3", 120), "n3": taking("n0", 120)}, faults=[cut])
    agree_but_for(over, "n0", "n3", 120)
    assert figure(over, "n0.network.n3.circuits") == 2
    assert figure(over, "n4.network.joins") > 20
    nothing_left(over)


def test_a_repeater_that_was_killed_comes_back_and_serves() -> None:
    kill = harness.fault("kill", "r1", 10_000_000, None, restart=100_000_000)
    over = run(chain(3), ends(120), faults=[kill])
    agree_but_for(over, "alice", "bob", 120)
    assert over.results["alice"][-1][2] > 110_000_000
    nothing_left(over)


@pytest.mark.parametrize("probability", [1e-3, 1e-2, 0.1])
def test_lost_messages_lose_no_request(probability: float) -> None:
    links = chain(3)
    lossy = [
        harness.fault("loss", "-".join(sorted(pair, key=[*dict(links), "bob"].index)), 0, None,
                      probability=probability)
        for pair in links
    ]  # fmt: skip
    over = run(links, ends(60), faults=lossy)
    agree(over, "alice", "bob", 60)
    nothing_left(over)


def test_halves_past_their_memorys_cutoff_are_replaced_at_both_ends() -> None:
    memory = {"memory": Memory(slots=16, cutoff_ns=1_500_000)}
    over = run(chain(3), ends(30), success=0.1, devices=memory)
    agree(over, "alice", "bob", 30)
    nothing_left(over)


def test_a_far_end_that_was_killed_is_served_again_when_it_is_back() -> None:
    async def bob(me: Agent) -> list[Any]:
        had: list[Any] = []
        try:
            async with asyncio.timeout(0.2 - me.now_ns * 1e-9):
                async for pair in me.network.arriving("alice"):
                    had.append([pair.id, await pair.measure("X")])
        except TimeoutError:
            pass
        return had

    kill = harness.fault("kill", "bob", 10_000_000, None, restart=20_000_000)
    over = run(chain(3), {"alice": asking("bob", 80), "bob": bob}, faults=[kill])
    mine = {row[0]: row[1] for row in over.results["alice"]}
    assert len(mine) == 80
    assert figure(over, "alice.network.bob.circuits") == 2
    theirs = dict(over.results["bob"])  # of its second life
    assert 0 < len(theirs) < 80
    assert all(mine[name] == theirs[name] for name in theirs)
    nothing_left(over)


def test_an_end_that_was_killed_leaves_nothing_reserved() -> None:
    async def bob(me: Agent) -> None:
        try:
            async with asyncio.timeout(0.5):
                async for pair in me.network.arriving("alice"):
                    await pair.discard()
        except TimeoutError:
            pass

    kill = harness.fault("kill", "alice", 10_000_000, None, restart=None)
    over = run(
        chain(3), {"alice": asking("bob", 10_000), "bob": bob}, faults=[kill],
        settings={"on_error": "continue"},
    )  # fmt: skip
    for name in ("r1", "r2", "bob"):
        layer = over.nodes[name].tenants.services["network"].agent
        assert isinstance(layer, Network)
        assert layer.signalling.used == 0
        assert not over.nodes[name].held.names


@pytest.mark.parametrize("end", ["r1", "r2"])
def test_a_lost_herald_costs_its_pair_only(end: str) -> None:
    lost = harness.fault("lost_herald", "r1-r2", 0, None, probability=0.1, end=end)
    over = run(chain(3), ends(60), faults=[lost])
    agree(over, "alice", "bob", 60)
    assert figure(over, "alice.network.bob.circuits") == 1
    nothing_left(over)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(count(10)))
def test_one_end_that_withdraws_at_random_gets_no_other_requests_pair(seed: int) -> None:
    async def fickle(me: Agent, peer: str) -> list[Any]:
        had: list[Any] = []
        for _ in range(5):
            async for pair in me.network.pairs(peer, 30, purpose="fickle"):
                had.append([pair.id, await pair.measure("X")])
                if me.rng.random() < 0.15:
                    break
        return had

    async def patient(me: Agent, peer: str) -> list[Any]:
        had: list[Any] = []
        try:
            async with asyncio.timeout(0.4):
                async for pair in me.network.arriving(peer, purpose="fickle"):
                    had.append([pair.id, await pair.measure("X")])
        except TimeoutError:
            pass
        return had

    programs = {
        "a1": asking("b1", 60),
        "b1": taking("a1", 60),
        "a2": lambda me: fickle(me, "b2"),
        "b2": lambda me: patient(me, "a2"),
    }
    over = run(DUMBBELL, programs, settings={"seed": seed})
    agree(over, "a1", "b1", 60)
    one, other = dict(over.results["a2"]), dict(over.results["b2"])
    assert len(one) > 5
    assert all(one[name] == other[name] for name in one.keys() & other.keys())
    nothing_left(over)


def test_what_names_no_pair_of_a_circuit_is_refused_and_counted() -> None:
    """Eve replays what is over, and forges what is not, in the name of the right neighbour."""

    async def eve(me: Agent) -> int:
        forged = 0
        await asyncio.sleep(0.004)
        path = ["alice", "r2", "bob"]
        setup = Setup("alice.9.9", "alice.9.8", path, ["x", "y"], [None, None], 1)
        life = (1, 0)
        for number in (1, 2):
            packet = Packet(number, 0, 0, life, setup)
            await Eavesdropper.forge(me, "bob", "r2", packet, port="network.control")  # type: ignore[arg-type]
        for id, number in (
            ("alice.1.2", 10**6),
            ("alice.9.2", 1),
            ("bob.1.2", 1),
            ("alice.1.2", 1),
        ):
            track = Track(id, number, number, 1, 1, 0.5, 0.5, 0.5, 0)
            for body in (track, Gone(id, number + 10**6), Done(id, number, 0.5)):
                for source, to in (("r2", "bob"), ("bob", "r2"), ("bob", "alice")):
                    await Eavesdropper.forge(me, source, to, body, port="network.data")  # type: ignore[arg-type]
                    forged += 1
        return forged

    topology = network(
        chain(3),
        ends(60),
        success=0.9,
        faults=[
            harness.fault("eavesdrop", "r2-bob", 1000, None, by="eve", classical="tap"),
            harness.fault("duplicate", "alice-r1", 0, None, probability=0.3),
            harness.fault("reorder", "r1-r2", 0, None, probability=0.3, by=1_000_000),
        ],
    )
    topology.nodes["eve"] = harness.node("eve", eve, kind="eavesdropper", service=True)
    over = harness.run(topology)
    agree(over, "alice", "bob", 60)
    metrics = over.outcome.metrics
    refused = [each["mean"] for name, each in metrics.items() if "refused_messages" in name]
    assert sum(refused) >= 10
    nothing_left(over)
