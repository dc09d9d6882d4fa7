"""SeQUeNCe (PyPI `sequence`): all of it in one process, by CPU time.

CPython 3.11 gets 0.8.5, later ones a newer one. Each case uses its own networks, protocols and
applications, as its examples do. It seeds each node and station; the seeds count from 1 here. It has no
processes, no record and no digest.

engines_noise: the decoherence of four memories that hold two pairs. Its Bell-diagonal states cannot be
joined.
engines_joining: the swapping circuit on two pairs. Its density matrices know no noise. The pairs differ in
their last digits, so that its cache of measurement results does not answer.
chain: neighbours 20 km apart, 0.2 dB/km, detectors of 0.8, two emitters and a station half way, two rounds
of single clicks for a pair, five memories a side, reservation and swapping by its resource manager, states
as kets. Ours heralds with a success of 0.1 an attempt of 100 us instead, and adds what its nodes tell each
other.
teleportation: its TeleportApp between two nodes 20 km apart with one memory each, one state after the other
every 50 virtual ms, on a link as in `chain`.
steps: its timeline alone. Each of so many entities has an event every virtual millisecond, in which it
schedules its next one: no node, no coroutine, no record. Value: events a second.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from far_end import per_cpu_second, repeated, serve

LENGTH_M, LATENCY_PS = 20_000, 10**8
MS = 10**9  # in ps
DETECTOR = {"efficiency": 0.8, "dark_count": 0, "time_resolution": 150, "count_rate": 5e8}


def _checked(found: float, expected: float) -> None:
    if abs(found - expected) > 1e-9:
        raise SystemExit(f"ends with a fidelity of {found}, not {expected}")


def engines_noise(fidelity: float, depolarising: float, expected: float) -> float:
    """Two Bell-diagonal pairs, all halves depolarised."""
    from sequence.components.memory import Memory
    from sequence.kernel.quantum_manager import QuantumManager
    from sequence.kernel.timeline import Timeline

    QuantumManager.set_global_manager_formalism("bell_diagonal")
    timeline = Timeline()
    timeline.time = 10**12 + 1  # ps: one second after the pairs were made
    coherence_s = -4 / 3 / math.log(1 - depolarising)
    options = {"fidelity": 1, "frequency": 0, "efficiency": 1, "wavelength": 1550}
    errors = [1 / 3, 1 / 3, 1 / 3]
    memories = [
        Memory(f"m{n}", timeline, coherence_time=coherence_s, decoherence_errors=errors, **options)
        for n in range(4)
    ]
    pairs = (memories[:2], memories[2:])
    weights = [fidelity] + 3 * [(1 - fidelity) / 3]

    def operation() -> float:
        for pair in pairs:
            timeline.quantum_manager.set([half.qstate_key for half in pair], weights)
            for half in pair:
                half.last_update_time = 1
                half.bds_decohere()
        return float(memories[0].get_bds_fidelity())

    _checked(operation(), expected)
    return repeated(operation)


def engines_joining(fidelity: float, expected: float) -> float:
    """Two pairs as density matrices, joined."""
    import numpy as np
    from sequence.components.circuit import Circuit
    from sequence.kernel.quantum_manager import QuantumManagerDensity

    manager = QuantumManagerDensity()
    circuit = Circuit(2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure(0)
    circuit.measure(1)
    bell = np.array([[1, 0, 0, 1]]).T / math.sqrt(2)
    ideal, rest = bell @ bell.T, (np.eye(4) - bell @ bell.T) / 3
    keys = [manager.new() for _ in range(4)]
    done = 0

    def operation() -> None:
        nonlocal done
        done += 1
        mine = fidelity + done * 1e-15
        for first in (0, 2):
            manager.set(keys[first : first + 2], mine * ideal + (1 - mine) * rest)
        manager.run_circuit(circuit, keys[1:3], 1e-9)  # outcomes 0, 0: no correction is owed

    operation()
    state = manager.get_ascending_keys(keys[0])
    far = np.einsum("abcdebcf->adef", np.asarray(state.state).reshape((2,) * 8)).reshape(4, 4)
    _checked(float(np.real(bell.T @ far @ bell).item()), expected)
    return repeated(operation)


def chain(nodes: int, seconds: float, memories: int) -> float:
    """Pairs a second between the ends of a row."""
    from sequence.app.request_app import RequestApp
    from sequence.topology.router_net_topo import RouterNetTopo

    names = [f"n{number}" for number in range(nodes)]
    begins_ps, ends_ps = int(1e12), int((1 + seconds) * 1e12)
    path = Path("network.json")
    path.write_text(json.dumps(_row(names, ends_ps, memories)), encoding="utf-8")
    topology = RouterNetTopo(str(path))
    timeline = topology.get_timeline()
    routers = {node.name: node for node in topology.get_nodes_by_type(RouterNetTopo.QUANTUM_ROUTER)}
    asks = RequestApp(routers[names[0]])
    ends = [asks, RequestApp(routers[names[-1]])]
    timeline.init()
    asks.start(names[-1], begins_ps, ends_ps, memories, 0.01)

    def run() -> int:
        timeline.run()
        return int(ends[0].memory_counter)

    return per_cpu_second(run)


def _row(names: list[str], ends_ps: int, memories: int) -> dict[str, Any]:
    memory = {"frequency": 2e8, "coherence_time": 10, "efficiency": 1, "fidelity": 0.99}
    station = {"encoding_type": "single_atom", "SingleAtomBSM": {"detectors": [DETECTOR, DETECTOR]}}
    perfect = {"gate_fidelity": 1.0, "measurement_fidelity": 1.0}
    router = {"type": "QuantumRouter", "template": "router", "memo_size": 2 * memories, **perfect}
    fibre = {"attenuation": 0.0002, "distance": LENGTH_M, "template": "station"}
    return {
        "templates": {"router": {"MemoryArray": memory}, "station": station},
        "nodes": [{"name": name, "seed": seed, **router} for seed, name in enumerate(names, 1)],
        "qconnections": [
            {"node1": first, "node2": second, "type": "meet_in_the_middle", "seed": seed, **fibre}
            for seed, (first, second) in enumerate(pairwise(names), 1001)
        ],
        "cconnections": [
            {"node1": first, "node2": second, "delay": LATENCY_PS}
            for number, first in enumerate(names)
            for second in names[number + 1 :]
        ],
        "stop_time": ends_ps,
    }


def teleportation(states: int) -> float:
    """States a second over one link. Each is compared with what was sent."""
    import numpy as np
    from sequence.app.teleport_app import TeleportApp
    from sequence.kernel.event import Event
    from sequence.kernel.process import Process
    from sequence.topology.dqc_net_topo import DQCNetTopo

    turn_ps = 50 * MS
    path = Path("network.json")
    path.write_text(json.dumps(_two_nodes(turn_ps * (states + 2))), encoding="utf-8")
    topology = DQCNetTopo(str(path))
    timeline = topology.tl
    nodes = {node.name: node for node in topology.nodes[DQCNetTopo.DQC_NODE]}
    station = topology.nodes[DQCNetTopo.BSM_NODE][0]
    for detector in station.components[next(iter(station.components))].detectors:
        detector.efficiency = DETECTOR["efficiency"]
    sends, takes = TeleportApp(nodes["alice"]), TeleportApp(nodes["bob"])
    memory = nodes["alice"].get_component_by_name(nodes["alice"].data_memo_arr_name)[0]
    rng = np.random.Generator(np.random.PCG64(1))
    vectors = rng.normal(size=(states, 2)) + 1j * rng.normal(size=(states, 2))
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]

    class Turns:
        """Gives the sender one state after the other."""

        def begin(self, number: int) -> None:
            memory.update_state(vectors[number])
            now = timeline.now()
            sends.start(
                responder="bob", start_t=now + 2 * MS, end_t=now + turn_ps - MS, memory_size=1,
                fidelity=0.01, data_memory_index=0,
            )  # fmt: skip

    timeline.init()
    for number in range(states):
        begins_ps = turn_ps * (number + 1) - 4 * MS
        timeline.schedule(Event(begins_ps, Process(Turns(), "begin", [number])))

    def run() -> int:
        timeline.run()
        return len(takes.results)

    rate = per_cpu_second(run)
    for at_ps, vector in takes.results:
        sent = vectors[(at_ps + 4 * MS) // turn_ps - 1]
        if abs(np.vdot(np.asarray(vector), sent)) ** 2 < 1 - 1e-6:
            raise SystemExit(f"another state arrived at {at_ps} ps than was sent")
    return rate


def _two_nodes(ends_ps: int) -> dict[str, Any]:
    ends, all_three = ("alice", "bob"), ("alice", "bob", "BSM_alice_bob")
    node = {"type": "DQCNode", "memo_size": 1, "data_memo_size": 1, "group": 0, "template": "node"}
    station = {"name": all_three[2], "type": "BSMNode", "seed": 9, "group": 0, "template": "node"}
    half = {"destination": all_three[2], "distance": LENGTH_M / 2, "attenuation": 0.0002}
    return {
        "templates": {
            "node": {"MemoryArray": {"fidelity": 1, "efficiency": 1.0, "frequency": 2e8}}
        },
        "nodes": [*({"name": x, "seed": seed, **node} for seed, x in enumerate(ends, 1)), station],
        "qchannels": [{"source": name, **half} for name in ends],
        "cchannels": [
            {"source": first, "destination": second, "delay": LATENCY_PS}
            for first in all_three
            for second in all_three
            if first != second
        ],
        "stop_time": ends_ps,
    }


def steps(nodes: int, events: int) -> float:
    """Events a second of the timeline."""
    from sequence.kernel.event import Event
    from sequence.kernel.process import Process
    from sequence.kernel.timeline import Timeline

    timeline = Timeline(MS * max(1, events // nodes))
    done = 0

    class Ticker:
        def tick(self) -> None:
            nonlocal done
            done += 1
            timeline.schedule(Event(timeline.now() + MS, Process(self, "tick", [])))

    for _ in range(nodes):
        timeline.schedule(Event(0, Process(Ticker(), "tick", [])))
    timeline.init()

    def run() -> int:
        timeline.run()
        return done

    return per_cpu_second(run)


if __name__ == "__main__":
    serve(
        {
            "engines_noise": engines_noise,
            "engines_joining": engines_joining,
            "chain": chain,
            "teleportation": teleportation,
            "steps": steps,
        }
    )
