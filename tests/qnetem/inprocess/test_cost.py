"""What a step, a pair and a hop cost in one process: instants, grants and Python calls, never time.

Each is the difference between two runs, so that start and end are not in it. The bounds on calls leave a
twentieth of room above what CPython 3.11 needs; later versions need fewer.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

from qnetem import Agent
from qnetem.emulator.topology.model.topology import Topology
from qnetem.inprocess.network import InProcessNetwork

from ...agents.network import networks
from ...harness import heralding, link, network


class Cost(NamedTuple):
    """Of one run, or of one more round."""

    instants: float
    grants: float
    calls: float


def cost_of(topology: Topology) -> Cost:
    """Of a run. Frames of Python that are entered count as calls, coroutines that are resumed too."""
    carried = InProcessNetwork(topology)
    calls = 0

    def count(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        outcome = carried.run()
    finally:
        sys.setprofile(before)
    assert outcome.problem is None, outcome.problem
    grants = sum(left.grants for left in outcome.left.values())
    return Cost(outcome.instants, grants, calls)


def each(make: Callable[[int], Topology], few: int, many: int) -> Cost:
    """What one round costs: so many rounds beside fewer."""
    cost_of(make(few))  # what is worked out once, and kept
    less, more = cost_of(make(few)), cost_of(make(many))
    return Cost(*((b - a) / (many - few) for a, b in zip(less, more, strict=True)))


def silent(rounds: int) -> Topology:
    async def program(me: Agent) -> None:
        for _ in range(rounds):
            await asyncio.sleep(1e-3)

    return network({"alice": program, "bob": program}, [link("alice", "bob", 1000)])


def pairs(rounds: int) -> Topology:
    async def program(me: Agent) -> None:
        for _ in range(rounds):
            pair = await me.entangle(me.peers[0])
            bit = await pair.measure("X")
            await me.send(me.peers[0], {"bit": bit})
            await me.receive(me.peers[0])

    wire = link("alice", "bob", 1000, entangle=heralding(), length_km=0.2)
    return network({"alice": program, "bob": program}, [wire])


def over(hops: int) -> Callable[[int], Topology]:
    """Pairs from end to end, by the network layer."""
    return lambda count: networks.network(
        networks.chain(hops), networks.ends(count), success=0.1, fidelity=0.99
    )


def test_time_that_passes_costs_an_instant_and_a_grant_a_node() -> None:
    cost = each(silent, 20, 120)
    assert (cost.instants, cost.grants) == (1, 2)
    assert cost.calls <= 79


def test_a_pair_that_both_ends_measure_and_tell_each_other_of_takes_six_grants() -> None:
    """Herald, outcome and message: three instants in which both nodes run."""
    cost = each(pairs, 10, 60)
    assert (cost.instants, cost.grants) == (3, 6)
    assert cost.calls <= 556


def test_a_pair_over_several_hops_costs_each_hop_the_same() -> None:
    """Two heralds, a join and a track: at repeaters the first herald and most joins wake no node."""
    short, long = each(over(3), 20, 80), each(over(6), 20, 80)
    assert short.grants / 3 <= 3.5
    assert long.grants / 6 <= 2.8
    assert short.calls / 3 <= 490
    assert long.calls / 6 <= 415
