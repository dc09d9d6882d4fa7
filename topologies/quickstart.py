"""Alice and Bob of quickstart.yaml: teleport some states over a repeater, then run BB84 on a side link."""

from __future__ import annotations

from typing import Any

from qnetem import Agent
from qnetem.agents.protocols import teleportation
from qnetem.agents.protocols.qkd import bb84


class Alice(Agent):
    """Teleports to bob, then sends him single photons."""

    async def run(self, states: int = 20, qubits: int = 400) -> dict[str, Any]:
        await self.perform(teleportation.Sender, peer="bob", rounds=states)
        key = await self.perform(bb84.Sender, peer="bob", qubits=qubits)
        return {"teleported": states, "qber": key["qber"], "sifted": key["sifted"]}


class Bob(Agent):
    """Receives both."""

    async def run(self, states: int = 20) -> dict[str, Any]:
        await self.perform(teleportation.Receiver, peer="alice", rounds=states)
        key = await self.perform(bb84.Receiver, peer="alice")
        return {"received": states, "qber": key["qber"], "sifted": key["sifted"]}
