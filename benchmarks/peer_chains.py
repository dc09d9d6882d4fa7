"""The same row of nodes in SeQUeNCe and in SimQN, each in an interpreter of its own.

Owns what is asked of the peers: their own networks, protocols and applications, as their examples use them,
with neighbours 20 km apart, 0.2 dB/km and detectors of 0.8. Run as a program it is the far end: it does one
run and prints pairs per second of CPU time, from the first event to the last.

What differs from ours. SeQUeNCe: two emitters and a station half way, two rounds of single clicks for a pair,
five memories a side, reservation and swapping by its resource manager, states as kets. SimQN: an application
that sends a half of each pair hop by hop and joins on the way, Werner states as one number; it has no word
for a lost photon, so its fibres lose none here. Neither has processes, a record, or a digest. SeQUeNCe seeds
each node and station, SimQN one generator for all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

LENGTH_M, LATENCY_S = 20_000, 1e-4
MEMORIES = 5
#: Virtual seconds of a run, by nodes.
SECONDS = {
    "SeQUeNCe": {2: 0.2, 4: 0.1, 8: 0.08, 16: 0.06, 32: 0.06},
    "SimQN": {2: 0.5, 4: 0.5, 8: 0.5, 16: 0.3, 32: 0.3},
}


def rate(python: Path, name: str, count: int) -> float:
    """Pairs per second of a peer. Raises RuntimeError when it does not do what is asked of it."""
    command = [str(python), "-P", __file__, name, str(count)]
    with tempfile.TemporaryDirectory(prefix="qnetem-peer-run-") as folder:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, env=dict(os.environ), check=False
        )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it ended without a word"]
        raise RuntimeError(f"{name} with {count} nodes: {lines[-1]}")
    return float(done.stdout.split()[-1])


# --- the far end ----------------------------------------------------------------------------------


def _sequence(count: int, lasts_s: float) -> Callable[[], int]:
    from sequence.app.request_app import RequestApp
    from sequence.topology.router_net_topo import RouterNetTopo

    names = [f"n{number}" for number in range(count)]
    detector = {"efficiency": 0.8, "dark_count": 0, "time_resolution": 150, "count_rate": 5e8}
    memory = {"frequency": 2e8, "coherence_time": 10, "efficiency": 1, "fidelity": 0.99}
    router = {"MemoryArray": memory}
    station = {"encoding_type": "single_atom", "SingleAtomBSM": {"detectors": [detector, detector]}}
    begins_ps, ends_ps = int(1e12), int((1 + lasts_s) * 1e12)
    config: dict[str, Any] = {
        "templates": {"router": router, "station": station},
        "nodes": [
            {"name": name, "type": "QuantumRouter", "seed": number, "memo_size": 2 * MEMORIES,
             "template": "router", "gate_fidelity": 1.0, "measurement_fidelity": 1.0}
            for number, name in enumerate(names)
        ],
        "qconnections": [
            {"node1": first, "node2": second, "attenuation": 0.0002, "distance": LENGTH_M,
             "type": "meet_in_the_middle", "seed": 1000 + number, "template": "station"}
            for number, (first, second) in enumerate(pairwise(names))
        ],
        "cconnections": [
            {"node1": first, "node2": second, "delay": int(LATENCY_S * 1e12)}
            for number, first in enumerate(names)
            for second in names[number + 1 :]
        ],
        "stop_time": ends_ps,
    }  # fmt: skip
    path = Path("network.json")
    path.write_text(json.dumps(config), encoding="utf-8")
    topology = RouterNetTopo(str(path))
    timeline = topology.get_timeline()
    routers = {node.name: node for node in topology.get_nodes_by_type(RouterNetTopo.QUANTUM_ROUTER)}
    asks = RequestApp(routers[names[0]])
    ends = [asks, RequestApp(routers[names[-1]])]
    timeline.init()
    asks.start(names[-1], begins_ps, ends_ps, MEMORIES, 0.01)

    def run() -> int:
        timeline.run()
        return int(ends[0].memory_counter)

    return run


def _simqn(count: int, lasts_s: float) -> Callable[[], int]:
    import logging

    from qns.network import QuantumNetwork
    from qns.network.protocol.entanglement_distribution import EntanglementDistributionApp
    from qns.network.route.dijkstra import DijkstraRouteAlgorithm
    from qns.network.topology import LineTopology
    from qns.network.topology.topo import ClassicTopology
    from qns.simulator.simulator import Simulator
    from qns.utils import log
    from qns.utils.rnd import set_seed

    log.logger.setLevel(logging.CRITICAL)
    set_seed(1)
    simulator = Simulator(0, lasts_s, accuracy=1_000_000_000)
    line = LineTopology(
        nodes_number=count,
        qchannel_args={"delay": LATENCY_S, "bandwidth": 0, "drop_rate": 0.0},
        cchannel_args={"delay": LATENCY_S, "bandwidth": 0},
        memory_args=[{"capacity": 50, "decoherence_rate": 0.1}],
        nodes_apps=[EntanglementDistributionApp(init_fidelity=0.99)],
    )
    network = QuantumNetwork(
        topo=line, classic_topo=ClassicTopology.All, route=DijkstraRouteAlgorithm()
    )
    network.build_route()
    first, last = network.get_node("n1"), network.get_node(f"n{count}")
    network.add_request(src=first, dest=last, attr={"send_rate": 1000})
    network.install(simulator)

    def run() -> int:
        simulator.run()
        return len(last.apps[-1].success)

    return run


#: Name -> the distribution on PyPI, and how it is put up.
PEERS: dict[str, tuple[str, Callable[[int, float], Callable[[], int]]]] = {
    "SeQUeNCe": ("sequence", _sequence),
    "SimQN": ("qns", _simqn),
}


def serve(name: str, count: int) -> None:
    """Be the far end: one run, and what it came to."""
    run = PEERS[name][1](count, SECONDS[name][count])
    began = time.process_time()
    pairs = run()
    took_s = time.process_time() - began
    if not pairs:
        raise SystemExit("it has made no pair")
    print(pairs / took_s)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
