"""Growth in one process: microseconds that a step of a node costs, with more and more nodes.

Silent: each node sleeps a virtual millisecond, again and again. Ring: each sends its neighbour a message
and waits for the one from its other neighbour. A step is what a round more costs, divided by the nodes: two
runs, of few rounds and of many, whose difference has neither start nor end nor a program's first step in it.

The least that growth can cost is that of bare VirtualLoops, by CPU time: as many coroutines, timers and loops
in memory, and nothing around them.

Beside it the bare schedulers of SeQUeNCe and SimQN, where a step is one event that calls one function, and
a ring of mosaik's in one process; they have no coroutines, no record and no digest: see peers/with_*.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import networks
from suite.measure import Plan, grown
from suite.results import Aim, Result

from qnetem.agents.loop.virtual_loop import VirtualLoop

NODES = (10, 100, 1_000, 10_000)
#: Rounds of the short run; by how many the long one has more: so many steps of all nodes, but so many rounds.
FEW, STEPS, LEAST_MORE = 2, 10_000, 20
PEER_STEPS = 20_000
#: mosaik takes minutes to connect more.
MOSAIK_NODES = (10, 100)
AIMS = [
    Aim(case="silent", across=True, at_most=1.5),
    Aim(case="ring", across=True, at_most=1.5),
    Aim(case="bare VirtualLoops", across=True),
    Aim(case="silent", beside="SeQUeNCe, bare events"),
    Aim(case="silent", beside="SimQN, bare events"),
]


def _more(nodes: int) -> int:
    return max(LEAST_MORE, STEPS // nodes)


def _silent(nodes: int) -> float:
    return _ours(nodes, lambda rounds: networks.crowd(nodes, "Ticker", {"rounds": rounds}))


def _ring(nodes: int) -> float:
    return _ours(nodes, lambda rounds: networks.ring(nodes, rounds))


def _ours(nodes: int, topology: Callable[[int], Path]) -> float:
    def seconds(rounds: int) -> float:
        return float(networks.run(topology(rounds), "--in-process")["wall_time_s"])

    more = _more(nodes)
    return (seconds(FEW + more) - seconds(FEW)) * 1e6 / (nodes * more)


async def _ticks(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.sleep(1e-3)


def _bare(loops: int) -> float:
    rounds = _more(loops)
    all_of_them = [VirtualLoop(str(number)) for number in range(loops)]
    for loop in all_of_them:
        loop.create_task(_ticks(rounds + 1))
        loop.step(0)
    began = time.process_time()
    for turn in range(1, rounds + 1):
        for loop in all_of_them:
            loop.step(turn * 1_000_000)
    seconds = time.process_time() - began
    for loop in all_of_them:
        loop.abandon()
    return seconds * 1e6 / (loops * rounds)


def _beside(plan: Plan) -> dict[str, Callable[[int], float]]:
    """The peers' rates of events, and of mosaik's rounds, as microseconds a step."""

    def events(run: Callable[[int], float]) -> Callable[[int], float]:
        return lambda nodes: 1e6 / run(nodes)

    def steps_of_rounds(run: Callable[[int], float]) -> Callable[[int], float]:
        return lambda nodes: 1e6 / (nodes * run(nodes))

    bare = plan.peers.growing(
        "steps", "SeQUeNCe", "SimQN", options=lambda nodes: {"nodes": nodes, "events": PEER_STEPS}
    )
    rings = plan.peers.growing(
        "ring_inside",
        "mosaik",
        options=lambda nodes: {"nodes": nodes, "rounds": FEW + _more(nodes)},
    )
    return {f"{name}, bare events": events(run) for name, run in bare.items()} | {
        f"{name}, ring": steps_of_rounds(run) for name, run in rings.items()
    }


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases = {"silent": _silent, "ring": _ring, "bare VirtualLoops": _bare, **_beside(plan)}
    only = {"mosaik, ring": MOSAIK_NODES}
    title = "a step of a node, all nodes in one process"
    return [grown(title, "us", ("nodes", NODES), cases, plan, AIMS, only)]
