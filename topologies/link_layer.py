"""The ends of link-layer.yaml: one asks the link layer for pairs, the other one takes what is asked for."""

from __future__ import annotations

import asyncio

from qnetem import Agent
from qnetem.agents.network.errors import DeadlinePassed
from qnetem.agents.network.link_layer import LinkLayer
from qnetem.agents.network.requests import LinkPair
from qnetem.agents.protocols.cleanup import discard_held


class Asks(Agent):
    """Asks for pairs of each fidelity, then for one pair each 100 ms, then for two purposes at once.

    Records how long pairs took and, per fidelity, what they had; the fidelity of what was delivered at the
    deadlines that were met; and how many pairs of the first purpose came among the first half of all.
    """

    async def run(
        self,
        peer: str,
        fidelities: list[float],
        pairs: int = 100,
        deadlines: int = 50,
        delivered: float = 0.7,
    ) -> dict[str, float]:
        link = self.service(LinkLayer)
        for fidelity in fidelities:
            promised = link.facts(peer, min_fidelity=fidelity)
            name, asked_ns = f"f{round(100 * fidelity)}", self.now_ns
            async for pair in link.pairs(peer, pairs, min_fidelity=fidelity):
                self.record(f"{name}.waits", (self.now_ns - asked_ns) * 1e-9 * promised.rate_hz)
                await self.probe(name, pair)
                await pair.discard()
                asked_ns = self.now_ns
        missed = 0
        for _ in range(deadlines):
            missed += not await self.delivered(link, peer, delivered)
        return {"missed": missed / deadlines, "first": await self.two_purposes(link, peer, pairs)}

    async def delivered(self, link: LinkLayer, peer: str, fidelity: float) -> bool:
        """A pair of that fidelity as it is at the deadline, when it is used; False if none came."""
        due_ns = self.now_ns + 100_000_000
        try:
            async for pair in link.pairs(peer, min_fidelity=fidelity, deadline="100 ms"):
                await asyncio.sleep((due_ns - self.now_ns) * 1e-9)
                await self.probe("delivered", pair)
                await pair.discard()
        except DeadlinePassed:
            return False
        return True

    async def two_purposes(self, link: LinkLayer, peer: str, pairs: int) -> float:
        """Which part of the first half of the pairs was for the first of two purposes."""
        came: list[str] = []

        async def ask(purpose: str) -> None:
            async for pair in link.pairs(peer, pairs, purpose=purpose):
                came.append(pair.purpose)
                await pair.discard()

        await asyncio.gather(ask("first"), ask("second"))
        return came[:pairs].count("first") / pairs


class Takes(Agent):
    """Takes the halves here, for the program's own purpose and two others; keeps the latest of each."""

    async def run(self, peer: str) -> None:
        await asyncio.gather(*(self.take(peer, purpose) for purpose in ("", "first", "second")))

    async def take(self, peer: str, purpose: str) -> None:
        """What is asked for with one purpose. A half is kept until the next one comes."""
        held: list[LinkPair] = []
        try:
            async for pair in self.service(LinkLayer).arriving(peer, purpose=purpose):
                await discard_held(*held)
                held = [pair]
        finally:
            await discard_held(*held)
