"""The networks that random campaigns go over, and the campaign that a seed draws for one.

Owns topologies as data: those that are shipped, with ends that repeat messages and have less to do, and
some of its own. Everything about a run follows from (network, family, seed). Rates are such that a run
meets several faults and that many runs still come to a confirmed end: a campaign in which all fails proves
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from qnetem.emulator import closed_forms
from qnetem.emulator.closed_forms import purification
from qnetem.emulator.faults.kinds import FAULT_KINDS, FAULTS
from qnetem.emulator.loading import Topology, build_topology

TOPOLOGIES = Path(__file__).parents[2] / "topologies"
PROGRAMS = Path(__file__).with_name("programs.py")
TELEPORTATION = "qnetem.agents.protocols.teleportation"
QKD = "qnetem.agents.protocols.qkd"
#: In place of a shipped program, one of programs.py.
NOTING = {
    "./quickstart.py:Alice": "QuickstartAlice",
    "./quickstart.py:Bob": "QuickstartBob",
    f"{QKD}.decoy:Sender": "DecoySender",
    f"{QKD}.decoy:Receiver": "DecoyReceiver",
    f"{QKD}.bbm92:Alice": "Bbm92Alice",
    f"{QKD}.bbm92:Bob": "Bbm92Bob",
    f"{QKD}.e91:Alice": "E91Alice",
    f"{QKD}.e91:Bob": "E91Bob",
    f"{QKD}.prepared:Sender": "PreparedSender",
    f"{QKD}.prepared:Receiver": "PreparedReceiver",
    f"{QKD}.sarg04:Sender": "Sarg04Sender",
    f"{QKD}.sarg04:Receiver": "Sarg04Receiver",
}
HARSH = ("kill", "cut", "partition", "loss", "duplicate", "reorder", "corrupt", "memory_reset")
#: What a campaign of a family may do: the harsh kinds; or any kind that can happen there, those too.
FAMILIES = {
    "harsh": HARSH,
    "any": tuple(verb for verb, kind in FAULT_KINDS.items() if kind.random),
}


@dataclass(frozen=True)
class ProtocolRun:
    """Two programs that exchange messages, the initiator first, and what their results must be.

    `part`: the key of their results in those of the nodes, if that is not all. `fidelity`: of every state
    that is teleported (or probed as `probe`), unless faults strike the quantum side. `error`: how probable a
    wrong bit is at the most, unless they do, or clocks are wrong.
    """

    ends: tuple[str, str] = ("alice", "bob")
    part: str = ""
    fidelity: float | None = None
    probe: str = "teleported"
    error: float | None = None

    def results(self, of_nodes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Of both ends."""
        first, second = (of_nodes[end] for end in self.ends)
        return (first[self.part], second[self.part]) if self.part else (first, second)


@dataclass(frozen=True)
class Network:
    """A network, and how hard campaigns are on it.

    `lasts_ms`: until when faults begin (it would be over before, by itself). `faults`: how many are to be
    expected, from .. to.
    """

    topology: Callable[[], dict[str, Any]]
    lasts_ms: float
    protocol_runs: tuple[ProtocolRun, ...]
    faults: tuple[float, float] = (4, 30)

    def campaign(self, seed: int, family: str = "harsh") -> Topology:
        """The network under the campaign of this seed."""
        rng = np.random.default_rng([seed, 0xCA])
        count = rng.uniform(*self.faults)
        kinds = fitting(self, family)
        chosen = [verb for verb in kinds if rng.random() < 0.6] or list(kinds)
        section = {
            "rate": f"{count / self.lasts_ms * 1e3:.6g} per s",
            "kinds": chosen,
            "until": f"{self.lasts_ms} ms",
            "for": [f"{self.lasts_ms * 0.01:.6g} ms", f"{self.lasts_ms * 0.3:.6g} ms"],
        }
        data = self.topology() | {"seed": seed, "faults": {"random": section}}
        return build_topology(data, folder=TOPOLOGIES)


@cache
def fitting(network: Network, family: str) -> tuple[str, ...]:
    """The kinds of the family that can happen to something there."""
    topology = build_topology(network.topology(), folder=TOPOLOGIES)
    targets = {
        "node": [*topology.nodes],
        "link": [*topology.links],
        "either": [*topology.nodes, *topology.links],
    }

    def fits(verb: str) -> bool:
        aim = FAULT_KINDS[verb].target
        return aim == "groups" or any(
            FAULTS[verb].misfit(topology, name) is None for name in targets[aim]
        )

    return tuple(verb for verb in FAMILIES[family] if fits(verb))


# --- shipped --------------------------------------------------------------------------------------


def shipped(name: str, timeout: str, tries: int = 6, **less: float | str) -> dict[str, Any]:
    """A file of topologies/: its ends wait no longer than that, and those that take `less` do less."""
    data: dict[str, Any] = yaml.safe_load((TOPOLOGIES / f"{name}.yaml").read_text())
    data.pop("expect", None)
    data.pop("faults", None)
    for node in data["nodes"].values():
        if "program" in node:
            options = node["with"]
            options |= {key: value for key, value in less.items() if key in options}
            options |= {"timeout": timeout, "tries": tries}
    return noting(data)


def noting(data: dict[str, Any]) -> dict[str, Any]:
    """The same, with programs that note what the judge wants to see."""
    for node in data["nodes"].values():
        name = NOTING.get(node.get("program", ""))
        if name is not None:
            node["program"] = f"{PROGRAMS}:{name}"
    return data


# --- of its own -----------------------------------------------------------------------------------


def _ends(
    program: str,
    sender: Mapping[str, Any],
    receiver: Mapping[str, Any],
    names: tuple[str, str] = ("Sender", "Receiver"),
) -> dict[str, Any]:
    return {
        "alice": {"program": f"{program}:{names[0]}", "with": {"peer": "bob", **sender}},
        "bob": {"program": f"{program}:{names[1]}", "with": {"peer": "alice", **receiver}},
    }


def clicks() -> dict[str, Any]:
    """Teleportation between two nitrogen-vacancy centres, whose link has detectors, phases and lasers."""
    options = {"rounds": 4, "timeout": "200 ms", "tries": 6}
    quantum = {"length": "2 m", "entangle": {"preset": "delft_nv_2019", "alpha": 0.2}}
    return {
        "name": "clicks",
        "defaults": {"hardware": "nv_centre"},
        "nodes": _ends(TELEPORTATION, options, options),
        "links": [{"between": ["alice", "bob"], "quantum": quantum}],
    }


def nested() -> dict[str, Any]:
    """Teleportation over repeaters that join level by level, by Bell measurements that may fail."""
    data = shipped("chain", "30 ms", rounds=4)
    repeater = {"path": ["alice", "r1", "r2", "r3", "bob"], "order": "nested", "timeout": "20 ms"}
    for name in ("r1", "r2", "r3"):
        data["nodes"][name] = {
            "kind": "repeater",
            "with": repeater,
            "bell_measurement": {"success": 0.8},
        }
    data["name"] = "nested"
    return data


def distant() -> dict[str, Any]:
    """Purification of pairs that a repeater joins, and that it takes along when it dies."""
    data = shipped("broken-repeater", "10 ms")
    options = {"rounds": 6, "levels": 1, "timeout": "10 ms", "tries": 6}
    program = "qnetem.agents.protocols.purification"
    data["nodes"] |= _ends(program, options, options, ("End", "End"))
    return data | {"name": "distant"}


def bb84() -> dict[str, Any]:
    """BB84 with single photons, over a fibre that errs."""
    retry = {"timeout": "1 ms", "tries": 4}
    return {
        "name": "bb84",
        "nodes": _ends(f"{QKD}.bb84", {"qubits": 200, **retry}, retry),
        "links": [
            {"between": ["alice", "bob"], "quantum": {"length": "20 km", "depolarising": 0.05}}
        ],
    }


def arm() -> dict[str, Any]:
    """BBM92 with the source at Alice's, who keeps an arm."""
    retry = {"timeout": "1 ms", "tries": 4}
    nodes = _ends(f"{QKD}.bbm92", {"slots": 20_000, **retry}, retry, ("Alice", "Bob"))
    for node in nodes.values():
        node["detector"] = {"efficiency": 0.5, "dark_count_rate": "2 kHz"}
    nodes["alice"]["source"] = {
        "kind": "spdc",
        "rate": "20 MHz",
        "mean_pairs": 0.06,
        "fidelity": 0.98,
    }
    return noting(
        {
            "name": "arm",
            "nodes": nodes,
            "links": [{"between": ["alice", "bob"], "quantum": {"length": "8 km"}}],
        }
    )


def excluding() -> dict[str, Any]:
    """SARG04, whose exchange BB84 on trains, its kin and B92 share, with settings that are lazy."""
    retry = {"timeout": "1 ms", "tries": 4, "lazy": True}
    nodes = _ends(f"{QKD}.sarg04", {"pulses": 20_000, **retry}, retry)
    nodes["alice"]["source"] = {"kind": "single_photon", "rate": "20 MHz"}
    nodes["bob"]["detector"] = {"efficiency": 0.5, "dark_count_rate": "2 kHz"}
    quantum = {"length": "8 km", "depolarising": 0.02}
    links = [{"between": ["alice", "bob"], "quantum": quantum}]
    return noting({"name": "excluding", "nodes": nodes, "links": links})


def rooftops() -> dict[str, Any]:
    """BB84 on trains through the air, between telescopes that may lose each other."""
    data = excluding()
    for node, role in (("alice", "Sender"), ("bob", "Receiver")):
        data["nodes"][node]["program"] = f"{PROGRAMS}:Prepared{role}"
    data["links"][0]["quantum"] = {
        "medium": "free_space",
        "length": "3 km",
        "beam": {"wavelength": "1550 nm", "divergence": {"waist": "25 mm"}},
        "telescope": {"aperture": "80 mm"},
        "pointing": {"jitter": "4 urad"},
        "depolarising": 0.02,
    }
    return data | {"name": "rooftops"}


def distilling() -> dict[str, Any]:
    """BB84 on trains up to a secret key: hundreds of messages more, all of them authenticated."""
    retry = {"timeout": "1 ms", "tries": 6, "lazy": True, "distil": {}}
    nodes = _ends(f"{QKD}.prepared", {"pulses": 40_000, **retry}, retry)
    nodes["alice"]["source"] = {"kind": "single_photon", "rate": "20 MHz"}
    nodes["bob"]["detector"] = {"efficiency": 0.5, "dark_count_rate": "2 kHz"}
    quantum = {"length": "8 km", "depolarising": 0.02}
    links = [{"between": ["alice", "bob"], "quantum": quantum}]
    return noting({"name": "distilling", "nodes": nodes, "links": links})


def heralded() -> dict[str, Any]:
    """BBM92 over heralded pairs, which a memory does not keep for long."""
    retry = {"timeout": "2 ms", "tries": 6}
    nodes = _ends(f"{QKD}.bbm92", {"pairs": 60, **retry}, retry, ("Alice", "Bob"))
    for node in nodes.values():
        node["memory"] = {"cutoff": "400 us"}
    entangle = {"success": 0.5, "fidelity": 0.98, "attempt": "50 us"}
    links = [{"between": ["alice", "bob"], "quantum": {"length": "10 km", "entangle": entangle}}]
    return noting({"name": "heralded", "nodes": nodes, "links": links})


def networked() -> dict[str, Any]:
    """BBM92 over pairs of the network, whose one repeater may die, and whose circuits then begin anew."""
    data = heralded()
    for node in data["nodes"].values():
        del node["memory"]
    data["nodes"]["alice"]["with"]["over"] = "network"
    data["nodes"]["r1"] = {"kind": "repeater"}
    quantum = data["links"][0]["quantum"]
    ends = (["alice", "r1"], ["r1", "bob"])
    data["links"] = [{"between": between, "quantum": quantum} for between in ends]
    return data | {"name": "networked", "defaults": {"services": {"link": {}, "network": {}}}}


def teleported(*fidelities: float) -> float:
    """Of a state that goes over pairs of these fidelities, joined."""
    return float(closed_forms.teleported(closed_forms.werner_join(*fidelities)))


def purified(fidelity: float, *, levels: int = 0, pumped: int = 0) -> float:
    """Of what DEJMPS makes of Werner pairs: level by level, or with a fresh pair in each round."""
    weights = closed_forms.werner_weights(fidelity)
    if pumped:
        return purification.pumped_dejmps(weights, pumped)[0]
    return purification.nested_dejmps(weights, levels)[0]


#: By name, which for a shipped one is its file's.
NETWORKS = {
    "broken-repeater": Network(
        partial(shipped, "broken-repeater", "40 ms", rounds=10),
        120,
        (ProtocolRun(fidelity=teleported(0.97, 0.97)),),
    ),
    "chain": Network(
        partial(shipped, "chain", "16 ms", rounds=5),
        60,
        (ProtocolRun(fidelity=teleported(*[0.98] * 4)),),
    ),
    "star": Network(
        partial(shipped, "star", "10 ms", rounds=5),
        30,
        (
            ProtocolRun(("alice", "bob"), fidelity=teleported(0.96, 0.96)),
            ProtocolRun(("carol", "dave"), fidelity=teleported(0.96, 0.96)),
        ),
    ),
    "two-nodes": Network(
        partial(shipped, "two-nodes", "4 ms", rounds=10),
        20,
        (ProtocolRun(fidelity=teleported(0.95)),),
    ),
    "quickstart": Network(
        partial(shipped, "quickstart", "24 ms", states=4, qubits=150),
        130,
        (
            ProtocolRun(part="states", fidelity=teleported(0.97, 0.97)),
            ProtocolRun(part="key", error=0.04),
        ),
    ),
    "decoy": Network(
        partial(shipped, "decoy", "1 ms", 4, pulses=40_000),
        28,
        (ProtocolRun(error=0.04),),
        (4, 25),
    ),
    "spdc": Network(
        partial(shipped, "spdc", "1 ms", 4, slots=100_000, sample=0.5),
        4,
        (ProtocolRun(error=0.08),),
        (4, 40),
    ),
    "qkd-systems": Network(
        partial(shipped, "qkd-systems", "30 ms", 4, pulses=500_000, sample=0.5),
        60,
        (
            ProtocolRun(("lim", "lim-bob"), error=0.1),
            ProtocolRun(("boaron", "boaron-bob"), error=0.1),
            ProtocolRun(("micius", "ground"), error=0.1),
        ),
    ),
    "dejmps": Network(
        partial(shipped, "dejmps", "1 ms", rounds=10),
        14,
        (
            ProtocolRun(("alice", "bob"), fidelity=purified(0.8, levels=2), probe="purified"),
            ProtocolRun(("carol", "dave"), fidelity=purified(0.8, pumped=2), probe="purified"),
        ),
    ),
    "distant": Network(
        distant,
        100,
        (
            ProtocolRun(
                fidelity=purified(closed_forms.werner_join(0.97, 0.97), levels=1), probe="purified"
            ),
        ),
    ),
    "nested": Network(nested, 90, (ProtocolRun(fidelity=teleported(*[0.98] * 4)),)),
    "clicks": Network(clicks, 300, (ProtocolRun(),)),
    "bb84": Network(bb84, 10, (ProtocolRun(error=0.025),), (4, 40)),
    "e91": Network(
        partial(shipped, "e91", "1 ms", 4, slots=400_000, sample=0.5),
        4,
        (ProtocolRun(error=0.03),),
        (4, 40),
    ),
    "e91-heralded": Network(
        partial(shipped, "e91-heralded", "2 ms", 6, pairs=80, sample=0.5),
        12,
        (ProtocolRun(error=0.05),),
        (4, 25),
    ),
    "heralded": Network(heralded, 12, (ProtocolRun(error=0.03),), (4, 25)),
    "networked": Network(networked, 30, (ProtocolRun(error=0.05),), (4, 25)),
    "bbm92-cw": Network(
        partial(shipped, "bbm92-cw", "1 ms", 4, duration="60 ms", sample=0.5),
        60,
        (ProtocolRun(error=0.05),),
        (4, 25),
    ),
    "excluding": Network(excluding, 10, (ProtocolRun(error=0.025),), (4, 40)),
    "rooftops": Network(rooftops, 10, (ProtocolRun(error=0.025),), (4, 40)),
    "distilling": Network(distilling, 20, (ProtocolRun(error=0.025),), (4, 40)),
    "arm": Network(arm, 10, (ProtocolRun(error=0.08),), (4, 40)),
}
#: Shipped topologies whose ends exchange no results, take days, or do what those of another one do.
WITHOUT_PROTOCOL = (
    "chain-8",
    "dumbbell",
    "key-service",
    "link-layer",
    "metro-keys",
    "metro-pairs",
    "nested-chain",
    "nv-drift",
    "nv-link",
    "nv-teleportation",
    "nv-three-nodes",
    "ring",
)
