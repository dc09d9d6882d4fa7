"""Two ends that continue though one of them is killed: what is lost is noticed by the time."""

import asyncio

from qnetem import Agent


class End(Agent):
    """Measures pairs and compares the bits; gives up a pair of which the peer says nothing."""

    async def run(self, peer: str, rounds: int):
        for _ in range(rounds):
            bit = await (await self.entangle(peer)).measure()
            await self.send(peer, bit)
            try:
                async with asyncio.timeout(0.01):
                    self.record("equal", bit == (await self.receive(peer)).body)
            except TimeoutError:
                self.record("lost", 1)
