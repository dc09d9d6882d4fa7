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

from ..emulator.control import Outcome
from ..emulator.errors import InternalError
from ..emulator.topology import parse_topology
from ..inprocess import InProcessNetwork
from .vectors import SEED, Sample, frequency

_PROTOCOLS = "qnetem.agents.protocols"


def _play(nodes: dict[str, Any], links: list[dict[str, Any]]) -> Outcome:
    """Run a topology to its good end."""
    text = json.dumps({"name": "physics", "seed": SEED, "nodes": nodes, "links": links})
    network = InProcessNetwork(parse_topology(text), log_stream=lambda *_: io.StringIO())
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
    return float(_play(nodes, links).metrics["bob.teleported.fidelity"]["mean"])


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
    outcome = _play(nodes, [{"between": ["alice", "bob"], "quantum": fibre}])
    result = outcome.results["bob"]
    bases = result["by_basis"].values()
    errors, compared = (sum(basis[key] for basis in bases) for key in ("errors", "compared"))
    return frequency(errors, compared), frequency(result["detected"], qubits)
