"""Ends of chain-8.yaml, dumbbell.yaml and ring.yaml: one asks the network for pairs, the other takes them."""

from __future__ import annotations

from typing import Any

from qnetem import Agent
from qnetem.agents.network.errors import DeadlinePassed


class Asks(Agent):
    """Asks for `pairs` with `peer`, within `deadline`, and compares outcomes along X.

    The recorder notes each one's fidelity (`pair`). Returns how many it `had`, in which part of them
    both ends have the `same` outcome, and with a `rival` that asks likewise its `share` of what both had.
    """

    async def run(
        self, peer: str, pairs: int, deadline: str | None = None, rival: str | None = None
    ) -> dict[str, Any]:
        bits: dict[str, int] = {}
        try:
            async for pair in self.network.pairs(peer, pairs, deadline=deadline):
                await self.probe("pair", pair, parties=pair.ends)
                bits[pair.id] = await pair.measure("X")
        except DeadlinePassed:
            pass
        had, same = len(bits), 0
        for name, bit in bits.items():
            same += bit == (await self.receive(peer, kind=name)).body
        found = {"had": had, "same": same / had}
        if rival is not None:
            await self.send(rival, had, kind="had")
            found["share"] = had / (had + (await self.receive(rival, kind="had")).body)
        return found


class Takes(Agent):
    """Measures whatever `peer` asks for, and says what came of it."""

    async def run(self, peer: str) -> None:
        async for pair in self.network.arriving(peer):
            await self.probe("pair", pair, parties=pair.ends)
            await self.send(peer, await pair.measure("X"), kind=pair.id)
