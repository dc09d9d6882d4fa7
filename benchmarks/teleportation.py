"""Teleportation over one link: states a second.

Ours is the protocol that comes along (random states, every one compared with its target by the recorder)
over 20 km, an attempt of 100 us that succeeds in one of ten, seed 1; in one process by CPU time, as
processes by wall time. SeQUeNCe, in one process, by CPU time; SimulaQron, processes, and QuNetSim, threads,
by wall time. SimQN has no states that could be teleported. What each peer does is in the heads of
peers/with_*.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import networks
from suite.measure import Plan, measured
from suite.results import Aim, Result

STATES, STATES_IN_PROCESS = 300, 1_000
PEER_STATES = {"SeQUeNCe": 100, "QuNetSim": 20, "SimulaQron": 20}
INSIDE, APART = "qnetem, in process (CPU)", "qnetem, processes"
AIMS = [
    Aim(case=INSIDE, beside="SeQUeNCe (CPU)"),
    Aim(case=APART, beside="QuNetSim"),
    Aim(case=APART, beside="SimulaQron"),
]


def _in_process() -> float:
    few = {f"nodes.{name}.with.rounds": 1 for name in ("alice", "bob")}
    topology = networks.teleportation(STATES_IN_PROCESS)
    return STATES_IN_PROCESS / networks.cpu_seconds(topology, few)


def _as_processes() -> float:
    return float(STATES / networks.run(networks.teleportation(STATES))["wall_time_s"])


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases: dict[str, Callable[[], float]] = {INSIDE: _in_process, APART: _as_processes}
    for name, run in plan.peers.cases("teleportation", *PEER_STATES).items():
        shown = f"{name} (CPU)" if name == "SeQUeNCe" else name
        cases[shown] = partial(run, states=PEER_STATES[name])
    return [measured("teleportation over one link", "states/s", cases, plan, AIMS)]
