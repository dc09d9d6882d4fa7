"""Pairs from end to end of a row of nodes, 20 km apart, per second.

By the network layer and by repeaters whose joins the topology says, in one process and with a process for
each node. An attempt takes 100 us and succeeds in one of ten; seed 1. What is one process counts its CPU
time, so that other work on the machine is not in it; processes, and peers of several threads, count wall
time.

Beside them SeQUeNCe, SimQN and QuNetSim, which have models of their own: see the heads of peers/with_*.py.
SimulaQron makes a few pairs a second on one link and has no repeaters: it is in `teleportation` alone.
"""

from __future__ import annotations

from collections.abc import Callable

import networks
from suite.measure import Plan, grown
from suite.results import Aim, Result

#: Nodes -> how many pairs are made: in one process, and by processes.
PAIRS = {2: (2000, 600), 4: (600, 150), 8: (240, 60), 16: (100, 100), 32: (40, 40)}
#: Nodes -> virtual seconds of a peer's run.
SEQUENCE_S = {2: 0.2, 4: 0.1, 8: 0.08, 16: 0.06, 32: 0.06}
SIMQN_S = {2: 0.5, 4: 0.5, 8: 0.5, 16: 0.3, 32: 0.3}
SEQUENCE = {nodes: {"seconds": seconds, "memories": 5} for nodes, seconds in SEQUENCE_S.items()}
QUNETSIM_PAIRS, QUNETSIM_NODES = 10, (2, 4, 8)
LAYER, REPEATERS, APART = "layer, in process", "repeaters, in process", "layer, processes"
FEW = {f"nodes.{name}.with.pairs": 1 for name in ("alice", "bob")}
AIMS = [
    Aim(case=LAYER, beside="SimQN", at_least=0.5, sizes=[4, 8, 16, 32]),
    Aim(case=LAYER, beside="SeQUeNCe", at_least=15.0),
    Aim(case=APART, beside="SeQUeNCe", at_least=8.0),
    Aim(case=APART, beside="QuNetSim, wall"),
]


def _in_process(count: int, layer: bool) -> float:
    pairs = PAIRS[count][0]
    return pairs / networks.cpu_seconds(networks.chain(count, pairs, layer=layer), FEW)


def _as_processes(count: int, layer: bool) -> float:
    """One run by the command, from the first grant to the last report."""
    pairs = PAIRS[count][1]
    return float(pairs / networks.run(networks.chain(count, pairs, layer=layer))["wall_time_s"])


def main(plan: Plan) -> list[Result]:
    """Measure."""
    cases: dict[str, Callable[[int], float]] = {
        LAYER: lambda nodes: _in_process(nodes, layer=True),
        REPEATERS: lambda nodes: _in_process(nodes, layer=False),
        APART: lambda nodes: _as_processes(nodes, layer=True),
        "repeaters, processes": lambda nodes: _as_processes(nodes, layer=False),
    }
    growing = plan.peers.growing
    cases |= growing("chain", "SeQUeNCe", options=lambda nodes: {"nodes": nodes, **SEQUENCE[nodes]})
    cases |= growing(
        "chain", "SimQN", options=lambda nodes: {"nodes": nodes, "seconds": SIMQN_S[nodes]}
    )
    threads = growing(
        "chain", "QuNetSim", options=lambda nodes: {"nodes": nodes, "pairs": QUNETSIM_PAIRS}
    )
    cases |= {f"{name}, wall": case for name, case in threads.items()}
    only = {"QuNetSim, wall": QUNETSIM_NODES}
    title = "pairs from end to end of a row"
    return [grown(title, "pairs/s", ("nodes", list(PAIRS)), cases, plan, AIMS, only)]
