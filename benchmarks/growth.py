"""Growth in one process: microseconds that a step of a node costs, with more and more nodes.

Silent: each node sleeps a virtual millisecond, again and again. Ring: each sends its neighbour a message
and waits for the one from its other neighbour. Time counts from the first grant to the last report and is
divided by nodes and rounds, so that a step costs the same at every size if nothing grows. Start and memory
are not in it.

Beside it the bare schedulers of SeQUeNCe and SimQN, where a step is one event that calls one function, and
a ring of mosaik's in one process; they have no coroutines, no record and no digest: see peers/with_*.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import networks
from suite.measure import Plan, grown
from suite.results import Aim, Result

NODES = (10, 100, 1_000, 10_000)
#: Steps of all nodes in a run; a node has two rounds at least.
STEPS, PEER_STEPS = 10_000, 20_000
#: mosaik takes minutes to connect more.
MOSAIK_NODES = (10, 100)
AIMS = [
    Aim(case="silent", across=True, at_most=1.5),
    Aim(case="ring", across=True, at_most=1.5),
    Aim(case="silent", beside="SeQUeNCe, bare events"),
    Aim(case="silent", beside="SimQN, bare events"),
]


def _rounds(nodes: int) -> int:
    return max(2, STEPS // nodes)


def _silent(nodes: int) -> float:
    return _ours(nodes, networks.crowd(nodes, "Ticker", {"rounds": _rounds(nodes)}))


def _ring(nodes: int) -> float:
    return _ours(nodes, networks.ring(nodes, _rounds(nodes)))


def _ours(nodes: int, topology: Path) -> float:
    seconds = networks.run(topology, "--in-process")["wall_time_s"]
    return float(seconds * 1e6 / (nodes * _rounds(nodes)))


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
        "ring_inside", "mosaik", options=lambda nodes: {"nodes": nodes, "rounds": _rounds(nodes)}
    )
    return {f"{name}, bare events": events(run) for name, run in bare.items()} | {
        f"{name}, ring": steps_of_rounds(run) for name, run in rings.items()
    }


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases = {"silent": _silent, "ring": _ring, **_beside(plan)}
    only = {"mosaik, ring": MOSAIK_NODES}
    title = "a step of a node, all nodes in one process"
    return [grown(title, "us", ("nodes", NODES), cases, plan, AIMS, only)]
