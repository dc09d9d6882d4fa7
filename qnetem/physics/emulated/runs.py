"""Whole networks for the report: programs, messages and qubits, in this process.

Owns the topologies and which figure of a run counts. Does not own the programs (agents/protocols) nor what
must come out.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ...agents.agent import Agent
from ...emulator.errors import InternalError
from ...emulator.loading import Topology, parse_topology
from ...emulator.wire.control import Outcome
from ...inprocess.network import InProcessNetwork
from ..vectors import Sample, frequency, generator

_PROTOCOLS = "qnetem.agents.protocols"


def topology_of(nodes: dict[str, Any], links: list[dict[str, Any]]) -> Topology:
    """What a file with these two sections would be. Its seed follows from them: no two share their luck."""
    sections = {"nodes": nodes, "links": links}
    seed = int(generator(f"run {json.dumps(sections)}").integers(1 << 31))
    return parse_topology(json.dumps({"name": "physics", "seed": seed, **sections}))


def play(nodes: dict[str, Any], links: list[dict[str, Any]]) -> Outcome:
    """Run a topology to its good end."""
    network = InProcessNetwork(topology_of(nodes, links), log_stream=lambda *_: io.StringIO())
    outcome = network.run()
    if outcome.problem is not None:
        raise InternalError(f"a reference run failed: {outcome.problem.text}")
    return outcome


def teleported(fidelities: Sequence[float], rounds: int = 20) -> float:
    """Mean fidelity of random states teleported over a row of Werner links, joined by repeaters."""
    names = ["alice", *(f"r{number}" for number in range(1, len(fidelities))), "bob"]
    ends = {"rounds": rounds}
    nodes: dict[str, Any] = {name: {"kind": "repeater"} for name in names}
    for name, peer, role in (("alice", "bob", "Sender"), ("bob", "alice", "Receiver")):
        nodes[name] = {
            "program": f"{_PROTOCOLS}.teleportation:{role}",
            "with": {"peer": peer, **ends},
        }
    links = [
        {
            "between": names[at : at + 2],
            "quantum": {"entangle": {"success": 1, "fidelity": fidelity, "attempt": "1 us"}},
            "classical": {"latency": "1 us"},
        }
        for at, fidelity in enumerate(fidelities)
    ]
    return float(play(nodes, links).metrics["bob.teleported.fidelity"]["mean"])


@lru_cache(maxsize=4)
def bb84(depolarising: float, length_km: float, qubits: int) -> tuple[Sample, Sample]:
    """(QBER, detected fraction) of BB84 with single photons over a fibre at 0.2 dB/km."""
    ends: tuple[tuple[str, str, str, dict[str, float]], ...] = (
        ("alice", "bob", "Sender", {"qubits": qubits, "sample": 1.0}),
        ("bob", "alice", "Receiver", {}),
    )
    nodes = {
        name: {"program": f"{_PROTOCOLS}.qkd.bb84:{role}", "with": {"peer": peer, **more}}
        for name, peer, role, more in ends
    }
    fibre = {"length": f"{length_km} km", "attenuation": "0.2 dB/km", "depolarising": depolarising}
    outcome = play(nodes, [{"between": ["alice", "bob"], "quantum": fibre}])
    result = outcome.results["bob"]
    bases = result["by_basis"].values()
    errors, compared = (sum(basis[key] for basis in bases) for key in ("errors", "compared"))
    return frequency(errors, compared), frequency(result["detected"], qubits)


# --- heralded pairs -------------------------------------------------------------------------------


class Heralded(Agent):
    """One end of a link: takes `pairs` one after the other and says what a run came to.

    Records how long each took (`wait_s`); the end that is `recording` has fidelities noted.
    """

    async def run(self, peer: str, pairs: int, recording: bool = False) -> None:
        for _ in range(pairs):
            asked_ns = self.now_ns
            pair = await self.entangle(peer)
            if recording:
                self.record("wait_s", (self.now_ns - asked_ns) * 1e-9)
                await self.probe("pair", pair)
            await pair.discard()


@lru_cache(maxsize=8)
def nv_pairs(alpha: float, pairs: int) -> tuple[Sample, float]:
    """(pairs a second, fidelity) of two NV centres 2 m apart with the link preset `delft_nv_2019`.

    By the published form of single clicks, which the numbers it is compared with follow.
    Waits are geometric: their spread is a mean's, nearly, and so is that of the rate.
    """
    nodes: dict[str, Any] = {
        name: {
            "program": f"{__name__}:Heralded",
            "with": {"peer": peer, "pairs": pairs, "recording": name == "alice"},
            "hardware": "nv_centre",
        }
        for name, peer in (("alice", "bob"), ("bob", "alice"))
    }
    heralding = {"preset": "delft_nv_2019", "alpha": alpha, "incoherent_darks": False}
    quantum = {"length": "2 m", "entangle": heralding}
    metrics = play(nodes, [{"between": ["alice", "bob"], "quantum": quantum}]).metrics
    rate_hz = 1 / float(metrics["alice.wait_s"]["mean"])
    return Sample(rate_hz, pairs, rate_hz), float(metrics["alice.pair.fidelity"]["mean"])
