"""The networks that random campaigns go over, and the campaign that a seed draws for one.

Owns topologies as data: everything about a run follows from (network, seed). Rates are such that a run meets
several faults and that many runs still come to a confirmed end: a campaign in which all fails proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from qnetem.emulator import closed_forms
from qnetem.emulator.faults.kinds import FAULT_KINDS
from qnetem.emulator.topology import Topology, build_topology

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
TELEPORTATION = "qnetem.agents.protocols.teleportation"
QKD = "qnetem.agents.protocols.qkd"
#: What a campaign may do, as far as there is such a fault.
KINDS = [
    verb
    for verb in ("kill", "cut", "partition", "loss", "duplicate", "reorder", "corrupt", "memory_reset")
    if verb in FAULT_KINDS
]  # fmt: skip


@dataclass(frozen=True)
class Network:
    """A network, and how hard campaigns are on it.

    `lasts`: until when faults begin (it would be over before, by itself). `faults`: how many are to be
    expected, from .. to. `ends`: the two programs that speak with each other. `fidelity`: of every state that
    is teleported, unless faults strike the quantum side; None where none is.
    """

    topology: Callable[[], dict[str, Any]]
    lasts: str
    faults: tuple[float, float]
    fidelity: float | None = None
    ends: tuple[str, str] = ("alice", "bob")

    def campaign(self, seed: int, kinds: Sequence[str] = KINDS) -> Topology:
        """The network under the campaign of this seed."""
        rng = np.random.default_rng([seed, 0xCA])
        count = rng.uniform(*self.faults)
        duration_s = float(self.lasts.removesuffix(" ms")) / 1e3
        chosen = [verb for verb in kinds if rng.random() < 0.6] or list(kinds)
        section = {
            "rate": f"{count / duration_s:.6g} per s",
            "kinds": chosen,
            "until": self.lasts,
            "for": [f"{duration_s * 10:.6g} ms", f"{duration_s * 300:.6g} ms"],
        }
        data = self.topology() | {"seed": seed, "faults": {"random": section}}
        return build_topology(data)


def _ends(program: str, sender: Mapping[str, Any], receiver: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "alice": {"program": f"{program}:Sender", "with": {"peer": "bob", **sender}},
        "bob": {"program": f"{program}:Receiver", "with": {"peer": "alice", **receiver}},
    }


def repeater() -> dict[str, Any]:
    """`broken-repeater.yaml`, with a campaign in place of its own faults."""
    data: dict[str, Any] = yaml.safe_load((TOPOLOGIES / "broken-repeater.yaml").read_text())
    for end in ("alice", "bob"):
        data["nodes"][end]["with"] |= {"rounds": 10, "tries": 6}
    del data["expect"]
    return data


def chain() -> dict[str, Any]:
    """Two repeaters, and no way round them."""
    options = {"rounds": 6, "timeout": "8 ms", "tries": 6}
    quantum = {
        "length": "10 km",
        "entangle": {"success": 0.2, "fidelity": 0.97, "attempt": "100 us"},
    }
    routes = {"r1": ["alice", "r2"], "r2": ["r1", "bob"]}
    repeaters = {
        name: {"kind": "repeater", "with": {"routes": [route], "ends": ["alice", "bob"]}}
        for name, route in routes.items()
    }
    return {
        "name": "chain",
        "nodes": _ends(TELEPORTATION, options, options) | repeaters,
        "links": [
            {"between": ends, "quantum": quantum}
            for ends in (["alice", "r1"], ["r1", "r2"], ["r2", "bob"])
        ],
    }


def bb84() -> dict[str, Any]:
    """BB84 with single photons, over a fibre that errs."""
    patience = {"timeout": "1 ms", "tries": 4}
    return {
        "name": "bb84",
        "nodes": _ends(f"{QKD}.bb84", {"qubits": 200, **patience}, patience),
        "links": [
            {"between": ["alice", "bob"], "quantum": {"length": "20 km", "depolarising": 0.05}}
        ],
    }


def decoy() -> dict[str, Any]:
    """BB84 with weak pulses and decoys."""
    patience = {"timeout": "1 ms", "tries": 4}
    nodes = _ends(f"{QKD}.decoy", {"pulses": 20_000, **patience}, patience)
    for node in nodes.values():
        node["hardware"] = "gys"
    return {
        "name": "decoy",
        "nodes": nodes,
        "links": [{"between": ["alice", "bob"], "quantum": {"length": "5 km"}}],
    }


def bbm92() -> dict[str, Any]:
    """BBM92 with a source of pairs between the ends, whose messages go by way of it."""
    patience = {"timeout": "1 ms", "tries": 4}
    detector = {"efficiency": 0.5, "dark_count_rate": "2 kHz"}
    ends = {
        name: {
            "program": f"{QKD}.bbm92:{name.title()}",
            "with": {"peer": peer, "source": "charlie", **patience},
            "detector": detector,
        }
        for name, peer in (("alice", "bob"), ("bob", "alice"))
    }
    charlie = {
        "program": f"{QKD}.bbm92:Source",
        "with": {"alice": "alice", "bob": "bob", "slots": 20_000, **patience},
        "source": {"kind": "spdc", "rate": "20 MHz", "mean_pairs": 0.06, "fidelity": 0.98},
    }
    return {
        "name": "bbm92",
        "nodes": {**ends, "charlie": charlie},
        "links": [
            {"between": ["charlie", end], "quantum": {"length": length}}
            for end, length in (("alice", "5 km"), ("bob", "8 km"))
        ],
    }


NETWORKS = {
    "repeater": Network(
        repeater, "120 ms", (4, 30), closed_forms.teleported(closed_forms.werner_join(0.97, 0.97))
    ),
    "chain": Network(
        chain, "30 ms", (4, 30), closed_forms.teleported(closed_forms.werner_join(*[0.97] * 3))
    ),
    "bb84": Network(bb84, "10 ms", (4, 40)),
    "bbm92": Network(bbm92, "10 ms", (4, 40)),
    "decoy": Network(decoy, "14 ms", (4, 40)),
}
