"""B92: a key by two states that are not orthogonal (C. H. Bennett, PRL 68, 3121 (1992))."""

import asyncio

from qnetem import Agent


class Alice(Agent):
    """Sends |0> for a 0 and |+> for a 1, one photon each millisecond."""

    async def run(self, photons: int):
        bits = self.rng.integers(0, 2, photons).tolist()
        for bit in bits:
            photon = await self.qubit()
            if bit:
                await photon.h()
            await self.transmit(photon, "bob")
            await asyncio.sleep(0.001)
        await self.send("bob", kind="end")
        await self.send("bob", [bits[slot] for slot in (await self.receive("bob")).body])


class Bob(Agent):
    """Knows a bit where his outcome rules one state out, and compares all of them with alice."""

    async def run(self, quiet: int):
        self.key = {}
        listening = asyncio.create_task(self.listen())
        await self.receive("alice", kind="end")
        listening.cancel()
        await self.send("alice", list(self.key))
        for slot, sent in zip(self.key, (await self.receive("alice")).body, strict=True):
            self.record("error" if slot < quiet else "error_with_eve", self.key[slot] != sent)

    async def listen(self):
        while True:
            photon = await self.receive_qubit("alice")
            basis = int(self.rng.integers(2))
            if await photon.measure("ZX"[basis]):  # not |0> if basis is Z, not |+> if it is X
                self.key[photon.arrived_ns // 1_000_000] = 1 - basis
