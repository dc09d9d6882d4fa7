"""SimQN (PyPI `qns`): all of it in one process, by CPU time. One generator for all, seeded with 1.

engines_mixed: two Werner pairs, each one number; storage is SimQN's depolarising, (F - 1/4) exp(-rate t),
once for each half.
chain: its EntanglementDistributionApp sends a half of each pair hop by hop and joins on the way, neighbours
20 km apart. It has no word for a lost photon (the slot stays taken), so its fibres lose none here, where
ours herald one attempt in ten. It has no processes, no record and no digest.
steps: its simulator alone. Each of so many tickers has an event every virtual millisecond, in which it adds
its next one: no node, no coroutine, no record. Value: events a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from far_end import per_cpu_second, repeated, serve

LATENCY_S = 1e-4
#: Ticks of virtual time in a second.
ACCURACY = 1_000_000_000


def engines_mixed(fidelity: float, depolarising: float, expected: float) -> float:
    """Two pairs, all halves depolarised, joined."""
    from qns.models.epr import MixedStateEntanglement

    rate_hz = -math.log(1 - depolarising)

    def operation() -> float:
        pairs = [MixedStateEntanglement(fidelity), MixedStateEntanglement(fidelity)]
        for pair in pairs:
            pair.store_error_model(1.0, rate_hz)
            pair.store_error_model(1.0, rate_hz)
        return float(pairs[0].swapping(pairs[1]).fidelity)

    if abs(operation() - expected) > 1e-9:
        raise SystemExit(f"ends with a fidelity of {operation()}, not {expected}")
    return repeated(operation)


def chain(nodes: int, seconds: float) -> float:
    """Pairs a second between the ends of a row."""
    from qns.network import QuantumNetwork
    from qns.network.protocol.entanglement_distribution import EntanglementDistributionApp
    from qns.network.route.dijkstra import DijkstraRouteAlgorithm
    from qns.network.topology import LineTopology
    from qns.network.topology.topo import ClassicTopology

    simulator = _simulator(seconds)
    line = LineTopology(
        nodes_number=nodes,
        qchannel_args={"delay": LATENCY_S, "bandwidth": 0, "drop_rate": 0.0},
        cchannel_args={"delay": LATENCY_S, "bandwidth": 0},
        memory_args=[{"capacity": 50, "decoherence_rate": 0.1}],
        nodes_apps=[EntanglementDistributionApp(init_fidelity=0.99)],
    )
    network = QuantumNetwork(
        topo=line, classic_topo=ClassicTopology.All, route=DijkstraRouteAlgorithm()
    )
    network.build_route()
    first, last = network.get_node("n1"), network.get_node(f"n{nodes}")
    network.add_request(src=first, dest=last, attr={"send_rate": 1000})
    network.install(simulator)

    def run() -> int:
        simulator.run()
        return len(last.apps[-1].success)

    return per_cpu_second(run)


def steps(nodes: int, events: int) -> float:
    """Events a second of the simulator."""
    from qns.simulator.event import func_to_event

    rounds = max(1, events // nodes)
    simulator = _simulator(rounds * 1e-3)
    step = simulator.time(sec=1e-3)
    done = 0

    def ticker() -> Callable[[], None]:
        def tick() -> None:
            nonlocal done
            done += 1
            simulator.add_event(func_to_event(simulator.tc + step, tick))

        return tick

    for _ in range(nodes):
        simulator.add_event(func_to_event(simulator.ts, ticker()))

    def run() -> int:
        simulator.run()
        return done

    return per_cpu_second(run)


def _simulator(seconds: float):  # type: ignore[no-untyped-def]
    import logging

    from qns.simulator.simulator import Simulator
    from qns.utils import log
    from qns.utils.rnd import set_seed

    log.logger.setLevel(logging.CRITICAL)
    set_seed(1)
    return Simulator(0, seconds, accuracy=ACCURACY)


if __name__ == "__main__":
    serve({"engines_mixed": engines_mixed, "chain": chain, "steps": steps})
