"""Purification of a pair by another one (Bennett et al., PRL 76, 722 (1996): BBPSSW)."""

from qnetem import Agent


class End(Agent):
    """Either end: measures one of two pairs to learn about the other."""

    async def run(self, peer: str, rounds: int):
        for _ in range(rounds):
            keep, spend = await self.entangle(peer), await self.entangle(peer)
            await keep.qubit.cx(spend.qubit)
            bit = await spend.measure()
            await self.send(peer, bit)
            kept = bit == (await self.receive(peer)).body
            self.record("kept", kept)
            if kept:
                await self.probe("pair", keep)
            await keep.discard()
